"""When a movement begins, arrives, leaves and ends, how late one side is, and how smoothly it goes.

A course that starts softly has no first frame: thresholds find it late, by an amount that grows with its slowness and
its noise. Its begin is taken from the smoothest course (minimum jerk, Flash & Hogan 1985, J Neurosci 5:1688) through
the times at which it passes a tenth to half of its way; the other three borders in the same manner from their halves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from face3d.scan import Floats

#: Shares of the way by which a border is found, from near the border to the middle. Below a tenth, noise decides.
LEVELS = (0.10, 0.18, 0.26, 0.34, 0.42, 0.50)
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
    rise, fall = slice(None, first + 1), slice(last, None)
    back = values[rise][::-1], times[rise][::-1]
    on = values[fall], times[fall]
    begin, _ = _ends(back[1], back[0], size)
    _, arrived = _ends(back[1], back[0], size)
    end, leaves = _ends(on[1], on[0], size)
    return Course(begin, arrived, leaves, end, size)


def _ends(times: Floats, falling: Floats, size: float) -> tuple[float, float]:
    """Where a flank reaches 0 and where it reaches `size`; `falling` from the plateau on outward, `times` beside it."""
    lower = [_crossing(times, falling, level * size) for level in LEVELS]
    upper = [_crossing(times, falling, (1 - level) * size) for level in LEVELS]
    middle = 1 - _TIMES
    return _intercept(_TIMES, lower), _intercept(middle, upper, at=1.0)


def _crossing(times: Floats, falling: Floats, level: float) -> float:
    """The time at which a course, followed outward from its plateau, first falls below a level; NaN in a gap."""
    below = np.flatnonzero(~(falling >= level))
    if not len(below) or below[0] == 0 or not np.isfinite(falling[below[0]]):
        return math.nan
    k = int(below[0])
    share = (falling[k - 1] - level) / (falling[k - 1] - falling[k])
    return float(times[k - 1] + share * (times[k] - times[k - 1]))


def _intercept(way: Floats, crossings: list[float], at: float = 0.0) -> float:
    """Where the line through (share of time, crossing) stands at `at`."""
    c = np.array(crossings)
    if not np.isfinite(c).all():
        return math.nan
    slope, start = np.polyfit(way, c, 1)
    return float(start + slope * at)


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
