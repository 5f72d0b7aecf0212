"""From the scans of an exam to meshes in correspondence, and from those to measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from face3d.errors import Face3DError, RegistrationError, SchemaError
from face3d.exam import AFFECTED
from face3d.measuring.corrections import anchored, lids, restored, tip_points
from face3d.measuring.exam_measures import Measures, measure_movements
from face3d.measuring.measure_rows import Measure
from face3d.measuring.movement import Anatomy, movement
from face3d.measuring.smile_thirds import SMILES, third_rows
from face3d.measuring.witnesses import CLOSING, lid_points
from face3d.reference.repeatability import load_repeatability
from face3d.scan import FaceScan, Floats, locked

if TYPE_CHECKING:
    from scipy.spatial.transform import RigidTransform

    from face3d.exam import Exam
    from face3d.geometry.surfels import Surfels
    from face3d.landmarking.detect import Detection
    from face3d.template.fit import TemplateFit
    from face3d.template.template import FaceTemplate


@dataclass(frozen=True, eq=False)
class FittedExam:
    """Every scan of an exam in correspondence. `rest` (N, 3) and `expressions` name -> (N, 3) mm in the rest scan's
    canonical head frame, NaN where the scan shows nothing; `fits`, detected `marks` (name -> (3,) mm, in the frame of
    their own fit) and what was `seen` of each scan, by expression, rest included."""

    template: FaceTemplate
    rest: Floats
    expressions: Mapping[str, Floats]
    fits: Mapping[str, TemplateFit]
    marks: Mapping[str, Mapping[str, Floats]]
    seen: Mapping[str, SeenScan]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rest", locked(self.rest))
        moved = {name: locked(v) for name, v in self.expressions.items()}
        object.__setattr__(self, "expressions", MappingProxyType(moved))
        for name in ("fits", "marks", "seen"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


def fit_exam(exam: Exam, step: Callable[[str], None] = lambda name: None, workers: int = 2) -> FittedExam:
    """Lays the template on every scan of an exam, expressions starting from the same person's rest scan.

    `step` is told each expression as it begins; `workers` scans are fitted at a time. An expression whose scan cannot
    be used is left out with a note; a rest scan that cannot be used raises (`ScanError`, `LandmarkError`,
    `RegistrationError`). The result does not depend on `workers`.
    """

    def see(expression: str) -> SeenScan:
        step(expression)
        return see_scan(exam.scan(expression), at_rest=expression == "rest")

    recorded = (f"{e}: the sequence is not measured; give its frame of full movement as a scan" for e in exam.sequences)
    return fit_seen(exam.expressions, see, (*exam.notes, *recorded), workers)


def fit_seen(
    expressions: Sequence[str], see: Callable[[str], SeenScan], notes: Sequence[str] = (), workers: int = 1
) -> FittedExam:
    """The same for scans that `see` gives by expression; "rest" is one of `expressions`."""
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import threadpool_limits

    others = [e for e in expressions if e != "rest"]
    # One BLAS thread a worker: two in each of two workers take twice the time, and how many there are must not show in
    # the last digits.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        seeing = {e: pool.submit(see, e) for e in ("rest", *others)}
        try:
            rest = fit_rest(seeing["rest"].result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        # Queued behind all the seeing, so that no worker waits for what nobody works at.
        fitting = {e: pool.submit(lambda one: fit_expression(one.result(), rest), seeing[e]) for e in others}
        found, seen, said = {"rest": rest}, {"rest": seeing["rest"].result()}, list(notes)
        for e, one in fitting.items():
            try:
                found[e], seen[e] = one.result(), seeing[e].result()
            except Face3DError as error:
                said.append(f"{e}: left out: {error}")
    shown = {name: _seen(one.fit) for name, one in found.items()}
    neutral = shown.pop("rest")
    fits, marks = {name: one.fit for name, one in found.items()}, {name: one.marks for name, one in found.items()}
    return FittedExam(rest.fit.template, neutral, shown, fits, marks, seen, tuple(said))


@dataclass(frozen=True, eq=False)
class SeenScan:
    """What fitting needs of a scan: its cleaned surface as elements, the landmarks that were found (scan coordinates),
    and, of a rest scan, scan coordinates -> canonical head frame by its mirror symmetry."""

    surfels: Surfels
    found: Detection
    head: RigidTransform | None = None


@dataclass(frozen=True, eq=False)
class Fitted:
    """One scan: its fit, and the landmarks that were found on it (scan coordinates)."""

    fit: TemplateFit
    found: Detection

    @property
    def marks(self) -> dict[str, Floats]:
        """The landmarks that were found, in the fit's head frame."""
        return {name: self.fit.to_head.apply(point) for name, point in self.found.landmarks.items()}


