"""Courses over visits as drawings: one person's end point beside the band that error explains, a group's with its
mean."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from face3d.report.change_words import better, what_of, where_of
from face3d.report.drawings import ACCENT, INK, SOFT, WARM, Chart, steps
from face3d.scan import Floats

if TYPE_CHECKING:
    from face3d.report.compare_result import ChangePart

#: A course of one person, and of a group: width and height in pixels.
_SMALL, _LARGE = (250.0, 172.0), (330.0, 250.0)
#: mm, per cent, degrees: an axis shows no less, or what is nothing would look like much.
_LEAST = 1.0
#: Letters of a visit's name that fit below an axis.
_LETTERS = 9
#: People whose lines are drawn behind a group's mean: more would be one grey.
_LINES = 150


@dataclass(frozen=True)
class Shown:
    """How values of a unit are written: `times` what they are, `unit` behind them, and from where an axis may begin."""

    times: float
    unit: str


def shown_in(unit: str) -> Shown:
    """Shares as per cent, all else as it is."""
    return Shown(100.0, "%") if unit == "1" else Shown(1.0, {"deg": "°"}.get(unit, unit))


def written(value: float, unit: str, bare: bool = False, sign: str = "") -> str:
    """A value as it is shown, "–" for NaN, without its unit where `bare`; what rounds to 0 has no sign."""
    if not math.isfinite(value):
        return "–"
    as_shown = shown_in(unit)
    digits = 0 if unit in ("1", "deg") else 2
    text = f"{round(as_shown.times * value, digits) + 0.0:{sign}.{digits}f}".replace("-", "−")
    return text if bare else f"{text}{'' if unit == 'deg' else ' '}{as_shown.unit}"


def own_course(
    changes: Sequence[ChangePart], visits: Sequence[str], dates: Mapping[str, datetime.date]
) -> dict[str, Any] | None:
    """One end point of one person: `what`, `where`, the `drawing`, and in `words` what became of it at each later
    visit; None where it was not measured at the first visit or at no later one. `changes` against the first of
    `visits`."""
    by_visit = {c.visit: c for c in changes if c.before is not None and c.after is not None}
    if not by_visit:
        return None
    first = next(iter(by_visit.values()))
    kept = [visits[0], *(v for v in visits[1:] if v in by_visit)]
    as_shown = shown_in(first.unit)
    values = as_shown.times * np.array([first.before, *(by_visit[v].after for v in kept[1:])], float)
    limits = [as_shown.times * (by_visit[v].limit or math.nan) for v in kept[1:]]
    x = _places(kept, dates)
    band = [limits[0], *limits]
    low, high = values[0] - np.nanmax([0.0, *band]), values[0] + np.nanmax([0.0, *band])
    chart = _chart(x, kept, _range([*values, low, high]), as_shown.unit, _SMALL)
    if np.isfinite(band).all():
        chart.band(x, values[0] - np.array(band), values[0] + np.array(band))
    chart.line(x, values, INK, 1.4)
    beyond = [False, *(bool(by_visit[v].beyond) for v in kept[1:])]
    for place, value, called in zip(x, values, beyond, strict=True):
        chart.dots([place], [value], 4.5, WARM if called else SOFT)
    words = [f"{v}: {_word(by_visit[v])}" for v in kept[1:]]
    what, where = what_of(first.measure), where_of(first.measure, first.expression, first.region, first.side)
    told = ", ".join(f"{v} {value:.3g} {as_shown.unit}" for v, value in zip(kept, values, strict=True))
    return {
        "what": what,
        "where": where,
        "drawing": chart.svg(f"{what}, {where}: {told}; {'; '.join(words)}"),
        "words": words,
        "called": any(beyond),
    }


def _word(c: ChangePart) -> str:
    if c.beyond is None:
        return "not judged"
    return {True: "better", False: "worse", None: "changed"}[better(c)] if c.beyond else "no call"


def group_course(
    name: str, unit: str, visits: Sequence[str], groups: Mapping[str, Floats], means: Mapping[str, Floats]
) -> Markup:
    """An end point of a study: a thin line a person, the mean of each group with its 95 % interval. `groups` name ->
    (people, visits) values; `means` name -> (visits, 3) mean, low, high."""
    as_shown = shown_in(unit)
    x = np.arange(len(visits), dtype=float)
    every = as_shown.times * np.concatenate([v.ravel() for v in (*groups.values(), *means.values())])
    chart = _chart(x, visits, _range(every), as_shown.unit, _LARGE)
    for k, values in enumerate(groups.values()):
        color = _GROUPS[k % len(_GROUPS)][0]
        for row in values[:: max(1, len(values) // _LINES)]:
            known = np.isfinite(row)
            if known.sum() > 1:
                chart.line(x[known], as_shown.times * row[known], color, 0.7, opacity=0.28)
            else:
                chart.dots(x[known], as_shown.times * row[known], 2.0, color)
    for k, values in enumerate(means.values()):
        color, dash, _ = _GROUPS[k % len(_GROUPS)]
        known = np.isfinite(values[:, 0])
        at = x + 0.04 * (k - (len(means) - 1) / 2)
        chart.line(at[known], as_shown.times * values[known, 0], color, 3.0, dash)
        for place, (mean, low, high) in zip(at[known], as_shown.times * values[known], strict=True):
            if np.isfinite(low + high):
                chart.line([place, place], [low, high], color, 1.4)
            chart.dots([place], [mean], 4.0, color)
    told = [
        f"{group}: {', '.join(f'{v} {m:.3g}' for v, m in zip(visits, as_shown.times * values[:, 0], strict=True))}"
        for group, values in means.items()
    ]
    return chart.svg(f"{name}, {as_shown.unit}; means: {'; '.join(told)}")


#: Colours of groups, told apart by their lines as well: as SVG has them, and as CSS does.
_GROUPS = ((ACCENT, "", "solid"), (WARM, "6 3", "dashed"), ("#5a4a9c", "2 3", "dotted"), (INK, "8 2 2 2", "double"))


def group_key(names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Name, colour and line (CSS) of each group."""
    styles = [_GROUPS[k % len(_GROUPS)] for k in range(len(names))]
    return [(name, color, line) for name, (color, _, line) in zip(names, styles, strict=True)]


