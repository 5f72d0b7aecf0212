"""Ctrl-C: heard at once, whatever the workers are busy with, and nothing half-done left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from face3d import cli
from face3d.io import write_scan
from face3d.scan import FaceScan
from face3d.template.template import FaceTemplate

#: `face3d exam` whose scans each take half a minute to look at.
SLOW = """
import sys, time
from face3d.template import exam_fit

def see(scan, at_rest=False):
    print("looking", flush=True)
    time.sleep(30)

exam_fit.see_scan = see
from face3d import cli
cli.main()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_an_exam_at_once(tmp_path: Path) -> None:
    template = FaceTemplate.load()
    for name in ("rest", "open_smile", "snarl", "brow_raise"):
        write_scan(tmp_path / f"{name}.ply", FaceScan(template.vertices, template.faces))
    command = [sys.executable, "-c", SLOW, "exam", str(tmp_path), "--out", str(tmp_path / "out")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert "looking" in child.stdout.readline()
    time.sleep(0.2)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=25)
    assert time.monotonic() - began < 5.0
    assert child.returncode == 130
    assert err == "face3d: interrupted\n"
    assert not (tmp_path / "out").exists()


def test_a_command_that_is_interrupted_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("face3d.io.exam.read_exam", interrupted)
    assert cli.run(["exam", "anything"]) == 130
    assert capsys.readouterr().err == "face3d: interrupted\n"
