"""What is measured of an exam, or of a scan, in a study: the same as `face3d exam` and `face3d analyze` measure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face3d.batch.item import Measured, Outcome, Task, run
from face3d.batch.sources import shown
from face3d.report.folder import MEASURES, REGIONS, RESULT
from face3d.visits import entity

if TYPE_CHECKING:
    from face3d.report.scan_result import DistancePart, Result


def work(task: Task) -> Outcome:
    """Measures an item and leaves its folder in the output; see `face3d.batch.item.run`."""
    return run(task, measured)


def measured(task: Task, path: Path, build: Path) -> Measured:
    """Measures an item: result.json and its rows, with `report` all that a command's --out writes. Raises what reading
    and measuring raise."""
    return _exam(task, path, build) if task.item.kind == "exam" else _scan(task, path, build)


def _exam(task: Task, path: Path, build: Path) -> Measured:
    from face3d.grading.examination import examine
    from face3d.io.exam import read_exam
    from face3d.report.exam_result import exam_result
    from face3d.report.exam_row import exam_row
    from face3d.report.outputs import write_exam

    exam = read_exam(path)
    subject, visit = task.item.fact("subject") or exam.subject, task.item.fact("visit") or exam.visit
    exam = exam.replace(subject=shown(subject), visit=None if visit is None else shown(visit))
    x = examine(exam, workers=1)
    row = exam_row(x)
    if not task.report:
        result = exam_result(x.measures, exam.grades, grade=x.grade, reported=exam.questionnaires)
        return Measured(row, {RESULT: result.to_json(), MEASURES: x.measures.table.to_csv(index=False)})
    from face3d.report.movement_pictures import movement_pictures

    drawn = lambda: movement_pictures(x.fitted.rest, x.measures.movements, x.fitted.template)  # noqa: E731
    write_exam(x.measures, build, exam.grades, drawn, x.grade, exam.questionnaires)
    return Measured(row)


def _scan(task: Task, path: Path, build: Path) -> Measured:
    from face3d.io import read_scan
    from face3d.measuring.analysis import analyze
    from face3d.report.outputs import write_outputs
    from face3d.report.scan_result import result_of

    item = task.item
    marks = item.fact("landmarks")
    # A manifest's names are below its folder; `path` is that folder with the item's name.
    base = path.parents[len(item.name.split("/")) - 1]
    scan = read_scan(path, item.fact("units") or "auto", None if marks is None else base / marks)
    scan = scan.replace(name=shown(scan.name))
    analysis = analyze(scan)
    result = write_outputs(analysis, build) if task.report else result_of(analysis)
    table = analysis.regions.copy()
    table.insert(0, "scan", shown(item.name))
    # Whole studies need the scan's path in each row: several are called face.ply.
    files = {REGIONS: table.to_csv(index=False)} | ({} if task.report else {RESULT: result.to_json()})
    return Measured(_scan_row(item.name, item.fact("subject"), item.fact("visit"), result), files)


def _scan_row(name: str, subject: str | None, visit: str | None, result: Result) -> dict[str, Any]:
    """A scan as one row: column -> value, None where unknown; millimetres."""
    place = Path(name)
    whole, through = _whole(result.surface_distance), _whole(result.asymmetry)
    return {
        "scan": shown(name),
        "subject": shown(subject or entity(place, "sub") or ""),
        "visit": shown(visit or entity(place, "ses") or ""),
        "vertices": result.scan.vertices,
        "faces": result.scan.faces,
        "surface_distance_rms_mm": whole,
        "asymmetry_rms_mm": through,
        "fit": result.fit.light if result.fit is not None else None,
        "fit_residual_mm": result.fit.residual_mm if result.fit is not None else None,
        "units_note": result.scan.units_note,
        "notes": "; ".join(result.notes),
    }


def _whole(part: DistancePart | None) -> float | None:
    if part is None:
        return None
    value = next((r.rms for r in part.regions if (r.definition, r.side) == ("face", "both")), None)
    return value if value is not None and math.isfinite(value) else None
