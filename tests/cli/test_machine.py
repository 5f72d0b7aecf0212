"""The doctor: what is broken is named with the line that mends it, and never breaks the doctor."""

import json
import os
import signal
from pathlib import Path

import pytest

from face3d import cli
from face3d.cli import machine


def test_a_probe_that_kills_its_process_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    segfault = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"
    monkeypatch.setattr(machine, "_PROBES", {"pyvista": segfault})
    check = next(check for check in machine.examine() if check.name == "pyvista")
    assert check.state == "missing"
    assert "SIGSEGV" in check.detail
    assert "apt-get install" in check.mend and "libegl1" in check.mend


def test_a_probe_that_fails_gives_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_PROBES", {"open3d": "raise OSError('libX.so: cannot open shared object file')"})
    check = next(check for check in machine.examine() if check.name == "open3d")
    assert check.detail == "OSError: libX.so: cannot open shared object file"


def test_a_chroot_without_sys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_PROBES", {})
    monkeypatch.setattr(machine, "_PROCESSORS", tmp_path / "possible")
    check = next(check for check in machine.examine() if check.name == "/sys")
    assert (check.state, check.mend) == ("missing", "sudo mount -t sysfs sysfs /sys")


def test_a_system_library_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_PROBES", {"open3d": ""})
    monkeypatch.setattr(machine, "SYSTEM_LIBRARIES", {"libnever.so.9": "libnever9"})
    check = next(check for check in machine.examine() if check.name == "system libraries")
    assert (check.state, check.mend) == ("missing", machine.apt_line(["libnever9"]))


def test_the_command_exits_with_2_when_something_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        machine, "examine", lambda: [machine.Check("EGL", "missing", "not found", "apt-get install libegl1")]
    )
    assert cli.run(["doctor", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == [
        {"name": "EGL", "state": "missing", "detail": "not found", "mend": "apt-get install libegl1"}
    ]
    assert err.count(os.linesep) == 1 and "EGL" in err


@pytest.mark.slow
def test_this_machine_is_healthy() -> None:
    assert [check for check in machine.examine() if check.state == "missing"] == []
