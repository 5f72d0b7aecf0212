"""Agreement statistics against published worked examples, and against statsmodels and pingouin."""

import math
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pingouin
import pytest
from matplotlib import pyplot
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.multitest import multipletests

from face3d.reference.agreement import (
    bland_altman,
    bootstrap_by_subject,
    detectable_change,
    false_discovery,
    hedges_g,
    holm,
    icc,
    kappa_of_table,
    single_value,
    standard_error_of_measurement,
    technical_error,
    weighted_kappa,
)
from face3d.reference.intervals import response_mean_interval

# Shrout & Fleiss 1979, table 2: six targets, four judges.
SHROUT = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
# Bland & Altman 1986, table 1: peak expiratory flow, l/min, Wright meter twice and mini meter once.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
WRIGHT_AGAIN = [490, 397, 512, 401, 470, 611, 415, 431, 638, 429, 420, 633, 275, 492, 165, 372, 421]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
# Cohen 1968, table 1: two psychiatrists, 200 patients, proportions and disagreement weights.
COHEN = np.array([[0.44, 0.07, 0.09], [0.05, 0.20, 0.05], [0.01, 0.03, 0.06]]) * 200
COHEN_WEIGHTS = np.array([[0, 1, 3], [1, 0, 6], [3, 6, 0]], float)


def test_icc_of_shrout_and_fleiss() -> None:
    agreement, consistency = icc(SHROUT, "2,1"), icc(SHROUT, "3,1")
    assert agreement.value == pytest.approx(0.29, abs=0.005)
    assert (agreement.low, agreement.high) == pytest.approx((0.02, 0.76), abs=0.006)
    assert consistency.value == pytest.approx(0.71, abs=0.006)
    assert (consistency.low, consistency.high) == pytest.approx((0.34, 0.95), abs=0.006)


def test_icc_against_pingouin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pingouin.options, "round.column.CI95", 9)  # 2 as it comes
    rng = np.random.default_rng(3)
    x = rng.normal(size=(25, 1)) * 2 + rng.normal(size=(25, 3)) + [0, 0.5, 1]
    for seen in (x, x[:, :2], x[:4], x[:, ::-1] * [1, -1, 0.1]):
        rows = [(subject, rater, value) for (subject, rater), value in np.ndenumerate(seen)]
        frame = pd.DataFrame(rows, columns=["s", "r", "x"])
        table = pingouin.intraclass_corr(frame, targets="s", raters="r", ratings="x").set_index("Type")
        for row, kind in (("ICC(A,1)", "2,1"), ("ICC(C,1)", "3,1")):
            ours = icc(seen, kind)
            assert ours.value == pytest.approx(table.loc[row, "ICC"], abs=1e-9)
            assert (ours.low, ours.high) == pytest.approx(tuple(table.loc[row, "CI95"]), abs=1e-8)


def test_sem_is_the_residual_of_a_two_way_analysis_of_variance() -> None:
    x = np.random.default_rng(4).normal(size=(12, 3)) + np.arange(12)[:, None] + [0, 1, 5]
    frame = pd.DataFrame([(s, r, v) for (s, r), v in np.ndenumerate(x)], columns=["s", "r", "x"])
    table = anova_lm(ols("x ~ C(s) + C(r)", frame).fit())
    assert standard_error_of_measurement(x) == pytest.approx(math.sqrt(table.loc["Residual", "mean_sq"]), rel=1e-9)


def test_technical_error_is_the_residual_within_people() -> None:
    x = np.random.default_rng(5).normal(size=(12, 2)) + np.arange(12)[:, None] + [0, 1]
    frame = pd.DataFrame([(s, v) for (s, _), v in np.ndenumerate(x)], columns=["s", "x"])
    table = anova_lm(ols("x ~ C(s)", frame).fit())
    assert technical_error(*x.T) == pytest.approx(math.sqrt(table.loc["Residual", "mean_sq"]), rel=1e-9)


def test_icc_of_perfect_and_of_biased_raters() -> None:
    x = np.arange(10.0)
    assert icc(np.stack([x, x], 1)).value == 1
    assert icc(np.stack([x, x + 5], 1), "3,1").value == pytest.approx(1)
    assert icc(np.stack([x, x + 5], 1), "2,1").value < 0.5
    assert math.isnan(icc(np.ones((5, 2)) + np.arange(2)).value)
    with pytest.raises(ValueError, match="at least 3"):
        icc([[1, 2], [2, 3]])


