"""Point sets: sampling and neighbour graphs of our own, exact and the same on every machine.

torch-geometric's need pyg-lib, which is not on PyPI.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from face3d.scan import Ints


def farthest_points(points: ArrayLike, count: int, start: int = 0) -> Ints:
    """Indices (count,) of points (n, 3), each the farthest from those before it (Gonzalez 1985), from `start` on.

    All points, when there are no more than `count`. Single precision; of equals the first is taken.
    """
    at = np.asarray(points, np.float32)
    count = min(count, len(at))
    x, y, z = (np.ascontiguousarray(at[:, k]) for k in range(3))
    near = np.full(len(at), np.inf, np.float32)
    chosen = np.empty(count, np.int64)
    one, two = np.empty_like(near), np.empty_like(near)
    for k in range(count):
        chosen[k] = start
        np.square(np.subtract(x, x[start], out=one), out=one)
        for axis in (y, z):
            np.square(np.subtract(axis, axis[start], out=two), out=two)
            one += two
        np.minimum(near, one, out=near)
        start = int(near.argmax())
    return chosen
