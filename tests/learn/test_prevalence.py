"""What is reached in another clinic follows from each grade's recall."""

from __future__ import annotations

import numpy as np
import pytest

from face3d.learn.predictions import Predictions, Truth
from face3d.learn.prevalence import CLINICS, in_clinic

SURE = 0.9


def graded(given: list[int], true: list[int]) -> tuple[Predictions, Truth]:
    n, nan = len(true), np.full(len(true), np.nan)
    p = np.full((n, 6), (1 - SURE) / 5)
    p[np.arange(n), np.array(given) - 1] = SURE
    subjects = np.array([f"s{k}" for k in range(n)], object)
    truth = Truth(subjects, np.array(true, float), nan, np.full(n, "", object), np.full((n, 5), np.nan), nan, nan, nan)
    return Predictions.of(n, probabilities=p), truth


def test_shares_of_clinics_are_shares() -> None:
    for shares in CLINICS.values():
        assert sum(shares) == pytest.approx(1.0)


def test_each_recall_counts_as_often_as_the_clinic_sees_the_grade() -> None:
    """I always right, II right in one of two, the others always: exact is 0.7 + 0.3 / 2."""
    given, true = [1, 1, 2, 1, 3, 3, 4, 4, 5, 5, 6, 6], [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    found = in_clinic(*graded(given, true), (0.7, 0.3, 0.0, 0.0, 0.0, 0.0))
    assert found["exact"] == pytest.approx(0.85)
    assert found["mae"] == pytest.approx(0.15)
    assert found["ece"] == pytest.approx(abs(SURE - 0.85))


def test_who_knows_the_clinic_grades_better_where_it_is_lopsided() -> None:
    """Told that nobody is ill beyond II, nobody is graded so."""
    given, true = [1, 3, 2, 1, 3, 4, 5, 6], [1, 1, 2, 2, 3, 4, 5, 6]
    found = in_clinic(*graded(given, true), (0.95, 0.05, 0.0, 0.0, 0.0, 0.0))
    assert found["exact_known"] > found["exact"]


def test_a_grade_that_was_not_tested_leaves_all_unknown() -> None:
    found = in_clinic(*graded([1, 2], [1, 2]), CLINICS["palsy, first visit"])
    assert all(np.isnan(v) for v in found.values())
