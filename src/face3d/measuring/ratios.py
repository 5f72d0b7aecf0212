"""What the affected side does of a single excursion, as a share of the healthy side.

Lengths never fall to 0: two scans of a still mouth corner lie half a millimetre apart, and the healthy side drags it.
So a path counts along the healthy side's mirrored path, without what is passive in it (`measuring.shares`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from face3d.landmarks import SIDES, other_side
from face3d.measuring.definitions import LEAST_FOR_RATIO, Measure, row
from face3d.measuring.readings import half_lip, weighted_vector
from face3d.measuring.shares import EXACT, PASSIVE, Floor, closing_sd, passive_patterns, path_share, worked
from face3d.measuring.sides import Pair, paired
from face3d.scan import Floats
from face3d.template.anatomy import Anatomy
from face3d.template.movement import Movement

#: measures of a side whose ratio is reported, and the expressions in which it means something
RATIOS: Mapping[str, tuple[str, ...]] = {
    "brow_raise": ("brow_raise",),
    "closure": ("gentle_eye_closure", "tight_eye_closure"),
    "commissure_excursion": ("closed_smile", "open_smile"),
    "nasolabial_displacement": ("open_smile", "snarl"),
    "alar_lift": ("snarl",),
    "lip_depression": ("lower_lip_depression",),
    "pucker": ("lip_pucker",),
}
#: A healthy eye closes. One whose muscle is seen to close less than this share of what it could did not close, or a fit
#: lost its lid: a share of it would be any number (3 and more were seen).
LEAST_WORK = 0.5
#: Why nothing is said of a side by the other.
BILATERAL = "both sides are affected: there is no healthy one to compare with; see what each side does by itself"
UNSEEN = "a side was not seen in the scan"
_UP, _DOWN, _IN = np.array([[0.0, 1.0, 0.0]]), np.array([[0.0, -1.0, 0.0]]), np.array([[-1.0, 0.0, 0.0]])


@dataclass(frozen=True)
class _Path:
    """Where an excursion is read: a landmark (None: a half of the lower lip), the directions (k, 3), on the left, that
    count, and the functional region whose passive movement the place shares."""

    mark: str | None
    along: Floats
    region: str


_PATHS: Mapping[str, _Path] = {
    "brow_raise": _Path("sci", _UP, "brow"),
    "commissure_excursion": _Path("ch", np.eye(3), "mouth"),
    "alar_lift": _Path("al", _UP, "midface"),
    "lip_depression": _Path(None, _DOWN, "lower_lip"),
    "pucker": _Path("ch", _IN, "mouth"),
}


@dataclass(frozen=True)
class Ratio:
    """A share, its standard deviation, and why it is NaN."""

    value: float
    sd: float = math.nan
    why: str = ""


#: (measure, expression, affected side or "none") -> ratio
Ratios = Mapping[tuple[str, str, str], Ratio]


def excursion_ratios(
    movements: Mapping[str, Movement],
    shifts: Mapping[str, Mapping[str, Floats]],
    anatomy: Anatomy,
    pairs: Mapping[tuple[str, str], Pair],
    floors: Mapping[str, Floor],
) -> dict[tuple[str, str, str], Ratio]:
    """All but closure's. `shifts` expression -> landmark -> (3,) mm how it moved, `pairs` of the functional regions."""
    out = {}
    for name, expressions in RATIOS.items():
        for e in (e for e in expressions if e in movements and name != "closure"):
            if name == "nasolabial_displacement":
                fold = paired(anatomy, movements[e].displacement, "nasolabial", floors.get("nasolabial", EXACT))
                out |= {(name, e, side): _of_region(fold, side) for side in (*SIDES, "none")}
                continue
            path = _PATHS[name]
            ways = _ways(path, movements[e], shifts[e], anatomy)
            floor = floors.get(path.mark or path.region, EXACT)
            patterns = path.along @ _patterns_at(path, anatomy).T if path.region in PASSIVE else None
            for side in (*SIDES, "none"):
                pair = pairs.get((e, path.region))
                dragged = np.zeros(len(path.along))
                if side in SIDES and pair is not None and patterns is not None:
                    dragged = patterns @ np.nan_to_num(pair.share(side).passive)
                out[name, e, side] = _of_path(ways, dragged, side, floor)
    return out


