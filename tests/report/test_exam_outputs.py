"""What an exam leaves behind: files that agree with each other, follow their schemas, and never show a guess."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

from face3d.errors import OutputError, SchemaError
from face3d.exam import Grades
from face3d.measuring.comparison import compare
from face3d.measuring.exam_measures import measure_vertices
from face3d.measuring.examination import measure_fits
from face3d.measuring.ratios import BILATERAL, RATIOS
from face3d.measuring.scale_estimates import estimate_scales
from face3d.measuring.smile_thirds import outcome
from face3d.reference.questionnaires import Questionnaires
from face3d.reference.scales import Sunnybrook
from face3d.report.compare_result import CompareResult
from face3d.report.exam_result import ExamResult, exam_result
from face3d.report.outputs import write_comparison, write_exam
from face3d.report.reading import read_measures
from face3d.simulate.head import HeadModel
from face3d.template.identity import LEFT_OUT
from face3d.template.movement import movements
from palsy import face

MODEL = HeadModel.load()
SCHEMAS = Path(__file__).parents[2] / "data_schemas"


def visit(function: float, name: str):
    rest, moved = face(MODEL, np.random.default_rng(1), function, "left", synkinesis=0.3)
    return measure_vertices(rest, moved, MODEL, None, "p<1>", name)


def test_exam_files_agree(tmp_path: Path) -> None:
    m = visit(0.4, "pre")
    grades = Grades(house_brackmann=5, sunnybrook=Sunnybrook(1, 1, 0, (3, 4, 3, 2, 3)), rater="A")
    result = write_exam(m, tmp_path / "new" / "out", grades)
    stored = json.loads((tmp_path / "new" / "out" / "result.json").read_text())
    jsonschema.validate(stored, json.loads((SCHEMAS / "exam_result.schema.json").read_text()))
    table = pd.read_csv(tmp_path / "new" / "out" / "measures.csv")
    assert len(table) == len(stored["measures"]) == len(m.rows)
    smile = table.query("measure == 'commissure_excursion' and expression == 'open_smile' and side == 'left'")["value"]
    assert smile.item() == pytest.approx(m.value("commissure_excursion", "open_smile", "left"))
    page = (tmp_path / "new" / "out" / "report.html").read_text()
    assert "For research use only; not a medical device." in page
    assert "p&lt;1&gt;" in page
    assert re.search(r"<th>House-Brackmann, descriptive</th>.*<td>V</td></tr>", page)
    assert re.search(r"<th>Sunnybrook, 0 to 100</th>.*<td>50</td></tr>", page)
    for outside in ("http://", "https://", "<script"):
        assert outside not in page
    again = read_measures(tmp_path / "new" / "out")
    assert again.affected_side == m.affected_side
    assert again.synkinesis == pytest.approx(dict(m.synkinesis), nan_ok=True)
    assert [r.value for r in again.rows] == pytest.approx([r.value for r in m.rows], nan_ok=True)
    text = result.to_text()
    assert "House-Brackmann by movement IV" in text
    assert "not a clinician's grade" in text


def test_a_contradicted_side_is_said_first_and_never_graded(tmp_path: Path) -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.3, "left")
    m = measure_vertices(rest, moved, MODEL, "right", "p")
    text = write_exam(m, tmp_path).to_text()
    assert text.splitlines()[0].startswith("p: affected side right (given, AGAINST WHAT WAS MEASURED)")
    assert "House-Brackmann by movement I" not in text
    assert "no scale could be estimated" in text
    stored = json.loads((tmp_path / "result.json").read_text())
    jsonschema.validate(stored, json.loads((SCHEMAS / "exam_result.schema.json").read_text()))
    assert stored["affected_side_contradiction"] == m.contradiction != ""
    assert stored["notes"][0] == m.notes[0]
    assert stored["severity"] is None
    page = (tmp_path / "report.html").read_text()
    assert page.index(m.notes[0]) < page.index("Movement lost")
    assert "Side as given" not in page
    assert "thirds.csv" not in {f.name for f in tmp_path.iterdir()}
    again = read_measures(tmp_path)
    assert again.contradiction == m.contradiction
    assert estimate_scales(again).house_brackmann is None
    # a stored "none" as well, whose function is known
    none = measure_vertices(rest, moved, MODEL, "none", "q")
    write_exam(none, tmp_path / "none")
    assert estimate_scales(read_measures(tmp_path / "none")).house_brackmann is None


def test_another_persons_scan_is_said_at_the_top_of_the_page(tmp_path: Path) -> None:
    said = f"snarl: {LEFT_OUT}: snarl.ply: not the person of the rest scan"
    write_exam(replace(visit(0.4, "pre"), notes=("a plain note", said)), tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert page.count(said) == 2
    assert page.index(said) < page.index("Movement lost") < page.index("a plain note")


def test_what_was_not_measured_is_null_with_a_reason(tmp_path: Path) -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.4)
    rest = rest.copy()
    rest[MODEL.regions["brow_left"] > 0] = np.nan
    m = measure_vertices(rest, {"brow_raise": moved["brow_raise"]}, MODEL, "left", "p")
    result = write_exam(m, tmp_path)
    text = (tmp_path / "result.json").read_text()
    assert "NaN" not in text
    stored = json.loads(text)
    assert stored["estimates"]["house_brackmann"] is None
    assert stored["region_function"]["brow"] is None
    assert any("House-Brackmann" in reason for reason in stored["estimates"]["missing"])
    assert all((row["value"] is None) == (row["status"] != "ok") for row in stored["measures"])
    assert "no scale could be estimated" in result.to_text()


def test_a_report_prints_no_number_that_was_not_measured(tmp_path: Path) -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.4)
    for hidden in (MODEL.vertices[:, 1] > 10, MODEL.vertices[:, 1] < -60, MODEL.vertices[:, 0] > 20):
        seen = {e: np.where(hidden[:, None], np.nan, v) for e, v in moved.items()}
        m = measure_fits(rest, movements(rest, seen, MODEL)[0], MODEL, "left", "p")
        thirds = outcome(m)
        assert any(not math.isfinite(t.treated + t.healthy) for t in thirds)
        write_exam(m, tmp_path)
        page = (tmp_path / "report.html").read_text()
        assert not re.findall(r">[^<>]*\b(?:nan|None|inf)\b[^<>]*<", page)
        assert "not measured" in page
    assert not re.search(r"\bnan\b", exam_result(m).to_text())


def test_comparison_files(tmp_path: Path) -> None:
    result = write_comparison(compare(visit(0.3, "pre"), visit(0.8, "post")), tmp_path)
    stored = json.loads((tmp_path / "result.json").read_text())
    jsonschema.validate(stored, json.loads((SCHEMAS / "compare_result.schema.json").read_text()))
    assert len(pd.read_csv(tmp_path / "changes.csv")) == len(stored["changes"])
    assert "p<1>: pre to post" in result.to_text()


def test_no_other_file_is_taken_for_a_result(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"subject": "p"}')
    with pytest.raises(SchemaError, match=r"result\.json.*not a result"):
        read_measures(tmp_path)
    with pytest.raises(SchemaError, match="gone"):
        read_measures(tmp_path / "gone")


def test_schemas_on_disk_are_the_models() -> None:
    for name, model in (("exam_result", ExamResult), ("compare_result", CompareResult)):
        stored = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
        assert stored == model.model_json_schema(mode="serialization")


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="out"):
        write_exam(visit(0.5, "v"), tmp_path / "out")


def test_where_both_sides_are_affected_neither_is_the_measure_of_the_other(tmp_path: Path) -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.3, "left")
    one = measure_vertices(rest, moved, MODEL, "left", "p", "pre")
    both = measure_vertices(rest, moved, MODEL, "both", "p", "pre")
    result = write_exam(both, tmp_path)
    stored = json.loads((tmp_path / "result.json").read_text())
    jsonschema.validate(stored, json.loads((SCHEMAS / "exam_result.schema.json").read_text()))
    assert (stored["affected_side"], stored["severity"]) == ("both", None)
    assert set(stored["region_function"].values()) == {None}
    estimates = stored["estimates"]
    assert [estimates[k] for k in ("house_brackmann", "house_points", "house_brackmann_descriptive")] == [None] * 3
    assert (estimates["sunnybrook"], estimates["fngs2"]) == (None, None)
    assert set(estimates["eface_like"].values()) == {None}
    assert "both sides are affected" in estimates["missing"][0]
    divided = {f"{name}_ratio" for name in RATIOS}
    compared = [r for r in both.rows if r.measure in ("function", "severity", "synkinesis") or r.measure in divided]
    assert len(compared) > 20
    for r in compared:
        assert np.isnan(r.value)
        assert r.status == BILATERAL
    # What each side does by itself is the same, whoever is ill.
    alone = {(r.measure, r.expression, r.region, r.side): r.value for r in one.rows if r not in compared}
    same = [r for r in both.rows if r.side != "both" and r.measure not in ("synkinesis", "overaction")]
    assert len(same) > 100
    for r in same:
        assert r.value == pytest.approx(alone[r.measure, r.expression, r.region, r.side], nan_ok=True)
    text = result.to_text()
    assert "both sides affected (given)" in text
    assert "House-Brackmann by movement I" not in text
    page = (tmp_path / "report.html").read_text()
    assert BILATERAL in page
    assert "no healthy side" in page
    assert "Neither side is affected" not in page
    again = read_measures(tmp_path)
    assert again.affected_side == "both"
    later = compare(again, measure_vertices(rest, moved, MODEL, "both", "p", "post"))
    assert "both sides affected, no ratios" in write_comparison(later, tmp_path / "c").to_text()
    assert later.change("commissure_excursion", "open_smile", "left").change == pytest.approx(0.0)
    assert later.change("commissure_excursion_ratio", "open_smile").status == BILATERAL


def test_both_house_brackmann_grades_stand_under_their_names(tmp_path: Path) -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.85, "left", synkinesis=0.5)
    m = measure_vertices(rest, moved | {"tight_eye_closure": moved["gentle_eye_closure"]}, MODEL, "left", "p", "pre")
    result = write_exam(m, tmp_path, Grades(house_brackmann=4), reported=Questionnaires(saq=44, face_total=61))
    e = result.estimates
    assert e.house_brackmann is not None and e.house_brackmann_descriptive is not None
    assert e.house_brackmann < e.house_brackmann_descriptive  # synkinesis counts in the one alone
    text = result.to_text()
    assert "House-Brackmann by movement II" in text and "descriptive IV" in text
    page = (tmp_path / "report.html").read_text()
    rows = dict(re.findall(r"<th>(House-Brackmann[^<]*)</th>(.*?)</tr>", page))
    assert rows["House-Brackmann by movement"].count("<td>IV</td>") == 0
    # a clinician's grade is the table's
    assert rows["House-Brackmann, descriptive"].count("<td>IV</td>") == 2
    assert "SAQ" in page or "saq" in page
    stored = json.loads((tmp_path / "result.json").read_text())
    jsonschema.validate(stored, json.loads((SCHEMAS / "exam_result.schema.json").read_text()))
    assert stored["questionnaires"]["saq"] == 44
    assert stored["estimates"]["sunnybrook"]["composite"] is None
    low, high = stored["estimates"]["sunnybrook"]["composite_range"]
    assert high - low == 10 and f"Sunnybrook {low} to {high}" in text


def test_results_of_former_versions_are_still_read(tmp_path: Path) -> None:
    write_exam(visit(0.4, "pre"), tmp_path)
    stored = json.loads((tmp_path / "result.json").read_text())
    e = stored["estimates"]
    e["house_brackmann_regional"] = e.pop("house_brackmann_descriptive")
    for new in ("house_points_absolute", "signs", "stennert"):
        del e[new]
    for new in ("pattern", "questionnaires"):
        del stored[new]
    (tmp_path / "result.json").write_text(json.dumps(stored))
    assert read_measures(tmp_path).subject == "p<1>"