def see_scan(scan: FaceScan, at_rest: bool = False) -> SeenScan:
    """A scan cleaned, with its landmarks (those given by hand win); the mirror symmetry of a rest scan fixes the head
    frame."""
    from face3d.geometry.clean import clean
    from face3d.geometry.superimpose import superimpose_mirror
    from face3d.geometry.surfels import Surfels
    from face3d.landmarking.detect import detect_landmarks
    from face3d.landmarking.pose import head_frame, refined_frame

    cleaned = clean(scan).scan
    found = detect_landmarks(cleaned)
    head = None
    if at_rest:
        rough = head_frame(found.landmarks, found.confidence)
        plane = superimpose_mirror(cleaned, rough).plane
        head = refined_frame(rough, found.landmarks, plane.normal, plane.point)
    return SeenScan(Surfels.of(cleaned), found, head)


#: Movement units in exams. Relative to rest, two authors' units follow what one author's alone cannot (18 training
#: exams: the median error of a corner's excursion in smiles that the second author modelled falls from 3.2 to 0.5 mm);
#: without a rest scan they would take the shape of the face for movement, so single scans are fitted with fewer.
UNITS = "ab"


def fit_rest(seen: SeenScan) -> Fitted:
    """The template laid on the rest scan, in its head frame."""
    from face3d.template.fit import fit_template

    assert seen.head is not None
    found = seen.found
    fit = fit_template(seen.surfels, found.landmarks, found.confidence, found.dense, movement=UNITS)
    fit = fit.in_frame(seen.head)
    return Fitted(_believed(fit, seen.surfels.name), found)


def fit_expression(seen: SeenScan, rest: Fitted) -> Fitted:
    """The template laid on a scan in expression, from rest on."""
    from face3d.template.fit import fit_template

    landmarks, dense = _as_at_rest(seen.found, rest)
    fit = fit_template(seen.surfels, landmarks, seen.found.confidence, dense, rest.fit)
    return Fitted(_believed(fit, seen.surfels.name), seen.found)


def _as_at_rest(found: Detection, rest: Fitted) -> tuple[dict[str, Floats], Floats]:
    """The landmarks of an expression, shifted by what the same landmarks are off the fit at rest.

    A detector puts a point a millimetre beside where the template has it, on one person in every expression alike:
    what counts is by how much it moved.
    """
    template, back = rest.fit.template, rest.fit.to_head.inv()
    turn = _head(found).inv().rotation * _head(rest.found).rotation
    at_rest = template.landmark_points(rest.fit.vertices_mm)
    marks = {}
    for name, point in found.landmarks.items():
        known = name in at_rest and name in rest.found.landmarks
        off = back.apply(at_rest[name]) - rest.found.landmarks[name] if known else np.zeros(3)
        marks[name] = point + turn.apply(off)
    on = np.einsum("lk,lki->li", template.dense_weights, rest.fit.vertices_mm[template.dense_ids])
    off = np.where(np.isfinite(template.dense_spread)[:, None], back.apply(on) - rest.found.dense, 0.0)
    return marks, found.dense + turn.apply(off)


def _head(found: Detection) -> RigidTransform:
    from face3d.landmarking.pose import head_frame

    return head_frame(found.landmarks, found.confidence)


def _believed(fit: TemplateFit, name: str) -> TemplateFit:
    """The fit, or `RegistrationError` when it says nothing about the face."""
    from face3d.template.quality import fit_quality

    quality = fit_quality(fit)
    if quality.light == "red":
        raise RegistrationError(f"{name}: the template does not fit: {'; '.join(quality.reasons)}. Is it a whole face?")
    return fit


