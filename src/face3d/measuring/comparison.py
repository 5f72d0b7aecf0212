"""Two visits of one person, or many: what changed, and whether by more than measuring alone can explain.

A change of an end point (`measuring.end_points`) is *beyond* when it exceeds its limit: of all of them together one is
called in one of twenty pairs of visits of an unchanged face. What is no end point is beyond under Holm's allowance for
all the rest. Numbers are compared; nothing here says that a treatment worked, and whoever was chosen for being ill
comes nearer the mean at the next visit by himself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from face3d.errors import SchemaError
from face3d.measuring.definitions import Measure
from face3d.measuring.end_points import ALPHA, EndPoint, Judgement, judgement, load_end_points
from face3d.measuring.exam_measures import Measures
from face3d.measuring.ratios import RATIOS
from face3d.reference.agreement import holm
from face3d.reference.angles import turned
from face3d.reference.norms import find_norms
from face3d.reference.repeatability import Key, Repeatability, load_repeatability
from face3d.template.identity import DOUBTFUL, REFUSED, unlike
from face3d.values import Value

if TYPE_CHECKING:
    import pandas as pd

    from face3d.exam import Exam

#: region of a difference at rest, or midline point -> entry of the perception norms
_SEEN: Mapping[str, str] = {"eye": "lid", "brow": "brow", "commissure": "commissure", "prn": "nasal_tip", "pg": "chin"}


@dataclass(frozen=True)
class Change:
    """One measure at two visits. `mdc95` the detectable change of it alone, people's own scatter included,
    `mdc95_published` another's of the same quantity, NaN where none is known. `end_point`: one of those named
    beforehand, called from `limit` on, or below where others are clear. `p` of no true change by itself, `p_adjusted`
    for all end points, or for all the rest. `beyond` None where no detectable change is known or a value is missing,
    with the reason as `status`. `perceptible` whether an asymmetry at rest is as large as observers notice, after;
    None for other measures."""

    measure: str
    expression: str
    region: str
    side: str
    unit: str
    visit: str
    before: float
    after: float
    change: float
    mdc95: float
    mdc95_published: float
    beyond: bool | None
    toward_symmetry: bool | None
    perceptible: bool | None
    status: str
    end_point: bool = False
    limit: float = math.nan
    p: float = math.nan
    p_adjusted: float = math.nan


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Value):
    """Changes from the first visit to each later one. `affected_side` as at the first visit, for all of them."""

    subject: str
    baseline: str
    visits: tuple[str, ...]
    affected_side: str
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """One row a measure and later visit: subject, visit, the baseline it is compared with, and the change."""
        import pandas as pd

        frame = pd.DataFrame([vars(c) for c in self.changes], columns=list(Change.__dataclass_fields__))
        for column in ("beyond", "toward_symmetry", "perceptible"):
            frame[column] = frame[column].astype("boolean")
        frame.insert(0, "subject", self.subject)
        frame.insert(1, "visit", frame.pop("visit"))
        frame.insert(2, "baseline", self.baseline)
        return frame

    def change(self, measure: str, expression: str, side: str = "both", region: str | None = None) -> Change:
        """One row, of the last visit. Raises KeyError when there is none."""
        for c in reversed(self.changes):
            if (c.measure, c.expression, c.side) == (measure, expression, side) and region in (None, c.region):
                return c
        raise KeyError(f"{measure}, {expression}, {side}, {region}")


def compare(
    before: Measures | Exam,
    after: Measures | Exam,
    *later: Measures | Exam,
    repeatability: Mapping[Key, Repeatability] | None = None,
    same_person: bool = False,
    end_points: Sequence[EndPoint] | None = None,
) -> Comparison:
    """Changes from `before` to `after`, and to each visit of `later`; exams are measured first.

    Ratios of all visits refer to the side that was affected at the first. Raises `SchemaError` when the visits name
    different subjects, or look like two people; `same_person`: they are known to be one, a child that has grown or
    somebody whose bones were operated on. `end_points` those by which it is judged, by default the shipped ones.
    """
    visits: list[Measures] = []
    for visit in (before, after, *later):
        if not isinstance(visit, Measures):
            from face3d.measuring.examination import measure

            visit = measure(visit, affected_side=visits[0].affected_side if visits else None)
        visits.append(visit)
    first = visits[0]
    subjects = {v.subject for v in visits}
    if len(subjects) > 1:
        raise SchemaError(f"visits of different subjects: {', '.join(sorted(subjects))}; compare one person's")
    known = load_repeatability() if repeatability is None else repeatability
    notes: list[str] = []
    names = _names(visits)
    if first.contradiction:
        notes.append(f"{names[0]}: {first.contradiction}; function and synkinesis are not compared")
    start = _on_side(first, first.affected_side)
    changes: list[Change] = []
    for name, visit in zip(names[1:], visits[1:], strict=True):
        notes += _of_another_person(first, visit, names[0], name, same_person)
        if visit.contradiction:
            notes.append(f"{name}: {visit.contradiction}; function and synkinesis are not compared")
        if visit.affected_side != first.affected_side:
            notes.append(
                f"{name}: affected side {visit.affected_side}, {names[0]}: {first.affected_side}; "
                "regional function and synkinesis are not compared"
            )
        end = _on_side(visit, first.affected_side)
        points = load_end_points() if end_points is None else end_points
        wanted = {point.row(first.affected_side) for point in points} - {None}
        found = [
            _change(start[key], end[key], name, known, len(points) if key in wanted else 0)
            for key in start
            if key in end
        ]
        changes += _adjusted(found, len(points))
    return Comparison(first.subject, names[0], tuple(names[1:]), first.affected_side, tuple(changes), tuple(notes))


def _of_another_person(first: Measures, visit: Measures, before: str, after: str, same_person: bool) -> Iterator[str]:
    """A loud note where two visits may be two people's; raises `SchemaError` where they must be taken to be."""
    times, where = unlike(first.identity, visit.identity)
    found = f"{before} and {after} look like two people: {where}; {times:.1f} times one person's usual difference"
    if times >= REFUSED and not same_person:
        raise SchemaError(
            f"{first.subject}: {found} (limit {REFUSED:g}); compare one person's visits. If it is one who has grown, "
            "or whose bones were operated on, say so: --same-person"
        )
    if times >= DOUBTFUL:
        yield f"MAY BE TWO PEOPLE: {found} (limit {DOUBTFUL:g})"
    elif math.isnan(times):
        yield f"{after}: not checked whether it is the same person: {where}"


