"""Agreement and reliability: weighted kappa, ICC, Bland-Altman, technical error, detectable change, effect sizes.

Estimates come with an interval. Incomplete rows (a NaN in any column) are left out, and `n` says how many rows were
used. A group's significance is not an individual's change: for one patient compare against `detectable_change`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval at `level`; `n` subjects or pairs stand behind it. `note`: what is to be
    known of the interval before it is believed."""

    value: float
    low: float
    high: float
    n: int
    level: float = 0.95
    note: str = ""

    def __str__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]{note}"


#: From so many raters on the interval of an ICC(2,1) needs no warning. Simulated, where raters differ by 20 % of the
#: variance: 95 % intervals hold 83 % with two raters, 88 with three, 91 with five (30 subjects).
FEW_RATERS = 6


def _complete(*columns: ArrayLike) -> list[Floats]:
    arrays = [np.asarray(c, np.float64).ravel() for c in columns]
    if len({len(a) for a in arrays}) != 1:
        raise ValueError(f"columns have {[len(a) for a in arrays]} rows; expected the same number in each")
    keep = np.all([np.isfinite(a) for a in arrays], axis=0)
    return [a[keep] for a in arrays]


def _need(n: int, least: int, what: str) -> None:
    if n < least:
        raise ValueError(f"{what} needs at least {least} complete rows; there are {n}")


# ---------------------------------------------------------------- categories: kappa


def confusion(truth: ArrayLike, other: ArrayLike, categories: ArrayLike) -> Floats:
    """Counts (C, C): rows `truth`, columns `other`, both in the order of `categories`; other values raise
    ValueError.
    """
    a, b = _complete(truth, other)
    values = np.asarray(categories, np.float64)
    table = (a[:, None] == values[None]).T.astype(np.float64) @ (b[:, None] == values[None])
    if table.sum() != len(a):
        strange = sorted((set(a) | set(b)) - set(values.tolist()))
        raise ValueError(f"ratings {strange} are not among the categories {values.tolist()}")
    return table


def weighted_kappa(
    a: ArrayLike,
    b: ArrayLike,
    categories: ArrayLike | None = None,
    weights: str | ArrayLike = "quadratic",
    level: float = 0.95,
) -> Estimate:
    """Cohen's weighted kappa of two raters, with the asymptotic interval of Fleiss, Cohen & Everitt (1969).

    `weights`: "quadratic", "linear", "none" (plain kappa; by position in `categories`), or a (C, C) matrix of
    disagreement, 0 on its diagonal (Cohen 1968, Psychol Bull 70:213). `categories` default: the values that occur;
    give all of them (House-Brackmann: range(1, 7)) so that the weights do not depend on the sample. NaN where chance
    agreement is complete.
    """
    x, y = _complete(a, b)
    _need(len(x), 2, "kappa")
    values = np.unique(np.concatenate([x, y])) if categories is None else np.asarray(categories, np.float64)
    return kappa_of_table(confusion(x, y, values), weights, level)


def kappa_of_table(table: ArrayLike, weights: str | ArrayLike = "quadratic", level: float = 0.95) -> Estimate:
    """Weighted kappa of a (C, C) table of counts. See `weighted_kappa`."""
    counts = np.asarray(table, np.float64)
    n, size = counts.sum(), len(counts)
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
    if isinstance(weights, str):
        if weights not in ("quadratic", "linear", "none"):
            raise ValueError(f'weights = {weights!r}; expected "quadratic", "linear", "none" or a matrix')
        disagreement = {"quadratic": distance**2, "linear": distance, "none": (distance > 0).astype(float)}[weights]
    else:
        disagreement = np.asarray(weights, np.float64)
    top = disagreement.max()
    if size < 2 or top == 0:
        return Estimate(math.nan, math.nan, math.nan, int(n), level)
    w = 1.0 - disagreement / top
    p = counts / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, expected = float((w * p).sum()), float(rows @ w @ columns)
    if math.isclose(expected, 1.0):
        return Estimate(math.nan, math.nan, math.nan, int(n), level)
    kappa = (observed - expected) / (1.0 - expected)
    mean_row, mean_column = w @ columns, rows @ w
    spread = (p * (w - np.add.outer(mean_row, mean_column) * (1.0 - kappa)) ** 2).sum()
    variance = (spread - (kappa - expected * (1.0 - kappa)) ** 2) / (n * (1.0 - expected) ** 2)
    half = _z(level) * math.sqrt(max(variance, 0.0))
    return Estimate(kappa, kappa - half, min(kappa + half, 1.0), int(n), level)


def _z(level: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(0.5 + level / 2))


# ---------------------------------------------------------------- continuous: ICC


