"""Models of the devices that faces are scanned with: each with its own triangulation, noise, gaps and pose."""

from face3d.simulate.scanners.chart import Chart
from face3d.simulate.scanners.simulated import SimulatedScan, random_pose
from face3d.simulate.scanners.stereophotogrammetry import scan_stereophotogrammetry

__all__ = ["Chart", "SimulatedScan", "random_pose", "scan_stereophotogrammetry"]
