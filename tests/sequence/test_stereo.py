"""A face from the pictures of calibrated pairs: against the surface that was photographed."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import ScanError, SchemaError
from face3d.geometry.mesh import vertex_normals
from face3d.geometry.rays import RayScene
from face3d.io.calibration import Calibration, centre
from face3d.sequence.matching import match, semi_global
from face3d.sequence.stereo import Reconstruction, reconstruct
from sequence.rigs import Shot, shot


def errors(made: Reconstruction, truth: Shot) -> np.ndarray:
    """Distance (mm) of the reconstructed face to the true one, the rig's frame being the head's."""
    points = made.pose.inv().apply(made.scan.vertices)
    points = points[truth.in_face(points)]
    return np.linalg.norm(RayScene(truth.vertices, truth.faces, threads=1).closest(points).points - points, axis=1)


@pytest.fixture(scope="module")
def frontal() -> Reconstruction:
    truth = shot()
    return reconstruct(truth.pictures, truth.calibration)


def test_a_pair_becomes_the_surface_that_it_saw(frontal):
    error = errors(frontal, shot())
    # 0.65 mm of skin a pixel, 5.5 mm of depth a pixel of disparity: 0.3 mm is a twentieth of it.
    assert len(error) > 10_000 and np.median(error) < 0.3 and np.percentile(error, 95) < 1.5
    assert np.isnan(frontal.pods_apart_mm) and not frontal.notes


def test_what_least_squares_says_of_its_error_is_right_by_its_order(frontal):
    truth = shot()
    sd = frontal.scan.values["sd_mm"][truth.in_face(frontal.pose.inv().apply(frontal.scan.vertices))]
    error = errors(frontal, truth)
    # It knows the camera's noise alone, not what windows of 2 mm smooth away: too small, but large where the error is.
    assert 0.25 < np.nanmedian(sd) / (np.median(error) / 0.6745) < 1.5
    low, high = np.nanquantile(sd, [0.25, 0.75])
    assert np.median(error[sd > high]) > 1.2 * np.median(error[sd < low])


def test_the_face_comes_upright_its_front_outside_and_in_its_colours(frontal):
    v, f = frontal.scan.vertices, frontal.scan.faces
    truth = shot()
    # In the scan's frame the head's up is up and its front is to the front.
    turned = (frontal.pose.rotation).apply([[0, 1.0, 0], [0, 0, 1.0]])
    assert turned[0, 1] > 0.95 and turned[1, 2] > 0.95
    normals = vertex_normals(v, f)
    assert np.median(normals[:, 2]) > 0.4
    lips = frontal.pose.apply(0.5 * (truth.landmarks["ls"] + truth.landmarks["li"]))
    cheek = frontal.pose.apply(truth.landmarks["sn"] + [45.0, 0.0, -20.0])
    color = [frontal.scan.colors[np.linalg.norm(v - p, axis=1) < 9].mean(axis=0) for p in (lips, cheek)]
    assert color[0][0] - color[0][1] > color[1][0] - color[1][1] + 2  # lips are redder


def test_order_of_the_cameras_does_not_matter(frontal):
    truth = shot()
    other = Calibration(truth.calibration.cameras, (("right", "left"),))
    made = reconstruct(truth.pictures, other)
    assert np.array_equal(made.scan.vertices, frontal.scan.vertices)


def test_holes_stay_where_one_camera_sees_nothing():
    truth = shot()
    pictures = {name: picture.copy() for name, picture in truth.pictures.items()}
    camera = truth.calibration.cameras["right"]
    cheek = truth.landmarks["sn"] + [38.0, 0.0, -22.0]
    at = camera.matrix @ camera.pose.apply(cheek)
    x, y = np.rint(at[:2] / at[2]).astype(int)
    noise = np.random.default_rng(0)
    pictures["right"][y - 14 : y + 14, x - 14 : x + 14] = noise.integers(0, 255, (28, 28, 3))  # a hand before it
    made = reconstruct(pictures, truth.calibration)
    points = made.pose.inv().apply(made.scan.vertices)
    hole = np.linalg.norm((points - cheek)[:, :2], axis=1) < 5.0
    assert hole.sum() < 0.1 * np.pi * 5.0**2 / made.cube_mm**2
    assert np.percentile(errors(made, truth), 95) < 1.5


@pytest.mark.parametrize(("degrees", "limit"), [(0.01, 0.45), (0.03, 1.0)])
def test_small_errors_of_the_calibration_stay_small(degrees, limit):
    truth = shot()
    rng = np.random.default_rng(4)
    right = truth.calibration.cameras["right"]
    nudge = RigidTransform.from_rotation(Rotation.from_rotvec(np.radians(degrees) * rng.normal(size=3) / np.sqrt(3)))
    cameras = {**truth.calibration.cameras, "right": replace(right, pose=nudge * right.pose)}
    made = reconstruct(truth.pictures, Calibration(cameras, truth.calibration.pods))
    # A turn of the camera shifts and bends the face as a whole: its shape is what counts.
    points = made.pose.inv().apply(made.scan.vertices)
    points = points[truth.in_face(points)]
    scene = RayScene(truth.vertices, truth.faces, threads=1)
    for _ in range(10):
        near = scene.closest(points).points
        turn = Rotation.align_vectors(near - near.mean(axis=0), points - points.mean(axis=0))[0]
        points = turn.apply(points - points.mean(axis=0)) + near.mean(axis=0)
    assert np.median(np.linalg.norm(scene.closest(points).points - points, axis=1)) < limit


def test_pictures_that_cannot_be_used_are_refused_in_a_line():
    truth = shot()
    good = dict(truth.pictures)

    def refusal(**changes) -> str:
        with pytest.raises((ScanError, SchemaError)) as caught:
            reconstruct({k: v for k, v in {**good, **changes}.items() if v is not None}, truth.calibration)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no picture of camera 'right'" in refusal(right=None)
    assert "calibrated with 390 x 520" in refusal(right=good["right"][:500])
    assert "shape (520, 390)" in refusal(right=good["right"][..., 0])
    assert "is empty" in refusal(left=np.zeros_like(good["left"]))
    noise = np.random.default_rng(0).integers(0, 255, (2, 520, 390, 3)).astype(np.uint8)
    assert refusal(left=noise[0], right=noise[1])
    # Pictures exchanged: the face's points lie where no rig of this kind could see them.
    assert "calibration" in refusal(left=good["right"][::1], right=np.roll(good["left"], 60, axis=0))


def test_matching_finds_a_slanted_plane_better_than_semi_global():
    rng = np.random.default_rng(0)
    import cv2

    texture = cv2.GaussianBlur(rng.normal(0, 120, (200, 400)).astype(np.float32), (0, 0), 2.0) * 3 + 128
    cols, rows = np.meshgrid(np.arange(300, dtype=np.float32), np.arange(200, dtype=np.float32))
    right = texture[:, 50:350]
    true = (8 + 0.12 * (cols - 150) + 0.05 * (rows - 100)).astype(np.float32)
    left = cv2.remap(texture, cols + 50 - true, rows, cv2.INTER_CUBIC)
    pair = [np.clip(p + rng.normal(0, 2, p.shape), 0, 255).astype(np.uint8) for p in (left, right)]
    found = match(*pair, 40.0, -20.0)
    inner = np.s_[30:-30, 60:-60]
    ours = np.abs(found.disparity - true)[inner]
    grey = [p.astype(np.float32) - 128 for p in pair]
    plain = np.abs(semi_global(*grey, 40.0, -20.0) - true)[inner]
    assert np.isfinite(ours).mean() > 0.98
    assert np.nanmedian(ours) < 0.03 < 0.1 < np.nanmedian(plain) + 0.05


def in_sight(truth: Shot) -> np.ndarray:
    """(V,) what both cameras of a pod see: not the inside of mouth and nose."""
    whole, seen = RayScene(truth.vertices, truth.faces, threads=1), np.zeros(len(truth.vertices), bool)
    for pod in truth.calibration.pods:
        by = []
        for name in pod:
            way = centre(truth.calibration.cameras[name]) - truth.vertices
            way /= np.linalg.norm(way, axis=1, keepdims=True)
            by.append(~whole.hidden(truth.vertices + 0.05 * way, way))
        seen |= by[0] & by[1]
    return seen


@pytest.mark.slow
def test_two_pods_make_one_face():
    truth = shot(12, (-35.0, 35.0))
    made = reconstruct(truth.pictures, truth.calibration)
    error = errors(made, truth)
    assert np.median(error) < 0.3 and np.percentile(error, 95) < 1.5
    assert made.pods_apart_mm < 0.6
    covered = RayScene(made.pose.inv().apply(made.scan.vertices), made.scan.faces, threads=1)
    face = truth.vertices[truth.in_face(truth.vertices) & in_sight(truth)]
    near = np.linalg.norm(covered.closest(face).points - face, axis=1)
    assert (near < 1.5).mean() > 0.85
