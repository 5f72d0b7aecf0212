"""Raw scans in one frame: an expression lies on rest where the face stands still, and no point of a scan is wasted."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.geometry.mesh import vertex_normals
from face3d.grading.grid import MARKS
from face3d.learn.point_networks.raw_scans import BACK_MM, REACH_MM, points_of, spread
from face3d.template.template import FaceTemplate

TEMPLATE = FaceTemplate.load()


def scan(vertices: np.ndarray, pose: RigidTransform, mark_mm: float = 0.0, seed: int = 0) -> SimpleNamespace:
    """The template's vertices as a scan in another pose, with landmarks that err."""
    at = TEMPLATE.landmark_points(vertices)
    rng = np.random.default_rng(seed)
    marks = {name: pose.apply(at[name] + rng.normal(0, mark_mm, 3)) for name in MARKS}
    surfels = SimpleNamespace(
        points=pose.apply(vertices), normals=pose.rotation.apply(vertex_normals(vertices, TEMPLATE.faces))
    )
    return SimpleNamespace(surfels=surfels, found=SimpleNamespace(landmarks=marks, confidence={}), head=None)


def posed(*degrees: float) -> RigidTransform:
    return RigidTransform.from_components([20.0, -5.0, 300.0], Rotation.from_euler("xyz", degrees, degrees=True))


def smiling() -> np.ndarray:
    unit = TEMPLATE.units.index("mouthSmile")
    return TEMPLATE.vertices + TEMPLATE.left[unit] + TEMPLATE.right[unit]


def test_an_expression_is_laid_on_rest_better_than_its_landmarks_say():
    scans = {
        "rest": scan(TEMPLATE.vertices, posed(4, -8, 3)),
        "open_smile": scan(smiling(), posed(-3, 5, -6), mark_mm=1.0, seed=1),
    }
    points, marks = points_of(scans, ("rest", "brow_raise", "open_smile"), 800)
    assert points.shape == (3, 800, 6)
    assert np.isnan(points[1]).all()
    assert np.isnan(marks[1]).all()
    rest, smile = points[0], points[2]
    forehead = smile[(smile[:, 1] > 15) & (smile[:, 2] > -20)]
    near = np.linalg.norm(forehead[:, None, :3] - rest[None, :, :3], axis=2).argmin(axis=1)
    off = ((forehead[:, :3] - rest[near, :3]) * rest[near, 3:]).sum(axis=1)
    assert np.median(np.abs(off)) < 0.25  # 1 mm of landmarks alone leaves a millimetre
    corner = MARKS.index("ch_left")
    true = TEMPLATE.landmark_points(smiling())["ch_left"] - TEMPLATE.landmark_points(TEMPLATE.vertices)["ch_left"]
    assert np.linalg.norm(marks[2, corner] - marks[0, corner] - true) < 4.0
    assert np.linalg.norm(true) > 4.0


def test_points_are_means_of_all_that_lies_nearest():
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-30.0, 31.0), np.arange(-30.0, 31.0)))
    rng = np.random.default_rng(0)
    plane = np.column_stack([x, y, rng.normal(0, 1.0, len(x)), np.zeros((len(x), 2)), np.ones(len(x))])
    made = spread(plane, 50)
    assert np.std(made[:, 2]) < 0.3  # 70 points in each: 0.12, less at the rim
    np.testing.assert_allclose(made[:, 3:], np.tile([0.0, 0.0, 1.0], (50, 1)))


def test_what_is_not_the_face_is_left_out_and_few_points_are_repeated():
    surface = np.zeros((5, 6))
    surface[:, :3] = [[0, 0, 0], [10, 0, 0], [0, REACH_MM + 1, 0], [0, 0, BACK_MM - 1], [0, 10, 0]]
    made = spread(surface, 7)
    assert {tuple(p) for p in made[:, :3]} == {(0, 0, 0), (10, 0, 0), (0, 10, 0)}
    assert np.isnan(spread(surface[2:4], 4)).all()
