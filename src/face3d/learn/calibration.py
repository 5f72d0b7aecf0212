"""Probabilities that mean what they say: temperature, what the rules add, sets of likely grades, and when to be called
unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from face3d.scales import HouseBands
from face3d.scan import Floats

if TYPE_CHECKING:
    from face3d.learn.predictions import Predictions, Truth

#: Severity above which House-Brackmann is at least II, III, IV, V, VI (`HouseBands`).
CUTS = tuple(round(1.0 - band, 6) for band in astuple(HouseBands()))
#: Share of exams whose true grade lies in the set of likely ones, and share that are sure enough to be graded.
COVERED, GRADED = 0.9, 0.9
#: What the rules leave of every grade: none is ruled out by them.
LEAST_SHARE = 1e-3


@dataclass(frozen=True)
class Calibration:
    """Learned on subjects that were held out: `temperature` of the grade's probabilities (Guo 2017); `rules_weight` of
    the rules' severity, which is right to `rules_sd`, in the pooled probabilities, and `rules_share` in the pooled
    severity; `least` the probability from which on a grade is a likely one (conformal, Sadinle 2019), `unsure` the
    expected error in grades above which the least sure tenth of exams lies, `severity_se` the standard error of the
    severity."""

    temperature: float
    rules_weight: float
    rules_sd: float
    rules_share: float
    least: float
    unsure: float
    severity_se: float

    @classmethod
    def learned(cls, said: Predictions, rules: Predictions, truth: Truth) -> Calibration:
        """From what networks `said` of exams that were held out from them, what the `rules` make of these, and what is
        true."""
        rows, true = np.arange(len(truth.grade)), truth.grade.astype(np.int64) - 1

        def loss(p: Floats) -> float:
            return float(-np.log(np.clip(p[rows, true], 1e-9, 1.0)).mean())

        # Never sharper than the networks say: the held-out subjects also chose where their training stopped.
        temperature = min(np.geomspace(1.0, 4.0, 81), key=lambda t: loss(tempered(said.probabilities, t)))
        known = np.isfinite(rules.severity)
        rules_sd, share = 1.0, 0.0
        if known.any():
            rules_sd = float(np.sqrt(((rules.severity - truth.severity)[known] ** 2).mean()))
            apart, error = (rules.severity - said.severity)[known], (truth.severity - said.severity)[known]
            share = float(np.clip(apart @ error / max(apart @ apart, 1e-9), 0.0, 0.9))
        first = cls(float(temperature), 0.0, rules_sd, share, 0.0, 0.0, 0.0)
        tried = [replace(first, rules_weight=float(w)) for w in np.linspace(0.0, 0.9, 19)]
        best = min(tried, key=lambda c: loss(c.pooled(said, rules)[0]))
        q, severity = best.pooled(said, rules)
        rank = max(int(np.floor((1 - COVERED) * (len(q) + 1))), 1)
        return replace(
            best, least=float(np.sort(q[rows, true])[rank - 1]),
            unsure=float(np.quantile([expected_error(one) for one in q], GRADED)),
            severity_se=float(np.sqrt(((severity - truth.severity) ** 2).mean())),
        )  # fmt: skip

    def pooled(self, said: Predictions, rules: Predictions) -> tuple[Floats, Floats]:
        """Probabilities (n, 6) and severity (n,) of networks and rules together: a logarithmic opinion pool (Genest &
        Zidek 1986, doi 10.1214/ss/1177013825), and a weighted mean. The networks alone where the rules say nothing."""
        known = np.isfinite(rules.severity)
        by_rules = np.where(known, rules.severity, said.severity)
        log = (1 - self.rules_weight) * np.log(np.clip(tempered(said.probabilities, self.temperature), 1e-9, 1.0))
        log += self.rules_weight * np.log(graded(by_rules, CUTS, self.rules_sd) + LEAST_SHARE)
        both = np.where(known[:, None], tempered(np.exp(log), 1.0), tempered(said.probabilities, self.temperature))
        return both, said.severity + self.rules_share * (by_rules - said.severity)


def graded(severity: Floats, cuts: Sequence[float] | Floats, spread: float) -> Floats:
    """(n, 6) probabilities of the grades when the severity (n,) is known to `spread` (SD, normal)."""
    from scipy.stats import norm

    below = norm.cdf((np.asarray(cuts)[None] - severity[:, None]) / max(spread, 1e-3))
    return np.diff(np.c_[np.zeros(len(severity)), below, np.ones(len(severity))], axis=1)


def tempered(probabilities: Floats, temperature: float) -> Floats:
    """Probabilities (..., 6) with their logarithms divided by a temperature."""
    logit = np.log(np.clip(probabilities, 1e-9, 1.0)) / temperature
    p = np.exp(logit - logit.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def expected_error(p: Floats) -> float:
    """By how many grades the most probable grade is off, in expectation."""
    return float(p @ np.abs(np.arange(len(p)) - p.argmax()))


def likely_grades(p: Floats, least: float) -> tuple[int, ...]:
    """The grades that are as probable as `least`, and always the most probable one."""
    return tuple(int(k) + 1 for k in np.flatnonzero((p >= least) | (p == p.max())))
