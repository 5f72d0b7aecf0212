"""Calibration on predictions whose faults are known."""

import numpy as np
import pytest

from face3d.grading.calibration import Calibration, expected_error, likely_grades, tempered


def drawn(rng: np.random.Generator, count: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """True grades drawn from probabilities, and what a model says that is too sure of them by a temperature."""
    logit = -0.5 * ((np.arange(6) - rng.uniform(0, 5, (count, 1))) / rng.uniform(0.3, 1.2, (count, 1))) ** 2
    p = np.exp(logit)
    p /= p.sum(axis=1, keepdims=True)
    grades = np.array([rng.choice(6, p=row) for row in p]) + 1
    return tempered(p, 1 / temperature), grades


@pytest.mark.parametrize(("temperature", "expected"), [(0.7, 1.0), (1.0, 1.0), (2.0, 2.0)])
def test_the_temperature_comes_back_but_never_sharpens(temperature: float, expected: float) -> None:
    said, grades = drawn(np.random.default_rng(0), 4000, temperature)
    found = Calibration.learned(said, grades, np.zeros(len(said)))
    # The likelihood of 4,000 draws fixes the temperature to some per cent.
    assert found.temperature == pytest.approx(expected, rel=0.08)


def test_likely_grades_hold_the_true_one_nine_times_of_ten() -> None:
    rng = np.random.default_rng(1)
    said, grades = drawn(rng, 3000, 1.5)
    c = Calibration.learned(said[:1500], grades[:1500], np.full(1500, 0.04))
    sets = [likely_grades(tempered(p, c.temperature), c.least) for p in said[1500:]]
    covered = np.mean([g in s for g, s in zip(grades[1500:], sets, strict=True)])
    assert 0.87 < covered < 0.93  # binomial, 1,500 exams, and as many that it was learned on
    assert np.mean([len(s) for s in sets]) < 3.5
    assert c.severity_se == pytest.approx(0.04)


def test_the_least_sure_tenth_is_called_unsure() -> None:
    said, grades = drawn(np.random.default_rng(2), 1000, 1.0)
    c = Calibration.learned(said, grades, np.zeros(1000))
    unsure = np.array([expected_error(p) > c.unsure for p in tempered(said, c.temperature)])
    assert unsure.mean() == pytest.approx(0.1, abs=0.002)


def test_small_cases() -> None:
    p = np.array([0.0, 0.1, 0.6, 0.3, 0.0, 0.0])
    assert expected_error(p) == pytest.approx(0.4)
    assert likely_grades(p, 0.5) == (3,)
    assert likely_grades(p, 0.3) == (3, 4)
    assert likely_grades(p, 0.9) == (3,)
    np.testing.assert_allclose(tempered(p, 1.0), p, atol=1e-8)
    assert tempered(p, 0.5)[2] > 0.6 > tempered(p, 2.0)[2]
