"""Probabilities that mean what they say: temperature, sets of likely grades, and when to be called unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from face3d.scan import Floats

#: Share of exams whose true grade lies in the set of likely ones, and share that are sure enough to be graded.
COVERED, GRADED = 0.9, 0.9


@dataclass(frozen=True)
class Calibration:
    """Learned on subjects that were held out: `temperature` of the grade's probabilities (Guo 2017), `least` of each
    grade I..VI the probability from which on it is a likely one (conformal, by class: Sadinle 2019), `unsure` the
    expected error in grades above which the least sure tenth of exams lies, `severity_se` the standard error of the
    severity. One threshold for all grades holds nine of ten exams of the mix that it was learned on, and fewer of the
    grades that are hard to tell; one of each grade's own holds nine of ten of every grade, in any mix."""

    temperature: float
    least: tuple[float, ...]
    unsure: float
    severity_se: float

    def __post_init__(self) -> None:
        each = np.asarray(self.least, np.float64)
        if each.ndim == 0:  # as it was calibrated before each grade had its own
            each = np.full(6, each)
        object.__setattr__(self, "least", tuple(each.tolist()))
        if len(self.least) != 6:
            raise ValueError(f"least has {len(self.least)} probabilities; expected one of each grade, 6")

    @classmethod
    def learned(cls, probabilities: Floats, grades: Sequence[int], severity_error: Floats) -> Calibration:
        """From held-out `probabilities` (n, 6), true `grades` (n,) 1..6 and errors of the severity (n,)."""
        p, true = np.asarray(probabilities, np.float64), np.asarray(grades, np.int64) - 1
        # Never sharper than the networks say: the held-out subjects also chose where their training stopped.
        temperatures = np.geomspace(1.0, 4.0, 81)
        rows = np.arange(len(p))
        loss = [-np.log(np.clip(tempered(p, t)[rows, true], 1e-9, 1)).mean() for t in temperatures]
        temperature = float(temperatures[int(np.argmin(loss))])
        q = tempered(p, temperature)
        least = tuple(_threshold(q[true == k, k]) for k in range(q.shape[1]))
        unsure = float(np.quantile([expected_error(one) for one in q], GRADED))
        error = np.asarray(severity_error, np.float64)
        return cls(temperature, least, unsure, float(np.sqrt((error**2).mean())))


def _threshold(own: Floats) -> float:
    """The probability that nine of ten further exams of a grade get or exceed, from those that `own` ones of it got; 0
    of too few: then the grade is always a likely one."""
    rank = int(np.floor((1 - COVERED) * (len(own) + 1)))
    return float(np.sort(own)[rank - 1]) if rank else 0.0


def tempered(probabilities: Floats, temperature: float) -> Floats:
    """Probabilities (..., 6) with their logarithms divided by a temperature."""
    logit = np.log(np.clip(probabilities, 1e-9, 1.0)) / temperature
    p = np.exp(logit - logit.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def expected_error(p: Floats) -> float:
    """By how many grades the most probable grade is off, in expectation."""
    return float(p @ np.abs(np.arange(len(p)) - p.argmax()))


def likely_grades(p: Floats, least: ArrayLike) -> tuple[int, ...]:
    """The grades that are as probable as `least` (of each, or of all), and always the most probable one."""
    return tuple(int(k) + 1 for k in np.flatnonzero((p >= np.asarray(least)) | (p == p.max())))
