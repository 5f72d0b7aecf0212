"""The numbers of one movement, point by point and eye by eye."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from face3d.landmarks import SIDES, code_of
from face3d.scan import Floats
from face3d.sequence.blinks import COMPLETE, LEAST_FOR_RATE_S, LEAST_FPS_FOR_SPEED, Lids
from face3d.sequence.definitions import Reading, reading
from face3d.sequence.filtering import BRIDGED_S, Clock, rate_of_change
from face3d.sequence.segmentation import Segment
from face3d.sequence.timing import PLATEAU, Course, course_of, spectral_arc_length

#: mm: of smaller movements noise decides when they begin; a point's own noise is some 0.2 mm. The same of a side's.
LEAST_FOR_TIMING = 2.0
#: mm that both sides must go for the lag between them to be told. Six tracked recordings of 30 frames a second (seeds
#: 70010 to 70015): where the weaker side goes 2.0, 3.9 and 4.2 mm along its pattern, the lag is off by 0.12, 0.07 and
#: 0.06 s; where 5.0, 5.1 and 5.9, by 0.04, 0.05 and 0.02 s. With noise as tracking's that neither side hands on to
#: the other, 90 % of errors are within 0.11 s of 1 to 2 mm, 0.02 s of 4 and more (eight simulated people).
LEAST_FOR_LAG = 5.0


def movement_readings(
    at: tuple[int, str],
    segment: Segment,
    clock: Clock,
    names: tuple[str, ...],
    away: Floats,
    lids: Lids,
    opening: Mapping[str, float],
    cutoff_hz: float,
) -> Iterator[Reading]:
    """All readings of one movement; `away` (T, M, 3) mm from rest, `opening` side -> mm at rest."""
    unknown = _why_unknown(segment, clock, away)
    inside = slice(segment.start, segment.stop)
    times, courses, sizes = clock.times[inside], {}, {}
    held = (clock.times >= segment.arrived) & (clock.times <= segment.leaves)
    if not held.any():
        held = np.arange(clock.count) == segment.apex
    for name, way in zip(names, np.moveaxis(away, 1, 0), strict=True):
        place, side = code_of(name), _side_of(name)
        median = np.median(way[held], axis=0)
        size = sizes[name] = float(np.linalg.norm(median))
        part, speed = way[inside], np.linalg.norm(rate_of_change(way, clock.fps), axis=1)
        length = np.linalg.norm(part, axis=1)
        yield reading(at, "excursion", place, side, size, cutoff_hz, unknown)
        yield reading(at, "peak", place, side, float(length.max()), cutoff_hz, unknown)
        yield reading(at, "range", place, side, _extent(part), cutoff_hz, unknown)
        course, why = courses.setdefault(name, _own_course(times, part, median, size)), unknown
        if size < LEAST_FOR_TIMING:
            course, why = _NOTHING, f"moved {size:.1f} mm; timing needs {LEAST_FOR_TIMING:g} mm"
            courses[name] = _NOTHING
        yield from _timed(at, place, side, course, way, speed, clock, cutoff_hz, why)
    for name in names:
        code = code_of(name)
        if name.endswith("_left") and f"{code}_right" in courses:
            left, right = courses[name], courses[f"{code}_right"]
            short = f"a side moved less than {LEAST_FOR_LAG:g} mm, or its begin was not recorded"
            far = min(sizes[name], sizes[f"{code}_right"]) >= LEAST_FOR_LAG
            begin, arrived = left.begin - right.begin, left.arrived - right.arrived
            yield reading(at, "onset_lag", code, "both", begin if far else math.nan, cutoff_hz, short)
            yield reading(at, "arrival_lag", code, "both", arrived if far else math.nan, cutoff_hz, short)
    yield from _of_sides(at, segment, cutoff_hz)
    for side in SIDES:
        kept = lids.without_blinks[side][held]
        height = float(np.median(kept))
        why = lids.reason.get(side, "lids were not seen while it was held")
        yield reading(at, "fissure_height", "eye", side, height, lids.cutoff_hz, why)
        share = 1 - height / opening[side] if opening[side] > 0 else math.nan
        yield reading(at, "closure", "eye", side, share, lids.cutoff_hz, why)


_NOTHING = Course(*[math.nan] * 5)


def _own_course(times: Floats, part: Floats, median: Floats, size: float) -> Course:
    """A point's own borders, along its way to the apex."""
    return course_of(times, part @ (median / size)) if size > 0 else _NOTHING


