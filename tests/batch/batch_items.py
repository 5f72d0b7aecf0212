"""Items measured in a moment, and those that go wrong, each in its own way, by what stands in their files."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from pathlib import Path

from face3d.batch.item import Measured, Outcome, Task, run
from face3d.errors import ScanError

#: A run of its own, to be killed.
RUN = """
import os, sys
sys.path[:0] = {path!r}
os.environ["SLOW_ITEMS"] = "1"
from functools import partial
from batch_items import work
from face3d.batch.discover import discover
from face3d.batch.lane import Limits
from face3d.batch.local import run_here
from face3d.batch.study import run_study

if __name__ == "__main__":
    print("begun", flush=True)
    running = partial(run_here, workers=2, limits=Limits(60.0), work=work)
    run_study(discover({study!r}), {out!r}, running, resume=True)
"""

HEADER = "subject,visit,measure,expression,region,side,value,unit,uncertainty,status,source\n"


def measured(task: Task, path: Path, build: Path) -> Measured:
    """The file says what happens: "ok 1.5", "refuse", "segfault", "kill", "hang", "hog", "raise"; "slow 0.2" takes
    its time where SLOW_ITEMS is set."""
    file = path / "rest.ply" if path.is_dir() else path
    word, _, rest = file.read_text().strip().partition(" ")
    value = 0.0
    if word == "ok":
        value = float(rest)
    elif word == "slow":
        value = float(rest)
        time.sleep(value if os.environ.get("SLOW_ITEMS") else 0.0)
    elif word == "refuse":
        raise ScanError(f"{task.item.name}: no face in it")
    elif word == "segfault":
        ctypes.string_at(0)
    elif word == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "hang":
        time.sleep(600)
    elif word == "hog":
        bytearray(1 << 36)
    elif word == "raise":
        raise ValueError("a defect")
    elif word == "change":
        file.write_text(f"ok {rest} ")
    elif word == "vanish":
        file.unlink()
    elif word == "picture":
        import tempfile

        Path(tempfile.mkdtemp(), "face.png").write_text("somebody")
        os.kill(os.getpid(), signal.SIGKILL)
    subject = task.item.name.split("/")[0].removesuffix(".ply")
    if task.item.kind == "exam":
        row = {"subject": subject, "visit": task.item.fact("visit") or "", "date": rest if word == "dated" else None}
        csv = f"{HEADER}{subject},{row['visit']},m,rest,eye,left,{value},mm,,ok,face3d\n"
        return Measured(row | {"value": value}, {"result.json": json.dumps({"value": value}), "measures.csv": csv})
    row = {"scan": task.item.name, "subject": "", "visit": "", "vertices": 3, "notes": ""}
    csv = f"scan,region,rms\n{task.item.name},face,{value}\n"
    return Measured(row | {"rms": value}, {"result.json": json.dumps({"value": value}), "regions.csv": csv})


def work(task: Task) -> Outcome:
    """A task, measured in a moment."""
    return run(task, measured)


def study_of(folder: Path, *contents: str) -> Path:
    """Scans s000.ply, s001.ply, ... with these contents."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(contents):
        (folder / f"s{number:03d}.ply").write_text(text)
    return folder


def tables_of(out: Path) -> dict[str, bytes]:
    """All tables in a folder of results, name -> bytes."""
    files = [f for f in out.rglob("*") if f.is_file() and (f.parent == out or f.parent.suffix == ".parquet")]
    return {str(f.relative_to(out)): f.read_bytes() for f in files}
