"""The grade of a recorded session: of each expression its largest movement, averaged over the frames about its apex.

A held expression is seen many times over, so that no single frame decides. What the grade is off by is mostly not noise
of frames: see docs/validation.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from face3d.errors import RegistrationError
from face3d.grading.example import MOVEMENTS, Example, assembled
from face3d.grading.grid import MARKS

if TYPE_CHECKING:
    from face3d.grading.grades import Grade
    from face3d.sequence.kinematics import Kinematics, MovedOnce
    from face3d.sequence.stored import Stored
    from face3d.sequence.tracked import Tracked

#: s to either side of an apex that are averaged: of 0, 1/15, 2/15 and 4/15 the one with the least error of severity, on
#: 42 simulated people (SD 0.048, the apex alone 0.051). On 48 others it was no better than the apex (0.037 both), but
#: was less often too unsure to be said.
ABOUT_S = 4 / 15

#: Of these at least one each must have been made for a session to be graded: what says most of brow, eye and mouth.
NEEDED = (("brow_raise",), ("gentle_eye_closure", "tight_eye_closure"), ("open_smile", "closed_smile"))


def grade_of_session(tracked: Tracked | Stored, seen: Kinematics) -> Grade | None:
    """The grade of a recording of several expressions, by its kinematics; None where a brow raise, an eye closure or a
    smile is not among them. Raises `MissingExtraError` without torch."""
    from face3d.grading.grades import grade_examples

    made = largest(seen)
    if not all(any(name in made for name in some) for some in NEEDED):
        return None
    return grade_examples([example_in_time(tracked, seen)])[0]


def example_in_time(tracked: Tracked | Stored, seen: Kinematics, about_s: float = ABOUT_S) -> Example:
    """A tracked recording as an exam. `seen` its kinematics: movements without the name of an expression are passed
    over. Of the quality of fits only the distance is known, of movement units and scanned points nothing."""
    from face3d.measuring.examination import measure_fits
    from face3d.template.movement import movement

    template, rest = tracked.template, np.asarray(tracked.rest_mm, np.float64)
    at_rest = template.landmark_points(rest)
    moves, marks = {}, {"rest": np.array([at_rest[n] for n in MARKS])}
    quality = np.full((1 + len(MOVEMENTS), 6), np.nan)
    quality[0, 0] = np.nanmedian(tracked.residual_mm[~tracked.lost])
    for expression, shown in largest(seen).items():
        near = np.abs(tracked.times_s - tracked.times_s[shown.apex_frame]) <= about_s + 1e-6
        frames = np.flatnonzero(near & ~tracked.lost)
        if not len(frames):  # the apex lies in a gap that a curve bridges
            continue
        vertices, seen_there = tracked.some(frames)
        mean, valid = vertices.mean(axis=0, dtype=np.float64), np.asarray(seen_there.all(axis=0))
        try:
            moved = movement(expression, rest, mean, template, valid)
        except RegistrationError:
            continue
        moves[expression] = moved
        at = template.landmark_points(rest + np.nan_to_num(moved.displacement))
        marks[expression] = np.array([at[n] for n in MARKS])
        quality[1 + MOVEMENTS.index(expression), 0] = np.median(tracked.residual_mm[frames])
    return assembled(template, rest, moves, marks, measure_fits(rest, moves, template), quality)


def largest(seen: Kinematics) -> Mapping[str, MovedOnce]:
    """expression -> the movement that shows it furthest, of those that have a name."""
    found: dict[str, MovedOnce] = {}
    for m in seen.movements:
        if m.expression in MOVEMENTS and (m.expression not in found or found[m.expression].size < m.size):
            found[m.expression] = m
    return found
