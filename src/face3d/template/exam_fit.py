"""Every scan of an exam in correspondence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face3d.errors import Face3DError, RegistrationError, SchemaError
from face3d.scan import FaceScan, Floats
from face3d.template.identity import LEFT_OUT, AnotherPersonError, same_person
from face3d.template.movement import Movement, movements
from face3d.values import Value, locked

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from scipy.spatial.transform import RigidTransform

    from face3d.exam import Exam
    from face3d.geometry.elements import Surfels
    from face3d.landmarking.detect import Detection
    from face3d.template.fit import TemplateFit
    from face3d.template.quality import FitQuality
    from face3d.template.template import FaceTemplate


@dataclass(frozen=True, eq=False, repr=False)
class FittedExam(Value):
    """Every scan of an exam in correspondence. `rest` (N, 3) and `expressions` name -> (N, 3) mm in the rest scan's
    canonical head frame, NaN where the scan shows nothing; `movements` from rest, without the head's own; `fits` and
    their `quality`, detected `marks` (name -> (3,) mm, in the frame of their own fit) and what was `seen` of each scan,
    by expression, rest included."""

    template: FaceTemplate
    rest: Floats
    expressions: Mapping[str, Floats]
    movements: Mapping[str, Movement]
    fits: Mapping[str, TemplateFit]
    quality: Mapping[str, FitQuality]
    marks: Mapping[str, Mapping[str, Floats]]
    seen: Mapping[str, SeenScan]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "expressions", {name: locked(v) for name, v in self.expressions.items()})
        super().__post_init__()


def fit(scans: Mapping[str, FaceScan], workers: int = 2) -> FittedExam:
    """Lays the template on scans of one person, "rest" among them, the others under any name; see `fit_exam`."""
    if "rest" not in scans:
        raise SchemaError(f'scans {", ".join(scans) or "none"}: "rest" is missing; every movement is measured from it')
    return fit_seen(tuple(scans), lambda name: see_scan(scans[name], at_rest=name == "rest"), workers=workers)


def fit_exam(exam: Exam, step: Callable[[str], None] = lambda name: None, workers: int = 2) -> FittedExam:
    """Lays the template on every scan of an exam, expressions starting from the same person's rest scan.

    `step` is told each expression as it begins; `workers` scans are fitted at a time. An expression whose scan cannot
    be used, or is another person's, is left out with a note; a rest scan that cannot be used, or is not of the person
    of most others, raises (`ScanError`, `LandmarkError`, `RegistrationError`). The result does not depend on `workers`.
    """

    def see(expression: str) -> SeenScan:
        step(expression)
        return see_scan(exam.scan(expression), at_rest=expression == "rest")

    recorded = (
        f"{e}: the sequence is not measured here; face3d.examine finds its frame of full movement"
        for e in exam.sequences
    )
    return fit_seen(exam.expressions, see, (*exam.notes, *recorded), workers)


def fit_seen(
    expressions: Sequence[str], see: Callable[[str], SeenScan], notes: Sequence[str] = (), workers: int = 1
) -> FittedExam:
    """The same for scans that `see` gives by expression; "rest" is one of `expressions`."""
    from threadpoolctl import threadpool_limits

    asked = [e for e in expressions if e != "rest"]
    # One BLAS thread a worker: two in each of two workers take twice the time, and how many there are must not show in
    # the last digits.
    with threadpool_limits(1, user_api="blas"), _pool(workers) as pool:
        seeing = {e: pool.submit(see, e) for e in ("rest", *asked)}
        rest = fit_rest(seeing["rest"].result())
        # Queued behind all the seeing, so that no worker waits for what nobody works at.
        fitting = {e: pool.submit(lambda one: fit_expression(one.result(), rest), seeing[e]) for e in asked}
        found, seen, said = {"rest": rest}, {"rest": seeing["rest"].result()}, list(notes)
        others: dict[str, AnotherPersonError] = {}
        for e, one in fitting.items():
            try:
                found[e], seen[e] = one.result(), seeing[e].result()
            except AnotherPersonError as error:
                others[e] = error
            except Face3DError as error:
                said.append(f"{e}: left out: {error}")
    if len(others) >= len(found):  # rest itself is one of those found
        first = next(iter(others.values()))
        raise RegistrationError(
            f"rest: not of one person with {', '.join(others)}: is it another person's? For one, {first}"
        )
    said = [*(f"{e}: {LEFT_OUT}: {error}" for e, error in others.items()), *said]
    said += [f"{e}: {note}" for e, one in seen.items() for note in one.notes]
    shown = {name: _seen(one.fit) for name, one in found.items()}
    neutral, template = shown.pop("rest"), rest.fit.template
    moved, unseen = movements(neutral, shown, template)
    fits, quality, marks = (
        {name: part(one) for name, one in found.items()}
        for part in (lambda f: f.fit, lambda f: f.quality, lambda f: f.marks)
    )
    return FittedExam(template, neutral, shown, moved, fits, quality, marks, seen, (*said, *unseen))


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads to work in. What fails drops what is queued; Ctrl-C does not even wait for the scans that are at hand."""
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    except BaseException as error:
        pool.shutdown(wait=isinstance(error, Exception), cancel_futures=True)
        raise
    pool.shutdown()


