"""Rest to smile by facial thirds, treated against healthy side: the outcome table of reanimation studies.

Gibelli, Tarabbia et al. 2020 (doi 10.1016/j.ijom.2019.07.015) superimpose a smile on the face at rest and take the RMS
distance of the surfaces within each third of each side. `surface_rms` is that; it cannot see skin that slides along
the surface, so `movement_rms`, through correspondence, stands beside it. Thirds are trigeminal, as in `face3d.regions`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face3d.landmarks import SIDES
from face3d.measures import Measures
from face3d.movement import Anatomy, Movement
from face3d.norms import Norm, find_norms
from face3d.regions import landmark_regions
from face3d.scan import FaceScan, Floats
from face3d.surface import surface_distance, vertex_areas

if TYPE_CHECKING:
    import pandas as pd

DEFINITION = "trigeminal third"


@dataclass(frozen=True)
class Third:
    """One third of one expression. `treated`, `healthy` RMS in mm; `share` treated / healthy, NaN where unknown."""

    expression: str
    third: str
    distance: str
    treated: float
    healthy: float
    share: float
    published: Norm | None


def thirds(m: Measures, rest: Floats, anatomy: Anatomy, expression: str = "open_smile") -> tuple[Third, ...]:
    """Thirds of one expression; `rest` (N, 3) mm as the measures were taken from. Empty where no side is affected, or
    the expression was not measured."""
    if m.affected_side not in SIDES or expression not in m.movements:
        return ()
    neutral = FaceScan(anatomy.vertices, anatomy.faces)
    regions = {
        (r.name, r.side): np.asarray(r.weight, np.float64)
        for r in landmark_regions(anatomy.vertices, anatomy.landmark_points(anatomy.vertices))
        if r.definition == DEFINITION and r.side in SIDES
    }
    area = vertex_areas(neutral)
    moved = m.movements[expression]
    values = {
        "movement_rms": np.linalg.norm(moved.displacement, axis=1),
        "surface_rms": _surface(moved, rest, anatomy),
    }
    healthy_side = "right" if m.affected_side == "left" else "left"
    out = []
    for distance, value in values.items():
        for name in dict.fromkeys(name for name, _ in regions):
            treated, healthy = (
                _rms(value, area * regions[name, side]) for side in (m.affected_side, healthy_side)
            )  # fmt: skip
            published = None
            if distance == "surface_rms":
                found = find_norms("share_of_healthy_side", expression, name.replace(" ", "_"), kind="outcome")
                published = found[0] if found else None
            out.append(Third(
                expression, name, distance, treated, healthy, treated / healthy if healthy > 0 else math.nan, published
            ))  # fmt: skip
    return tuple(out)


def thirds_table(rows: tuple[Third, ...]) -> pd.DataFrame:
    """The same as a table, published shares of treated patients beside it in per cent."""
    import pandas as pd

    frame = pd.DataFrame([vars(r) for r in rows], columns=list(Third.__dataclass_fields__))
    frame["published"] = [str(r.published) if r.published else "" for r in rows]
    return frame


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
    filled = np.where(whole[:, None], rest, 0.0)
    surface = FaceScan(filled, anatomy.faces[whole[anatomy.faces].all(axis=1)])
    out[seen] = surface_distance(there[seen], surface).distance_mm
    return out
