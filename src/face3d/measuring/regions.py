"""Where on the face a number belongs: facial subunits and two definitions of facial thirds, and their statistics.

Regions are drawn once, on an average face, and carried to a scan by the smooth warp of its landmarks: each side's
regions follow that side's own landmarks, a dropped mouth corner takes its region along. A region is a weight per
vertex, so that regions found another way (through a template in correspondence) use the same statistics.

Definitions of thirds are not interchangeable (Cappella 2024), so each row of a table names its own:
- `trigeminal third`, after Codari 2017: the territories of the trigeminal branches. Upper (V1): above the line
  tragion - exocanthion - endocanthion - nasion; lower (V3): below tragion - cheilion - stomion; middle (V2): between.
- `horizontal third`, the orthodontic one: horizontal planes of the head frame through glabella and subnasale.
- `subunit`: the regions that clinicians grade, after the aesthetic units.
- `face`: hairline to chin, ear to ear without the ears and the underside of the chin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from face3d.landmarking.pose import average_landmarks
from face3d.landmarks import opposite_name
from face3d.scan import Floats
from face3d.values import Value, locked

if TYPE_CHECKING:
    import pandas as pd

Bools = NDArray[np.bool_]

#: mm: the cylinder on which the average face is unrolled for drawing; its axis stands this far behind the eyes.
_RADIUS = 70.0

#: Outlines on the unrolled left half of the average face: (mm outwards along the cylinder, mm up from the eyes).
#: Where outlines overlap the first one wins.
_SUBUNITS: Mapping[str, Sequence[tuple[float, float]]] = {
    "commissure": [(21.4 + 8 * np.cos(t), -69 + 8 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 16, endpoint=False)],
    "brow": [(7, 20), (20, 26), (33, 28), (44, 25), (55, 18), (54, 10), (44, 16), (33, 17), (20, 14), (9, 9)],
    "upper_lid": [
        (15.7, 0),
        (30, 0.5),
        (43.3, 0.5),
        (52, 1),
        (54, 10),
        (44, 16),
        (33, 17),
        (20, 14),
        (9, 9),
        (11, 2),
    ],
    "lower_lid": [(15.7, 0), (30, 0.5), (43.3, 0.5), (52, 1), (50, -10), (40, -18), (26, -19), (16, -14), (11.5, -6)],
    "nose": [
        (-9, 9),
        (9, 9),
        (11, 2),
        (15.7, 0),
        (11.5, -6),
        (13, -14),
        (15.5, -22),
        (19, -30),
        (19, -39),
        (13, -43),
        (6, -45),
        (-9, -45.5),
    ],
    "upper_lip": [(-9, -45.5), (6, -45), (13, -43), (19, -39), (24, -50), (27, -61), (25, -69), (-9, -68)],
    "lower_lip": [(-9, -68), (25, -69), (24, -77), (18, -86), (-9, -88)],
    "nasolabial": [
        (15.5, -22),
        (25, -30),
        (34, -44),
        (39, -58),
        (39, -72),
        (32, -79),
        (25, -69),
        (27, -61),
        (24, -50),
        (19, -39),
        (19, -30),
    ],
    "chin": [(-9, -88), (18, -86), (24, -77), (32, -79), (32, -98), (27, -117), (-9, -117)],
    "forehead": [(-9, 5), (112, 5), (100, 35), (70, 62), (40, 72), (-9, 74)],
    "cheek": [(-9, 5), (112, 5), (112, -20), (104, -70), (80, -97), (45, -116), (-9, -117)],
}
SUBUNITS: tuple[str, ...] = tuple(sorted(_SUBUNITS))
#: On the same drawing, from the midline outwards: nasion, endocanthion, exocanthion, tragion, and
#: stomion, cheilion, tragion.
_UPPER_LINE = ((0, 3), (15.7, 0), (43.3, 0.5), (129, -20))
_LOWER_LINE = ((0, -68), (21.4, -69), (129, -20))
_THIRDS = ("upper third", "middle third", "lower third")

#: Landmarks further than this (mm) from the average face's are errors, not expression: they don't bend the drawing.
_TOO_FAR = 25.0


@dataclass(frozen=True, eq=False, repr=False)
class Region(Value):
    """`name` on `side` ("left", "right", "both") by `definition`; `weight` (V,) 0..1, a share of each vertex."""

    name: str
    side: str
    definition: str
    weight: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", locked(self.weight, np.asarray(self.weight).dtype))


def landmark_regions(vertices: Floats, landmarks: Mapping[str, ArrayLike]) -> list[Region]:
    """All regions of a scan: `vertices` (V, 3) and `landmarks`, both in the canonical head frame, mm."""
    marks = completed(landmarks)
    drawn = _on_average_face(vertices, marks)
    left = drawn[:, 0] >= 0
    outward = np.arctan2(np.abs(drawn[:, 0]), drawn[:, 2] + _RADIUS) * _RADIUS
    spot = np.column_stack([outward, drawn[:, 1]])
    label = np.full(len(vertices), -1, np.int8)
    for number, outline in enumerate(_SUBUNITS.values()):
        free = np.flatnonzero(label < 0)
        label[free[_inside(spot[free], outline)]] = number
    face = label >= 0
    regions = [Region("face", "both", "face", face)]
    regions += [Region("face", side, "face", face & half) for side, half in (("left", left), ("right", ~left))]
    for number, name in enumerate(_SUBUNITS):
        for side, half in (("left", left), ("right", ~left)):
            regions.append(Region(name, side, "subunit", (label == number) & half))
    below_upper = drawn[:, 1] < _height(_UPPER_LINE, outward)
    below_lower = drawn[:, 1] < _height(_LOWER_LINE, outward)
    regions += _thirds("trigeminal third", below_upper, below_lower, face, left)
    below_g, below_sn = vertices[:, 1] < marks["g"][1], vertices[:, 1] < marks["sn"][1]
    return regions + _thirds("horizontal third", below_g, below_sn, face, left)


def completed(landmarks: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    """Every landmark of the scheme in the canonical frame, mm: given ones kept, missing ones from the other side's
    mirror image, or else from the average face in this face's size."""
    average = average_landmarks()
    given = {k: np.asarray(v, np.float64) for k, v in landmarks.items() if k in average}
    size = 1.0
    if given:
        here, there = np.array(list(given.values())), np.array([average[k] for k in given])
        size = float(np.clip((here * there).sum() / (there**2).sum(), 0.6, 1.4))
    marks = {}
    for name, usual in average.items():
        other = opposite_name(name)
        if name in given and np.linalg.norm(given[name] - size * usual) < _TOO_FAR:
            marks[name] = given[name]
        elif other != name and other in given and np.linalg.norm(given[other] - size * average[other]) < _TOO_FAR:
            marks[name] = given[other] * (-1.0, 1.0, 1.0)
        else:
            marks[name] = size * usual
    return marks


