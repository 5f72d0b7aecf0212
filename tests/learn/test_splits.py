"""Splits by subject."""

from __future__ import annotations

import numpy as np
import pytest

from face3d.errors import SchemaError
from face3d.learn.splits import ensure_disjoint, folds


def test_all_exams_of_a_subject_fall_into_one_fold():
    subjects = [f"s{k // 3}" for k in range(60)]
    fold = folds(subjects, [k % 6 for k in range(60)], 4, seed=1)
    for subject in set(subjects):
        assert len(set(fold[np.array(subjects) == subject])) == 1
    ensure_disjoint(np.array(subjects)[fold == 0], np.array(subjects)[fold != 0])


def test_every_fold_has_its_share_of_every_grade():
    subjects = [f"s{k}" for k in range(60)]
    grade = np.arange(60) % 6
    fold = folds(subjects, list(grade), 5)
    assert all(np.sum((fold == f) & (grade == g)) == 2 for f in range(5) for g in range(6))


def test_the_same_seed_gives_the_same_folds_in_any_order():
    subjects = [f"s{k}" for k in range(20)]
    one = dict(zip(subjects, folds(subjects, [0] * 20, 4), strict=True))
    two = dict(zip(subjects[::-1], folds(subjects[::-1], [0] * 20, 4), strict=True))
    assert one == two
    assert one != dict(zip(subjects, folds(subjects, [0] * 20, 4, seed=1), strict=True))


def test_too_few_subjects_for_the_folds():
    with pytest.raises(SchemaError, match="5 folds of 3 subjects"):
        folds(["a", "b", "c", "c"], [1, 1, 1, 1], 5)


def test_a_subject_on_both_sides_is_named():
    with pytest.raises(SchemaError, match="training and held out: b; split by subject"):
        ensure_disjoint(["a", "b"], ["b", "c"])
    with pytest.raises(SchemaError, match="says no subject"):
        ensure_disjoint(["a", ""], ["b"])
