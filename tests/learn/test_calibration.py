"""Calibration on predictions whose faults are known."""

import numpy as np
import pytest

from face3d.learn.calibration import CUTS, Calibration, expected_error, graded, likely_grades, tempered
from face3d.learn.predictions import Predictions, Truth


def drawn(rng: np.random.Generator, count: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """True grades drawn from probabilities, and what a model says that is too sure of them by a temperature."""
    logit = -0.5 * ((np.arange(6) - rng.uniform(0, 5, (count, 1))) / rng.uniform(0.3, 1.2, (count, 1))) ** 2
    p = np.exp(logit)
    p /= p.sum(axis=1, keepdims=True)
    grades = np.array([rng.choice(6, p=row) for row in p]) + 1
    return tempered(p, 1 / temperature), grades


def learned(
    said: np.ndarray, grades: np.ndarray, error: np.ndarray | float = 0.0, rules: np.ndarray | None = None,
    true: np.ndarray | None = None,
) -> Calibration:  # fmt: skip
    n = len(said)
    true = np.full(n, 0.5) if true is None else true
    none = np.full(n, np.nan)
    truth = Truth(np.arange(n).astype(object), grades.astype(float), true, np.full(n, "left", object),
                  np.full((n, 5), np.nan), none)  # fmt: skip
    by_rules = Predictions.of(n) if rules is None else Predictions.of(n, severity=rules)
    return Calibration.learned(Predictions.of(n, probabilities=said, severity=true + error), by_rules, truth)


@pytest.mark.parametrize(("temperature", "expected"), [(0.7, 1.0), (1.0, 1.0), (2.0, 2.0)])
def test_the_temperature_comes_back_but_never_sharpens(temperature: float, expected: float) -> None:
    said, grades = drawn(np.random.default_rng(0), 4000, temperature)
    found = learned(said, grades)
    # The likelihood of 4,000 draws fixes the temperature to some per cent.
    assert found.temperature == pytest.approx(expected, rel=0.08)


def test_likely_grades_hold_the_true_one_nine_times_of_ten() -> None:
    rng = np.random.default_rng(1)
    said, grades = drawn(rng, 3000, 1.5)
    c = learned(said[:1500], grades[:1500], np.full(1500, 0.04))
    sets = [likely_grades(tempered(p, c.temperature), c.least) for p in said[1500:]]
    covered = np.mean([g in s for g, s in zip(grades[1500:], sets, strict=True)])
    assert 0.87 < covered < 0.93  # binomial, 1,500 exams, and as many that it was learned on
    assert np.mean([len(s) for s in sets]) < 3.5
    assert c.severity_se == pytest.approx(0.04)


def test_the_least_sure_tenth_is_called_unsure() -> None:
    said, grades = drawn(np.random.default_rng(2), 1000, 1.0)
    c = learned(said, grades)
    unsure = np.array([expected_error(p) > c.unsure for p in tempered(said, c.temperature)])
    assert unsure.mean() == pytest.approx(0.1, abs=0.002)


def two_opinions(rng: np.random.Generator, count: int, net: float, rules: float) -> tuple[np.ndarray, ...]:
    """True severity and grades, and two estimates of severity with independent errors of known SD."""
    true = rng.uniform(0.0, 1.0, count)
    one, other = true + rng.normal(0, net, count), true + rng.normal(0, rules, count)
    return true, 1.0 + np.searchsorted(CUTS, true), one, other


def test_rules_count_by_how_right_they_are() -> None:
    true, grades, one, other = two_opinions(np.random.default_rng(3), 20_000, 0.06, 0.06)
    found = learned(graded(one, CUTS, 0.06), grades, one - true, other, true)
    # Of two equally good independent estimates each counts half, and the error falls by the root of two.
    assert found.rules_share == pytest.approx(0.5, abs=0.02)
    assert found.severity_se == pytest.approx(0.06 / np.sqrt(2), rel=0.03)
    assert found.rules_sd == pytest.approx(0.06, rel=0.03)
    assert 0.3 < found.rules_weight < 0.7
    true, grades, one, other = two_opinions(np.random.default_rng(4), 20_000, 0.05, 0.4)
    useless = learned(graded(one, CUTS, 0.05), grades, one - true, other, true)
    # Weights go with one over the variance: 1 in 65.
    assert useless.rules_share < 0.05 and useless.rules_weight <= 0.15


def test_pooling_makes_grades_better_and_leaves_silence_alone() -> None:
    true, grades, one, other = two_opinions(np.random.default_rng(5), 4000, 0.06, 0.06)
    p = graded(one, CUTS, 0.06)
    c = learned(p[:2000], grades[:2000], (one - true)[:2000], other[:2000], true[:2000])
    net = Predictions.of(2000, probabilities=p[2000:], severity=one[2000:])
    pooled, severity = c.pooled(net, Predictions.of(2000, severity=other[2000:]))
    np.testing.assert_allclose(pooled.sum(axis=1), 1.0)
    assert np.mean(pooled.argmax(axis=1) + 1 == grades[2000:]) > np.mean(net.grade == grades[2000:]) + 0.02
    assert np.std(severity - true[2000:]) < 0.047
    alone, same = c.pooled(net, Predictions.of(2000))
    np.testing.assert_allclose(alone, tempered(p[2000:], c.temperature))
    np.testing.assert_array_equal(same, one[2000:])


def test_small_cases() -> None:
    p = np.array([0.0, 0.1, 0.6, 0.3, 0.0, 0.0])
    assert expected_error(p) == pytest.approx(0.4)
    assert likely_grades(p, 0.5) == (3,)
    assert likely_grades(p, 0.3) == (3, 4)
    assert likely_grades(p, 0.9) == (3,)
    np.testing.assert_allclose(tempered(p, 1.0), p, atol=1e-8)
    assert tempered(p, 0.5)[2] > 0.6 > tempered(p, 2.0)[2]
