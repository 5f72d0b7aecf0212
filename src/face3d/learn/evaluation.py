"""How well exams are graded: agreement, error, detection, side, calibration and abstention, by subject.

Intervals are by subject, so that two scans of one person never count as two people, and of the kind that holds 95 % at
the number of people there is; of fewer there is none (`face3d.reference.intervals`). Where a label or an answer is
missing the exam does not count for that figure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from face3d.errors import SchemaError
from face3d.learn.example_files import read_example
from face3d.learn.predictions import Predictions, Truth, by_model, groups_of, truth_of
from face3d.learn.prevalence import CLINICS, clinic_lines, in_clinic
from face3d.reference.agreement import Estimate, bootstrap_by_subject, confusion, kappa_of_table
from face3d.reference.intervals import (
    LEAST_AREA,
    LEAST_KAPPA,
    jackknife_by_subject,
    mean_by_subject,
    sd_interval,
    share_by_subject,
    without_interval,
)
from face3d.reference.scales import ROMAN, HouseBands
from face3d.scan import Floats
from face3d.values import Value

GRADES = range(1, 7)
#: Bins of equal width over confidence, for the expected calibration error (Guo et al. 2017, arXiv 1706.04599).
BINS = 10
#: An exam this near (severity) to a border of House's bands may fall on either side of it by measurement noise alone.
NEAR_BAND = 0.05
#: What is compared where a figure says House-Brackmann alone.
MEANING = (
    "House-Brackmann as given is by movement; the truth is too where it is simulated, a clinician's is descriptive"
)
#: Groups smaller than this are not reported.
LEAST_GROUP = 5


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Value):
    """`figures` by name, which `METRICS` explains; `table` (6, 6) counts, rows true grades, columns predicted;
    `recall` of each grade; `reliability` (B, 3) mean confidence, share right, exams of each bin; `coverage` (n, 2)
    share of exams kept, the surest first, and the mean absolute error of the grade among them; `groups` group -> value
    -> figures; `clinics` what it would be where grades are seen otherwise than here (`face3d.learn.prevalence`)."""

    exams: int
    subjects: int
    figures: Mapping[str, Estimate]
    table: Floats
    recall: tuple[Estimate, ...]
    reliability: Floats
    coverage: Floats
    groups: Mapping[str, Mapping[str, Mapping[str, Estimate]]] = field(default_factory=dict)
    clinics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it: numbers, and None for what could not be computed."""
        return {
            "exams": self.exams,
            "subjects": self.subjects,
            "figures": {k: _plain(e) | {"text": METRICS[k].text} for k, e in self.figures.items()},
            "confusion": self.table.astype(int).tolist(),
            "recall": [_plain(r) for r in self.recall],
            "reliability": [[_number(v) for v in row] for row in self.reliability],
            "coverage": [[_number(v) for v in row] for row in self.coverage],
            "groups": {
                g: {value: {k: _plain(e) for k, e in row.items()} for value, row in rows.items()}
                for g, rows in self.groups.items()
            },
            "clinics": {c: {k: _number(v) for k, v in row.items()} for c, row in self.clinics.items()},
        }

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1)

    def to_text(self) -> str:
        """The table for a terminal."""
        lines = [f"{self.exams} exams of {self.subjects} subjects; intervals 95 %, by subject", MEANING, ""]
        for name, e in self.figures.items():
            if math.isfinite(e.value):
                lines.append(f"{METRICS[name].text:<46}{e.value:>8.3f}   {_span(e, 3)}   n = {e.n}")
        lines += ["", "true grade, and how often each was given" + " " * 14 + "recall"]
        lines.append("      " + "".join(f"{r:>6}" for r in ROMAN))
        for k, row in enumerate(self.table):
            r = self.recall[k]
            said = f"   {r.value:.2f} {_span(r, 2)}" if math.isfinite(r.value) else ""
            lines.append(f"{ROMAN[k]:>6}" + "".join(f"{int(v):>6}" for v in row) + said)
        for group, values in self.groups.items():
            lines += ["", f"{group:<28}{'people':>6}   exact   kappa     MAE"]
            for value, e in values.items():
                figures = (e[k].value for k in GROUP_FIGURES)
                shown = "".join(f"{v:>8.3f}" if math.isfinite(v) else f"{'-':>8}" for v in figures)
                lines.append(f"  {value:<26}{e['exact'].n:>6}{shown}")
        lines += clinic_lines(self.clinics)
        return "\n".join(lines)


