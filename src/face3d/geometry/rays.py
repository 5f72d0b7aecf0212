"""A surface made ready for closest points and rays (Embree through open3d): the one place that talks to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from face3d.extras import require
from face3d.scan import Floats, Ints


class Closest(NamedTuple):
    """`points` (n, 3) on the surface, mm; the `faces` (n,) they lie on, and `weights` (n, 3) of its corners there."""

    points: Floats
    faces: Ints
    weights: Floats


class Hits(NamedTuple):
    """`distance` along each ray (...), inf where it hits nothing; the `faces` (...) hit, -1 for none; `shares` (..., 2)
    of its second and third corner there; `normals` (..., 3) of the faces themselves."""

    distance: NDArray[np.float32]
    faces: NDArray[np.int32]
    shares: NDArray[np.float32]
    normals: NDArray[np.float32]


class RayScene:
    """`vertices` (V, 3) mm, `faces` (F, 3). Embree works in single precision: everything is taken about the middle of
    the surface, so that the far-away coordinates of some scanners cost no accuracy."""

    def __init__(self, vertices: Floats, faces: Ints, threads: int = 0, middle: Floats | None = None) -> None:
        """`threads` at most, 0 for all; `middle` (3,) by default the mean of the vertices."""
        o3d = require("open3d")
        self._tensor: Any = o3d.core.Tensor  # its stubs know no arrays
        self._threads = threads
        self.middle = vertices.mean(axis=0) if middle is None else middle
        self._scene: Any = o3d.t.geometry.RaycastingScene(nthreads=threads)
        self._scene.add_triangles(
            self._tensor((vertices - self.middle).astype(np.float32)), self._tensor(faces.astype(np.uint32))
        )

    def closest(self, points: Floats) -> Closest:
        """The nearest place of the surface to each of `points` (n, 3)."""
        asked = self._tensor((points - self.middle).astype(np.float32))
        found = self._scene.compute_closest_points(asked, nthreads=self._threads)
        faces = found["primitive_ids"].numpy().astype(np.int64)
        return Closest(found["points"].numpy() + self.middle, faces, corner_weights(found["primitive_uvs"].numpy()))

    def cast(self, origins: Floats, directions: Floats) -> Hits:
        """The first hit of each ray from `origins` (..., 3) along `directions` (..., 3), in units of their length."""
        cast = self._scene.cast_rays(self._rays(origins, directions), nthreads=self._threads)
        faces = cast["primitive_ids"].numpy().view(np.int32)  # of what is not hit all bits are set: -1
        return Hits(cast["t_hit"].numpy(), faces, cast["primitive_uvs"].numpy(), cast["primitive_normals"].numpy())

    def hidden(self, origins: Floats, directions: Floats) -> NDArray[np.bool_]:
        """(n,) whether each ray hits anything."""
        return self._scene.test_occlusions(self._rays(origins, directions), nthreads=self._threads).numpy()

    def _rays(self, origins: Floats, directions: Floats) -> Any:
        rays = np.empty((*origins.shape[:-1], 6), np.float32)
        rays[..., :3], rays[..., 3:] = origins - self.middle, directions
        return self._tensor(rays)


def corner_weights(shares: NDArray[np.float32]) -> Floats:
    """(..., 3) weights of a triangle's corners from the shares (..., 2) of the second and the third."""
    two = shares.astype(np.float64)
    return np.concatenate([1.0 - two.sum(axis=-1, keepdims=True), two], axis=-1)
