"""Power cuts, full disks, two runs at a time, clocks that jump: nothing lost, nothing half written."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from batch_items import RUN, study_of, tables_of, work

from face3d.batch.discover import discover
from face3d.batch.item import Task
from face3d.batch.lane import Limits
from face3d.batch.local import run_here
from face3d.batch.lock import claimed
from face3d.batch.places import place_of
from face3d.batch.study import planned, run_study
from face3d.errors import OutputError
from marked_processes import marked


def in_this_process(tasks: list[Task]):
    return map(work, tasks)


def killed_and_resumed(tmp_path: Path, kills: int, items: int, longest: float) -> int:
    """Kills a run at random moments and goes on; returns how many times it was still at work. Items take their time in
    the runs that are killed alone."""
    study = study_of(tmp_path / "study", *(f"slow 0.{k % 5}" for k in range(items)), "refuse")
    run_study(discover(str(study)), str(tmp_path / "whole"), in_this_process)
    out, code = tmp_path / "out", tmp_path / "run.py"
    code.write_text(RUN.format(path=sys.path, study=str(study), out=str(out)))
    rng, ended = random.Random(0), 0
    for _ in range(kills):
        child = subprocess.Popen([sys.executable, str(code)], stdout=subprocess.PIPE, start_new_session=True)
        assert child.stdout is not None and child.stdout.readline() == b"begun\n"
        time.sleep(rng.uniform(0.0, longest))
        ended += child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.communicate()
    run_study(discover(str(study)), str(out), in_this_process, resume=True)
    assert tables_of(out) == tables_of(tmp_path / "whole")
    assert not planned(discover(str(study)), str(out)).todo
    return ended


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_tables_are_the_same_bytes_after_kills(tmp_path: Path) -> None:
    assert killed_and_resumed(tmp_path, 2, 60, 2.5) == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_tables_are_the_same_bytes_after_fifty_kills(tmp_path: Path) -> None:
    assert killed_and_resumed(tmp_path, 50, 500, 2.5) >= 40


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, out = study_of(tmp_path / "study", *(f"ok {k}" for k in range(5))), tmp_path / "out"
    run_study(discover(str(study)), str(tmp_path / "whole"), in_this_process)
    write, left = Path.write_bytes, [3]

    def full(self: Path, data: bytes) -> int:
        if tmp_path / "out" in self.parents:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"No space left.*--resume"):
        run_study(discover(str(study)), str(out), in_this_process)
    monkeypatch.undo()
    assert planned(discover(str(study)), str(out)).done == 1  # two files an item
    run_study(discover(str(study)), str(out), in_this_process, resume=True)
    assert tables_of(out) == tables_of(tmp_path / "whole")


def test_a_disk_that_is_full_when_tables_are_written_keeps_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, out = study_of(tmp_path / "study", "ok 1", "ok 2"), tmp_path / "out"
    run_study(discover(str(study)), str(out), in_this_process)
    before = tables_of(out)
    study_of(tmp_path / "study", "ok 1", "ok 3")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "regions.csv")

    monkeypatch.setattr("face3d.batch.tables._Table._write", full)
    with pytest.raises(OutputError, match="No space left"):
        run_study(discover(str(study)), str(out), in_this_process, resume=True)
    assert tables_of(out) == before
    monkeypatch.undo()
    run_study(discover(str(study)), str(out), in_this_process, resume=True)
    assert tables_of(out) != before


def test_an_output_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    study = study_of(tmp_path / "study", "ok 1")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/out: cannot be written"):
        run_study(discover(str(study)), str(tmp_path / "file" / "out"), in_this_process)
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o500)
    if os.access(shut, os.W_OK):
        pytest.skip("root writes everywhere")
    with pytest.raises(OutputError, match="cannot be written"):
        run_study(discover(str(study)), str(shut / "out"), in_this_process)


def test_one_run_at_a_time_its_owner_named_and_the_dead_hold_nothing(tmp_path: Path) -> None:
    out = str(tmp_path)
    place = place_of(out)
    hold = "import sys, time; sys.path[:0] = {path!r}\n"
    hold += "from face3d.batch.lock import claimed\nfrom face3d.batch.places import place_of\n"
    hold += "with claimed(place_of({out!r}), {out!r}, {claim!r}):\n    print('mine', flush=True)\n    time.sleep(300)\n"
    command = [sys.executable, "-c", hold.format(path=sys.path, out=out, claim="shard-1-of-2")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None and child.stdout.readline() == b"mine\n"
        for claim in ("shard-1-of-2", "all"):
            with pytest.raises(OutputError, match=f"process {child.pid}"), claimed(place, out, claim):
                raise AssertionError("held by two")
        with claimed(place, out, "shard-2-of-2"):
            pass
    finally:
        child.kill()
        child.communicate()
    for claim in ("shard-1-of-2", "all"):
        with claimed(place, out, claim):
            pass


def test_where_there_are_no_locks_the_owner_counts_while_it_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    out, lock = str(tmp_path), tmp_path / ".face3d-batch" / "all.lock"
    with claimed(place_of(out), out):
        with pytest.raises(OutputError, match=f"process {os.getpid()}"), claimed(place_of(out), out):
            raise AssertionError("held by two")
        held = lock.read_text()
    lock.write_text(held.replace(f'"process": {os.getpid()}', '"process": 999999999'))
    with claimed(place_of(out), out):
        pass
    lock.write_text(held.replace('"born": "', '"born": "1'))  # another process has its number now
    with claimed(place_of(out), out):
        pass


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at /proc")
def test_killed_workers_end_no_run(tmp_path: Path) -> None:
    """Whatever a worker was at, or if it was idle: it costs at most the item that it had."""
    study = study_of(tmp_path / "study", *(f"slow 0.0{k % 5}" for k in range(60)))
    out, code, mark = tmp_path / "out", tmp_path / "run.py", f"MARK={random.Random().random()}"
    code.write_text(RUN.format(path=sys.path, study=str(study), out=str(out)))
    name, _, value = mark.partition("=")
    run = subprocess.Popen([sys.executable, str(code)], env={**os.environ, name: value})
    rng, kills, end = random.Random(1), 0, time.monotonic() + 120
    while run.poll() is None and time.monotonic() < end:
        time.sleep(rng.uniform(0.0, 0.4))
        others = [process for process in marked(mark) if process != run.pid]
        if others and kills < 8:
            os.kill(rng.choice(others), signal.SIGKILL)
            kills += 1
    assert run.wait(1) == 0 and kills >= 3
    records = [json.loads(file.read_text()) for file in out.glob("*/item.json")]
    lost = [record for record in records if record["status"] != "ok"]
    assert len(records) == 60 and len(lost) <= kills and {record["status"] for record in lost} <= {"crashed"}


def test_clocks_that_jump_end_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOW_ITEMS", "1")
    study = study_of(tmp_path / "study", *["slow 0.5"] * 3)
    real, jumps = time.time, iter([0, 1e6, -1e6, 1e7] * 10_000)
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    done = run_study(discover(str(study)), str(tmp_path / "out"), lambda tasks: run_here(tasks, 2, Limits(30.0), work))
    assert done["ok"] == 3 and not done["failed"]


def test_a_record_cut_short_is_made_again(tmp_path: Path) -> None:
    study, out = study_of(tmp_path / "study", "ok 1", "ok 2"), tmp_path / "out"
    run_study(discover(str(study)), str(out), in_this_process)
    record = out / "s000.ply" / "item.json"
    record.write_bytes(record.read_bytes()[:100])
    (out / "s001.ply" / "item.json").write_bytes(b"")
    assert set(planned(discover(str(study)), str(out)).why.values()) == {"new"}


def test_resuming_a_finished_study_reads_no_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, out = study_of(tmp_path / "study", *(f"ok {k}" for k in range(200))), str(tmp_path / "out")
    run_study(discover(str(study)), out, in_this_process)

    def read(*_: object) -> str:
        raise AssertionError("the content of what did not change was read")

    monkeypatch.setattr("face3d.batch.sources._sha256", read)
    monkeypatch.setattr("face3d.batch.tables._written", read)
    began = time.process_time()
    done = run_study(discover(str(study)), out, in_this_process, resume=True)
    assert done["ok"] == 200
    assert time.process_time() - began < 2.0  # 3 s are allowed for 2,000
