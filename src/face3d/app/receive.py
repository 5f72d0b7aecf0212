"""Forms and files as they stream in: to the disk piece by piece, within limits of size, number and time."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from face3d.extras import require

#: The field that comes first in every form, and says that the form is ours.
CSRF = "csrf"
_MB = 1 << 20


class RefusedError(Exception):
    """What comes in is not taken: the HTTP status, and why in words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


@dataclass(frozen=True)
class Bounds:
    """`body` bytes of one request (ten scans of 200,000 vertices as text, with textures, have 300 MB); `files` in it;
    `text` bytes of a field that is no file (Slicer's landmarks: 8 MB are read); `idle` seconds without a byte;
    `slowest` bytes a second on average, once `grace` seconds have passed, and `longest` seconds in all; `at_once`
    uploads at a time, others wait `patience` seconds; `spare` bytes that stay free on the disk."""

    body: int = 1 << 30
    files: int = 60
    text: int = 8 << 20
    idle: float = 20.0
    slowest: float = 20e3
    grace: float = 30.0
    longest: float = 3600.0
    at_once: int = 4
    patience: float = 120.0
    spare: int = 1 << 30


@dataclass(frozen=True)
class Upload:
    """A file that came: the `field` and `name` that the form gave it, where it lies now, and its bytes."""

    field: str
    name: str
    path: Path
    size: int


@dataclass(frozen=True)
class Form:
    """What a form said: `fields` and `files`; a file field that was left empty is not there."""

    fields: Mapping[str, str]
    files: tuple[Upload, ...]

    def __getitem__(self, name: str) -> str:
        """A field without blanks around it, "" where it is not there."""
        return self.fields.get(name, "").strip()


@dataclass
class _Part:
    headers: dict[str, bytes] = field(default_factory=dict)
    name: str = ""
    filename: str | None = None
    text: bytearray = field(default_factory=bytearray)
    out: BinaryIO | None = None
    path: Path = field(default_factory=Path)
    size: int = 0


class _Reader:
    """Takes a multipart body apart as it comes. `token`: what the first field must hold."""

    def __init__(self, boundary: bytes, folder: Path, bounds: Bounds, token: str) -> None:
        self.fields: dict[str, str] = {}
        self.files: list[Upload] = []
        self.ended = False
        self._folder, self._bounds, self._token = folder, bounds, token
        self._part, self._header, self._value = _Part(), b"", b""
        self._parts = 0
        multipart = require("python_multipart.multipart")
        self._parser = multipart.MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._field,
                "on_header_value": self._content,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
        )
        self._damage = multipart.FormParserError

    def feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except self._damage:
            raise RefusedError(400, "The form is damaged.") from None

    def close(self) -> None:
        if self._part.out is not None:
            self._part.out.close()

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > 4 * self._bounds.files:
            raise RefusedError(413, "The form has too many fields.")
        self._part, self._header, self._value = _Part(), b"", b""

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _content(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._part.headers[self._header.decode("latin-1").lower()] = self._value
        self._header, self._value = b"", b""

    def _headers(self) -> None:
        part = self._part
        stated = part.headers.get("content-disposition", b"").decode("utf-8", "replace")
        # Browsers write %22 for a quote in a name: nothing has to be unescaped to find its end.
        told = dict(re.findall(r';\s*(name|filename)="([^"]*)"', stated))
        part.name, part.filename = told.get("name", ""), told.get("filename")
        if self._parts == 1 and (part.name != CSRF or part.filename is not None):
            raise RefusedError(403, "This form does not come from the app. Load the page again.")
        if part.filename:
            if len(self.files) >= self._bounds.files:
                raise RefusedError(413, f"More than {self._bounds.files} files at a time.")
            part.path = self._folder / f"upload-{self._parts}"
            part.out = part.path.open("xb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        part.size += end - start
        if part.out is not None:
            part.out.write(data[start:end])
        elif part.filename is None:
            if part.size > self._bounds.text:
                raise RefusedError(413, f"{part.name[:40]}: more than {self._bounds.text // _MB} MB of text.")
            part.text += data[start:end]

    def _end(self) -> None:
        part = self._part
        if part.out is not None:
            part.out.close()
            part.out = None
            self.files.append(Upload(part.name, part.filename or "", part.path, part.size))
        elif part.filename is None:
            self.fields[part.name] = part.text.decode("utf-8", "replace")
            if self._parts == 1 and not _same(self.fields[CSRF], self._token):
                raise RefusedError(403, "This form is of an earlier start of the app. Load the page again.")

    def _finish(self) -> None:
        self.ended = True


async def received(
    headers: Mapping[str, str],
    receive: Callable[[], Awaitable[Any]],
    folder: Path,
    bounds: Bounds,
    token: str,
) -> Form:
    """A form, its files in `folder`. Raises `RefusedError`, and OSError of a full disk; what is in the folder then is
    for the caller to remove."""
    kind = re.fullmatch(
        r'multipart/form-data;.*?boundary="?([\w\'()+,./:=? -]{1,70})"?', headers.get("content-type", "")
    )
    if kind is None:
        raise RefusedError(415, "A form with multipart/form-data is expected.")
    if shutil.disk_usage(folder).free - int(headers.get("content-length") or 0) < bounds.spare:
        raise RefusedError(507, "The disk is full: nothing was kept. Make room, then send it again.")
    reader = _Reader(kind.group(1).rstrip().encode(), folder, bounds, token)
    try:
        async for block in _body(receive, bounds):
            reader.feed(block)
    finally:
        reader.close()
    if not reader.ended:
        raise RefusedError(400, "The form is cut short.")
    return Form(reader.fields, tuple(reader.files))


async def _body(receive: Callable[[], Awaitable[Any]], bounds: Bounds) -> AsyncIterator[bytes]:
    """The blocks of a body; ends one that is too large, too slow, or broken off."""
    began, total = time.monotonic(), 0
    while True:
        try:
            message = await asyncio.wait_for(receive(), bounds.idle)
        except TimeoutError:
            raise RefusedError(408, "Nothing came for a while; send it again.") from None
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "The connection broke off.")
        block = message.get("body", b"")
        total += len(block)
        passed = time.monotonic() - began
        if total > bounds.body:
            raise RefusedError(413, too_large(bounds))
        if passed > bounds.longest or (passed > bounds.grace and total < bounds.slowest * passed):
            raise RefusedError(408, "It came too slowly; send it again.")
        if block:
            yield block
        if not message.get("more_body", False):
            return


def too_large(bounds: Bounds) -> str:
    """What is said of a body over its limit."""
    return f"More than {bounds.body // _MB} MB at a time; an exam of ten scans with textures has some 300 MB."


def _same(a: str, b: str) -> bool:
    import hmac

    return hmac.compare_digest(a.encode(), b.encode())
