"""The commands on exams: exit codes, and what they leave behind. Measuring itself is tested elsewhere."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from face3d import cli
from face3d.exam import EXPRESSIONS
from face3d.io import write_scan
from face3d.measuring.exam_measures import measure_vertices
from face3d.reference.repeatability import load_repeatability
from face3d.report.outputs import write_exam
from face3d.scan import FaceScan
from face3d.simulate.head import HeadModel
from palsy import face
from planted_visits import planted

MODEL = HeadModel.load()


def study_of(folder: Path, people: int = 2) -> Path:
    rest, moved = face(MODEL, np.random.default_rng(0), 0.5)
    for i in range(people):
        one = folder / f"p{i}"
        one.mkdir(parents=True)
        write_scan(one / "rest.ply", FaceScan(rest, MODEL.faces))
        write_scan(one / "open_smile.ply", FaceScan(moved["open_smile"], MODEL.faces))
        scans = {"rest": "rest.ply", "open_smile": "open_smile.ply"}
        (one / "exam.json").write_text(json.dumps({"subject": f"p{i}", "units": "mm", "scans": scans}))
    return folder


def test_validate_exam_and_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = study_of(tmp_path / "study")
    assert cli.run(["validate", str(study / "p0")]) == 0
    out = capsys.readouterr().out
    assert f"{len(MODEL.vertices):,} vertices" in out
    assert "p0: 2 of 10 expressions; can be measured" in out
    assert "missing: brow_raise, gentle_eye_closure" in out
    assert cli.run(["validate", str(study)]) == 0
    assert "p1" in capsys.readouterr().out
    (study / "p1" / "rest.ply").write_bytes(b"ply\nnonsense")
    assert cli.run(["validate", str(study), "--json"]) == 2
    out, err = capsys.readouterr()
    faults = [(v["exam"], f["expression"]) for v in json.loads(out) for f in v["findings"] if f["kind"] == "fault"]
    assert faults == [("p1", "rest")]
    assert [v["measurable"] for v in json.loads(out)] == [True, False]
    assert err.count("\n") == 1
    assert "rest.ply" in err
    (study / "p1" / "exam.json").write_text('{"subject": "p1", "scans": {}}')
    assert cli.run(["validate", str(study)]) == 2
    assert "scans.rest" in capsys.readouterr().err
    assert cli.run(["validate", str(study / "p1")]) == 2
    assert "scans.rest" in capsys.readouterr().err


def test_compare_reads_results_of_exam(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, function in (("pre", 0.3), ("post", 0.7)):
        rest, moved = face(MODEL, np.random.default_rng(1), function)
        write_exam(measure_vertices(rest, moved, MODEL, "left", "p1", name), tmp_path / name)
    arguments = ["compare", str(tmp_path / "pre"), str(tmp_path / "post" / "result.json"), "--out", str(tmp_path / "c")]
    assert cli.run(arguments) == 0
    assert "p1: pre to post" in capsys.readouterr().out
    changes = pd.read_csv(tmp_path / "c" / "changes.csv")
    row = changes.query("measure == 'function' and expression == 'open_smile' and region == 'mouth'")
    assert row["change"].item() == pytest.approx(0.4, abs=0.03)


def test_stored_results_of_two_people_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("pre", 1), ("post", 2)):
        rest, moved = face(MODEL, np.random.default_rng(seed), 0.5)
        write_exam(measure_vertices(rest, moved, MODEL, "left", "p1", name), tmp_path / name)
    arguments = ["compare", str(tmp_path / "pre"), str(tmp_path / "post")]
    assert cli.run(arguments) == 2
    err = capsys.readouterr().err
    assert "two people" in err and err.count("\n") == 1
    assert cli.run([*arguments, "--same-person"]) == 0
    assert "MAY BE TWO PEOPLE" in capsys.readouterr().out


def test_norms_from_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "subject": [f"s{i}" for i in range(20)],
            "visit": "",
            "measure": "brow_raise",
            "expression": "brow_raise",
            "region": "brow",
            "side": "left",
            "value": rng.normal(9, 2, 20),
            "unit": "mm",
        }
    )
    table.to_csv(tmp_path / "measures.csv", index=False)
    arguments = [
        "norms",
        str(tmp_path),
        "--out",
        str(tmp_path / "own.json"),
        "--population",
        "healthy",
        "--source",
        "us",
    ]
    assert cli.run(arguments) == 0
    assert json.loads((tmp_path / "own.json").read_text())["entries"][0]["n"] == 20
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    assert cli.run(["norms", str(tmp_path / "bad.csv"), *arguments[2:]]) == 2
    assert "bad.csv" in capsys.readouterr().err


def test_study_of_two_visits_from_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planted().to_csv(tmp_path / "measures.csv", index=False)
    table, out = str(tmp_path / "measures.csv"), tmp_path / "new" / "out"
    assert cli.run(["study", table, "--out", str(out), "--repeats", "a", "b", "--change", "a", "c", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    files = {
        "agreement": "agreement.csv",
        "change": "change.csv",
        "courses": "courses.csv",
        "repeatability": "repeatability.json",
        "report": "report.html",
    }
    assert said == {name: str(out / file) for name, file in files.items()}
    assert {f.name for f in out.iterdir()} == set(files.values())
    own = load_repeatability(said["repeatability"])["brow_raise", "brow_raise", "brow"]
    assert own.sem == pytest.approx(0.5, rel=0.25) and own.n == 60 and not own.still
    agreement, change = pd.read_csv(said["agreement"]), pd.read_csv(said["change"])
    assert agreement["sem"].tolist() == pytest.approx([0.5, 0.5], rel=0.25)
    assert change["change"].tolist() == pytest.approx([2, 2], abs=0.3)
    assert cli.run(["study", table, "--out", str(out), "--repeats", "a", "x"]) == 2
    assert "there are a, b, c" in capsys.readouterr().err
    assert cli.run(["study", table, "--out", str(tmp_path / "page"), "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["courses", "report"]
    groups = tmp_path / "groups.csv"
    groups.write_text("subject,group\n" + "".join(f"s{i},{'old' if i % 2 else 'new'}\n" for i in range(60)))
    change = ["study", table, "--out", str(out), "--change", "a", "c"]
    assert cli.run([*change, "--groups", str(groups), "--control", "old", "--json"]) == 0
    adjusted = pd.read_csv(json.loads(capsys.readouterr().out)["adjusted"])
    assert adjusted["difference"].tolist() == pytest.approx([0, 0], abs=0.5)  # all changed alike
    assert adjusted["n_control"].tolist() == [30, 30]
    own = tmp_path / "own"
    own.mkdir()
    with_arm = planted().assign(arm=lambda t: ["old" if int(s[1:]) % 2 else "new" for s in t["subject"]])
    with_arm.to_csv(own / "measures.csv", index=False)
    exams = with_arm[["subject", "visit"]].drop_duplicates().assign(date="", affected_side="left")
    exams.to_csv(own / "exams.csv", index=False)
    of = ["study", str(own), "--out", str(out), "--groups", "arm"]
    assert cli.run([*of, "--change", "a", "c", "--control", "old", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    pd.testing.assert_frame_equal(pd.read_csv(said["adjusted"]), adjusted)
    courses = pd.read_csv(said["courses"])
    of_whom = set(zip(courses["subject"], courses["group"], strict=True))
    assert ("s1", "old") in of_whom and ("s2", "new") in of_whom and len(of_whom) == courses["subject"].nunique()
    assert cli.run([*of, "--control", "old"]) == 2 and "--change" in capsys.readouterr().err
    assert cli.run([*change, "--groups", str(groups), "--control", "placebo"]) == 2
    assert "placebo" in capsys.readouterr().err
    assert cli.run([*change, "--groups", str(groups)]) == 2
    assert "--control" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["exam", "batch", "study", "compare", "validate"])
def test_a_missing_exam_is_named(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "o")]
    more = {"batch": out, "study": out, "compare": [str(tmp_path / "gone")]}.get(command, [])
    assert cli.run([command, str(tmp_path / "gone"), *more]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "gone" in err


def test_a_folder_of_another_subject_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.3)
    write_exam(measure_vertices(rest, moved, MODEL, "left", "p9", "pre"), tmp_path / "out")
    study = study_of(tmp_path / "study", 1)
    assert cli.run(["exam", str(study / "p0"), "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert "p9/pre" in err and "exam p0" in err and err.count("\n") == 1
    assert cli.run(["analyze", str(study / "p0" / "rest.ply"), "--out", str(tmp_path / "out")]) == 2
    assert "scan rest.ply" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["exam", "study"], "2 examinations (p0, p1)"),
        (["grade", "study"], "`face3d batch"),
        (["exam", "study/p0/rest.ply"], "`face3d analyze"),
        (["validate", "study/p0/rest.ply"], "`face3d analyze"),
        (["study", "study/p0/rest.ply", "--out", "o"], "`face3d analyze"),
        (["study", "study", "--out", "o"], "`face3d batch"),
        (["batch", "study/p0/rest.ply", "--out", "o"], "`face3d analyze"),
        (["analyze", "study/p0"], "`face3d exam"),
        (["analyze", "study/p0/exam.json"], "`face3d exam"),
        (["info", "study/p0"], "`face3d exam"),
        (["analyze", "study"], "`face3d batch"),
        (["exam", "result"], "report.html"),
        (["analyze", "result"], "report.html"),
        (["norms", "study", "--out", "n.json", "--population", "p", "--source", "s"], "`face3d batch"),
        (["evaluate", "rules", "study/p0/rest.ply"], "`face3d analyze"),
        (["exam", "study/p0", "--side", "links"], "'left', 'right', 'both', 'none'"),
    ],
)
def test_the_other_command_is_named(
    tmp_path: Path,
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study_of(tmp_path / "study")
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "result.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "evaluate":
        pytest.importorskip("torch")
    assert cli.run(arguments) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert words in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["analyze", "study/p0/rest.ply"],
        ["exam", "study/p0"],
        ["compare", "study/p0", "study/p1"],
        ["batch", "study"],
        ["study", "measures.csv", "--change", "a", "b"],
        ["simulate"],
        ["train", "none.json"],
        ["evaluate", "rules", "study"],
        ["demo"],
        ["norms", "measures.csv", "--population", "p", "--source", "s"],
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_measuring(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study_of(tmp_path / "study")
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    if arguments[0] in ("train", "evaluate"):
        pytest.importorskip("torch")
    assert cli.run([*arguments, "--out", "file/below"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "is a file, no folder" in err


def test_norms_into_a_new_folder_and_from_too_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"visit": "", "measure": "m", "expression": "rest", "region": "eye", "side": "left", "unit": "mm"}
    table = pd.DataFrame([{"subject": f"s{k}", **row, "value": float(k)} for k in range(20)])
    table.to_csv(tmp_path / "twenty.csv", index=False)
    table[:9].to_csv(tmp_path / "nine.csv", index=False)
    end = ["--out", str(tmp_path / "new" / "folder" / "n.json"), "--population", "p", "--source", "s"]
    assert cli.run(["norms", str(tmp_path / "nine.csv"), *end]) == 2
    assert "9 people; norms take 20 healthy ones" in capsys.readouterr().err
    assert cli.run(["norms", str(tmp_path / "twenty.csv"), *end]) == 0
    assert len(json.loads((tmp_path / "new" / "folder" / "n.json").read_text())["entries"]) == 1
    assert cli.run(["norms", str(tmp_path / "twenty.csv"), "--out", str(tmp_path / "new"), *end[2:]]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_parquet_without_its_package(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study_of(tmp_path / "study")
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for arguments in (
        ["norms", str(tmp_path / "t.parquet"), "--out", str(tmp_path / "n"), "--population", "p", "--source", "s"],
        ["batch", str(tmp_path / "study"), "--out", str(tmp_path / "out")],
    ):
        assert cli.run(arguments) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert "'pyarrow' is not installed" in err
        assert "[batch]" in err


def test_a_file_that_may_not_be_read_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path / "closed"))

    monkeypatch.setattr("os.scandir", forbidden)
    assert cli.run(["validate", str(tmp_path)]) == 2
    assert (
        capsys.readouterr().err
        == f"face3d: {tmp_path / 'closed'}: Permission denied; give a path that can be read and written\n"
    )


def test_help_tells_how_an_exam_lies_on_disk(capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["exam", "--help"])
    out = capsys.readouterr().out
    for words in (*EXPRESSIONS, "exam.json", '"subject"', "bob/pre", "sub-p017/ses-pre"):
        assert words in out
