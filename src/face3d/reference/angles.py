"""Degrees lie on a circle: 179 and -179 are 2 apart. Statistics of angles go through here, those of other units don't.

Values are turned by whole turns to lie around their circular mean (Mardia & Jupp 2000, Directional Statistics); what
is linear - means, standard deviations, correlations - then holds for them as for millimetres, as long as they don't
fill the whole circle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: The unit by which measures say that they are angles.
DEGREES = "deg"


def turned(difference: float, unit: str) -> float:
    """A difference of two values in `unit`: of degrees the short way round, in [-180, 180), others as it is."""
    return (difference + 180.0) % 360.0 - 180.0 if unit == DEGREES else difference


def beside(values: ArrayLike, others: ArrayLike, unit: str) -> Floats:
    """`values`, of degrees those turns of them that lie within half a turn of the `others`."""
    v, o = np.asarray(values, np.float64), np.asarray(others, np.float64)
    return o + (v - o + 180.0) % 360.0 - 180.0 if unit == DEGREES else v


def gathered(values: ArrayLike, unit: str) -> Floats:
    """`values`, of degrees those turns of them that lie within half a turn of their circular mean; NaN stays NaN."""
    v = np.asarray(values, np.float64)
    known = np.radians(v[np.isfinite(v)])
    return beside(v, np.degrees(np.arctan2(np.sin(known).sum(), np.cos(known).sum())), unit)
