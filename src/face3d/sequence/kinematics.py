"""Movement in time: how far, how fast, how late, which side, what moved along unasked, and how the eyes blink.

Everything is read off points by name over time (`points.PointsOverTime`): those of a tracked template, or markers. Each
side is measured for itself. Distances are from where a point is at rest in this very recording. Positions go through a
zero-phase low-pass filter whose cut-off stands with each number (`filtering`). Acceleration is left out: see
docs/validation.md for how badly it repeats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face3d.io.markers import Markers
from face3d.landmarks import SIDES, code_of
from face3d.scan import Floats
from face3d.sequence.blinks import Lids, bridged, lids_of
from face3d.sequence.definitions import Reading
from face3d.sequence.filtering import BRIDGED_S, MOVEMENT_HZ, Clock, clock_of, cutoff, laid_on, smoothed, stretches
from face3d.sequence.markers import in_head
from face3d.sequence.points import PointsOverTime, trajectories_of
from face3d.sequence.readings import blink_readings, movement_readings
from face3d.sequence.repeats import fatigue_readings
from face3d.sequence.segmentation import LIDS, REST_OFF_MM, Segment, quiet, segments
from face3d.sequence.stored import Stored
from face3d.sequence.symmetry import part_readings, parts_over_time
from face3d.sequence.tracked import Tracked
from face3d.sequence.unasked import unasked_readings
from face3d.values import Value

if TYPE_CHECKING:
    import pandas as pd

#: (N, 3) the template at rest, (K, N, 3) at each movement's apex -> what each shows, and how probably.
Naming = Callable[[Floats, Floats], Sequence[tuple[str, float]]]
#: s of a recording's begin that are taken for rest where nobody says where rest is.
FIRST_S = 0.25
#: s: a lid is down in 0.1 s; longer gaps in what it does hide blinks.
LIDS_BRIDGED_S = 0.035
#: s on either side of a blink that the movement's filter spreads it to.
FOOT_S = 0.06
#: Frames on either side of an apex whose median stands for it when it is named.
AROUND_APEX = 3


@dataclass(frozen=True, eq=False, repr=False)
class MovedOnce(Value):
    """One movement of a recording. `number` from 1; `expression` what it is called, empty where nobody said;
    `probability` that it is; `segment` its phases; `apex_frame` the recording's frame that shows it best."""

    number: int
    expression: str
    probability: float
    segment: Segment
    apex_frame: int

    @property
    def at(self) -> tuple[int, str]:
        """Number and expression."""
        return self.number, self.expression

    @property
    def size(self) -> float:
        """mm: the greater side's movement; -1 where neither is known."""
        return float(np.nanmax([-1.0, *(c.size for c in self.segment.sides.values())]))


