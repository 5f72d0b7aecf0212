"""The colour scales of all maps: fixed, in millimetres, safe for colour-blind eyes, saturation marked.

Never fitted to the data: two visits of a patient, or two patients, must be comparable by eye. Each quantity has the
range that palsied faces need, so that the strongest place can be told from the second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from face3d.scan import Floats
from face3d.values import Value, locked

#: Beyond the limits: darker and of another hue than the ends of the scales.
BELOW, ABOVE = (58, 20, 92), (92, 10, 38)

#: Where nothing could be measured.
UNMEASURED = (150, 150, 152)


@dataclass(frozen=True, eq=False, repr=False)
class Scale(Value):
    """Colours from `low` to `high` mm: `stops` (n, 3) 0..255, evenly spaced; `below` and `above` beyond; a contour line
    every `contour` mm."""

    low: float
    high: float
    stops: Floats
    above: tuple[int, int, int]
    contour: float
    below: tuple[int, int, int] = BELOW

    def __post_init__(self) -> None:
        object.__setattr__(self, "stops", locked(self.stops))

    @property
    def signed(self) -> bool:
        """Whether it runs both ways from 0."""
        return self.low < 0

    def colors(self, values: ArrayLike) -> Floats:
        """Values (...) in mm to colours (..., 3) 0..255; NaN is `UNMEASURED`, beyond the limits `below` and `above`."""
        v = np.asarray(values, np.float64)
        place = np.clip((np.nan_to_num(v) - self.low) / (self.high - self.low), 0.0, 1.0) * (len(self.stops) - 1)
        of = np.arange(len(self.stops))
        out = np.stack([np.interp(place, of, self.stops[:, channel]) for channel in range(3)], axis=-1)
        out[v < self.low] = self.below
        out[v > self.high] = self.above
        out[~np.isfinite(v)] = UNMEASURED
        return out


#: Blue over near-white to orange-brown, told apart with any colour vision and, by the steps and the contour lines, in
#: greyscale. Lightness falls evenly to both ends.
_DIVERGING: Floats = np.array(
    [
        [23, 63, 122],
        [46, 107, 171],
        [104, 157, 206],
        [172, 202, 229],
        [245, 244, 241],
        [246, 205, 160],
        [232, 156, 88],
        [199, 103, 40],
        [143, 61, 14],
    ],
    np.float64,
)

#: For lengths, which have no sign: near-white to brown, a hue family that any colour vision orders (after
#: ColorBrewer's YlOrBr).
_BROWN: Floats = np.array(
    [
        [245, 244, 241],
        [253, 236, 190],
        [254, 217, 132],
        [254, 187, 71],
        [246, 146, 36],
        [222, 107, 15],
        [182, 73, 6],
        [138, 51, 5],
        [96, 35, 6],
    ],
    np.float64,
)

#: From still to far: light to dark in one hue family that any colour vision orders (ColorBrewer YlGnBu).
_BLUE: Floats = np.array(
    [
        [250, 250, 240],
        [237, 248, 200],
        [199, 233, 180],
        [127, 205, 187],
        [65, 182, 196],
        [29, 145, 192],
        [34, 94, 168],
        [37, 52, 148],
        [8, 29, 88],
    ],
    np.float64,
)

#: To the closest point of the mirror image, positive outside. The smallest asymmetry that people see is 2 (lid) to 4 mm
#: (nasal tip), 6 mm at the chin; 4 mm keeps those apart from the 0.6 mm of healthy faces.
SURFACE = Scale(-4.0, 4.0, _DIVERGING, ABOVE, 2.0)
#: Between corresponding places, sliding included. Of 24 simulated palsied faces (grades III to VI) the strongest place
#: of a smile has 11.9 mm in the median, of a brow raise 10.0, of a snarl 8.5, of rest 5.2. Contours every 2 mm, the
#: smallest asymmetry that people see.
ASYMMETRY = Scale(0.0, 12.0, _BROWN, BELOW, 2.0)
#: Length of movement from rest: a full smile moves the mouth corner of healthy adults by 9 to 14 mm.
MOVEMENT = Scale(0.0, 15.0, _BLUE, ABOVE, 3.0)
#: How much further (orange) or less far (blue) a place moves at a later visit: free muscle flaps move a mouth corner by
#: 8 mm on average (127 of them).
CHANGE = Scale(-8.0, 8.0, _DIVERGING, ABOVE, 2.0)
#: What each square centimetre added to (orange) or took from (blue) the share of movement lost, in hundredths: of a
#: graded exam the strongest places of a brow raise and a smile have 2 to 4.
ATTRIBUTION = Scale(-2.0, 2.0, _DIVERGING, ABOVE, 0.5)


def hex_of(color: ArrayLike) -> str:
    """#rrggbb of a colour (3,) 0..255."""
    return "#" + "".join(f"{round(float(c)):02x}" for c in np.asarray(color))