def _span(e: Estimate, digits: int) -> str:
    """The interval in brackets; of too few subjects there is none."""
    return f"[{e.low:.{digits}f}, {e.high:.{digits}f}]" if math.isfinite(e.low + e.high) else "[no interval]"


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _plain(e: Estimate) -> dict[str, Any]:
    return {"value": _number(e.value), "low": _number(e.low), "high": _number(e.high), "n": e.n}


# ---------------------------------------------------------------- single figures


def auc(score: Floats, positive: np.ndarray) -> float:
    """Area under the ROC curve: how often a positive scores higher than a negative, ties half (Mann & Whitney)."""
    from scipy.stats import rankdata

    known = np.isfinite(score)
    ranks, yes = rankdata(score[known]), np.asarray(positive, bool)[known]
    k, n = int(yes.sum()), len(yes)
    if k in (0, n):
        return math.nan
    return float((ranks[yes].sum() - k * (k + 1) / 2) / (k * (n - k)))


def calibration_error(confidence: Floats, right: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: mean gap between confidence and share right over bins of equal width, weighted by
    their exams (Guo et al. 2017). Biased upward by small bins."""
    curve = reliability(confidence, right, bins)
    total = curve[:, 2].sum()
    return float((curve[:, 2] * np.abs(curve[:, 0] - curve[:, 1])).sum() / total) if total else math.nan


def reliability(confidence: Floats, right: np.ndarray, bins: int = BINS) -> Floats:
    """(B, 3) mean confidence, share right and number of exams of each bin that is not empty."""
    known = np.isfinite(confidence)
    c, r = confidence[known], np.asarray(right, np.float64)[known]
    place = np.clip(np.ceil(c * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins).astype(np.float64)
    there = count > 0
    sums = [np.bincount(place, v, bins)[there] / count[there] for v in (c, r)]
    return np.stack([*sums, count[there]], axis=1)


def coverage_curve(doubt: Floats, error: Floats) -> Floats:
    """(n, 2) share of exams kept when the most doubtful are left out, ascending, and the mean error of those kept.
    Equal doubts are left out together."""
    known = np.isfinite(doubt) & np.isfinite(error)
    order = np.argsort(doubt[known], kind="stable")
    sorted_doubt, e = doubt[known][order], error[known][order]
    if not len(e):
        return np.empty((0, 2))
    kept = np.arange(1, len(e) + 1)
    last = np.r_[np.diff(sorted_doubt) > 0, True]
    return np.stack([kept / len(e), np.cumsum(e) / kept], axis=1)[last]


def _within(p: Predictions, t: Truth, grades: int) -> Floats:
    off = np.abs(p.grade - t.grade)
    return np.where(np.isfinite(off), off <= grades, np.nan)


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _kappa(given: Floats, true: Floats) -> float:
    known = np.isfinite(given + true)
    if known.sum() < 2:
        return math.nan
    return kappa_of_table(confusion(true[known], given[known], GRADES)).value


def _descriptive(p: Predictions, t: Truth) -> Floats:
    return np.where(np.isfinite(p.descriptive + t.descriptive), p.descriptive == t.descriptive, np.nan)


def _detection(p: Predictions, t: Truth) -> float:
    score = p.severity if np.isfinite(p.severity).any() else 1.0 - p.probabilities[:, 0]
    known = np.isfinite(t.grade)
    return auc(score[known], t.grade[known] > 1)


def _side(p: Predictions, t: Truth, least: int) -> Floats:
    asked = (t.grade >= least) & np.isin(t.side, ("left", "right")) & (p.side != "")
    return np.where(asked, p.side == t.side, np.nan)


def _right(p: Predictions, t: Truth) -> tuple[Floats, np.ndarray]:
    """Confidence in the grade given, NaN where there is none or no truth, and whether it was right."""
    column = np.nan_to_num(p.grade, nan=1.0).astype(int) - 1
    confidence = p.probabilities[np.arange(len(column)), column]
    return np.where(np.isfinite(p.grade + t.grade), confidence, np.nan), p.grade == t.grade


def _brier(p: Predictions, t: Truth) -> Floats:
    truth = t.grade[:, None] == np.arange(1, 7)[None]
    score = ((p.probabilities - truth) ** 2).sum(axis=1)
    return np.where(np.isfinite(t.grade), score, np.nan)


def _spread(p: Predictions, t: Truth) -> float:
    e = (p.severity - t.severity)[np.isfinite(p.severity - t.severity)]
    return float(e.std(ddof=1)) if len(e) > 1 else math.nan


def _at_coverage(p: Predictions, t: Truth, share: float) -> float:
    """1 - MAE of the surest `share` of exams / MAE of all."""
    curve = coverage_curve(p.expected_error, np.abs(p.grade - t.grade))
    if not len(curve) or curve[-1, 1] == 0:
        return math.nan
    return 1.0 - float(np.interp(share, curve[:, 0], curve[:, 1])) / float(curve[-1, 1])


def _kept(p: Predictions, t: Truth) -> Floats:
    return np.where(~p.abstained & p.abstained.any(), np.abs(p.grade - t.grade), np.nan)


def _not_graded(p: Predictions, t: Truth) -> Floats:
    return (p.abstained | np.isnan(p.grade)).astype(np.float64)


def _near_band(p: Predictions, t: Truth) -> Floats:
    """Share of the wrong grades whose true severity lies within `NEAR_BAND` of a band's border."""
    b = HouseBands()
    borders = 1.0 - np.array([b.normal, b.mild, b.moderate, b.moderately_severe, b.severe])
    wrong = np.isfinite(p.grade + t.grade + t.severity) & (p.grade != t.grade)
    return np.where(wrong, np.abs(t.severity[:, None] - borders).min(axis=1) <= NEAR_BAND, np.nan)


@dataclass(frozen=True)
class Metric:
    """A figure: what it is, which way is good, how it is computed, and how its interval is: of "mean" and "share" from
    `values`, one an exam (n,), NaN where it doesn't count; of "agreement" and "area" by the jackknife; of "sd" by the
    chi-squared distribution; "" has none that would hold what it says."""

    text: str
    better: str
    of: Callable[[Predictions, Truth], float]
    kind: str = ""
    values: Callable[[Predictions, Truth], Floats] | None = None


def _averaged(text: str, better: str, kind: str, values: Callable[[Predictions, Truth], Floats]) -> Metric:
    return Metric(text, better, lambda p, t: _mean(values(p, t)), kind, values)


def _mean_of_rows(table: Floats) -> Floats:
    """Mean (n,) of what is known in each row; NaN where nothing is."""
    known = np.isfinite(table)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, table, 0).sum(axis=1) / np.maximum(count, 1), np.nan)


