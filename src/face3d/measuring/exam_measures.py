"""What a clinician asks of an examination, in millimetres and ratios: resting asymmetry, excursions, closure,
synkinesis.

Everything is taken from meshes in anatomical correspondence, rest against expression, aligned on the region that is
stable in that expression (`template.movement`). Each side is measured for itself; nothing assumes symmetry of what is
measured.

Ratios are affected / healthy side: 1 symmetric, 0 no movement on the affected side, above 1 more than on the healthy
side. Where neither side is known or found to be ill they are smaller / larger, which cannot exceed 1; where both are,
there is nothing to compare with. What could not be measured is NaN, with the reason as its status.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from face3d.landmarks import SIDES, other_side
from face3d.measuring import lids_and_lips
from face3d.measuring.definitions import LEAST_FOR_RATIO, Measure, row
from face3d.measuring.protocol import ASKED, FULL, FUNCTIONAL
from face3d.measuring.readings import movement_rows, overaction_row, rest_rows
from face3d.measuring.sides import Pair, contradiction, left_places, pairs, weaker_side
from face3d.measuring.synkinesis import Unasked, synkinesis
from face3d.reference.scales import REGIONS, severity
from face3d.scan import Floats
from face3d.template.anatomy import Anatomy
from face3d.template.identity import signature
from face3d.template.movement import Movement, movements
from face3d.values import Value

if TYPE_CHECKING:
    import pandas as pd

#: Movement lost on the weaker side, over all regions, from which on that side counts as affected. Healthy people's
#: sides differ by 9 +- 6 % in single movements (Ann Otol Rhinol Laryngol 1999;108:641); a mean over five regions
#: varies less.
LEAST_WEAKNESS = 0.08
#: Share of a region's own full movement from which on unasked movement is taken for synkinesis of that side.
LEAST_SYNKINESIS = 0.15
#: Why nothing is said of a side by the other.
BILATERAL = "both sides are affected: there is no healthy one to compare with; see what each side does by itself"
#: measures of a side whose ratio is reported, and the expressions in which it means something
RATIOS: Mapping[str, tuple[str, ...]] = {
    "brow_raise": ("brow_raise",),
    "closure": ("gentle_eye_closure", "tight_eye_closure"),
    "commissure_excursion": ("closed_smile", "open_smile"),
    "nasolabial_displacement": ("open_smile", "snarl"),
    "alar_lift": ("snarl",),
    "lip_depression": ("lower_lip_depression",),
    "pucker": ("lip_pucker",),
}


@dataclass(frozen=True, eq=False, repr=False)
class Measures(Value):
    """All measures of one exam.

    `affected_side` "left", "right", "both" or "none"; `side_source` "given" or "measured"; `contradiction`: what speaks
    clearly against a given side, empty where nothing does. `region_function` brow, eye, midface, mouth, lower_lip ->
    share of the healthy side's movement, 0..1, NaN where it could not be measured. `synkinesis` (expression asked for,
    region that was not) -> share of that region's own full movement, NaN where it could not be measured; its row says
    why. `movements` the fields behind the numbers; `observed` what they were compared from, None where they were read
    from a result. `identity`: distances over bone by which visits are known for one person's
    (`template.identity.signature`).
    """

    subject: str
    visit: str | None
    rows: tuple[Measure, ...]
    affected_side: str
    side_source: str
    region_function: Mapping[str, float]
    synkinesis: Mapping[tuple[str, str], float]
    movements: Mapping[str, Movement] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    observed: Observed | None = field(default=None, repr=False)
    contradiction: str = ""
    identity: Mapping[str, float] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        from face3d.measuring.notebook import function_html

        name = f"{self.subject}/{self.visit}" if self.visit else self.subject
        side = {"none": "no side", "both": "both sides"}.get(self.affected_side, self.affected_side)
        count = f"{len(self.rows)} measures of {len(self.movements)} expressions"
        return function_html(f"{name}: {side} affected ({self.side_source}); {count}", self.region_function, self.notes)

    @property
    def table(self) -> pd.DataFrame:
        """One row a measure: subject, visit, measure, expression, region, side, value, unit, uncertainty, status,
        source.
        """
        import pandas as pd

        frame = pd.DataFrame([vars(r) for r in self.rows], columns=list(Measure.__dataclass_fields__))
        frame.insert(0, "visit", self.visit or "")
        frame.insert(0, "subject", self.subject)
        return frame

    def value(self, measure: str, expression: str, side: str = "both", region: str | None = None) -> float:
        """The value of one row; NaN where it was not measured. Raises KeyError when the exam has no such row."""
        for r in self.rows:
            if (r.measure, r.expression, r.side) == (measure, expression, side) and region in (None, r.region):
                return r.value
        raise KeyError(f"{measure}, {expression}, {side}, {region}")

    @property
    def severity(self) -> float:
        """1 - mean of brow and mouth function, 0..1 (House's rule); NaN when either was not measured."""
        brow, mouth = self.region_function["brow"], self.region_function["mouth"]
        return severity(brow, mouth) if math.isfinite(brow + mouth) else math.nan


def measure_vertices(
    rest: Floats,
    expressions: Mapping[str, Floats],
    anatomy: Anatomy,
    affected_side: str | None = None,
    subject: str = "",
    visit: str | None = None,
) -> Measures:
    """Measures of a face in correspondence.

    `rest` (N, 3) mm in its canonical frame; `expressions` name -> (N, 3) mm, same vertex order, any pose; rows of NaN
    were not seen. `affected_side` "left", "right", "none", "both" (then nothing is compared with a healthy side: shares
    of one are NaN), or None to find it out.
    """
    found, notes = movements(rest, expressions, anatomy)
    return measure_movements(rest, found, anatomy, affected_side, subject, visit, notes)


def measure_movements(
    rest: Floats,
    movements: Mapping[str, Movement],
    anatomy: Anatomy,
    affected_side: str | None = None,
    subject: str = "",
    visit: str | None = None,
    notes: tuple[str, ...] = (),
    known: Mapping[str, Mapping[str, Floats]] | None = None,
    sure: bool = False,
) -> Measures:
    """Measures of movements from which the head's own has been taken out; the rest as in `measure_vertices`.

    `known`: expression, or "rest" -> landmarks (3,), in the frame of `rest`, that are known better than by the meshes.
    `sure`: the affected side is the true one, of a simulated person, whatever was measured.
    """
    better = known or {}
    at_rest = better.get("rest", {})
    rows = [*rest_rows(rest, anatomy, at_rest), *lids_and_lips.at_rest(rest, anatomy, at_rest)]
    for e, moved in movements.items():
        rows += movement_rows(moved, rest, anatomy, at_rest, better.get(e))
        rows += lids_and_lips.in_expression(moved, rest, anatomy, at_rest, better.get(e, {}))
    values = {(r.measure, r.expression, r.side): r.value for r in rows}
    rows += [lids_and_lips.angle_difference(values, e) for e in lids_and_lips.SMILES if e in movements]
    found = pairs(anatomy, movements)
    closing = _closing(rows)
    there = [region for region in FUNCTIONAL if len(left_places(anatomy, region)[0])]
    unasked = {s: synkinesis(found, s, closing, movements, there) for s in SIDES}
    pulled = {
        s: tuple(r for m in movements.values() if (r := overaction_row(m, anatomy, s)) is not None) for s in SIDES
    }
    seen = Observed(tuple(rows), found, unasked, pulled, movements, signature(rest, anatomy))
    return seen.measures(affected_side, subject, visit, notes, sure)


@dataclass(frozen=True, eq=False, repr=False)
class Observed(Value):
    """What is measured before anyone asks which side is affected: `rows` of each side for itself, both sides' movement
    in `pairs`, each side's unasked movement, the rows of a healthy side that pulls the mouth over; and `identity`, see
    `Measures`."""

    rows: tuple[Measure, ...]
    pairs: Mapping[tuple[str, str], Pair]
    unasked: Mapping[str, Unasked]
    pulled: Mapping[str, tuple[Measure, ...]]
    movements: Mapping[str, Movement]
    identity: Mapping[str, float]

    def measures(
        self,
        affected_side: str | None,
        subject: str = "",
        visit: str | None = None,
        notes: tuple[str, ...] = (),
        sure: bool = False,
    ) -> Measures:
        """The measures with the sides compared; `affected_side` as in `measure_vertices`, `sure` as in
        `measure_movements`."""
        m = _compared(self, affected_side, subject, visit, notes)
        if affected_side is None or sure:
            return m
        against, clear = contradiction(affected_side, self.pairs)
        return _doubted(m, against, clear) if against else m


def _compared(
    seen: Observed, affected_side: str | None, subject: str, visit: str | None, notes: tuple[str, ...]
) -> Measures:
    found, unasked, rows = seen.pairs, seen.unasked, list(seen.rows)
    side, source = affected_side, "given"
    if side is None:
        side, source = _affected(found, unasked), "measured"
    side = side if side in (*SIDES, "both") else "none"
    rows += _ratio_rows(rows, side)
    function = {region: _function(region, found, rows, side) for region in REGIONS}
    rows += _function_rows(found, function, side)
    if side in SIDES:
        rows += seen.pulled[other_side(side)]
    for s in [side] if side in SIDES else SIDES:
        known = {place: (math.nan, BILATERAL) if side == "both" else said for place, said in unasked[s].items()}
        rows += [row("synkinesis", e, region, s, value, why) for (e, region), (value, why) in known.items()]
    brow, mouth = function["brow"], function["mouth"]
    lost = severity(brow, mouth) if math.isfinite(brow + mouth) else math.nan
    rows.append(row("severity", "all", "face", "both", lost, _reason(side, "needs brow raise and smile")))
    matrix = {pair: value for pair, (value, _) in unasked.get(side, {}).items()}
    return Measures(
        subject, visit, tuple(rows), side, source, function, matrix, seen.movements, notes, seen, identity=seen.identity
    )


#: Measures that take the other side for a healthy one.
_SIDED = ("function", "overaction", "synkinesis", "severity")


def _doubted(m: Measures, against: str, clear: bool) -> Measures:
    """The same with a loud note and, where it is clear, without what takes the other side for a healthy one. Where no
    side was given, both are compared as smaller / larger, and stay."""
    mend = "Mend the side or leave it out (it is then found by measuring); until then nothing is graded by rule"
    what = mend if clear else "Is it the right side?"
    m = replace(m, notes=(f"{against[0].upper()}{against[1:]}. {what}", *m.notes))
    if not clear:
        return m
    m = replace(m, contradiction=against)
    if m.affected_side not in SIDES:
        return m
    rows = [replace(r, value=math.nan, status=against) if r.measure in _SIDED else r for r in m.rows]
    return replace(m, rows=tuple(rows), region_function=dict.fromkeys(m.region_function, math.nan), synkinesis={})


def _closing(rows: Iterable[Measure]) -> dict[tuple[str, str], float]:
    """(expression, side) -> share of the fissure at rest that closes in it; those with both sides seen."""
    values = {(r.measure, r.expression, r.side): r.value for r in rows}
    out: dict[tuple[str, str], float] = {}
    for measure, expression, _ in values:
        if measure == "closure":
            shares = {s: values[measure, expression, s] for s in SIDES}
        elif measure == "fissure_height" and expression != "rest":
            at_rest = {s: values["fissure_height", "rest", s] for s in SIDES}
            shares = {s: 1 - values[measure, expression, s] / at_rest[s] if at_rest[s] > 0 else math.nan for s in SIDES}
        else:
            continue
        if all(math.isfinite(v) for v in shares.values()):
            out |= {(expression, s): v for s, v in shares.items()}
    return out


def _affected(found: Mapping[tuple[str, str], Pair], unasked: Mapping[str, Unasked]) -> str:
    """The side that moves less when asked; where neither clearly does, the one that moves unasked."""
    side, weakness = weaker_side(found)
    if weakness >= LEAST_WEAKNESS:
        return side
    most = {s: _unasked(unasked[s]) for s in SIDES}
    side = max(most, key=lambda s: most[s])
    return side if most[side] >= LEAST_SYNKINESIS else "none"


def _unasked(shares: Unasked) -> float:
    """The second largest unasked movement of a side: what has regrown shows in more than one expression, an error of
    measurement seldom does. Eye and mouth only: lower lip and chin follow the mouth's corner, for mechanical reasons,
    on either side."""
    found = sorted(v for (_, r), (v, _) in shares.items() if r in ("eye", "mouth") and math.isfinite(v))
    return found[-2] if len(found) > 1 else 0.0


def _ratio_rows(rows: Iterable[Measure], side: str) -> list[Measure]:
    values = {(r.measure, r.expression, r.side): (r.value, r.region) for r in rows}
    out = []
    for name, where in RATIOS.items():
        for expression in where:
            if (name, expression, "left") in values:
                left, region = values[name, expression, "left"]
                right = values[name, expression, "right"][0]
                least = 0.1 if name == "closure" else LEAST_FOR_RATIO
                value, status = ratio(left, right, side, least)
                out.append(row(f"{name}_ratio", expression, region, "both", value, status))
    return out


def ratio(left: float, right: float, affected: str, least: float = LEAST_FOR_RATIO) -> tuple[float, str]:
    """Affected / healthy, or smaller / larger when neither is affected, and why it is NaN. `least` of the divisor."""
    if affected == "both":
        return math.nan, BILATERAL
    if not math.isfinite(left + right):
        return math.nan, "a side was not seen in the scan"
    if affected in SIDES:
        above, below = (left, right) if affected == "left" else (right, left)
    else:
        above, below = min(left, right), max(left, right)
    if below < least:
        return math.nan, f"the side divided by shows {below:.2f}; {least:g} are needed"
    return above / below, ""


def _reason(side: str, otherwise: str) -> str:
    return BILATERAL if side == "both" else otherwise


def _shares(pair: Pair, side: str) -> float:
    if side == "both":
        return math.nan
    if side in SIDES:
        return pair.share(side)
    smaller, larger = sorted(pair.amplitudes())
    return smaller / larger if larger >= LEAST_FOR_RATIO else math.nan


def _function(region: str, found: Mapping[tuple[str, str], Pair], rows: Iterable[Measure], side: str) -> float:
    """Share of the healthy side's movement of a functional region, 0..1, over the expressions that show it."""
    if region == "eye":
        values = [r.value for r in rows if r.measure == "closure_ratio"]
    else:
        values = [_shares(found[e, region], side) for e in FULL[region] if (e, region) in found]
    values = [v for v in values if math.isfinite(v)]
    return float(np.clip(np.mean(values), 0, 1)) if values else math.nan


def _function_rows(found: Mapping[tuple[str, str], Pair], function: Mapping[str, float], side: str) -> list[Measure]:
    out = []
    for (expression, region), pair in found.items():
        if region in ASKED[expression]:
            still = "the side compared with moves less than 1 mm"
            if side in SIDES:
                out.append(row("function", expression, region, "both", pair.share(side), still))
            smaller, larger = sorted(pair.amplitudes())
            value = smaller / larger if larger >= LEAST_FOR_RATIO else math.nan
            out.append(row("symmetry", expression, region, "both", value, still))
    for region, value in function.items():
        asked = " or ".join(FULL[region])
        needed = _reason(side, f"needs a movement of the healthy side in {asked}")
        out.append(row("function", "all", region, "both", value, needed))
    return out
