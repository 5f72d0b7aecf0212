"""A server of the app in a process of its own, and somebody who asks it: plain HTTP, as a browser sends it."""

from __future__ import annotations

import http.client
import io
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

#: A server whose exams are measured in a moment; see `doing.py`.
RUN = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from face3d.app.receive import Bounds
from face3d.app.server import opened
from face3d.batch.lane import Limits
from {module} import work

if __name__ == "__main__":
    bounds = Bounds(**{bounds!r})
    with opened(Path({data!r}), {roots}, 0, {workers}, Limits({seconds}), bounds, work) as (address, run):
        print(address, flush=True)
        run()
"""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass
class Server:
    """A started server: `address` with its token."""

    process: subprocess.Popen[bytes]
    address: str
    data: Path
    cookie: str = ""
    csrf: str = ""
    base: str = field(init=False)
    host: str = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        self.host, self.base = parts.netloc, parts.path.rstrip("/")
        entered = self.get("/?" + parts.query)
        self.cookie = entered.headers["set-cookie"].partition(";")[0]
        self.csrf = re.findall(r'name="csrf" value="([^"]+)"', self.get("/add").text)[0]

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=120)
        try:
            own = {"Cookie": self.cookie} if self.cookie else {}
            connection.request(method, self.base + path, body, own | (headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def post(self, path: str, fields: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
        """A form; files as (name, bytes)."""
        body, kind = multipart({"csrf": self.csrf, **fields})
        own = {"Content-Type": kind, "Origin": f"http://{self.host}"}
        return self.ask("POST", path, body, own | (headers or {}))

    def queue(self) -> dict[str, Any]:
        import json

        return json.loads(self.get("/queue.json").text)

    def settled(self, seconds: float = 120.0) -> None:
        """Waits until nothing is left to be done."""
        end = time.monotonic() + seconds
        while self.queue():
            assert time.monotonic() < end, self.queue()
            time.sleep(0.05)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


def start(
    data: Path,
    module: str = "doing",
    workers: int = 2,
    seconds: float = 60.0,
    roots: tuple[Path, ...] = (),
    bounds: dict[str, Any] | None = None,
    **environment: str,
) -> Server:
    """A server on `data`; the function `work` of `module` does its jobs. Room on the disk is not asked for."""
    code = data.parent / f"serve-{secrets.token_hex(4)}.py"
    folders = "(" + "".join(f"Path({str(r)!r})," for r in roots) + ")"
    told = {"spare": 0} | (bounds or {})
    text = RUN.format(
        path=sys.path, module=module, data=str(data), workers=workers, seconds=seconds, roots=folders, bounds=told
    )
    code.write_text(text)
    process = subprocess.Popen(
        [sys.executable, str(code)], stdout=subprocess.PIPE, env={**os.environ, **environment}, start_new_session=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().decode().strip()
    assert address.startswith("http://127.0.0.1:"), process.wait(10)
    return Server(process, address, data)


def multipart(fields: dict[str, Any]) -> tuple[bytes, str]:
    mark = secrets.token_hex(12)
    out = io.BytesIO()
    for name, value in fields.items():
        for each in value if isinstance(value, list) else [value]:
            out.write(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"'.encode())
            if isinstance(each, tuple):
                out.write(f'; filename="{each[0]}"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode())
                out.write(each[1])
            else:
                out.write(b"\r\n\r\n" + str(each).encode())
            out.write(b"\r\n")
    out.write(f"--{mark}--\r\n".encode())
    return out.getvalue(), f"multipart/form-data; boundary={mark}"


def ply(seed: int = 0) -> bytes:
    """A dome of the size of a face: enough for whoever only looks whether a scan can be read."""
    rng = np.random.default_rng(seed)
    points = np.column_stack([rng.uniform(-70, 70, 60), rng.uniform(-100, 100, 60), rng.uniform(0, 5, 60)])
    points = np.vstack([points, [[-75, -105, 0], [75, 105, 0]]])
    head = (
        f"ply\nformat ascii 1.0\nelement vertex {len(points)}\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    )
    return (head + "\n".join(f"{x:.3f} {y:.3f} {z:.3f}" for x, y, z in points) + "\n3 0 1 2\n").encode()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def exam_zip(seed: int = 0, **more: bytes) -> bytes:
    """An exam of two small scans."""
    return zipfile_of(seed) if not more else zipped({**_two(seed), **more})


def zipfile_of(seed: int) -> bytes:
    return zipped(_two(seed))


def _two(seed: int) -> dict[str, bytes]:
    return {"rest.ply": ply(2 * seed), "open_smile.ply": ply(2 * seed + 1)}


def upload_head(server: Server, *more: str) -> str:
    """The head of an upload, as a browser would send it, with further lines."""
    lines = [
        f"POST {server.base}/add/archive HTTP/1.1",
        f"Host: {server.host}",
        f"Origin: http://{server.host}",
        f"Cookie: {server.cookie}",
        "Content-Type: multipart/form-data; boundary=x",
        *more,
    ]
    return "\r\n".join(lines) + "\r\n\r\n"