METRICS: Mapping[str, Metric] = {
    "exact": _averaged("House-Brackmann, exact", "higher", "share", lambda p, t: _within(p, t, 0)),
    "within_one": _averaged("House-Brackmann, within one", "higher", "share", lambda p, t: _within(p, t, 1)),
    "kappa": Metric("House-Brackmann, quadratic kappa", "higher", lambda p, t: _kappa(p.grade, t.grade), "agreement"),
    "mae": _averaged("House-Brackmann, MAE in grades", "lower", "mean", lambda p, t: np.abs(p.grade - t.grade)),
    "descriptive": _averaged("House-Brackmann descriptive, exact", "higher", "share", _descriptive),
    "descriptive_kappa": Metric(
        "House-Brackmann descriptive, quadratic kappa",
        "higher",
        lambda p, t: _kappa(p.descriptive, t.descriptive),
        "agreement",
    ),
    "rater_kappa": Metric(
        "House-Brackmann beside one simulated rater, quadratic kappa",
        "higher",
        lambda p, t: _kappa(p.grade, t.rater),
        "agreement",
    ),
    "auc": Metric("healthy against palsy, ROC-AUC", "higher", _detection, "area"),
    "side": _averaged("side, II-VI", "higher", "share", lambda p, t: _side(p, t, 2)),
    "side_iii": _averaged("side, III-VI", "higher", "share", lambda p, t: _side(p, t, 3)),
    "severity_sd": Metric("severity, SD of the error", "lower", _spread, "sd", lambda p, t: p.severity - t.severity),
    "severity_bias": _averaged("severity, mean error", "zero", "mean", lambda p, t: p.severity - t.severity),
    "function": _averaged(
        "region function, MAE", "lower", "mean", lambda p, t: _mean_of_rows(np.abs(p.function - t.function))
    ),
    "composite": _averaged(
        "Sunnybrook composite, MAE", "lower", "mean", lambda p, t: np.abs(p.composite - t.composite)
    ),
    "ece": Metric("calibration error (ECE, 10 bins)", "lower", lambda p, t: calibration_error(*_right(p, t))),
    "brier": _averaged("Brier score (0 to 2)", "lower", "mean", _brier),
    "kept_90": Metric("MAE saved by leaving out a tenth", "higher", lambda p, t: _at_coverage(p, t, 0.9)),
    "abstained": _averaged("abstained on, or not graded", "neither", "share", _not_graded),
    "mae_kept": _averaged("MAE of those not abstained on", "lower", "mean", _kept),
    "near_band": _averaged("wrong grades within 0.05 of a band's border", "neither", "share", _near_band),
}
GROUP_FIGURES = ("exact", "kappa", "mae")
#: What an agreement compares, of the predictions and of the truth, where it isn't the grade.
_COMPARED = {"descriptive_kappa": ("descriptive", "descriptive"), "rater_kappa": ("grade", "rater")}


