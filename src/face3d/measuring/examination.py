"""From the scans of an exam to meshes in correspondence, and from those to measures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from face3d.errors import SchemaError
from face3d.exam import AFFECTED
from face3d.measuring.corrections import CLOSING, anchored, lid_points, lids, lids_mistaken, restored, tip_points
from face3d.measuring.definitions import Measure
from face3d.measuring.exam_measures import Measures, measure_movements
from face3d.measuring.protocol import ASKED
from face3d.measuring.shares import noise_floors
from face3d.measuring.smile_thirds import SMILES, third_rows
from face3d.reference.repeatability import load_repeatability
from face3d.scan import Floats
from face3d.template.anatomy import Anatomy
from face3d.template.exam_fit import FittedExam, fit_exam
from face3d.template.movement import Movement

if TYPE_CHECKING:
    from face3d.exam import Exam


def measure(exam: Exam, affected_side: str | None = None, step: Callable[[str], None] = lambda name: None) -> Measures:
    """All measures of an exam. `affected_side` "left", "right", "both" or "none" overrides what the exam says; where
    neither says it, it is found by measuring."""
    return measure_fitted(exam, fit_exam(exam, step), affected_side)


def measure_fitted(exam: Exam, fitted: FittedExam, affected_side: str | None = None) -> Measures:
    """All measures of an exam whose scans are in correspondence already."""
    side = affected_side or exam.affected_side
    if side is not None and side not in AFFECTED:
        raise SchemaError(f"affected side {side!r}; expected one of {', '.join(AFFECTED)}")
    return measure_fits(
        fitted.rest, fitted.movements, fitted.template, side, exam.subject, exam.visit, fitted.notes, fitted.marks
    )


def measure_fits(
    rest: Floats,
    moves: Mapping[str, Movement],
    anatomy: Anatomy,
    affected_side: str | None = None,
    subject: str = "",
    visit: str | None = None,
    notes: tuple[str, ...] = (),
    marks: Mapping[str, Mapping[str, Floats]] | None = None,
) -> Measures:
    """Measures of fitted meshes, arguments as in `measure_movements`: what a fit loses on average is put back
    (`measuring.corrections`), and every row says how far it may be off (`reference.repeatability`). `marks` as in
    `FittedExam`. Movements outside the protocol are passed over."""
    at_rest = anatomy.landmark_points(rest)
    weigh, known = lids(), {"rest": {}}
    if marks is not None and weigh is not None:
        known["rest"] = lid_points(at_rest, marks["rest"], at_rest, weigh)
    asked = {}
    for expression, moved in moves.items():
        if expression not in ASKED:
            continue
        if marks is not None:
            if weigh is not None:
                fitted = anatomy.landmark_points(rest + moved.displacement)
                seen = {name: moved.to_rest.apply(point) for name, point in marks[expression].items()}
                opening = {**at_rest, **known["rest"]}
                known[expression] = lid_points(fitted, seen, opening, weigh, expression in CLOSING)
            moved = anchored(moved, rest, anatomy, marks["rest"], marks[expression])
        asked[expression] = restored(moved, anatomy)
        tips = tip_points(asked[expression], at_rest, anatomy)
        known[expression] = {**tips, **known.get(expression, {})}
    mistaken = lids_mistaken(known, {**at_rest, **known["rest"]})
    for side in mistaken:
        known[CLOSING[1]] |= {f"{lid}_{side}": np.full(3, np.nan) for lid in ("ps", "pi")}
    notes = (*notes, *mistaken.values())
    m = measure_movements(rest, asked, anatomy, affected_side, subject, visit, notes, known, floors=noise_floors())
    rows = [replace(r, status=mistaken[r.side]) if _of_tight_lids(r) and r.side in mistaken else r for r in m.rows]
    rows += [r for e in SMILES if e in asked for r in third_rows(asked[e], rest, anatomy)]
    return replace(m, rows=tuple(_with_uncertainty(r) for r in rows))


def _of_tight_lids(row: Measure) -> bool:
    return row.expression == CLOSING[1] and row.measure in ("closure_gap", "closure")


def _with_uncertainty(row: Measure) -> Measure:
    known = load_repeatability().get((row.measure, row.expression, row.region))
    # Shares say by themselves how sure they are, of this very movement.
    if known is None or row.status != "ok" or math.isfinite(row.uncertainty):
        return row
    return replace(row, uncertainty=known.sem if known.error is None else known.error)
