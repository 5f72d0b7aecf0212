"""One place, one vertex: whatever rounding made of it, and never across a real gap."""

import numpy as np
import pytest

from face3d.geometry.mesh import rim_edges
from face3d.geometry.weld import TOLERANCE, lonely_edges, welded
from face3d.scan import FaceScan, Floats, Ints


def sheet(n: int = 20, step: float = 2.0, z: float = 0.0) -> tuple[Floats, Ints]:
    x, y = np.meshgrid(np.arange(n + 1) * step, np.arange(n + 1) * step)
    at = np.arange(x.size).reshape(x.shape)
    quad = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], -1).reshape(-1, 4)
    faces = np.concatenate([quad[:, :3], quad[:, [0, 2, 3]]])
    return np.column_stack([x.ravel(), y.ravel(), np.full(x.size, z)]).astype(np.float64), faces.astype(np.int64)


def loose(vertices: Floats, faces: Ints, noise: float, seed: int = 0) -> tuple[Floats, Ints]:
    """Each triangle with corners of its own, `noise` mm off."""
    corners = vertices[faces].reshape(-1, 3)
    return corners + np.random.default_rng(seed).normal(0, noise, corners.shape), np.arange(faces.size).reshape(-1, 3)


@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-6, 2e-4, 6e-4])  # mm at edges of 2 mm: up to 3e-4 of them
def test_loose_triangles_meet_again(noise: float):
    vertices, faces = sheet()
    corners, own = loose(vertices, faces, noise)
    place = welded(corners, own)
    assert np.array_equal(place[place], place) and (place <= np.arange(len(place))).all()
    # Corners of one vertex, and only those, are one place.
    assert np.array_equal(place, np.unique(faces.ravel(), return_index=True)[1][faces.ravel()])
    assert rim_edges(corners, own).sum() == rim_edges(vertices, faces).sum() == 4 * 20


def test_fine_and_coarse_triangles_side_by_side():
    """The tolerance is the finer one's: 0.1 mm edges beside 10 mm edges are not drawn together."""
    fine, coarse = sheet(20, 0.1), sheet(4, 10.0)
    parts = [loose(*fine, 1e-6), loose(coarse[0] + [0, 0, 30.0], coarse[1], 1e-3)]
    corners = np.concatenate([p[0] for p in parts])
    faces = np.concatenate([parts[0][1], parts[1][1] + len(parts[0][0])])
    assert len(np.unique(welded(corners, faces))) == len(fine[0]) + len(coarse[0])


def test_a_real_gap_stays_open():
    """Two rims (a mouth, an eyelid) 0.02 mm apart, at edges of 2 mm, are two; inner vertices are never joined."""
    vertices, faces = sheet()
    gap = 0.02
    assert gap > 2 * TOLERANCE * 2.0
    other = vertices * [1, -1, 1] - np.array([0, gap, 0])
    both, triangles = np.concatenate([vertices, other]), np.concatenate([faces, faces[:, ::-1] + len(vertices)])
    assert np.array_equal(welded(both, triangles), np.arange(len(both)))
    assert rim_edges(both, triangles).sum() == 8 * 20
    pressed = np.concatenate(
        [vertices, vertices + np.array([0.0, 0.0, 1e-5])]
    )  # skin on skin: only the rims are joined
    place = welded(pressed, np.concatenate([faces, faces + len(vertices)]))
    inner = ((vertices[:, :2] > 0) & (vertices[:, :2] < 40)).all(axis=1)
    assert np.array_equal(place[len(vertices) :] == np.arange(len(vertices)), ~inner)


def test_many_points_in_one_spot_take_no_time():
    """Thirty thousand triangles crowded at one corner: neither pairs are listed nor rounds counted."""
    rng = np.random.default_rng(0)
    n = 30_000
    apart = np.stack(np.unravel_index(rng.permutation(60**3)[: 2 * n], (60, 60, 60)), axis=1) * 5.0 + 5.0
    corners = np.concatenate([rng.normal(0, 1e-7, (n, 3)), apart])
    faces = np.stack([np.arange(n), np.arange(n) + n, np.arange(n) + 2 * n], axis=1)
    place = welded(corners, faces)
    assert (place[:n] == 0).all() and np.array_equal(place[n:], np.arange(n, 3 * n))


def test_differences_that_vanish_when_squared():
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1e-200, 0, 0], [-1, 0, 0], [0, -1, 0]])
    assert welded(corners, np.array([[0, 1, 2], [3, 4, 5]])).tolist() == [0, 1, 2, 0, 4, 5]


def test_clouds_are_welded_bit_for_bit():
    points = np.array([[0.0, 0, 0], [1e-9, 0, 0], [-0.0, 0, 0]])
    assert welded(points, FaceScan(points).faces).tolist() == [0, 1, 0]


@pytest.mark.parametrize("seed", range(5))
def test_open_edges_are_those_of_one_triangle(seed: int):
    """Holes, triangles wound the wrong way, and edges of three triangles: as counted one by one."""
    rng = np.random.default_rng(seed)
    vertices, faces = sheet()
    faces = faces[rng.random(len(faces)) > 0.1]
    wrong = rng.random(len(faces)) < 0.1
    faces[wrong] = faces[wrong, ::-1]
    third = np.column_stack([faces[:30, :2], np.arange(len(vertices), len(vertices) + 30)])
    faces = np.concatenate([faces, third])
    edges = np.sort(np.stack([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]], axis=1), axis=2)
    _, of, count = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True, return_counts=True)
    assert np.array_equal(lonely_edges(faces, len(vertices) + 30), (count == 1)[of].reshape(-1, 3))