@dataclass(frozen=True, eq=False, repr=False)
class Kinematics(Value):
    """What a recording says about movement in time. T instants of an even clock, M points.

    `times_s` (T,), `fps`; `names` M points, `away_mm` (T, M, 3) their ways from rest, filtered at `cutoff_hz`, NaN
    where unknown; `movements` in order; `lids` the eyes' openings and blinks; `symmetric_mm`, `asymmetric_mm` region ->
    (T,) RMS of what both sides share and of what differs; `readings` all numbers; `lost` (T,) bool nothing was
    recorded; `notes` what a reader should know.
    """

    name: str
    times_s: Floats
    fps: float
    names: tuple[str, ...]
    away_mm: Floats
    cutoff_hz: float
    movements: tuple[MovedOnce, ...]
    lids: Lids
    symmetric_mm: Mapping[str, Floats]
    asymmetric_mm: Mapping[str, Floats]
    readings: tuple[Reading, ...]
    lost: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """One row a number: movement, expression, measure, place, side, value, unit, cutoff_hz, status, source."""
        import pandas as pd

        return pd.DataFrame([vars(r) for r in self.readings], columns=list(Reading.__dataclass_fields__))

    @property
    def frames(self) -> pd.DataFrame:
        """One row an instant: time_s, lost, movement (0: none), phase, then by name, side and measure: `_mm` distance
        from rest, `_mm_s` speed, of eyes opening, aspect ratio and blinks, of regions both parts."""
        from face3d.sequence.tables import frame_table

        parts = {"symmetric": self.symmetric_mm, "asymmetric": self.asymmetric_mm}
        done = [(m.number, m.segment) for m in self.movements]
        return frame_table(self.times_s, self.fps, self.lost, self.names, self.away_mm, done, self.lids, parts)

    @property
    def blinks(self) -> pd.DataFrame:
        """One row a blink and side: time_s, side, completeness, speed_mm_s, counted (deep enough for that side)."""
        from face3d.sequence.tables import blink_table

        return blink_table(self.lids)

    def value(self, measure: str, place: str, side: str = "both", movement: int | str = 1) -> float:
        """One number; `movement` its number or the expression it is called (its first). Raises KeyError if there is no
        such row."""
        for r in self.readings:
            if (r.measure, r.place, r.side) == (measure, place, side) and movement in (r.movement, r.expression):
                return r.value
        raise KeyError(f"{measure}, {place}, {side}, {movement}")

    def point(self, name: str) -> Floats:
        """(T, 3) mm a point's way from rest."""
        return self.away_mm[:, self.names.index(name)]


def kinematics(
    recording: Tracked | Stored | Markers | PointsOverTime,
    expression: str | None = None,
    naming: Naming | None = None,
) -> Kinematics:
    """What a recording says about movement in time.

    `expression`: all that is recorded is this one, once or repeatedly. `naming`: else, names the movements of a tracked
    recording by their apexes. Markers are taken to the head frame first (`markers.in_head`). Raises `ScanError` when
    time does not run forward or there are too few frames, `LandmarkError` where markers tell no head frame.
    """
    said: Sequence[str] = getattr(recording, "notes", ())
    if isinstance(recording, Markers):
        recording = in_head(recording)
    seen = _points_of(recording)
    said = said or getattr(seen, "notes", ())
    clock, even = clock_of(seen.times_s, seen.name)
    raw = laid_on(clock, seen.times_s, seen.points)
    hz = cutoff(MOVEMENT_HZ, clock.fps)
    lost = np.asarray(~np.isfinite(laid_on(clock, seen.times_s, seen.points, 0.0)).any(axis=(1, 2)))
    notes = [*said, *_notes(seen, clock, even, raw, lost)]
    smooth = smoothed(raw, clock.fps, hz)
    rest = _first_rest(seen, smooth, clock)
    index = {n: k for k, n in enumerate(seen.names)}
    lids = lids_of(clock, *_eyes(clock, seen, index, rest))
    names = tuple(seen.names)
    # Rest as known from elsewhere is off by what tracking is off by there: this recording's own rest is found from it,
    # and once more between the movements that it shows.
    still = quiet(smooth - rest, names)
    found, opening = (), {}
    for _ in range(2):
        if still.sum() < FIRST_S * clock.fps:
            break
        own = _median(smooth[still])
        rest = np.where(np.isfinite(own), own, rest)
        found, opening = _found(clock, names, smooth, rest, lids, hz, still)
        still = quiet(smooth - rest, names) & _between(found, clock.count)
    if not opening:
        found, opening = _found(clock, names, smooth, rest, lids, hz, np.ones(clock.count, bool))
        notes.append("the face is hardly ever at rest in it: ways are from rest as given")
    away = smooth - rest
    notes += _unlike_rest(away[:, [code_of(n) not in LIDS for n in names]], clock)
    movements = _named(recording, seen, clock, found, expression, naming)
    symmetric, asymmetric = parts_over_time(names, away)
    readings = [r for m in movements for r in movement_readings(m.at, m.segment, clock, names, away, lids, opening, hz)]
    readings += [r for m in movements for r in part_readings(m.at, m.segment.apex, symmetric, asymmetric, hz)]
    readings += unasked_readings([(m.at, m.segment) for m in movements], clock, names, away, lids, opening, hz)
    readings += blink_readings(lids)
    readings += fatigue_readings(readings)
    if not movements:
        notes.append("no movement was found: nothing goes farther from rest than noise and 1 mm")
    return Kinematics(
        seen.name,
        clock.times,
        clock.fps,
        names,
        away,
        hz,
        tuple(movements),
        lids,
        symmetric,
        asymmetric,
        tuple(readings),
        lost,
        tuple(notes),
    )


