"""A folder of results holds one result: no mixture of people, visits or runs, and nothing of others is lost."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from face3d.errors import OutputError
from face3d.measuring.analysis import Analysis
from face3d.measuring.comparison import compare
from face3d.measuring.exam_measures import Measures, measure_vertices
from face3d.measuring.smile_thirds import third_rows
from face3d.report import outputs
from face3d.report.outputs import write_comparison, write_exam, write_outputs
from face3d.simulate.head import HeadModel
from palsy import face

MODEL = HeadModel.load()
ALL = {"result.json", "measures.csv", "report.html", "thirds.csv"}


def visit(subject: str, name: str | None, side: str = "left", function: float = 0.4) -> Measures:
    rest, moved = face(MODEL, np.random.default_rng(1), 1.0 if side == "none" else function)
    m = measure_vertices(rest, moved, MODEL, side, subject, name)
    return replace(m, rows=(*m.rows, *third_rows(m.movements["open_smile"], rest, MODEL)))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_table_names_its_subject_and_visit(tmp_path: Path, dome: Analysis) -> None:
    pre, post = visit("001", "pre"), visit("001", "post", function=0.7)
    write_exam(pre, tmp_path / "exam")
    write_comparison(compare(pre, post), tmp_path / "changes")
    write_outputs(dome, tmp_path / "scan")
    for file, whose in (
        ("exam/measures.csv", ("001", "pre")),
        ("exam/thirds.csv", ("001", "pre")),
        ("changes/changes.csv", ("001", "post")),
        ("scan/regions.csv", ("dome.ply", "")),
    ):
        table = pd.read_csv(tmp_path / file, dtype=str, keep_default_na=False)
        assert list(table.columns[:2]) == ["subject", "visit"]
        assert set(zip(table["subject"], table["visit"], strict=True)) == {whose}


def test_a_second_run_replaces_the_first_as_a_whole(tmp_path: Path) -> None:
    write_exam(visit("p1", "pre"), tmp_path)
    assert names(tmp_path) == ALL
    (tmp_path / "my notes.txt").write_text("keep")
    write_exam(visit("p1", "pre", side="none"), tmp_path)  # nobody's side, no thirds
    assert names(tmp_path) == ALL - {"thirds.csv"} | {"my notes.txt"}


def test_a_file_of_others_by_that_name_stays(tmp_path: Path) -> None:
    write_exam(visit("p1", "pre", side="none"), tmp_path)
    (tmp_path / "thirds.csv").write_text("patient;third\n")
    write_exam(visit("p1", "pre", side="none"), tmp_path)
    assert (tmp_path / "thirds.csv").read_text() == "patient;third\n"


@pytest.mark.parametrize(("subject", "name"), [("p2", "pre"), ("p1", "post"), ("p1", None)])
def test_another_persons_or_visits_folder_is_refused(tmp_path: Path, subject: str, name: str | None) -> None:
    write_exam(visit("p1", "pre"), tmp_path)
    before = content(tmp_path)
    other = f"{subject}/{name}" if name else subject
    with pytest.raises(OutputError, match=rf"exam p1/pre, this one is of the exam {other}; .*--out"):
        write_exam(visit(subject, name), tmp_path)
    assert content(tmp_path) == before


def test_results_of_other_kinds_are_refused(tmp_path: Path, dome: Analysis) -> None:
    pre, post = visit("p1", "pre"), visit("p1", "post")
    write_exam(pre, tmp_path / "exam")
    write_outputs(dome, tmp_path / "scan")
    write_comparison(compare(pre, post), tmp_path / "changes")
    with pytest.raises(OutputError, match=r"exam p1/pre.*comparison p1 \(pre to post\)"):
        write_comparison(compare(pre, post), tmp_path / "exam")
    with pytest.raises(OutputError, match=r"scan dome\.ply"):
        write_exam(pre, tmp_path / "scan")
    with pytest.raises(OutputError, match=r"comparison p1"):
        write_outputs(dome, tmp_path / "changes")


@pytest.mark.parametrize("name", ["measures.csv", "report.html", "result.json"])
def test_files_of_others_are_not_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"mine": 1}')
    with pytest.raises(OutputError, match=rf"{name} there already"):
        write_exam(visit("p1", "pre"), tmp_path)
    assert content(tmp_path) == {name: b'{"mine": 1}'}


def test_a_run_that_fails_midway_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_exam(visit("p1", "pre"), tmp_path)
    before = content(tmp_path)
    written: list[str] = []

    def full(path: Path, data: bytes) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(path.name)
        path.write_bytes(data)

    monkeypatch.setattr(outputs, "write_bytes", full)
    with pytest.raises(KeyboardInterrupt):
        write_exam(visit("p1", "pre", function=0.8), tmp_path)
    assert written
    assert content(tmp_path) == before
