"""Fatigue: what changes from one repeat of an expression to the next, within one recording."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from face3d.sequence.definitions import Reading, reading

#: Measures in which tiredness shows: how far, how fast, how long it is held.
TIRING = ("excursion", "peak_velocity", "hold", "closure")
#: Repeats from which a slope says something: two have one for any reason.
LEAST_REPEATS = 3


def fatigue_readings(readings: Sequence[Reading]) -> Iterator[Reading]:
    """The change of each measure by repeat, in percent of its mean, of expressions that were made several times."""
    series: dict[tuple[str, str, str, str], list[Reading]] = defaultdict(list)
    for r in readings:
        if r.measure in TIRING and r.expression:
            series[r.expression, r.measure, r.place, r.side].append(r)
    for (expression, measure, place, side), rows in series.items():
        if len({r.movement for r in rows}) < 2:
            continue
        values = np.array([r.value for r in rows])
        known = np.isfinite(values)
        why = f"{int(known.sum())} repeats measured; a slope needs {LEAST_REPEATS}"
        slope = math.nan
        if known.sum() >= LEAST_REPEATS and values[known].mean() > 0:
            slope = 100 * float(np.polyfit(np.flatnonzero(known), values[known], 1)[0] / values[known].mean())
        yield reading((0, expression), "fatigue", f"{place} {measure}", side, slope, rows[0].cutoff_hz, why)
