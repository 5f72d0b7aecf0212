"""Where in a scan heads may be: a body, a room, several people, told by how the points lie."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from face3d.scan import Floats

#: mm. Radius of a head, about its middle.
HEAD = 110.0
#: mm. The middles of two heads are further apart than this.
APART = 150.0
#: mm, standard deviation from a plane over the size of a head: less is a wall, a table, a chest.
FLAT = 12.0
#: mm. Thickness times the share of the surroundings that is near: heads have 11 to 32, a chest or shoulder 6 to 12.
#: Where a face is known, a second one is looked for only in what has more than this.
LIKELY = 8.0
#: Cells of `_CELL` mm that half of a child's face fills.
LEAST = 200
#: Places that are worth a look, the likeliest first.
MOST = 24
_CELL = 8.0
_ROUNDS = 6


def head_places(points: Floats, known: Floats | None = None) -> Floats:
    """(N, 3) mm: the middles of what may be heads in `points` (V, 3), the likeliest first; none near the `known` one.

    Points gather where a head's are: means over a ball of its size are followed until they stay. What is thick, and
    compact beside its surroundings, is likelier a head than a limb or a shoulder; what is flat is none.
    """
    none = np.empty((0, 3))
    if known is not None:
        points = points[np.linalg.norm(points - known, axis=1) > APART - 10.0]
    if len(points) < LEAST:
        return none
    thin = thinned(points, _CELL)
    if len(thin) < LEAST:
        return none
    tree, middles = KDTree(thin), thinned(thin, HEAD)
    for _ in range(_ROUNDS):
        middles = np.array([thin[near].mean(axis=0) for near in tree.query_ball_point(middles, HEAD)])
    around = tree.query_ball_point(middles, HEAD)
    count = np.array([len(near) for near in around])
    thick = np.array([_thickness(thin[near]) if len(near) >= LEAST else 0.0 for near in around])
    likely = thick * count / tree.query_ball_point(middles, 2.0 * HEAD, return_length=True)
    kept = [] if known is None else [known]
    for k in np.argsort(-likely, kind="stable"):
        enough = thick[k] > FLAT and (known is None or likely[k] > LIKELY)
        if enough and all(np.linalg.norm(middles[k] - other) > HEAD / 2 for other in kept):
            kept.append(middles[k])
    return np.array(kept[0 if known is None else 1 :][:MOST]).reshape(-1, 3)


def thinned(points: Floats, cell: float) -> Floats:
    """The mean of the points in each cube of `cell` mm."""
    place = np.floor((points - points.min(axis=0)) / cell).astype(np.int64)
    size = place.max(axis=0) + 1
    key = (place[:, 0] * size[1] + place[:, 1]) * size[2] + place[:, 2]
    _, of, count = np.unique(key, return_inverse=True, return_counts=True)
    return np.stack([np.bincount(of.reshape(-1), points[:, k]) / count for k in range(3)], axis=1)


def _thickness(points: Floats) -> float:
    """Standard deviation from the plane that fits best."""
    return float(np.sqrt(max(np.linalg.eigvalsh(np.cov(points.T))[0], 0.0)))
