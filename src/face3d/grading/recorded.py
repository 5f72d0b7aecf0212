"""Recorded movements with their names: kinematics, and the recogniser of expressions that tells what was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from face3d.scan import Floats

if TYPE_CHECKING:
    from face3d.io.markers import Markers
    from face3d.sequence.kinematics import Kinematics
    from face3d.sequence.points import PointsOverTime
    from face3d.sequence.stored import Stored
    from face3d.sequence.tracked import Tracked


def kinematics(recording: Tracked | Stored | Markers | PointsOverTime, expression: str | None = None) -> Kinematics:
    """What a recording says about movement in time: displacement, velocity, timing, symmetry, blinks, synkinesis, per
    frame and per movement.

    `recording` a tracked sequence, markers, or points by name over time in the head frame. `expression`: all that is
    recorded is this one, once or repeatedly; without it the movements of a tracked recording are named by what they
    show at their apex, those of points stay unnamed. Raises `ScanError` when time does not run forward or there are too
    few frames, `LandmarkError` where markers tell no head frame.
    """
    from face3d.sequence.kinematics import kinematics as measured

    return measured(recording, expression, named)


def named(rest: Floats, apexes: Floats) -> list[tuple[str, float]]:
    """What each of K movements shows, and how probably: `rest` (N, 3), `apexes` (K, N, 3) mm, the template's vertices.

    Each is judged by itself, since a recording may hold an expression several times or not at all. Rest is no answer.
    """
    import numpy as np

    from face3d.grading.example import SCANS
    from face3d.grading.grid import grid_of
    from face3d.grading.naming import shape_of, shipped_namer
    from face3d.template.template import FaceTemplate

    grid = grid_of(FaceTemplate.load())
    there = np.stack([grid.means(a) for a in apexes])
    chances = shipped_namer().probabilities(shape_of(grid.means(rest)[None], there, grid))[:, 1:]
    chances = chances / chances.sum(axis=1, keepdims=True)
    return [(SCANS[1:][int(p.argmax())], float(p.max())) for p in chances]
