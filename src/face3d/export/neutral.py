"""Whose face it is taken out of its shape: movement and asymmetry stay, everything both sides have in common goes."""

from __future__ import annotations

import numpy as np

from face3d.report.faces import Faces
from face3d.template.exam_fit import FittedExam


def faces_of(fitted: FittedExam) -> Faces:
    """The faces of a fitted exam, without landmarks."""
    return Faces(fitted.template, fitted.rest, {e: m.displacement for e, m in fitted.movements.items()})


def neutral(faces: Faces) -> Faces:
    """The same on the template's own face: at rest the template, moved by half of what each place differs from its
    mirrored opposite, which keeps every difference between the sides as it is (places that only one side shows become
    NaN); in expressions the same displacements from there. Landmarks go. What is left of the person is how unlike their
    halves are and how they move."""
    t = faces.template
    mirrored = faces.rest[t.opposite] * np.array([-1.0, 1.0, 1.0])
    return Faces(t, t.vertices + 0.5 * (faces.rest - mirrored), faces.displacements)