# ---------------------------------------------------------------- all of them


def evaluate(
    predicted: Predictions,
    truth: Truth,
    groups: Mapping[str, Sequence[str]] | None = None,
    names: Sequence[str] = tuple(METRICS),
) -> Evaluation:
    """All figures (`names` of `METRICS`) of predictions against the truth, with intervals by subject where there are
    subjects enough for one that holds what it says (`face3d.reference.intervals`).

    `groups` group -> value of each exam, "" unknown; values of too few exams, or of which no grade is known, are left
    out. Raises ValueError when the two are not of the same exams or there is none.
    """
    if len(predicted.grade) != len(truth.grade) or not len(truth.grade):
        raise ValueError(
            f"{len(predicted.grade)} predictions for {len(truth.grade)} exams; expected as many, 1 or more"
        )
    known = np.isfinite(predicted.grade + truth.grade)
    right = (predicted.grade == truth.grade).astype(np.float64)
    recall = tuple(share_by_subject(np.where(known & (truth.grade == g), right, np.nan), truth.subject) for g in GRADES)

    def of_group(rows: np.ndarray) -> dict[str, Estimate]:
        return {k: figure(k, predicted.rows(rows), truth.rows(rows)) for k in GROUP_FIGURES}

    by_group = {}
    for group, values in (groups or {}).items():
        where = {value: np.flatnonzero(np.asarray(values) == value) for value in sorted(set(values)) if value}
        found = {value: of_group(rows) for value, rows in where.items() if known[rows].sum() >= LEAST_GROUP}
        if found:
            by_group[group] = found
    return Evaluation(
        len(truth.grade),
        len(np.unique(truth.subject)),
        {k: figure(k, predicted, truth) for k in names},
        confusion(truth.grade[known], predicted.grade[known], GRADES) if known.any() else np.zeros((6, 6)),
        recall,
        reliability(*_right(predicted, truth)),
        coverage_curve(predicted.expected_error, np.abs(predicted.grade - truth.grade)),
        by_group,
        {clinic: in_clinic(predicted, truth, shares, BINS) for clinic, shares in CLINICS.items()},
    )


def figure(name: str, predicted: Predictions, truth: Truth) -> Estimate:
    """One figure of `METRICS` with its interval by subject; `n` the subjects that count for it."""
    metric = METRICS[name]
    if metric.values is not None:
        values = metric.values(predicted, truth)
        if metric.kind == "sd":
            return (
                sd_interval(values) if len(np.unique(truth.subject)) == len(values) else _bare(metric, predicted, truth)
            )
        return (share_by_subject if metric.kind == "share" else mean_by_subject)(values, truth.subject)
    least = {"agreement": LEAST_KAPPA, "area": LEAST_AREA}.get(metric.kind)
    if least is None:
        return _bare(metric, predicted, truth)
    # Left out one by one are those for whom there is something to compare.
    there = np.isfinite(truth.grade)
    if metric.kind == "agreement":
        ours, theirs = _COMPARED.get(name, ("grade", "grade"))
        there = np.isfinite(getattr(predicted, ours) + getattr(truth, theirs))
    p, t = predicted.rows(there), truth.rows(there)
    return jackknife_by_subject(lambda i: metric.of(p.rows(i), t.rows(i)), t.subject, least)


def _bare(metric: Metric, predicted: Predictions, truth: Truth) -> Estimate:
    return without_interval(metric.of(predicted, truth), len(np.unique(truth.subject)))


def difference(
    name: str, a: Predictions, b: Predictions, truth: Truth, rng: np.random.Generator, samples: int = 2000
) -> Estimate:
    """Figure of `a` minus that of `b` on the same exams, the two drawn together, so that the interval is of the
    difference."""
    of = METRICS[name].of
    return bootstrap_by_subject(
        lambda i: of(a.rows(i), truth.rows(i)) - of(b.rows(i), truth.rows(i)), truth.subject, rng, samples
    )


def evaluate_examples(model: str, files: Sequence[Path]) -> tuple[Evaluation, Predictions, Truth]:
    """Stored examples graded by a model (`by_model`), and how well. Raises `SchemaError` when none has a grade."""
    examples = [read_example(file) for file in files]
    truth = truth_of(examples)
    if not np.isfinite(truth.grade).any():
        raise SchemaError(
            f"{files[0].parent}: no exam says its House-Brackmann grade; enter it in exam.json, grades.house_brackmann"
        )
    predicted = by_model(model, examples)
    return evaluate(predicted, truth, groups_of(examples)), predicted, truth