def test_bland_altman_of_the_peak_flow_meters() -> None:
    # Published as Wright - mini; ours is second - first.
    b = bland_altman(MINI, WRIGHT)
    assert b.bias.value == pytest.approx(-2.1, abs=0.05)
    assert b.sd == pytest.approx(38.8, abs=0.05)
    # The paper uses 2 SD: -79.7 and 75.5 l/min, and rounds; with 1.96 SD:
    assert (b.lower.value, b.upper.value) == pytest.approx((-2.118 - 1.96 * 38.765, -2.118 + 1.96 * 38.765), abs=0.01)
    assert (b.bias.low, b.bias.high) == pytest.approx((-22.0, 17.8), abs=0.1)
    # Published with a standard error of sqrt(3 / n) SD, 69.2 wide; the exact one reaches further out than in.
    assert b.lower.high - b.lower.low == pytest.approx(-45.1 + 114.3, abs=2.5)
    assert b.lower.value - b.lower.low > b.lower.high - b.lower.value


def test_technical_error_of_the_wright_meter() -> None:
    # Within-subject SD 15.3 l/min (Bland & Altman 1999, Stat Methods Med Res 8:135).
    assert technical_error(WRIGHT, WRIGHT_AGAIN) == pytest.approx(15.3, abs=0.05)
    sem = standard_error_of_measurement(np.stack([WRIGHT, WRIGHT_AGAIN], 1))
    differences = np.subtract(WRIGHT, WRIGHT_AGAIN)
    assert sem == pytest.approx(differences.std(ddof=1) / math.sqrt(2))
    assert detectable_change(sem) == pytest.approx(1.96 * differences.std(ddof=1))


def test_a_change_is_called_in_one_unchanged_person_of_twenty_however_few_the_sem_comes_from() -> None:
    rng = np.random.default_rng(5)
    studies = rng.normal(size=(20_000, 12, 2))
    sem = np.sqrt(((studies[..., 1] - studies[..., 0]).var(axis=1, ddof=1)) / 2)
    new = np.abs(np.diff(rng.normal(size=(20_000, 2)))[:, 0])
    # Binomial, 20,000 people: 0.3 % is two standard errors.
    assert np.mean(new > detectable_change(1.0, 12) * sem) == pytest.approx(0.05, abs=0.004)
    assert np.mean(new > detectable_change(1.0) * sem) > 0.07


def test_weighted_kappa_of_cohen() -> None:
    assert kappa_of_table(COHEN, COHEN_WEIGHTS).value == pytest.approx(0.348, abs=0.0005)
    assert kappa_of_table(COHEN, "none").value == pytest.approx(0.492, abs=0.0005)


def test_bland_altman_against_pingouin() -> None:
    rng = np.random.default_rng(6)
    first = rng.normal(size=30)
    second = first + rng.normal(0.3, 0.4, 30)
    ours = bland_altman(first, second)
    matplotlib.use("Agg")
    drawn: Any = pingouin.plot_blandaltman(pd.Series(second), pd.Series(first))  # it takes first - second
    bias, upper, lower = (float(line.get_ydata()[0]) for line in drawn.lines[1:4])
    assert (ours.bias.value, ours.upper.value, ours.lower.value) == pytest.approx((bias, upper, lower), abs=1e-12)
    bands = sorted((p.get_y(), p.get_y() + p.get_height()) for p in drawn.patches)
    for e, band in zip((ours.lower, ours.bias, ours.upper), bands, strict=True):
        # Theirs of the limits are approximate: of ten people they hold less than 93 %.
        assert (e.low, e.high) == pytest.approx(band, abs=1e-9 if e is ours.bias else 0.06)
    pyplot.close("all")


