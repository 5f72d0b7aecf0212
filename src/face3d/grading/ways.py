"""The regions' ways over time, side by side: what temporal networks look at."""

from __future__ import annotations

import numpy as np

from face3d.errors import LandmarkError
from face3d.exam import EXPRESSIONS
from face3d.landmarks import SIDES
from face3d.scan import Floats
from face3d.sequence.filtering import Clock, laid_on, smoothed

#: Regions that are looked at on each side.
PLACES = (
    *("forehead", "brow", "upper_lid", "lower_lid", "cheek", "nasolabial", "nose"),
    *("upper_lip", "commissure", "lower_lip", "chin"),
)
MADE = tuple(e for e in EXPRESSIONS if e != "rest")
#: Hz of the clock the networks know, and of the filter before it: what moves faster is noise or a blink's flank.
RATE_HZ, CUTOFF_HZ = 15.0, 5.0


def ways_of(names: tuple[str, ...], times_s: Floats, away_mm: Floats) -> tuple[Floats, Floats]:
    """(T,) s at 15 a second, and the regions' ways (T, 2, R, 3) mm, left and right, the right mirrored onto the left.

    Raises `LandmarkError` where `names` holds no regions, as markers don't."""
    index = {n: k for k, n in enumerate(names)}
    lacking = [p for p in PLACES if not {f"{p}_{s}" for s in SIDES} <= index.keys()]
    if lacking:
        raise LandmarkError(f"no regions {', '.join(lacking)} in this recording; anomaly needs a tracked template")
    times = np.asarray(times_s, np.float64)
    fps = (len(times) - 1) / (times[-1] - times[0])
    clock = Clock(float(times[0]), RATE_HZ, int((times[-1] - times[0]) * RATE_HZ + 1e-6) + 1)
    both = np.stack([away_mm[:, [index[f"{p}_{s}"] for p in PLACES]] for s in SIDES], axis=1)
    both = both * np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])[None, :, None]
    return clock.times, laid_on(clock, times, smoothed(both, fps, min(CUTOFF_HZ, 0.4 * fps)))
