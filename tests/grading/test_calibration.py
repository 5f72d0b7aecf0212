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


def test_likely_grades_hold_nine_of_ten_of_every_grade_in_any_mix() -> None:
    # Grades I and VI lie within narrow bands and are told apart less surely: one threshold for all holds fewer of them.
    rng = np.random.default_rng(5)

    def graded(count: int, mix: list[float]) -> tuple[np.ndarray, np.ndarray]:
        grades = rng.choice(6, count, p=mix) + 1
        spread = np.where(np.isin(grades, (1, 6)), 1.2, 0.4)
        centre = grades + spread * rng.normal(size=count)
        p = np.exp(-0.5 * ((np.arange(1, 7) - centre[:, None]) / 0.7) ** 2)
        return p / p.sum(axis=1, keepdims=True), grades

    said, grades = graded(6000, [1 / 6] * 6)
    c = Calibration.learned(said, grades, np.zeros(6000))
    assert c.least[0] < c.least[2] and c.least[5] < c.least[3]
    for mix in ([0.5, 0.3, 0.1, 0.05, 0.03, 0.02], [0.02, 0.08, 0.1, 0.2, 0.3, 0.3]):
        new, true = graded(6000, mix)
        sets = [likely_grades(tempered(p, c.temperature), c.least) for p in new]
        held = np.array([g in s for g, s in zip(true, sets, strict=True)])
        assert 0.88 < held.mean() < 0.94
        for g in range(1, 7):
            own = held[true == g]
            assert own.mean() > 0.9 - 3 * np.sqrt(0.09 / len(own)) - 0.015  # as many it was learned on: 1.5 %


def test_a_grade_of_too_few_is_always_likely_and_one_threshold_is_still_read() -> None:
    said, grades = drawn(np.random.default_rng(1), 400, 1.0)
    few = np.flatnonzero(grades != 6)
    few = np.r_[few, np.flatnonzero(grades == 6)[:8]]
    c = Calibration.learned(said[few], grades[few], np.zeros(len(few)))
    assert c.least[5] == 0.0
    assert Calibration(1.0, 0.2, 0.5, 0.04).least == (0.2,) * 6  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="each grade"):
        Calibration(1.0, (0.1, 0.2), 0.5, 0.04)


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
