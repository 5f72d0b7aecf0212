"""PCD, the Point Cloud Library's format: ascii, binary and compressed binary (LZF)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.raw import RawMesh, check_counts, color_unit, colors_from
from face3d.io.text import PADDING, Lines, plain, ragged

_START = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*VERSION[ \t][^\n]*\n[ \t]*FIELDS[ \t]|# \.PCD")
_LAST = re.compile(rb"^[ \t]*DATA[ \t]+(\w+)[ \t]*\r?\n", re.MULTILINE)
_MAX_HEADER, _MAX_UNPACKED = 1 << 16, 256 << 20
_COLOR = ("rgb", "rgba")


def is_pcd(start: bytes) -> bool:
    """Whether a file that starts so is a PCD file."""
    return _START.match(start) is not None


@dataclass(frozen=True)
class _Field:
    name: str
    kind: str  # numpy type code
    count: int


def read_pcd(name: str, data: bytes) -> RawMesh:
    """Parse a PCD file: points, with NaN where nothing was seen, and colours. Raises `ScanError` naming the fault."""
    found = _LAST.search(data, 0, _MAX_HEADER)
    if found is None:
        raise ScanError(f"{name}: no DATA line in the first {_MAX_HEADER} bytes of the PCD file")
    fields, count = _header(name, data[: found.start()])
    check_counts(name, count)
    notes: list[str] = []
    body = data[found.end() :]
    form = found[1].lower()
    if form == b"ascii":
        lines = Lines.of(name, plain(name, body, notes), data.count(b"\n", 0, found.end()) + 1)
        columns = _ascii(lines.filled(), fields, count, notes)
    elif form == b"binary":
        columns = _binary(name, body, fields, count, notes)
    elif form == b"binary_compressed":
        columns = _compressed(name, body, fields, count)
    else:
        raise ScanError(f"{name}: PCD data stored as {form.decode('latin-1')[:30]!r}; save it as binary or ascii")
    mesh = RawMesh(np.column_stack([columns[axis] for axis in "xyz"]).astype(np.float64), notes=notes)
    mesh.colors = _colors(fields, columns)
    return mesh


def _header(name: str, text: bytes) -> tuple[list[_Field], int]:
    entries: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.decode("latin-1").split()
        if words and not words[0].startswith("#"):
            entries[words[0].upper()] = words[1:]
    names, sizes, types = (entries.get(key, []) for key in ("FIELDS", "SIZE", "TYPE"))
    counts = entries.get("COUNT", ["1"] * len(names))
    kinds = [f"{t.lower()}{s}" for t, s in zip(types, sizes, strict=False)]
    numbers = [*counts, *(" ".join(entries.get(key, ["1"])) for key in ("WIDTH", "HEIGHT"))]
    if not all(n.isdecimal() and len(n) < 10 for n in numbers):
        raise ScanError(f"{name}: COUNT, WIDTH and HEIGHT of the PCD header are not all numbers")
    known = {"f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}
    if not (len(names) == len(kinds) == len(counts)) or not set(kinds) <= known or len(names) > 1000:
        raise ScanError(f"{name}: FIELDS, SIZE, TYPE and COUNT of the PCD header do not fit each other")
    fields = [_Field(n.lower(), k, int(c)) for n, k, c in zip(names, kinds, counts, strict=True)]
    if not {"x", "y", "z"} <= {f.name for f in fields if f.count == 1}:
        raise ScanError(f"{name}: the PCD header has no fields x, y and z; it has {', '.join(names)[:100]}")
    count = int(numbers[-2]) * int(numbers[-1])
    points = entries.get("POINTS", [str(count)])
    if points != [str(count)] or not count:
        raise ScanError(f"{name}: the PCD header declares {' '.join(points)[:30]} points, WIDTH x HEIGHT are {count}")
    return fields, count


def _ascii(lines: Lines, fields: list[_Field], count: int, notes: list[str]) -> dict[str, NDArray]:
    if len(lines) != count:
        raise ScanError(f"{lines.name}: the PCD header declares {count} points; {len(lines)} lines follow it")
    width = sum(f.count for f in fields)
    values, _ = ragged(lines, 0, (width,), "a point of this PCD file")
    columns = {}
    for field, first in zip(fields, accumulate([f.count for f in fields], initial=0), strict=False):
        column = values[:, first] if field.count == 1 else values[:, first : first + field.count]
        if field.name in _COLOR and field.kind == "f4":  # four bytes written as if they were a number
            if np.isnan(column).any():  # as all colours are that have an alpha of 255
                notes.append("colours were lost where the file was written (nan), and were left out")
                continue
            column = column.astype(np.float32)
        columns[field.name] = column
    return columns


def _binary(name: str, body: bytes, fields: list[_Field], count: int, notes: list[str]) -> dict[str, NDArray]:
    record = np.dtype([(f"{i}", "<" + f.kind, (f.count,)) for i, f in enumerate(fields)])
    needed = count * record.itemsize
    if needed > len(body) or (len(body) - needed >= record.itemsize and body[needed:].strip(PADDING)):
        raise ScanError(f"{name}: the PCD header declares {needed} bytes of points; {len(body)} follow it: cut short?")
    if len(body) > needed:
        notes.append(f"{len(body) - needed} bytes behind the last point were left out")
    rows = np.frombuffer(body, record, count)
    return {f.name: rows[f"{i}"][:, 0] for i, f in enumerate(fields) if f.count == 1}


def _compressed(name: str, body: bytes, fields: list[_Field], count: int) -> dict[str, NDArray]:
    """Two sizes and then, packed, each field of all points after the other."""
    widths = [f.count * np.dtype(f.kind).itemsize for f in fields]
    packed, size = (int.from_bytes(body[i : i + 4], "little") for i in (0, 4))
    if size > _MAX_UNPACKED:
        raise ScanError(f"{name}: the points of the PCD file unpack to {size} bytes; at most {_MAX_UNPACKED} are read")
    if size != count * sum(widths) or packed > len(body) - 8:
        raise ScanError(
            f"{name}: the PCD file declares {packed} packed bytes that hold {size}; {max(len(body) - 8, 0)} follow, "
            f"and its points take {count * sum(widths)}"
        )
    data = _unpacked(name, body[8 : 8 + packed], size)
    columns = {}
    for field, first in zip(fields, accumulate([count * w for w in widths], initial=0), strict=False):
        if field.count == 1:
            columns[field.name] = np.frombuffer(data, "<" + field.kind, count, first)
    return columns


def _unpacked(name: str, packed: bytes, size: int) -> bytes:
    """LZF: runs of bytes as they are, and repetitions of what came before, each behind a byte or two that say which."""
    out = bytearray()
    at = 0
    try:
        while at < len(packed) and len(out) <= size:
            control = packed[at]
            at += 1
            if control < 32:
                out += packed[at : at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += packed[at]
                at += 1
            start = len(out) - ((control & 31) << 8) - packed[at] - 1
            at += 1
            if start < 0:
                raise IndexError
            length += 2
            piece = out[start : start + length]
            while len(piece) < length:  # it repeats itself
                piece += piece[: length - len(piece)]
            out += piece
    except IndexError:
        raise ScanError(f"{name}: the packed points of the PCD file are damaged") from None
    if len(out) != size or at != len(packed):
        raise ScanError(f"{name}: the packed points of the PCD file unpack to {len(out)} bytes; expected {size}")
    return bytes(out)


def _colors(fields: list[_Field], columns: dict[str, NDArray]) -> NDArray[np.uint8] | None:
    """From the bytes of one number a point, or from three fields."""
    for field in fields:
        if field.name in _COLOR and field.name in columns and field.kind in ("f4", "u4", "i4"):
            column = columns[field.name]
            bits = (
                np.ascontiguousarray(column).view("<u4") if column.dtype.kind == "f" and column.itemsize == 4 else None
            )
            packed = column.astype(np.int64) if bits is None else bits.astype(np.int64)
            return np.column_stack([packed >> shift & 255 for shift in (16, 8, 0)]).astype(np.uint8)
    if all(channel in columns for channel in "rgb"):
        rgb = np.column_stack([columns[channel] for channel in "rgb"])
        return colors_from(rgb, color_unit(rgb))
    return None
