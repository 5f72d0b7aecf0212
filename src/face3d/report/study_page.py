"""The page of a study: its groups over the visits, what was asked of two visits, and each person's course."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d.measuring.courses import Course
from face3d.measuring.definitions import DEFINITIONS
from face3d.measuring.end_points import ALPHA, EndPoint
from face3d.reference.intervals import LEAST_MEAN, mean_interval
from face3d.report.change_words import better, told, what_of, where_of
from face3d.report.compare_result import ChangePart
from face3d.report.courses import agreement_plot, group_course, group_key, own_course, written
from face3d.report.drawings import interval
from face3d.report.frame import rendered
from face3d.report.parts import NOTICE
from face3d.scan import Floats
from face3d.visits import visit_order

if TYPE_CHECKING:
    import pandas as pd

#: People whose courses are drawn, and who are named in the table; all are in courses.csv.
_DRAWN, _NAMED = 40, 200
#: Measures that are shown of a table of hundreds; all are in the tables.
_MOST = 15
#: Measures of the whole exam: shown before all others.
_LEADING = ("severity", "function")


@dataclass(frozen=True)
class Asked:
    """What was asked of two visits: their names, and the table that answers it."""

    first: str
    second: str
    table: pd.DataFrame


def study_page(
    courses: Sequence[Course],
    table: pd.DataFrame,
    name: str,
    agreement: Asked | None = None,
    change: Asked | None = None,
    adjusted: pd.DataFrame | None = None,
    groups: Mapping[str, str] | None = None,
) -> str:
    """The page as HTML. `courses` of all people (`measuring.courses`), `table` the study's measures; `agreement`,
    `change`, `adjusted` from `measuring.two_visits`; `groups` subject -> group."""
    import face3d

    visits = _visits(courses)
    of = _grouped(courses, groups)
    failed = table.loc[table["measure"] == "exam"] if "measure" in table else table.iloc[:0]
    dates = sorted(d for c in courses for d in c.dates.values())
    judged = [_judged(c) for c in courses if c.comparison is not None]
    return rendered(
        "study.html",
        {},
        version=face3d.__version__,
        notice=NOTICE,
        name=name,
        people=len(courses),
        exams=sum(len(c.visits) for c in courses),
        span=f"{dates[0]:%-d %B %Y} to {dates[-1]:%-d %B %Y}" if dates else "",
        failed=[(r["subject"], r.get("visit", ""), r.get("status", "")) for r in failed.to_dict("records")][:_MOST],
        failures=len(failed),
        repeated=len(judged),
        counted=_counted(judged),
        judged=judged[:_NAMED],
        unnamed=max(len(judged) - _NAMED, 0),
        key=group_key(list(of)) if len(of) > 1 else [],
        group_plots=_group_plots(courses, visits, of),
        change=None if change is None else _change(change),
        adjusted=None if adjusted is None else _adjusted(adjusted),
        agreement=None if agreement is None else _agreement(agreement, table),
        own=[o for c in courses if c.comparison is not None and (o := _own(c))["courses"]][:_DRAWN],
        most=_DRAWN,
        alpha=ALPHA,
        least=LEAST_MEAN,
    )


def _visits(courses: Sequence[Course]) -> list[str]:
    """The visits that more than one person has, or all of few people's, in order."""
    number: dict[str, int] = {}
    for c in courses:
        for v in c.visits:
            number[v] = number.get(v, 0) + 1
    shared = [v for v, n in number.items() if n > 1 or len(courses) < 3]
    return sorted(shared, key=visit_order)[:8]


def _grouped(courses: Sequence[Course], groups: Mapping[str, str] | None) -> dict[str, list[Course]]:
    """People by group; one group of all where nobody said any."""
    if not groups:
        return {"all": list(courses)}
    found: dict[str, list[Course]] = {}
    for c in courses:
        if c.subject in groups:
            found.setdefault(groups[c.subject], []).append(c)
    return dict(sorted(found.items()))


