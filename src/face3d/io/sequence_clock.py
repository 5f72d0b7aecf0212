"""When each frame of a recording was taken: by its number and a rate, or by time stamps, none believed unseen."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import SchemaError
from face3d.scan import Floats, Ints

#: Frames a second that a face is recorded with at most; high-speed cameras for blinks reach 1,000.
FASTEST = 10_000.0
# Stamps out of order are dropped frames or a stutter of the clock as long as they are few; beyond this share the clock
# itself is wrong, and a rate is asked for.
_MOST_WRONG = 0.1


@dataclass(frozen=True, eq=False)
class Clock:
    """`numbers` (T,) as the recording counts; `times_s` (T,) since the first, rising; `fps` nominal; `lost` index ->
    why a frame's time is none (its `times_s` is then between its neighbours')."""

    numbers: Ints
    times_s: Floats
    fps: float
    lost: dict[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)


def rate(name: str, fps: object) -> float:
    """`fps` as a number. Raises `SchemaError` for what is no rate of frames."""
    number = float(fps) if isinstance(fps, int | float | np.number) and not isinstance(fps, bool) else math.nan
    if not 0 < number <= FASTEST:
        raise SchemaError(f"{name}: fps is {fps!r}; expected frames a second, above 0 and at most {FASTEST:.0f}")
    return number


def clock(
    name: str,
    count: int,
    fps: float | None,
    times: ArrayLike | None,
    numbers: Ints | None = None,
    said: float | None = None,
) -> Clock:
    """The clock of `count` frames. `fps` as asked for wins over the recording's own `times` (seconds, any zero), these
    over the rate that it says. Raises `SchemaError` where none of them is there or none can be believed."""
    numbers = np.arange(count) if numbers is None else np.asarray(numbers, np.int64)
    if fps is not None:
        return _steady(numbers, rate(name, fps), _differs(fps, times))
    if times is not None:
        return _stamped(name, numbers, np.asarray(times, np.float64), said)
    if said is not None:
        return _steady(numbers, rate(name, said), ())
    raise SchemaError(f"{name}: the files do not say how many frames a second there are; give it: fps=60 (--fps 60)")


def stride(numbers: Ints) -> int:
    """How far the numbers of frames lie apart where none is missing: the commonest step."""
    steps = np.diff(numbers)
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)]) if len(steps) else 1


def _steady(numbers: Ints, fps: float, notes: tuple[str, ...]) -> Clock:
    return Clock(numbers, (numbers - numbers[0]) / stride(numbers) / fps, fps, notes=notes)


def _differs(fps: float, times: ArrayLike | None) -> tuple[str, ...]:
    """Asked-for rates are obeyed, but not silently against the recording's own times."""
    if times is None or len(steps := np.diff(np.asarray(times, np.float64))) == 0:
        return ()
    own = 1.0 / np.median(steps) if np.median(steps) > 0 else math.nan
    if abs(own - fps) <= 0.02 * fps:
        return ()
    return (f"{fps:g} frames a second, as given; the recording's own times say {own:.4g}",)


def _stamped(name: str, numbers: Ints, times: Floats, said: float | None) -> Clock:
    if times.shape != numbers.shape:
        raise SchemaError(f"{name}: {times.size} times for {len(numbers)} frames; each frame needs one, or give fps=")
    kept = _rising(times)
    lost = {}
    for k in np.setdiff1d(np.arange(len(times)), kept).tolist():
        why = "is no number" if not math.isfinite(times[k]) else "is out of order"
        lost[k] = f"its time, {times[k]:.6g} s, {why}: time stamps must rise"
    if len(lost) > _MOST_WRONG * len(times) or (len(times) > 1 and len(kept) < 2):
        first = min(lost)
        raise SchemaError(
            f"{name}: {len(lost)} of {len(times)} time stamps run backwards, stand still or are no numbers (first: "
            f"frame {numbers[first]}, {times[first]:.6g} s); give the rate instead: fps=60 (--fps 60)"
        )
    filled = np.interp(np.arange(len(times)), kept, times[kept]) if lost else times
    notes = (f"{len(lost)} frames have no usable time and are lost",) if lost else ()
    steps = np.diff(times[kept])
    fps = float(1 / np.median(steps)) if len(steps) else rate(name, 1.0 if said is None else said)
    if said is not None and abs(said - fps) < 0.01 * fps:
        fps = float(said)  # the same, without the rounding of the stamps
    return Clock(numbers, filled - filled[kept[0]], fps, lost, notes)


def _rising(times: Floats) -> Ints:
    """Indices of the most times that rise strictly: one stamp far ahead must not condemn all that follow it."""
    tails: list[float] = []
    ends: list[int] = []
    before = np.full(len(times), -1, np.int64)
    for k, t in enumerate(times.tolist()):
        if not math.isfinite(t):
            continue
        at = bisect_left(tails, t)
        tails[at : at + 1], ends[at : at + 1] = [t], [k]
        before[k] = ends[at - 1] if at else -1
    out, k = [], ends[-1] if ends else -1
    while k >= 0:
        out.append(k)
        k = int(before[k])
    return np.array(out[::-1], np.int64)
