"""The movements of one recording, each into onset, apex and offset, with rest between.

Where the face is away from rest by more than noise something is being done; the movement's own pattern over the points
at its height then gives each side a course in time, of far less noise than any point, from which its borders are read.
What lids do counts without blinks. Eyes that are asked to close lead the movement in which they close by more than
anything else goes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from face3d.landmarks import SIDES, code_of
from face3d.scan import Floats
from face3d.sequence.filtering import Clock, stretches
from face3d.sequence.timing import PLATEAU, Course, course_of
from face3d.values import Value

#: mm away from rest that begin a movement: twice what points that are off by 0.2 mm reach (the farthest of 70).
LEAST_MM = 1.0
#: Of the noise in what is seen of rest: SD above its mean that a movement must exceed.
LEAST_SD = 6.0
#: Two movements between which the face comes this near to rest, as a share of the smaller, are two.
VALLEY = 0.3
#: s: what is over sooner is no expression; what pauses for less is one.
SHORTEST_S, PAUSE_S = 0.2, 0.1
#: s: where nothing was recorded for so long between two frames in movement, it is one: nobody comes to rest and begins
#: anew within less (quickest posed expressions release in 0.4 s and take 0.35 s).
HIDDEN_S = 0.6
#: s on either side of a movement in which its borders are looked for.
AROUND_S = 0.7
#: Points that go less far than this share of the farthest tell little of a movement's course.
TELLING = 0.3
#: mm off the midline from which on a point tells when its own side moves.
ASIDE_MM = 15.0
#: A side whose movement is smaller than this share of the other's, or than `LEAST_MM`, has no say in when the whole
#: movement begins and ends.
SAY = 0.25
#: A face is at rest for at least this share of a recording; a template is laid on rest by other means than it is
#: tracked, and some point of it lies up to so many mm off then; noise lets the farthest point vary by so much.
AT_REST, REST_OFF_MM, REST_SPREAD_MM = 0.2, 3.0, 0.5
#: What blinks move, and eyes in expression by the way: lids speak through the opening between them.
LIDS = ("ps", "pi", "en", "ex", "upper_lid", "lower_lid", "eye")

PHASES = ("rest", "onset", "apex", "offset")


@dataclass(frozen=True, eq=False, repr=False)
class Segment(Value):
    """One movement. `start`, `stop` its frames [start, stop), borders included; `begin`, `arrived`, `leaves`, `end` its
    borders in seconds of the recording, NaN where not recorded; `sides` side -> its own `Course`, mm along the
    movement's pattern; `height` side -> (T,) that course; `lead` "skin" or "lids": what moved most; `apex` the frame
    that shows the movement best."""

    start: int
    stop: int
    begin: float
    arrived: float
    leaves: float
    end: float
    sides: Mapping[str, Course]
    height: Mapping[str, Floats]
    lead: str
    apex: int


def segments(
    clock: Clock,
    names: tuple[str, ...],
    rest: Floats,
    away: Floats,
    closing: Mapping[str, Floats],
    lids: Mapping[str, Floats],
    blinking: np.ndarray,
) -> tuple[Segment, ...]:
    """The movements in `away` (T, M, 3) mm, the points' ways from `rest` (M, 3); `closing` side -> (T,) mm by which the
    eye is less open than at rest, blinks apart, `lids` the same of whatever it is timed by; `blinking` (T,) bool.
    Filtered; NaN where unknown."""
    skin = np.array([code_of(n) not in LIDS for n in names])
    length = np.linalg.norm(away[:, skin], axis=2)
    eyes = np.stack([np.abs(closing[s]) for s in SIDES], axis=1)
    activity = _greatest(np.concatenate([length, eyes], axis=1))
    limit = max(LEAST_MM, _quiet(activity))
    # Beside the midline either side is dragged along by the other.
    aside = np.abs(rest[:, 0]) >= ASIDE_MM
    found = []
    active = _split(activity, limit, clock.fps)
    for k, (start, stop) in enumerate(active):
        # Up to the middle of the rest on either side, so that no neighbour's flank is taken for this one's.
        around = round(AROUND_S * clock.fps)
        first = max(start - around, 0 if k == 0 else (active[k - 1][1] + start) // 2)
        last = min(stop + around, clock.count if k + 1 == len(active) else (stop + active[k + 1][0]) // 2)
        frames = (first, start, stop, last)
        found.append(_segment(clock, names, skin, aside, away, closing, lids, blinking, activity, frames))
    return tuple(found)


def quiet(away: Floats, names: tuple[str, ...]) -> np.ndarray:
    """(T,) bool: frames that show rest. `away` (T, M, 3) mm from where rest is thought to be: a fifth of the frames are
    as near to it as can be; if that is near enough, those hardly farther count, and else none."""
    skin = np.array([code_of(n) not in LIDS for n in names])
    activity = _greatest(np.linalg.norm(away[:, skin], axis=2))
    known = activity[np.isfinite(activity)]
    if not len(known) or (near := float(np.quantile(known, AT_REST))) > REST_OFF_MM:
        return np.zeros(len(away), bool)
    return activity <= near + REST_SPREAD_MM


def _greatest(lengths: Floats) -> Floats:
    """(T,) the greatest of what is known in each frame; NaN where nothing is."""
    known = np.isfinite(lengths).any(axis=1)
    out = np.full(len(lengths), np.nan)
    out[known] = np.nanmax(lengths[known], axis=1)
    return out


def _quiet(activity: Floats) -> float:
    """What noise alone may reach: the mean of the quietest fifth of the frames, and `LEAST_SD` of their scatter."""
    known = np.sort(activity[np.isfinite(activity)])
    if not len(known):
        return math.inf
    quiet = known[: max(len(known) // 5, 1)]
    return float(quiet.mean() + LEAST_SD * quiet.std())


def _split(activity: Floats, limit: float, fps: float) -> list[tuple[int, int]]:
    """[start, stop) of each movement: above the limit, pauses bridged, long ones split in their valleys."""
    merged: list[tuple[int, int]] = []
    activity = _over_gaps(activity, round(HIDDEN_S * fps))
    for start, stop in stretches(np.nan_to_num(activity) > limit):
        if merged and start - merged[-1][1] < PAUSE_S * fps:
            merged[-1] = merged[-1][0], stop
        else:
            merged.append((start, stop))
    parts = [part for start, stop in merged for part in _at_valleys(activity, start, stop)]
    return [(a, b) for a, b in parts if b - a >= SHORTEST_S * fps]


def _over_gaps(activity: Floats, longest: int) -> Floats:
    """The same with straight lines over gaps of up to `longest` frames."""
    out, known = activity.copy(), np.flatnonzero(np.isfinite(activity))
    for start, stop in stretches(~np.isfinite(activity)):
        if stop - start <= longest and start > 0 and stop < len(activity):
            out[start:stop] = np.interp(np.arange(start, stop), known, activity[known])
    return out


def _at_valleys(activity: Floats, start: int, stop: int) -> list[tuple[int, int]]:
    """A stretch split where it comes down to `VALLEY` of the lower of the peaks on both sides."""
    part = np.nan_to_num(activity[start:stop])
    before, after = np.maximum.accumulate(part), np.maximum.accumulate(part[::-1])[::-1]
    depth = part / np.maximum(np.minimum(before, after), 1e-9)
    k = int(depth.argmin())
    if depth[k] > VALLEY or k in (0, len(part) - 1):
        return [(start, stop)]
    return [*_at_valleys(activity, start, start + k), *_at_valleys(activity, start + k, stop)]


def _segment(
    clock: Clock,
    names: tuple[str, ...],
    skin: np.ndarray,
    aside: np.ndarray,
    away: Floats,
    closing: Mapping[str, Floats],
    lids: Mapping[str, Floats],
    blinking: np.ndarray,
    activity: Floats,
    frames: tuple[int, int, int, int],
) -> Segment:
    first, start, stop, last = frames
    high = np.flatnonzero(activity[start:stop] >= PLATEAU * np.nanmax(activity[start:stop])) + start
    pattern = _known_median(away[high])
    closed = max(abs(float(np.nan_to_num(_known_median(closing[s][high])))) for s in SIDES)
    size = np.where(skin, np.nan_to_num(np.linalg.norm(pattern, axis=1)), 0.0)
    lead = "lids" if closed > size.max() else "skin"
    times, height, sides = clock.times, {}, {}
    for side in SIDES:
        if lead == "lids":
            height[side] = lids[side]
        else:
            mine = np.array([n.endswith(f"_{side}") for n in names])
            own = size * (mine & aside if (mine & aside).any() else mine)
            used = np.flatnonzero((own >= TELLING * own.max()) & (own > 0))
            height[side] = _along(away[:, used], pattern[used])
        inside = slice(first, last)
        sides[side] = course_of(times[inside], height[side][inside])
    most = max((c.size for c in sides.values() if math.isfinite(c.size)), default=math.nan)
    say = [c for c in sides.values() if c.size >= max(SAY * most, LEAST_MM)] or [
        c for c in sides.values() if c.size == most
    ]
    borders = [_outermost([getattr(c, b) for c in say], pick) for b, pick in _PICKS]
    apex = _apex(times, height, sides, borders, blinking & (lead == "skin"), (start, stop))
    return Segment(first, last, *borders, sides, height, lead, apex)


#: The whole begins with the first side and ends with the last; it has arrived when both have, and leaves with the
#: first.
_PICKS = (("begin", min), ("arrived", max), ("leaves", min), ("end", max))


def _outermost(values: list[float], pick: object) -> float:
    known = [v for v in values if math.isfinite(v)]
    return float(pick(known)) if len(known) == len(values) and known else math.nan  # type: ignore[operator]


def _known_median(values: Floats) -> Floats:
    """Median over the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(values).any(axis=0)
    out = np.full(values.shape[1:], np.nan)
    if values.ndim == 1:
        return np.asarray(np.nanmedian(values) if known else np.nan)
    out[known] = np.nanmedian(values[:, known], axis=0)
    return out


