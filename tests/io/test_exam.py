"""Exams: manifests, folders named by expression, studies; and that every fault names its field."""

import json
import pickle
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from face3d.errors import ScanError, SchemaError
from face3d.exam import EXPRESSIONS, Exam
from face3d.io.exam import ExamManifest, expression_of, find_exams, read_exam
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
        "subject": "p1", "visit": "post", "date": "2024-05-06", "units": "cm", "affected_side": "left",
        "device": "3dMD",
        "scans": {"open_smile": {"path": "s.ply", "units": "m", "landmarks": "s.csv"}, "rest": "r.ply", "snarl": None},
        "landmarks": {"rest": "r.csv"},
        "sequences": {"open_smile": {"path": "frames", "fps": 60}},
        "grades": {
            "house_brackmann": 4, "rater": "A",
            "sunnybrook": {"eye": 1, "nasolabial": 1, "mouth": 0, "voluntary": [3, 4, 3, 2, 3]},
            "eface": {"brow_raise": 60},
        },
        "clinical": {"age_years": 44.0, "cause": "Bell"}, "ward": "B2",
    }  # fmt: skip
    folder = folder_with(tmp_path, manifest, "s.ply", "s.csv", "r.ply", "r.csv", "frames/0.ply")
    exam = read_exam(folder)
    assert exam.expressions == ("rest", "open_smile")
    assert exam.name == "p1/post"
    assert exam.scans["open_smile"] == ScanFile(folder / "s.ply", "m", folder / "s.csv")
    assert exam.scans["rest"] == ScanFile(folder / "r.ply", "cm", folder / "r.csv")
    assert exam.sequences["open_smile"].fps == 60
    assert exam.grades is not None
    assert exam.grades.sunnybrook is not None
    assert (exam.grades.house_brackmann, exam.grades.sunnybrook.composite) == (4, 50)
    assert exam.grades.eface is not None
    assert exam.grades.eface.brow_raise == 60
    assert exam.clinical["cause"] == "Bell"
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
    ],
)  # fmt: skip
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


def test_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.ply").write_bytes(b"ply\n")
    folder = folder_with(tmp_path / "exam", {"subject": "p", "scans": {"rest": "rest.ply"}})
    (folder / "rest.ply").symlink_to(tmp_path / "secret.ply")
    with pytest.raises(SchemaError, match="outside"):
        read_exam(folder)


@pytest.mark.parametrize(
    ("stem", "expression"),
    [
        ("rest", "rest"), ("p017_Open-Smile", "open_smile"), ("closed_smile", "closed_smile"), ("smile", "open_smile"),
        ("sub-01_ses-2_task-lipPucker_face", "lip_pucker"), ("p_neutral", "rest"),
        ("tight_eye_closure", "tight_eye_closure"),
        ("03 cheek puff", "cheek_puff"), ("textured", None), ("sub-01_task-jump_face", None),
    ],
)  # fmt: skip
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
