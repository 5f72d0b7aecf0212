"""Which unit a scan's numbers are in: OBJ, PLY and STL do not say, so the size of the head has to."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from face3d.errors import ScanError
from face3d.scan import Floats

#: Millimetres in one of each.
MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "in": 25.4}
#: Those that are inferred. Inches are not: a size that fits them fits centimetres as well.
_INFERRED = ("mm", "cm", "m")

# A cropped adult face is 120-220 mm high (Farkas 1994: physiognomic face height 187 +- 8 mm), a child's somewhat less;
# a head with neck, hair and clothing reaches 600 mm. The range is narrower than a factor of 10: no size fits twice.
SMALLEST_MM, LARGEST_MM = 85.0, 800.0
_ENOUGH = 5_000  # points: 25 of them lie beyond a percentile of 0.5


class Unit(NamedTuple):
    """A unit that is settled: the millimetres in one, and the note that says how that was known. Taken for `units`, so
    that all frames of a recording are read in one unit, whatever the size of each."""

    factor: float
    note: str


def extent(vertices: Floats) -> float:
    """The longest extent of a point set along its principal axes, between the 0.5th and 99.5th percentile.

    The same in any pose; stray points far away, up to one in 200, do not change it.
    """
    points = np.asarray(vertices, np.float64)
    points = points[:: max(1, len(points) // _ENOUGH)]
    middle = points - np.median(points, axis=0)
    # Principal axes of the bulk: a few far points would otherwise turn them.
    radius = np.linalg.norm(middle, axis=1)
    bulk = middle[radius <= np.quantile(radius, 0.99)]
    _, axes = np.linalg.eigh(bulk.T @ bulk)
    low, high = np.quantile(middle @ axes, [0.005, 0.995], axis=0)
    return float((high - low).max())


def to_millimetres(name: str, vertices: Floats, units: str | float | Unit) -> Unit:
    """The factor that turns the file's numbers into millimetres, and a note that says why.

    `units` is "mm", "cm", "m", "in", how many millimetres a unit has (25.4 or "25.4"), "auto" to infer it from the
    size, or settled. Raises `ScanError` when the size fits no unit.
    """
    if isinstance(units, Unit):
        return units
    if units in MILLIMETRES:
        return Unit(MILLIMETRES[str(units)], f"{units}: as given")
    if units != "auto":
        factor = _number(units)
        if factor is None:
            raise ScanError(
                f"{name}: units {units!r} are not known; give 'auto', 'mm', 'cm', 'm', 'in' or the millimetres in one"
            )
        return Unit(factor, f"{factor:.10g}: as given, the millimetres in one unit of the file")
    size = extent(vertices)
    for unit in _INFERRED:
        factor = MILLIMETRES[unit]
        if SMALLEST_MM <= size * factor <= LARGEST_MM:
            return Unit(
                factor,
                f"{unit}: inferred, since the longest extent of {size:.4g} is {size * factor:.0f} mm in that unit; "
                f"a face or head has {SMALLEST_MM:.0f} to {LARGEST_MM:.0f} mm",
            )
    raise ScanError(
        f"{name}: the longest extent is {size:.4g}, no face or head ({SMALLEST_MM:.0f} to {LARGEST_MM:.0f} mm) "
        f"in mm, cm or m; say which it is: units='mm' (on the command line: --units mm), 'cm', 'm', 'in', or the "
        f"millimetres in one unit; with that given, a face is looked for even beside a body or a wall"
    )


def _number(units: str | float) -> float | None:
    """The millimetres in one unit, when that is what `units` says."""
    try:
        factor = float(units)
    except (TypeError, ValueError):
        return None
    return factor if math.isfinite(factor) and factor > 0 else None
