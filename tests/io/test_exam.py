"""Exams: manifests, folders named by expression, studies; and that every fault names its field."""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from face3d.errors import ScanError, SchemaError
from face3d.exam import EXPRESSIONS, Exam, Grades
from face3d.io.exam import ExamManifest, expression_of, find_exams, read_exam, reading, refusal
from face3d.io.scan_file import ScanFile
from face3d.scan import FaceScan

SCHEMA = Path(__file__).parents[2] / "data_schemas" / "exam.schema.json"


def folder_with(tmp_path: Path, manifest: dict | None, *files: str) -> Path:
    tmp_path.mkdir(parents=True, exist_ok=True)
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"ply\n")
    if manifest is not None:
        (tmp_path / "exam.json").write_text(json.dumps(manifest))
    return tmp_path


def test_smallest_form(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {"subject": "p017", "units": "mm", "scans": {"rest": "rest.ply"}}, "rest.ply")
    for path in (folder, str(folder), folder / "exam.json"):
        exam = read_exam(path)
        assert exam.subject == exam.name == "p017"
        assert exam.scans["rest"] == ScanFile(folder / "rest.ply", "mm")
        assert exam.expressions == ("rest",)
        assert exam.affected_side is exam.grades is None


def test_full_form_keeps_everything_and_orders_expressions(tmp_path: Path) -> None:
    manifest = {
        "subject": "p1",
        "visit": "post",
        "date": "2024-05-06",
        "units": "cm",
        "affected_side": "left",
        "device": "3dMD",
        "scans": {"open_smile": {"path": "s.ply", "units": "m", "landmarks": "s.csv"}, "rest": "r.ply", "snarl": None},
        "landmarks": {"rest": "r.csv"},
        "sequences": {"open_smile": {"path": "frames", "fps": 60}},
        "grades": {
            "house_brackmann": 4,
            "rater": "A",
            "sunnybrook": {"eye": 1, "nasolabial": 1, "mouth": 0, "voluntary": [3, 4, 3, 2, 3]},
            "eface": {"brow_raise": 60},
        },
        "clinical": {"age_years": 44.0, "cause": "Bell"},
        "questionnaires": {"face_total": 58.3, "saq": 44},
        "ward": "B2",
    }
    folder = folder_with(tmp_path, manifest, "s.ply", "s.csv", "r.ply", "r.csv", "frames/0.ply")
    exam = read_exam(folder)
    assert exam.expressions == ("rest", "open_smile")
    assert exam.name == "p1/post"
    assert exam.scans["open_smile"] == ScanFile(folder / "s.ply", "m", folder / "s.csv")
    assert exam.scans["rest"] == ScanFile(folder / "r.ply", "cm", folder / "r.csv")
    assert exam.sequences["open_smile"].fps == 60  # type: ignore[attr-defined]
    assert exam.grades is not None
    assert exam.grades.sunnybrook is not None
    assert (exam.grades.house_brackmann, exam.grades.sunnybrook.composite) == (4, 50)
    assert exam.grades.eface is not None
    assert exam.grades.eface.brow_raise == 60
    assert exam.clinical["cause"] == "Bell"
    assert exam.questionnaires is not None
    assert (exam.questionnaires.face_total, exam.questionnaires.fdi_social) == (58.3, None)
    assert str(exam.date) == "2024-05-06"
    assert any("ward" in note for note in exam.notes)
    assert pickle.loads(pickle.dumps(exam)).scans == exam.scans


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"subject": None}, "subject"),
        ({"scans": {"open_smile": "rest.ply"}}, "scans.rest"),
        ({"scans": {"rest": "rest.ply", "brow_rise": "rest.ply"}}, "brow_rise.*brow_raise"),
        ({"scans": {"rest": "gone.ply"}}, "scans.rest.*does not exist"),
        ({"scans": {"rest": "../rest.ply"}}, "scans.rest.*outside"),
        ({"scans": {"rest": 7}}, "scans.rest"),
        ({"scans": {"rest": {"path": "rest.ply", "landmark": "x"}}}, "scans.rest.landmark"),
        ({"units": "inch"}, "units"),
        ({"affected_side": "Left side"}, "affected_side"),
        ({"date": "yesterday"}, "date"),
        ({"grades": {"house_brackmann": 7}}, "grades.house_brackmann"),
        ({"grades": {"sunnybrook": {"eye": 3, "nasolabial": 0, "mouth": 0, "voluntary": [5] * 5}}}, "sunnybrook.*eye"),
        ({"grades": {"eface": {"brow": 3}}}, "grades.eface.*brow"),
        ({"sequences": {"open_smile": {"path": "rest.ply", "fps": -1}}}, "sequences.open_smile.fps"),
        ({"landmarks": {"rest": "no.csv"}}, "landmarks.rest"),
        ({"scans": {"rest": "Rest.PLY"}}, "scans.rest.*does not exist.*'rest.ply'"),
        ({"scans": {"rest": "a\0b"}}, "scans.rest.*name of a file"),
        ({"scans": {"rest": "rest.ply", "open_smyle": "rest.ply"}}, "open_smyle.*did you mean 'open_smile'"),
        ({"scans": {"rest": "rest.ply", "close_smile": "rest.ply"}}, "close_smile.*did you mean 'closed_smile'"),
        ({"scans": {"rest": "rest.ply", "hop": "rest.ply"}}, "hop.*known are rest, brow_raise"),
        ({"subject": 17}, "subject: expected text in quotes, got 17"),
        ({"clinical": {"age_years": "thirty"}}, 'age_years is "thirty"; expected a number of years'),
        ({"questionnaires": {"saq": 10}}, "questionnaires.*saq = 10.0; expected a score from 20 to 100"),
        ({"questionnaires": {"sf36": 10}}, "questionnaires.*sf36"),
        ({"clinical": {"age": "18 months"}}, "age is .*a number of years"),
        ({"clinical": {"age_years": -3}}, "age_years is -3; expected a number of years, 0 to 120"),
        ({"clinical": {"age_years": True}}, "a number of years"),
        ({"grades": {"house_brackmann": "VII"}}, 'grades.house_brackmann: "VII" is no .* I to VI, or 1 to 6'),
        ({"grades": {"house_brackmann": 0}}, "0 is no House-Brackmann grade"),
        ({"grades": {"house_brackmann": "III-IV"}}, "is no House-Brackmann grade"),
        ({"grades": {"house_brackmann": True}}, "is no House-Brackmann grade"),
        ({"grades": {"house_brackmann": 3.5}}, "is no House-Brackmann grade"),
        ({"date": "31.12.2024"}, 'date: "31.12.2024" is no date as YYYY-MM-DD; write "2024-12-31"'),
        ({"date": "6.5.24"}, 'write "2024-05-06" if the day stands first$'),
        ({"date": "05/06/2024"}, 'write "2024-06-05" if the day stands first or "2024-05-06" if the month'),
        ({"date": "05/26/2024"}, 'write "2024-05-26" if the month stands first$'),
        ({"date": "2024/5/6"}, 'write "2024-05-06"$'),
        ({"date": "20240506"}, 'write "2024-05-06"$'),
        ({"date": 20240506}, 'write "2024-05-06"$'),
        ({"date": "2024-02-30"}, "no day of the calendar"),
        ({"date": 0}, "date: 0 is no date as YYYY-MM-DD"),
    ],
)
def test_faults_name_the_field(tmp_path: Path, change: dict, field: str) -> None:
    manifest = {"subject": "p", "scans": {"rest": "rest.ply"}} | change
    folder = folder_with(tmp_path / "exam", manifest, "rest.ply")
    (tmp_path / "rest.ply").write_bytes(b"ply\n")
    with pytest.raises(SchemaError, match=field) as caught:
        read_exam(folder)
    assert "\n" not in str(caught.value)
    assert "exam.json" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"ply\nformat ascii 1.0\n", b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "exam.json").write_bytes(content)
    with pytest.raises(SchemaError, match=r"exam\.json"):
        read_exam(tmp_path)