def _group_plots(
    courses: Sequence[Course], visits: Sequence[str], of: Mapping[str, Sequence[Course]]
) -> list[dict[str, Any]]:
    plots = []
    for point in dict.fromkeys(p for c in courses for p in c.values):
        values = {g: np.array([_at(c, point, visits) for c in own]).reshape(-1, len(visits)) for g, own in of.items()}
        if not any(np.isfinite(v).any() for v in values.values()):
            continue
        means = {g: np.array([_mean(v[:, k]) for k in range(len(visits))]) for g, v in values.items()}
        unit = _unit(point)
        rows = [
            {"group": g, "cells": [_mean_text(values[g][:, k], means[g][k], unit) for k in range(len(visits))]}
            for g in of
        ]
        name = _point_text(point)
        plots.append(
            {"name": name, "drawing": group_course(name, unit, visits, values, means), "visits": visits, "rows": rows}
        )
    return plots


def _at(c: Course, point: EndPoint, visits: Sequence[str]) -> list[float]:
    """Values of one person at the study's visits; of what is left less right the size, since people are ill on
    different sides."""
    known = dict(zip(c.visits, c.values.get(point, ()), strict=False))
    values = [known.get(v, math.nan) for v in visits]
    return [abs(v) for v in values] if point.measure == "rest_difference" else values


def _mean(values: Floats) -> tuple[float, float, float]:
    known = values[np.isfinite(values)]
    if len(known) < LEAST_MEAN:
        return (float(known.mean()) if len(known) else math.nan), math.nan, math.nan
    found = mean_interval(known)
    return found.value, found.low, found.high


def _mean_text(values: Floats, mean: tuple[float, float, float], unit: str) -> str:
    n = int(np.isfinite(values).sum())
    if not n:
        return "–"
    between = f" [{written(mean[1], unit, bare=True)}, {written(mean[2], unit)}]" if math.isfinite(mean[1]) else ""
    return f"{written(mean[0], unit, bare=bool(between))}{between}, n = {n}"


def _unit(point: EndPoint) -> str:
    return "1" if point.measure not in DEFINITIONS else DEFINITIONS[point.measure].unit


def _point_text(point: EndPoint) -> str:
    what = "difference at rest" if point.measure == "rest_difference" else what_of(point.measure)
    return f"{what}, {where_of(point.measure, point.expression, point.region, point.side)}"


def _parts(c: Course) -> list[ChangePart]:
    assert c.comparison is not None
    return [ChangePart(**vars(change)) for change in c.comparison.changes if change.end_point]


def _judged(c: Course) -> dict[str, Any]:
    """One person at the last visit: which end points are called, in words."""
    assert c.comparison is not None
    last = c.visits[-1]
    own = [p for p in _parts(c) if p.visit == last]
    called = [(better(p), told(p)) for p in own if p.beyond]
    day = [f"{v} ({c.dates[v]:%-d %b %Y})" if v in c.dates else v for v in (c.visits[0], last)]
    return {
        "subject": c.subject,
        "side": c.affected_side,
        "span": " to ".join(day),
        "visits": len(c.visits),
        "known": sum(p.beyond is not None for p in own),
        "better": [text for good, text in called if good],
        "worse": [text for good, text in called if good is False],
        "changed": [text for good, text in called if good is None],
    }


def _counted(judged: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many people are better, worse, both, or changed where neither can be said."""
    signs = [(bool(j["better"]), bool(j["worse"]), bool(j["changed"])) for j in judged]
    return {
        "better": sum(up and not down for up, down, _ in signs),
        "worse": sum(down and not up for up, down, _ in signs),
        "mixed": sum(up and down for up, down, _ in signs),
        "changed": sum(other and not up and not down for up, down, other in signs),
    }


def _own(c: Course) -> dict[str, Any]:
    points: dict[tuple[str, ...], list[ChangePart]] = {}
    for part in _parts(c):
        points.setdefault((part.measure, part.expression, part.region, part.side), []).append(part)
    order: list[tuple[str, ...]] = [(p.measure, p.expression, p.region) for p in c.values]
    drawn = [own_course(points[k], c.visits, c.dates) for k in sorted(points, key=lambda k: order.index(k[:3]))]
    days = ", ".join(f"{v} {c.dates[v]:%-d %B %Y}" if v in c.dates else v for v in c.visits)
    return {"subject": c.subject, "side": c.affected_side, "days": days, "courses": [d for d in drawn if d]}


def _change(asked: Asked) -> dict[str, Any]:
    """The group's mean changes: those that are called first."""
    t = asked.table
    rows = _ordered(t)
    return {
        "first": asked.first,
        "second": asked.second,
        "all": len(t),
        "called": int((t["p_holm"].to_numpy() < ALPHA).sum()),
        "rows": [
            {
                "what": _row_text(r),
                "n": round(float(r["n"])),
                "before": written(r["before"], r["unit"]),
                "after": written(r["after"], r["unit"]),
                "change": written(r["change"], r["unit"], sign="+"),
                "between": _between(r["change_low"], r["change_high"], r["unit"]),
                "drawing": interval(r["change"], r["change_low"], r["change_high"], _span(r, rows)),
                "p": _p(r["p_holm"]),
            }
            for r in rows
        ],
    }


def _between(low: float, high: float, unit: str) -> str:
    return f"{written(low, unit, bare=True, sign='+')} to {written(high, unit, sign='+')}"


def _span(
    row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], low: str = "change_low", high: str = "change_high"
) -> tuple[float, float]:
    """About zero, alike for all rows of one unit."""
    ends = [abs(r[k]) for r in rows if r["unit"] == row["unit"] for k in (low, high) if math.isfinite(r[k])]
    most = max(ends, default=1.0) or 1.0
    return -most, most


