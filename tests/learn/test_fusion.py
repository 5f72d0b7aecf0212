"""Late fusion: takes what helps, leaves what does not, and does without what is missing."""

from dataclasses import replace

import numpy as np
import pytest

from face3d.grading.example import POINTS, Example, Labels
from face3d.grading.grid import MARKS
from face3d.learn.fusion import GROUPS, RATIOS, Fusion, columns_of
from face3d.learn.predictions import Predictions, truth_of

pytest.importorskip("sklearn")
N, M = 4, len(MARKS)


def exam(k: int, severity: float, measured: float, age: float | None) -> Example:
    grade = 1 + int(np.searchsorted([0.03, 0.25, 0.5, 0.75, 0.97], severity, side="right"))
    measures = dict.fromkeys(RATIOS, 1 - measured)
    return Example(
        np.zeros((N, 3)),
        np.zeros((N, 3)),
        np.zeros((9, N, 3)),
        np.zeros((M, 3)),
        np.zeros((9, M, 3)),
        np.zeros((10, 4, 2)),
        np.zeros((10, 4, 2)),
        np.zeros((10, 6)),
        np.zeros((10, POINTS, 6)),
        measures,
        Labels(grade, "left", severity),
        {"subject": f"s{k}", "age_years": age},
        {"severity": measured, "region_function": (1 - measured,) * 5},
    )


def data(count: int, seed: int, noise: float = 0.02) -> tuple[Predictions, list[Example]]:
    """A network off by 0.1, and measures of less error than it has."""
    rng = np.random.default_rng(seed)
    severity = rng.uniform(0, 1, count)
    examples = [exam(k, s, s + rng.normal(0, noise), 20 + 60 * rng.uniform()) for k, s in enumerate(severity)]
    said = severity + rng.normal(0, 0.1, count)
    return Predictions.of(count, severity=said, function=np.tile((1 - said)[:, None], 5)), examples


def error(p: Predictions, examples: list[Example]) -> float:
    return float(np.std(p.severity - np.array([e.labels.severity for e in examples])))


def test_better_measures_correct_the_networks() -> None:
    p, examples = data(150, 0)
    fusion = Fusion.learned(p, truth_of(examples), examples)
    q, others = data(100, 1)
    fused = fusion(q, others)
    assert error(fused, others) < 0.4 * error(q, others)
    assert np.allclose(fused.probabilities.sum(axis=1), 1) and fused.grade.min() >= 1 and fused.grade.max() <= 6
    truth = truth_of(others).grade
    assert np.abs(fused.grade - truth).mean() < 0.15


def test_what_says_nothing_is_left_alone() -> None:
    p, examples = data(150, 0)
    fusion = Fusion.learned(p, truth_of(examples), examples, ["clinical"])
    q, others = data(100, 1)
    assert error(fusion(q, others), others) < 1.05 * error(q, others)
    only_cuts = Fusion.learned(p, truth_of(examples), examples, [])
    assert np.array_equal(only_cuts(q, others).severity, np.clip(q.severity, 0, 1))


def test_missing_columns_are_no_reason_to_fail() -> None:
    p, examples = data(60, 0)
    examples[3] = replace(examples[3], measures={}, rules={}, facts={"subject": "s3"})
    fusion = Fusion.learned(p, truth_of(examples), examples)
    assert np.isnan(columns_of(p, examples)[3, 6:]).all()
    bare = [replace(e, measures={}, rules={}, facts={}) for e in examples]
    assert np.isfinite(fusion(p, bare).severity).all()
    nobody = [replace(e, facts={}) for e in examples]  # a column that nobody has
    assert np.isfinite(Fusion.learned(p, truth_of(nobody), nobody, GROUPS)(p, nobody).severity).all()
    with pytest.raises(ValueError, match="at least 12"):
        Fusion.learned(p.rows(np.arange(5)), truth_of(examples[:5]), examples[:5])
