"""A face given by a formula: exactly symmetric, any triangulation, with a palsy that can be planted on it."""

from __future__ import annotations

import numpy as np
from scipy.spatial import Delaunay
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.landmarking.pose import average_landmarks
from face3d.scan import FaceScan


def height(x, y):
    """z (mm) of the face over (x, y) in the canonical frame; even in x."""
    dome = 85.0 * np.sqrt(np.clip(1.0 - (x / 80.0) ** 2 - ((y + 20.0) / 130.0) ** 2, 0.02, None)) - 78.0

    def bump(x0, y0, sx, sy, h):
        return h * np.exp(-0.5 * (((np.abs(x) - x0) / sx) ** 2 + ((y - y0) / sy) ** 2))

    nose = 22.0 * np.exp(-0.5 * (x / 10.0) ** 2) * np.exp(-0.5 * ((y + 27.0) / np.where(y > -27.0, 14.0, 6.0)) ** 2)
    return (
        dome
        + nose
        + bump(31, 0, 10, 6, -7)
        + bump(35, 20, 18, 6, 4)
        + bump(38, -30, 14, 14, 5)  # orbits, brows, cheekbones
        + bump(0, -62, 16, 4, 5)
        + bump(0, -74, 15, 4, 5)
        + bump(0, -98, 14, 9, 6)
        + bump(16, -36, 5, 5, 6)
    )


def face(seed=0, count=9000, noise=0.0, palsy=0.0, keep=None):
    """A scan in the canonical frame with all landmarks that lie on it, its triangulation unlike on the two sides.

    `palsy` mm plants a drop of the left mouth corner and brow (peak displacement, inwards and down); `keep` (x, y) ->
    bool crops. Landmarks move with the palsy.
    """
    rng = np.random.default_rng(seed)
    flat = rng.uniform((-78, -118), (78, 92), (3 * count, 2))
    flat = flat[(flat[:, 0] / 74) ** 2 + ((flat[:, 1] + 14) / 104) ** 2 < 1][:count]
    for _ in range(2):  # a little more even than random: every point moves towards its neighbours' mean
        mesh = Delaunay(flat)
        start, around = mesh.vertex_neighbor_vertices
        mean = np.add.reduceat(flat[around], start[:-1]) / np.diff(start)[:, None]
        inner = np.ones(len(flat), bool)
        inner[mesh.convex_hull.ravel()] = False
        flat[inner] = mean[inner]
    faces = Delaunay(flat).simplices.astype(np.int64)
    a, b, c = flat[faces[:, 0]], flat[faces[:, 1]], flat[faces[:, 2]]
    clockwise = np.cross(np.c_[b - a, np.zeros(len(a))], np.c_[c - a, np.zeros(len(a))])[:, 2] < 0
    faces[clockwise] = faces[clockwise][:, ::-1]
    if keep is not None:
        faces = faces[keep(flat[:, 0], flat[:, 1])[faces].all(axis=1)]
        used, inverse = np.unique(faces, return_inverse=True)
        flat, faces = flat[used], inverse.reshape(-1, 3)
    marks = {k: np.array([p[0], p[1], height(p[0], p[1])]) for k, p in average_landmarks().items() if abs(p[0]) < 60}
    vertices = displaced(np.c_[flat, height(flat[:, 0], flat[:, 1])], palsy)
    marks = {k: displaced(p[None], palsy)[0] for k, p in marks.items()}
    if noise:
        vertices = vertices + rng.normal(0.0, noise, vertices.shape)
    return FaceScan(vertices, faces, marks, name="analytic face")


def displaced(points, palsy):
    """The planted palsy: zero outside 28 mm around the left mouth corner and 22 mm around the left brow."""
    moved = points.copy()
    for centre, reach, way in (((25, -68), 28.0, (-0.3, -0.8, -0.5)), ((38, 22), 22.0, (0.0, -0.9, -0.4))):
        r = np.hypot(points[:, 0] - centre[0], points[:, 1] - centre[1]) / reach
        share = np.where(r < 1, (1 - np.minimum(r, 1) ** 2) ** 2, 0.0)
        moved += palsy * share[:, None] * np.array(way)
    return moved


def motion(seed):
    """Any rotation, and a shift as far as scanners put things."""
    rng = np.random.default_rng(seed)
    return RigidTransform.from_components(rng.uniform(-800, 800, 3), Rotation.random(rng=rng))
