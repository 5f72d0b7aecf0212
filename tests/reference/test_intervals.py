"""Intervals: worked against other implementations, none where none holds, and how often each holds the truth."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binomtest, norm, ttest_1samp

from face3d.learn.evaluation import auc
from face3d.reference.agreement import Estimate, bland_altman, confusion, icc, kappa_of_table, weighted_kappa
from face3d.reference.intervals import (
    LEAST_AREA,
    LEAST_KAPPA,
    LEAST_MEAN,
    jackknife_by_subject,
    mean_by_subject,
    mean_interval,
    response_mean_interval,
    sd_interval,
    share_by_subject,
)


def test_mean_is_students() -> None:
    x = np.random.default_rng(0).normal(3, 2, 12)
    theirs = ttest_1samp(x, 0.0).confidence_interval(0.95)
    assert (mean_interval(x).low, mean_interval(x).high) == pytest.approx((theirs.low, theirs.high))
    assert mean_interval(np.r_[x, math.nan]).n == 12


def test_share_is_wilsons() -> None:
    x = np.r_[np.ones(23), 0]
    theirs = binomtest(23, 24).proportion_ci(method="wilson")
    found = share_by_subject(x, np.arange(24))
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert share_by_subject(np.ones(10), np.arange(10)).low == pytest.approx(
        binomtest(10, 10).proportion_ci(method="wilson").low
    )


def test_more_scans_of_the_same_people_tell_nothing_new() -> None:
    rng = np.random.default_rng(1)
    x, who = rng.normal(size=15), np.arange(15)
    one, four = mean_interval(x), mean_by_subject(np.tile(x, 4), np.tile(who, 4))
    assert (four.low, four.high, four.n) == pytest.approx((one.low, one.high, 15))
    hits = (x > 0).astype(float)
    assert share_by_subject(np.tile(hits, 4), np.tile(who, 4)) == share_by_subject(hits, who)


def test_response_mean_against_published() -> None:
    # Cumming & Finch 2001: the bounds are those noncentralities at which what was seen has 2.5 % on either side.
    from scipy.stats import nct

    x = np.random.default_rng(2).normal(1, 1, 10)
    e = response_mean_interval(x)
    seen = e.value * math.sqrt(10)
    assert nct.cdf(seen, 9, e.low * math.sqrt(10)) == pytest.approx(0.975, abs=1e-3)
    assert nct.cdf(seen, 9, e.high * math.sqrt(10)) == pytest.approx(0.025, abs=1e-3)
    none = response_mean_interval(-x)
    assert (none.low, none.high) == pytest.approx((-e.high, -e.low), abs=1e-6)


@pytest.mark.parametrize(
    "few",
    [
        mean_interval(np.arange(LEAST_MEAN - 1)),
        share_by_subject(np.ones(LEAST_MEAN - 1), np.arange(LEAST_MEAN - 1)),
        response_mean_interval(np.arange(LEAST_MEAN - 1.0)),
        sd_interval(np.arange(LEAST_MEAN - 1.0)),
        mean_interval(np.ones(9)),
        jackknife_by_subject(lambda i: 0.5 + 0.001 * len(i), np.arange(LEAST_KAPPA - 1), LEAST_KAPPA),
        jackknife_by_subject(lambda i: 1.0, np.arange(50), LEAST_KAPPA),
        jackknife_by_subject(lambda i: 0.7, np.arange(50), LEAST_KAPPA),
    ],
)
def test_too_few_or_all_alike_have_no_interval(few: Estimate) -> None:
    assert math.isfinite(few.value) and math.isnan(few.low) and math.isnan(few.high)


def test_two_raters_are_warned_of() -> None:
    x = np.random.default_rng(0).normal(size=(20, 1)) + 0.3 * np.random.default_rng(1).normal(size=(20, 6))
    assert "2 raters" in icc(x[:, :2]).note and "2 raters" in str(icc(x[:, :2]))
    assert icc(x).note == "" and icc(x[:, :2], "3,1").note == ""


# ---------------------------------------------------------------- how often they hold


def held(draw: Callable[[], Estimate], truth: float, times: int) -> float:
    """Share of the intervals given that hold the truth."""
    given = [e for e in (draw() for _ in range(times)) if math.isfinite(e.low)]
    assert len(given) > 0.75 * times
    return float(np.mean([e.low <= truth <= e.high for e in given]))


@pytest.mark.slow
@pytest.mark.parametrize("n", [LEAST_MEAN, 10, 40])
def test_means_and_spreads_hold_95_percent(n: int) -> None:
    rng = np.random.default_rng(n)
    assert 0.93 <= held(lambda: mean_interval(rng.normal(0.8, 1, n)), 0.8, 4000) <= 0.97
    assert 0.93 <= held(lambda: sd_interval(rng.normal(0.8, 1.3, n)), 1.3, 4000) <= 0.97
    assert 0.93 <= held(lambda: response_mean_interval(rng.normal(0.8, 1, n)), 0.8, 1500) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 40])
def test_bland_altman_bias_and_limits_hold_95_percent(n: int) -> None:
    rng = np.random.default_rng(n)
    found = [bland_altman(np.zeros(n), rng.normal(0.3, 1, n)) for _ in range(4000)]
    for name, truth in (("bias", 0.3), ("lower", 0.3 - 1.96), ("upper", 0.3 + 1.96)):
        held = np.mean([getattr(b, name).low <= truth <= getattr(b, name).high for b in found])
        assert 0.93 <= held <= 0.97, name


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 40])
def test_means_of_people_scanned_thrice_hold_95_percent(n: int) -> None:
    rng, who = np.random.default_rng(n), np.repeat(np.arange(n), 3)
    drawn = lambda: np.repeat(rng.normal(0.8, 1, n), 3) + rng.normal(0, 0.5, 3 * n)  # noqa: E731
    assert 0.93 <= held(lambda: mean_by_subject(drawn(), who), 0.8, 4000) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("n", [LEAST_MEAN, 24, 100])
def test_shares_hold_95_percent_on_average_over_shares(n: int) -> None:
    # At one share the holding of any interval of counts jumps about 95 % (Brown, Cai & DasGupta 2001); over shares it
    # must not.
    rng = np.random.default_rng(n)
    hits = []
    for p in rng.uniform(0.03, 0.97, 6000):
        e = share_by_subject(rng.random(n) < p, np.arange(n))
        hits.append(e.low <= p <= e.high)
    assert 0.93 <= np.mean(hits) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(("n", "sd"), [(LEAST_KAPPA, 0.35), (LEAST_KAPPA, 0.8), (50, 0.35), (50, 0.8)])
def test_kappa_holds_95_percent(n: int, sd: float) -> None:
    rng = np.random.default_rng(n)

    def raters(count: int) -> tuple[np.ndarray, np.ndarray]:
        seen = rng.uniform(0.5, 6.5, count)[:, None] + sd * rng.normal(size=(count, 2))
        return tuple(np.clip(np.rint(seen), 1, 6).T)  # type: ignore[return-value]

    def drawn() -> Estimate:
        a, b = raters(n)
        return jackknife_by_subject(
            lambda i: kappa_of_table(confusion(a[i], b[i], range(1, 7))).value, np.arange(n), LEAST_KAPPA
        )

    truth = weighted_kappa(*raters(400_000), range(1, 7)).value
    assert 0.925 <= held(drawn, truth, 500) <= 0.98  # 500 draws: +- 0.01


@pytest.mark.slow
@pytest.mark.parametrize("apart", [1.0, 2.0])
def test_areas_hold_at_least_95_percent(apart: float) -> None:
    rng = np.random.default_rng(3)

    def drawn() -> Estimate:
        ill = rng.random(LEAST_AREA) < 0.5
        score = rng.normal(size=LEAST_AREA) + apart * ill
        return jackknife_by_subject(lambda i: auc(score[i], ill[i]), np.arange(LEAST_AREA), LEAST_AREA)

    assert 0.93 <= held(drawn, float(norm.cdf(apart / math.sqrt(2))), 400) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("raters", [2, 3])
def test_icc_holds_95_percent_of_these_raters_and_less_of_few_others(raters: int) -> None:
    rng, n = np.random.default_rng(raters), 30

    def drawn() -> np.ndarray:
        rater = rng.normal(0, 0.3**0.5, (1, raters))
        return rng.normal(size=(n, 1)) + rater + rng.normal(0, 0.2**0.5, (n, raters))

    assert 0.93 <= held(lambda: icc(drawn(), "3,1"), 1 / 1.2, 2000) <= 0.97
    found = [icc(drawn()) for _ in range(2000)]
    assert np.mean([e.low <= 1 / 1.5 <= e.high for e in found]) < 0.93  # which is what the note is for
    assert all(e.note for e in found)