@pytest.mark.parametrize("weights", ["quadratic", "linear", "none"])
def test_kappa_against_statsmodels(weights: str) -> None:
    names = {"quadratic": "quadratic", "linear": "linear", "none": None}
    table = np.array([[20, 5, 1, 0], [4, 15, 6, 1], [1, 5, 18, 4], [0, 1, 5, 14]], float)
    theirs: Any = cohens_kappa(table, wt=names[weights])
    ours = kappa_of_table(table, weights)
    assert ours.value == pytest.approx(theirs.kappa, abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx((theirs.kappa_low, theirs.kappa_upp), abs=1e-9)


def test_kappa_of_ratings() -> None:
    a = [1, 2, 3, 4, 5, 6, 3, 2]
    assert weighted_kappa(a, a, range(1, 7)).value == 1
    assert weighted_kappa(a, a[::-1], range(1, 7)).value < 0.5
    assert math.isnan(weighted_kappa([2, 2, 2], [2, 2, 2]).value)  # nobody disagrees, chance alone would not either
    assert weighted_kappa([1, 2, math.nan], [1, 2, 3], range(1, 7)).n == 2
    with pytest.raises(ValueError, match="not among the categories"):
        weighted_kappa([0, 1], [1, 1], range(1, 7))


def test_effect_sizes() -> None:
    a, b = np.array([1.0, 2, 3, 4]), np.array([2.0, 3, 4, 5])
    assert hedges_g(a, b) == pytest.approx(1 / a.std(ddof=1) * (1 - 3 / 23))
    unequal = np.array([1.0, 4, 4, 9, 2, 2.5])
    assert hedges_g(a, unequal) == pytest.approx(pingouin.compute_effsize(unequal, a, eftype="hedges"), rel=1e-9)
    assert response_mean_interval([1, 2, 3]).value == pytest.approx(2.0)
    assert math.isnan(response_mean_interval([1, 1, 1]).value)  # no spread: no standardised size


def test_bootstrap_draws_whole_subjects() -> None:
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(40), 5)
    values = np.repeat(rng.normal(size=40), 5)  # five equal rows each: the true standard error is that of 40 values
    estimate = bootstrap_by_subject(lambda rows: float(values[rows].mean()), subjects, np.random.default_rng(1))
    expected = 2 * 1.96 * values.std() / math.sqrt(40)
    assert estimate.high - estimate.low == pytest.approx(
        expected, rel=0.1
    )  # 2000 draws: quantiles within some per cent
    again = bootstrap_by_subject(lambda rows: float(values[rows].mean()), subjects, np.random.default_rng(1))
    assert estimate == again


def test_bootstrap_of_one_row_a_person_is_the_percentile_interval_of_pingouin() -> None:
    values = np.random.default_rng(7).exponential(size=40)
    ours = bootstrap_by_subject(lambda rows: float(values[rows].mean()), np.arange(40), np.random.default_rng(8), 5000)
    theirs = pingouin.compute_bootci(values, func="mean", method="per", n_boot=5000, decimals=6, seed=9)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=0.06)  # two draws of 5000


def test_a_single_value_of_a_person() -> None:
    rng = np.random.default_rng(10)
    x = rng.normal(5, 2, 30)
    names = np.arange(30)
    assert single_value(x, names) == (pytest.approx(x.mean()), pytest.approx(x.std(ddof=1)), 30)
    # The same value twice says nothing new; a person with many visits is one person.
    assert single_value(np.tile(x, 2), np.tile(names, 2)) == (pytest.approx(x.mean()), pytest.approx(x.std(ddof=1)), 30)
    often = np.concatenate([x, np.repeat(x[0], 50)])
    assert single_value(often, np.concatenate([names, np.zeros(50, int)]))[0] == pytest.approx(x.mean())
    # Sides that differ within a person count for the spread of one side: 3 of 5 here, 4 between people.
    sides = rng.normal(5, 4, (4000, 1)) + rng.normal(0, 3, (4000, 2))
    assert single_value(sides.ravel(), np.repeat(np.arange(4000), 2))[1] == pytest.approx(5, rel=0.03)


@pytest.mark.parametrize(("ours", "name"), [(holm, "holm"), (false_discovery, "fdr_bh")])
def test_adjusted_p_against_statsmodels(ours, name: str) -> None:
    p = np.random.default_rng(11).uniform(size=60) ** 3
    p[3] = p[4]
    assert ours(p) == pytest.approx(multipletests(p, method=name)[1], rel=1e-12)
    with_gaps = np.insert(p, [0, 20], np.nan)
    assert np.isnan(ours(with_gaps)).sum() == 2
    assert ours(with_gaps)[np.isfinite(with_gaps)] == pytest.approx(ours(p), rel=1e-12)
    assert len(ours([])) == 0
