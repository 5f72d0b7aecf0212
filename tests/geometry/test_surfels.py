"""Surface elements lie on the surface, whatever its triangulation."""

from __future__ import annotations

import numpy as np

from face3d.geometry.elements import CELL, Surfels
from face3d.scan import FaceScan


def plane(step: float) -> FaceScan:
    """A 60 mm square, z = 0, in triangles of `step` mm, facing +z."""
    n = round(60 / step) + 1
    x, y = np.meshgrid(np.arange(n) * step, np.arange(n) * step, indexing="ij")
    k = np.arange(n * n).reshape(n, n)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    return FaceScan(np.column_stack([x.ravel(), y.ravel(), 0 * x.ravel()]), np.vstack([np.c_[a, b, c], np.c_[a, c, d]]))


def test_points_and_normals_of_a_plane() -> None:
    found = Surfels.of(plane(1.0))
    assert np.abs(found.points[:, 2]).max() < 1e-12
    assert np.allclose(found.normals, [0, 0, 1])


def test_large_triangles_are_filled() -> None:
    coarse, fine = Surfels.of(plane(10.0)), Surfels.of(plane(1.0))
    assert abs(len(coarse.points) / len(fine.points) - 1) < 0.25
    gap = coarse.tree.query(fine.points)[0].max()
    assert gap < 1.5 * CELL


def test_noise_is_averaged() -> None:
    rng = np.random.default_rng(2)
    scan = plane(0.5)
    noisy = scan.replace(vertices=scan.vertices + 0.2 * rng.normal(size=scan.vertices.shape))
    assert Surfels.of(noisy).points[:, 2].std() < 0.2 / np.sqrt(CELL**2 / 0.25) * 1.5  # 16 vertices a cell