def _adjusted(t: pd.DataFrame) -> dict[str, Any]:
    rows = _ordered(t)
    return {
        "control": t["control"].iloc[0] if len(t) else "",
        "all": len(t),
        "called": int((t["p_holm"].to_numpy() < ALPHA).sum()),
        "rows": [
            {
                "what": _row_text(r),
                "group": r["group"],
                "n": f"{r['n']} and {r['n_control']}",
                "difference": written(r["difference"], r["unit"], sign="+"),
                "between": _between(r["low"], r["high"], r["unit"]),
                "drawing": interval(r["difference"], r["low"], r["high"], _span(r, rows, "low", "high")),
                "p": _p(r["p_holm"]),
            }
            for r in rows
        ],
    }


def _agreement(asked: Asked, table: pd.DataFrame) -> dict[str, Any]:
    """How well two visits agree: the measures by which people are judged first."""
    t = asked.table
    rows = sorted(t.to_dict("records"), key=lambda r: not _leads(r))[:_MOST]
    plots = []
    for r in rows[:6]:
        a, b = _pairs(table, asked, r)
        if len(a) > 1:
            name = _row_text(r)
            limits = (r["limit_low"], r["limit_high"])
            plots.append({"name": name, "drawing": agreement_plot(name, r["unit"], a, b, r["bias"], limits)})
    return {
        "first": asked.first,
        "second": asked.second,
        "all": len(t),
        "plots": plots,
        "rows": [
            {
                "what": _row_text(r),
                "n": round(float(r["n"])),
                "icc": f"{r['icc21']:.2f} [{r['icc21_low']:.2f}, {r['icc21_high']:.2f}]",
                "mdc": written(r["mdc95"], r["unit"]),
                "bias": written(r["bias"], r["unit"], sign="+"),
            }
            for r in rows
        ],
    }


def _pairs(table: pd.DataFrame, asked: Asked, row: Mapping[str, Any]) -> tuple[Floats, Floats]:
    """(n,) values of the people who have both visits."""
    own = table
    for key in ("measure", "expression", "region", "side", "unit"):
        own = own.loc[own[key] == row[key]]
    both = own.pivot_table(index="subject", columns="visit", values="value").reindex(
        columns=[asked.first, asked.second]
    )
    both = both.dropna()
    return both[asked.first].to_numpy(float), both[asked.second].to_numpy(float)


def _row_text(r: Mapping[str, Any]) -> str:
    return f"{what_of(r['measure'])}, {where_of(r['measure'], r['expression'], r['region'], r['side'])}"


def _ordered(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table of tests: what people are judged by first, then what is called, the surest first."""
    rows = table.sort_values("p_holm", kind="stable", na_position="last").to_dict("records")
    first = [r for r in rows if _leads(r)]
    return [*first, *(r for r in rows if r not in first and r["p_holm"] < ALPHA)][:_MOST]


def _leads(r: Mapping[str, Any]) -> bool:
    return r["measure"] in _LEADING and r["expression"] == "all"


def _p(value: float) -> str:
    if not math.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
