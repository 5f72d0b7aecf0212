"""Exams as a data set: fitted once, and anew as soon as anything that their examples are made from has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from face3d.errors import SchemaError
from face3d.exam import Exam, Grades
from face3d.grading.example import Example, labels_of
from face3d.reference.scales import Sunnybrook
from face3d.scan import FaceScan

pytest.importorskip("torch")

from face3d.learn import example_files as making
from face3d.learn.dataset import ExampleSet, example_files
from face3d.learn.predictions import of_rules
from simple_exams import simple_exam


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of exams in the order in which they were fitted; nothing is fitted in truth."""
    names: list[str] = []

    def make(exam: Exam) -> Example:
        names.append(exam.name)
        return replace(simple_exam(0), facts={"subject": exam.subject, "visit": exam.visit})

    monkeypatch.setattr(making, "example_from_exam", make)
    return names


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for name in ("p1", "p2"):
        folder = tmp_path / "study" / name
        folder.mkdir(parents=True)
        for file in ("rest.gltf", "rest.bin", "rest.csv", "snarl.ply"):
            (folder / file).write_text("a")
        scans = {"rest": {"path": "rest.gltf", "landmarks": "rest.csv"}, "snarl": "snarl.ply"}
        (folder / "exam.json").write_text(json.dumps({"subject": name, "scans": scans}))
    return tmp_path / "study"


def rewrite(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text("b")


@pytest.mark.parametrize(
    "change",
    [
        *map(rewrite, ("rest.gltf", "rest.bin", "rest.csv", "snarl.ply", "truth.json")),
        lambda folder: (folder / "exam.json").write_text(
            (folder / "exam.json").read_text().replace("{", '{"device": "other", ', 1)
        ),
    ],
)
def test_what_has_changed_is_fitted_anew(
    study: Path, tmp_path: Path, fitted: list[str], change: Callable[[Path], object]
) -> None:
    before = example_files(study, tmp_path / "kept")
    assert example_files(study, tmp_path / "kept") == before
    assert fitted == ["p1", "p2"]
    change(study / "p1")
    after = example_files(study, tmp_path / "kept")
    assert fitted == ["p1", "p2", "p1"]
    assert after[1] == before[1]
    # The example of what was there before is gone: a folder of examples is read as a whole.
    assert sorted((tmp_path / "kept").iterdir()) == sorted(after)
    assert len(ExampleSet(example_files(tmp_path / "kept", tmp_path / "unused"))) == 2


def test_touching_a_file_changes_nothing(study: Path, tmp_path: Path, fitted: list[str]) -> None:
    before = example_files(study, tmp_path / "kept")
    (study / "p1" / "rest.gltf").touch()
    assert example_files(study, tmp_path / "kept") == before
    assert fitted == ["p1", "p2"]


def test_damaged_examples_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(SchemaError, match=r"a\.npz: not an example"):
        ExampleSet([tmp_path / "a.npz"])


def test_a_composite_of_nothing_is_known() -> None:
    assert labels_of(Grades(sunnybrook_composite=0)).composite == 0.0
    assert labels_of(Grades(sunnybrook_composite=-15)).composite == -15.0
    nothing = Sunnybrook(1, 2, 1, (1, 1, 1, 1, 1))
    assert labels_of(Grades(sunnybrook=nothing, sunnybrook_composite=50)).composite == 0.0
    assert labels_of(Grades()).composite != labels_of(Grades()).composite  # NaN


def test_a_palsy_of_both_sides_is_known_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(making, "example_with_points", lambda fitted, labels, facts: asked.append((labels, facts)))
    monkeypatch.setattr("face3d.template.exam_fit.fit_exam", lambda exam, workers: None)
    scan = FaceScan(np.eye(3))
    making.example_from_exam(Exam("p", {"rest": scan}, affected_side="both", grades=Grades(house_brackmann=5)))
    ((labels, facts),) = asked
    assert (labels.side, facts["affected_side"]) == ("both", "both")
    rules = {"house_brackmann": None, "severity": np.nan, "side": "both", "region_function": (np.nan,) * 5}
    told = of_rules([replace(simple_exam(0), rules=rules)])
    assert np.isnan(told.grade[0])
    assert told.side[0] == "both"
