"""The colour scale of every map: fixed, symmetric, in millimetres, safe for colour-blind eyes, saturation marked.

Never fitted to the data: two visits of a patient, or two patients, must be comparable by eye.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from face3d.scan import Floats

#: mm, both ways. The smallest asymmetry that people see is 2 (lid) to 4 mm (nasal tip), 6 mm at the chin; 4 mm keeps
#: those apart from the 0.6 mm of healthy faces, and what lies beyond is marked.
LIMIT_MM = 4.0

#: From -LIMIT to +LIMIT: blue over near-white to orange-brown, told apart with any colour vision and, by the steps
#: and the contour lines, in greyscale. Lightness falls evenly to both ends.
_STOPS: Floats = np.array(
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

#: From 0 to LIMIT, for lengths, which have no sign: near-white to brown, a hue family that any colour vision orders
#: (after ColorBrewer's YlOrBr).
_LENGTH_STOPS: Floats = np.array(
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

#: Beyond the limits: darker and of another hue than the ends of the scale.
BELOW, ABOVE = (58, 20, 92), (92, 10, 38)

#: Where nothing could be measured.
UNMEASURED = (150, 150, 152)


def colors_of(values: ArrayLike) -> Floats:
    """Values (...) in mm to colours (..., 3) 0..255; NaN is `UNMEASURED`, beyond the limits `BELOW` and `ABOVE`."""
    v = np.asarray(values, np.float64)
    place = np.clip((np.nan_to_num(v) / LIMIT_MM + 1.0) / 2.0, 0.0, 1.0) * (len(_STOPS) - 1)
    stops = np.arange(len(_STOPS))
    out = np.stack([np.interp(place, stops, _STOPS[:, channel]) for channel in range(3)], axis=-1)
    out[v < -LIMIT_MM] = BELOW
    out[v > LIMIT_MM] = ABOVE
    out[~np.isfinite(v)] = UNMEASURED
    return out


def colors_of_size(values: ArrayLike) -> Floats:
    """Lengths (...) in mm, >= 0, to colours (..., 3) 0..255; NaN is `UNMEASURED`, beyond the limit `BELOW`, whose
    purple stays apart from the brown end."""
    v = np.asarray(values, np.float64)
    place = np.clip(np.nan_to_num(v) / LIMIT_MM, 0.0, 1.0) * (len(_LENGTH_STOPS) - 1)
    stops = np.arange(len(_LENGTH_STOPS))
    out = np.stack([np.interp(place, stops, _LENGTH_STOPS[:, channel]) for channel in range(3)], axis=-1)
    out[v > LIMIT_MM] = BELOW
    out[~np.isfinite(v)] = UNMEASURED
    return out


def hex_of(color: ArrayLike) -> str:
    """#rrggbb of a colour (3,) 0..255."""
    return "#" + "".join(f"{round(float(c)):02x}" for c in np.asarray(color))
