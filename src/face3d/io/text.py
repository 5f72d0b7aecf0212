"""Numbers in text, a whole block of lines at a time: fast, strict, and it knows which line is wrong."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
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


#: What programs and disks leave behind the end of a text: NUL, ^Z and other control characters, erased flash.
PADDING = bytes(c for c in range(32) if c not in b"\t\n\v\f\r") + b"\xff"
_BLANK = b" \t\n\v\f\r"
# How the C libraries of Windows print what is no number.
_ODD_NAN = re.compile(rb"[-+]?(?:1\.#(?:QNAN|SNAN|IND|INF)\w*|nan\(\w*\))", re.IGNORECASE)


def trimmed(data: bytes, notes: list[str]) -> bytes:
    """A text without padding behind its end; a note says how much there was."""
    last = data[-256:].rstrip(_BLANK)[-1:]
    if not last or last not in PADDING:
        return data
    size = len(data.rstrip(PADDING + _BLANK))
    size += data[size : size + 1] in (b"\n", b"\r")
    notes.append(f"{len(data) - size} bytes of padding behind the end were left out")
    return data[:size]


def plain(name: str, data: bytes, notes: list[str]) -> bytes:
    """The text without byte-order mark and padding, UTF-16 decoded, bare carriage returns made newlines; ends with a
    newline.

    Raises `ScanError` when the bytes are no text.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise ScanError(f"{name}: starts as UTF-16 text but is not ({error.reason}); save it as UTF-8") from None
    data = trimmed(data.removeprefix(b"\xef\xbb\xbf"), notes)
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


@dataclass(frozen=True, eq=False, repr=False)
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

    def which(self, keywords: Sequence[bytes]) -> NDArray[np.uint8]:
        """Which of the `keywords`, lower case and at most 8 letters, each line starts with, in either case: its number,
        or how many there are for none."""
        either = self.head() | np.uint64(int.from_bytes(b" " * 8, "little"))
        out = np.full(len(self), len(keywords), np.uint8)
        for i, keyword in enumerate(keywords):
            letters = np.uint64((1 << 8 * len(keyword)) - 1)
            out[either & letters == np.uint64(int.from_bytes(keyword, "little"))] = i
        return out

    def filled(self) -> Lines:
        """The lines that are not blank."""
        return self.pick(self.bytes[self.start] > _SPACE)

    def without_comments(self) -> Lines:
        """The lines without those that start with #, and blank from a # on."""
        hashes = np.flatnonzero(self.bytes == ord("#"))
        if not len(hashes):
            return self
        after = self.bytes[np.minimum(hashes + 1, len(self.bytes) - 1)]
        number = (self.bytes[hashes - 1] == ord(".")) & np.isin(after, list(b"QSI"))  # "1.#QNAN", not a comment
        hashes = np.append(hashes[~number], len(self.bytes))
        end = np.minimum(self.end, hashes[np.searchsorted(hashes, self.start)])
        cut = (end < self.end) & (end > self.start)
        lines = self
        if cut.any():
            mark = np.zeros(len(self.bytes), np.int8)
            mark[end[cut]] = 1
            mark[self.end[cut]] = -1
            data = np.where(np.cumsum(mark, dtype=np.int8), np.uint8(_SPACE), self.bytes)
            lines = Lines(self.name, data, self.start, self.end, self.number)
        return lines.pick(end > self.start)

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
            known = _ODD_NAN.sub(b"nan", text) if dtype is np.float64 else text
            return parse(known, dtype) if len(known) < len(text) else None


def table(lines: Lines, skip: int, widths: tuple[int, ...], what: str, gaps: bool = False) -> NDArray[np.float64]:
    """The numbers of `lines` as (N, K), K one of `widths`, after the `skip` bytes of each line's keyword.

    Raises `ScanError` naming the first line that has another count, no number, or coordinates as `check_finite` refuses
    them.
    """
    values, counts = ragged(lines, skip, widths, what)
    if (counts != counts[:1]).any():
        bad = int(np.flatnonzero(counts != counts[0])[0])
        raise _miscounted(lines, bad, counts[bad], (int(counts[0]),), what)
    check_finite(lines, values, what, gaps)
    return values


def check_finite(lines: Lines, values: NDArray[np.float64], what: str, gaps: bool = False) -> None:
    """Raise `ScanError` naming the first line whose three first values are not finite; with `gaps` they may all three
    be missing."""
    finite = np.isfinite(values[:, :3])
    if not finite.all():
        wrong = ~finite.all(axis=1) & (finite.any(axis=1) if gaps else True)
        if wrong.any():
            bad = int(np.flatnonzero(wrong)[0])
            raise ScanError(f"{lines.where(bad)}: {lines.text(bad)!r}: {what} must be finite")


def ragged(
    lines: Lines, skip: int, widths: tuple[int, ...], what: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """As `table`, but of lines that need not be equally long, and of any numbers: the columns that all lines have, and
    how long each line is."""
    if not len(lines):
        return np.empty((0, widths[0])), np.empty(0, np.int64)
    text = lines.joined(skip)
    _, counts = tokens(text)
    even = bool((counts == counts[0]).all())
    fits = np.isin(counts[:1] if even else counts, widths)
    if not fits.all():
        bad = int(np.flatnonzero(~fits)[0])
        raise _miscounted(lines, bad, counts[bad], widths, what)
    values = parse(text)
    if values is None or len(values) != int(counts.sum()):
        bad = first_bad(lines, lambda part: parse(part.joined(skip)) is not None)
        raise ScanError(f"{lines.where(bad)}: {lines.text(bad)!r} is not all numbers; {what} needs numbers")
    if even:
        return values.reshape(len(counts), -1), counts
    return values[(np.cumsum(counts) - counts)[:, None] + np.arange(int(counts.min()))], counts


def _miscounted(lines: Lines, bad: int, count: int, widths: tuple[int, ...], what: str) -> ScanError:
    expected = f"{widths[0]} to {widths[-1]}" if len(widths) > 4 else " or ".join(map(str, widths))
    return ScanError(f"{lines.where(bad)}: {count} numbers in {lines.text(bad)!r}; {what} needs {expected}")


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