@dataclass(frozen=True, eq=False, repr=False)
class SeenScan(Value):
    """What fitting needs of a scan: its cleaned surface as elements, the landmarks that were found (scan coordinates),
    of a rest scan, scan coordinates -> canonical head frame by its mirror symmetry, and what was done on the way."""

    surfels: Surfels
    found: Detection
    head: RigidTransform | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Fitted(Value):
    """One scan: its fit, how good it is, and the landmarks that were found on the scan (scan coordinates)."""

    fit: TemplateFit
    quality: FitQuality
    found: Detection

    @property
    def marks(self) -> dict[str, Floats]:
        """The landmarks that were found, in the fit's head frame."""
        return {name: self.fit.to_head.apply(point) for name, point in self.found.landmarks.items()}


def see_scan(scan: FaceScan, at_rest: bool = False) -> SeenScan:
    """A scan cleaned, with its landmarks (those given by hand win); the mirror symmetry of a rest scan fixes the head
    frame."""
    from face3d.geometry.elements import Surfels
    from face3d.landmarking.placing import placed

    at = placed(scan)
    if at_rest:
        at = at.superimposed()
    return SeenScan(Surfels.of(at.cleaned.thin.scan), at.found, at.head, at.notes)


#: Movement units in exams. Relative to rest, two authors' units follow what one author's alone cannot (18 training
#: exams: the median error of a corner's excursion in smiles that the second author modelled falls from 3.2 to 0.5 mm);
#: without a rest scan they would take the shape of the face for movement, so single scans are fitted with fewer. Skin
#: that slides over the forehead leaves little trace, so how far a raise reaches up is the prior's to say.
UNITS = "abw"


def fit_rest(seen: SeenScan) -> Fitted:
    """The template laid on the rest scan, in its head frame."""
    from face3d.template.fit import fit_template

    assert seen.head is not None
    found = seen.found
    fit = fit_template(seen.surfels, found.landmarks, found.confidence, found.dense, movement=UNITS)
    return _believed(fit.in_frame(seen.head), seen)


def fit_expression(seen: SeenScan, rest: Fitted) -> Fitted:
    """The template laid on a scan in expression, from rest on. Raises `AnotherPersonError` and `RegistrationError`."""
    from face3d.landmarking.size import another_size
    from face3d.template.fit import fit_template

    if wrong := another_size(rest.found.landmarks, seen.found.landmarks):
        raise AnotherPersonError(f"{seen.surfels.name}: {wrong}")
    landmarks, dense = _as_at_rest(seen.found, rest)
    fit = fit_template(seen.surfels, landmarks, seen.found.confidence, dense, rest.fit)
    same_person(rest.fit, fit, seen.surfels.name)
    return _believed(fit, seen)


def _as_at_rest(found: Detection, rest: Fitted) -> tuple[dict[str, Floats], Floats]:
    """The landmarks of an expression, shifted by what the same landmarks are off the fit at rest.

    A detector puts a point a millimetre beside where the template has it, on one person in every expression alike:
    what counts is by how much it moved.
    """
    template, back = rest.fit.template, rest.fit.to_head.inv()
    turn = found.frame.inv().rotation * rest.found.frame.rotation
    at_rest = template.landmark_points(rest.fit.vertices_mm)
    marks = {}
    for name, point in found.landmarks.items():
        known = name in at_rest and name in rest.found.landmarks
        off = back.apply(at_rest[name]) - rest.found.landmarks[name] if known else np.zeros(3)
        marks[name] = point + turn.apply(off)
    on = np.einsum("lk,lki->li", template.dense_weights, rest.fit.vertices_mm[template.dense_ids])
    off = np.where(np.isfinite(template.dense_spread)[:, None], back.apply(on) - rest.found.dense, 0.0)
    return marks, found.dense + turn.apply(off)


def _believed(fit: TemplateFit, seen: SeenScan) -> Fitted:
    """The fit, or `RegistrationError` when it says nothing about the face."""
    from face3d.template.quality import fit_quality

    quality = fit_quality(fit)
    if quality.light == "red":
        reasons = "; ".join(quality.reasons)
        raise RegistrationError(f"{seen.surfels.name}: the template does not fit: {reasons}. Is it a whole face?")
    return Fitted(fit, quality, seen.found)


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
