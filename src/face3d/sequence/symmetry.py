"""What both sides share of a movement, and what differs between them, over time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from face3d.landmarks import code_of
from face3d.measuring.protocol import FUNCTIONAL
from face3d.scan import Floats
from face3d.sequence.definitions import Reading, reading

_FLIP = np.array([-1.0, 1.0, 1.0])
#: region -> landmarks that lie in it; of a template, the regions' own mean places count beside them.
POINTS_OF = {
    "brow": ("mb", "sci", "lb", "brow"),
    "midface": ("al", "ac", "nasolabial", "nose", "cheek"),
    "mouth": ("ch", "cph", "commissure", "upper_lip"),
    "lower_lip": ("lower_lip",),
    "chin": ("chin",),
}
assert set(POINTS_OF) <= set(FUNCTIONAL)


def parts_over_time(names: tuple[str, ...], away: Floats) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Region -> (T,) mm: root mean square over its pairs of points of (left + mirrored right) / 2, and of half their
    difference; "face": over all pairs. `away` (T, M, 3) mm from rest, with the symmetry plane at x = const."""
    index = {n: k for k, n in enumerate(names)}
    codes = [code_of(n) for n in names if n.endswith("_left") and f"{code_of(n)}_right" in index]
    symmetric, asymmetric = {}, {}
    for region, of in {"face": tuple(codes), **POINTS_OF}.items():
        pairs = [c for c in codes if c in of]
        if not pairs:
            continue
        left = away[:, [index[f"{c}_left"] for c in pairs]]
        right = away[:, [index[f"{c}_right"] for c in pairs]] * _FLIP
        symmetric[region], asymmetric[region] = _rms((left + right) / 2), _rms((left - right) / 2)
    return symmetric, asymmetric


def _rms(vectors: Floats) -> Floats:
    """(T,) over points (T, n, 3); NaN where one of them is unknown."""
    return np.sqrt((vectors**2).sum(axis=2).mean(axis=1))


def part_readings(
    at: tuple[int, str], apex: int, symmetric: dict[str, Floats], asymmetric: dict[str, Floats], cutoff_hz: float
) -> Iterator[Reading]:
    """Both parts at a movement's apex."""
    for region in symmetric:
        for name, part in (("symmetric", symmetric), ("asymmetric", asymmetric)):
            yield reading(at, name, region, "both", float(part[region][apex]), cutoff_hz, "not seen on both sides")
