"""What a mesh, or a cloud, has at its vertices: normals, areas, rims."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csc_array
from scipy.spatial import KDTree

from face3d.geometry.weld import lonely_edges, welded
from face3d.scan import FaceScan, Floats, Ints

#: Points, and triangles, at once, so that a million of them need no more memory than this many.
_CHUNK, _TRIANGLES = 200_000, 600_000


def vertex_normals(vertices: Floats, faces: Ints) -> Floats:
    """Unit normals (V, 3), area-weighted over the triangles around a vertex and outward where these run
    counter-clockwise; (0, 0, 0) where there are none or they have no area."""
    total = np.zeros((len(vertices), 3))
    for part in _chunks(faces):
        total += at_corners(part, doubled_areas(vertices, part), len(vertices))
    total /= np.maximum(lengths(total), 1e-300)[:, None]
    return total


def doubled_areas(vertices: Floats, faces: Ints) -> Floats:
    """(F, 3) the triangles' normals, as long as twice their area."""
    return cross(*edges_from_first(vertices, faces))


def edges_from_first(vertices: Floats, faces: Ints) -> tuple[Floats, Floats]:
    """(F, 3) and (F, 3): from each triangle's first corner to its second and to its third."""
    a, b, c = (np.take(vertices, faces[:, k], axis=0) for k in range(3))
    b -= a
    c -= a
    return b, c


def cross(u: Floats, v: Floats) -> Floats:
    """Cross products of rows (N, 3): numpy's own takes four times as long."""
    out = np.empty(np.broadcast_shapes(u.shape, v.shape))
    for k, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
        out[..., k] = u[..., i] * v[..., j] - u[..., j] * v[..., i]
    return out


def lengths(rows: Floats) -> Floats:
    """(N,) lengths of rows (N, 3)."""
    return np.sqrt(np.einsum("ij,ij->i", rows, rows))


def at_corners(faces: Ints, values: Floats, count: int) -> Floats:
    """(count, C): at each vertex the sum of what the triangles around it have, `values` (F, C)."""
    # A matrix with a column a triangle is there already, but for its ones: nothing is sorted.
    ones, begins = np.ones(faces.size), np.arange(0, faces.size + 1, 3)
    return csc_array((ones, faces.ravel(), begins), shape=(count, len(faces))) @ values


def _chunks(faces: Ints) -> Iterator[Ints]:
    for first in range(0, len(faces), _TRIANGLES):
        yield faces[first : first + _TRIANGLES]


def scan_normals(scan: FaceScan) -> Floats:
    """The same of a scan. Points of a cloud get the normal of their 12 nearest neighbours' plane, turned away from the
    cloud's centre."""
    return vertex_normals(scan.vertices, scan.faces) if len(scan.faces) else _cloud_normals(scan.vertices)


def vertex_areas(scan: FaceScan) -> Floats:
    """(V,) mm2: a third of the triangles around each vertex; points of a cloud count alike, 1 each."""
    if not len(scan.faces):
        return np.ones(len(scan.vertices))
    total = np.zeros(len(scan.vertices))
    for part in _chunks(scan.faces):
        total += at_corners(part, lengths(doubled_areas(scan.vertices, part)) / 6.0, len(total))
    return total


def rim_edges(vertices: Floats, faces: Ints) -> np.ndarray:
    """(F, 3) bool: the edge opposite a triangle's k-th corner belongs to this triangle alone.

    Corners at the same place are one (`weld.welded`): a texture seam, or an STL file's loose triangles, have no rim.
    """
    rim = lonely_edges(faces, len(vertices))
    if rim.any():
        place = welded(vertices, faces)
        if (place != np.arange(len(vertices))).any():
            rim = lonely_edges(place[faces], len(vertices))
    return rim


def _cloud_normals(points: Floats) -> Floats:
    tree = KDTree(points)
    normals = np.empty_like(points)
    for first in range(0, len(points), _CHUNK):
        part = points[first : first + _CHUNK]
        near = points[tree.query(part, k=min(12, len(points)), workers=-1)[1].reshape(len(part), -1)]
        spread = near - near.mean(axis=1, keepdims=True)
        normals[first : first + _CHUNK] = np.linalg.eigh(np.einsum("nki,nkj->nij", spread, spread))[1][:, :, 0]
    # A face is an open cap: its centre of mass lies on the inner side of nearly all of it.
    outward = np.einsum("ij,ij->i", normals, points - points.mean(axis=0))
    return normals * np.where(outward < 0, -1.0, 1.0)[:, None]
