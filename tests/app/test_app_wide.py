"""Two hundred uploads, fifty of them hostile, many at a time: none of these gets through, all others are done."""

from __future__ import annotations

import os
import random
import re
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hostile_uploads import archives, contents
from serving import Server, exam_zip, ply, start, upload_head

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")]


def raw(server: Server, head: list[str], blocks: list[bytes], pause: float = 0.0) -> int:
    """The status of what is sent in pieces; 0 where the connection was cut."""
    host, _, port = server.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        try:
            connection.sendall(upload_head(server, *head).encode())
            for block in blocks:
                connection.sendall(block)
                time.sleep(pause)
        except OSError:
            pass
        try:
            found = re.match(rb"HTTP/1.1 (\d+)", connection.recv(65536))
        except OSError:
            return 0
        return int(found.group(1)) if found else 0


def attacks(server: Server) -> dict[str, object]:
    """Fifty: name -> what sends it, and returns its status."""
    start_of = (
        f'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{server.csrf}\r\n'
        '--x\r\nContent-Disposition: form-data; name="archive"; filename="a.zip"\r\n\r\n'
    ).encode()
    out: dict[str, object] = {}
    for name, data in (archives() | contents()).items():
        out[name] = lambda n=name, d=data: (
            server.post("/add/archive", {"subject": f"bad {n}", "archive": ("e.zip", d)}).status
        )
    for number in range(5):
        out[f"2 GB {number}"] = lambda: raw(server, [f"Content-Length: {2 << 30}"], [start_of, *[bytes(1 << 20)] * 50])
        block = bytes(1 << 20)
        chunks = [b"%x\r\n" % len(b) + b + b"\r\n" for b in (start_of, *[block] * 200)]
        out[f"endless {number}"] = lambda c=chunks: raw(server, ["Transfer-Encoding: chunked"], c)
    for number in range(5):
        out[f"slow {number}"] = lambda: raw(server, ["Content-Length: 100000"], [start_of, *[b"x"] * 60], 0.2)
    for name in ("/etc/rest.sh", "..", "rest.exe", "exam-2.json", ".rest.ply", "rest.ply.bat", "a:b.ply", "x" * 300):
        files = {"subject": "bad", "scan-rest": (name, ply())}
        out[f"named {name}"] = lambda f=files: server.post("/add/files", f).status
    return dict(list(out.items())[:50])


def test_two_hundred_uploads_of_which_fifty_are_hostile(tmp_path: Path) -> None:
    bounds = {"body": 64 << 20, "idle": 3.0, "grace": 3.0}
    server = start(tmp_path / "data", module="planted_doing", workers=2, seconds=300, bounds=bounds)
    try:
        bad = attacks(server)
        assert len(bad) == 50
        good = {
            f"good {k}": lambda k=k: (
                server.post("/add/archive", {"subject": f"p{k:03d}", "archive": ("e.zip", exam_zip(k))}).status
            )
            for k in range(150)
        }
        sent = [*bad.items(), *good.items()]
        random.Random(0).shuffle(sent)
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            answers = dict(zip([n for n, _ in sent], pool.map(lambda pair: pair[1](), sent), strict=True))
        taken = time.monotonic() - began
        server.settled(3000)
        done = time.monotonic() - began
        assert {answers[n] for n in good} == {303}
        refused = Counter(answers[n] for n in bad)
        assert set(refused) <= {0, 408, 413, 422}, {n: answers[n] for n in bad if answers[n] not in (0, 408, 413, 422)}
        index = server.get("/").text
        assert "bad" not in index and len(re.findall(r">report<", index)) == 150
        assert "could not" not in index and "failed" not in index
        assert len(list((server.data / "exams").iterdir())) == 150
        assert not list((server.data / "incoming").iterdir())
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        peak = int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024
        print(f"taken in {taken:.0f} s, done after {done:.0f} s; refused {dict(refused)}; server at most {peak:.0f} MB")
        assert peak < 600
    finally:
        server.stop()
