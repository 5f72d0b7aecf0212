"""Figures of an evaluation: worked by hand on small cases, and against scikit-learn."""

import json
import math
from typing import Any

import numpy as np
import pingouin
import pytest
from sklearn import metrics

from face3d.learn.evaluation import (
    METRICS,
    auc,
    calibration_error,
    coverage_curve,
    difference,
    evaluate,
    reliability,
)
from face3d.learn.predictions import Predictions, Truth


def truth(grades: list[float], **known: Any) -> Truth:
    n = len(grades)
    columns: dict[str, Any] = {
        "subject": np.array([f"s{k}" for k in range(n)], object),
        "severity": np.full(n, np.nan),
        "side": np.full(n, "", object),
        "function": np.full((n, 5), np.nan),
        "composite": np.full(n, np.nan),
        "descriptive": np.full(n, np.nan),
        "rater": np.full(n, np.nan),
    }
    return Truth(**{**columns, "grade": np.array(grades, float), **known})


def figure(name: str, p: Predictions, t: Truth) -> float:
    return METRICS[name].of(p, t)


def drawn(n: int, seed: int = 0) -> tuple[Predictions, Truth]:
    """Noisy answers to known patients."""
    rng = np.random.default_rng(seed)
    grade = rng.integers(1, 7, n).astype(float)
    logits = -((np.arange(1, 7)[None] - grade[:, None] - rng.normal(0, 0.7, (n, 1))) ** 2)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    severity = (grade - 1) / 5
    side = np.where(grade > 1, rng.choice(["left", "right"], n), "none").astype(object)
    t = truth(grade.tolist(), severity=severity, side=side, composite=100 - 20 * severity)
    told = Predictions.of(n, probabilities=p, severity=severity + rng.normal(0, 0.1, n), side=side.copy())
    return told, t


def test_agreement_by_hand() -> None:
    t = truth([1, 2, 3, 4, 6, math.nan])
    p = Predictions.of(6, grade=[1, 3, 3, 6, 6, 2])
    assert figure("exact", p, t) == pytest.approx(3 / 5)
    assert figure("within_one", p, t) == pytest.approx(4 / 5)
    assert figure("mae", p, t) == pytest.approx(3 / 5)


def test_the_two_house_brackmann_grades_are_figures_of_their_own() -> None:
    t = truth([1, 2, 3, 4], descriptive=np.array([1.0, 4, 4, math.nan]))
    p = Predictions.of(4, grade=[1, 2, 3, 4], descriptive=[1, 4, 3, 6])
    assert figure("exact", p, t) == 1
    assert figure("descriptive", p, t) == pytest.approx(2 / 3)
    assert figure("descriptive_kappa", p, t) < 1
    assert math.isnan(figure("descriptive", Predictions.of(4, grade=[1, 2, 3, 4]), t))


def test_against_scikit_learn() -> None:
    p, t = drawn(300)
    kappa = metrics.cohen_kappa_score(t.grade, p.grade, weights="quadratic", labels=range(1, 7))
    assert figure("kappa", p, t) == pytest.approx(kappa)
    assert figure("exact", p, t) == pytest.approx(metrics.accuracy_score(t.grade, p.grade))
    assert figure("mae", p, t) == pytest.approx(metrics.mean_absolute_error(t.grade, p.grade))
    assert figure("auc", p, t) == pytest.approx(metrics.roc_auc_score(t.grade > 1, p.severity))
    binary = (t.grade > 3).astype(int)
    rounded = np.round(p.severity, 1)  # with ties
    assert auc(rounded, binary > 0) == pytest.approx(metrics.roc_auc_score(binary, rounded))
    truth_of_six = (t.grade[:, None] == np.arange(1, 7)).astype(int)
    one_by_one = [metrics.brier_score_loss(truth_of_six[:, k], p.probabilities[:, k]) for k in range(6)]
    assert figure("brier", p, t) == pytest.approx(sum(one_by_one))
    recalls = metrics.recall_score(t.grade, p.grade, average=None)
    e = evaluate(p, t, names=("exact",))
    assert [r.value for r in e.recall] == pytest.approx(np.asarray(recalls).tolist())
    assert np.array_equal(e.table, metrics.confusion_matrix(t.grade, p.grade))


