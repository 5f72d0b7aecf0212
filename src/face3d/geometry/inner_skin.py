"""The inner of two skins: a scan made ready for printing has a wall, and only its outside is the face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import KDTree

from face3d.geometry.rays import RayScene
from face3d.geometry.winding import outward
from face3d.scan import Floats, Ints

#: mm. Printable walls are 1 to 5 mm thick; lips, lids and nostrils have something as near behind, but only they.
THICKEST = 10.0
#: Two walls where over this share of the surface something lies behind it, as far as usual there but for this share.
MUCH, EVEN = 0.6, 0.35
_LOOKS = 500
_START = 0.02  # mm: rays start this far off their own triangle
LARGE = 0.05  #: Pieces of this share of the surface know by their own shape which side is outside.
ALIKE = 0.5  #: Cosine: what bends more between two triangles is an edge.


def inner_skin(vertices: Floats, faces: Ints, vector: Floats) -> tuple[NDArray[np.bool_], float] | None:
    """(F,) the triangles of an inner skin and the rim that joins it to the outer one, and the wall's thickness, mm.

    None where there is one skin only: lips, lids, nostrils and ears double a face here and there, never most of it at
    one distance. No triangle where there are two skins that can't be told apart. `vector` (F, 3): the triangles' area
    vectors; neighbours are wound alike.
    """
    if not len(faces) or not _doubled_across_the_middle(vertices, faces, vector):
        return None
    behind, before = _layers(vertices, faces, vector, np.arange(len(faces)))
    gap, area = np.minimum(behind, before), np.linalg.norm(vector, axis=1)
    thickness = float(np.median(gap[gap < _reach(vertices)]))
    if area[np.abs(gap - thickness) < EVEN * thickness].sum() < MUCH * area.sum():
        return None
    return _sides(vertices, faces, vector, behind, before, thickness) < 0, thickness


def _doubled_across_the_middle(vertices: Floats, faces: Ints, vector: Floats) -> bool:
    """A quick look at a band across the surface's middle: it tells most scans, which have one skin, in no time."""
    longest = int(np.argmax(np.ptp(vertices, axis=0)))
    at = vertices[faces[:, 0], longest]
    along = np.abs(vertices[:, longest] - np.partition(at, len(at) // 2)[len(at) // 2])  # where there is a triangle
    reach = _reach(vertices)
    band = np.flatnonzero((along < 1.5 * reach)[faces].any(axis=1))
    core = np.flatnonzero((along < 0.25 * reach)[faces[band]].any(axis=1))
    core = core[:: max(1, len(core) // _LOOKS)]
    gap = np.minimum(*_layers(vertices, faces[band], vector[band], core))
    area = np.linalg.norm(vector[band[core]], axis=1)
    return bool(area[gap < reach].sum() > 0.5 * MUCH * area.sum())


def _reach(vertices: Floats) -> float:
    return min(THICKEST, 0.1 * float(np.ptp(vertices, axis=0).max()))  # what is smaller than a face is in another unit


def _layers(vertices: Floats, faces: Ints, vector: Floats, which: Ints) -> tuple[Floats, Floats]:
    """How far behind and before the triangles `which` another lies, mm, inf if nowhere."""
    scene = RayScene(vertices, faces, threads=2, middle=vertices[faces[0, 0]])
    middle, normal = vertices[faces[which]].mean(axis=1), _unit(vector[which])
    behind, before = (
        np.asarray(scene.cast(middle + _START * way, way).distance, np.float64) for way in (-normal, normal)
    )
    return behind + _START, before + _START


def _unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)


def _sides(vertices: Floats, faces: Ints, vector: Floats, behind: Floats, before: Floats, thickness: float) -> Floats:
    """(F,) 1 on the outer skin, -1 on the inner one and on the rim between; all 0 where they can't be told apart."""
    area, normals = np.linalg.norm(vector, axis=1), _unit(vector)
    sure = np.abs(np.minimum(behind, before) - thickness) < 0.5 * thickness
    one, two = _neighbours(faces, len(vertices))
    # A rim, sharp or round, parts the skins: there nothing lies behind at the usual distance, or the surface bends.
    smooth = np.einsum("ij,ij->i", normals[one], normals[two]) > ALIKE
    within = sure[one] & sure[two] & smooth
    count, piece = _pieces(len(faces), one[within], two[within])
    # Which side of its triangles is outside of a piece, and on which of them the other skin lies.
    dome = outward(vertices, faces, vector, piece, each=True)
    other = np.bincount(piece, np.where(behind <= before, area, -area) * sure, count)
    own = np.sign(dome * other)[piece]
    large = np.bincount(piece, area * sure, count) > LARGE * area.sum()
    side = np.where(large[piece], own, 0.0)
    if not ((side > 0).any() and (side < 0).any()):
        return np.zeros(len(faces))
    # What is of no large piece is of the skin that is fewer triangles away; what neither reaches is told by itself.
    seeds, rest = np.flatnonzero(side > 0), np.flatnonzero(side == 0)
    node = np.where(side > 0, 0, 1)
    node[rest] = 2 + np.arange(len(rest))
    graph = csr_matrix((np.ones(len(one)), (node[one], node[two])), (len(rest) + 2, len(rest) + 2))
    outer, inner = dijkstra(graph, directed=False, indices=[0, 1], unweighted=True)[:, 2:]
    apart = np.isinf(outer) & np.isinf(inner)
    side[rest] = np.where((apart & (own[rest] < 0)) | (inner < outer), -1.0, 1.0)
    # What touches both is the rim: the outer skin ends where it bends away.
    _, patch = _pieces(len(node), *(n[(node[one] > 1) & (node[two] > 1)] for n in (one, two)))
    outside, inside = (np.concatenate([one[node[two] == k], two[node[one] == k]]) for k in (0, 1))
    both = np.isin(patch[rest], patch[outside]) & np.isin(patch[rest], patch[inside])
    rim = rest[both & (side[rest] > 0)]
    middles = vertices[faces].mean(axis=1)
    _, near = KDTree(middles[seeds]).query(middles[rim])
    side[rim[np.einsum("ij,ij->i", normals[rim], normals[seeds[near]]) <= ALIKE]] = -1.0
    return side


def _pieces(count: int, one: Ints, two: Ints) -> tuple[int, Ints]:
    graph = csr_matrix((np.ones(len(one), np.int8), (one, two)), (count, count))
    return connected_components(graph, directed=False)


def _neighbours(faces: Ints, count: int) -> tuple[Ints, Ints]:
    """Pairs of triangles that share an edge."""
    tail, head = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    key = np.minimum(tail, head) * np.int64(count) + np.maximum(tail, head)
    order = np.argsort(key, kind="stable")
    same = key[order[1:]] == key[order[:-1]]
    return order[:-1][same] // 3, order[1:][same] // 3
