"""A study runs: one result an item, tables in one order, whatever happens to single items."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from batch_items import study_of, tables_of, work

from face3d.batch.discover import discover
from face3d.batch.item import Task
from face3d.batch.lane import Limits
from face3d.batch.local import run_here
from face3d.batch.study import Shard, planned, run_study
from face3d.errors import OutputError, SchemaError

LIMITS = Limits(seconds=3.0, memory_gb=8.0)
HERE = partial(run_here, workers=2, limits=LIMITS, work=work)


def in_this_process(tasks: list[Task]):
    return map(work, tasks)


def test_one_bad_item_costs_itself(tmp_path: Path) -> None:
    bad = {3: "segfault", 7: "hang", 9: "raise", 12: "kill", 15: "hog", 18: "refuse", 20: "picture"}
    contents = [bad.get(k, f"ok {k}") for k in range(24)]
    study, out = study_of(tmp_path / "study", *contents), tmp_path / "out"
    done = run_study(discover(str(study)), str(out), HERE)
    said = {row["item"]: (row["status"], row["reason"]) for row in done["failed"]}
    assert {name: status for name, (status, _) in said.items()} == {
        "s003.ply": "crashed",
        "s007.ply": "timeout",
        "s009.ply": "error",
        "s012.ply": "crashed",
        "s015.ply": "memory",
        "s018.ply": "refused",
        "s020.ply": "crashed",
    }
    assert "SIGSEGV" in said["s003.ply"][1] and "SIGKILL" in said["s012.ply"][1]
    assert "3 s" in said["s007.ply"][1] and "--timeout" in said["s007.ply"][1]
    assert "ValueError: a defect (batch_items.py:" in said["s009.ply"][1] and "no face" in said["s018.ply"][1]
    assert done["items"] == 24 and done["ok"] == 17
    regions = pd.read_csv(out / "regions.csv")
    assert regions["rms"].tolist() == [k for k in range(24) if k not in bad]
    pd.testing.assert_frame_equal(pd.read_parquet(out / "regions.parquet"), regions, check_dtype=False)
    assert pd.read_csv(out / "failures.csv")["item"].tolist() == list(said)
    assert sorted(f.parent.name for f in out.glob("*/result.json")) == [
        f"s{k:03d}.ply" for k in range(24) if k not in bad
    ]
    assert not list(out.rglob("*.png"))  # what was drawn of somebody went with the process that was killed
    assert not list((out / ".face3d-batch" / "all").iterdir())


def test_resume_does_what_is_left_and_tables_are_the_same_bytes(tmp_path: Path) -> None:
    study = study_of(tmp_path / "study", *(f"ok {k}" for k in range(6)), "refuse", "raise")
    run_study(discover(str(study)), str(tmp_path / "whole"), in_this_process)

    def stopped(tasks: list[Task]):
        for task in tasks[::-1][:4]:
            yield work(task)
        raise KeyboardInterrupt

    out = str(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        run_study(discover(str(study)), out, stopped)
    with pytest.raises(OutputError, match="--resume"):
        run_study(discover(str(study)), out, in_this_process)
    ahead = planned(discover(str(study)), out)
    assert ahead.done == 3 and sorted(ahead.why.values()) == ["failed", *["new"] * 4]
    run_study(discover(str(study)), out, in_this_process, resume=True)
    assert tables_of(Path(out)) == tables_of(tmp_path / "whole")
    ahead = planned(discover(str(study)), out)
    assert [item.name for item in ahead.todo] == ["s007.ply"]  # refused is final, a defect is tried again


def test_what_changed_is_measured_again_and_what_was_touched_is_not(tmp_path: Path) -> None:
    study, out = study_of(tmp_path / "study", "ok 1", "ok 2", "ok 3"), str(tmp_path / "out")
    run_study(discover(str(study)), out, in_this_process)
    (study / "s000.ply").touch()
    (study / "s001.ply").write_text("ok 4")  # as long as before
    os.utime(study / "s001.ply", (0, 0))  # and older
    ahead = planned(discover(str(study)), out)
    assert {i.name: ahead.why[i.folder] for i in ahead.todo} == {"s001.ply": "changed"}
    assert set(ahead.touched) == {"s000.ply"}
    assert set(planned(discover(str(study)), out, report=True).why.values()) == {"settings"} | {"changed"}
    done = run_study(discover(str(study)), out, in_this_process, resume=True)
    assert pd.read_csv(Path(out) / "regions.csv")["rms"].tolist() == [1, 4, 3] and not done["failed"]
    assert not planned(discover(str(study)), out).touched  # its new times are known now
    (study / "s002.ply").unlink()
    run_study(discover(str(study)), out, in_this_process, resume=True)
    assert pd.read_csv(Path(out) / "regions.csv")["rms"].tolist() == [1, 4]


def test_another_version_measures_everything_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, out = study_of(tmp_path / "study", "ok 1", "ok 2"), str(tmp_path / "out")
    run_study(discover(str(study)), out, in_this_process)
    monkeypatch.setattr("face3d.batch.item.key_of.__defaults__", ("9.9.9",))
    assert set(planned(discover(str(study)), out).why.values()) == {"settings"}


def test_inputs_that_change_or_vanish_while_they_are_measured(tmp_path: Path) -> None:
    study = study_of(tmp_path / "study", "change 1", "vanish", "ok 1")
    found = discover(str(study))
    (study / "s002.ply").unlink()
    done = run_study(found, str(tmp_path / "out"), in_this_process)
    said = [(row["item"], row["status"], row["reason"]) for row in done["failed"]]
    assert said == [
        ("s000.ply", "changed", "s000.ply: changed while it was measured"),
        ("s001.ply", "vanished", "s001.ply: is no longer there"),
        ("s002.ply", "vanished", "s002.ply: is no longer there"),
    ]


def test_shards_make_the_same_tables_and_the_last_one_writes_them(tmp_path: Path) -> None:
    study = study_of(tmp_path / "study", *(f"ok {k}" for k in range(9)), "refuse")
    run_study(discover(str(study)), str(tmp_path / "whole"), in_this_process)
    out = str(tmp_path / "out")
    for number in (3, 1, 4):
        done = run_study(discover(str(study)), out, in_this_process, shard=Shard(number, 4))
        assert done["tables"] == []
    assert run_study(discover(str(study)), out, in_this_process, shard=Shard.named("2/4"))["items"] == 10
    assert tables_of(Path(out)) == tables_of(tmp_path / "whole")
    for text in ("0/4", "5/4", "a", "1/0"):
        with pytest.raises(SchemaError, match="from 1 to n"):
            Shard.named(text)


def exam_at(folder: Path, text: str = "ok 1") -> None:
    folder.mkdir(parents=True)
    (folder / "rest.ply").write_text(text)


def test_exams_follow_by_date_and_two_of_one_visit_are_not_averaged(tmp_path: Path) -> None:
    study = tmp_path / "study"
    for visit, text in (("a", "dated 2024-03-01"), ("b", "dated 2024-01-01"), ("c", "dated 2024-02-01")):
        exam_at(study / "p1" / visit, text)
    exam_at(study / "p0", "refuse")
    (tmp_path / "study" / "manifest.csv").write_text(
        "path,visit\np0,\np1/a,a\np1/b,b\np1/c,c\n",
    )
    found = discover(str(study / "manifest.csv"))
    done = run_study(found, str(tmp_path / "out"), in_this_process)
    measures = pd.read_csv(tmp_path / "out" / "measures.csv")
    assert list(zip(measures["subject"], measures["visit"].fillna(""), strict=True)) == [
        ("p0", ""),
        ("p1", "b"),
        ("p1", "c"),
        ("p1", "a"),
    ]
    assert measures["measure"].tolist()[0] == "exam" and "no face" in measures["status"].tolist()[0]
    assert done["ok"] == 3
    exam_at(study / "p2" / "x")
    exam_at(study / "p2" / "y")
    done = run_study(discover(str(study)), str(tmp_path / "out2"), in_this_process)
    twice = [row for row in done["failed"] if row["status"] == "twice"]
    assert twice[-1]["item"] == "p2/y" and "p2/x is p2 too" in twice[-1]["reason"]


def test_a_run_that_was_taken_over_from_cannot_write_any_more(tmp_path: Path) -> None:
    study = study_of(tmp_path / "study", "ok 1")
    out, task = tmp_path / "out", None

    def late(tasks: list[Task]):
        nonlocal task
        (task,) = tasks
        return iter(())

    run_study(discover(str(study)), str(out), late)
    assert task is not None
    assert work(task).status == "stopped" and not (out / "s000.ply").exists()
    shutil.rmtree(out)
