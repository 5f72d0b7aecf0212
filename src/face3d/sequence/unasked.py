"""Synkinesis in time: what moves elsewhere, locked to the movement that was asked for.

The static measure (`measuring.synkinesis`) sees that a region moved; a recording also shows whether it moved *with* the
movement. A region's own full movement, to which its unasked one is a share, is taken from the same recording, where it
was asked for there. No healthy company is taken off: both sides stand beside each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from face3d.landmarks import SIDES
from face3d.measuring.protocol import ASKED, FULL, LEAST_MOVEMENT
from face3d.scan import Floats
from face3d.sequence.blinks import Lids
from face3d.sequence.definitions import Reading, reading
from face3d.sequence.filtering import Clock
from face3d.sequence.segmentation import Segment

#: s within which a course is compared with that of the movement.
LAG_S = 0.25
#: Points that stand for a functional region, best first.
STANDS_FOR: Mapping[str, tuple[str, ...]] = {
    "brow": ("brow", "sci", "mb"),
    "midface": ("midface", "nasolabial", "al"),
    "mouth": ("mouth", "commissure", "ch"),
    "lower_lip": ("lower_lip",),
    "chin": ("chin",),
}
#: A course that goes less far (mm; an eye's closing as well) is noise: nothing to be locked.
LEAST_FOR_LOCK = 0.7

Done = tuple[tuple[int, str], Segment]


def unasked_readings(
    done: Sequence[Done],
    clock: Clock,
    names: tuple[str, ...],
    away: Floats,
    lids: Lids,
    opening: Mapping[str, float],
    cutoff_hz: float,
) -> Iterator[Reading]:
    """Of every region and side, in each movement that has a name of the protocol and did not ask for the region."""
    index = {n: k for k, n in enumerate(names)}
    full = {}
    for at, segment in done:
        for region in (*STANDS_FOR, "eye"):
            if at[1] in FULL[region] and (region, "left") not in full:
                for side in SIDES:
                    full[region, side] = _vector(region, side, index, away, lids, opening, segment)
    for at, segment in done:
        if at[1] not in ASKED:
            continue
        lead = _lead(segment)
        for region in (*STANDS_FOR, "eye"):
            # Raised brows open the eyes: nothing has regrown there.
            if region in ASKED[at[1]] or (region, at[1]) == ("eye", "brow_raise"):
                continue
            for side in SIDES:
                yield from _one(at, segment, region, side, lead, index, away, lids, opening, full, clock, cutoff_hz)


def _one(
    at: tuple[int, str],
    segment: Segment,
    region: str,
    side: str,
    lead: Floats,
    index: Mapping[str, int],
    away: Floats,
    lids: Lids,
    opening: Mapping[str, float],
    full: Mapping[tuple[str, str], Floats | None],
    clock: Clock,
    cutoff_hz: float,
) -> Iterator[Reading]:
    course = _course(region, side, index, away, lids, opening)
    if course is None:
        return
    # Of both sides' own full movements the greater: a dead side has none, and would make a share of nothing.
    wholes = [w for s in SIDES if (w := full.get((region, s))) is not None]
    sizes = {s: float(np.linalg.norm(w)) for s in SIDES if (w := full.get((region, s))) is not None}
    here = _vector(region, side, index, away, lids, opening, segment)
    if here is None:
        yield reading(at, "unasked", region, side, math.nan, cutoff_hz, "not seen while it was held")
        return
    size = float(np.linalg.norm(here))
    share, why = math.nan, f"its full movement is not in this recording; needs {' or '.join(FULL[region])}"
    if wholes:
        strong = max(sizes, key=lambda s: sizes[s])
        way = full[region, strong]
        assert way is not None
        if sizes[strong] >= LEAST_MOVEMENT:
            if strong != side and len(way) == 3:
                way = way * np.array([-1.0, 1.0, 1.0])
            share = float(here @ way / (way @ way))
        else:
            why = f"its full movement is under {LEAST_MOVEMENT:g} mm"
    yield reading(at, "unasked", region, side, share, cutoff_hz, why)
    yield reading(at, "unasked_movement", region, side, size, cutoff_hz)
    inside = slice(segment.start, segment.stop)
    value = lag = math.nan
    if size >= LEAST_FOR_LOCK:
        value, lag = _locked(lead[inside], (course @ (here / size))[inside], clock.fps)
    why = f"moves {size:.1f} mm; {LEAST_FOR_LOCK:g} mm are needed, in frames without a gap"
    yield reading(at, "locked", region, side, value, cutoff_hz, why)
    yield reading(at, "locked_lag", region, side, lag, cutoff_hz, why)


def _course(
    region: str, side: str, index: Mapping[str, int], away: Floats, lids: Lids, opening: Mapping[str, float]
) -> Floats | None:
    """(T, 3) mm a region's way, (T, 1) of an eye: by how much it is closed, blinks apart; None without a point."""
    if region == "eye":
        return (opening[side] - lids.without_blinks[side])[:, None] if math.isfinite(opening[side]) else None
    point = next((f"{p}_{side}" for p in STANDS_FOR[region] if f"{p}_{side}" in index), None)
    return None if point is None else away[:, index[point]]


def _vector(
    region: str,
    side: str,
    index: Mapping[str, int],
    away: Floats,
    lids: Lids,
    opening: Mapping[str, float],
    segment: Segment,
) -> Floats | None:
    """A region's way while a movement is held; None where it was not seen."""
    course = _course(region, side, index, away, lids, opening)
    if course is None:
        return None
    near = course[max(segment.apex - 2, 0) : segment.apex + 3]
    near = near[np.isfinite(near).all(axis=1)]
    return np.median(near, axis=0) if len(near) else None


def _lead(segment: Segment) -> Floats:
    """(T,) the course of the side that moves more."""
    sizes = {s: c.size if math.isfinite(c.size) else -1.0 for s, c in segment.sides.items()}
    return segment.height[max(sizes, key=lambda s: sizes[s])]


def _locked(lead: Floats, course: Floats, fps: float) -> tuple[float, float]:
    """The greatest correlation of two courses within `LAG_S`, and at which lag, s: + the second follows."""
    best, at = math.nan, math.nan
    reach = round(LAG_S * fps)
    for lag in range(-reach, reach + 1):
        a = lead[max(-lag, 0) : len(lead) - max(lag, 0)]
        b = course[max(lag, 0) : len(course) - max(-lag, 0)]
        if len(a) < reach or not (np.isfinite(a).all() and np.isfinite(b).all()) or a.std() == 0 or b.std() == 0:
            continue
        r = float(np.corrcoef(a, b)[0, 1])
        if not r <= best:
            best, at = r, lag / fps
    return best, at