def agreement_plot(
    name: str, unit: str, first: Floats, second: Floats, bias: float, limits: tuple[float, float]
) -> Markup:
    """Bland and Altman's plot of two visits (n,) without a true change between them."""
    as_shown = shown_in(unit)
    a, b = as_shown.times * first, as_shown.times * second
    mean, apart = (a + b) / 2, b - a
    lines = [as_shown.times * v for v in (bias, *limits)]
    low, high = _range([*apart, *lines, 0.0])
    left, right = _range(mean)
    chart = Chart(
        (left, right),
        (low, high),
        f"mean of both, {as_shown.unit}",
        f"second less first, {as_shown.unit}",
        [(t, f"{t:g}") for t in steps(left, right, 4)],
        [(t, f"{t:g}") for t in steps(low, high, 5)],
        _LARGE,
    )
    for value, dash in zip(lines, ("", "5 3", "5 3"), strict=True):
        chart.line([left, right], [value, value], INK, 1.4, dash)
    chart.dots(mean, apart, 3.0)
    return chart.svg(f"{name}: bias {lines[0]:.3g}, limits {lines[1]:.3g} to {lines[2]:.3g} {as_shown.unit}")


def _places(visits: Sequence[str], dates: Mapping[str, datetime.date]) -> Floats:
    """Days since the first visit where all visits have a date, else one after the other."""
    if all(v in dates for v in visits):
        days = np.array([(dates[v] - dates[visits[0]]).days for v in visits], float)
        if (np.diff(days) > 0).all():
            return days
    return np.arange(len(visits), dtype=float)


def _range(values: Sequence[float] | Floats) -> tuple[float, float]:
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    room = max(0.08 * (high - low), _LEAST / 2 - (high - low) / 2)
    return low - room, high + room


def _chart(x: Floats, visits: Sequence[str], span: tuple[float, float], unit: str, size: tuple[float, float]) -> Chart:
    wide = max(float(x[-1] - x[0]), 1.0)
    ends = (float(x[0]) - 0.12 * wide, float(x[-1]) + 0.12 * wide)
    per = (size[0] - 64) / (ends[1] - ends[0])
    ticks = [(float(p), _short(v)) for p, v in zip(x, visits, strict=True)]
    named = ticks[:1]
    for place, name in ticks[1:]:  # names that would lie over each other are left out
        free = (place - named[-1][0]) * per > 3.2 * (len(name) + len(named[-1][1])) + 4
        named.append((place, name if free else ""))
    return Chart(ends, span, "", unit, named, [(t, f"{t:g}") for t in steps(*span, 5)], size)


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"
