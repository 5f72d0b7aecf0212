"""The face of an exam in each of its expressions, as pages draw it, and as it is kept beside a result: two visits can
then be looked at beside each other without measuring them again."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from face3d.errors import SchemaError
from face3d.report.viewer import Source
from face3d.scan import Floats
from face3d.template.anatomy import Anatomy
from face3d.values import Value

if TYPE_CHECKING:
    from face3d.grading.examination import Examination

#: mm: what a stored coordinate is rounded to; a scan's own noise is ten times as large.
_STEP = 0.01


@dataclass(frozen=True, eq=False, repr=False)
class Faces(Value):
    """`rest` (N, 3) mm in its canonical head frame, and of each expression the `displacements` (N, 3) from it, head
    motion removed; NaN where the scans show nothing; in the vertex order of `template`. `marks` expression, or "rest",
    -> the landmarks (3,) that were found on its scan, laid on the face at rest as the displacements are; `sources` the
    same -> its scan, where the exam has just been measured and was not recorded in time."""

    template: Anatomy
    rest: Floats
    displacements: Mapping[str, Floats]
    marks: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)

    @classmethod
    def of(cls, x: Examination) -> Faces:
        """Those of an exam as it was measured."""
        found, moves = x.fitted.marks, x.fitted.movements
        marks = {e: {k: m.to_rest.apply(p) for k, p in found[e].items()} for e, m in moves.items()}
        displacements = {e: m.displacement for e, m in moves.items()}
        to_page = {"rest": x.fitted.fits["rest"].to_head}
        to_page |= {e: m.to_rest * x.fitted.fits[e].to_head for e, m in moves.items()}
        sources = {
            e: Source(x.fitted.seen[e].surfels.name, way.inv(), _given(x.fitted.seen[e].found.confidence))
            for e, way in to_page.items()
            if e in x.exam.scans
        }
        return cls(x.fitted.template, x.fitted.rest, displacements, {"rest": found["rest"], **marks}, sources)

    def whole(self, expression: str) -> tuple[Floats, Floats | None]:
        """The face (N, 3) in an expression, without holes, and its displacement, None at rest. What was not seen is
        drawn where it lies at rest, and what was not seen there either where the template has it: a hole would look
        like a wound."""
        rest = filled(self.rest, self.template.vertices)
        if expression == "rest":
            return rest, None
        moved = self.displacements[expression]
        return filled(rest + moved, rest), moved

    def to_bytes(self) -> bytes:
        """The content of faces.npz: hundredths of a millimetre, the least number where nothing was seen."""
        file = io.BytesIO()
        arrays: dict[str, Any] = {"rest": _whole(self.rest)}
        arrays |= {f"displacement_{e}": _whole(d) for e, d in self.displacements.items()}
        for e, marks in self.marks.items():
            arrays[f"names_{e}"] = np.array(list(marks))
            arrays[f"marks_{e}"] = _whole(np.array(list(marks.values())).reshape(-1, 3))
        np.savez_compressed(file, **arrays)
        return file.getvalue()


def _given(confidence: Mapping[str, float]) -> tuple[str, ...]:
    """Those placed by hand: nothing that was found is believed wholly."""
    return tuple(name for name, share in confidence.items() if share == 1.0)


def read_faces(path: Path) -> Faces:
    """What `Faces.to_bytes` wrote. Raises `SchemaError` for anything else, or of another template."""
    from face3d.template.template import FaceTemplate

    template = FaceTemplate.load()
    moved, marks = {}, {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            rest = _mm(stored["rest"])
            for name in stored.files:
                kind, _, e = name.partition("_")
                if kind == "displacement":
                    moved[e] = _mm(stored[name])
                elif kind == "marks":
                    marks[e] = dict(zip(stored[f"names_{e}"].tolist(), _mm(stored[name]), strict=True))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise SchemaError(f"{path}: not the faces of a result ({error}); measure the exam again") from None
    wrong = next((a.shape for a in (rest, *moved.values()) if a.shape != template.vertices.shape), None)
    if wrong is not None:
        raise SchemaError(
            f"{path}: of another template ({wrong}, this version has {template.vertices.shape}); measure the exam again"
        )
    return Faces(template, rest, moved, marks)


def filled(points: Floats, otherwise: Floats) -> Floats:
    """(N, 3) `points`, and those of `otherwise` where one is NaN."""
    points = np.asarray(points, np.float64)
    return np.where(np.asarray(np.isfinite(points).all(axis=1))[:, None], points, otherwise)


_UNSEEN = np.iinfo(np.int16).min


def _whole(points: Floats) -> np.ndarray:
    steps = np.rint(np.nan_to_num(points) / _STEP)
    limit = np.iinfo(np.int16).max
    return np.where(np.isfinite(points), np.clip(steps, -limit, limit), _UNSEEN).astype(np.int16)


def _mm(steps: np.ndarray) -> Floats:
    return np.where(steps == _UNSEEN, np.nan, steps * _STEP)
