"""What a mesh, or a cloud, has at its vertices: normals, areas, rims."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from face3d.geometry.weld import lonely_edges, welded
from face3d.scan import FaceScan, Floats, Ints

#: Points at once, so that a million of them need no more memory than this many.
_CHUNK = 200_000


def vertex_normals(vertices: Floats, faces: Ints) -> Floats:
    """Unit normals (V, 3), area-weighted over the triangles around a vertex and outward where these run
    counter-clockwise; (0, 0, 0) where there are none or they have no area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    doubled = np.cross(b - a, c - a)
    corner = faces.ravel()
    total = np.stack([np.bincount(corner, np.repeat(doubled[:, k], 3), len(vertices)) for k in range(3)], axis=1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-300)


def scan_normals(scan: FaceScan) -> Floats:
    """The same of a scan. Points of a cloud get the normal of their 12 nearest neighbours' plane, turned away from the
    cloud's centre."""
    return vertex_normals(scan.vertices, scan.faces) if len(scan.faces) else _cloud_normals(scan.vertices)


def vertex_areas(scan: FaceScan) -> Floats:
    """(V,) mm2: a third of the triangles around each vertex; points of a cloud count alike, 1 each."""
    if not len(scan.faces):
        return np.ones(len(scan.vertices))
    a, b, c = (scan.vertices[scan.faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6.0
    return np.asarray(np.bincount(scan.faces.ravel(), np.repeat(area, 3), len(scan.vertices)), np.float64)


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
