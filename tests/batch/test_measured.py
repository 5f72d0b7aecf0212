"""What a batch writes of an exam and of a scan is what the commands for one write."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from face3d.batch.discover import discover
from face3d.batch.item import Task
from face3d.batch.measured import work
from face3d.batch.study import run_study
from face3d.exam import Exam
from face3d.grading.examination import Examination
from face3d.io import write_scan
from face3d.measuring.analysis import Analysis
from face3d.measuring.exam_measures import measure_vertices
from face3d.report.exam_row import exam_row
from face3d.report.folder import FILES
from face3d.scan import FaceScan
from face3d.simulate.head import HeadModel
from palsy import face

MODEL = HeadModel.load()


def in_this_process(tasks: list[Task]):
    return map(work, tasks)


def test_a_scan(tmp_path: Path, dome: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("face3d.measuring.analysis.analyze", lambda scan: dome)
    study = tmp_path / "study" / "sub-p1" / "ses-pre"
    study.mkdir(parents=True)
    write_scan(study / "face.ply", dome.scan)
    found = discover(str(tmp_path / "study"))
    done = run_study(found, str(tmp_path / "out"), in_this_process)
    assert done["ok"] == 1, done["failed"]
    folder = tmp_path / "out" / "sub-p1__ses-pre__face.ply"
    assert {f.name for f in folder.iterdir()} == {"item.json", "result.json", "regions.csv"}  # no geometry
    regions = pd.read_csv(tmp_path / "out" / "regions.csv")
    assert set(regions["scan"]) == {"sub-p1/ses-pre/face.ply"} and len(regions) == len(dome.regions)
    assert regions["rms"].to_numpy() == pytest.approx(dome.regions["rms"].to_numpy(), nan_ok=True)
    (row,) = pd.read_csv(tmp_path / "out" / "scans.csv").to_dict("records")
    whole = dome.regions.query("definition == 'face' and side == 'both' and distance == 'surface distance'")["rms"]
    assert row["surface_distance_rms_mm"] == pytest.approx(whole.item())
    assert (row["subject"], row["visit"], row["vertices"]) == ("p1", "pre", len(dome.scan.vertices))
    done = run_study(found, str(tmp_path / "out"), in_this_process, report=True, resume=True)
    assert {f.name for f in folder.iterdir()} == {"item.json", *FILES["scan"]} - {"report.pdf"}
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "regions.csv"), regions)


def test_an_exam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.3)
    m = measure_vertices(rest, moved, MODEL, "left", "p1", "pre")

    def examined(exam: Exam, workers: int) -> Examination:
        assert (exam.subject, exam.visit, workers) == ("p1", "pre", 1)
        return Examination(exam, SimpleNamespace(rest=None, template=None), m, None)  # type: ignore[arg-type]

    monkeypatch.setattr("face3d.grading.examination.examine", examined)
    monkeypatch.setattr("face3d.report.movement_pictures.movement_pictures", lambda *_: [])
    folder = tmp_path / "study" / "p1" / "pre"
    folder.mkdir(parents=True)
    write_scan(folder / "rest.ply", FaceScan(rest, MODEL.faces))
    found = discover(str(tmp_path / "study"))
    done = run_study(found, str(tmp_path / "out"), in_this_process)
    assert done["ok"] == 1, done["failed"]
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "out" / "measures.csv"),
        m.table.reset_index(drop=True),
        check_dtype=False,
    )
    (row,) = pd.read_csv(tmp_path / "out" / "exams.csv").to_dict("records")
    exam = Exam("p1", {"rest": FaceScan(rest, MODEL.faces)}, "pre")
    known = exam_row(Examination(exam, None, m, None))  # type: ignore[arg-type]
    assert list(row) == list(known) and row["rule_severity"] == pytest.approx(known["rule_severity"])
    own = tmp_path / "out" / "p1__pre"
    assert json.loads((own / "result.json").read_text())["subject"] == "p1"
    run_study(found, str(tmp_path / "out"), in_this_process, report=True, resume=True)
    assert {"item.json", "result.json", "measures.csv", "report.html"} <= {f.name for f in own.iterdir()}


@pytest.mark.slow
def test_a_real_exam_is_the_same_bytes_twice(tmp_path: Path) -> None:
    rest, moved = face(MODEL, np.random.default_rng(0), 0.5)
    folder = tmp_path / "study" / "p0"
    folder.mkdir(parents=True)
    write_scan(folder / "rest.ply", FaceScan(rest, MODEL.faces))
    write_scan(folder / "open_smile.ply", FaceScan(moved["open_smile"], MODEL.faces))
    found = discover(str(tmp_path / "study"))
    results = []
    for out in ("one", "two"):
        done = run_study(found, str(tmp_path / out), in_this_process)
        assert done["ok"] == 1, done["failed"]
        results.append((tmp_path / out / "measures.csv").read_bytes())
    assert results[0] == results[1]
