"""Whether the upper or the lower face has lost more: a pattern, with its interval, and never a diagnosis.

A brow that is spared goes with lesions above the nerve's nucleus, and as well with a temporal branch that was spared or
has regrown, with a brow that was operated on, and with chance; what it means in one person a clinician says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from face3d.landmarks import SIDES
from face3d.measuring.exam_measures import Measures
from face3d.measuring.ratios import BILATERAL

#: Lower face: what the mouth's corner, the cheek and the lower lip still do.
LOWER = ("midface", "mouth", "lower_lip")


@dataclass(frozen=True)
class Pattern:
    """Function 0..1 of the affected brow and of the lower face (mean of what was measured of it), and upper minus lower
    with its 95 % interval; NaN where unknown, with the reason in `text`."""

    upper: float
    lower: float
    difference: float
    low: float
    high: float
    text: str


def face_pattern(m: Measures) -> Pattern:
    """The pattern of one exam. Errors of the regions are taken as independent, and as large as on simulated faces."""
    nan = math.nan
    if m.affected_side == "both":
        return Pattern(nan, nan, nan, nan, nan, BILATERAL)
    if m.affected_side not in SIDES:
        return Pattern(nan, nan, nan, nan, nan, "neither side is affected")
    error = {r.region: r.uncertainty for r in m.rows if (r.measure, r.expression) == ("function", "all")}
    function = m.region_function
    there = [r for r in LOWER if math.isfinite(function[r])]
    upper = function["brow"]
    if not there or not math.isfinite(upper):
        return Pattern(upper, nan, nan, nan, nan, "needs brow raise and a movement of the lower face")
    lower = sum(function[r] for r in there) / len(there)
    spread = math.hypot(error.get("brow", nan), math.hypot(*(error.get(r, nan) for r in there)) / len(there))
    difference = upper - lower
    low, high = difference - 1.96 * spread, difference + 1.96 * spread
    if not math.isfinite(spread):
        text = "its error is not known"
    elif low > 0:
        text = "the upper face moves better than the lower; a pattern, no diagnosis"
    elif high < 0:
        text = "the lower face moves better than the upper; a pattern, no diagnosis"
    else:
        text = "upper and lower face don't differ beyond the error of measuring"
    return Pattern(upper, lower, difference, low, high, text)
