"""What networks and rules say of an exam, heard together.

Networks know more patterns, rules transfer better to heads that no network has seen; where the two disagree neither is
sure. How much each counts, where grades begin, and what disagreement is worth, is learned on exams of kinds of people
that the networks had never seen (`tools/calibrate_grading.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from face3d.grading.calibration import tempered
from face3d.scan import Floats
from face3d.values import Value, locked

#: SD, in severity, by which learned cut points may differ from House's bands, and of the logarithms of the spreads.
CUT_PRIOR, LOOSE = 0.01, 1.5
#: A priori: spread of severity when both agree, and how much of their disagreement adds to it.
SPREADS = (0.02, 0.3)


@dataclass(frozen=True, eq=False, repr=False)
class Said(Value):
    """What is said of n exams: `severity` and `rules` (n,) 0..1 by networks and by rules, `function`, `rules_function`
    (n, 5) of the ill side, NaN where rules say nothing, or call another side ill."""

    severity: Floats
    function: Floats
    rules: Floats
    rules_function: Floats

    def rows(self, index: np.ndarray) -> Said:
        """The same of some of the exams."""
        return Said(*(getattr(self, f.name)[index] for f in fields(self)))


@dataclass(frozen=True, eq=False, repr=False)
class Pool(Value):
    """`weight` of rules in severity and `function` (5,) by region, 0..1; `cuts` (5,) severities at which grades II to
    VI begin; `spread` (2,): the scale of severity's logistic error is the root of the sum of squares of the first and
    of the second times the disagreement of networks and rules."""

    weight: float
    function: Floats
    cuts: Floats
    spread: Floats

    def __post_init__(self) -> None:
        for name in ("function", "cuts", "spread"):
            object.__setattr__(self, name, locked(getattr(self, name)))

    def severity(self, said: Said) -> Floats:
        """(n,) what both say together; the networks alone where rules say nothing."""
        return _blend(said.severity, said.rules, self.weight)

    def functions(self, said: Said) -> Floats:
        """(n, 5) the same of the regions."""
        return _blend(said.function, said.rules_function, self.function)

    def scale(self, said: Said) -> Floats:
        """(n,) scale of the error of the severity."""
        differ = np.nan_to_num(np.abs(said.severity - said.rules))
        return np.hypot(self.spread[0], self.spread[1] * differ)

    def probabilities(self, said: Said) -> Floats:
        """(n, 6) of the grades I to VI."""
        return _cumulative(self.severity(said), self.cuts, self.scale(said))

    @classmethod
    def learned(
        cls,
        said: Said,
        grades: Sequence[int],
        severity: Floats,
        function: Floats,
        cuts: Sequence[float],
        weights: Floats | None = None,
    ) -> Pool:
        """From what was said of exams by networks that had not seen their kind, true `grades` (n,) 1..6, `severity`
        (n,), `function` (n, 5), and the bands' `cuts` (5,); `weights` (n,) how much each exam counts. Rules weigh what
        has the least squared error: the likeliest grades are almost the same for any weight between."""
        from scipy.optimize import minimize

        true = np.asarray(grades, np.int64) - 1
        count = np.ones(len(true)) if weights is None else weights
        house = np.asarray(cuts, np.float64)

        weight = _best(said.severity, said.rules, severity, count)

        def pool(x: Floats) -> Pool:
            return cls(float(weight), np.zeros(5), np.sort(house + CUT_PRIOR * x[2:]), np.exp(x[:2]))

        def lost(x: Floats) -> float:
            p = pool(x).probabilities(said)[np.arange(len(true)), true]
            prior = (x[2:] ** 2).sum() / 2 + (((x[:2] - start[:2]) / LOOSE) ** 2).sum() / 2
            return float(-(count * np.log(np.clip(p, 1e-9, 1.0))).sum() + prior)

        start = np.r_[np.log(SPREADS), np.zeros(5)]
        best = pool(minimize(lost, start, method="L-BFGS-B").x)
        return cls(best.weight, _best(said.function, said.rules_function, function, count), best.cuts, best.spread)


def _best(networks: Floats, rules: Floats, true: Floats, count: Floats) -> Floats:
    """The weight of rules, 0..1, with the least squared error: of each column (n, D), or of one (n,)."""
    known = np.isfinite(networks + rules + true)
    apart, missed = np.where(known, rules - networks, 0.0), np.where(known, true - networks, 0.0)
    weight = count.reshape(-1, *[1] * (networks.ndim - 1))
    return np.clip((weight * apart * missed).sum(axis=0) / np.maximum((weight * apart**2).sum(axis=0), 1e-9), 0.0, 1.0)


def _blend(networks: Floats, rules: Floats, weight: float | Floats) -> Floats:
    return np.where(np.isfinite(rules), (1.0 - weight) * networks + weight * np.nan_to_num(rules), networks)


def _cumulative(severity: Floats, cuts: Floats, scale: Floats) -> Floats:
    """(n, 6): the cumulative logistic link (McCullagh 1980), as in `heads.cumulative`."""
    above = 1.0 / (1.0 + np.exp(-np.clip((severity[:, None] - cuts) / scale[:, None], -50.0, 50.0)))
    edge = np.ones((len(severity), 1))
    return tempered(np.clip(np.hstack([edge, above]) - np.hstack([above, 0 * edge]), 1e-6, 1.0), 1.0)
