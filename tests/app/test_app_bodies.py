"""Bodies that are too large, tell no length, or come too slowly end before they cost anything."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest
from serving import Server, start, upload_head

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    bounds = {"body": 20 << 20, "idle": 1.0, "grace": 1.0, "slowest": 50e3}
    started = start(tmp_path_factory.mktemp("app") / "data", bounds=bounds)
    yield started
    started.stop()


def raw(server: Server, head: str, body: bytes = b"", wait: float = 0.0) -> bytes:
    """What the server answers to bytes that no client would send."""
    host, _, port = server.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        time.sleep(wait)
        got = b""
        try:
            while block := connection.recv(65536):
                got += block
        except ConnectionResetError:
            pass
        return got


def test_too_large_bodies_are_refused_before_they_are_read(server: Server) -> None:
    assert b" 413 " in raw(server, upload_head(server, f"Content-Length: {2 << 30}"))
    assert b" 413 " in raw(server, upload_head(server, "Content-Length: 99999999999999999999"))


def test_a_body_that_tells_no_length_is_cut_at_the_limit(server: Server) -> None:
    part = f'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{server.csrf}\r\n'
    part += '--x\r\nContent-Disposition: form-data; name="archive"; filename="a.zip"\r\n\r\n'
    host, _, port = server.host.partition(":")
    sent = 0
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(upload_head(server, "Transfer-Encoding: chunked").encode())
        block = part.encode()
        try:
            while sent < 200 << 20:
                connection.sendall(f"{len(block):x}\r\n".encode() + block + b"\r\n")
                sent, block = sent + len(block), b"0" * (1 << 20)
        except OSError:
            pass
    assert sent < 60 << 20
    assert not list((server.data / "incoming").iterdir())


def test_slow_bodies_and_slow_heads_are_ended(server: Server) -> None:
    began = time.monotonic()
    answer = raw(server, upload_head(server, "Content-Length: 1000"), b"--x\r\nContent-Disposition")
    assert b" 408 " in answer and time.monotonic() - began < 8
    assert not list((server.data / "incoming").iterdir())
    host, _, port = server.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(upload_head(server, "Content-Length: 10000000").encode())
        part = f'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{server.csrf}\r\n--x\r\nContent-'
        connection.sendall(part.encode())
        for _ in range(20):  # a byte now and then is not enough
            time.sleep(0.2)
            try:
                connection.sendall(b"D")
            except OSError:
                break
        assert b" 408 " in connection.recv(65536)
    assert server.get("/").status == 200
