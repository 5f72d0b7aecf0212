"""Models of the devices that faces are scanned with: each with its own triangulation, noise, gaps and pose."""

from face3d.simulate.scanners import disturbances
from face3d.simulate.scanners.chart import Chart
from face3d.simulate.scanners.depth_camera import (
    AZURE_KINECT,
    KINECT_V1,
    REALSENSE_D415,
    TRUEDEPTH,
    DepthCamera,
    DepthFrame,
    scan_depth_camera,
)
from face3d.simulate.scanners.fixed_mesh import FixedMesh, in_metres
from face3d.simulate.scanners.scan_face import SCANNERS, draw_skin, scan_face
from face3d.simulate.scanners.simulated import SimulatedScan, random_pose
from face3d.simulate.scanners.stereo_rig import StereoPair, shoot
from face3d.simulate.scanners.stereophotogrammetry import scan_stereophotogrammetry
from face3d.simulate.scanners.structured_light import scan_structured_light

__all__ = [
    "AZURE_KINECT",
    "KINECT_V1",
    "REALSENSE_D415",
    "SCANNERS",
    "TRUEDEPTH",
    "Chart",
    "DepthCamera",
    "DepthFrame",
    "FixedMesh",
    "SimulatedScan",
    "StereoPair",
    "disturbances",
    "draw_skin",
    "in_metres",
    "random_pose",
    "scan_depth_camera",
    "scan_face",
    "scan_stereophotogrammetry",
    "scan_structured_light",
    "shoot",
]
