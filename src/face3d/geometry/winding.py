"""Which triangles are wound against their neighbours, and whether a surface faces outwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from face3d.geometry.weld import touching, unpaired
from face3d.scan import Floats, Ints

#: A face or head is domed, so `outward` is clearly positive; a few percent either way say nothing.
CLEAR = 0.1
#: Below this share of a surface's area, triangles wound against the rest are the ones to turn.
MINORITY = 0.4


def outward(vertices: Floats, faces: Ints, vector: Floats, surface: Ints, each: bool = False) -> Floats:
    """-1..1: how far the triangles, as a whole or for `each` surface (S,), face away from the middle of their surface.

    `vector` (F, 3): the triangles' area vectors; `surface` (F,): which surface each is of.
    """
    at, area = vertices[faces[:, 0]], np.sqrt(np.einsum("ij,ij->i", vector, vector))
    total = np.maximum(np.bincount(surface, area), 1e-300)
    middle = np.stack([np.bincount(surface, area * at[:, k]) for k in range(3)], axis=1) / total[:, None]
    away = np.einsum("ij,ij->i", at - middle[surface], vector)
    of = surface if each else np.zeros(len(faces), np.int64)
    return np.bincount(of, away) / np.maximum(np.bincount(of, np.abs(away)), 1e-300)


def against(vertices: Floats, faces: Ints, vector: Floats) -> NDArray[np.bool_]:
    """(F,) which triangles to turn so that neighbours agree: those across an edge that two triangles share.

    Nothing where all agree already. Otherwise each connected surface is made of one mind and, where the triangles that
    disagree are no clear minority, faces outwards. What no winding can satisfy (a Moebius strip) keeps its seam.
    `vector` (F, 3): the triangles' area vectors.
    """
    one, two, same_way = _shared_edges(faces, len(vertices))
    turn = np.zeros(len(faces), bool)
    if not same_way.any():
        return turn
    # Patches that agree within: what is turned is turned as a whole patch.
    _, patch = _components(len(faces), one[~same_way], two[~same_way])
    count = int(patch.max()) + 1
    a, b = patch[one[same_way]], patch[two[same_way]]
    a, b = a[a != b], b[a != b]
    # All borders between patches say "the other way round". Where they contradict each other, the longer border wins.
    border = coo_matrix((np.ones(len(a)), (np.minimum(a, b), np.maximum(a, b))), (count, count)).tocsr()
    border.sum_duplicates()
    tree = border.copy()
    tree.data = 1.0 / tree.data
    tree = minimum_spanning_tree(tree)
    _, surface = connected_components(tree, directed=False)
    area = np.sqrt(np.einsum("ij,ij->i", vector, vector))
    turn = _two_coloured(tree, surface, np.asarray(np.bincount(patch, area, count), np.float64))[patch]
    of = surface[patch]
    total = np.maximum(np.bincount(of, area), 1e-300)
    share = np.bincount(of, area * turn) / total
    faces_out = outward(vertices, faces, np.where(turn[:, None], -vector, vector), of, each=True)
    as_whole = np.where(np.abs(share - 0.5) > 0.5 - MINORITY, share > 0.5, faces_out < 0)
    return turn ^ (as_whole & (share > 0))[of]


def _shared_edges(faces: Ints, count: int) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """The pairs of triangles on each edge that has exactly two, and whether both run along it the same way."""
    empty = np.empty(0, np.int64)
    near = faces[touching(faces, unpaired(faces, count))]
    ordered = np.sort((near * np.int64(count) + near[:, [1, 2, 0]]).ravel())
    if not (ordered[1:] == ordered[:-1]).any():  # each edge is run along once each way: all agree
        return empty, empty, np.empty(0, bool)
    tail, head = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    key = np.minimum(tail, head) * np.int64(count) + np.maximum(tail, head)
    order = np.argsort(key, kind="stable")
    begins = np.flatnonzero(np.concatenate([[True], np.diff(key[order]) != 0]))
    pair = begins[np.diff(np.append(begins, len(order))) == 2]
    one, two = order[pair], order[pair + 1]
    return one // 3, two // 3, np.asarray(tail[one] == tail[two])


def _components(count: int, one: Ints, two: Ints) -> tuple[int, Ints]:
    graph = csr_matrix((np.ones(len(one), np.int8), (one, two)), (count, count))
    return connected_components(graph, directed=False)


def _two_coloured(tree: csr_matrix, surface: Ints, area: Floats) -> NDArray[np.bool_]:
    """Nodes an odd number of steps from the largest of their tree."""
    count = len(surface)
    largest = np.lexsort((-area, surface))
    roots = largest[np.flatnonzero(np.concatenate([[True], np.diff(surface[largest]) != 0]))]
    # One node above all roots, so that one walk reaches every tree.
    edges = tree.tocoo()
    rows, cols = np.concatenate([edges.row, roots]), np.concatenate([edges.col, np.full(len(roots), count)])
    whole = csr_matrix((np.ones(len(rows), np.int8), (rows, cols)), (count + 1, count + 1))
    _, before = breadth_first_order(whole, count, directed=False)
    before[count] = count
    odd = np.ones(count + 1, bool)
    odd[count] = False
    while (before != count).any():  # steps to the top by doubling
        odd ^= odd[before]
        before = before[before]
    return ~odd[:count]  # the roots themselves are one step from the top