def _along(away: Floats, pattern: Floats) -> Floats:
    """(T,) mm: how far points (T, n, 3) are along a pattern (n, 3), root mean square over the points."""
    if not len(pattern):
        return np.full(len(away), np.nan)
    total = float((pattern**2).sum())
    share = np.einsum("tnk,nk->t", away, pattern) / total
    return share * math.sqrt(total / len(pattern))


def _apex(
    times: Floats,
    height: Mapping[str, Floats],
    sides: Mapping[str, Course],
    borders: list[float],
    blinking: np.ndarray,
    active: tuple[int, int],
) -> int:
    """The frame nearest to the plateau's middle that is known, near full height, and not in a blink."""
    start, stop = active
    strong = max(sides, key=lambda s: -math.inf if math.isnan(sides[s].size) else sides[s].size)
    course = height[strong][start:stop]
    arrived, leaves = borders[1], borders[2]
    if not (arrived < leaves):  # NaN, or no plateau at all
        return start + int(np.nanargmax(course))
    off = np.abs(times[start:stop] - (arrived + leaves) / 2)
    good = np.isfinite(course) & (course >= PLATEAU * sides[strong].size) & ~blinking[start:stop]
    return start + int(np.argmin(np.where(good, off, np.inf))) if good.any() else start + int(np.nanargmax(course))
