"""Faces with known truth: head model, patients, motion and scanners."""

from face3d.simulate.draw import draw_healthy, draw_patient, retaken, treated
from face3d.simulate.head import HeadModel
from face3d.simulate.patients import Patient, Synkinesis, expression_intensities, healthy, with_palsy
from face3d.simulate.scanners import SimulatedScan, draw_skin, scan_face
from face3d.simulate.truth import Truth, asymmetry_vectors, truth_of

__all__ = [
    "HeadModel",
    "Patient",
    "SimulatedScan",
    "Synkinesis",
    "Truth",
    "asymmetry_vectors",
    "draw_healthy",
    "draw_patient",
    "draw_skin",
    "expression_intensities",
    "healthy",
    "retaken",
    "scan_face",
    "treated",
    "truth_of",
    "with_palsy",
]
