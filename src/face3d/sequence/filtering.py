"""Courses in time without noise: an even clock, short gaps bridged, a zero-phase low-pass filter, its derivative.

The filter is a Butterworth filter of second order run forward and backward, so that nothing is delayed (Winter,
Biomechanics and Motor Control of Human Movement, 4th ed. 2009, ch. 3.4); its cut-off is corrected for the second run,
so that it is the frequency at which the whole loses 3 dB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d.errors import ScanError
from face3d.scan import Floats

#: Hz, chosen on one simulated person (grade IV) with noise of tracking, against the truth without a filter.
#: Expressions: of 4, 6, 8, 10, 12 and 15 Hz, 8 has the peak least off (at most 0.26 mm at 60 frames a second; 6: 0.32,
#: 10: 0.31) and
#: the greatest speed by -4 % (6: -11 %, 10: +4 %, 15: +23 %). Blinks fall in 0.1 s and need more: at 18 their closing
#: speed is 1 % off, at 12 10 %, at 8 25 %.
MOVEMENT_HZ, BLINK_HZ = 8.0, 18.0
#: A filter's cut-off is at most this share of the rate: near half of it there is nothing left to cut.
MOST_OF_RATE = 0.4
#: s: gaps up to this long are bridged by a curve through both sides; an expression's fastest part takes twice as long.
BRIDGED_S = 0.1
#: Frames' times may be off an even clock by this share of a frame before they are laid on one.
UNEVEN = 0.25
ORDER = 2
#: An even clock may have so many times more instants than there are frames: more is no recording, but a wrong unit.
MOST_GAPS = 20
#: Courses that are laid on a clock at once.
AT_ONCE = 15
#: Frames that a filter needs.
LEAST_FRAMES = 8


def cutoff(asked_hz: float, fps: float) -> float:
    """The cut-off that a rate allows, Hz."""
    return min(asked_hz, MOST_OF_RATE * fps)


@dataclass(frozen=True)
class Clock:
    """An even clock: frame k at `start` + k / `fps` seconds, `count` of them."""

    start: float
    fps: float
    count: int

    @property
    def times(self) -> Floats:
        """(T,) seconds."""
        return self.start + np.arange(self.count) / self.fps


def clock_of(times_s: Floats, name: str) -> tuple[Clock, bool]:
    """The even clock of a recording, at its median rate, and whether its frames lie on it already. Raises `ScanError`
    where time does not run forward or there are too few frames."""
    times = np.asarray(times_s, np.float64)
    if len(times) < LEAST_FRAMES:
        raise ScanError(f"{name}: {len(times)} frames; movement needs {LEAST_FRAMES}. Give the whole recording")
    steps = np.diff(times)
    if not (np.isfinite(times).all() and (steps > 0).all()):
        k = int(np.flatnonzero(~(np.isfinite(times[1:]) & (steps > 0)))[0]) + 1 if len(steps) else 0
        raise ScanError(
            f"{name}: frame {k} is at {times[k]:g} s, after {times[k - 1]:g} s: time must run forward; sort the frames "
            "or give --fps"
        )
    step = float(np.median(steps))
    # A median step is as exact as the clock that wrote the times; over the whole recording it is known better.
    whole = np.round(steps / step)
    step = float((times[-1] - times[0]) / whole.sum())
    count = round(float(times[-1] - times[0]) / step) + 1
    if count > MOST_GAPS * len(times):
        raise ScanError(
            f"{name}: {len(times)} frames lie over {times[-1] - times[0]:.6g} s, where {count} would have room at "
            f"their usual rate; limit {MOST_GAPS} times as many. Are the times in seconds? Give --fps"
        )
    clock = Clock(float(times[0]), 1.0 / step, count)
    even = count == len(times) and bool((np.abs(times - clock.times) < UNEVEN * step).all())
    return clock, even


def laid_on(clock: Clock, times_s: Floats, values: Floats, bridged_s: float = BRIDGED_S) -> Floats:
    """Courses `values` (T, ...) at `times_s` (T,), NaN where unknown, on an even clock: gaps of up to `bridged_s` are
    bridged by a monotone cubic (Fritsch & Carlson 1980), longer ones are NaN."""
    from scipy.interpolate import PchipInterpolator

    times = np.asarray(times_s, np.float64)
    flat = np.asarray(values, np.float64).reshape(len(times), -1)
    out = np.full((clock.count, flat.shape[1]), np.nan)
    at = clock.times
    for known in np.unique(np.isfinite(flat), axis=1).T:
        columns = np.flatnonzero((np.isfinite(flat) == known[:, None]).all(axis=0))
        where = np.flatnonzero(known)
        if len(where) < 2:
            continue
        before = np.clip(np.searchsorted(times[where], at + 1e-9, "right") - 1, 0, len(where) - 1)
        after = np.clip(np.searchsorted(times[where], at - 1e-9, "left"), 0, len(where) - 1)
        # A gap is what is missing: one lost frame between two is a gap of one frame.
        gap = times[where][after] - times[where][before] - 1.0 / clock.fps
        inside = (at >= times[where][0] - 1e-9) & (at <= times[where][-1] + 1e-9) & (gap <= bridged_s + 1e-9)
        for few in np.array_split(columns, -(-len(columns) // AT_ONCE)):  # coefficients are four times as many
            out[np.ix_(inside, few)] = PchipInterpolator(times[where], flat[np.ix_(where, few)])(at[inside])
    return out.reshape(clock.count, *np.shape(values)[1:])


def smoothed(values: Floats, fps: float, cutoff_hz: float) -> Floats:
    """Courses (T, ...) below `cutoff_hz`; each unbroken stretch by itself, NaN where unknown or too short a stretch."""
    from scipy.signal import butter, sosfiltfilt

    flat = np.asarray(values, np.float64).reshape(len(values), -1)
    out = np.full(flat.shape, np.nan)
    once = cutoff_hz / (2 ** (1 / 2) - 1) ** (1 / (2 * ORDER))
    sos = butter(ORDER, min(once, 0.49 * fps), fs=fps, output="sos")
    # As many frames beyond the ends as the filter remembers; reflected through the end, so that slopes go on.
    memory = int(np.ceil(fps / cutoff_hz))
    for column in range(flat.shape[1]):
        for start, stop in stretches(np.isfinite(flat[:, column])):
            if stop - start >= LEAST_FRAMES:
                part = flat[start:stop, column]
                out[start:stop, column] = sosfiltfilt(sos, part, padlen=min(memory, len(part) - 1))
    return out.reshape(np.shape(values))


def rate_of_change(values: Floats, fps: float) -> Floats:
    """Derivative (T, ...), per second, by central differences over five frames, at the ends over fewer; NaN beside what
    is unknown. (Over three frames, at 30 a second, a quick smile would lose a twentieth of its speed.)"""
    v = np.asarray(values, np.float64)
    out = np.full(v.shape, np.nan)
    out[1:-1] = (v[2:] - v[:-2]) * (fps / 2)
    out[0], out[-1] = (v[1] - v[0]) * fps, (v[-1] - v[-2]) * fps
    wide = (8 * (v[3:-1] - v[1:-3]) - (v[4:] - v[:-4])) * (fps / 12)
    out[2:-2] = np.where(np.isfinite(wide), wide, out[2:-2])
    return out


def stretches(where: np.ndarray) -> list[tuple[int, int]]:
    """[start, stop) of each run of True in (T,)."""
    edges = np.flatnonzero(np.diff(np.r_[False, where, False].astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
