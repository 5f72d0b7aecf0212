"""STL, ascii and binary. The format has no shared vertices: V = 3 F in the file's order; `clean` welds them."""

from __future__ import annotations

import numpy as np

from face3d.errors import ScanError
from face3d.io.raw import RawMesh, check_counts
from face3d.io.text import Lines, plain, table

_HEADER, _RECORD = 84, 50
_FACET = (b"facet", b"outer", b"vertex", b"vertex", b"vertex", b"endloop", b"endfacet")


def is_binary_stl(data: bytes) -> bool:
    """Whether the size is exactly what the triangle count in the header asks for, as in no text and no other format."""
    return len(data) >= _HEADER + _RECORD and len(data) == _HEADER + _RECORD * int.from_bytes(data[80:84], "little")


def read_stl(name: str, data: bytes) -> RawMesh:
    """Parse an STL file: corner k of triangle i is vertex 3 i + k. Raises `ScanError` naming the fault."""
    if is_binary_stl(data):
        return _binary(name, data)
    if data[:5].lower() == b"solid" and b"\0" not in data:
        return _ascii(name, data)
    if len(data) < _HEADER:
        raise ScanError(f"{name}: {len(data)} bytes; a binary STL file has at least {_HEADER}: cut short?")
    count = int.from_bytes(data[80:84], "little")
    raise ScanError(
        f"{name}: the STL header declares {count} triangles, {_HEADER + _RECORD * count} bytes in all; "
        f"the file has {len(data)}: cut short, or a damaged header"
    )


def _binary(name: str, data: bytes) -> RawMesh:
    record = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    count = (len(data) - _HEADER) // _RECORD
    check_counts(name, 3 * count, count)
    corners = np.frombuffer(data, record, count, _HEADER)["corners"]
    return _soup(corners.astype(np.float64).reshape(-1, 3))  # widened in the pass that makes it contiguous


def _ascii(name: str, data: bytes) -> RawMesh:
    lines = Lines.of(name, plain(name, data))
    lines = lines.filled()
    if not lines.starts(b"endsolid")[-1]:
        raise ScanError(f"{lines.where(len(lines) - 1)}: the STL file does not end with 'endsolid'; it is cut short")
    lines = lines.pick(~(lines.starts(b"solid") | lines.starts(b"endsolid")))
    if not len(lines):
        raise ScanError(f"{name}: the STL file holds no triangles")
    wrong = np.zeros(len(lines), bool)
    for i, keyword in enumerate(_FACET):
        wrong[i :: len(_FACET)] = ~lines.pick(np.arange(i, len(lines), len(_FACET))).starts(keyword)
    if wrong.any():
        bad = int(np.flatnonzero(wrong)[0])
        expected = _FACET[bad % len(_FACET)].decode()
        raise ScanError(f"{lines.where(bad)}: {lines.text(bad)!r} where {expected!r} belongs in an STL file")
    if len(lines) % len(_FACET):
        raise ScanError(f"{lines.where(len(lines) - 1)}: the last triangle of the STL file is not complete")
    check_counts(name, 3 * (len(lines) // len(_FACET)), len(lines) // len(_FACET))
    is_vertex = np.isin(np.arange(len(lines)) % len(_FACET), (2, 3, 4))
    return _soup(table(lines.pick(is_vertex), len(b"vertex"), (3,), "a vertex"))


def _soup(corners: np.ndarray) -> RawMesh:
    return RawMesh(corners, np.arange(len(corners), dtype=np.int64).reshape(-1, 3))