def _points_of(recording: Tracked | Stored | PointsOverTime) -> PointsOverTime:
    if isinstance(recording, Tracked):
        return trajectories_of(recording)
    return recording.points if isinstance(recording, Stored) else recording


def _notes(seen: PointsOverTime, clock: Clock, even: bool, raw: Floats, lost: np.ndarray) -> Sequence[str]:
    """What a reader should know of the frames."""
    said = []
    if not even:
        said.append(f"its frames came unevenly: laid on an even clock of {clock.fps:.4g} frames a second")
    gaps = stretches(lost)
    long = [(a, b) for a, b in gaps if not np.isfinite(raw[a:b]).any()]
    if gaps:
        bridged = len(gaps) - len(long)
        said.append(
            f"{int(lost.sum())} of {clock.count} frames are lost; {bridged} gaps of up to {BRIDGED_S:g} s are bridged"
            + (f", {len(long)} longer ones are not" if long else "")
        )
    reasons = getattr(seen, "lost", None) or {}
    for reason in dict.fromkeys(reasons.values()):
        frames = [k for k, r in reasons.items() if r == reason]
        said.append(f"lost ({len(frames)} frames from {min(frames)} on): {reason}")
    return said


def _unlike_rest(away: Floats, clock: Clock) -> Iterator[str]:
    """Says where a recording begins or ends away from rest: it was cut in a movement, or its rest is none. `away`
    without what blinks move."""
    seen = np.flatnonzero(np.isfinite(away).any(axis=(1, 2)))
    count = max(round(FIRST_S * clock.fps), 1)
    ways = {"begins": _median(away[seen[:count]]), "ends": _median(away[seen[-count:]])}
    far = {does: float(np.nanmax(np.r_[0.0, np.linalg.norm(way, axis=1)])) for does, way in ways.items()}
    off = " and ".join(f"{does} {mm:.1f} mm" for does, mm in far.items() if mm > REST_OFF_MM)
    if off:
        yield (
            f"it {off} from rest (the farthest point): a movement is cut off there, or what is taken for rest is none; "
            "record from rest to rest, or give the face at rest (--rest)"
        )


def _first_rest(seen: PointsOverTime, smooth: Floats, clock: Clock) -> Floats:
    """(M, 3) where the points are at rest: as known, else as in the recording's first moments."""
    given = getattr(seen, "rest", None)
    begin = np.flatnonzero(np.isfinite(smooth).any(axis=(1, 2)))
    first = begin[: max(round(FIRST_S * clock.fps), 1)]
    found = _median(smooth[first]) if len(first) else np.full(smooth.shape[1:], np.nan)
    return found if given is None else np.where(np.isfinite(given), given, found)


def _median(values: Floats) -> Floats:
    """Median over the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(values).any(axis=0)
    out = np.full(values.shape[1:], np.nan)
    if known.any():
        out[known] = np.nanmedian(values[:, known], axis=0)
    return out


def _eyes(
    clock: Clock, seen: PointsOverTime, index: Mapping[str, int], rest: Floats
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Side -> (T,) mm: how far the lids' edges are apart along the eye's own opening at rest, as in
    `measuring.readings.fissure`, but that it may be below 0; and how far its corners are."""
    points = laid_on(clock, seen.times_s, seen.points, LIDS_BRIDGED_S)
    opening, width = {}, {}
    for side in SIDES:
        upper, lower, inner, outer = (index.get(f"{code}_{side}") for code in ("ps", "pi", "en", "ex"))
        opening[side], width[side] = np.full((2, clock.count), np.nan)
        if upper is not None and lower is not None:
            way = rest[upper] - rest[lower]
            opening[side] = (points[:, upper] - points[:, lower]) @ (way / max(float(np.linalg.norm(way)), 1e-9))
        if inner is not None and outer is not None:
            width[side] = np.linalg.norm(points[:, outer] - points[:, inner], axis=1)
    return opening, width


