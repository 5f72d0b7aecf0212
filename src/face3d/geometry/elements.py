"""A surface summed up in the cells of a regular grid: what registration and fitting work on.

Averages over cells take the scanner's noise out, hardly depend on how the surface was triangulated, and keep the cost
independent of the number of vertices. `Patches` are for superimposing: area-weighted means of whole triangles, so
integrals over the surface, merged into coarser ones step by step. `Surfels` are for fitting: means of vertices and of
a lattice inside large triangles, which keep the places of small features and carry the skin's tone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from face3d.geometry.mesh import cross, edges_from_first, lengths, scan_normals
from face3d.geometry.skin_tone import ToneField, relief_fields, tone_fields, vertex_tone
from face3d.scan import FaceScan, Floats, Ints
from face3d.values import Value, locked

#: Above this number of triangles an even share of them is summed: the means don't change, the time does.
MOST_TRIANGLES = 400_000
#: A patch whose triangles face apart (length of the summed normal over the area) is a fold, a nostril or noise.
LEAST_COHERENCE = 0.7
#: mm, about the vertex spacing of a stereophotogrammetric scanner's 30,000-vertex face.
CELL = 2.0
#: An element whose normals cancel by more than this is a fold or an edge, not a surface.
_LEAST_UNITY = 0.6
#: A triangle is filled with at most this many steps a side: larger ones are clothing or damage.
_MOST_STEPS = 8


@dataclass(frozen=True, eq=False, repr=False)
class Patches(Value):
    """`points` (N, 3) mm and unit `normals` (N, 3) facing outwards, in the frame of the surface; `area` (N,) mm2;
    `size` mm, the edge of a grid cell; `gap` mm, how far apart neighbouring patches usually are."""

    points: Floats
    normals: Floats
    area: Floats
    size: float
    gap: float

    def __post_init__(self) -> None:
        for name in ("points", "normals", "area"):
            object.__setattr__(self, name, locked(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.points)

    def merged(self, size: float) -> Patches:
        """Coarser patches, in cells of `size` mm."""
        cell, count = grid_cells(self.points, size)
        return _coherent(*_sums(cell, count, self.points, self.normals, self.area), size)


def surface_patches(vertices: Floats, faces: Ints, size: float) -> Patches:
    """Patches of a mesh (F > 0) or of a point cloud (F = 0), all coordinates in mm.

    A cloud has no triangles: its points count alike, and normals come from the spread of neighbouring patches,
    turned away from a point inside the head (z < 0 is the back: the canonical orientation, roughly, is expected).
    """
    if len(faces):
        return _of_triangles(vertices, faces[:: max(1, len(faces) // MOST_TRIANGLES)], size)
    return _of_points(vertices, size)


def _of_triangles(vertices: Floats, faces: Ints, size: float) -> Patches:
    ab, ac = edges_from_first(vertices, faces)
    sides = np.stack([np.einsum("ij,ij->i", side, side) for side in (ab, ac - ab, ac)])
    longest = sides.max(axis=0)
    spike = (longest > 25.0 * np.median(longest)) & (longest > 25.0 * sides.min(axis=0))  # squares: 5 times as long
    doubled = cross(ab, ac)
    area = lengths(doubled) / 2.0
    area[spike] = 0.0
    middle = np.take(vertices, faces[:, 0], axis=0) + (ab + ac) / 3.0
    cell, count = grid_cells(middle, size)
    return _coherent(*_sums(cell, count, middle, doubled / np.maximum(2.0 * area, 1e-300)[:, None], area), size)


def _sums(cell: Ints, count: int, points: Floats, normals: Floats, area: Floats) -> tuple[Floats, Floats, Floats]:
    """Area, and area-weighted sums of points and normals, of each cell."""
    total = np.asarray(np.bincount(cell, area, count), np.float64)
    point = np.stack([np.bincount(cell, area * points[:, k], count) for k in range(3)], axis=1)
    normal = np.stack([np.bincount(cell, area * normals[:, k], count) for k in range(3)], axis=1)
    return total, np.asarray(point, np.float64), np.asarray(normal, np.float64)


def _coherent(total: Floats, point: Floats, normal: Floats, size: float) -> Patches:
    length = np.linalg.norm(normal, axis=1)
    keep = (total > 0) & (length > LEAST_COHERENCE * total)
    points = point[keep] / total[keep, None]
    return Patches(points, normal[keep] / length[keep, None], total[keep], size, _gap(points, size))


def _of_points(vertices: Floats, size: float) -> Patches:
    cell, count = grid_cells(vertices, size)
    total = np.bincount(cell, minlength=count).astype(np.float64)
    points = np.stack([np.bincount(cell, vertices[:, k], count) for k in range(3)], axis=1) / total[:, None]
    near = points[KDTree(points).query(points, k=min(12, len(points)))[1]]
    spread = near - near.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(np.einsum("nki,nkj->nij", spread, spread))
    normals = vectors[:, :, 0]
    inside = np.median(points, axis=0) - (0.0, 0.0, 60.0)  # mm: behind the face, about the middle of the head
    normals = normals * np.where(np.einsum("ij,ij->i", normals, points - inside) < 0, -1.0, 1.0)[:, None]
    flat = values[:, 0] < 0.1 * values[:, 1]  # a neighbourhood without a plane has no normal
    area = np.full(len(points), size**2)
    return Patches(points[flat], normals[flat], area[flat], size, _gap(points[flat], size))


def grid_cells(points: Floats, size: float) -> tuple[Ints, int]:
    """The grid cell of each point, numbered 0.. in the order of the grid."""
    index = np.floor(points / size).astype(np.int64)
    index -= index.min(axis=0)
    spans = index.max(axis=0) + 1
    key = (index[:, 0] * spans[1] + index[:, 1]) * spans[2] + index[:, 2]
    if spans.prod() <= 4 * len(points) + 1_000_000:  # a table is faster than a sort while it is small
        used = np.zeros(int(spans.prod()), bool)
        used[key] = True
        number = np.cumsum(used) - 1
        return number[key], int(number[-1]) + 1
    unique, number = np.unique(key, return_inverse=True)
    return number.reshape(-1), len(unique)


def _gap(points: Floats, size: float) -> float:
    if len(points) < 2:
        return size
    some = points[:: max(1, len(points) // 500)]
    return float(np.median(KDTree(points).query(some, k=2)[0][:, 1]))


@dataclass(frozen=True, eq=False, repr=False)
class Surfels(Value):
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

    @cached_property
    def relief_fields(self) -> tuple[ToneField, ToneField]:
        """The coarse and the fine field of how far the surface stands out of its surroundings, mm."""
        return relief_fields(self.points, self.normals, self.tree)

    @classmethod
    def of(cls, scan: FaceScan, cell: float = CELL) -> Surfels:
        """Cells of `cell` mm over the scan, the points and normals in each averaged."""
        seen = vertex_tone(scan)
        given = [scan.vertices, scan_normals(scan)] + ([] if seen is None else [seen[:, None]])
        v, n, *tone = np.split(_filled(np.hstack(given), scan.faces, cell), [3, 6][: len(given) - 1], axis=1)
        index, cells = grid_cells(v - v.min(axis=0), cell)
        count = np.bincount(index, minlength=cells)
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
    one, two = edges_from_first(np.ascontiguousarray(values[:, :3]), faces)
    longest = np.sqrt(np.max([np.einsum("fi,fi->f", side, side) for side in (one, two, two - one)], axis=0))
    steps = np.minimum(np.ceil(longest / cell), _MOST_STEPS).astype(np.int64)
    out = [values]
    for k in range(2, int(steps.max()) + 1):
        large = faces[steps == k]
        if len(large):
            i, j = np.meshgrid(np.arange(k + 1), np.arange(k + 1), indexing="ij")
            inside = i + j <= k
            share = np.column_stack([i[inside], j[inside], k - i[inside] - j[inside]]) / k
            share = share[share.max(axis=1) < 1.0]
            out.append(np.einsum("sk,fkc->fsc", share, values[large]).reshape(-1, values.shape[1]))
    return np.concatenate(out)
