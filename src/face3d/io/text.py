"""Numbers in text, a whole block of lines at a time: fast, strict, and it knows which line is wrong."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.values import Value

_NEWLINE, _SPACE = 10, 32

# The vertices, normals, texture coordinates and faces of the largest scan that is read; checked before an array of the
# lines is made.
MAX_LINES = 16_000_000


def plain(name: str, data: bytes) -> bytes:
    """The text without byte-order mark, UTF-16 decoded, bare carriage returns made newlines; ends with a newline.

    Raises `ScanError` when the bytes are no text.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise ScanError(f"{name}: starts as UTF-16 text but is not ({error.reason}); save it as UTF-8") from None
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = data.count(b"\n")
    if lines > MAX_LINES:
        raise ScanError(f"{name}: {lines} lines; at most {MAX_LINES} are read; decimate the scan first")
    buffer = np.frombuffer(data, np.uint8)
    control = (buffer < _SPACE) & ((buffer - np.uint8(9)) > 4)  # 9 to 13 are blanks
    if control.any():
        at = int(control.argmax())
        raise ScanError(f"{name}: byte {at} is {data[at]}, so this is neither a text file nor a known binary format")
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    return data if data.endswith(b"\n") else data + b"\n"


@dataclass(frozen=True, eq=False)
class Lines(Value):
    """Some lines of a text: line i is bytes[start[i]:end[i]] and number[i] in the file."""

    name: str
    bytes: NDArray[np.uint8]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    number: NDArray[np.int32]

    @classmethod
    def of(cls, name: str, data: bytes, first_number: int = 1) -> Lines:
        """All lines of a text that ends with a newline; leading blanks are not part of a line."""
        buffer = np.frombuffer(data, np.uint8)
        # Files are smaller than 2 GB, so that half the memory serves.
        end = np.flatnonzero(buffer == _NEWLINE).astype(np.int32)
        start = np.concatenate([np.zeros(min(1, len(end)), np.int32), end[:-1] + 1], dtype=np.int32)
        if len(start) and ((buffer[start] <= _SPACE) & (start < end)).any():
            solid = np.append(np.flatnonzero(buffer > _SPACE), len(buffer))
            start = np.minimum(solid[np.searchsorted(solid, start)], end).astype(np.int32)
        return cls(name, buffer, start, end, np.arange(first_number, first_number + len(start), dtype=np.int32))

    def __len__(self) -> int:
        return len(self.start)

    def head(self) -> NDArray[np.uint64]:
        """The first 8 bytes of each line as one number, the first lowest; they may reach into the next line."""
        size = len(self.bytes)
        if size < 8:
            padded = np.concatenate([self.bytes, np.full(8, _NEWLINE, np.uint8)])
            return Lines(self.name, padded, self.start, self.end, self.number).head()
        words = np.ndarray((size - 7,), "<u8", self.bytes.data, 0, (1,))
        behind = np.maximum(self.start - (size - 8), 0)
        return words[self.start - behind] >> (8 * behind).astype(np.uint64)

    def starts(self, keyword: bytes) -> NDArray[np.bool_]:
        """Which lines start with `keyword`, lower case and at most 8 letters, in either case."""
        n = len(keyword)
        either = self.head() | np.uint64(int.from_bytes(b" " * n, "little"))
        return either & np.uint64((1 << 8 * n) - 1) == np.uint64(int.from_bytes(keyword, "little"))

    def filled(self) -> Lines:
        """The lines that are not blank."""
        return self.pick(self.bytes[self.start] > _SPACE)

    def content(self, i: int) -> bytes:
        """Line i."""
        return self.bytes[self.start[i] : self.end[i]].tobytes()

    def pick(self, mask: NDArray[Any] | slice) -> Lines:
        """The lines where `mask` is set, or of those numbers."""
        return Lines(self.name, self.bytes, self.start[mask], self.end[mask], self.number[mask])

    def text(self, i: int) -> str:
        """Line i, shortened, for a message."""
        raw = self.bytes[self.start[i] : min(self.end[i], self.start[i] + 80)].tobytes()
        return raw.decode("utf-8", "replace").strip()

    def where(self, i: int) -> str:
        """File and line number of line i, for a message."""
        return f"{self.name}: line {self.number[i]}"

    def joined(self, skip: int = 0) -> bytearray:
        """The lines one after the other, the first `skip` bytes of each blanked out, each ended by a newline."""
        if not len(self):
            return bytearray()
        gap = np.flatnonzero(self.start[1:] != self.end[:-1] + 1) + 1
        first, last = np.concatenate([[0], gap]), np.concatenate([gap, [len(self)]]) - 1
        if len(first) <= 4096:  # long runs of neighbouring lines: copy run by run
            view = self.bytes.data
            out = bytearray().join(view[self.start[a] : self.end[b] + 1] for a, b in zip(first, last, strict=True))
        else:
            mark = np.zeros(len(self.bytes) + 1, np.int8)
            mark[self.start[first]] = 1
            mark[self.end[last] + 1] -= 1
            out = bytearray(self.bytes[np.cumsum(mark[:-1], dtype=np.int8).view(bool)])
        if skip:
            view = np.frombuffer(out, np.uint8)
            length = self.end - self.start + 1
            begin = np.cumsum(length) - length
            for offset in range(skip):
                view[begin + offset] = _SPACE
        return out


