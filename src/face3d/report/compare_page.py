"""The page of a comparison: what changed, in words, by how much, and both faces beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from face3d.geometry.colors import CHANGE
from face3d.report.change_words import better, told, what_of, where_of
from face3d.report.compare_result import ChangePart, CompareResult
from face3d.report.courses import own_course, written
from face3d.report.drawings import INK, LINE, SOFT, WARM, gradient
from face3d.report.frame import rendered, spoken
from face3d.report.pictures import Picture
from face3d.report.viewer import Scene

#: A dot further out than this many detectable changes is drawn at the edge, as an arrow.
_FARTHEST = 3.0
#: Other measures that are shown, the surest first; all are in changes.csv.
_MOST = 20
#: Notes that make everything else doubtful: said first.
_GRAVE = ("MAY BE TWO PEOPLE", "are not compared")


def compare_page(result: CompareResult, scene: Scene | None = None, maps: Sequence[Picture] = ()) -> str:
    """The page as HTML; `scene` from `scenes.compare_scene`, `maps` of the change, for print."""
    sides = {
        "both": "Both sides are affected: nothing is compared with a healthy side.",
        "none": "No side is affected at the first visit; ratios are smaller / larger side.",
    }
    dated = {name: f"{name} ({day:%-d %B %Y})" for name, day in result.dates.items()}
    names = [dated.get(name, name) for name in (result.baseline, *result.visits)]
    absent = "No faces to look at: one of the results was made without them. Run face3d exam again to see both here."
    return rendered(
        "compare.html",
        {
            "share_width": lambda v: f"{100 * min(max(v or 0.0, 0.0), 1.0):.0f}%",
            "sentence": lambda text: text[:1].upper() + text[1:].rstrip(".") + ".",
        },
        version=result.face3d_version,
        notice=result.notice,
        scene=scene,
        maps=maps,
        limit=f"{CHANGE.high:g}",
        gradient=gradient(CHANGE),
        no_scene="" if scene or not result.scales else absent,
        result=result,
        span=" to ".join((names[0], ", ".join(names[1:]))),
        side=sides.get(
            result.affected_side, f"Function and ratios are of the {result.affected_side} side at all visits."
        ),
        alarms=[n for n in result.notes if any(word in n for word in _GRAVE)],
        lacking=[
            f"{name} lacks {', '.join(spoken(e) for e in missing)}: what it shows was not compared."
            for name, missing in result.lacking.items()
        ],
        visits=[_visit(result, name) for name in result.visits],
        courses=_courses(result) if len(result.visits) > 1 else [],
    )


def _courses(result: CompareResult) -> list[dict[str, Any]]:
    """Each end point over all visits."""
    points: dict[tuple[str, ...], list[ChangePart]] = {}
    for c in result.changes:
        if c.end_point:
            points.setdefault((c.measure, c.expression, c.region, c.side), []).append(c)
    names = (result.baseline, *result.visits)
    return [drawn for own in points.values() if (drawn := own_course(own, names, result.dates))]


def _visit(result: CompareResult, name: str) -> dict[str, Any]:
    own = [c for c in result.changes if c.visit == name]
    points = [c for c in own if c.end_point]
    judged = [c for c in own if not c.end_point and c.beyond is not None]
    others = sorted((c for c in judged if c.beyond), key=lambda c: c.p or 0.0)
    called = [c for c in points if c.beyond]
    scales = [s for s in result.scales if s.visit == name]
    return {
        "name": name,
        "called": len(called),
        "missing": sum(c.beyond is None for c in points),
        "lines": _lines(called, others),
        "points": [_row(c, c.limit) for c in points],
        "others": [_row(c, c.mdc95) for c in others[:_MOST]],
        "rest": len(judged),
        "all": len(own),
        "scales": [s for s in scales if not s.scale.startswith("function")],
        "function": [s for s in scales if s.scale.startswith("function")],
    }


def _lines(called: Sequence[ChangePart], others: Sequence[ChangePart]) -> list[str]:
    """What changed, better first, in words."""
    said = []
    for word, wanted in (("Better", True), ("Worse", False), ("Changed", None)):
        found = [told(c) for c in called if better(c) is wanted]
        if found:
            said.append(f"{word}: {', '.join(found)}.")
    if not said:
        said.append("No end point changed by more than measuring and a person’s own scatter explain.")
    if others:
        said.append(f"Besides, {len(others)} of the other measures changed, with allowance for their number.")
    return said


def _row(c: ChangePart, limit: float | None) -> dict[str, Any]:

    def shown(value: float | None, sign: str = "") -> str:
        return written(math.nan if value is None else value, c.unit, sign=sign)

    called = {True: "better", False: "worse", None: "changed"}[better(c)]
    words = called if c.beyond else "no call" if c.beyond is False else c.status
    return {
        "what": what_of(c.measure),
        "where": where_of(c.measure, c.expression, c.region, c.side),
        "before": shown(c.before),
        "after": shown(c.after),
        "change": shown(c.change, "+"),
        "band": band(c.change, limit),
        "beyond": bool(c.beyond),
        "words": words,
    }


def band(change: float | None, limit: float | None) -> Markup:
    """A change as a dot, beside the band that error explains, which is as wide in every row; empty without either."""
    if change is None or not limit:
        return Markup("")
    width, height, middle = 200.0, 20.0, 100.0
    unit = (middle - 8) / _FARTHEST
    times = change / limit
    x = middle + unit * min(max(times, -_FARTHEST), _FARTHEST)
    color = WARM if abs(times) > 1 else SOFT
    dot = f'<circle cx="{x:.1f}" cy="10" r="4.5" fill="{color}"/>'
    if abs(times) > _FARTHEST:
        out = 7 if times > 0 else -7
        dot = f'<path d="M{x - out:.1f} 4 L{x + out:.1f} 10 L{x - out:.1f} 16 z" fill="{color}"/>'
    return Markup(
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{times:.1f} detectable changes">'
        f'<rect x="{middle - unit:.1f}" y="3" width="{2 * unit:.1f}" height="14" fill="#e3e8eb"/>'
        f'<line x1="4" y1="10" x2="{width - 4:g}" y2="10" stroke="{LINE}"/>'
        f'<line x1="{middle:g}" y1="2" x2="{middle:g}" y2="18" stroke="{INK}"/>{dot}</svg>'
    )
