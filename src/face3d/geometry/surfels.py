"""A scan as evenly spread surface elements: what a template is fitted to.

Averaging over small cells takes scanner noise out, makes the fit independent of the triangulation, and its time
independent of the number of vertices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from face3d.geometry.distance import scan_normals
from face3d.geometry.skin_tone import ToneField, tone_fields, vertex_tone
from face3d.scan import FaceScan, Floats, Ints

#: mm, about the vertex spacing of a stereophotogrammetric scanner's 30,000-vertex face.
CELL = 2.0
#: An element whose normals cancel by more than this is a fold or an edge, not a surface.
_LEAST_UNITY = 0.6
#: A triangle is filled with at most this many steps a side: larger ones are clothing or damage.
_MOST_STEPS = 8


@dataclass(frozen=True, eq=False)
class Surfels:
    """`points`, `normals` (N, 3) in the scan's coordinates, mm; `tree` over the points; `name` of the scan; `tone` (N,)
    log of green where the scan has colours, else None."""

    points: Floats
    normals: Floats
    tree: KDTree
    name: str = ""
    tone: Floats | None = None

    @cached_property
    def tone_fields(self) -> tuple[ToneField, ToneField] | None:
        """The coarse and the fine field of the tone, where there is one."""
        return None if self.tone is None else tone_fields(self.points, self.normals, self.tone, self.tree)

    @classmethod
    def of(cls, scan: FaceScan, cell: float = CELL) -> Surfels:
        """Cells of `cell` mm over the scan, the points and normals in each averaged."""
        seen = vertex_tone(scan)
        given = [scan.vertices, scan_normals(scan)] + ([] if seen is None else [seen[:, None]])
        v, n, *tone = np.split(_filled(np.hstack(given), scan.faces, cell), [3, 6][: len(given) - 1], axis=1)
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
        shade = np.bincount(index, tone[0][:, 0])[good] / count[good] if tone else None
        return cls(points, normals, KDTree(points), scan.name, shade)


def _filled(values: Floats, faces: Ints, cell: float) -> Floats:
    """What the vertices have (V, C), positions first, and what a lattice inside large triangles has."""
    if not len(faces):
        return values
    corner = values[faces][:, :, :3]
    longest = np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2).max(axis=1)
    steps = np.minimum(np.ceil(longest / cell), _MOST_STEPS).astype(np.int64)
    out = [values]
    for k in range(2, _MOST_STEPS + 1):
        large = faces[steps == k]
        if len(large):
            i, j = np.meshgrid(np.arange(k + 1), np.arange(k + 1), indexing="ij")
            inside = i + j <= k
            share = np.column_stack([i[inside], j[inside], k - i[inside] - j[inside]]) / k
            share = share[share.max(axis=1) < 1.0]
            out.append(np.einsum("sk,fkc->fsc", share, values[large]).reshape(-1, values.shape[1]))
    return np.concatenate(out)
