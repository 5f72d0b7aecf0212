"""A plane chart of a face model's surface: where a scanner's own triangulation is made.

A scanner knows nothing of the model's vertices. So samples are strewn over the surface, triangulated in the plane of
a bijective map (mean-value coordinates: Floater 2003, doi:10.1016/S0167-8396(03)00002-5; convex boundary, hence no
fold-over by Tutte's theorem) and lifted back: face and barycentric coordinates of every sample are known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from face3d.errors import ScanError
from face3d.scan import Floats, Ints
from face3d.values import Value, locked


@dataclass(frozen=True, eq=False, repr=False)
class Chart(Value):
    """A bijective map of a mesh patch to the unit disc.

    `uv` (V, 2), NaN for vertices outside the patch; `faces` (F, 3) all faces of the model, in its order; `inside` (P,)
    indices of those faces that belong to the patch. One chart serves every shape of the same topology.
    """

    uv: Floats
    faces: Ints
    inside: Ints

    @classmethod
    def of(cls, vertices: ArrayLike, faces: ArrayLike) -> Chart:
        """The chart of the largest connected patch of a mesh, mm, looking along +z; holes in it are allowed.

        A closed surface (a whole head, a bust) is opened at its rear. Raises `ScanError` if the patch is not a
        surface (an edge with three faces) or has a handle, so that no chart exists.
        """
        v, f = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
        inside = _largest(v, f, np.arange(len(f)))
        if not len(_boundary(f[inside])):
            rear = np.quantile(v[np.unique(f[inside]), 2], 0.25)
            inside = _largest(v, f, inside[v[f[inside], 2].mean(axis=1) > rear])
        loops = _loops(_boundary(f[inside]))
        used = np.unique(f[inside])
        filled, extra = [f[inside]], []
        longest = max(loops, key=lambda loop: float(np.linalg.norm(v[loop] - v[np.roll(loop, -1)], axis=1).sum()))
        for loop in loops:
            if loop is not longest:  # a hole is closed by a fan for the map's sake; nothing is ever sampled on it
                centre = len(v) + len(extra)
                extra.append(v[loop].mean(axis=0))
                fan = np.column_stack([np.roll(loop, -1), loop, np.full(len(loop), centre)])
                filled.append(fan)
        closed = np.vstack(filled)
        points = np.vstack([v, *extra]) if extra else v
        edges = np.unique(np.sort(closed[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
        euler = len(used) + len(extra) - len(edges) + len(closed)
        if euler != 1:
            raise ScanError(
                f"the face model's largest patch has Euler characteristic {euler}, a disc has 1; "
                "remove handles and inner surfaces (mouth bag, eyeballs) or give the front of the head only"
            )
        uv = np.full((len(v), 2), np.nan)
        uv[used] = _mean_value_map(points, closed, longest)[used]
        return cls(locked(uv), locked(f, np.int64), locked(inside, np.int64))


def _largest(v: Floats, f: Ints, keep: Ints) -> Ints:
    """Those of the faces `keep` that hang together by edges and cover the largest area."""
    g = f[keep]
    edges = np.sort(g[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    owner = np.repeat(np.arange(len(g)), 3)
    _, edge, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    if count.max(initial=0) > 2:
        raise ScanError(f"an edge of the face model has {int(count.max())} faces; a surface has at most 2")
    order = np.argsort(edge.ravel(), kind="stable")
    pair = order[:-1][edge.ravel()[order[:-1]] == edge.ravel()[order[1:]]]
    mate = order[1:][edge.ravel()[order[:-1]] == edge.ravel()[order[1:]]]
    graph = sp.coo_matrix((np.ones(len(pair)), (owner[pair], owner[mate])), shape=(len(g), len(g)))
    _, label = connected_components(graph, directed=False)
    area = np.linalg.norm(np.cross(v[g[:, 1]] - v[g[:, 0]], v[g[:, 2]] - v[g[:, 0]]), axis=1)
    return keep[label == np.argmax(np.bincount(label, area))]


def _boundary(f: Ints) -> Ints:
    """Directed edges (B, 2) that have no opposite."""
    edges = f[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    size = int(f.max()) + 1
    code, back = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
    return edges[~np.isin(code, back)]


def _loops(edges: Ints) -> list[Ints]:
    """Boundary edges chained into closed loops of vertex indices."""
    follow: dict[int, list[int]] = {}
    for a, b in edges.tolist():
        follow.setdefault(a, []).append(b)
    loops = []
    while follow:
        start = next(iter(follow))
        loop, here = [], start
        while here in follow:
            loop.append(here)
            after = follow[here].pop()
            if not follow[here]:
                del follow[here]
            here = after
        loops.append(np.array(loop))
    if any(len(np.unique(loop)) != len(loop) for loop in loops):
        raise ScanError("the face model's boundary touches itself at a vertex; such a patch has no chart")
    return loops


def _mean_value_map(points: Floats, faces: Ints, rim: Ints) -> Floats:
    """Unit-disc coordinates (V, 2): the rim by its arc length, every other point a convex mean of its neighbours."""
    p = points[faces]
    rows, cols, weights = [], [], []
    for k in range(3):
        a, b, c = p[:, k], p[:, (k + 1) % 3], p[:, (k + 2) % 3]
        ab, ac = np.linalg.norm(b - a, axis=1), np.linalg.norm(c - a, axis=1)
        cos = np.einsum("ij,ij->i", b - a, c - a) / np.maximum(ab * ac, 1e-12)
        half = np.sqrt(np.maximum(1 - cos, 1e-9) / np.maximum(1 + cos, 1e-9))  # tan(angle / 2)
        rows += [faces[:, k], faces[:, k]]
        cols += [faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]]
        weights += [half / np.maximum(ab, 1e-6), half / np.maximum(ac, 1e-6)]
    n = len(points)
    w = sp.coo_matrix((np.concatenate(weights), (np.concatenate(rows), np.concatenate(cols))), shape=(n, n)).tocsr()
    step = np.linalg.norm(points[rim] - points[np.roll(rim, -1)], axis=1)
    angle = 2 * np.pi * np.concatenate([[0.0], np.cumsum(step)[:-1]]) / step.sum()
    uv = np.zeros((n, 2))
    uv[rim] = np.column_stack([np.cos(angle), np.sin(angle)])
    free = np.setdiff1d(np.unique(faces), rim)
    system = sp.diags(np.asarray(w[free].sum(axis=1)).ravel()) - w[free][:, free]
    uv[free] = splu(system.tocsc()).solve(w[free][:, rim] @ uv[rim])
    return uv
