"""The commands on exams: exit codes, and what they leave behind. Measuring itself is tested elsewhere."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from face3d import cli
from face3d.io import write_scan
from face3d.measuring.exam_measures import measure_vertices
from face3d.report.outputs import write_exam
from face3d.scan import FaceScan
from face3d.simulate.head import HeadModel
from palsy import face

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


def test_norms_from_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "subject": [f"s{i}" for i in range(20)], "visit": "", "measure": "brow_raise", "expression": "brow_raise",
        "region": "brow", "side": "left", "value": rng.normal(9, 2, 20), "unit": "mm",
    })  # fmt: skip
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


@pytest.mark.parametrize("command", ["exam", "study", "compare", "validate"])
def test_a_missing_exam_is_named(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"study": ["--out", str(tmp_path / "o")], "compare": [str(tmp_path / "gone")]}.get(command, [])
    assert cli.run([command, str(tmp_path / "gone"), *more]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "gone" in err
