"""What a clinician asks of an examination, in millimetres and ratios: resting asymmetry, excursions, closure,
synkinesis.

Everything is taken from meshes in anatomical correspondence, rest against expression, aligned on the region that is
stable in that expression (`template.movement`). Each side is measured for itself; nothing assumes symmetry of what is
measured.

Ratios are affected / healthy side, along the healthy side's path and without what is passive (`measuring.shares`): 1
symmetric, 0 nothing of its own on the affected side, above 1 more than on the healthy side; errors of measurement carry
them a little beyond either end. Where neither side is known or found to be ill they are smaller / larger, and function
is that of the side that moves less over all; where both are, there is nothing to compare with. What could not be
measured is NaN, with the reason as its status.
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
from face3d.measuring.ratios import BILATERAL, Ratio, Ratios, excursion_ratios, ratio_rows
from face3d.measuring.readings import landmark_shifts, movement_rows, overaction_row, rest_rows
from face3d.measuring.shares import Floor
from face3d.measuring.sides import Pair, contradiction, left_places, pairs, weaker_side
from face3d.measuring.synkinesis import Unasked, synkinesis
from face3d.reference.scales import REGIONS
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


@dataclass(frozen=True, eq=False, repr=False)
class Measures(Value):
    """All measures of one exam.

    `affected_side` "left", "right", "both" or "none"; `side_source` "given" or "measured"; `contradiction`: what speaks
    clearly against a given side, empty where nothing does. `region_function` brow, eye, midface, mouth, lower_lip ->
    share of the healthy side's movement that the affected side makes by itself, 0 dead, 1 healthy, not cut off at
    either; NaN where it could not be measured. `synkinesis` (expression asked for,
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
        """1 - mean of brow and mouth function (House's rule): 0 healthy, 1 nothing left; NaN when either was not
        measured."""
        return 1.0 - (self.region_function["brow"] + self.region_function["mouth"]) / 2


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
    floors: Mapping[str, Floor] | None = None,
) -> Measures:
    """Measures of movements from which the head's own has been taken out; the rest as in `measure_vertices`.

    `known`: expression, or "rest" -> landmarks (3,), in the frame of `rest`, that are known better than by the meshes.
    `sure`: the affected side is the true one, of a simulated person, whatever was measured. `floors` of movement that
    was measured from scans (`shares.noise_floors`); without them it is taken for exact.
    """
    better, noise = known or {}, floors or {}
    marks_at_rest = better.get("rest", {})
    at_rest = {**anatomy.landmark_points(rest), **marks_at_rest}
    shifts = {e: landmark_shifts(moved, at_rest, anatomy, better.get(e)) for e, moved in movements.items()}
    rows = [*rest_rows(rest, anatomy, marks_at_rest), *lids_and_lips.at_rest(rest, anatomy, marks_at_rest)]
    for e, moved in movements.items():
        rows += movement_rows(moved, rest, anatomy, at_rest, shifts[e], noise)
        rows += lids_and_lips.in_expression(moved, rest, anatomy, marks_at_rest, better.get(e, {}))
    values = {(r.measure, r.expression, r.side): r.value for r in rows}
    rows += [lids_and_lips.angle_difference(values, e) for e in lids_and_lips.SMILES if e in movements]
    found = pairs(anatomy, movements, noise)
    ratios = excursion_ratios(movements, shifts, anatomy, found, noise)
    closing = _closing(rows)
    there = [region for region in FUNCTIONAL if len(left_places(anatomy, region)[0])]
    unasked = {s: synkinesis(found, s, closing, movements, there) for s in SIDES}
    pulled = {
        s: tuple(r for m in movements.values() if (r := overaction_row(m, anatomy, s)) is not None) for s in SIDES
    }
    lids = noise["fissure"].rms if "fissure" in noise else 0.0
    seen = Observed(tuple(rows), found, unasked, pulled, ratios, lids, movements, signature(rest, anatomy))
    return seen.measures(affected_side, subject, visit, notes, sure)


