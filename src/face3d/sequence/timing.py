"""When a movement begins, arrives, leaves and ends, how late one side is, and how smoothly it goes.

A course that starts softly has no first frame: thresholds find it late, by an amount that grows with its slowness and
its noise. Its begin is that of the smoothest course (minimum jerk, Flash & Hogan 1985, J Neurosci 5:1688) that fits the
first half of its way; the other three borders in the same manner by their halves, so that onset and offset may be of
any skew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from face3d.scan import Floats

#: Shares of the way at whose crossings the fit of a border starts.
LEVELS = (0.10, 0.18, 0.26, 0.34, 0.42, 0.50)
#: Share of the way up to which a flank is fitted; s beyond its border that are fitted too, where it lies still, at a
#: level of its own: what tracking is off by wanders by a tenth of a millimetre within seconds.
HALF, BEYOND_S = 0.55, 0.25
#: How firmly that level is held at 0, in samples' worth: free, it trades against a begin that is ever earlier. And s by
#: which the fit may differ from the crossings: more, and the course is of another kind.
HELD, MOST_S = 1.0, 0.12
STEPS = 5
#: Share of the greatest excursion from which on a course is on its plateau.
PLATEAU = 0.90


def _way_of(share: float) -> float:
    """The share of its time at which a minimum-jerk course has made `share` of its way."""
    steps = np.linspace(0.0, 1.0, 2001)
    return float(np.interp(share, steps**3 * (10 - 15 * steps + 6 * steps**2), steps))


_TIMES = np.array([_way_of(level) for level in LEVELS])


@dataclass(frozen=True)
class Course:
    """Borders of one movement, seconds of the recording: it leaves rest at `begin`, has arrived at `arrived`, leaves
    its apex at `leaves` and is at rest again at `end`; `size` its median height on the plateau between. NaN where a
    part was not recorded."""

    begin: float
    arrived: float
    leaves: float
    end: float
    size: float


def course_of(times: Floats, values: Floats) -> Course:
    """The borders of the one movement in `values` (T,) at `times` (T,): a course that rises from about 0, stays and
    falls. A border that lies beyond what was recorded, or in a gap, is NaN."""
    nothing = Course(*[math.nan] * 5)
    if not np.isfinite(values).any():
        return nothing
    top = float(np.nanmax(values))
    if not top > 0:
        return nothing
    size = float(np.nanmedian(values[values >= PLATEAU * top]))
    # The plateau's first and last moment: a tremble on it must not be taken for its border.
    up = np.flatnonzero(values >= PLATEAU * size)
    first, last = int(up[0]), int(up[-1])
    begin, arrived = _ends(times[: first + 1][::-1], values[: first + 1][::-1], times, values, size)
    end, leaves = _ends(times[last:], values[last:], times, values, size)
    return Course(begin, arrived, leaves, end, size)


def _ends(flank: Floats, falling: Floats, times: Floats, values: Floats, size: float) -> tuple[float, float]:
    """Where a flank reaches 0 and where it reaches `size`; `falling` from the plateau on outward, at the times `flank`;
    the whole course beside it."""
    lower = np.array([_crossing(flank, falling, level * size) for level in LEVELS])
    upper = np.array([_crossing(flank, falling, (1 - level) * size) for level in LEVELS])
    return _border(lower, times, values, size), _border(upper, times, size - values, size)


def _border(crossings: Floats, times: Floats, values: Floats, size: float) -> float:
    """Where a course leaves 0, which it passes at `LEVELS` of `size` at the given times; NaN in a gap."""
    if not np.isfinite(crossings).all():
        return math.nan
    length, at = (float(x) for x in np.polyfit(_TIMES, crossings, 1))
    start, level = at, 0.0
    middle, out = crossings[-1], math.copysign(1.0, crossings[-1] - crossings[0])
    for _ in range(STEPS):
        # From a little beyond the border to a little over half of the way; either may lie earlier.
        low, high = sorted((at - out * BEYOND_S, middle + out * (HALF - 0.5) * abs(length)))
        inside = (times >= low) & (times <= high) & np.isfinite(values)
        x = np.clip((times[inside] - at) / length, 0.0, 1.0)
        off = values[inside] - level - size * x**3 * (10 - 15 * x + 6 * x**2)
        slope = -size * 30 * x**2 * (1 - x) ** 2 / length
        design = np.column_stack([slope, slope * x, np.ones(len(x))])
        if np.linalg.matrix_rank(design) < 3:
            break
        held = np.vstack([design, [0.0, 0.0, HELD]])
        step = np.linalg.lstsq(held, np.append(off, -HELD * level), rcond=None)[0]
        at, length, level = at + float(step[0]), length + float(step[1]), level + float(step[2])
        if abs(at - start) > MOST_S or length * out <= 0:
            return start  # not a course of this kind: the crossings alone
    return at


def _crossing(times: Floats, falling: Floats, level: float) -> float:
    """The time at which a course, followed outward from its plateau, first falls below a level; NaN in a gap."""
    below = np.flatnonzero(~(falling >= level))
    if not len(below) or below[0] == 0 or not np.isfinite(falling[below[0]]):
        return math.nan
    k = int(below[0])
    share = (falling[k - 1] - level) / (falling[k - 1] - falling[k])
    return float(times[k - 1] + share * (times[k] - times[k - 1]))


#: Of the spectral arc length: highest frequency, least amplitude and zero padding as its authors have them.
SPARC_HZ, SPARC_LEAST, SPARC_PADDING = 10.0, 0.05, 4


def spectral_arc_length(speed: Floats, fps: float) -> float:
    """Smoothness of a movement by its speed (n,): about -1.4 for a single bell, the lower the more jerky; NaN where a
    part is unknown (Balasubramanian 2015, doi:10.1186/s12984-015-0090-9)."""
    v = np.asarray(speed, np.float64)
    if len(v) < 4 or not np.isfinite(v).all() or not v.max() > 0:
        return math.nan
    padded = 2 ** (math.ceil(math.log2(len(v))) + SPARC_PADDING)
    spectrum = np.abs(np.fft.rfft(v, padded))
    frequency = np.arange(len(spectrum)) * fps / padded
    below = frequency <= SPARC_HZ
    height, f = spectrum[below] / spectrum.max(), frequency[below]
    last = int(np.flatnonzero(height >= SPARC_LEAST)[-1]) + 1
    height, f = height[:last], f[:last]
    if len(f) < 2:
        return math.nan
    return -float(np.hypot(np.diff(f) / (f[-1] - f[0]), np.diff(height)).sum())
