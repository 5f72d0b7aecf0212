"""`face3d batch` and `face3d bids`: what they print, exit codes. Measuring itself is tested elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from face3d import cli
from face3d.batch.item import Measured, Outcome, Task, run
from face3d.errors import ScanError
from face3d.visits import named_by

HEADER = "subject,visit,measure,expression,region,side,value,unit,uncertainty,status,source\n"


def measured(task: Task, path: Path, build: Path) -> Measured:
    if "bad" in task.item.name:
        raise ScanError("no face in it")
    subject, visit = named_by(path)
    rows = f"{subject},{visit or ''},m,rest,eye,left,1.5,mm,,ok,face3d\n"
    row = {"subject": subject, "visit": visit or "", "date": None, "affected_side": "left"}
    return Measured(row, {"measures.csv": HEADER + rows, "result.json": "{}"})


def in_this_process(tasks: list[Task], *_: object, **__: object) -> Iterator[Outcome]:
    return (run(task, measured) for task in tasks)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("face3d.batch.local.run_here", in_this_process)


def study_of(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "rest.ply").write_bytes(b"ply\n")
    return folder


def test_batch_from_dry_run_to_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, out = str(study_of(tmp_path / "study", "p1", "p2", "bad")), str(tmp_path / "out")
    assert cli.run(["batch", study, "--out", out, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "3 exams, 0 scans; finished already: 0" in said and "exam p1: new" in said
    assert not (tmp_path / "out").exists()
    assert cli.run(["batch", study, "--out", out]) == 4
    said = capsys.readouterr().out
    assert "2 of 3 measured" in said and "bad: refused: no face in it" in said and "measures.csv" in said
    assert cli.run(["batch", study, "--out", out]) == 2
    assert "--resume" in capsys.readouterr().err
    (tmp_path / "study" / "bad").rename(tmp_path / "study" / "p3")
    assert cli.run(["batch", study, "--out", out, "--dry-run", "--resume", "--json"]) == 0
    ahead = json.loads(capsys.readouterr().out)
    assert ahead == {"todo": [{"item": "p3", "kind": "exam", "why": "new"}], "finished": 2, "unread": {}}
    assert cli.run(["batch", study, "--out", out, "--resume", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["items"] == done["ok"] == 3 and done["failed"] == [] and "exams.csv" in done["tables"]
    assert cli.run(["study", out, "--out", str(tmp_path / "s"), "--change", "a", "b"]) == 2
    assert "no visit" in capsys.readouterr().err


def test_batch_in_shards_and_by_slurm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, out = str(study_of(tmp_path / "study", "p1", "p2")), str(tmp_path / "out")
    assert cli.run(["batch", study, "--out", out, "--shard", "2/2"]) == 0
    assert "1 of 1 measured; tables follow" in capsys.readouterr().out
    assert cli.run(["batch", study, "--out", out, "--shard", "1/2"]) == 0
    assert "2 of 2 measured" in capsys.readouterr().out
    assert cli.run(["batch", study, "--out", out, "--sbatch", "8", "--report"]) == 0
    script = capsys.readouterr().out
    assert "--mem=4000M" in script and "--memory 12" in script
    assert "--array=1-8" in script and "--report --workers 1 --resume --shard" in script
    for arguments, words in (
        (["--out", out, "--shard", "0/2"], "from 1 to n"),
        ([], "--out is missing"),
        (["--out", out, "--scheduler", "tcp://a:1", "--cluster", "slurm"], "give one of them"),
    ):
        assert cli.run(["batch", study, *arguments]) == 2
        assert words in capsys.readouterr().err


def test_bids_participants_then_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("sub-01/ses-a/face", "sub-01/ses-b/face", "sub-02/ses-a/face", "sub-03/ses-a/face")
    study, out = str(study_of(tmp_path / "bids", *names)), tmp_path / "out"
    call = ["bids", study, str(out)]
    assert cli.run([*call, "participant", "--participant-label", "01", "sub-02"]) == 0
    assert "3 of 3 measured; tables follow" in capsys.readouterr().out
    assert json.loads((out / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    assert (out / "sub-01__ses-b__face" / "result.json").is_file() and not (out / "measures.csv").exists()
    assert cli.run([*call, "group"]) == 4
    assert "sub-03/ses-a/face: missing" in capsys.readouterr().out
    assert cli.run([*call, "participant", "--participant_label", "03", "--session-label", "a"]) == 0
    capsys.readouterr()
    assert cli.run([*call, "participant", "--participant-label", "9"]) == 2
    assert "no sub-9; there are 01, 02, 03" in capsys.readouterr().err
    assert cli.run([*call, "participant", "03"]) == 2
    assert "which labels" in capsys.readouterr().err