@pytest.mark.parametrize("written", [4, 4.0, "4", "IV", "iv", "IV/VI", "iv / vi", "4/6", "HB IV", "grade 4", "\u2163"])
def test_grades_as_people_write_them(tmp_path: Path, written: object) -> None:
    manifest = {"subject": "p", "scans": {"rest": "rest.ply"}, "grades": {"house_brackmann": written}}
    grades = read_exam(folder_with(tmp_path, manifest, "rest.ply")).grades
    assert grades is not None
    assert grades.house_brackmann == 4


def test_ages_and_dates_as_they_may_be_written(tmp_path: Path) -> None:
    manifest = {"subject": " p ", "scans": {"rest": "rest.ply"}, "date": "2024-05-06T10:30:00"}
    exam = read_exam(folder_with(tmp_path, manifest | {"clinical": {"age": "30 years", "cause": "Bell"}}, "rest.ply"))
    assert exam.clinical == {"age_years": 30.0, "cause": "Bell"}
    assert (exam.subject, str(exam.date)) == ("p", "2024-05-06")


def test_all_faults_of_a_manifest_are_told(tmp_path: Path) -> None:
    scans = {"rest": "rest.ply", "open_smyle": "rest.ply", "snarl": "gone.ply", "cheek_puff": 3}
    manifest = {"scans": scans, "units": "inch", "clinical": {"age_years": "thirty"}, "date": "1.2.2024"}
    found = reading(folder_with(tmp_path, manifest, "rest.ply"))
    assert {f.field for f in found.faults} == {
        "scans.open_smyle",
        "scans.snarl",
        "scans.cheek_puff",
        "units",
        "clinical",
        "date",
        "subject",
    }
    assert list(found.scans) == ["rest"]
    with pytest.raises(SchemaError, match=r"and 6 more: face3d validate"):
        read_exam(tmp_path)


