"""From the scans of an exam to meshes in correspondence, and from those to measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from face3d.errors import Face3DError, SchemaError
from face3d.exam import AFFECTED
from face3d.measures import Measures, measure_vertices
from face3d.scan import FaceScan, Floats, locked

if TYPE_CHECKING:
    from face3d.exam import Exam
    from face3d.fit import TemplateFit
    from face3d.template import FaceTemplate


@dataclass(frozen=True, eq=False)
class FittedExam:
    """Every scan of an exam in correspondence. `rest` (N, 3) and `expressions` name -> (N, 3) mm in the rest scan's
    canonical head frame, NaN where the scan shows nothing; `fits` by expression, rest included."""

    template: FaceTemplate
    rest: Floats
    expressions: Mapping[str, Floats]
    fits: Mapping[str, TemplateFit]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rest", locked(self.rest))
        seen = {name: locked(v) for name, v in self.expressions.items()}
        object.__setattr__(self, "expressions", MappingProxyType(seen))
        object.__setattr__(self, "fits", MappingProxyType(dict(self.fits)))


def fit_exam(exam: Exam, step: Callable[[str], None] = lambda name: None) -> FittedExam:
    """Lays the template on every scan of an exam, expressions starting from the same person's rest scan.

    `step` is told each expression as it begins. An expression whose scan cannot be used is left out with a note; a
    rest scan that cannot be used raises (`ScanError`, `LandmarkError`, `RegistrationError`).
    """
    step("rest")
    rest = fit_scan(exam.scan("rest"))
    fits, notes = {"rest": rest}, list(exam.notes)
    for expression in exam.expressions[1:]:
        step(expression)
        try:
            fits[expression] = fit_scan(exam.scan(expression), rest)
        except Face3DError as error:
            notes.append(f"{expression}: left out: {error}")
    seen = {name: _seen(fit) for name, fit in fits.items()}
    neutral = seen.pop("rest")
    return FittedExam(rest.template, neutral, seen, fits, tuple(notes))


def fit_scan(scan: FaceScan, rest: TemplateFit | None = None) -> TemplateFit:
    """The template laid on one scan: cleaned, landmarks found (those given by hand win), fitted."""
    from face3d.clean import clean
    from face3d.detect import detect_landmarks
    from face3d.fit import fit_template

    cleaned = clean(scan).scan
    found = detect_landmarks(cleaned)
    return fit_template(cleaned, found.landmarks, found.confidence, found.dense, rest)


def _seen(fit: TemplateFit) -> Floats:
    return np.where(fit.valid[:, None], fit.vertices_mm, np.nan)


def measure(exam: Exam, affected_side: str | None = None, step: Callable[[str], None] = lambda name: None) -> Measures:
    """All measures of an exam. `affected_side` "left", "right" or "none" overrides what the exam says; where neither
    says it, it is found by measuring."""
    return measure_fitted(exam, fit_exam(exam, step), affected_side)


def measure_fitted(exam: Exam, fitted: FittedExam, affected_side: str | None = None) -> Measures:
    """All measures of an exam whose scans are in correspondence already."""
    side = affected_side or exam.affected_side
    if side is not None and side not in AFFECTED:
        raise SchemaError(f"affected side {side!r}; expected one of {', '.join(AFFECTED)}")
    m = measure_vertices(fitted.rest, fitted.expressions, fitted.template, side, exam.subject, exam.visit)
    return Measures(**{**m.__dict__, "notes": (*fitted.notes, *m.notes)})


def measured(path: str | Path, affected_side: str | None = None) -> Measures:
    """Measures of what a path holds: an exam, which is measured now, or a result of `face3d exam`, which is read."""
    path = Path(path)
    stored = path / "result.json" if path.is_dir() else path
    if stored.name == "result.json" and stored.is_file():
        from face3d.exam_result import read_measures

        return read_measures(stored)
    from face3d.io.exam import read_exam

    return measure(read_exam(path), affected_side)
