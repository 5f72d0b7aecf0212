"""What clinicians ask of lids, lips and philtrum by name, in millimetres and degrees, beside the measures of movement.

What needs more than skin is not made up: a scan has no corneal light reflex, so margin distances are taken from the
line between the eye's corners; it does not tell teeth from lips, so dental show is a row without a value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np

from face3d.landmarks import SIDES
from face3d.measuring.definitions import Measure, row
from face3d.scan import Floats
from face3d.template.anatomy import Anatomy
from face3d.template.movement import Movement

#: Where along the mouth the gap between the lips is read: mm from the midline on the neutral mesh, and how far off
#: that.
ASIDE_MM, WITHIN_MM = 8.0, 2.5
SMILES = ("closed_smile", "open_smile")
#: Expressions in which lips should meet, or in which a gap says how far they part.
LIPS = ("closed_smile", "open_smile", "lip_pucker", "lower_lip_depression", "cheek_puff")
TEETH = "teeth are not told from lips and mouth in a scan of the skin"


def at_rest(rest: Floats, anatomy: Anatomy, known: Mapping[str, Floats]) -> Iterator[Measure]:
    """Of the face at rest: `rest` (N, 3) mm in the head frame, `known` landmarks as in `readings.rest_rows`."""
    marks = {**anatomy.landmark_points(rest), **known}
    for side in SIDES:
        level = (marks[f"en_{side}"][1] + marks[f"ex_{side}"][1]) / 2
        yield row("mrd1", "rest", "eye", side, marks[f"ps_{side}"][1] - level)
        yield row("mrd2", "rest", "eye", side, level - marks[f"pi_{side}"][1])
    yield row("commissure_cant", "rest", "mouth", "both", _slope(marks, "ch") - _slope(marks, "ex"))
    yield from _of_lips("rest", marks, rest, anatomy)


def in_expression(
    moved: Movement, rest: Floats, anatomy: Anatomy, known_at_rest: Mapping[str, Floats], known: Mapping[str, Floats]
) -> Iterator[Measure]:
    """Of one expression; arguments as in `readings.movement_rows`."""
    e, face = moved.expression, rest + moved.displacement
    before = {**anatomy.landmark_points(rest), **known_at_rest}
    after = {k: before[k] + v for k, v in anatomy.landmark_points(moved.displacement).items()}
    if e in LIPS:
        yield from _of_lips(e, {**after, **known}, face, anatomy)
    if e in SMILES:
        for side, out in zip(SIDES, (1.0, -1.0), strict=True):
            shift = {**after, **known}[f"ch_{side}"] - before[f"ch_{side}"]
            yield row("commissure_lateral", e, "mouth", side, out * shift[0])
    if e in ("open_smile", "lower_lip_depression"):
        for side in SIDES:
            yield row("dental_show", e, "mouth", side, math.nan, TEETH)


def angle_difference(rows: Mapping[tuple[str, str, str], float], expression: str) -> Measure:
    """Left minus right direction of the mouth corner's path; `rows` (measure, expression, side) -> value."""
    left, right = (rows.get(("commissure_angle_frontal", expression, s), math.nan) for s in SIDES)
    value = (left - right + 180.0) % 360.0 - 180.0
    return row("commissure_angle_difference", expression, "mouth", "both", value, "a corner moved too little")


def _of_lips(expression: str, marks: Mapping[str, Floats], face: Floats, anatomy: Anatomy) -> Iterator[Measure]:
    yield row("philtrum_deviation", expression, "philtrum", "both", marks["ls"][0] - marks["sn"][0])
    for where, (upper, lower, closed) in _seam(anatomy).items():
        gap = float(face[upper, 1] - face[lower, 1]) - closed
        yield row("lip_gap", expression, "mouth", where, max(gap, 0.0) if math.isfinite(gap) else math.nan)


def _slope(marks: Mapping[str, Floats], code: str) -> float:
    """Degrees by which the line between both sides' points rises to the left."""
    line = marks[f"{code}_left"] - marks[f"{code}_right"]
    return math.degrees(math.atan2(line[1], line[0]))


# An anatomy is compared by identity: its lips are looked at once.
@lru_cache(maxsize=4)
def _seam(anatomy: Anatomy) -> dict[str, tuple[int, int, float]]:
    """side -> vertices of upper and lower lip that touch in the neutral state, and their height difference there, mm;
    "both": in the midline."""
    v = anatomy.vertices
    lips = [
        np.flatnonzero(sum((anatomy.regions.get(f"{lip}_{s}", 0.0) for s in SIDES), np.zeros(len(v))) > 0.5)
        for lip in ("upper_lip", "lower_lip")
    ]
    out = {}
    for side, x in (("both", 0.0), ("left", ASIDE_MM), ("right", -ASIDE_MM)):
        # The right pair is the mirror image of the left one: sides are measured alike.
        upper, lower = (part[np.abs(v[part, 0] - abs(x)) < WITHIN_MM] for part in lips)
        if not (len(upper) and len(lower)):
            continue
        apart = np.linalg.norm(v[upper][:, None] - v[lower][None], axis=2)
        i, j = np.unravel_index(int(apart.argmin()), apart.shape)
        pair = [int(upper[i]), int(lower[j])]
        if side == "right":
            pair = [int(anatomy.opposite[k]) for k in pair]
        out[side] = (pair[0], pair[1], float(v[pair[0], 1] - v[pair[1], 1]))
    return out