def test_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.ply").write_bytes(b"ply\n")
    folder = folder_with(tmp_path / "exam", {"subject": "p", "scans": {"rest": "rest.ply"}})
    (folder / "rest.ply").symlink_to(tmp_path / "secret.ply")
    with pytest.raises(SchemaError, match="outside"):
        read_exam(folder)


@pytest.mark.parametrize(
    ("stem", "expression"),
    [
        ("rest", "rest"),
        ("p017_Open-Smile", "open_smile"),
        ("closed_smile", "closed_smile"),
        ("smile", "open_smile"),
        ("sub-01_ses-2_task-lipPucker_face", "lip_pucker"),
        ("p_neutral", "rest"),
        ("tight_eye_closure", "tight_eye_closure"),
        ("03 cheek puff", "cheek_puff"),
        ("textured", None),
        ("sub-01_task-jump_face", None),
        ("closedMouthSmile", "closed_smile"),
        ("p1_close_smile", "closed_smile"),
        ("open_smyle", None),
        ("tight_eyes_closed", "tight_eye_closure"),
        ("forced_eye_closure", "tight_eye_closure"),
        ("eyes_closed", "gentle_eye_closure"),
    ],
)
def test_expression_from_file_name(stem: str, expression: str | None) -> None:
    assert expression_of(stem) == expression


def test_folder_without_manifest(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path / "p9", None, "p9_rest.obj", "p9_smile.ply.gz", "p9_rest.mrk.json", "other.ply", "a.txt"
    )
    exam = read_exam(folder)
    assert exam.subject == "p9"
    assert exam.expressions == ("rest", "open_smile")
    scan = exam.scans["rest"]
    assert isinstance(scan, ScanFile)
    assert scan.landmarks == folder / "p9_rest.mrk.json"
    assert any("other.ply" in note for note in exam.notes)
    (folder / "._p9_rest.obj").write_bytes(b"macOS")
    assert read_exam(folder).expressions == exam.expressions
    (folder / "neutral.ply").write_bytes(b"ply\n")
    with pytest.raises(SchemaError, match=r"neutral\.ply.*p9_rest\.obj|p9_rest\.obj.*neutral\.ply"):
        read_exam(folder)


def test_empty_folder_and_missing_path(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"rest"):
        read_exam(tmp_path)
    with pytest.raises(SchemaError, match="no such file"):
        read_exam(tmp_path / "nowhere")


