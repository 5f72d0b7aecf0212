"""STL, ascii and binary. The format has no shared vertices: V = 3 F in the file's order; `clean` welds them."""

from __future__ import annotations

import re

import numpy as np

from face3d.errors import ScanError
from face3d.io.raw import RawMesh, check_counts
from face3d.io.text import PADDING, Lines, plain, table

_HEADER, _RECORD = 84, 50
# The statements, and a letter for each. Of a triangle only its three vertices must be there.
_STATEMENTS = (b"facet", b"outer", b"vertex", b"endloop", b"endfacet", b"solid", b"endsolid")
_LETTERS = np.frombuffer(b"fovexsz?", np.uint8)
_TRIANGLES = re.compile(rb"(?:s|z|fo?vvve?x?)*+")
# A blank before a statement that stands on the line of another.
_INLINE = re.compile(
    rb"[ \t](?=(?:facet[ \t]+normal|outer[ \t]+loop|vertex|endloop|endfacet|endsolid)\b)", re.IGNORECASE
)


def is_binary_stl(data: bytes) -> bool:
    """Whether the size is what the triangle count in the header asks for, but for padding, as in no other format."""
    count = int.from_bytes(data[80:84], "little")
    end = _HEADER + _RECORD * count
    return count > 0 and len(data) >= end and not data[end:].strip(PADDING + b"\t\n\r ")


def is_ascii_stl(start: bytes) -> bool:
    """Whether a text that starts so is an STL file."""
    text = start.lstrip().lower()
    return text.startswith(b"solid") and b"facet" in text


def read_stl(name: str, data: bytes) -> RawMesh:
    """Parse an STL file: corner k of triangle i is vertex 3 i + k. Raises `ScanError` naming the fault."""
    if is_binary_stl(data):
        return _binary(name, data)
    if data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()[:5].lower() == b"solid" and b"\0" not in data.rstrip(PADDING):
        return _ascii(name, data)
    if len(data) < _HEADER:
        raise ScanError(f"{name}: {len(data)} bytes; a binary STL file has at least {_HEADER}: cut short?")
    count = int.from_bytes(data[80:84], "little")
    if count and 0 <= len(data) - _HEADER - _RECORD * count < _RECORD:  # less than one more triangle
        return _binary(name, data)
    raise ScanError(
        f"{name}: the STL header declares {count} triangles, {_HEADER + _RECORD * count} bytes in all; "
        f"the file has {len(data)}: cut short, or a damaged header"
    )


def _binary(name: str, data: bytes) -> RawMesh:
    record = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    count = int.from_bytes(data[80:84], "little")
    check_counts(name, 3 * count, count)
    corners = np.frombuffer(data, record, count, _HEADER)["corners"]
    rest = len(data) - _HEADER - _RECORD * count
    notes = [f"{rest} bytes behind the last triangle were left out"] if rest else []
    return _soup(corners.astype(np.float64).reshape(-1, 3), notes)  # widened in the pass that makes it contiguous


def _ascii(name: str, data: bytes) -> RawMesh:
    notes: list[str] = []
    data = plain(name, data, notes)
    whole = Lines.of(name, data)
    lines = whole.filled()
    codes = _codes(lines)
    if _lacking(codes) or _good(codes) < len(codes):
        # A newline in place of a blank: no byte moves, and each line's number is that of the line it stood on.
        parted = Lines.of(name, _INLINE.sub(b"\n", data))
        number = whole.number[np.searchsorted(whole.end, parted.start)]
        lines = Lines(name, parted.bytes, parted.start, parted.end, number).filled()
        codes = _codes(lines)
    if not codes.endswith(b"z"):
        raise ScanError(f"{lines.where(len(lines) - 1)}: the STL file does not end with 'endsolid'; it is cut short")
    good = _good(codes)
    if good < len(codes):
        raise _misplaced(lines, codes, good)
    corners = lines.pick(np.frombuffer(codes, np.uint8) == ord("v"))
    if not len(corners):
        raise ScanError(f"{name}: the STL file holds no triangles")
    check_counts(name, len(corners), len(corners) // 3)
    if lacking := _lacking(codes):
        notes.append(f"statements {', '.join(lacking)} are missing; every triangle has its three vertices")
    return _soup(table(corners, len(b"vertex"), (3,), "a vertex"), notes)


def _lacking(codes: bytes) -> list[str]:
    """The statements that are not there once for every facet."""
    facets = codes.count(b"f")
    return [word.decode() for word, letter in zip(_STATEMENTS, b"fovex", strict=False) if codes.count(letter) < facets]


def _codes(lines: Lines) -> bytes:
    """The letter of each line's statement, "?" for none."""
    return _LETTERS[lines.which(_STATEMENTS)].tobytes()


def _good(codes: bytes) -> int:
    """How many statements are whole triangles, or begin or end a solid, from the first one on."""
    found = _TRIANGLES.match(codes)
    return found.end() if found else 0


def _misplaced(lines: Lines, codes: bytes, bad: int) -> ScanError:
    """What is wrong in the triangle whose statements begin at line `bad`, the first one that is none."""
    for letter in b"fovvv":
        keyword = _STATEMENTS[b"fov".index(letter)].decode()
        if codes[bad] in b"sz":
            return ScanError(f"{lines.where(bad - 1)}: the last triangle of the STL file is not complete")
        if codes[bad] == letter:
            bad += 1
        elif letter != ord("o"):
            break
    return ScanError(f"{lines.where(bad)}: {lines.text(bad)!r} where {keyword!r} belongs in an STL file")


def _soup(corners: np.ndarray, notes: list[str]) -> RawMesh:
    return RawMesh(corners, np.arange(len(corners), dtype=np.int64).reshape(-1, 3), notes=notes)
