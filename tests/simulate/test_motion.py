"""Motion: smooth courses at any rate, weak sides that come late, blinks at the stated rate, truth per frame."""

import numpy as np
import pytest

from face3d.simulate.head import HeadModel
from face3d.simulate.motion import BLINKS_PER_MINUTE, Timing, draw_timing, minimum_jerk, move

REST = np.zeros(4), np.array([0.0, 0.1, 0.0, 0.0])
APEX = np.array([1.0, 0.5, 0.0, 0.0]), np.array([0.4, 0.1, 0.0, 0.0])
BLINK = np.array([0.0, 0.0, 1.0, 0.0]), np.array([0.0, 0.0, 0.3, 0.0])


def test_minimum_jerk_starts_and_ends_at_rest():
    t = np.linspace(-0.5, 1.5, 4001)
    way = minimum_jerk(t)
    speed = np.gradient(way, t)
    assert way[0] == 0
    assert way[-1] == 1
    assert minimum_jerk(0.5) == pytest.approx(0.5)
    assert speed.max() == pytest.approx(1.875, rel=1e-3)  # 15/8 of the mean speed, the signature of minimum jerk
    assert abs(np.gradient(speed, t)[[1000, 3000]]).max() < 0.1  # no jump of acceleration at the ends


def test_motion_goes_from_rest_over_the_apex_to_rest():
    m = move(REST, APEX, np.random.default_rng(0), fps=60)
    assert np.allclose(np.diff(m.time), 1 / 60)
    for course, rest, apex in zip((m.left, m.right), REST, APEX, strict=True):
        assert np.allclose(course[0], rest)
        assert np.allclose(course[-1], rest)
        # Tremble is 1.5 % of the way in standard deviation; its highest peak stays below 6 %.
        assert np.abs(course.max(axis=0) - np.maximum(rest, apex)).max() < 0.06


def test_the_same_movement_at_any_frame_rate():
    slow, fast = (move(REST, APEX, np.random.default_rng(3), fps=f, blink=BLINK) for f in (30, 120))
    n = min(len(slow), len(fast.left[::4]))
    assert n > 30
    assert np.allclose(fast.left[::4][:n], slow.left[:n])
    assert np.allclose(fast.head.as_matrix()[::4][:n], slow.head.as_matrix()[:n])


def test_weak_side_comes_late_and_slow():
    lag, slower = [], []
    for seed in range(200):
        left, right = draw_timing(np.random.default_rng(seed), weak="right", function=0.2)
        lag.append(right.start - left.start)
        slower.append(right.onset / left.onset)
    # Uniform up to 150 ms and 60 %, times the loss of 0.8: 60 ms and 24 % in the mean.
    assert np.mean(lag) == pytest.approx(0.06, abs=0.01)
    assert np.mean(slower) == pytest.approx(1.24, abs=0.03)
    both = [draw_timing(np.random.default_rng(seed)) for seed in range(200)]
    assert np.mean([r.start - a.start for a, r in both]) == pytest.approx(0.0, abs=0.005)


def test_blinks_come_at_the_human_rate_and_close_what_they_can():
    still = Timing(0.5, 0.5, 200.0, 0.5)
    count, minutes = 0, 0.0
    for seed in range(12):
        m = move(REST, REST, np.random.default_rng(seed), fps=30, blink=BLINK, timing=(still, still))
        count, minutes = count + len(m.blinks), minutes + m.time[-1] / 60
        assert (np.diff(m.blinks) >= 0.5).all()
    # Twelve people of SD 8: the mean is known to about 2.5.
    assert abs(count / minutes - BLINKS_PER_MINUTE[0]) < 5
    m = move(REST, REST, np.random.default_rng(0), fps=240, blink=BLINK, timing=(still, still))
    assert m.left[:, 2].max() == pytest.approx(1.0, abs=0.02)
    assert m.right[:, 2].max() == pytest.approx(0.3, abs=0.01)  # the weak lid stays open


def test_blink_never_opens_an_eye_that_is_closed():
    closed = np.array([0.0, 0.0, 1.0, 0.0])
    hold = Timing(0.3, 0.4, 60.0, 0.4)
    m = move((REST[0], REST[0]), (closed, closed), np.random.default_rng(1), blink=BLINK, timing=(hold, hold))
    inside = (m.time > 0.8) & (m.time < 60)
    assert m.right[inside, 2].min() > 0.93


def test_head_motion_is_rigid_small_and_starts_at_nothing():
    m = move(REST, APEX, np.random.default_rng(0))
    assert np.allclose(m.head[0].as_matrix(), np.eye(4))
    assert np.degrees(m.head.rotation.magnitude()).max() < 15
    assert np.linalg.norm(m.head.translation, axis=1).max() < 25
    still = move(REST, APEX, np.random.default_rng(0), sway=False)
    assert np.allclose(still.head.as_matrix(), np.eye(4))


def test_frames_are_the_models_shapes_moved_with_the_head():
    head = HeadModel.load()
    zero = np.zeros(len(head.units))
    smile = zero.copy()
    smile[0] = 1.0
    m = move((zero, zero), (smile, 0.3 * smile), np.random.default_rng(0), fps=20)
    shapes, frames = list(m.shapes(head)), list(m.frames(head))
    assert len(shapes) == len(frames) == len(m)
    k = int(np.argmax(m.left[:, 0]))
    assert np.allclose(shapes[k], head.shape(left=m.left[k], right=m.right[k]))
    assert np.allclose(m.head[k].inv().apply(frames[k]), shapes[k], atol=1e-9)


def test_frame_rate_must_be_positive():
    with pytest.raises(ValueError, match="fps"):
        move(REST, APEX, np.random.default_rng(0), fps=0)