def _timed(
    at: tuple[int, str],
    place: str,
    side: str,
    course: Course,
    way: Floats,
    speed: Floats,
    clock: Clock,
    cutoff_hz: float,
    why: str,
) -> Iterator[Reading]:
    """What needs to know when a point's own movement begins and ends."""
    out, back = _frames(clock, course.begin, course.arrived), _frames(clock, course.leaves, course.end)
    path = fastest = returning = at_fastest = smoothness = math.nan
    if out is not None:
        path = float(np.linalg.norm(np.diff(way[out], axis=0), axis=1).sum())
        fastest = float(speed[out].max())
        if math.isfinite(fastest):
            at_fastest = float(clock.times[out][int(speed[out].argmax())]) - course.begin
        smoothness = spectral_arc_length(speed[out], clock.fps)
    if back is not None:
        returning = float(speed[back].max())
    why = why or "its begin or its end was not recorded"
    yield reading(at, "path", place, side, path, cutoff_hz, why)
    yield reading(at, "peak_velocity", place, side, fastest, cutoff_hz, why)
    yield reading(at, "return_velocity", place, side, returning, cutoff_hz, why)
    yield reading(at, "time_to_peak", place, side, course.arrived - course.begin, cutoff_hz, why)
    yield reading(at, "time_to_peak_velocity", place, side, at_fastest, cutoff_hz, why)
    yield reading(at, "smoothness", place, side, smoothness, cutoff_hz, why)


def _frames(clock: Clock, begin: float, end: float) -> slice | None:
    """Frames from `begin` to `end` seconds; None where one is not known."""
    if not begin < end:
        return None
    first = max(math.floor((begin - clock.start) * clock.fps), 0)
    return slice(first, min(math.ceil((end - clock.start) * clock.fps) + 1, clock.count))


def _of_sides(at: tuple[int, str], segment: Segment, cutoff_hz: float) -> Iterator[Reading]:
    """The timing of each side's movement as a whole, along its own pattern."""
    for side, c in segment.sides.items():
        enough = c.size >= LEAST_FOR_TIMING
        why = "" if enough else f"moved {c.size:.1f} mm; timing needs {LEAST_FOR_TIMING:g} mm"
        for name, value in (
            ("time_to_peak", c.arrived - c.begin),
            ("hold", c.leaves - c.arrived),
            ("release", c.end - c.leaves),
        ):
            yield reading(at, name, "face", side, value if enough else math.nan, cutoff_hz, why)
    left, right = segment.sides["left"], segment.sides["right"]
    both = min(left.size, right.size) >= LEAST_FOR_LAG
    why = "" if both else f"a side moved less than {LEAST_FOR_LAG:g} mm"
    for name, value in (("onset_lag", left.begin - right.begin), ("arrival_lag", left.arrived - right.arrived)):
        yield reading(at, name, "face", "both", value if both else math.nan, cutoff_hz, why)


def _why_unknown(segment: Segment, clock: Clock, away: Floats) -> str:
    """Why numbers of a movement may be unknown: where in it nothing was recorded."""
    gone = ~np.isfinite(away[segment.start : segment.stop]).any(axis=(1, 2))
    if not gone.any():
        return "not seen in all of its frames"
    times = clock.times[segment.start : segment.stop][gone]
    return f"frames lost from {times[0]:.2f} to {times[-1]:.2f} s; gaps of up to {BRIDGED_S:g} s are bridged"


def _side_of(name: str) -> str:
    return next((s for s in SIDES if name.endswith(f"_{s}")), "both")


def _extent(way: Floats) -> float:
    """Greatest less least along the principal direction of a way (n, 3); NaN where a part is unknown."""
    if not np.isfinite(way).all() or len(way) < 2:
        return math.nan
    centered = way - way.mean(axis=0)
    along = centered @ np.linalg.eigh(centered.T @ centered)[1][:, -1]
    return float(np.ptp(along))


def blink_readings(lids: Lids) -> Iterator[Reading]:
    """Of the whole recording: how often each eye blinks, how completely, how fast."""
    at = (0, "")
    for side in SIDES:
        own = lids.of(side)
        why = lids.reason.get(side, f"no blink in {lids.watched_s[side]:.0f} s")
        slow = f"needs {LEAST_FPS_FOR_SPEED:g} frames a second, or no blink"
        short = f"the eye was open for {lids.watched_s[side]:.0f} s; a rate needs {LEAST_FOR_RATE_S:g} s"
        complete = np.array([b.completeness[side] for b in lids.blinks if math.isfinite(b.completeness[side])])
        speed = [b.speed_mm_s[side] for b in own if math.isfinite(b.speed_mm_s[side])]
        hz = lids.cutoff_hz
        yield reading(at, "blink_rate", "eye", side, lids.per_minute(side), hz, lids.reason.get(side, short))
        yield reading(at, "blink_completeness", "eye", side, _mean(complete), hz, why)
        yield reading(at, "blinks_complete", "eye", side, _mean(complete >= COMPLETE), hz, why)
        yield reading(at, "blink_speed", "eye", side, _mean(speed), hz, lids.reason.get(side, slow))


def _mean(values: object) -> float:
    found = np.asarray(values, np.float64)
    return float(found.mean()) if len(found) else math.nan


__all__ = ["PLATEAU", "blink_readings", "movement_readings"]
