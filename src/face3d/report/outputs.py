"""What commands leave behind with --out: all files of one result, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from face3d.errors import LandmarkError, MissingExtraError
from face3d.extras import extra_of, missing
from face3d.io.write import write_bytes
from face3d.report.folder import (
    CHANGES,
    EVALUATION,
    FACES,
    MEASURES,
    MESH,
    REGIONS,
    REPORT,
    RESULT,
    THIRDS,
    Thing,
    compared,
    examined,
    filled,
    free_for,
)
from face3d.report.scan_result import Result, result_of

if TYPE_CHECKING:
    import pandas as pd

    from face3d.exam import Grades
    from face3d.grading.examination import Examination
    from face3d.grading.explanation import Explanation
    from face3d.grading.grades import Grade
    from face3d.learn.evaluation import Evaluation
    from face3d.learn.predictions import Predictions, Truth
    from face3d.measuring.analysis import Analysis
    from face3d.measuring.comparison import Comparison
    from face3d.measuring.exam_measures import Measures
    from face3d.reference.questionnaires import Questionnaires
    from face3d.report.compare_result import CompareResult
    from face3d.report.exam_result import ExamResult
    from face3d.report.pictures import Picture
    from face3d.report.reading import Visit
    from face3d.sequence.kinematics import Kinematics


def write_outputs(analysis: Analysis, folder: Path, step: Callable[[str], None] = lambda name: None) -> Result:
    """Write all four files into `folder`, made when it is not there; they appear whole or not at all.

    The PLY keeps the input's vertices in their order, in the canonical head frame, NaN where nothing was measured.
    `step` is called with the name of each part as it begins. Raises `OutputError` when the folder cannot be written, or
    holds the result of another scan.
    """
    from face3d.io import write_scan

    thing = Thing("scan", analysis.scan.name)
    free_for(folder, thing)
    result = result_of(analysis)
    step("drawing the report")
    page = report_of(analysis, result)
    step("writing")
    table = _table(analysis.regions, thing.name)
    with filled(folder, thing) as aside:
        write_scan(aside / MESH, analysis.scan.moved(analysis.head), analysis.vertex_results)
        _write(aside, {RESULT: result.to_json(), REGIONS: table, REPORT: page})
    return result


def report_of(analysis: Analysis, result: Result) -> str:
    """The report as HTML; without pictures, and saying why, where there is nothing to draw or to draw with."""
    from face3d.report.pictures import Drawn, pictures_of
    from face3d.report.scan_page import page
    from face3d.report.scenes import scan_scene

    try:
        drawn = Drawn.of(analysis)
        pictures = pictures_of(analysis, drawn)
    except LandmarkError as error:  # a point cloud too sparse to be drawn as a surface
        return page(result, no_pictures=str(error))
    except ModuleNotFoundError as error:
        if extra_of(error.name or "") is None:
            raise
        return page(result, no_pictures=str(missing(error.name or "")))
    return page(result, pictures, scene=scan_scene(analysis, drawn))


def write_examined(x: Examination, folder: Path) -> ExamResult:
    """Writes all files of an examination, pictures of its movements included, as `write_exam` does."""
    from face3d.report.movement_pictures import movement_pictures

    def drawn() -> list[Picture]:
        return movement_pictures(x.fitted.rest, x.measures.movements, x.fitted.template)

    return write_exam(x.measures, folder, x.exam.grades, drawn, x.grade, x.exam.questionnaires, x.kinematics, x)


def write_exam(
    m: Measures,
    folder: Path,
    clinician: Grades | None = None,
    pictures: Callable[[], list[Picture]] | None = None,
    grade: Grade | None = None,
    reported: Questionnaires | None = None,
    kinematics: Mapping[str, Kinematics] | None = None,
    x: Examination | None = None,
) -> ExamResult:
    """Writes result.json, measures.csv, report.html and, where a side is affected, thirds.csv into `folder`, made when
    it is not there.

    `pictures` draws the movements for the report. `x`: the examination behind the measures; then the report can be
    turned by hand, and faces.npz lies beside it for comparing visits. Raises `OutputError` when the folder cannot be
    written, or holds the result of another exam.
    """
    from face3d.measuring.smile_thirds import outcome, outcome_table
    from face3d.report.exam_page import exam_page
    from face3d.report.exam_result import exam_result
    from face3d.report.faces import Faces
    from face3d.report.movement_pictures import landmark_pictures
    from face3d.report.pictures import drawn
    from face3d.report.scenes import exam_scene

    exam, quality = (None, None) if x is None else (x.exam, x.fitted.quality)
    result = exam_result(m, clinician, None, grade, reported, kinematics, exam, quality)
    faces = None if x is None else Faces.of(x)
    maps = [] if pictures is None else drawn(pictures)
    thirds = outcome(m)
    why = None if x is None else _explained(x)
    scene = None if faces is None else exam_scene(faces, why)
    marks = drawn(lambda: [] if scene is None else landmark_pictures(scene))
    page = exam_page(result, maps, thirds, kinematics, scene, why, marks)
    files: dict[str, str | bytes] = {RESULT: result.to_json(), MEASURES: m.table.to_csv(index=False), REPORT: page}
    if thirds:
        files[THIRDS] = _table(outcome_table(thirds), m.subject, m.visit)
    if faces is not None:
        files[FACES] = faces.to_bytes()
    with filled(folder, Thing("exam", examined(m.subject, m.visit))) as aside:
        _write(aside, files)
    return result


def _explained(x: Examination) -> Explanation | None:
    """Why the grade is what it is; None where there is none to be believed, or nothing to explain it with."""
    if x.grade is None or x.grade.abstained or x.measures.contradiction:
        return None
    try:
        return x.explain()
    except MissingExtraError:
        return None


def write_comparison(c: Comparison, folder: Path, visits: Sequence[Visit] = ()) -> CompareResult:
    """Writes result.json, changes.csv and report.html into `folder`, made when it is not there. `visits`: those that
    were compared, for their grades and their faces. Raises `OutputError` when it cannot be written, or holds another
    result."""
    from face3d.report.compare_page import compare_page
    from face3d.report.compare_result import compare_result
    from face3d.report.movement_pictures import change_pictures
    from face3d.report.pictures import drawn
    from face3d.report.scenes import compare_scene

    result = compare_result(c, [v.result for v in visits])
    first, last = (visits[0].faces, visits[-1].faces) if visits else (None, None)
    scene = compare_scene(first, last, (c.baseline, c.visits[-1])) if first and last else None
    page = compare_page(result, scene, drawn(lambda: [] if scene is None else change_pictures(scene)))
    files = {RESULT: result.to_json(), CHANGES: c.table.to_csv(index=False), REPORT: page}
    with filled(folder, Thing("comparison", compared(c.subject, c.baseline, c.visits))) as aside:
        _write(aside, files)
    return result


def write_evaluation(e: Evaluation, predicted: Predictions, truth: Truth, model: str, data: str, folder: Path) -> None:
    """Writes evaluation.json and report.html into `folder`. Raises `OutputError`."""
    from face3d.report.evaluation_page import evaluation_page

    name = {"shipped": "the shipped grader", "rules": "the rule-based estimate"}.get(model, model)
    with filled(folder, Thing("evaluation", "")) as aside:
        _write(aside, {EVALUATION: e.to_json(), REPORT: evaluation_page(e, predicted, truth, name, data)})


def _write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        write_bytes(folder / name, content.encode() if isinstance(content, str) else content)


def _table(table: pd.DataFrame, subject: str, visit: str | None = None) -> str:
    """As CSV, with whose it is before everything else."""
    table = table.copy()
    table.insert(0, "subject", subject)
    table.insert(1, "visit", visit or "")
    return table.to_csv(index=False)
