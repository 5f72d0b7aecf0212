"""A scan as evenly spread surface elements: what a template is fitted to.

Averaging over small cells takes scanner noise out, makes the fit independent of the triangulation, and its time
independent of the number of vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from face3d.scan import FaceScan, Floats, Ints
from face3d.surface import vertex_normals

#: mm, about the vertex spacing of a stereophotogrammetric scanner's 30,000-vertex face.
CELL = 2.0
#: An element whose normals cancel by more than this is a fold or an edge, not a surface.
_LEAST_UNITY = 0.6
#: A triangle is filled with at most this many steps a side: larger ones are clothing or damage.
_MOST_STEPS = 8


@dataclass(frozen=True, eq=False)
class Surfels:
    """`points`, `normals` (N, 3) in the scan's coordinates, mm; `tree` over the points; `name` of the scan."""

    points: Floats
    normals: Floats
    tree: KDTree
    name: str = ""

    @classmethod
    def of(cls, scan: FaceScan, cell: float = CELL) -> Surfels:
        """Cells of `cell` mm over the scan, the points and normals in each averaged."""
        v, n = _filled(scan.vertices, vertex_normals(scan), scan.faces, cell)
        spot = np.floor((v - v.min(axis=0)) / cell).astype(np.int64)
        extent = spot.max(axis=0) + 1
        _, index, count = np.unique(
            (spot[:, 0] * extent[1] + spot[:, 1]) * extent[2] + spot[:, 2], return_inverse=True, return_counts=True
        )
        index = index.reshape(-1)
        points = np.stack([np.bincount(index, v[:, k]) for k in range(3)], axis=1) / count[:, None]
        normals = np.stack([np.bincount(index, n[:, k]) for k in range(3)], axis=1) / count[:, None]
        length = np.linalg.norm(normals, axis=1)
        good = length > _LEAST_UNITY
        points, normals = points[good], normals[good] / length[good, None]
        return cls(points, normals, KDTree(points), scan.name)


def _filled(v: Floats, n: Floats, faces: Ints, cell: float) -> tuple[Floats, Floats]:
    """Points and normals of the vertices and, inside triangles too large for the cells, of a lattice."""
    if not len(faces):
        return v, n
    corner = v[faces]
    longest = np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2).max(axis=1)
    steps = np.minimum(np.ceil(longest / cell), _MOST_STEPS).astype(np.int64)
    points, normals = [v], [n]
    for k in range(2, _MOST_STEPS + 1):
        large = faces[steps == k]
        if len(large):
            i, j = np.meshgrid(np.arange(k + 1), np.arange(k + 1), indexing="ij")
            inside = i + j <= k
            share = np.column_stack([i[inside], j[inside], k - i[inside] - j[inside]]) / k
            share = share[share.max(axis=1) < 1.0]
            points.append(np.einsum("sk,fki->fsi", share, v[large]).reshape(-1, 3))
            normals.append(np.einsum("sk,fki->fsi", share, n[large]).reshape(-1, 3))
    return np.concatenate(points), np.concatenate(normals)
