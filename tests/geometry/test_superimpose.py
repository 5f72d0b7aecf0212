"""The symmetry plane of faces whose true plane is known, and what must not change it."""

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation

from analytic_face import face, motion
from face3d.errors import RegistrationError
from face3d.geometry.mirror import mirrored
from face3d.geometry.superimpose import SymmetryPlane, superimpose_mirror
from face3d.scan import FaceScan

HERE = RigidTransform.identity()
TRUTH = SymmetryPlane(np.array([1.0, 0.0, 0.0]), np.zeros(3))
CENTRE = np.array([0.0, -20.0, 10.0])  # the middle of the face, where an offset in mm is read


def start(seed, degrees=4.0, mm=3.0):
    """Canonical frame with the error of rough landmarks."""
    rng = np.random.default_rng(seed)
    return RigidTransform.from_components(
        rng.normal(0, mm, 3), Rotation.from_rotvec(np.radians(rng.normal(0, degrees, 3)))
    )


def errors(plane, truth=TRUTH, centre=CENTRE):
    return plane.angle_to(truth), abs(
        float(plane.normal @ (centre - plane.point)) - float(truth.normal @ (centre - truth.point))
    )


def assert_close(plane, degrees, mm):
    turned, off = errors(plane)
    assert turned <= degrees and off <= mm, f"{turned:.3f} degrees, {off:.3f} mm"


@pytest.mark.parametrize("seed", range(3))
def test_symmetric_face_with_noise(seed):
    # 0.2 mm noise over some 3000 patches leaves hundredths; the two sides are triangulated differently.
    assert_close(superimpose_mirror(face(seed, noise=0.2), start(seed)).plane, 0.05, 0.05)


@pytest.mark.parametrize("seed", range(4))
def test_palsied_side_does_not_bias_the_plane(seed):
    assert_close(superimpose_mirror(face(seed, noise=0.2, palsy=8.0), start(seed)).plane, 0.10, 0.08)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("seed", range(3))
def test_hard_one_sided_crop(seed, side):
    scan = face(seed, noise=0.2, palsy=6.0, keep=lambda x, y: side * x > -18.0)
    laid = superimpose_mirror(scan, start(seed))
    assert_close(laid.plane, 0.5, 0.3)
    assert laid.overlap < 0.6


def test_hole_on_one_side():
    scan = face(1, noise=0.2, palsy=6.0, keep=lambda x, y: np.hypot(x - 40, y + 25) > 30.0)
    assert_close(superimpose_mirror(scan, start(1)).plane, 0.2, 0.2)


def test_outliers():
    scan = face(2, noise=0.2, palsy=6.0)
    rng = np.random.default_rng(0)
    vertices = scan.vertices.copy()
    wild = rng.choice(len(vertices), len(vertices) // 100, replace=False)
    vertices[wild] += rng.normal(0, 20.0, (len(wild), 3))
    assert_close(superimpose_mirror(scan.replace(vertices=vertices), start(2)).plane, 0.2, 0.2)


def test_point_cloud():
    scan = face(3, count=14000, noise=0.1, palsy=6.0)
    cloud = FaceScan(scan.vertices, landmarks=scan.landmarks)
    assert_close(superimpose_mirror(cloud, start(3)).plane, 0.2, 0.15)


def test_deterministic_and_blind_to_vertex_order():
    scan = face(4, noise=0.2, palsy=5.0)
    first = superimpose_mirror(scan, start(4)).plane
    again = superimpose_mirror(scan, start(4)).plane
    assert (first.normal == again.normal).all() and (first.point == again.point).all()
    order = np.random.default_rng(0).permutation(len(scan.vertices))
    back = np.argsort(order)
    shuffled = FaceScan(scan.vertices[order], back[scan.faces])
    assert superimpose_mirror(shuffled, start(4)).plane.angle_to(first) < 1e-6


def test_moves_with_the_scan():
    scan, there = face(5, noise=0.2, palsy=5.0), motion(5)
    here = superimpose_mirror(scan, start(5)).plane.moved(there)
    moved = superimpose_mirror(scan.moved(there), start(5) * there.inv()).plane
    assert moved.angle_to(here) < 1e-4
    assert abs(moved.normal @ (here.point - moved.point)) < 1e-3


def test_mirror_image_has_the_mirrored_plane():
    scan = face(6, noise=0.2, palsy=6.0)
    plane = superimpose_mirror(scan, HERE).plane
    other = superimpose_mirror(mirrored(scan), HERE).plane
    flipped = SymmetryPlane(-plane.normal * (-1.0, 1.0, 1.0), plane.point * (-1.0, 1.0, 1.0))
    # The grid of patches is not its own mirror image: a hundredth of a degree.
    assert other.angle_to(flipped) < 0.03 and abs(other.normal @ (flipped.point - other.point)) < 0.03


def test_normal_points_to_the_subjects_left_and_transform_lays_the_mirror_image_over():
    scan, there = face(7, noise=0.1), motion(7)
    laid = superimpose_mirror(scan.moved(there), there.inv())
    assert there.inv().rotation.as_matrix()[0] @ laid.plane.normal > 0.99
    over = laid.transform.apply(mirrored(scan.moved(there)).vertices)
    np.testing.assert_allclose(over, laid.plane.reflect(scan.moved(there).vertices), atol=1e-8)


def test_far_too_little_overlap_is_an_error():
    with pytest.raises(RegistrationError, match="counterpart"):
        superimpose_mirror(face(8, keep=lambda x, y: x > 12.0), HERE)


def test_wrong_unit_is_an_error():
    scan = face(9)
    with pytest.raises(RegistrationError, match="too small"):
        superimpose_mirror(scan.replace(vertices=scan.vertices / 1000.0), HERE)


@pytest.mark.parametrize("axis", [(0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)])
def test_landmarks_ten_degrees_and_eight_millimetres_off_still_lead_there(axis):
    scan = face(10, noise=0.2, palsy=6.0)
    far = RigidTransform.from_components([8.0, 0.0, 0.0], Rotation.from_rotvec(np.radians(10.0) * np.array(axis)))
    assert_close(superimpose_mirror(scan, far).plane, 0.1, 0.1)
