"""How well each measure repeats: standard error of measurement and detectable change, ours by simulation or a
laboratory's own.

The shipped values come from simulated people scanned twice (`tools/learn_corrections.py`): other pose, triangulation,
crop and scanner noise, the same face in the same expression. That is measurement error alone, failures left out. People
don't repeat an expression exactly: detectable changes that were published, a week apart, hold both. What people differ
by between takes is added to the shipped errors (`performance_sd`); a laboratory's own, of people who were asked twice,
hold it already.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from face3d.errors import SchemaError
from face3d.reference.agreement import detectable_change, icc, single_value
from face3d.reference.angles import beside, gathered
from face3d.reference.entries import read_entries
from face3d.visits import visit_order

if TYPE_CHECKING:
    import pandas as pd

#: measure, expression, region
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Repeatability:
    """Of one measure: `sem` and `mdc95` in its unit, ICC(2,1), the number `n` of people who were measured twice, and
    where they come from. `error` root mean square distance from the truth, None unknown. `still`: of one face measured
    twice, so that what people differ by between takes is not in it.
    """

    measure: str
    expression: str
    region: str
    unit: str
    sem: float
    mdc95: float
    icc: float | None
    n: int
    source: str
    error: float | None = None
    still: bool = False

    def error_at(self, value: float) -> float:
        """Standard error of one visit's measure of about this size, in its unit, performance included."""
        more = performance_sd(self.measure, self.expression, self.unit, value) if self.still else 0.0
        return math.hypot(self.sem, more)


#: SD of the logarithm of what people do in one take against another: an expression's strength, and left over right in
#: it. Repeated smiles differ by 1.3 (maximum) to 1.5 mm (posed) at 95 %, a week apart, of some 9 mm: an SD of 5 to 6 %.
#: Sides of one take go together; half of that is ours.
TAKE_SD, TAKE_SIDE_SD = 0.06, 0.03
#: Lengths in an expression that are no amplitude of what is asked for.
_NO_AMPLITUDE = ("closure_gap", "fissure_height", "lip_gap", "philtrum_deviation", "dental_show")


def performance_sd(measure: str, expression: str, unit: str, value: float) -> float:
    """What a person's measure of this size differs by between takes without any change, an SD in its unit: of
    amplitudes as much as their strength and side, of shares as the side. At rest, and of angles, it is not known and
    taken for none."""
    if measure == "synkinesis":  # one expression's strength over another's
        return math.sqrt(2) * TAKE_SD * abs(value)
    if measure == "severity":  # the mean of two shares
        return TAKE_SIDE_SD * abs(1 - value) / math.sqrt(2)
    if measure in ("function", "symmetry") or measure.endswith("_ratio"):
        return TAKE_SIDE_SD * abs(value)
    if unit == "mm" and expression != "rest" and measure not in _NO_AMPLITUDE:
        return math.hypot(TAKE_SD, TAKE_SIDE_SD / 2) * abs(value)
    return 0.0


def load_repeatability(path: str | Path | None = None) -> Mapping[Key, Repeatability]:
    """Of a file, by default the one shipped. Raises `SchemaError` that names the entry."""
    if path is None:
        return _shipped()
    found = read_entries(Path(path), "entries", Repeatability, "a file of repeatabilities, as `face3d study` writes")
    return {(one.measure, one.expression, one.region): one for one in found}


@cache
def _shipped() -> Mapping[Key, Repeatability]:
    file = Path(str(files("face3d").joinpath("data/repeatability.json")))
    if not file.is_file():
        return {}
    return {key: replace(one, still=True) for key, one in load_repeatability(file).items()}


def write_repeatability(path: str | Path, values: Iterable[Repeatability]) -> None:
    """Writes a file that `load_repeatability` reads."""
    text = json.dumps({"entries": [asdict(v) for v in values]}, indent=0, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8")


def repeatability_from(table: pd.DataFrame, source: str, least: int = 10) -> tuple[Repeatability, ...]:
    """From a study in which each subject was measured at two visits without a true change between them.

    `table`: tidy, as `face3d batch` writes; the first two visits of a subject (`face3d.visits`) count. Both sides of a
    face tell of the same error, but only people are independent: `n` and Student's t count them. Measures of fewer
    than `least` people are left out.
    """
    columns = ("measure", "expression", "region", "unit", "subject", "side", "visit", "value")
    if missing := set(columns) - set(table.columns):
        raise SchemaError(f"table: columns {sorted(missing)} are missing; see `face3d batch`")
    groups: dict[tuple[str, str, str, str], dict[tuple[str, str], dict[str, float]]] = {}
    for m, e, r, unit, subject, side, visit, value in zip(*(table[c].tolist() for c in columns), strict=True):
        groups.setdefault((m, e, r, unit), {}).setdefault((subject, side), {})[visit] = value
    out = []
    for (m, e, r, unit), measured in sorted(groups.items()):
        firsts = {
            key: sorted(by, key=lambda v: visit_order(str(v)))[:2] for key, by in measured.items() if len(by) >= 2
        }
        twice = {key: [measured[key][v] for v in visits] for key, visits in firsts.items()}
        known = {key: pair for key, pair in twice.items() if math.isfinite(sum(pair))}
        people = [subject for subject, _ in known]
        if len(set(people)) < max(least, 2):
            continue
        first = gathered([a for a, _ in known.values()], unit)
        second = beside([b for _, b in known.values()], first, unit)
        _, scatter, n = single_value(second - first, people)
        sem = scatter / math.sqrt(2)
        agreement = icc(np.stack([first, second], axis=1)).value if len(known) > 2 else math.nan
        out.append(
            Repeatability(
                m,
                e,
                r,
                unit,
                round(sem, 5),
                round(detectable_change(sem, n), 5),
                round(agreement, 4) if math.isfinite(agreement) else None,
                n,
                source,
            )
        )
    return tuple(out)