def _on_average_face(vertices: Floats, marks: Mapping[str, Floats]) -> Floats:
    """Thin-plate warp that takes the scan's landmarks to the average face's."""
    from scipy.interpolate import RBFInterpolator

    average = average_landmarks()
    names = sorted(average)
    warp = RBFInterpolator(
        np.array([marks[k] for k in names]),
        np.array([average[k] for k in names]),
        kernel="linear",  # in 3D the biharmonic spline; a little smoothing, since landmarks err by a millimetre or two
        smoothing=1.0,
        degree=1,
    )
    # Far outside the landmarks a warp means nothing: clothing stays where an affine map puts it, outside all outlines.
    return warp(np.asarray(vertices, np.float64))


def _height(line: Sequence[tuple[float, float]], outward: Floats) -> Floats:
    across, up = np.asarray(line, np.float64).T
    return np.interp(outward, across, up)


def _thirds(definition: str, below_upper: Bools, below_lower: Bools, face: Bools, left: Bools) -> list[Region]:
    parts = (~below_upper, below_upper & ~below_lower, below_upper & below_lower)
    return [
        Region(name, side, definition, part & face & half)
        for name, part in zip(_THIRDS, parts, strict=True)
        for side, half in (("both", np.ones_like(left)), ("left", left), ("right", ~left))
    ]


