"""Visits that a path holds: an exam, which is measured now, or a result of `face3d exam`, which is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from face3d.errors import SchemaError
from face3d.measuring.definitions import Measure
from face3d.measuring.exam_measures import Measures
from face3d.report.exam_result import ExamResult, examined_result
from face3d.report.faces import Faces, read_faces
from face3d.report.folder import FACES, RESULT
from face3d.scan import FaceScan, Floats
from face3d.values import Value


@dataclass(frozen=True, eq=False, repr=False)
class Visit(Value):
    """One visit of one person: what was `measured`, the `result` with its grades, and the `faces` to look at, None
    where the folder keeps none."""

    measured: Measures
    result: ExamResult
    faces: Faces | None = None


def read_visit(path: str | Path, affected_side: str | None = None) -> Visit:
    """The visit that a path holds. Raises `SchemaError`, and what `examine` raises of an exam."""
    path = Path(path)
    stored = path / RESULT if path.is_dir() else path
    if stored.name == RESULT and stored.is_file():
        result, faces = _read(stored), stored.parent / FACES
        return Visit(_measures(result), result, read_faces(faces) if faces.is_file() else None)
    from face3d.grading.examination import examine
    from face3d.io.exam import read_exam

    x = examine(read_exam(path), affected_side)
    return Visit(x.measures, examined_result(x), Faces.of(x))


def read_map(file: Path) -> tuple[FaceScan, dict[str, Floats]]:
    """The scan of an asymmetry.ply that face3d wrote, mm, in the canonical head frame, and name -> (V,) what it carries
    at each vertex. Raises `ScanError`."""
    from face3d.io.ply_header import read_header
    from face3d.io.ply_records import read_records
    from face3d.io.read import read_scan

    scan, data = read_scan(file, units="mm"), file.read_bytes()
    order, elements, _, body = read_header(str(file), data)
    columns = read_records(str(file), data, body, order, elements, [])["vertex"]
    return scan, {name: values for name, values in columns.items() if name.endswith("_mm")}


def read_measures(path: str | Path) -> Measures:
    """The measures of an exam that `face3d exam --out` wrote: its folder or result.json. Raises `SchemaError`."""
    path = Path(path)
    return _measures(_read(path / RESULT if path.is_dir() else path))


def _read(file: Path) -> ExamResult:
    try:
        return ExamResult.model_validate_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SchemaError(f"{file}: {error.strerror}; give an exam, or a result of `face3d exam`") from None
    except ValueError as error:
        first = " ".join(str(error).split())[:200]
        raise SchemaError(f"{file}: not a result of `face3d exam` ({first})") from None


def _measures(stored: ExamResult) -> Measures:
    rows = tuple(
        Measure(
            p.measure, p.expression, p.region, p.side, _nan(p.value), p.unit, _nan(p.uncertainty), p.status, p.source
        )
        for p in stored.measures
    )
    unasked = {
        (r.expression, r.region): r.value for r in rows if r.measure == "synkinesis" and r.side == stored.affected_side
    }
    return Measures(
        stored.subject,
        stored.visit,
        rows,
        stored.affected_side,
        stored.affected_side_source,
        {k: _nan(v) for k, v in stored.region_function.items()},
        unasked,
        notes=tuple(stored.notes),
        contradiction=stored.affected_side_contradiction,
        identity={k: _nan(v) for k, v in stored.identity.items()},
    )


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
