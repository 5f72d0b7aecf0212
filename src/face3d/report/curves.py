"""Curves of a recording over time, as SVG: the patient's left and right side, with the phases of each movement."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from face3d.landmarks import SIDES
from face3d.report.drawings import ACCENT, WARM, Chart, steps
from face3d.scan import Floats
from face3d.sequence.filtering import stretches

if TYPE_CHECKING:
    from face3d.grading.temporal import Anomaly
    from face3d.sequence.kinematics import Kinematics, MovedOnce

#: The subject's own sides, alike in every drawing; also told apart by their dashes, in print and by the colour-blind.
COLORS = {"left": ACCENT, "right": WARM}
DASHES = {"left": "", "right": "5 3"}
#: Points of a drawn line: more would not be seen.
MOST_POINTS = 1200


def eyes_over_time(k: Kinematics) -> Markup | None:
    """Both eyes' openings over the whole recording, blinks marked; None where no lids were seen."""
    opening = k.lids.opening_mm
    known = [v for s in SIDES for v in opening[s][np.isfinite(opening[s])]]
    if not known:
        return None
    chart = _chart(k.times_s, 0.0, float(np.quantile(known, 0.999)), "opening, mm", wide=True)
    for side in SIDES:
        _course(chart, k.times_s, opening[side], side)
    for b in k.lids.blinks:
        chart.dots([b.time_s], [0.0], 3.5, "#1c2126")
    return chart.svg("Opening of both eyes over time; dots are blinks", timed=True)


def movement_over_time(k: Kinematics) -> Markup:
    """How far both sides' points are from rest over the whole recording (root mean square), and when they move."""
    courses = {s: _away(k, s) for s in SIDES}
    top = max((float(np.nanmax(c)) for c in courses.values() if np.isfinite(c).any()), default=1.0)
    chart = _chart(k.times_s, 0.0, top, "distance from rest, mm", wide=True)
    for m in k.movements:
        span = [m.segment.begin, m.segment.end]
        if np.isfinite(span).all():
            chart.line(span, [top, top], "#1c2126", 3.0)
    for side, c in courses.items():
        _course(chart, k.times_s, c, side)
    return chart.svg("Distance of both sides from rest over time; bars are movements", timed=True)


def anomaly_over_time(found: Anomaly) -> Markup:
    """How unlike healthy movement each side's most unlike region is over time; 1 is the healthy limit."""
    table = found.table
    courses = {s: table[f"anomaly_{s}"].to_numpy() for s in SIDES}
    top = max([1.5, *(float(np.nanmax(c)) for c in courses.values() if np.isfinite(c).any())])
    chart = _chart(found.times_s, 0.0, top, "anomaly", wide=True)
    chart.line([float(found.times_s[0]), float(found.times_s[-1])], [1.0, 1.0], "#5b6670", 1.0, "2 3")
    for side, c in courses.items():
        _course(chart, found.times_s, c, side)
    return chart.svg("Anomaly of both sides over time; dotted: the healthy limit", timed=True)


def one_movement(k: Kinematics, m: MovedOnce) -> Markup:
    """Both sides' courses in one movement, with its borders."""
    s = m.segment
    inside = slice(s.start, s.stop)
    values = {side: s.height[side][inside] for side in SIDES}
    known = [c for c in values.values() if np.isfinite(c).any()]
    low = min([0.0, *(float(np.nanmin(c)) for c in known)])
    top = max([1.0, *(float(np.nanmax(c)) for c in known)])
    name = "closed, mm" if s.lead == "lids" else "movement, mm"
    chart = _chart(k.times_s[inside], low, top, name)
    for border in (s.begin, s.arrived, s.leaves, s.end):
        if np.isfinite(border):
            chart.line([border, border], [low, top], "#5b6670", 1.0, "2 3")
    for side in SIDES:
        _course(chart, k.times_s[inside], values[side], side)
    return chart.svg(f"Movement {m.number}, both sides over time; dotted: begin, arrival, leaving, end", timed=True)


def standalone(drawing: Markup, width: float, height: float) -> str:
    """A drawing as a file of its own."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" font-family="sans-serif" '
    return str(drawing).replace("<svg ", head, 1) + "\n"


WIDE, SMALL = (900.0, 220.0), (320.0, 220.0)


def _chart(times: Floats, low: float, top: float, name: str, wide: bool = False) -> Chart:
    room = 0.06 * max(top - low, 1e-6)
    first, last = float(times[0]), float(times[-1])
    return Chart(
        (first, last),
        (low - room * (low < 0), top + room),
        "s",
        name,
        [(t, f"{t:g}") for t in steps(first, last, 10 if wide else 5)],
        [(v, f"{v:g}") for v in steps(low, top + room, 5)],
        WIDE if wide else SMALL,
    )


def _course(chart: Chart, times: Floats, values: Floats, side: str) -> None:
    """A line for each unbroken stretch: what was not recorded is not drawn."""
    thin: Callable[[int], int] = lambda n: max(int(np.ceil(n / MOST_POINTS)), 1)  # noqa: E731
    every = thin(len(times))
    for start, stop in stretches(np.isfinite(values)):
        if stop - start > every:
            chart.line(times[start:stop:every], values[start:stop:every], COLORS[side], 1.6, DASHES[side])


def _away(k: Kinematics, side: str) -> Floats:
    at = [i for i, n in enumerate(k.names) if n.endswith(f"_{side}")]
    return np.sqrt((k.away_mm[:, at] ** 2).sum(axis=2).mean(axis=1)) if at else np.full(len(k.times_s), np.nan)
