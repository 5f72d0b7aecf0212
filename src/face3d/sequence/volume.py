"""Several views of one surface made one: a truncated signed distance in small cubes (Curless & Levoy 1996)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial.transform import RigidTransform

from face3d.errors import ScanError
from face3d.extras import require
from face3d.scan import FaceScan, Floats, Ints

#: Cubes, on either side of a surface, in which its distance is kept.
_TRUNCATION = 4.0
#: Beyond this nothing is a face before a camera, mm.
_FARTHEST_MM = 5000.0
#: An island of less than this share of the largest piece is noise that several views happened to agree on.
_ISLAND = 0.02


class Volume:
    """A surface being built from depth pictures, in cubes of `cube_mm`; open3d keeps only those near a surface."""

    def __init__(self, cube_mm: float, colored: bool = False) -> None:
        self._o3d: Any = require("open3d")
        self.cube_mm, self.colored = float(cube_mm), colored
        o3d = self._o3d
        kinds, number = [o3d.core.float32] * 3, 3 if colored else 2
        self._grid = o3d.t.geometry.VoxelBlockGrid(
            ("tsdf", "weight", "color")[:number],
            tuple(kinds[:number]),
            ((1), (1), (3))[:number],
            self.cube_mm,
            8,
            20000,
        )

    def add(
        self,
        depth_mm: NDArray[np.float32],
        matrix: Floats,
        pose: RigidTransform,
        color: NDArray[np.uint8] | None = None,
    ) -> None:
        """A view: `depth_mm` (H, W), NaN where nothing; K (3, 3); `pose` volume -> camera; colours (H, W, 3)."""
        o3d = self._o3d
        picture = o3d.t.geometry.Image(np.ascontiguousarray(np.nan_to_num(depth_mm, nan=0.0), np.float32))
        k, to_camera = o3d.core.Tensor(np.array(matrix)), o3d.core.Tensor(pose.as_matrix())
        blocks = self._grid.compute_unique_block_coordinates(picture, k, to_camera, 1.0, _FARTHEST_MM, _TRUNCATION)
        if not self.colored:
            self._grid.integrate(blocks, picture, k, to_camera, 1.0, _FARTHEST_MM, _TRUNCATION)
            return
        assert color is not None
        paint = o3d.t.geometry.Image(np.ascontiguousarray(color, np.float32) / np.float32(255))
        self._grid.integrate(blocks, picture, paint, k, k, to_camera, 1.0, _FARTHEST_MM, _TRUNCATION)

    def surface(self, name: str, views: float = 1.0) -> FaceScan:
        """What at least `views` views saw, as a mesh in the volume's frame; holes stay where nothing was seen.

        Raises `ScanError` when there is no surface.
        """
        mesh = self._grid.extract_triangle_mesh(views - 0.5)
        if not len(mesh.vertex.positions) or not len(mesh.triangle.indices):
            raise ScanError(f"{name}: no surface was measured; was a face in the pictures, lit and in focus?")
        v = mesh.vertex.positions.numpy().astype(np.float64)
        f = mesh.triangle.indices.numpy().astype(np.int64)
        c = None
        if self.colored:
            c = np.clip(np.rint(255 * mesh.vertex.colors.numpy()), 0, 255).astype(np.uint8)
        return _tidy(v, f, c, name)


def _tidy(v: Floats, f: Ints, c: NDArray[np.uint8] | None, name: str) -> FaceScan:
    """Without islands, and in an order that does not depend on how threads ran."""
    graph = coo_matrix((np.ones(2 * len(f)), (f[:, [0, 1]].ravel(), f[:, [1, 2]].ravel())), shape=(len(v), len(v)))
    _, piece = connected_components(graph, directed=False)
    size = np.bincount(piece[f[:, 0]], minlength=piece.max() + 1)
    f = f[(size >= _ISLAND * size.max())[piece[f[:, 0]]]]
    used = np.unique(f)
    order = used[np.lexsort(v[used].T)]
    number = np.full(len(v), -1)
    number[order] = np.arange(len(order))
    f = number[f]
    # Each triangle begins with its least corner; their order is that of their corners.
    turn = (f.argmin(axis=1)[:, None] + np.arange(3)) % 3
    f = np.take_along_axis(f, turn, axis=1)
    f = f[np.lexsort(f.T[::-1])]
    return FaceScan(v[order], f, colors=None if c is None else c[order], name=name, units_note="mm: by calibration")