def _found(
    clock: Clock, names: tuple[str, ...], points: Floats, rest: Floats, lids: Lids, hz: float, still: np.ndarray
) -> tuple[tuple[Segment, ...], dict[str, float]]:
    """The movements, and each eye's opening at rest (mm), from the frames `still` (T,)."""
    kept = {s: smoothed(lids.without_blinks[s], clock.fps, hz) for s in SIDES}
    opening = {}
    for side in SIDES:
        known = kept[side][still & np.isfinite(kept[side])]
        opening[side] = float(np.median(known)) if len(known) else math.nan
    closing = {s: opening[s] - kept[s] for s in SIDES}
    timed = dict(closing)
    for side in SIDES:
        course = _lid_course(side, names, points - rest, rest, lids, clock.fps)
        if course is not None:
            timed[side] = course
    return segments(clock, names, rest, points - rest, closing, timed, lids.blinking), opening


def _lid_course(side: str, names: tuple[str, ...], away: Floats, rest: Floats, lids: Lids, fps: float) -> Floats | None:
    """(T,) mm by which the skin of both lids, as a whole, has come together, blinks apart: what an eye's closing is
    timed by, since two points on the lids' edges are of more noise. None where regions are not known (markers)."""
    index = {n: k for k, n in enumerate(names)}
    if not {f"{n}_{side}" for n in ("upper_lid", "lower_lid", "ps", "pi")} <= index.keys():
        return None
    upper, lower, top, low = (index[f"{n}_{side}"] for n in ("upper_lid", "lower_lid", "ps", "pi"))
    way = rest[top] - rest[low]
    course = (away[:, lower] - away[:, upper]) @ (way / np.linalg.norm(way))
    spread = 2 * round(FOOT_S * fps) + 1
    return bridged(course, np.convolve(lids.blinking, np.ones(spread), "same") > 0)


def _between(found: Sequence[Segment], count: int) -> np.ndarray:
    """(T,) bool: in no movement."""
    out = np.ones(count, bool)
    for s in found:
        out[s.start : s.stop] = False
    return out


def _named(
    recording: Tracked | Stored | PointsOverTime,
    seen: PointsOverTime,
    clock: Clock,
    found: Sequence[Segment],
    expression: str | None,
    naming: Naming | None,
) -> list[MovedOnce]:
    # The clock's instants may be others than the recording's frames: the nearest frame that is not lost.
    known = np.flatnonzero(np.isfinite(seen.points).any(axis=(1, 2)))
    frames = [int(known[np.abs(seen.times_s[known] - clock.times[s.apex]).argmin()]) for s in found]
    if expression is not None:
        names = [(expression, 1.0)] * len(found)
    elif naming is not None and isinstance(recording, Tracked | Stored) and found:
        shown = []
        for frame in frames:
            near = recording.some(range(max(frame - AROUND_APEX, 0), min(frame + AROUND_APEX + 1, len(recording))))[0]
            shown.append(np.median(near[np.isfinite(near).all(axis=(1, 2))], axis=0))
        names = list(naming(recording.rest_mm, np.array(shown, np.float64)))
    else:
        names = [("", math.nan)] * len(found)
    return [
        MovedOnce(k + 1, name, p, segment, frame)
        for k, (segment, frame, (name, p)) in enumerate(zip(found, frames, names, strict=True))
    ]