@dataclass(frozen=True, eq=False, repr=False)
class Observed(Value):
    """What is measured before anyone asks which side is affected: `rows` of each side for itself, both sides' movement
    in `pairs`, each side's unasked movement, the rows of a healthy side that pulls the mouth over, the `ratios` against
    either side, `lid_error` mm of how far an eye opens; and `identity`, see `Measures`."""

    rows: tuple[Measure, ...]
    pairs: Mapping[tuple[str, str], Pair]
    unasked: Mapping[str, Unasked]
    pulled: Mapping[str, tuple[Measure, ...]]
    ratios: Ratios
    lid_error: float
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
    rows += list(ratio_rows(seen.rows, seen.ratios, side, seen.lid_error))
    shares = _asked_shares(found, rows, side)
    function = {region: _function(region, shares) for region in REGIONS}
    rows += _function_rows(found, shares, function, side)
    if side in SIDES:
        rows += seen.pulled[other_side(side)]
    for s in [side] if side in SIDES else SIDES:
        known = {place: (math.nan, BILATERAL) if side == "both" else said for place, said in unasked[s].items()}
        rows += [row("synkinesis", e, region, s, value, why) for (e, region), (value, why) in known.items()]
    brow, mouth = function["brow"], function["mouth"]
    lost = row("severity", "all", "face", "both", 1 - (brow.value + mouth.value) / 2, _reason(side, _NEEDED))
    rows.append(replace(lost, uncertainty=math.hypot(brow.sd, mouth.sd) / 2))
    left = {region: share.value for region, share in function.items()}
    matrix = {pair: value for pair, (value, _) in unasked.get(side, {}).items()}
    return Measures(
        subject, visit, tuple(rows), side, source, left, matrix, seen.movements, notes, seen, identity=seen.identity
    )


_NEEDED = "needs brow raise and smile"
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


def _reason(side: str, otherwise: str) -> str:
    return BILATERAL if side == "both" else otherwise


def _asked_shares(
    found: Mapping[tuple[str, str], Pair], rows: Iterable[Measure], side: str
) -> dict[tuple[str, str], Ratio]:
    """(expression, functional region) -> share of the healthy side's movement, where it is asked for. An eye moves by
    closing. Where no side is affected it is that of the side that moves less over all: smaller / larger of every region
    by itself would make everybody a little ill."""
    if side == "both":
        return {}
    affected = side if side in SIDES else weaker_side(found)[0]
    affected = affected if affected in SIDES else SIDES[0]
    out = {}
    for (e, region), pair in found.items():
        if region in ASKED[e] and region != "eye":
            share = pair.share(affected)
            why = "" if math.isfinite(share.value) else "the side compared with moves less than 1 mm"
            out[e, region] = Ratio(share.value, share.sd, why)
    closing = [r for r in rows if r.measure == "closure_ratio"]
    return out | {
        (r.expression, "eye"): Ratio(r.value, r.uncertainty, "" if r.status == "ok" else r.status) for r in closing
    }


def _function(region: str, shares: Mapping[tuple[str, str], Ratio]) -> Ratio:
    """The mean over the expressions that show a region's movement. Their errors are alike: they share the rest scan."""
    known = [shares[e, region] for e in FULL[region] if (e, region) in shares]
    known = [s for s in known if math.isfinite(s.value)]
    if not known:
        return Ratio(math.nan)
    return Ratio(float(np.mean([s.value for s in known])), float(np.mean([s.sd for s in known])))


def _function_rows(
    found: Mapping[tuple[str, str], Pair],
    shares: Mapping[tuple[str, str], Ratio],
    function: Mapping[str, Ratio],
    side: str,
) -> list[Measure]:
    out = []
    if side in SIDES:
        out += [_share_row(e, region, share, share.why) for (e, region), share in shares.items()]
    for (expression, region), pair in found.items():
        if region in ASKED[expression]:
            smaller, larger = sorted(pair.amplitudes())
            value = smaller / larger if larger >= LEAST_FOR_RATIO else math.nan
            still = "the side compared with moves less than 1 mm"
            out.append(row("symmetry", expression, region, "both", value, still))
    for region, share in function.items():
        asked = " or ".join(FULL[region])
        out.append(_share_row("all", region, share, _reason(side, f"needs a movement of the healthy side in {asked}")))
    return out


def _share_row(expression: str, region: str, share: Ratio, why: str) -> Measure:
    one = row("function", expression, region, "both", share.value, why)
    return replace(one, uncertainty=share.sd if math.isfinite(share.value) else math.nan)