def test_study_layout(tmp_path: Path) -> None:
    for subject, visit in (("p1", "pre"), ("p1", "post"), ("p2", "pre")):
        stem = f"sub-{subject}_ses-{visit}"
        folder_with(
            tmp_path / f"sub-{subject}/ses-{visit}/face",
            None,
            f"{stem}_task-rest_face.ply",
            f"{stem}_task-snarl_face.ply",
        )
    folder_with(tmp_path / "extra", {"subject": "x", "scans": {"rest": "rest.ply"}}, "rest.ply")
    exams = [read_exam(folder) for folder in find_exams(tmp_path)]
    assert sorted(e.name for e in exams) == ["p1/post", "p1/pre", "p2/pre", "x"]
    assert read_exam(tmp_path / "sub-p1/ses-pre").expressions == ("rest", "snarl")
    (tmp_path / "none").mkdir()
    with pytest.raises(SchemaError, match="no exam in it"):
        list(find_exams(tmp_path / "none"))


def test_one_exam_is_found_once(tmp_path: Path) -> None:
    study = tmp_path / "study"
    # A manifest above the scans that it names.
    scans = {"rest": "face/rest.ply", "open_smile": "face/open_smile.ply"}
    visit = folder_with(study / "sub-01" / "ses-pre", {"subject": "01", "scans": scans}, *scans.values())
    assert list(find_exams(study)) == [visit]
    # A second manifest beside the scans, a link to the folder, one to the whole subject, one that never ends.
    folder_with(visit / "face", {"subject": "01", "scans": {"rest": "rest.ply"}})
    (study / "again").symlink_to(visit)
    (study / "sub-01" / "ses-post").symlink_to(visit)
    (visit / "loop").symlink_to(study)
    assert list(find_exams(study)) == [visit]
    # A manifest of the whole person speaks for the visits whose rest scan it names, not for others.
    (study / "sub-01" / "exam.json").write_text('{"subject": "01", "scans": {"rest": "ses-pre/face/rest.ply"}}')
    folder_with(study / "sub-01" / "ses-2" / "face", None, "rest.ply")
    assert list(find_exams(study)) == [study / "sub-01", study / "sub-01" / "ses-2" / "face"]
    # What lies outside the study is found through its link, once.
    folder_with(tmp_path / "elsewhere" / "p2", {"subject": "p2", "scans": {"rest": "rest.ply"}}, "rest.ply")
    for name in ("a", "b"):
        (study / name).symlink_to(tmp_path / "elsewhere")
    assert [read_exam(p).subject for p in find_exams(study)].count("p2") == 1


def test_a_rest_scan_lent_from_another_visit_makes_two_exams(tmp_path: Path) -> None:
    folder_with(tmp_path / "bob" / "pre", None, "rest.ply", "snarl.ply")
    folder_with(tmp_path / "bob" / "post", None, "snarl.ply")
    (tmp_path / "bob" / "post" / "rest.ply").symlink_to(tmp_path / "bob" / "pre" / "rest.ply")
    assert [read_exam(p).name for p in find_exams(tmp_path)] == ["bob/pre", "bob/post"]


def test_scans_below_a_manifest_are_its_own(tmp_path: Path) -> None:
    folder_with(tmp_path / "p1", {"subject": "p1", "scans": {"rest": "rest.ply"}}, "rest.ply", "raw/rest.ply")
    folder_with(tmp_path / ".p2.partial", {"subject": "p2", "scans": {"rest": "rest.ply"}}, "rest.ply")
    assert list(find_exams(tmp_path)) == [tmp_path / "p1"]


def test_visits_below_a_person(tmp_path: Path) -> None:
    for visit in ("pre", "post", "6 months", "12 months"):
        folder_with(tmp_path / "bob" / visit, None, "rest.ply", "open_smile.ply")
    folder_with(tmp_path / "eve" / "2", {"subject": "eve", "scans": {"rest": "rest.ply"}}, "rest.ply")
    folder_with(
        tmp_path / "eve" / "10", {"subject": "Eve", "visit": "third", "scans": {"rest": "rest.ply"}}, "rest.ply"
    )
    exams = [read_exam(folder) for folder in find_exams(tmp_path)]
    names = ["bob/pre", "bob/post", "bob/6 months", "bob/12 months", "eve/2", "Eve/third"]
    assert [e.name for e in exams] == names
    assert "told by the folders' names" in exams[0].notes[0]
    assert exams[-1].notes == ()


