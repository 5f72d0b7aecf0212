"""Rest to smile by facial thirds, treated against healthy side: the distances of reanimation studies.

Gibelli, Tarabbia et al. 2020 (doi 10.1016/j.ijom.2019.07.015) superimpose a smile on the face at rest and take the RMS
distance of the surfaces within each third of each side. `third_surface_rms` is that; it cannot see skin that slides
along the surface, so `third_movement_rms`, through correspondence, stands beside it. Thirds are trigeminal, as in
`face3d.measuring.regions`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from face3d.geometry.distance import surface_distance
from face3d.geometry.mesh import vertex_areas
from face3d.landmarks import SIDES, other_side
from face3d.measuring.definitions import Measure, row
from face3d.measuring.exam_measures import Measures
from face3d.measuring.regions import landmark_regions
from face3d.scan import FaceScan, Floats
from face3d.template.anatomy import Anatomy
from face3d.template.movement import Movement

if TYPE_CHECKING:
    import pandas as pd

DEFINITION = "trigeminal third"
SMILES = ("closed_smile", "open_smile")
DISTANCES = ("third_movement_rms", "third_surface_rms")


def third_rows(moved: Movement, rest: Floats, anatomy: Anatomy) -> Iterator[Measure]:
    """Both RMS distances (mm) of each third of each side; `rest` (N, 3) mm as the movement was taken from."""
    weights = _weights(anatomy)
    values = np.linalg.norm(moved.displacement, axis=1), _surface(moved, rest, anatomy)
    for name, value in zip(DISTANCES, values, strict=True):
        for (third, side), weight in weights.items():
            yield row(name, moved.expression, third, side, _rms(value, weight))


# An anatomy is compared by identity: its thirds are drawn once.
@lru_cache(maxsize=4)
def _weights(anatomy: Anatomy) -> dict[tuple[str, str], Floats]:
    area = vertex_areas(FaceScan(anatomy.vertices, anatomy.faces))
    drawn = landmark_regions(anatomy.vertices, anatomy.landmark_points(anatomy.vertices))
    return {
        (r.name.replace(" ", "_"), r.side): area * np.asarray(r.weight, np.float64)
        for r in drawn
        if r.definition == DEFINITION and r.side in SIDES
    }


def _rms(values: Floats, weight: Floats) -> float:
    seen = np.isfinite(values)
    if weight[seen].sum() < 0.5 * weight.sum():
        return math.nan
    return float(np.sqrt(values[seen] ** 2 @ weight[seen] / weight[seen].sum()))


def _surface(moved: Movement, rest: Floats, anatomy: Anatomy) -> Floats:
    """Distance (N,) mm of the expression's vertices to the surface at rest."""
    there = rest + moved.displacement
    seen = np.isfinite(there).all(axis=1)
    whole = np.asarray(np.isfinite(rest).all(axis=1))
    out = np.full(len(rest), np.nan)
    faces = anatomy.faces[whole[anatomy.faces].all(axis=1)]
    if not len(faces):
        return out
    surface = FaceScan(np.where(whole[:, None], rest, 0.0), faces)
    out[seen] = surface_distance(there[seen], surface).distance_mm
    return out


@dataclass(frozen=True)
class Third:
    """One third of one smile. `treated`, `healthy` RMS in mm; `share` treated / healthy, NaN where unknown."""

    expression: str
    third: str
    distance: str
    treated: float
    healthy: float
    share: float


def outcome(m: Measures) -> tuple[Third, ...]:
    """Affected against healthy side in each third. Empty where no side is affected, the given one is contradicted by
    what was measured, or no smile was. Published shares of treated patients (74.8, 46.6 and 54.1 %, Gibelli 2020) are
    of healthy *subjects'* movement, not of the patient's own healthy side, and don't belong beside these."""
    if m.affected_side not in SIDES or m.contradiction:
        return ()
    rows = {(r.measure, r.expression, r.region, r.side): r.value for r in m.rows if r.measure in DISTANCES}
    out = []
    for name, expression, third, side in rows:
        if side != m.affected_side:
            continue
        treated = rows[name, expression, third, side]
        healthy = rows[name, expression, third, other_side(side)]
        share = treated / healthy if healthy > 0 else math.nan
        out.append(Third(expression, third, name, treated, healthy, share))
    return tuple(out)


def outcome_table(rows: tuple[Third, ...]) -> pd.DataFrame:
    """The same as a table."""
    import pandas as pd

    return pd.DataFrame([vars(r) for r in rows], columns=list(Third.__dataclass_fields__))
