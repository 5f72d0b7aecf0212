"""`face3d train`: from a configuration and a folder to a grader; what is wrong with either is said."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from face3d.cli import run
from face3d.cli.people import _figures
from simple_exams import simple_exams

pytest.importorskip("torch")

from face3d.grading.weights import load_grader
from face3d.learn.example_files import write_example


def configured(folder: Path, **changes: object) -> Path:
    (folder / "exams").mkdir()
    for k, example in enumerate(simple_exams(6)):
        write_example(folder / "exams" / f"{k}.npz", example)
    size = {"width": 8, "layers": 1, "heads": 2}
    config = {"data": ["exams"], "size": size, "epochs": 1, "folds": 2, **changes}
    (folder / "run.json").write_text(json.dumps(config))
    return folder / "run.json"


def test_a_folder_of_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", str(configured(tmp_path)), "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["held_out"]["exams"] == 3
    assert len(load_grader(Path(said["grader"]))) == 1
    assert Path(said["log"]).read_text().count("\n") == 1
    # A second time nothing is trained: the same is said again.
    assert run(["train", str(tmp_path / "run.json"), "--out", str(tmp_path / "out")]) == 0
    assert "3 exams held out: grade off by" in capsys.readouterr().out


def test_the_shipped_grader_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured(tmp_path, start_from="shipped", rate=1e-5)
    assert run(["train", str(config), "--out", str(tmp_path / "out")]) == 0
    assert "grader.safetensors; 3 exams held out" in capsys.readouterr().out


def test_a_folder_without_exams_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    config = configured(tmp_path, data=["empty"])
    assert run(["train", str(config), "--out", str(tmp_path / "out")]) == 2
    assert "empty" in capsys.readouterr().err
    (tmp_path / "run.json").write_text('{"data": ["nowhere"]}')
    assert run(["train", str(config), "--out", str(tmp_path / "out2")]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err


def test_errors_that_are_not_known_are_not_printed_as_numbers() -> None:
    both = "grade off by 0.50 on average, severity off by 0.100 on average"
    assert _figures({"grade_mae": 0.5, "severity_mae": 0.1}) == both
    assert _figures({"grade_mae": 0.5, "severity_mae": math.nan}) == "grade off by 0.50 on average"
    assert "nan" not in _figures({"grade_mae": math.nan, "severity_mae": math.nan})