def test_the_auc_and_its_interval_against_pingouin() -> None:
    p, t = drawn(60)
    p = Predictions.of(60, severity=p.severity + np.random.default_rng(4).normal(0, 0.2, 60))
    ill = t.grade > 1
    assert auc(p.severity, ill) == pytest.approx(pingouin.mwu(p.severity[ill], p.severity[~ill])["CLES"].item())
    ours = evaluate(p, t, names=("auc",)).figures["auc"]
    theirs = pingouin.compute_bootci(
        p.severity,
        ill.astype(float),
        func=lambda s, y: auc(s, y > 0),
        method="per",
        paired=True,
        n_boot=4000,
        decimals=6,
        seed=1,
    )
    assert ours.low < ours.value < ours.high
    # Percentiles of draws hold too little near 1: the jackknife reaches further down.
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=0.05)


def test_no_number_is_printed_that_is_none() -> None:
    # One healthy exam only: no AUC, and a kappa that chance alone explains in the group of one grade.
    p, t = drawn(12)
    groups = {"device": ["a" if g > 3 else "" for g in t.grade]}
    one = truth([2.0] * 6)
    said = Predictions.of(6, grade=[2] * 6)
    for e in (
        evaluate(p, t, groups),
        evaluate(said, one, {"device": ["a"] * 6}),
    ):
        assert "nan" not in e.to_text()


def test_calibration_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.65, 0.65, math.nan])
    right = np.array([True, True, True, False, True])
    # Two bins: 0.95 and all right, 0.65 and half right.
    assert calibration_error(confidence, right) == pytest.approx(0.5 * 0.05 + 0.5 * 0.15)
    assert np.allclose(reliability(confidence, right), [[0.65, 0.5, 2], [0.95, 1.0, 2]])
    # A bin's upper end belongs to it.
    assert np.allclose(reliability(np.array([0.5, 0.51, 1.0]), np.ones(3), 2), [[0.5, 1, 1], [0.755, 1, 2]])


def test_a_sure_and_right_model_has_no_calibration_error_and_no_brier_score() -> None:
    t = truth([1, 3, 6])
    p = Predictions.of(3, probabilities=np.eye(6)[[0, 2, 5]])
    assert figure("ece", p, t) == 0 and figure("brier", p, t) == 0
    uniform = Predictions.of(3, probabilities=np.full((3, 6), 1 / 6))
    assert figure("brier", uniform, t) == pytest.approx((5 / 6) ** 2 + 5 / 36)


def test_side_counts_the_ill_only() -> None:
    t = truth([1, 2, 3, 5], side=np.array(["none", "left", "right", "left"], object))
    p = Predictions.of(4, side=["left", "right", "right", "left"])
    assert figure("side", p, t) == pytest.approx(2 / 3)
    assert figure("side_iii", p, t) == 1
    p = Predictions.of(4, side=["none", "none", "right", "left"])  # "none" of an ill one is wrong
    assert figure("side", p, t) == pytest.approx(2 / 3)


def test_errors_of_severity_function_and_composite() -> None:
    function = np.array([[1.0, 0.5, 0.5, 0.5, np.nan], [1.0, 1.0, 1.0, 1.0, 1.0]])
    t = truth([3, 1], severity=np.array([0.4, 0.0]), function=function, composite=np.array([60.0, 100.0]))
    said = np.array([[0.9, 0.5, 0.5, 0.5, 0.5], [1.0, 1.0, 1.0, 1.0, 0.9]])
    p = Predictions.of(2, severity=[0.5, 0.0], function=said, composite=[50, 100])
    assert figure("severity_sd", p, t) == pytest.approx(np.std([0.1, 0.0], ddof=1))
    assert figure("severity_bias", p, t) == pytest.approx(0.05)
    assert figure("function", p, t) == pytest.approx((0.1 / 4 + 0.1 / 5) / 2)  # every exam counts alike
    assert figure("composite", p, t) == pytest.approx(5)