def _of_region(pair: Pair | None, side: str) -> Ratio:
    if pair is None:
        return Ratio(math.nan, why=UNSEEN)
    if side == "none":
        return _smaller(*pair.amplitudes())
    share = pair.share(side)
    why = "" if math.isfinite(share.value) else _too_little(pair.rms(other_side(side)), LEAST_FOR_RATIO)
    return Ratio(share.value, share.sd, why)


def _ways(path: _Path, moved: Movement, shift: Mapping[str, Floats], anatomy: Anatomy) -> dict[str, Floats]:
    """side -> (k,) mm: its path along the directions that count, as on the left."""
    out = {}
    for side, mirror in (("left", 1.0), ("right", -1.0)):
        if path.mark is None:
            weight = half_lip(anatomy, side)
            way = weighted_vector(moved.displacement, weight)
        else:
            way = shift[f"{path.mark}_{side}"]
        out[side] = path.along @ (way * [mirror, 1.0, 1.0])
    return out


def _patterns_at(path: _Path, anatomy: Anatomy) -> Floats:
    """(K, 3): the passive patterns of the path's region where it is read."""
    if path.mark is not None:
        place = anatomy.landmark_points(anatomy.vertices)[f"{path.mark}_left"]
        return passive_patterns(anatomy, path.region, place[None])[:, 0]
    weight = half_lip(anatomy, "left")
    there = weight > 0
    return np.einsum("n,kni->ki", weight[there], passive_patterns(anatomy, path.region, anatomy.vertices[there])) / (
        weight.sum()
    )


def _of_path(ways: Mapping[str, Floats], dragged: Floats, side: str, floor: Floor) -> Ratio:
    left, right = ways["left"], ways["right"]
    if not np.isfinite(left + right).all():
        return Ratio(math.nan, why=UNSEEN)
    if side == "none":
        common = left + right
        size = max(float(np.linalg.norm(common)), 1e-12)
        return _smaller(float(left @ common) / size, float(right @ common) / size)
    affected, healthy = (left, right) if side == "left" else (right, left)
    length = float(np.linalg.norm(healthy)) if len(healthy) > 1 else float(healthy[0])
    if length < LEAST_FOR_RATIO:
        return Ratio(math.nan, why=_too_little(length, LEAST_FOR_RATIO))
    return Ratio(*path_share(affected, healthy, dragged, floor))


def _smaller(left: float, right: float, least: float = LEAST_FOR_RATIO) -> Ratio:
    smaller, larger = sorted((left, right))
    if not math.isfinite(left + right):
        return Ratio(math.nan, why=UNSEEN)
    return Ratio(smaller / larger) if larger >= least else Ratio(math.nan, why=_too_little(larger, least))


def _too_little(moved: float, least: float) -> str:
    return f"the side divided by shows {moved:.2f}; {least:g} are needed"


def closure_ratio(closures: Mapping[str, float], side: str, error: float) -> Ratio:
    """Of what both sides' muscles close: `closures` side -> share of its fissure, known to `error` each."""
    left, right = (closures[s] for s in SIDES)
    if not math.isfinite(left + right):
        return Ratio(math.nan, why=UNSEEN)
    if side == "none":
        return _smaller(worked(left), worked(right), LEAST_WORK)
    affected, healthy = (left, right) if side == "left" else (right, left)
    if worked(healthy) < LEAST_WORK:
        return Ratio(math.nan, why=_too_little(worked(healthy), LEAST_WORK))
    return Ratio(worked(affected) / worked(healthy), closing_sd(affected, healthy, error))


def ratio_rows(rows: Iterable[Measure], ratios: Ratios, side: str, lid_error: float) -> Iterator[Measure]:
    """Rows of all ratios against `side`; `rows` of each side for itself, `lid_error` mm of how far an eye opens."""
    values = {(r.measure, r.expression, r.side): (r.value, r.region) for r in rows}
    for name, expressions in RATIOS.items():
        for e in (e for e in expressions if (name, e, "left") in values):
            if side == "both":
                found = Ratio(math.nan, why=BILATERAL)
            elif name == "closure":
                openings = [values["fissure_height", "rest", s][0] for s in SIDES]
                error = lid_error / max(min(openings), 1.0) if all(map(math.isfinite, openings)) else math.nan
                found = closure_ratio({s: values[name, e, s][0] for s in SIDES}, side, error)
            else:
                found = ratios[name, e, side]
            one = row(f"{name}_ratio", e, values[name, e, "left"][1], "both", found.value, found.why)
            yield replace(one, uncertainty=found.sd if math.isfinite(found.value) else math.nan)
