"""What each number of a movement in time is, its unit, and who defined it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from face3d.measuring.definitions import Definition

_WINTER = "Winter 2009"

#: In the order of a report. Lengths are of the way from rest in this recording, through a filter whose cut-off stands
#: with each number.
DEFINITIONS: Mapping[str, Definition] = MappingProxyType(
    {
        "excursion": Definition("mm", "length of the median way from rest while the movement is held"),
        "peak": Definition("mm", "greatest distance from rest in the movement"),
        "range": Definition("mm", "extent of the movement along its own principal direction"),
        "path": Definition(
            "mm", "length of the way from begin to arrival, tremble and noise below the cut-off included"
        ),
        "peak_velocity": Definition("mm/s", "greatest speed from begin to arrival"),
        "return_velocity": Definition("mm/s", "greatest speed from leaving the apex to rest"),
        "time_to_peak": Definition(
            "s", "from begin to arrival at the apex, by the smoothest course (Flash & Hogan 1985)"
        ),
        "time_to_peak_velocity": Definition("s", "from begin to the greatest speed"),
        "hold": Definition("s", "from arrival to leaving the apex"),
        "release": Definition("s", "from leaving the apex to rest"),
        "onset_lag": Definition("s", "begin of the left side less that of the right: + left is later"),
        "arrival_lag": Definition("s", "arrival of the left side less that of the right: + left is later"),
        "smoothness": Definition(
            "1",
            "spectral arc length of the speed from begin to arrival: -1.4 one bell, lower is less smooth",
            "Balasubramanian 2015",
        ),
        "fissure_height": Definition("mm", "opening of the eye while the movement is held, blinks apart"),
        "closure": Definition("1", "share of the opening at rest that is closed while the movement is held"),
        "symmetric": Definition(
            "mm", "part of the movement at its apex that both sides share, RMS over a region’s points"
        ),
        "asymmetric": Definition("mm", "part of it that differs: half of left less mirrored right, RMS"),
        "unasked": Definition(
            "1", "movement of a region that was not asked for, as a share of its own full movement in this recording"
        ),
        "unasked_movement": Definition("mm", "the same in millimetres (an eye: of closing)"),
        "locked": Definition(
            "1", "correlation of its course with that of the movement, at the best lag within 0.25 s: 1 locked in time"
        ),
        "locked_lag": Definition("s", "that lag: + it follows"),
        "blink_rate": Definition("1/min", "blinks a minute of the time in which the eye was open"),
        "blink_completeness": Definition("1", "share of the opening before a blink that closes, mean over blinks"),
        "blinks_complete": Definition("1", "share of blinks that close by 90 % or more"),
        "blink_speed": Definition("mm/s", "greatest closing speed of the lids, mean over blinks", "Evinger 1991"),
        "fatigue": Definition(
            "%", "change of a measure from one repeat to the next, of its mean: slope of a straight line"
        ),
    }
)


@dataclass(frozen=True)
class Reading:
    """One number of one movement. `movement` its number from 1, 0 for the whole recording; `expression` what it is
    called, or empty; `place` a point, a region, "eye" or "face"; `side` "left", "right" or "both"; `cutoff_hz` of the
    filter that it went through, NaN for none; `status` "ok" or why the value is NaN."""

    movement: int
    expression: str
    measure: str
    place: str
    side: str
    value: float
    unit: str
    cutoff_hz: float
    status: str = "ok"
    source: str = "face3d"


def reading(
    at: tuple[int, str], measure: str, place: str, side: str, value: float, cutoff_hz: float, why: str = ""
) -> Reading:
    """A reading with its definition's unit and source; NaN where it is not finite, with the reason `why`."""
    known, definition = math.isfinite(value), DEFINITIONS[measure]
    status = "ok" if known else why or "not recorded"
    number = float(value) if known else math.nan
    return Reading(*at, measure, place, side, number, definition.unit, cutoff_hz, status, definition.source)
