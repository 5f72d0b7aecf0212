"""Which vertices are one place: bit for bit, or, along open edges, but for rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from face3d.scan import Floats, Ints

#: Open edges lie on each other within this share of the mean edge around them: a few micrometres on a face scan. That
#: is rounding (six digits, single precision); between lips or lids that a scanner told apart lie tenths of millimetres.
TOLERANCE = 4e-3
_CHUNK = 600_000  # triangles at once


def welded(vertices: Floats, faces: Ints) -> Ints:
    """(V,) for each vertex the one that stands for its place, the first of them, itself where it is alone.

    Vertices at exactly the same place are one. So are, of triangles, vertices on open edges that differ by rounding:
    loose triangles (STL, "triangle soup") and texture seams, written by a program that computed each corner anew.
    Inner vertices are never moved.
    """
    first = first_of_equal(np.ascontiguousarray(vertices + 0.0).view(np.uint64))  # + 0.0: minus zero is zero
    if not len(faces):
        return first
    joined = faces if (first == np.arange(len(first))).all() else first[faces]
    a, b, c = joined.T
    area = (a != b) & (b != c) & (c != a)  # what has no area has no edges
    if not area.all():
        joined = joined[area]
    open_edges = lonely_edges(joined, len(vertices))
    if not open_edges.any():
        return first
    rim = np.zeros(len(vertices), bool)
    for k in range(3):
        rim[joined[open_edges[:, k]][:, [k - 2, k - 1]]] = True
    loose = np.flatnonzero(rim)
    place = loose[_near(vertices[loose], TOLERANCE * _mean_edge(vertices, joined[touching(joined, rim)])[loose])]
    to = np.arange(len(vertices))
    to[loose] = place
    return to[first]


def lonely_edges(faces: Ints, count: int) -> NDArray[np.bool_]:
    """(F, 3) bool: the edge opposite a triangle's k-th corner belongs to this triangle alone; `count` vertices."""
    lonely = np.zeros(faces.shape, bool)
    open_ = unpaired(faces, count)
    which = np.flatnonzero(touching(faces, open_))
    near = faces[which]
    one, two = near[:, [1, 2, 0]], near[:, [2, 0, 1]]
    # All triangles on an edge between two such vertices are at hand; other edges are shared.
    row, side = np.nonzero(open_[one] & open_[two])
    one, two = one[row, side], two[row, side]
    key = np.minimum(one, two) * np.int64(count) + np.maximum(one, two)
    order = np.argsort(key)
    ordered = key[order]
    alone = np.ones(len(ordered), bool)
    alone[1:] &= ordered[1:] != ordered[:-1]
    alone[:-1] &= ordered[1:] != ordered[:-1]
    lonely[which[row[order[alone]]], side[order[alone]]] = True
    return lonely


def unpaired(faces: Ints, count: int) -> NDArray[np.bool_]:
    """(count,) the vertices at which some edge is not run along once each way: on a rim, where more than two triangles
    meet, and between triangles that are wound against each other. All others, nearly all, need no look at their edges.
    """
    # The neighbours that triangles go on to from a vertex are those that they come from: so sums of their numbers are
    # equal, and, of numbers of no meaning below 2^48 (exact in double precision), almost never by chance.
    number = np.random.default_rng(0).integers(0, 2**48, count).astype(np.float64)
    total = np.zeros(count)
    for first in range(0, len(faces), _CHUNK):
        part = faces[first : first + _CHUNK]
        near = np.take(number, part)
        total += np.bincount(part.ravel(), (near[:, [1, 2, 0]] - near[:, [2, 0, 1]]).ravel(), count)
    return np.asarray(total != 0)


def touching(faces: Ints, vertices: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(F,) which triangles have a corner among `vertices` (V,) bool."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return a | b | c


def first_of_equal(rows: NDArray) -> Ints:
    """For each row (N, 3) of 64-bit numbers, the number of the first row equal to it."""
    columns = [np.ascontiguousarray(rows[:, i]).view(np.uint64) for i in range(3)]
    # Odd constants of no meaning: equal rows get equal keys, and different rows almost never do.
    odd = [np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)]
    key = columns[0] * odd[0] + columns[1] * odd[1] + columns[2] * odd[2]
    ordered = np.sort(key)  # several times as fast as to know the order, which is rarely needed
    if not (ordered[1:] == ordered[:-1]).any():
        return np.arange(len(key))
    order = np.argsort(key, kind="stable")

    def equal_to_last() -> NDArray[np.bool_]:
        return np.logical_and.reduce([column[order[1:]] == column[order[:-1]] for column in columns])

    same = ordered[1:] == ordered[:-1]
    if (same & ~equal_to_last()).any():
        order = np.lexsort(columns)
    same = equal_to_last()
    begins = np.concatenate([[True], ~same])
    out = np.empty(len(order), np.int64)
    out[order] = order[np.flatnonzero(begins)][np.cumsum(begins) - 1]
    return out


def _mean_edge(vertices: Floats, faces: Ints) -> Floats:
    """(V,) mm: the mean length of the triangles' edges at each vertex, 0 where there are none."""
    tail, head = faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()
    length = np.linalg.norm(vertices[tail] - vertices[head], axis=1)
    ends, lengths = np.concatenate([tail, head]), np.concatenate([length, length])
    count = np.bincount(ends, minlength=len(vertices))
    return np.bincount(ends, lengths, len(vertices)) / np.maximum(count, 1)


def _near(points: Floats, reach: Floats) -> Ints:
    """(N,) for each point the first of those it meets: the nearest one within both their reaches, and so on."""
    to: Ints = np.arange(len(points))
    alive = to
    # Each round joins every point with its nearest, so that places where many meet need a few rounds, and never a list
    # of all pairs.
    while len(alive) > 1:
        apart, near = (np.asarray(a) for a in KDTree(points[alive]).query(points[alive], 2, workers=-1))
        # Itself comes first, but where squares of the distance underflow.
        other = alive[np.where(near[:, 1] == np.arange(len(alive)), near[:, 0], near[:, 1])]
        meets = apart[:, 1] <= np.minimum(reach[alive], reach[other])
        if not meets.any():
            break
        graph = csr_matrix((np.ones(meets.sum(), np.int8), (alive[meets], other[meets])), (len(points), len(points)))
        _, label = connected_components(graph, directed=False)
        lowest = np.full(label.max() + 1, len(points))
        np.minimum.at(lowest, label, np.arange(len(points)))
        step = lowest[label]
        to = step[to]
        alive = np.unique(step[alive[meets]])
    return to