def test_coverage_leaves_out_the_most_doubtful_first() -> None:
    curve = coverage_curve(np.array([0.1, 0.4, 0.2, 0.2]), np.array([0.0, 2.0, 1.0, 0.0]))
    # Both of equal doubt come together.
    assert np.allclose(curve, [[0.25, 0.0], [0.75, 1 / 3], [1.0, 0.75]])


def test_abstaining_saves_the_error_it_finds() -> None:
    t = truth([2.0] * 9 + [6.0])
    sure, unsure = np.eye(6)[1], np.array([0, 0.5, 0, 0, 0.1, 0.4])
    p = Predictions.of(10, probabilities=np.array([sure] * 9 + [unsure]))
    assert figure("kept_90", p, t) == pytest.approx(1.0)
    assert np.allclose(p.expected_error, [0] * 9 + [0.1 * 3 + 0.4 * 4])


def test_abstaining_is_counted_and_leaves_the_rest() -> None:
    t = truth([2, 2, 3, 4])
    p = Predictions.of(4, grade=[2, 3, 3, np.nan], abstained=[False, True, False, False])
    assert figure("abstained", p, t) == pytest.approx(0.5)
    assert figure("mae_kept", p, t) == 0 and figure("mae", p, t) == pytest.approx(1 / 3)
    assert math.isnan(figure("mae_kept", Predictions.of(4, grade=[2, 2, 3, 4]), t))


def test_wrong_grades_near_a_border() -> None:
    # Borders of severity: 0.03, 0.25, 0.50, 0.75, 0.97.
    t = truth([2, 2, 3, 4], severity=np.array([0.22, 0.12, 0.30, 0.60]))
    p = Predictions.of(4, grade=[3, 3, 2, 4])
    assert figure("near_band", p, t) == pytest.approx(2 / 3)


def test_interval_is_of_subjects_and_repeats() -> None:
    p, t = drawn(60)
    e = evaluate(p, t, names=("mae", "kappa", "exact"))
    mae = e.figures["mae"]
    assert mae.low < mae.value < mae.high and mae.n == 60
    # The same people scanned four times: the interval must not shrink.
    rows = np.tile(np.arange(60), 4)
    more = evaluate(p.rows(rows), t.rows(rows), names=("mae", "kappa", "exact"))
    wide = more.figures["mae"]
    assert wide.n == 60 and (wide.low, wide.high) == pytest.approx((mae.low, mae.high))
    for name in ("kappa", "exact"):
        one, four = e.figures[name], more.figures[name]
        assert (four.low, four.high) == pytest.approx((one.low, one.high), abs=1e-6)


def test_of_four_people_there_is_no_interval_and_no_group() -> None:
    t = truth([1, 3, 4, 6])
    p = Predictions.of(4, grade=[1, 3, 4, 6])
    e = evaluate(p, t, {"scanner": ["x"] * 4})
    kappa = e.figures["kappa"]
    assert kappa.value == 1 and math.isnan(kappa.low) and math.isnan(e.figures["exact"].low)
    assert not e.groups
    assert "[1.000" not in e.to_text() and "[no interval]" in e.to_text() and "scanner" not in e.to_text()


def test_difference_is_paired() -> None:
    p, t = drawn(80)
    worse = Predictions.of(80, grade=np.clip(p.grade + (np.arange(80) % 4 == 0), 1, 6))
    d = difference("mae", p, worse, t, np.random.default_rng(0), 300)
    assert d.high < 0 or d.value == pytest.approx(figure("mae", p, t) - figure("mae", worse, t))
    assert difference("kappa", p, p, t, np.random.default_rng(0), 50).high == 0


def test_what_is_not_known_is_left_out_and_said_as_none() -> None:
    p, t = drawn(40)
    scanner = ["a"] * 20 + ["b"] * 16 + ["rare"] * 2 + [""] * 2
    e = evaluate(p, t, {"scanner": scanner})
    known = json.loads(e.to_json())
    assert known["figures"]["function"]["value"] is None
    assert list(known["groups"]["scanner"]) == ["a", "b"]
    assert known["groups"]["scanner"]["b"]["mae"]["n"] == 16
    text = e.to_text()
    assert "quadratic kappa" in text and "region function" not in text and "nan" not in text
    with pytest.raises(ValueError, match="39 predictions for 40"):
        evaluate(p.rows(np.arange(39)), t)