def icc(ratings: ArrayLike, kind: str = "2,1", level: float = 0.95) -> Estimate:
    """Intraclass correlation of `ratings` (subjects, raters), with its interval.

    "2,1": raters are a random sample, absolute agreement. "3,1": these raters only, consistency. Shrout & Fleiss
    (1979, Psychol Bull 86:420); intervals as in McGraw & Wong (1996, Psychol Methods 1:30). That of "2,1" is too narrow
    where there are few raters, because how much raters differ can't be told from two: the `note` says so.
    """
    from scipy.stats import f as f_distribution

    x = np.asarray(ratings, np.float64)
    if x.ndim != 2 or x.shape[1] < 2:
        raise ValueError(f"ratings have shape {x.shape}; expected (subjects, raters) with 2 raters or more")
    x = x[np.isfinite(x).all(axis=1)]
    n, k = x.shape
    _need(n, 3, "ICC")
    rows, columns, error = mean_squares(x)
    alpha = (1.0 - level) / 2
    if rows + error == 0:  # subjects do not differ: there is nothing to tell apart
        return Estimate(math.nan, math.nan, math.nan, n, level)
    if kind == "3,1":
        value = (rows - error) / (rows + (k - 1) * error)
        if error == 0:
            return Estimate(1.0, 1.0, 1.0, n, level)
        ratio, df = rows / error, (n - 1) * (k - 1)
        low = ratio / f_distribution.ppf(1 - alpha, n - 1, df)
        high = ratio * f_distribution.ppf(1 - alpha, df, n - 1)
        return Estimate(value, (low - 1) / (low + k - 1), (high - 1) / (high + k - 1), n, level)
    if kind != "2,1":
        raise ValueError(f'kind = {kind!r}; expected "2,1" or "3,1"')
    total = rows + (k - 1) * error + k * (columns - error) / n
    if total == 0:
        return Estimate(math.nan, math.nan, math.nan, n, level)
    value = (rows - error) / total
    if value >= 1:
        return Estimate(1.0, 1.0, 1.0, n, level)
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    df = (a * columns + b * error) ** 2 / (
        (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    )  # Satterthwaite
    upper_f, lower_f = f_distribution.ppf(1 - alpha, n - 1, df), f_distribution.ppf(1 - alpha, df, n - 1)
    between = k * columns + (k * n - k - n) * error
    low = n * (rows - upper_f * error) / (upper_f * between + n * rows)
    high = n * (lower_f * rows - error) / (between + n * lower_f * rows)
    note = f"too narrow where raters differ: {k} raters" if k < FEW_RATERS else ""
    return Estimate(value, float(low), float(high), n, level, note)


def mean_squares(x: Floats) -> tuple[float, float, float]:
    """Two-way mean squares of (subjects, raters): between subjects, between raters, residual."""
    n, k = x.shape
    grand = x.mean()
    row = k * ((x.mean(axis=1) - grand) ** 2).sum()
    column = n * ((x.mean(axis=0) - grand) ** 2).sum()
    residual = max(((x - grand) ** 2).sum() - row - column, 0.0)
    return float(row / (n - 1)), float(column / (k - 1)), float(residual / ((n - 1) * (k - 1)))


# ---------------------------------------------------------------- two methods, or twice the same


@dataclass(frozen=True)
class BlandAltman:
    """Bias of second - first, and the limits between which 95 % of the differences lie; all in the unit of the data."""

    bias: Estimate
    lower: Estimate
    upper: Estimate
    sd: float
    n: int


def bland_altman(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> BlandAltman:
    """Bias and 95 % limits of agreement of second - first, with intervals (Bland & Altman, Lancet 1986;i:307).

    Limits are bias +- 1.96 SD; their intervals are exact, by the noncentral t (Carkeet 2015, Optom Vis Sci 92:e71).
    """
    from scipy.stats import nct, t

    a, b = _complete(first, second)
    n = len(a)
    _need(n, 3, "Bland-Altman")
    bias, sd = float((b - a).mean()), float((b - a).std(ddof=1))
    error, tail = sd / math.sqrt(n), (1 - level) / 2
    half = float(t.ppf(1 - tail, n - 1)) * error
    near, far = (float(nct.ppf(q, n - 1, 1.96 * math.sqrt(n))) * error for q in (tail, 1 - tail))
    return BlandAltman(
        Estimate(bias, bias - half, bias + half, n, level),
        Estimate(bias - 1.96 * sd, bias - far, bias - near, n, level),
        Estimate(bias + 1.96 * sd, bias + near, bias + far, n, level),
        sd,
        n,
    )


def technical_error(first: ArrayLike, second: ArrayLike) -> float:
    """Dahlberg's technical error of measurement of repeated values, sqrt(sum d^2 / 2n), in their unit. A bias
    counts.
    """
    a, b = _complete(first, second)
    _need(len(a), 1, "technical error")
    return float(np.sqrt(((a - b) ** 2).sum() / (2 * len(a))))


def standard_error_of_measurement(ratings: ArrayLike) -> float:
    """SEM of repeated measurements (subjects, repeats): root of the residual mean square, free of a bias between
    repeats.
    """
    x = np.asarray(ratings, np.float64)
    x = x[np.isfinite(x).all(axis=1)]
    _need(len(x), 2, "SEM")
    return math.sqrt(mean_squares(x)[2])


def detectable_change(sem: float, people: int | None = None) -> float:
    """Smallest change of one person that exceeds measurement error with 95 %: 1.96 x sqrt(2) x SEM (SDC, also
    MDC95).

    With `people`, from how many measured twice the SEM is known: Student's t of as many takes the place of 1.96, for an
    SEM from few people is itself uncertain, and with 1.96 more than 5 % of unchanged people would be called. Both sides
    of a face are one person.
    """
    from scipy.stats import t

    factor = 1.96 if people is None else float(t.ppf(0.975, max(people - 1, 1)))
    return factor * math.sqrt(2) * sem


# ---------------------------------------------------------------- several values of a person


def person_weights(people: ArrayLike) -> tuple[Floats, int]:
    """Weight of each row, summing to 1, with which all people count alike, and how many people there are; `people`
    (R,) names the person of each row."""
    names, which, count = np.unique(np.asarray(people), return_inverse=True, return_counts=True)
    return 1.0 / (len(names) * count[which]), len(names)


def single_value(values: ArrayLike, people: ArrayLike) -> tuple[float, float, int]:
    """Mean and SD of a single value of a person, and the number of people, from one or more values of each.

    Averaging a person's sides or visits first would understate the spread of one side at one visit; counting them as
    people would overstate how well it is known. So the SD is over all values, and only people are independent:
    n / (n - 1) times the mean over n people of their mean squared distance from the mean.
    """
    x = np.asarray(values, np.float64)
    weight, n = person_weights(people)
    _need(n, 2, "SD of a single value")
    mean = float(weight @ x)
    return mean, math.sqrt(n / (n - 1) * float(weight @ (x - mean) ** 2)), n


# ---------------------------------------------------------------- effects and resampling


def hedges_g(a: ArrayLike, b: ArrayLike) -> float:
    """Standardised mean difference of two independent groups, mean(b) - mean(a) over the pooled SD, with Hedges' (1981)
    small-sample correction 1 - 3 / (4 df - 1)."""
    x, y = (np.asarray(v, np.float64) for v in (a, b))
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    _need(min(len(x), len(y)), 2, "Hedges' g")
    df = len(x) + len(y) - 2
    pooled = math.sqrt(((len(x) - 1) * x.var(ddof=1) + (len(y) - 1) * y.var(ddof=1)) / df)
    return float((y.mean() - x.mean()) / pooled * (1 - 3 / (4 * df - 1))) if pooled else math.nan


def bootstrap_by_subject(
    statistic: Callable[[NDArray[np.int64]], float],
    subjects: ArrayLike,
    rng: np.random.Generator,
    samples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Percentile interval of `statistic(rows)` when whole subjects are drawn with replacement.

    `subjects` (R,) names the subject of each row; `statistic` gets row numbers, repeated as drawn, so that rows of
    one person never count as independent. Draws on which it is NaN are left out; if over half are, the interval is NaN.
    """
    names = np.asarray(subjects)
    if not len(names):
        raise ValueError("bootstrap needs at least one row; there are none")
    _, inverse = np.unique(names, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    count = len(rows_of)
    value = float(statistic(np.arange(len(names))))
    draws = np.array(
        [statistic(np.concatenate([rows_of[i] for i in rng.integers(count, size=count)])) for _ in range(samples)]
    )
    draws = draws[np.isfinite(draws)]
    if len(draws) < samples / 2:
        return Estimate(value, math.nan, math.nan, count, level)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), count, level)


# ---------------------------------------------------------------- many tests at once


def holm(p: ArrayLike) -> Floats:
    """p-values adjusted for their number (Holm 1979, Scand J Stat 6:65): those below 0.05 hold together with 95 %,
    however they depend on each other. NaN is not counted and stays NaN."""
    raw = np.asarray(p, np.float64)
    out = np.full(len(raw), np.nan)
    known = np.flatnonzero(np.isfinite(raw))
    order = known[np.argsort(raw[known], kind="stable")]
    out[order] = np.minimum(np.maximum.accumulate(raw[order] * np.arange(len(order), 0, -1)), 1.0)
    return out


def false_discovery(p: ArrayLike) -> Floats:
    """p-values adjusted so that of those below 0.05 one in twenty is false on average (Benjamini & Hochberg 1995, J R
    Stat Soc B 57:289). NaN is not counted and stays NaN."""
    from scipy.stats import false_discovery_control

    raw = np.asarray(p, np.float64)
    out = np.full(len(raw), np.nan)
    known = np.isfinite(raw)
    if known.any():
        out[known] = false_discovery_control(raw[known])
    return out
