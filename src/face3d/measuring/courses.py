"""The course of each person of a study over their visits, judged by the end points as two visits are."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from face3d.landmarks import SIDES
from face3d.measuring.comparison import Comparison, compare
from face3d.measuring.definitions import Measure
from face3d.measuring.end_points import EndPoint, load_end_points
from face3d.measuring.exam_measures import Measures
from face3d.measuring.study import KEYS, Visited
from face3d.reference.repeatability import Key, Repeatability
from face3d.values import Value
from face3d.visits import visit_order

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Course(Value):
    """One person of a study. `visits` in order, by date where all have one, else as their labels say; `dates` of those
    that have one; `affected_side` at the first visit; `values` end point -> its value at each visit, NaN where not
    measured; `comparison` of the first with the later visits, None of one visit.
    """

    subject: str
    visits: tuple[str, ...]
    dates: Mapping[str, datetime.date]
    affected_side: str
    values: Mapping[EndPoint, tuple[float, ...]]
    comparison: Comparison | None


def courses(
    table: pd.DataFrame,
    visited: Mapping[tuple[str, str], Visited] | None = None,
    repeatability: Mapping[Key, Repeatability] | None = None,
    end_points: Sequence[EndPoint] | None = None,
) -> list[Course]:
    """Of a study's table of measures (`measuring.study.read_table`) each person's course in the end points, in the
    table's order. `visited` (subject, visit) -> what is known of the exam (`read_exams`); where it is silent the
    affected side is the one that the table's synkinesis is of. A person's visits are refused by nothing: a measure
    that a visit lacks is NaN there."""
    points = load_end_points() if end_points is None else tuple(end_points)
    visited, out = visited or {}, []
    wanted = {(p.measure, p.expression, p.region) for p in points}
    keep = [key in wanted for key in zip(table["measure"], table["expression"], table["region"], strict=True)]
    named = table.assign(visit=table.get("visit", ""))
    sides = _sides(named)
    rows: dict[str, dict[str, list[Measure]]] = {}
    for r in named.loc[keep].to_dict("records"):
        value = float(r["value"])
        status = "ok" if math.isfinite(value) else str(r.get("status") or "not measured")
        what, expression, region, side, unit = (str(r[k]) for k in KEYS)
        measure = Measure(what, expression, region, side, value, unit, status=status)
        rows.setdefault(r["subject"], {}).setdefault(r["visit"], []).append(measure)
    for subject, by_visit in rows.items():
        known = {v: visited.get((subject, v), Visited(None, "")) for v in by_visit}
        dates = {v: k.date for v, k in known.items() if k.date is not None}
        order = sorted(by_visit, key=dates.__getitem__ if len(dates) == len(by_visit) else visit_order)
        said = {v: known[v].affected_side or sides.get((subject, v), "") for v in order}
        first = next((side for side in said.values() if side), "none")
        measured = [Measures(subject, v or None, tuple(by_visit[v]), said[v] or first, "given", {}, {}) for v in order]
        found = None
        if len(measured) > 1:
            before, after, *later = measured
            found = compare(before, after, *later, repeatability=repeatability, end_points=points)
        names = (found.baseline, *found.visits) if found else tuple(v or "visit 1" for v in order)
        values = {
            point: tuple(_value(m.rows, key) for m in measured)
            for point in points
            if (key := point.row(measured[0].affected_side)) is not None
        }
        dated = {name: dates[v] for name, v in zip(names, order, strict=True) if v in dates}
        out.append(Course(subject, names, dated, measured[0].affected_side, values, found))
    return out


def _sides(table: pd.DataFrame) -> dict[tuple[str, str], str]:
    """(subject, visit) -> the side whose synkinesis was measured, where it is one."""
    own = table.loc[(table["measure"] == "synkinesis") & table["side"].isin(SIDES)]
    found: dict[tuple[str, str], set[str]] = {}
    for subject, visit, side in zip(own["subject"], own["visit"], own["side"], strict=True):
        found.setdefault((subject, visit), set()).add(side)
    return {key: next(iter(sides)) for key, sides in found.items() if len(sides) == 1}


def _value(rows: Iterable[Measure], key: tuple[str, str, str, str]) -> float:
    return next((r.value for r in rows if (r.measure, r.expression, r.region, r.side) == key), math.nan)
