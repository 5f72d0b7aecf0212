"""Canonical head frame: known poses come back, errors in landmarks are survived or reported."""

import numpy as np
import pytest

from analytic_face import motion
from face3d.errors import LandmarkError
from face3d.landmarking.pose import average_landmarks, head_frame, refined_frame
from face3d.landmarks import relabelled

STEADY = ("en_left", "en_right", "ex_left", "ex_right", "n", "prn", "sn", "al_left", "al_right", "ch_left", "ch_right")


def moved(marks, transform):
    return {k: transform.apply(p) for k, p in marks.items()}


def degrees(a, b):
    return np.degrees((a * b.inv()).rotation.magnitude())


@pytest.mark.parametrize("seed", range(5))
def test_average_face_in_any_pose_and_size_comes_back_exactly(seed):
    there = motion(seed)
    marks = {k: 0.9 * p for k, p in average_landmarks().items() if k in STEADY}
    frame = head_frame(moved(marks, there))
    for point in marks.values():
        np.testing.assert_allclose(frame.apply(there.apply(point)), point, atol=1e-6)


def test_axes_point_left_up_and_front():
    marks = average_landmarks()
    frame = head_frame(moved(marks, motion(3)))
    at = {k: frame.apply(motion(3).apply(p)) for k, p in marks.items()}
    assert at["en_left"][0] > 10 and at["g"][1] > 10 and at["prn"][2] > 20
    np.testing.assert_allclose((at["en_left"] + at["en_right"]) / 2, 0.0, atol=1e-6)


def test_frame_is_rigid():
    matrix = head_frame(moved(average_landmarks(), motion(1))).rotation.as_matrix()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(10))
def test_gross_errors_and_a_palsied_mouth_do_not_turn_the_frame(seed):
    rng = np.random.default_rng(seed)
    marks = {k: p + rng.normal(0, 1.0, 3) for k, p in average_landmarks().items() if k in STEADY}
    clean = head_frame(marks)
    marks["ch_left"] = marks["ch_left"] + (-6.0, -10.0, -4.0)
    wrong = rng.choice(["al_left", "sn", "ex_right"])
    marks[str(wrong)] = marks[str(wrong)] + rng.normal(0, 1, 3) * 80.0  # as bad as detectors get, unflagged
    frame = head_frame(marks)
    # Landmark noise of 1 mm over a baseline of some 60 mm, one landmark fewer: 3 degrees is 3 sigma.
    assert degrees(frame, clean) < 3.0
    assert abs((frame.apply(clean.inv().apply(np.zeros(3))))[0]) < 1.5


def test_confidence_counts():
    marks = average_landmarks()
    off = dict(marks, prn=marks["prn"] + (8.0, 0.0, 0.0))
    sure, unsure = head_frame(off), head_frame(off, {"prn": 0.01})
    assert degrees(unsure, head_frame(marks)) < 0.1 * degrees(sure, head_frame(marks))


def test_exchanged_sides_are_reported():
    with pytest.raises(LandmarkError, match="left and right are exchanged"):
        head_frame(relabelled(average_landmarks()))


def test_too_few_or_collinear_landmarks_are_reported():
    marks = average_landmarks()
    with pytest.raises(LandmarkError, match="at least 4"):
        head_frame({k: marks[k] for k in ("prn", "sn", "n")})
    with pytest.raises(LandmarkError, match="on a line"):
        head_frame({k: np.array([i, 2.0 * i, 0.0]) for i, k in enumerate(STEADY)})


def test_metres_are_reported():
    with pytest.raises(LandmarkError, match="unit"):
        head_frame({k: p / 1000.0 for k, p in average_landmarks().items()})


def test_refined_frame_puts_the_plane_at_x_zero_and_the_eyes_at_the_origin():
    marks = average_landmarks()
    normal, point = np.array([0.99, 0.1, -0.08]), np.array([1.5, 4.0, -20.0])
    frame = refined_frame(head_frame(marks), marks, normal, point)
    unit = normal / np.linalg.norm(normal)
    np.testing.assert_allclose(frame.rotation.as_matrix() @ unit, (1.0, 0.0, 0.0), atol=1e-9)
    assert frame.apply(point)[0] == pytest.approx(0.0, abs=1e-9)
    eyes = (frame.apply(marks["en_left"]) + frame.apply(marks["en_right"])) / 2
    np.testing.assert_allclose(eyes[1:], 0.0, atol=1e-9)
