"""Recordings as items: found by names, measured as `face3d sequence` measures, in tables that a study can compare."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from batch_items import study_of, tables_of, work

from face3d import cli
from face3d.batch import measured
from face3d.batch.discover import discover
from face3d.batch.item import Task
from face3d.batch.recordings import recordings
from face3d.batch.study import planned, run_study
from face3d.errors import SchemaError
from face3d.measuring.study import groups_of, read_table
from face3d.simulate.head import HeadModel
from palsy import face
from planted import planted, smile


def in_this_process(tasks: list[Task]):
    return map(work, tasks)


def really(tasks: list[Task]):
    return map(measured.work, tasks)


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_what_names_tell(tmp_path: Path) -> None:
    study = touched(
        tmp_path / "study",
        *(f"p1/pre/smile/f_{k:03d}.ply" for k in range(3)),
        "p1/pre/smile/timestamps.csv",
        *(f"p1/pre/resting/rest_{k}.obj.gz" for k in range(2)),
        "p1/pre/resting/times.txt",
        *(f"people/face_{k}.ply" for k in range(3)),  # no time stamps: three faces
        "cache/blink.pc2",
        "cache/blink.obj",
        "cache/other.obj",
        "vicon/take.c3d",
        "vicon/face.stl",
        "kinect/camera.json",
        *(f"kinect/{part}/{k}.png" for part in ("depth", "color") for k in range(2)),
        "p2/exam.json",
        "p2/smile.mdd",
    )
    items = {(i.kind, i.name): i.inputs for i in discover(str(study)).items}
    assert set(items) == {
        ("recording", "p1/pre/smile"),
        ("recording", "p1/pre/resting"),
        *(("scan", f"people/face_{k}.ply") for k in range(3)),
        ("recording", "cache/blink.pc2"),
        ("scan", "cache/other.obj"),
        ("recording", "vicon/take.c3d"),
        ("scan", "vicon/face.stl"),
        ("recording", "kinect"),
        ("exam", "p2"),
    }
    assert items["recording", "cache/blink.pc2"] == ("cache/blink.obj", "cache/blink.pc2")
    assert len(items["recording", "p1/pre/smile"]) == 4 and len(items["recording", "kinect"]) == 5
    assert items["exam", "p2"] == ("p2/exam.json", "p2/smile.mdd")  # its result is of them all
    (one,) = discover(str(study / "p1" / "pre" / "smile")).items
    assert (one.kind, one.name) == ("recording", "smile") and len(one.inputs) == 4
    assert [i.inputs for i in discover(f"{study}/cache/*.pc2").items] == [("blink.obj", "blink.pc2")]
    assert recordings([]) == {}


def test_a_manifest_says_what_names_cannot_and_its_other_columns_reach_the_tables(tmp_path: Path) -> None:
    study = study_of(tmp_path / "study", "ok 1", "ok 2")
    touched(study, "p1/f_1.ply", "p1/f_2.ply", "mesh.obj", "take.npz", "p3/rest.ply")
    (study / "p3" / "rest.ply").write_text("ok 3")
    rows = "path,subject,arm,kind,fps,base,site\ns000.ply,a,drug,,,,\ns001.ply,b,sham,,,,Köln\np3,c,sham,,,,Lyon\n"
    (study / "m.csv").write_text(rows + "p1,d,drug,,60,mesh.obj,\ntake.npz,e,drug,recording,,,\n")
    found = discover(str(study / "m.csv"))
    assert [i.kind for i in found.items] == ["scan", "scan", "exam", "recording", "recording"]
    assert found.items[3].inputs == ("mesh.obj", "p1/f_1.ply", "p1/f_2.ply") and found.items[3].fact("fps") == "60"
    (study / "m.csv").write_text(rows)
    run_study(discover(str(study / "m.csv")), str(tmp_path / "out"), in_this_process)
    for name in ("scans", "regions"):
        table = pd.read_csv(tmp_path / "out" / f"{name}.csv", keep_default_na=False)
        assert table[["arm", "site"]].to_numpy().tolist() == [["drug", ""], ["sham", "Köln"]]
        stored = pd.read_parquet(tmp_path / "out" / f"{name}.parquet")
        assert stored["site"].tolist() == ["", "Köln"]
    assert pd.read_csv(tmp_path / "out" / "measures.csv")["site"].tolist() == ["Lyon"]
    # Another group is no other scan: tables alone are made anew.
    (study / "m.csv").write_text(rows.replace("drug", "placebo"))
    found = discover(str(study / "m.csv"))
    assert not planned(found, str(tmp_path / "out")).todo
    run_study(found, str(tmp_path / "out"), in_this_process, resume=True)
    assert pd.read_csv(tmp_path / "out" / "scans.csv")["arm"].tolist() == ["placebo", "sham"]
    run_study(found, str(tmp_path / "anew"), in_this_process)
    assert tables_of(tmp_path / "anew") == tables_of(tmp_path / "out")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("path,kind\ns000.ply,film\n", "expected one of exam, scan, recording"),
        ("path,fps\ns000.ply,fast\n", "frames a second"),
        ("path,base\ns000.ply,../secret.ply\n", "leads out"),
        ("path,value\ns000.ply,3\n", "a column value is one of the tables' own"),
    ],
)
def test_manifests_that_are_wrong(tmp_path: Path, row: str, words: str) -> None:
    study = study_of(tmp_path / "study", "ok 1")
    (study / "m.csv").write_text(row)
    with pytest.raises(SchemaError, match=words):
        discover(str(study / "m.csv"))


def markers(file: Path, size: float) -> None:
    recorded = planted([smile(late=0.1)], 4.5, 50, noise=0.03)
    points = recorded.points.mean(axis=0) + (recorded.points - recorded.points.mean(axis=0)) * size
    columns = {"time": recorded.times_s}
    for k, name in enumerate(recorded.names):
        columns |= {f"{name}_{axis}": points[:, k, i] for i, axis in enumerate("xyz")}
    file.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(file, index=False)


def test_recordings_of_two_visits_are_measured_and_compared(tmp_path: Path) -> None:
    study, out = tmp_path / "study", tmp_path / "out"
    rows = []
    for visit, size in (("pre", 1.0), ("post", 1.2)):
        markers(study / "p1" / visit / "smile.csv", size)
        rows.append(f"p1/{visit}/smile.csv,recording,open_smile,drug")
    (study / "broken.c3d").write_bytes(b"\x01\x50")
    rows.append("broken.c3d,,,drug")
    (study / "m.csv").write_text("\n".join(["path,kind,expression,arm", *rows]) + "\n")
    done = run_study(discover(str(study / "m.csv")), str(out), really)
    assert done["ok"] == 2 and [r["item"] for r in done["failed"]] == ["broken.c3d"]
    assert str(tmp_path) not in (out / "failures.csv").read_text()  # said by its name in the study
    table = pd.read_csv(out / "kinematics.csv")
    assert set(table["arm"]) == {"drug"} and set(table["visit"]) == {"pre", "post"}
    chosen = table.query("measure == 'excursion' and region == 'ch' and visit == 'pre' and side == 'left'")
    assert [float(v) for v in chosen["value"]] == pytest.approx([10.0], abs=0.3)
    recorded = pd.read_csv(out / "recordings.csv")
    assert recorded["subject"].tolist() == ["p1", "p1"] and recorded["frames"].tolist() == [225, 225]
    assert recorded["expressions"].tolist() == ["open_smile"] * 2 and np.isnan(recorded["tracking_drift_mm"]).all()
    own = out / "p1__pre__smile.csv"
    assert {f.name for f in own.iterdir()} == {"item.json", "summary.json", "kinematics.csv"}
    assert json.loads((own / "summary.json").read_text("utf-8"))["sequence"] == "p1/pre/smile.csv"
    measures = read_table(out)
    both = measures.query("measure == 'excursion' and region == 'ch' and side == 'left'").set_index("visit")["value"]
    assert float(both.loc["post"] / both.loc["pre"]) == pytest.approx(1.2, abs=0.03)
    assert groups_of(measures, "arm") == {"p1": "drug"}
    assert run_study(discover(str(study / "m.csv")), str(out), really, resume=True)["ok"] == 2


@pytest.mark.slow
def test_a_tracked_recording_is_what_the_command_for_one_says(tmp_path: Path) -> None:
    model = HeadModel.load()
    rest, moved = face(model, np.random.default_rng(0), 0.5)
    share = np.r_[np.zeros(8), np.sin(np.linspace(0, np.pi, 24)) ** 2, np.zeros(8)]
    frames = rest + share[:, None, None] * (moved["open_smile"] - rest)
    file = tmp_path / "study" / "p1" / "post" / "smile.npz"
    file.parent.mkdir(parents=True)
    np.savez(file, vertices=frames.astype(np.float32), faces=model.faces, fps=30.0)
    (tmp_path / "study" / "m.csv").write_text("path,kind\np1/post/smile.npz,recording\n")
    found = discover(str(tmp_path / "study" / "m.csv"))
    assert run_study(found, str(tmp_path / "out"), really)["ok"] == 1
    assert cli.run(["sequence", str(file), "--out", str(tmp_path / "one")]) == 0
    ours = pd.read_csv(tmp_path / "out" / "kinematics.csv")
    theirs = pd.read_csv(tmp_path / "one" / "kinematics.csv").rename(columns={"place": "region"})
    assert set(ours["subject"]) == {"p1"} and set(ours["visit"]) == {"post"}
    pd.testing.assert_frame_equal(ours[list(theirs.columns)], theirs)
    assert not list((tmp_path / "out").glob("*/tracked.npz"))  # no geometry unless it is asked for
    run_study(found, str(tmp_path / "out"), really, report=True, resume=True)
    assert {"report.html", "summary.json", "frames.csv"} <= {f.name for f in (tmp_path / "out").glob("*/*")}
