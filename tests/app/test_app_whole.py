"""Nothing left out: real exams from the upload to the report, beside the same exams by the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from serving import Server, start, zipped

from face3d.io import write_scan
from face3d.simulate.demo import demo_exam

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")]
SHOWN = ("rest", "open_smile", "brow_raise")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exam")
    exam = demo_exam()
    for expression in SHOWN:
        write_scan(folder / f"{expression}.ply", exam.scan(expression))
    return folder


def command(*arguments: str) -> float:
    """Seconds that a command of face3d takes."""
    began = time.monotonic()
    code = "import sys; from face3d.cli import run; sys.exit(run(sys.argv[1:]))"
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def added(server: Server, files: Path, visit: str, steps: set[str]) -> tuple[int, float, float]:
    """The exam's number, and seconds from the upload until it was kept and until its report can be opened; `steps`
    what the page said meanwhile."""
    data = zipped({f.name: f.read_bytes() for f in files.iterdir()})
    began = time.monotonic()
    answer = server.post("/add/archive", {"subject": "d1", "visit": visit, "archive": ("e.zip", data)})
    assert answer.status == 303, answer.text
    kept = time.monotonic() - began
    number = int(answer.headers["location"].rpartition("/")[2])
    while server.get(f"/exams/{number}/report").status != 200:
        assert time.monotonic() - began < 900, server.get(f"/exams/{number}").text
        steps |= {job["step"] for job in server.queue().values()}
        time.sleep(0.05)
    return number, kept, time.monotonic() - began


def test_an_exam_is_the_same_as_by_the_command_and_as_soon(tmp_path: Path, files: Path) -> None:
    server = start(tmp_path / "data", module="face3d.app.work", workers=1, seconds=1800)
    try:
        time.sleep(20)  # as a clinic finds it: started before
        plain, app, looked, steps = [], [], [], set()
        for number in range(3):
            out = tmp_path / f"out{number}"
            manifest = {"subject": "d1", "visit": f"v{number}", "scans": {e: f"{e}.ply" for e in SHOWN}}
            (files / "exam.json").write_text(json.dumps(manifest))
            plain.append(command("exam", str(files), "--out", str(out)))
            exam, kept, seconds = added(server, files, f"v{number}", steps)
            app.append(seconds)
            looked.append(kept)
            theirs = json.loads((out / "result.json").read_text())
            ours = json.loads(server.get(f"/exams/{exam}/files/result.json").text)
            assert ours == theirs
            assert server.get(f"/exams/{exam}/files/measures.csv").body == (out / "measures.csv").read_bytes()
            assert server.get(f"/exams/{exam}/report").body == (out / "report.html").read_bytes()
        assert {"open smile", "measuring", "drawing the report"} <= steps, steps
        told = {"face3d exam": plain, "upload to report": app, "of it until it was kept": looked}
        print({name: [round(s, 1) for s in seconds] for name, seconds in told.items()}, "s")
        assert min(app) < min(plain) + 3.0
        job = server.post("/subjects/1/compare", {"before": 1, "after": 2}).headers["location"]
        server.settled(300)
        compared = server.get(job.removeprefix(server.base) + "/report").body
        command("compare", str(tmp_path / "out0"), str(tmp_path / "out1"), "--out", str(tmp_path / "both"))
        assert compared == (tmp_path / "both" / "report.html").read_bytes()
    finally:
        server.stop()
