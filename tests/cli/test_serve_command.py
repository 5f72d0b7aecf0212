"""`face3d serve`: it says where it is, answers there and nowhere else, and ends by Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from face3d.cli import run


def test_what_it_cannot_use_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    assert run(["serve", str(tmp_path)]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert run(["serve", str(tmp_path / "data"), "--root", str(tmp_path / "nowhere")]) == 2
    assert "give --root a folder" in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run(["serve", str(tmp_path / "data"), "--port", str(taken.getsockname()[1])]) == 2
    assert "give another with --port" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_it_says_where_it_is_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    code = "import sys; from face3d.cli import run; sys.exit(run(sys.argv[1:]))"
    arguments = [sys.executable, "-c", code, "serve", str(tmp_path / "data"), "--port", "0", "--json"]
    server = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None
    told = ""
    while not told.rstrip().endswith("}"):
        line = server.stdout.readline()
        assert line, server.communicate()
        told += line
    address = json.loads(told)["address"]
    assert address.startswith("http://127.0.0.1:")
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(address, timeout=60) as answer:
        assert "No exam yet" in answer.read().decode() and "token" not in answer.url
    listening = Path("/proc/net/tcp")
    if listening.exists():
        port = f":{int(address.split(':')[2].split('/')[0]):04X}"
        rows = [line.split() for line in listening.read_text().splitlines()[1:]]
        here = {row[1] for row in rows if row[1].endswith(port) and row[3] == "0A"}
        assert here == {f"0100007F{port}"}  # 127.0.0.1, and no other address
    server.send_signal(signal.SIGINT)
    _, said = server.communicate(timeout=60)
    assert server.returncode == 0, said
    assert "Traceback" not in said
