"""Faces with known truth: head model, patients, motion and scanners."""

from face3d.simulate.draw import draw_healthy, draw_patient, treated
from face3d.simulate.head import HeadModel
from face3d.simulate.patients import Patient, Synkinesis, expression_intensities, healthy, with_palsy
from face3d.simulate.truth import Truth, asymmetry_vectors, truth_of

__all__ = [
    "HeadModel", "Patient", "Synkinesis", "Truth", "asymmetry_vectors", "draw_healthy", "draw_patient",
    "expression_intensities", "healthy", "treated", "truth_of", "with_palsy",
]  # fmt: skip
