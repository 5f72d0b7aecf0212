"""What commands leave behind with --out: each file appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from face3d.errors import LandmarkError, OutputError, ScanError
from face3d.extras import extra_of, missing
from face3d.io.write import write_bytes
from face3d.report.scan_result import Result, result_of

if TYPE_CHECKING:
    from face3d.exam import Grades
    from face3d.grading.grades import Grade
    from face3d.learn.evaluation import Evaluation
    from face3d.learn.predictions import Predictions, Truth
    from face3d.measuring.analysis import Analysis
    from face3d.measuring.comparison import Comparison
    from face3d.measuring.exam_measures import Measures
    from face3d.report.compare_result import CompareResult
    from face3d.report.exam_result import ExamResult
    from face3d.report.pictures import Picture

RESULT, REGIONS, MESH, REPORT = "result.json", "regions.csv", "asymmetry.ply", "report.html"
MEASURES, CHANGES, THIRDS, EVALUATION = "measures.csv", "changes.csv", "thirds.csv", "evaluation.json"


def write_outputs(analysis: Analysis, folder: Path, step: Callable[[str], None] = lambda name: None) -> Result:
    """Write all four files into `folder`, made when it is not there; each appears whole or not at all.

    The PLY keeps the input's vertices in their order, in the canonical head frame, NaN where nothing was measured.
    `step` is called with the name of each part as it begins. Raises `OutputError` when the folder cannot be written.
    """
    from face3d.io import write_scan

    result = result_of(analysis)
    step("writing")
    properties = {
        "asymmetry_mm": analysis.asymmetry_mm,
        "surface_distance_mm": analysis.surface_distance_mm,
        "signed_surface_distance_mm": analysis.signed_surface_distance_mm,
    }
    with _filling(folder):
        write_scan(folder / MESH, analysis.scan.moved(analysis.head), properties)
    _write(folder, {RESULT: result.to_json(), REGIONS: analysis.regions.to_csv(index=False)})
    step("drawing the report")
    _write(folder, {REPORT: report_of(analysis, result)})
    return result


def report_of(analysis: Analysis, result: Result) -> str:
    """The report as HTML; without pictures, and saying why, where there is nothing to draw or to draw with."""
    from face3d.report.pictures import pictures_of
    from face3d.report.scan_page import page

    try:
        pictures = pictures_of(analysis)
    except LandmarkError as error:  # a point cloud too sparse to be drawn as a surface
        return page(result, no_pictures=str(error))
    except ModuleNotFoundError as error:
        if extra_of(error.name or "") is None:
            raise
        return page(result, no_pictures=str(missing(error.name or "")))
    return page(result, pictures)


def write_exam(
    m: Measures, folder: Path, clinician: Grades | None = None, pictures: Callable[[], list[Picture]] | None = None,
    grade: Grade | None = None,
) -> ExamResult:  # fmt: skip
    """Writes result.json, measures.csv, report.html and, where a side is affected, thirds.csv into `folder`, made when
    it is not there.

    `pictures` draws the movements for the report. Raises `OutputError` when the folder cannot be written.
    """
    from face3d.measuring.smile_thirds import outcome, outcome_table
    from face3d.report.exam_page import exam_page
    from face3d.report.exam_result import exam_result

    result = exam_result(m, clinician, grade=grade)
    maps: list[Picture] = []
    if pictures is not None:
        try:
            maps = pictures()
        except ModuleNotFoundError as error:  # drawing needs open3d; numbers don't
            if extra_of(error.name or "") is None:
                raise
    thirds = outcome(m)
    files = {RESULT: result.to_json(), MEASURES: m.table.to_csv(index=False), REPORT: exam_page(result, maps, thirds)}
    if thirds:
        files[THIRDS] = outcome_table(thirds).to_csv(index=False)
    _write(folder, files)
    return result


def write_comparison(c: Comparison, folder: Path) -> CompareResult:
    """Writes result.json and changes.csv into `folder`, made when it is not there. Raises `OutputError`."""
    from face3d.report.compare_result import compare_result

    result = compare_result(c)
    _write(folder, {RESULT: result.to_json(), CHANGES: c.table.to_csv(index=False)})
    return result


def write_evaluation(e: Evaluation, predicted: Predictions, truth: Truth, model: str, data: str, folder: Path) -> None:
    """Writes evaluation.json and report.html into `folder`. Raises `OutputError`."""
    from face3d.report.evaluation_page import evaluation_page

    name = {"shipped": "the shipped grader", "rules": "the rule-based estimate"}.get(model, model)
    _write(folder, {EVALUATION: e.to_json(), REPORT: evaluation_page(e, predicted, truth, name, data)})


def _write(folder: Path, files: dict[str, str]) -> None:
    with _filling(folder):
        for name, text in files.items():
            write_bytes(folder / name, text.encode())


@contextmanager
def _filling(folder: Path) -> Iterator[None]:
    """The folder made, and what cannot be written said with the way out."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}; give another folder with --out") from None
    try:
        yield
    except ScanError as error:
        raise OutputError(f"{error}; give another folder with --out") from None
