"""Late fusion: what networks say of an exam beside its measures and clinical variables, any of which may be missing.

A ridge regression corrects the networks' severity by the other columns; strength by generalised cross-validation, so
that columns that say nothing are left alone. Columns: the networks' own severity and region function, the rule-based
severity and function, ratios of the principal measures, age, sex and days since onset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from face3d.grading.example import Example
from face3d.learn.baselines import best_cuts, graded
from face3d.learn.predictions import Predictions, Truth
from face3d.learn.splits import folds
from face3d.reference.scales import REGIONS
from face3d.scan import Floats
from face3d.values import Value

#: Measures that clinicians read first: as fractions of the stronger side.
RATIOS = (
    "brow_raise_ratio|brow_raise|brow|both",
    "closure_ratio|gentle_eye_closure|eye|both",
    "commissure_excursion_ratio|open_smile|mouth|both",
    "alar_lift_ratio|snarl|nose|both",
    "pucker_ratio|lip_pucker|mouth|both",
    "lip_depression_ratio|lower_lip_depression|lower_lip|both",
)
CLINICAL = ("age_years", "male", "days_since_onset")
GROUPS = ("networks", "rules", "measures", "clinical")
#: Strengths of the ridge that are tried; the strongest leaves the networks' severity as it is.
STRENGTHS = tuple(np.geomspace(1.0, 1e5, 16))
INNER = 4


def columns_of(predicted: Predictions, examples: Sequence[Example], groups: Sequence[str] = GROUPS) -> Floats:
    """(n, D) the columns of some groups, beside each other; NaN what is missing."""

    def number(value: Any) -> float:
        return float(value) if isinstance(value, int | float) else np.nan

    table: dict[str, Floats] = {
        "networks": np.c_[predicted.severity, predicted.function],
        "rules": np.array(
            [
                [number(e.rules.get("severity")), *e.rules.get("region_function", (np.nan,) * len(REGIONS))]
                for e in examples
            ],
            np.float64,
        ),
        "measures": np.array([[number(e.measures.get(name)) for name in RATIOS] for e in examples]),
        "clinical": np.array([[number(e.facts.get(name)) for name in CLINICAL] for e in examples]),
    }
    return np.concatenate([np.empty((len(examples), 0)), *(table[g] for g in groups)], axis=1)


@dataclass(frozen=True, eq=False, repr=False)
class Fusion(Value):
    """`groups` of columns; `middle`, `scale`, `weights` (D,) and `bias` of the correction; `cuts` (5,) between grades;
    `spread` SD of the severity's error."""

    groups: tuple[str, ...]
    middle: Floats
    scale: Floats
    weights: Floats
    bias: float
    cuts: Floats
    spread: float

    @classmethod
    def learned(
        cls, predicted: Predictions, truth: Truth, examples: Sequence[Example], groups: Sequence[str] = GROUPS
    ) -> Fusion:
        """From exams that the networks were not trained on, with their true severity and grade. No `groups`: only cut
        points and spread are learned. Raises ValueError when fewer than 12 have both."""
        known = np.flatnonzero(np.isfinite(predicted.severity + truth.severity + truth.grade))
        if len(known) < 12:
            raise ValueError(f"{len(known)} exams have severity and grade; fusion needs at least 12")
        p, t = predicted.rows(known), truth.rows(known)
        e = [examples[int(k)] for k in known]
        fold = folds(t.subject.tolist(), t.grade.tolist(), INNER)
        said = np.empty(len(known))
        for f in range(INNER):
            part = np.flatnonzero(fold != f)
            rest = np.flatnonzero(fold == f)
            fitted = _fitted(columns_of(p.rows(part), [e[k] for k in part], groups), (t.severity - p.severity)[part])
            said[rest] = p.severity[rest] + _asked(columns_of(p.rows(rest), [e[k] for k in rest], groups), *fitted)
        middle, scale, weights, bias = _fitted(columns_of(p, e, groups), t.severity - p.severity)
        spread = float(np.sqrt(((said - t.severity) ** 2).mean()))
        return cls(tuple(groups), middle, scale, weights, bias, best_cuts(said, t.grade), spread)

    def __call__(self, predicted: Predictions, examples: Sequence[Example]) -> Predictions:
        """The networks' predictions with severity, probabilities and grade corrected; the rest as it was."""
        x = columns_of(predicted, examples, self.groups)
        severity = predicted.severity + _asked(x, self.middle, self.scale, self.weights, self.bias)
        changed: Mapping[str, Any] = {
            "severity": np.clip(severity, 0.0, 1.0),
            "probabilities": graded(severity, self.cuts, self.spread),
            "grade": 1 + np.searchsorted(self.cuts, severity, side="right"),
        }
        kept = {n: getattr(predicted, n) for n in ("side", "function", "composite", "abstained")}
        return Predictions.of(len(severity), **kept, **changed)


def _fitted(x: Floats, error: Floats) -> tuple[Floats, Floats, Floats, float]:
    """Middle, scale, weights and bias of the ridge that predicts the networks' error."""
    from sklearn.linear_model import RidgeCV

    if not x.shape[1]:
        return np.empty(0), np.empty(0), np.empty(0), 0.0
    known = [column[np.isfinite(column)] for column in x.T]
    middle = np.array([k.mean() if len(k) else 0.0 for k in known])
    scale = np.array([max(float(k.std()), 1e-6) if len(k) else 1.0 for k in known])
    ridge = RidgeCV(STRENGTHS).fit(np.nan_to_num((x - middle) / scale), error)
    return middle, scale, np.asarray(ridge.coef_, np.float64), float(ridge.intercept_)


def _asked(x: Floats, middle: Floats, scale: Floats, weights: Floats, bias: float) -> Floats:
    """A column that is missing counts as its mean."""
    return np.nan_to_num((x - middle) / scale) @ weights + bias
