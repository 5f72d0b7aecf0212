"""Confidence intervals that hold what they say at the numbers at which they are given.

Drawing people with replacement and taking percentiles holds too little where people are few: a mean of five 78 %
instead of 95, a share of 97 % of twenty-four people 51 %. So means have Student's interval, standardised ones the
noncentral t's, shares Wilson's, kappa and AUC the jackknife's. Below the least number there is none: NaN.
`tests/reference/test_coverage.py` counts how often each holds the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from face3d.reference.agreement import Estimate

#: Least number of people of a mean, a share or a standard deviation; of a kappa; of an area under a curve.
LEAST_MEAN, LEAST_KAPPA, LEAST_AREA = 5, 20, 60


def without_interval(value: float, n: int, level: float = 0.95) -> Estimate:
    """A value of which no interval would hold what it says."""
    return Estimate(value, math.nan, math.nan, n, level)


def mean_interval(values: ArrayLike, level: float = 0.95) -> Estimate:
    """Mean with Student's interval; NaN are left out. Values of one person must not come twice: see
    `mean_by_subject`."""
    x = np.asarray(values, np.float64)
    x = x[np.isfinite(x)]
    return mean_by_subject(x, np.arange(len(x)), level)


def mean_by_subject(values: ArrayLike, subjects: ArrayLike, level: float = 0.95) -> Estimate:
    """Mean of all values, with Student's interval of its error between `subjects` (R,): values of one person may go
    together as they like (the linearised variance of a ratio of sums, Cochran 1977, section 6). `n` people."""
    from scipy.stats import t

    x, who = np.asarray(values, np.float64), np.asarray(subjects)
    keep = np.isfinite(x)
    x, who = x[keep], who[keep]
    if not len(x):
        return without_interval(math.nan, 0, level)
    _, inverse, count = np.unique(who, return_inverse=True, return_counts=True)
    n, mean = len(count), float(x.mean())
    off = np.bincount(inverse, x - mean) / count.mean()
    error = math.sqrt(float((off**2).sum()) / (n * (n - 1))) if n > 1 else math.nan
    if n < LEAST_MEAN or error == 0:
        return without_interval(mean, n, level)
    half = float(t.ppf(0.5 + level / 2, n - 1)) * error
    return Estimate(mean, mean - half, mean + half, n, level)


def share_by_subject(hits: ArrayLike, subjects: ArrayLike, level: float = 0.95) -> Estimate:
    """Share of `hits` (0, 1; NaN left out) with Wilson's interval (1927, JASA 22:209) of as many independent ones as
    there are subjects: as if all exams of a person went the same way."""
    from scipy.stats import norm

    x, who = np.asarray(hits, np.float64), np.asarray(subjects)
    keep = np.isfinite(x)
    n, p = len(np.unique(who[keep])), float(x[keep].mean()) if keep.any() else math.nan
    if n < LEAST_MEAN:
        return without_interval(p, n, level)
    z = float(norm.ppf(0.5 + level / 2))
    middle, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = ((middle + sign * half) / (1 + z**2 / n) for sign in (-1, 1))
    return Estimate(p, max(low, 0.0), min(high, 1.0), n, level)


def response_mean_interval(change: ArrayLike, level: float = 0.95) -> Estimate:
    """Standardised response mean, mean over SD of paired changes, with the interval of the noncentral t (Steiger &
    Fouladi 1997): it times sqrt(n) has that distribution."""
    from scipy.optimize import brentq
    from scipy.stats import chi, norm

    x = np.asarray(change, np.float64)
    x = x[np.isfinite(x)]
    n = len(x)
    if n < 2 or not np.ptp(x) > 0:
        return without_interval(math.nan, n, level)
    value = float(x.mean() / x.std(ddof=1))
    if n < LEAST_MEAN:
        return without_interval(value, n, level)
    seen, tail = value * math.sqrt(n), (1 - level) / 2
    reach = 1.0 + 5.0 * math.sqrt(1.0 + seen**2 / (2 * (n - 1)))

    # The noncentral t's distribution function as a mean over its SD's quantiles: scipy's is NaN far below 0.
    spread = chi.ppf((np.arange(2000) + 0.5) / 2000, n - 1) / math.sqrt(n - 1)

    def bound(share: float) -> float:
        below = lambda d: float(norm.cdf(seen * spread - d).mean()) - share  # noqa: E731
        root: Any = brentq(below, seen - reach, seen + reach)
        return float(root) / math.sqrt(n)

    return Estimate(value, bound(1 - tail), bound(tail), n, level)


def sd_interval(values: ArrayLike, level: float = 0.95) -> Estimate:
    """Standard deviation of independent, normal values with the chi-squared interval."""
    from scipy.stats import chi2

    x = np.asarray(values, np.float64)
    x = x[np.isfinite(x)]
    n = len(x)
    sd = float(x.std(ddof=1)) if n > 1 else math.nan
    if n < LEAST_MEAN or not sd > 0:
        return without_interval(sd, n, level)
    high, low = (math.sqrt((n - 1) / chi2.ppf(q, n - 1)) * sd for q in ((1 - level) / 2, (1 + level) / 2))
    return Estimate(sd, low, high, n, level)


def jackknife_by_subject(
    statistic: Callable[[NDArray[np.int64]], float], subjects: ArrayLike, least: int, level: float = 0.95
) -> Estimate:
    """A statistic of `rows` that cannot exceed 1 (kappa, AUC) with the interval of leaving out each subject in turn
    (Tukey 1958), Student's, on the scale log(1 - value), where it is nearly symmetric. None of fewer than `least`
    people, nor where agreement was complete or leaving anyone out changes nothing."""
    from scipy.stats import t

    who = np.asarray(subjects)
    rows, (_, inverse) = np.arange(len(who)), np.unique(who, return_inverse=True)
    n = int(inverse.max()) + 1 if len(who) else 0
    value = float(statistic(rows)) if n else math.nan
    if n < least or not value < 1:
        return without_interval(value, n, level)
    without = np.array([statistic(rows[inverse != k]) for k in range(n)])
    if not (np.isfinite(without).all() and (without < 1).all() and np.ptp(without) > 0):
        return without_interval(value, n, level)
    scale = np.log1p(-without)
    error = math.sqrt((n - 1) / n * float(((scale - scale.mean()) ** 2).sum()))
    half = float(t.ppf(0.5 + level / 2, n - 1)) * error
    low, high = (1 - (1 - value) * math.exp(sign * half) for sign in (1, -1))
    return Estimate(value, low, high, n, level)
