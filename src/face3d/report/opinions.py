"""The head of an exam's page: one leading estimate, the others under their names, and whether they agree, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from face3d.reference.scales import FNGS2, ROMAN, Sunnybrook
from face3d.report.exam_result import ExamResult, sunnybrook_text

#: Grades that differ by no more agree as well as two clinicians usually do (the scale's own spread between raters).
_ADJACENT = 1


def lead(result: ExamResult) -> dict[str, Any]:
    """What a reader meets first: `title`, `figure` with `what` it is, `lines` (text, strong), and whether the bars
    beside it are `faint`, since they should not be believed."""
    g, rule = result.grade, result.estimates.house_brackmann
    against = result.affected_side_contradiction
    if against:
        text = "The given side is contradicted by what was measured: nothing below is graded until that is settled."
        return _head("Contradiction", "No grade", "House-Brackmann by movement", [(text, True)], faint=True)
    lines: list[tuple[str, bool]] = []
    if g is not None and not g.abstained:
        best = g.house_brackmann
        likely = [ROMAN[k - 1] for k in g.likely]
        among = likely[0] if len(likely) == 1 else f"{likely[0]} to {likely[-1]}"
        lines.append((f"{g.probabilities[best - 1]:.0%} likely; nine times in ten it is {among}.", False))
        if g.side in ("left", "right") and result.affected_side in ("left", "right") and g.side != result.affected_side:
            lines.append((f"It sees the {g.side} side as the weaker one, the exam says {result.affected_side}.", True))
        lines += second(best, rule)
        return _head("Leading estimate", ROMAN[best - 1], "of VI, House-Brackmann by movement", lines)
    if g is not None:
        reason = g.reason.replace("_", " ")
        lines.append((f"The grader abstains: {reason}{'' if reason.endswith('?') else '.'}", True))
        if rule:
            lines.append((f"By rule alone, without a second opinion: {ROMAN[rule - 1]}.", False))
        return _head("Leading estimate", "No grade", "House-Brackmann by movement", lines, faint=True)
    if rule:
        lines.append(("By rule alone: the networks are not installed, so there is no second opinion.", False))
        return _head("Leading estimate", ROMAN[rule - 1], "of VI, House-Brackmann by movement", lines)
    lines += [(f"{reason}.", False) for reason in result.estimates.missing[:2]]
    return _head("Leading estimate", "No grade", "House-Brackmann by movement", lines)


def second(best: int, rule: int | None) -> list[tuple[str, bool]]:
    """The rule's grade beside the leading one, in words."""
    if rule is None:
        return [("Second opinion, by rule: none could be made.", False)]
    named, apart = ROMAN[rule - 1], abs(rule - best)
    if apart == 0:
        return [(f"Second opinion, by rule: {named}. They agree.", False)]
    if apart <= _ADJACENT:
        return [(f"Second opinion, by rule: {named}. They disagree by one grade.", False)]
    return [(f"Second opinion, by rule: {named}. They disagree by {apart} grades: trust neither before a look.", True)]


def _head(title: str, figure: str, what: str, lines: Sequence[tuple[str, bool]], faint: bool = False) -> dict[str, Any]:
    said = [{"text": text, "strong": strong} for text, strong in lines]
    return {"title": title, "figure": figure, "what": what, "lines": said, "faint": faint}


def opinions(result: ExamResult) -> tuple[list[str], list[dict[str, Any]]]:
    """Heads of the columns, and a row a scale: each opinion in a column of its own. `faint`: how many of the first
    columns should not be believed."""
    e, g, c = result.estimates, result.grade, result.clinician or {}
    fngs = e.fngs2 or {}

    items = {} if g is None or g.fngs2 is None else {k: v for k, v in g.fngs2.items() if k != "total"}
    rows = [
        ("House-Brackmann by movement", _roman(g and g.house_brackmann), _roman(e.house_brackmann), ""),
        (
            "House-Brackmann, descriptive",
            _roman(g and g.house_brackmann_descriptive),
            _roman(e.house_brackmann_descriptive),
            _roman(c.get("house_brackmann"), ""),
        ),
        (
            "Sunnybrook, 0 to 100",
            f"{g.sunnybrook['composite']:.0f}" if g else "–",
            sunnybrook_text(e.sunnybrook) if e.sunnybrook else "–",
            _composite(c),
        ),
        (
            "its rest / movement / synkinesis scores",
            _parts(g.sunnybrook if g else {}, ("resting", "voluntary", "synkinesis")),
            _parts(e.sunnybrook or {}, ("resting", "voluntary_score", "synkinesis_score")),
            "",
        ),
        (
            "FNGS 2.0",
            _roman(FNGS2(**items).grade if items else None),
            _roman(fngs.get("grade")),
            "",
        ),
        (
            "House’s points, of the healthy side / in centimetres",
            "",
            f"{_points(e.house_points, 8)} / {_points(e.house_points_absolute, 8)}",
            "",
        ),
    ]
    heads = ["leading estimate", "second opinion, by rule", "clinician"]
    # Without networks the rule leads; without a clinician's grade there is no such column.
    kept = [0, 1, 2] if g is not None else [1, 2]
    if not any(row[3] for row in rows):
        kept = kept[:-1]
    heads = [heads[k] for k in kept] if g is not None else ["estimate, by rule", "clinician"][: len(kept)]
    doubted = int(g is not None and (g.abstained or bool(result.affected_side_contradiction)))
    cells = [{"name": row[0], "cells": [row[1 + k] for k in kept], "faint": doubted} for row in rows]
    return heads, cells


def _roman(grade: int | None, otherwise: str = "–") -> str:
    return ROMAN[grade - 1] if grade else otherwise


def _points(value: int | None, most: int) -> str:
    return "–" if value is None else f"{value} of {most}"


def _parts(of: Mapping[str, Any], names: Sequence[str]) -> str:
    return " / ".join("–" if of.get(name) is None else f"{of[name]:.0f}" for name in names)


def _composite(clinician: Mapping[str, Any]) -> str:
    value = clinician.get("sunnybrook_composite")
    if value is None and clinician.get("sunnybrook"):
        value = Sunnybrook(**clinician["sunnybrook"]).composite
    return "" if value is None or math.isnan(value) else f"{value:g}"
