"""What is measured of an exam, a scan or a recording in a study: the same as `face3d exam`, `face3d analyze` and
`face3d sequence` measure."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face3d.batch.item import Item, Measured, Outcome, Task, run
from face3d.batch.sources import shown
from face3d.report.folder import KINEMATICS, MEASURES, REGIONS, RESULT, SUMMARY
from face3d.visits import entity, named_by

if TYPE_CHECKING:
    from face3d.report.scan_result import DistancePart, Result


def work(task: Task) -> Outcome:
    """Measures an item and leaves its folder in the output; see `face3d.batch.item.run`."""
    return run(task, measured)


def measured(task: Task, path: Path, build: Path) -> Measured:
    """Measures an item: result.json and its rows, with `report` all that a command's --out writes. Raises what reading
    and measuring raise."""
    return {"exam": _exam, "scan": _scan, "recording": _recording}[task.item.kind](task, path, build)


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
    scan = read_scan(path, item.fact("units") or "auto", None if marks is None else _folder_of(item, path) / marks)
    scan = scan.replace(name=shown(scan.name))
    analysis = analyze(scan)
    result = write_outputs(analysis, build) if task.report else result_of(analysis)
    table = analysis.regions.copy()
    table.insert(0, "scan", shown(item.name))
    # Whole studies need the scan's path in each row: several are called face.ply.
    files = {REGIONS: table.to_csv(index=False)} | ({} if task.report else {RESULT: result.to_json()})
    return Measured(_scan_row(item.name, item.fact("subject"), item.fact("visit"), result), files)


def _recording(task: Task, path: Path, build: Path) -> Measured:
    from face3d.grading.recorded import kinematics
    from face3d.io import read_scan
    from face3d.io.recordings import read_movement
    from face3d.io.sequence import Sequence
    from face3d.report.sequence_outputs import kinematics_csv, known_anomaly, known_grade, write_sequence
    from face3d.report.sequence_result import sequence_result
    from face3d.sequence.stored import stored_tracking
    from face3d.sequence.track import track

    item = task.item
    base, units, fps = _folder_of(item, path), item.fact("units") or "auto", item.fact("fps")
    at = {name: base / told for name in ("base", "rest") if (told := item.fact(name)) is not None}
    seen = read_movement(path, None if fps is None else float(fps), units, at.get("base"))
    # Where a worker had the recording differs from run to run; its name in the study does not.
    notes = tuple(shown(n.replace(str(path), item.name)) for n in seen.notes)
    seen, tracked = replace(seen, name=shown(item.name), notes=notes), None
    if isinstance(seen, Sequence):
        rest = read_scan(at["rest"], units) if "rest" in at else None
        # As `face3d sequence` does, so that memory stays flat. The parts lie in the run's own folder and go with it.
        parts = Path(tempfile.mkdtemp())
        seen = tracked = stored_tracking(parts, track(seen, rest), {"item": shown(item.name)})
    k = kinematics(seen, item.fact("expression"))
    if task.report:
        result, files = write_sequence(k, build, tracked), {}
    else:
        result = sequence_result(k, tracked, None if tracked is None else known_grade(tracked, k))
        files = {SUMMARY: result.to_json()}
    subject, visit = _whose(item)
    unlike = known_anomaly(k)
    table = k.table.rename(columns={"place": "region"})
    for column, value in (("visit", visit), ("subject", subject), ("recording", shown(item.name))):
        table.insert(0, column, value)
    row = {
        "recording": shown(item.name),
        "subject": subject,
        "visit": visit,
        "fps": result.fps,
        "frames": result.frames,
        "seconds": result.seconds,
        "lost_frames": result.lost_frames,
        "movements": len(result.movements),
        "expressions": " ".join(dict.fromkeys(m.expression for m in result.movements if m.expression)),
        "blinks": len(result.blinks),
        "anomaly": None if unlike is None else unlike.total,
        "network_house_brackmann_by_movement": None if result.grade is None else result.grade.house_brackmann,
        "network_severity": None if result.grade is None else result.grade.severity,
        "network_side": None if result.grade is None else result.grade.side,
        "network_abstained": None if result.grade is None else result.grade.abstained,
        "tracking_residual_mm": None if result.tracking is None else result.tracking.residual_mm,
        "tracking_drift_mm": None if result.tracking is None else _known(result.tracking.drift_mm),
        "notes": "; ".join(result.notes),
    }
    return Measured(row, files | {KINEMATICS: kinematics_csv(table)})


def _folder_of(item: Item, path: Path) -> Path:
    """The folder that a manifest's names are below, where `path` is the item's own."""
    return path.parents[len(item.name.split("/")) - 1]


def _whose(item: Item) -> tuple[str, str]:
    """Subject and visit of a recording: the manifest's, else those that its folders tell; "" where nothing does."""
    place = Path("/", item.name)
    subject, visit = entity(place, "sub"), entity(place, "ses")
    if subject is None and visit is None and len(place.parts) > 2:
        subject, visit = named_by(place.parent)
    return shown(item.fact("subject") or subject or ""), shown(item.fact("visit") or visit or "")


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


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
    return _known(value)