def test_names_of_several_people(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "sub-01", None, "sub-01_task-rest_face.ply", "sub-02_task-snarl_face.ply")
    with pytest.raises(SchemaError, match="files of several people: sub-01, sub-02"):
        read_exam(folder)
    other = folder_with(tmp_path / "sub-03", {"subject": "04", "scans": {"rest": "rest.ply"}}, "rest.ply")
    assert any("subject '04', but files or folders are named sub-03" in note for note in read_exam(other).notes)
    for name in ("sub-05_rest.ply", "sub-05_snarl.ply"):
        folder_with(tmp_path / "sub-05", None, name)
    assert read_exam(tmp_path / "sub-05").notes == ()


@pytest.mark.parametrize(
    ("path", "wanted", "words"),
    [
        ("study", "exam", "2 examinations (p1, p2); expected one examination.*face3d batch .*study --out"),
        ("study/p1/rest.ply", "exam", "a scan; expected one examination.*face3d analyze"),
        ("study/p1", "scan", "an examination, of several scans; expected one scan file; `face3d exam"),
        ("study/p1/exam.json", "scan", "an examination; expected one scan file; `face3d exam"),
        ("study", "scan", "2 examinations .*face3d batch"),
        ("study/p1/rest.ply", "study", "a scan; expected a study"),
        ("result", "exam", "a result of face3d; .*report.html"),
        ("result/result.json", "exam", "a result of face3d"),
        ("table", "exam", "the table of a study"),
        ("odd", "exam", "2 scans whose names tell no expression \\(a.ply, b.ply\\)"),
        ("odd", "study", "2 scans whose names tell no expression"),
        ("empty", "study", "no exam in it; expected a study"),
        ("nowhere", "scan", "no such file or folder"),
    ],
)
def test_what_is_there_instead(tmp_path: Path, path: str, wanted: str, words: str) -> None:
    for name in ("p1", "p2"):
        folder_with(tmp_path / "study" / name, {"subject": name, "scans": {"rest": "rest.ply"}}, "rest.ply")
    folder_with(tmp_path / "result", None, "result.json", "report.html", "measures.csv")
    folder_with(tmp_path / "table", None, "measures.csv", "measures.parquet")
    folder_with(tmp_path / "odd", None, "a.ply", "b.ply")
    (tmp_path / "empty").mkdir()
    said = refusal(tmp_path / path, wanted)
    assert re.search(words.replace("(p1, p2)", r"\(p1, p2\)"), said), said
    if wanted == "exam":
        with pytest.raises(SchemaError, match=re.escape(said)):
            read_exam(tmp_path / path)


def test_exam_in_memory() -> None:
    scan = FaceScan(np.eye(3))
    exam = Exam("p", {"snarl": scan, "rest": scan}, affected_side="right")
    assert exam.expressions == ("rest", "snarl")
    assert exam.scan("snarl") is scan
    with pytest.raises(ScanError, match="lip_pucker"):
        exam.scan("lip_pucker")
    with pytest.raises(SchemaError, match=r"scans\.rest"):
        Exam("p", {"snarl": scan})
    with pytest.raises(SchemaError, match="affected_side"):
        exam.replace(affected_side="both sides")


def test_schema_on_disk_is_the_model() -> None:
    stored = json.loads(SCHEMA.read_text())
    model = ExamManifest.model_json_schema()
    assert {k: v for k, v in stored.items() if not k.startswith("$") or k == "$defs"} == model
    full = {"subject": "p", "units": "mm", "scans": {e: f"{e}.ply" for e in EXPRESSIONS}}
    jsonschema.validate(full, stored)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(full | {"units": "inch"}, stored)


@pytest.mark.parametrize("wrong", [{"house_brackmann": 7}, {"house_brackmann": "IV"}, {"sunnybrook_composite": 101}])
def test_grades_in_memory_that_there_are_not(wrong: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match=f"grades.{next(iter(wrong))} is"):
        Grades(**wrong)
    assert Grades(sunnybrook_composite=0).sunnybrook_composite == 0
