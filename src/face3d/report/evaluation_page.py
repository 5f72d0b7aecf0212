"""The report of an evaluation: one page that opens offline, with every figure, its interval, and the charts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

import face3d
from face3d.reference.scales import ROMAN, HouseBands
from face3d.report.drawings import SOFT, WARM, Chart, counts, interval
from face3d.report.frame import rendered
from face3d.report.parts import NOTICE

if TYPE_CHECKING:
    from face3d.learn.evaluation import Evaluation
    from face3d.learn.predictions import Predictions, Truth
    from face3d.reference.agreement import Estimate

#: Figures that stand above the page, in this order.
_FIRST = ("exact", "within_one", "mae", "auc", "side", "severity_sd", "composite", "ece")
_TENTHS = [(k / 10, f"{k / 10:g}") for k in range(0, 11, 2)]


def evaluation_page(e: Evaluation, predicted: Predictions, truth: Truth, model: str, data: str) -> str:
    """The report as HTML. `model` and `data` name what was evaluated, and on what."""
    from face3d.learn.evaluation import MEANING, METRICS

    rows = [
        {"text": METRICS[k].text, "better": METRICS[k].better, "estimate": v, "drawn": _drawn(k, v)}
        for k, v in e.figures.items()
        if math.isfinite(v.value)
    ]
    return rendered(
        "evaluation.html",
        {"number": lambda v: "–" if not math.isfinite(v) else f"{v:.3f}"},
        version=face3d.__version__,
        notice=NOTICE,
        meaning=MEANING,
        model=model,
        data=data,
        evaluation=e,
        rows=rows,
        kappa=e.figures["kappa"],
        first=[(METRICS[k].text, e.figures[k]) for k in _FIRST if math.isfinite(e.figures[k].value)],
        table=counts(e.table, ROMAN, "true grade", "grade given", "Counts of true and given grades"),
        recall=list(
            zip(
                ROMAN,
                e.recall,
                [interval(r.value, r.low, r.high, (0, 1)) if r.n else "" for r in e.recall],
                strict=True,
            )
        ),
        severity=_severity(predicted, truth),
        reliability=_reliability(e),
        coverage=_coverage(e),
        groups=[
            (
                group,
                [
                    (value, row, interval(row["mae"].value, row["mae"].low, row["mae"].high, (0, 2)))
                    for value, row in values.items()
                ],
            )
            for group, values in e.groups.items()
            if values
        ],
    )


def _drawn(name: str, e: Estimate) -> Markup | str:
    shares = ("exact", "within_one", "kappa", "auc", "side", "side_iii", "abstained", "near_band", "kept_90")
    return interval(e.value, e.low, e.high, (0, 1)) if name in shares and math.isfinite(e.low) else ""


def _severity(p: Predictions, t: Truth) -> Markup | None:
    known = np.isfinite(p.severity + t.severity)
    if not known.any():
        return None
    chart = Chart((-0.03, 1.03), (-0.03, 1.03), "true severity", "estimated severity", _TENTHS, _TENTHS)
    b = HouseBands()
    for border in (b.normal, b.mild, b.moderate, b.moderately_severe, b.severe):
        chart.line([1 - border] * 2, [-0.03, 1.03], SOFT, 0.7, "2 3")
    chart.line([0, 1], [0, 1], SOFT, 1.0)
    said, right = np.clip(p.severity, -0.03, 1.03), known & (p.grade == t.grade)
    chart.dots(t.severity[right], said[right], 2.6)
    chart.dots(t.severity[known & ~right], said[known & ~right], 3.2, WARM, solid=False)
    return chart.svg("Estimated against true severity")


def _reliability(e: Evaluation) -> Markup | None:
    if not len(e.reliability):
        return None
    chart = Chart((0, 1), (0, 1), "confidence", "share that was right", _TENTHS, _TENTHS)
    chart.line([0, 1], [0, 1], SOFT, 1.0)
    confidence, right, count = e.reliability.T
    chart.line(confidence, right)
    chart.dots(confidence, right, 2 + 8 * np.sqrt(count / count.max()))
    return chart.svg("Share right against confidence, bin by bin")


def _coverage(e: Evaluation) -> Markup | None:
    if len(e.coverage) < 2:
        return None
    top = max(0.1, math.ceil(10 * float(e.coverage[:, 1].max()) + 1e-9) / 10)
    step = 0.05 if top <= 0.3 else 0.1 if top <= 1 else 0.5
    ticks = [(k * step, f"{k * step:.2f}") for k in range(int(top / step + 1.01))]
    chart = Chart((0, 1), (0, top), "share of exams kept, the surest first", "MAE in grades", _TENTHS, ticks)
    chart.line([0.9, 0.9], [0, top], SOFT, 0.8, "2 3")
    chart.line(*e.coverage.T)
    return chart.svg("Mean absolute error among the surest exams")