def _inside(points: Floats, outline: Sequence[tuple[float, float]]) -> np.ndarray:
    """Even-odd rule, points (N, 2) against one closed outline."""
    corners = np.asarray(outline, np.float64)
    inside = np.asarray(((points >= corners.min(axis=0)) & (points <= corners.max(axis=0))).all(axis=1))
    if not inside.all():  # most points are far from most outlines
        inside[inside] = _inside(points[inside], outline)
        return inside
    x, y = np.ascontiguousarray(points.T)
    inside = np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


@dataclass(frozen=True)
class Statistics:
    """Area-weighted statistics of a distance over a region, mm; all NaN where nothing was measured.

    `coverage` 0..1: measured share of the region's area, counted against the larger of the two sides, so that a half
    that was not scanned does not count as covered. `area_mm2`: the measured area.
    """

    mean: float
    rms: float
    p95: float
    max: float
    coverage: float
    area_mm2: float


def statistics(values: Floats, area: Floats, weight: np.ndarray, whole_area: float | None = None) -> Statistics:
    """`values` (V,) mm, NaN where not measured; `area` (V,) mm2; `weight` (V,) 0..1; `whole_area` mm2: the area that
    full coverage would have, by default the region's own."""
    share = np.where(np.isfinite(values), area * weight, 0.0)
    measured, whole = float(share.sum()), float((area * weight).sum()) if whole_area is None else whole_area
    if measured <= 0:
        return Statistics(np.nan, np.nan, np.nan, np.nan, 0.0, 0.0)
    used = np.flatnonzero(share)
    v, w = np.abs(values[used]), share[used] / measured
    order = np.argsort(v, kind="stable")
    middle = np.cumsum(w[order]) - 0.5 * w[order]
    p95 = float(np.interp(0.95, middle, v[order]))
    return Statistics(float(w @ v), float(np.sqrt(w @ v**2)), p95, float(v.max()), min(1.0, measured / whole), measured)


def region_table(
    values: Floats,
    area: Floats,
    regions: Iterable[Region],
    distance: str,
    at_rest: bool = True,
    sd: Floats | None = None,
) -> pd.DataFrame:
    """One row a region: region, side, definition, distance, mean, rms, p95, max (mm), coverage, uncertainty (mm),
    reference_range, reference_mean, reference_sd (mm), reference (method, population, source), z.

    `values` (V,) mm of the `distance` so named, NaN where not measured; `area` (V,) mm2; `sd` (V,) mm what the values
    are uncertain by. A region's uncertainty is the mean of it: skin slides as a whole, so it does not average out; NaN
    where it is not known. Reference range and z-score belong to the region's RMS and stay empty and NaN where no
    published norm matches definition and distance, or the face is not `at_rest` as the norms' are.
    """
    import pandas as pd

    from face3d.reference.norms import surface_norm

    regions = list(regions)
    areas = {(r.name, r.side, r.definition): float((area * r.weight).sum()) for r in regions}
    rows = []
    for r in regions:
        own = areas[r.name, r.side, r.definition]
        sides = [areas.get((r.name, side, r.definition), 0.0) for side in ("left", "right")]
        whole = max(own, max(sides) * (2.0 if r.side == "both" else 1.0))
        s = statistics(values, area, r.weight, whole)
        norm = surface_norm(r.name, r.side, r.definition, distance) if at_rest else None
        rows.append(
            {
                "region": r.name,
                "side": r.side,
                "definition": r.definition,
                "distance": distance,
                "mean": s.mean,
                "rms": s.rms,
                "p95": s.p95,
                "max": s.max,
                "coverage": s.coverage,
                "uncertainty": np.nan if sd is None else statistics(sd, area, r.weight).mean,
                "reference_range": norm.range_text if norm else "",
                "reference_mean": norm.mean if norm else np.nan,
                "reference_sd": norm.sd if norm else np.nan,
                "reference": norm.text if norm else "",
                "z": norm.z(s.rms) if norm else np.nan,
            }
        )
    return pd.DataFrame(rows)