def tokens(text: bytearray | bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each word of a text starts, and how many words each of its lines holds. The text ends with a newline."""
    buffer = np.frombuffer(text, np.uint8)
    solid = buffer > _SPACE
    begins = solid.copy()
    begins[1:] &= ~solid[:-1]
    word = np.flatnonzero(begins)
    line_end = np.flatnonzero(buffer == _NEWLINE)
    return word, np.diff(np.searchsorted(word, line_end), prepend=0)


def parse(text: bytearray | bytes, dtype: Any = np.float64) -> NDArray[Any] | None:
    """All numbers of a text, or None when something in it is not a number of that kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # older numpy warns where newer raises
        try:
            return np.fromstring(bytes(text), dtype, sep=" ")
        except (ValueError, DeprecationWarning):
            return None


def table(lines: Lines, skip: int, widths: tuple[int, ...], what: str) -> NDArray[np.float64]:
    """The finite numbers of `lines` as (N, K), K one of `widths`, after the `skip` bytes of each line's keyword.

    Raises `ScanError` naming the first line that has another count, no number or a number that is not finite.
    """
    if not len(lines):
        return np.empty((0, widths[0]))
    text = lines.joined(skip)
    _, counts = tokens(text)
    width = int(counts[0])
    if width not in widths or (counts != width).any():
        bad = 0 if width not in widths else int(np.flatnonzero(counts != width)[0])
        expected = width if width in widths else " or ".join(map(str, widths))
        raise ScanError(f"{lines.where(bad)}: {counts[bad]} numbers in {lines.text(bad)!r}; {what} needs {expected}")
    values = parse(text)
    if values is None or len(values) != len(lines) * width:
        bad = first_bad(lines, lambda part: parse(part.joined(skip)) is not None)
        raise ScanError(f"{lines.where(bad)}: {lines.text(bad)!r} is not all numbers; {what} needs numbers")
    values = values.reshape(-1, width)
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        bad = int(np.flatnonzero(~finite)[0])
        raise ScanError(f"{lines.where(bad)}: {lines.text(bad)!r}: {what} must be finite")
    return values


def first_bad(lines: Lines, good: Callable[[Lines], bool]) -> int:
    """The first line that is not `good`, which looks at many lines at once; found by halving."""
    low, high = 0, len(lines)
    while high - low > 1:
        middle = (low + high) // 2
        if good(lines.pick(slice(low, middle))):
            low = middle
        else:
            high = middle
    return low