#: mm: the lids' and lips' edges, and skin in small gaps, are carried by what was seen this near beside them.
CARRIED_MM = 5.0


def _seen(fit: TemplateFit) -> Floats:
    """(N, 3) the fitted vertices, NaN where the scan shows nothing of this part of the face."""
    from scipy.spatial import KDTree

    at = fit.template.vertices
    if not fit.valid.any():
        return np.full(at.shape, np.nan)
    beside = KDTree(at[fit.valid]).query(at, distance_upper_bound=CARRIED_MM)[0]
    return np.where(np.isfinite(beside)[:, None], fit.vertices_mm, np.nan)


def measure(exam: Exam, affected_side: str | None = None, step: Callable[[str], None] = lambda name: None) -> Measures:
    """All measures of an exam. `affected_side` "left", "right" or "none" overrides what the exam says; where neither
    says it, it is found by measuring."""
    return measure_fitted(exam, fit_exam(exam, step), affected_side)


def measure_fitted(exam: Exam, fitted: FittedExam, affected_side: str | None = None) -> Measures:
    """All measures of an exam whose scans are in correspondence already."""
    side = affected_side or exam.affected_side
    if side is not None and side not in AFFECTED:
        raise SchemaError(f"affected side {side!r}; expected one of {', '.join(AFFECTED)}")
    return measure_fits(
        fitted.rest, fitted.expressions, fitted.template, side, exam.subject, exam.visit, fitted.notes, fitted.marks
    )


def measure_fits(
    rest: Floats, expressions: Mapping[str, Floats], anatomy: Anatomy, affected_side: str | None = None,
    subject: str = "", visit: str | None = None, notes: tuple[str, ...] = (),
    marks: Mapping[str, Mapping[str, Floats]] | None = None,
) -> Measures:  # fmt: skip
    """Measures of fitted meshes, arguments as in `measure_vertices`: what a fit loses on average is put back
    (`measuring.corrections`), and every row says how far it may be off (`reference.repeatability`). `marks` as in
    `FittedExam`."""
    movements, said = {}, list(notes)
    at_rest = anatomy.landmark_points(rest)
    weigh, known = lids(), {"rest": {}}
    if marks is not None and weigh is not None:
        known["rest"] = lid_points(at_rest, marks["rest"], at_rest, weigh)
    for expression, vertices in expressions.items():
        try:
            moved = movement(expression, rest, vertices, anatomy)
        except RegistrationError as error:
            said.append(str(error))
            continue
        if marks is not None:
            if weigh is not None:
                fitted = anatomy.landmark_points(rest + moved.displacement)
                seen = {name: moved.to_rest.apply(point) for name, point in marks[expression].items()}
                opening = {**at_rest, **known["rest"]}
                known[expression] = lid_points(fitted, seen, opening, weigh, expression in CLOSING)
            moved = anchored(moved, rest, anatomy, marks["rest"], marks[expression])
        movements[expression] = restored(moved, anatomy)
        tips = tip_points(movements[expression], at_rest, anatomy)
        known[expression] = {**tips, **known.get(expression, {})}
    m = measure_movements(rest, movements, anatomy, affected_side, subject, visit, tuple(said), known)
    rows = [*m.rows, *(r for e in SMILES if e in movements for r in third_rows(movements[e], rest, anatomy))]
    return replace(m, rows=tuple(_with_uncertainty(r) for r in rows))


def _with_uncertainty(row: Measure) -> Measure:
    known = load_repeatability().get((row.measure, row.expression, row.region))
    if known is None or row.status != "ok":
        return row
    return replace(row, uncertainty=known.sem if known.error is None else known.error)


def measured(path: str | Path, affected_side: str | None = None) -> Measures:
    """Measures of what a path holds: an exam, which is measured now, or a result of `face3d exam`, which is read."""
    path = Path(path)
    stored = path / "result.json" if path.is_dir() else path
    if stored.name == "result.json" and stored.is_file():
        from face3d.report.exam_result import read_measures

        return read_measures(stored)
    from face3d.io.exam import read_exam

    return measure(read_exam(path), affected_side)
