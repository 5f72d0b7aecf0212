"""Agreement of several raters, some of whom may have missed some: Fleiss' kappa and Gwet's coefficient, with intervals.

Both compare how often pairs of raters agree with what chance would make: Fleiss (1971, Psychol Bull 76:378) from how
often categories are used, Gwet (2008, Br J Math Stat Psychol 61:29) from how hard to tell the subjects are. Where
nearly all subjects are of one category kappa falls though raters agree, and Gwet's does not: give both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from face3d.reference.agreement import Estimate, Floats
from face3d.reference.intervals import LEAST_KAPPA, jackknife_by_subject


def fleiss_kappa(
    ratings: ArrayLike, categories: ArrayLike, weights: str = "none", subjects: ArrayLike | None = None
) -> Estimate:
    """Kappa of `ratings` (cases, raters), NaN where a rater gave none; `categories` in their order, `weights` "none",
    "linear" or "quadratic" by it. `subjects` names the person of each case, by default each its own: the interval
    leaves out people, and there is none of fewer than `reference.intervals.LEAST_KAPPA`."""
    return _coefficient(ratings, categories, weights, subjects, gwet=False)


def gwet_ac(
    ratings: ArrayLike, categories: ArrayLike, weights: str = "none", subjects: ArrayLike | None = None
) -> Estimate:
    """Gwet's AC1 (`weights` "none") or AC2 of the same."""
    return _coefficient(ratings, categories, weights, subjects, gwet=True)


def agreement_weights(size: int, weights: str) -> Floats:
    """(C, C): 1 for the same category, less for others: (none), the further in steps (linear), squared (quadratic)."""
    if weights not in ("none", "linear", "quadratic"):
        raise ValueError(f'weights = {weights!r}; expected "none", "linear" or "quadratic"')
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / max(size - 1, 1)
    return 1.0 - {"none": (apart > 0).astype(np.float64), "linear": apart, "quadratic": apart**2}[weights]


def _coefficient(
    ratings: ArrayLike, categories: ArrayLike, weights: str, subjects: ArrayLike | None, gwet: bool
) -> Estimate:
    x, values = np.asarray(ratings, np.float64), np.asarray(categories, np.float64)
    if x.ndim != 2 or x.shape[1] < 2:
        raise ValueError(f"ratings have shape {x.shape}; expected (cases, raters) with 2 raters or more")
    known = x[np.isfinite(x)]
    if len(strange := sorted(set(known.tolist()) - set(values.tolist()))):
        raise ValueError(f"ratings {strange} are not among the categories {values.tolist()}")
    who = np.arange(len(x)) if subjects is None else np.asarray(subjects)
    counts = (x[:, :, None] == values).sum(axis=1).astype(np.float64)
    rated = counts.sum(axis=1) > 0
    counts, who = counts[rated], who[rated]
    w = agreement_weights(len(values), weights)
    return jackknife_by_subject(lambda rows: _of_counts(counts[rows], w, gwet), who, LEAST_KAPPA)


def _of_counts(counts: Floats, w: Floats, gwet: bool) -> float:
    """From counts (cases, C) of each category (Gwet 2014, Handbook of Inter-Rater Reliability, chapter 3)."""
    raters = counts.sum(axis=1)
    several = raters > 1
    if not several.any():
        return float("nan")
    c, r = counts[several], raters[several]
    agreed = float(((c * (c @ w.T - 1)).sum(axis=1) / (r * (r - 1))).mean())
    share: NDArray[np.float64] = (counts / raters[:, None]).mean(axis=0)
    if gwet:
        size = len(share)
        chance = float(w.sum() / (size * (size - 1)) * (share * (1 - share)).sum())
    else:
        chance = float(share @ w @ share)
    return (agreed - chance) / (1 - chance) if chance < 1 else float("nan")
