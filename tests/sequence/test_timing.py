"""Filters, courses and smoothness against what is known of them."""

import numpy as np
import pytest

from face3d.sequence.filtering import Clock, clock_of, cutoff, laid_on, rate_of_change, smoothed
from face3d.sequence.timing import course_of, spectral_arc_length
from face3d.simulate.motion import Timing, minimum_jerk


def test_the_filter_loses_3_db_at_its_cutoff_and_delays_nothing() -> None:
    t = np.arange(0, 20, 1 / 100)
    for hz, gain in ((8.0, 0.5**0.5), (1.0, 1.0), (30.0, 0.01)):
        wave = np.sin(2 * np.pi * hz * t)
        out = smoothed(wave, 100.0, 8.0)[500:1500]
        assert np.abs(out).max() == pytest.approx(gain, abs=0.02)
        if hz == 1.0:
            assert np.abs(out - wave[500:1500]).max() < 0.01


def test_a_cutoff_fits_the_rate() -> None:
    assert cutoff(18.0, 30.0) == 12.0
    assert cutoff(8.0, 60.0) == 8.0


def test_gaps_are_bridged_up_to_the_limit() -> None:
    t = np.arange(100) / 50
    v = np.sin(t)
    v[20:25], v[50:56] = np.nan, np.nan  # 0.1 s, 0.12 s
    out = laid_on(Clock(0.0, 50.0, 100), t, v)
    assert np.isfinite(out[20:25]).all()
    assert np.abs(out[20:25] - np.sin(t[20:25])).max() < 0.01
    assert np.isnan(out[50:56]).all()
    assert np.isfinite(out).sum() == 94


def test_the_clock_is_found() -> None:
    clock, even = clock_of(3.0 + np.arange(50) / 29.97, "x")
    assert even
    assert clock.fps == pytest.approx(29.97, rel=1e-6)
    times = np.delete(np.arange(50) / 60, [10, 11, 30])
    clock, even = clock_of(times, "x")
    assert not even
    assert clock.count == 50


def test_derivative() -> None:
    t = np.arange(200) / 100
    assert rate_of_change(t**2, 100.0)[1:-1] == pytest.approx(2 * t[1:-1])


@pytest.mark.parametrize("onset", [0.25, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["minimum jerk", "cosine", "quintic late"])
def test_borders_of_soft_courses(onset: float, kind: str) -> None:
    """Also for courses that are not what the borders are read by: within 0.1 s."""
    t = np.arange(0, 5, 1 / 60)
    shapes = {
        "minimum jerk": minimum_jerk,
        "cosine": lambda x: 0.5 - 0.5 * np.cos(np.pi * np.clip(x, 0, 1)),
        "quintic late": lambda x: minimum_jerk(np.clip(x, 0, 1) ** 1.2),
    }
    go = shapes[kind]
    values = 8.0 * go((t - 1.0) / onset) * (1 - go((t - 1.0 - onset - 1.2) / 0.7))
    c = course_of(t, values)
    off = np.abs([c.begin - 1.0, c.arrived - 1.0 - onset, c.leaves - 2.2 - onset, c.end - 2.9 - onset])
    assert off.max() < (0.01 if kind == "minimum jerk" else 0.1)
    assert c.size == pytest.approx(8.0, abs=0.01)


def test_a_course_that_was_not_recorded_to_its_end_has_none() -> None:
    t = np.arange(0, 5, 1 / 60)
    values = 8.0 * Timing(1.0, 0.5, 1.0, 0.5).activation(t)
    c = course_of(t[:120], values[:120])  # ends while it is held
    assert np.isfinite([c.begin, c.arrived]).all()
    assert np.isnan([c.leaves, c.end]).all()
    values[70:80] = np.nan
    assert np.isnan(course_of(t, values).begin)
    assert np.isnan(course_of(t, np.full_like(t, np.nan)).size)


def test_smoothness_tells_one_movement_from_two() -> None:
    t = np.arange(0, 0.5, 1 / 100)
    bell = 30 * (t / 0.5) ** 2 * (1 - t / 0.5) ** 2
    one = spectral_arc_length(bell, 100.0)
    assert one == pytest.approx(-1.41, abs=0.03)  # Balasubramanian 2015: -1.4 for a minimum-jerk movement
    assert spectral_arc_length(np.r_[bell, np.zeros(20), bell], 100.0) < one - 0.5
    assert np.isnan(spectral_arc_length(np.full(10, np.nan), 100.0))
