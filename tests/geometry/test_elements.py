"""Patches sum up a surface: its area, its normals, and hardly its triangulation."""

import numpy as np
import pytest

from analytic_face import face, height
from face3d.geometry.elements import grid_cells, surface_patches
from face3d.geometry.mesh import cross


def test_area_is_kept():
    scan = face(0)
    a, b, c = (scan.vertices[scan.faces[:, k]] for k in range(3))
    whole = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    # A patch that folds over itself is none: a per cent at the rim of the face.
    assert surface_patches(scan.vertices, scan.faces, 2.5).area.sum() == pytest.approx(whole, rel=0.02)


@pytest.mark.parametrize("cloud", [False, True])
def test_patches_lie_on_the_surface_and_face_outwards(cloud):
    scan = face(1, count=14000)
    patches = surface_patches(scan.vertices, scan.faces[:0] if cloud else scan.faces, 3.0)
    inner = np.hypot(patches.points[:, 0] / 60, (patches.points[:, 1] + 14) / 85) < 1
    x, y, z = patches.points[inner].T
    # The mean of a 3 mm piece of a surface of radius 6 mm (the nose) lies 0.2 mm inside; elsewhere it is hundredths.
    assert np.quantile(np.abs(z - height(x, y)), 0.95) < 0.2
    step = 0.01
    slope = [(height(x + step, y) - height(x - step, y)), (height(x, y + step) - height(x, y - step))]
    normal = np.stack([-slope[0] / (2 * step), -slope[1] / (2 * step), np.ones_like(x)], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    agree = np.einsum("ij,ij->i", normal, patches.normals[inner])
    assert np.quantile(agree, 0.05) > np.cos(np.radians(12))


def test_spikes_do_not_count():
    scan = face(2)
    vertices = scan.vertices.copy()
    vertices[:: len(vertices) // 20] += (0.0, 0.0, 60.0)
    clean, spiked = (surface_patches(v, scan.faces, 5.0) for v in (scan.vertices, vertices))
    assert spiked.points[:, 2].max() < clean.points[:, 2].max() + 1.0


def test_grid_cells_number_each_cell_once():
    points = np.array([[0.1, 0.1, 0.1], [0.9, 0.2, 0.3], [1.1, 0.0, 0.0], [-0.1, 0.0, 0.0], [0.2, 0.2, 0.2]])
    cell, count = grid_cells(points, 1.0)
    assert count == 3 and cell[0] == cell[1] == cell[4] and len({cell[0], cell[2], cell[3]}) == 3
    far, many = grid_cells(np.vstack([points, points + 1e6]), 1.0)  # too far apart for a table: sorted instead
    assert many == 6 and far[0] == far[1] != far[5] == far[6]


def test_cross_is_numpys():
    u, v = np.random.default_rng(0).normal(size=(2, 50, 3))
    np.testing.assert_allclose(cross(u, v), np.cross(u, v))
