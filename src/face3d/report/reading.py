"""Measures of what a path holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from face3d.measuring.exam_measures import Measures
from face3d.report.exam_result import ExamResult

if TYPE_CHECKING:
    pass
import math
from typing import TYPE_CHECKING

from face3d.errors import SchemaError
from face3d.measuring.definitions import Measure


def measured(path: str | Path, affected_side: str | None = None) -> Measures:
    """Measures of what a path holds: an exam, which is measured now, or a result of `face3d exam`, which is read."""
    path = Path(path)
    stored = path / "result.json" if path.is_dir() else path
    if stored.name == "result.json" and stored.is_file():
        return read_measures(stored)
    from face3d.io.exam import read_exam
    from face3d.measuring.examination import measure

    return measure(read_exam(path), affected_side)


def read_measures(path: str | Path) -> Measures:
    """The measures of an exam that `face3d exam --out` wrote: its folder or result.json. Raises `SchemaError`."""
    path = Path(path)
    file = path / "result.json" if path.is_dir() else path
    try:
        stored = ExamResult.model_validate_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SchemaError(f"{file}: {error.strerror}; give an exam, or a result of `face3d exam`") from None
    except ValueError as error:
        first = " ".join(str(error).split())[:200]
        raise SchemaError(f"{file}: not a result of `face3d exam` ({first})") from None
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