def _names(visits: Sequence[Measures]) -> list[str]:
    names = [v.visit or f"visit {i + 1}" for i, v in enumerate(visits)]
    return [f"{n} ({i + 1})" if names.count(n) > 1 else n for i, n in enumerate(names)]


def _on_side(measures: Measures, side: str) -> dict[tuple[str, str, str, str], Measure]:
    """The rows by measure, expression, region and side, with plain ratios referred to `side`."""
    rows = {(r.measure, r.expression, r.region, r.side): r for r in measures.rows}
    if measures.affected_side == side:
        return rows
    kept = {k: r for k, r in rows.items() if k[0] not in ("function", "synkinesis", "severity", "overaction")}
    ratios = {k: r for k, r in kept.items() if k[0].removesuffix("_ratio") in RATIOS and k[0] not in RATIOS}
    if measures.observed is not None:
        against = measures.observed.measures(side, sure=True).rows
        return kept | {(r.measure, r.expression, r.region, r.side): r for r in against if r.measure.endswith("_ratio")}
    # A stored result has its ratios against its own affected side only.
    other = f"the stored result is against the side {measures.affected_side}; measure the exam again"
    return kept | {k: replace(r, value=math.nan, status=other) for k, r in ratios.items()}


def _adjusted(found: Sequence[Change], end_points: int) -> list[Change]:
    """The changes of one pair of visits with what is beyond: Holm for the end points, of which those that were not
    measured count as unchanged, and Holm for the rest."""
    points, rest = [c.p for c in found if c.end_point], [c.p for c in found if not c.end_point]
    adjusted = {
        True: iter(holm([*points, *[1.0] * (end_points - len(points) + sum(map(math.isnan, points)))]).tolist()),
        False: iter(holm(rest).tolist()),
    }
    out = []
    for c in found:
        p = next(adjusted[c.end_point])
        out.append(replace(c, p_adjusted=p, beyond=p < ALPHA if math.isfinite(p) else None))
    return out


def _change(before: Measure, after: Measure, visit: str, known: Mapping[Key, Repeatability], end_points: int) -> Change:
    change = turned(after.value - before.value, before.unit)
    own = known.get((before.measure, before.expression, before.region))
    judged = Judgement(math.nan, math.nan, math.nan)
    if own is not None:
        judged = judgement(
            change, [v for v in (before.value, after.value) if math.isfinite(v)] or [0.0], own, end_points
        )
    status = "ok"
    if not math.isfinite(change):
        status = next(r.status for r in (before, after) if r.status != "ok")
    elif own is None:
        status = "detectable change of this measure is not known"
    target = 1.0 if before.measure.endswith("_ratio") or before.measure in ("function", "symmetry") else 0.0
    toward = None
    if target == 1.0 or before.measure in ("rest_difference", "midline_deviation", "resting_asymmetry"):
        gain = abs(before.value - target) - abs(after.value - target)
        toward = gain > 0 if math.isfinite(gain) and gain != 0 else None
    return Change(
        before.measure,
        before.expression,
        before.region,
        before.side,
        before.unit,
        visit,
        before.value,
        after.value,
        change,
        judged.mdc95,
        _published(before),
        None,
        toward,
        _perceptible(after),
        status,
        end_points > 0,
        judged.limit,
        judged.p,
    )


def _published(measure: Measure) -> float:
    """The detectable change that was published of this very quantity; NaN where none was."""
    found = find_norms("mdc95", measure.expression, measure.region, kind="repeatability")
    of = (measure.measure, measure.unit)
    return next((n.mean for n in found if (n.quantity, n.unit) == of and n.mean is not None), math.nan)


def _perceptible(measure: Measure) -> bool | None:
    if measure.measure not in ("rest_difference", "midline_deviation") or not math.isfinite(measure.value):
        return None
    seen = find_norms(_SEEN.get(measure.region, ""), kind="perception")
    return abs(measure.value) >= seen[0].mean if seen and seen[0].mean is not None else None
