"""VTK's legacy format, polydata only: points, polygons and strips, ascii or binary, of versions before and after 5.

After the VTK file formats page of the VTK book. Binary numbers are big-endian.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.raw import RawMesh, check_counts, colors_from, fan, strips, without_small
from face3d.io.text import PADDING, parse, trimmed
from face3d.scan import Floats, Ints

_TYPES = {
    "char": "i1",
    "signed_char": "i1",
    "unsigned_char": "u1",
    "short": "i2",
    "unsigned_short": "u2",
    "int": "i4",
    "unsigned_int": "u4",
    "long": "i8",
    "unsigned_long": "u8",
    "vtkidtype": "i4",
    "vtktypeint64": "i8",
    "vtktypeint32": "i4",
    "float": "f4",
    "double": "f8",
}
_CELLS = ("VERTICES", "LINES", "POLYGONS", "TRIANGLE_STRIPS")
# A line that starts with a letter and is no number: what ends a block of numbers.
_KEYWORD = re.compile(rb"\n[ \t]*(?!nan|inf)[A-Za-z]", re.IGNORECASE)


def is_vtk(start: bytes) -> bool:
    """Whether a file that starts so is a legacy VTK file."""
    return start.startswith(b"# vtk DataFile")


def read_vtk(name: str, data: bytes) -> RawMesh:
    """Parse a legacy VTK file of polydata; polygons become fans. Raises `ScanError` naming the part at fault."""
    notes: list[str] = []
    body = _Body(name, data)
    body.line()  # version
    body.line(blank=True)  # title
    form = body.line().upper()
    if form not in ("ASCII", "BINARY"):
        raise ScanError(f"{name}: the VTK file says {form[:30]!r} where ASCII or BINARY belongs")
    body.binary = form == "BINARY"
    if not body.binary:
        body.data = trimmed(data, notes)
    kind = body.line().split()
    if [word.upper() for word in kind] != ["DATASET", "POLYDATA"]:
        raise ScanError(f"{name}: a VTK file of {' '.join(kind)[:60]!r}; POLYDATA is read (vtkGeometryFilter makes it)")
    points: Floats | None = None
    cells: dict[str, tuple[Ints, Ints]] = {}
    colors: NDArray[np.uint8] | None = None
    about, count = "", 1  # whose attributes follow, and how many there are
    while words := body.words():
        key = words[0].upper()
        if key == "POINTS" and len(words) == 3 and not about:
            count = body.number(words[1])
            check_counts(name, count)
            points = body.numbers(3 * count, words[2]).reshape(-1, 3).astype(np.float64)
        elif key in _CELLS and len(words) == 3 and not about:
            cells[key] = body.cells(body.number(words[1]), body.number(words[2]))
        elif key in ("POINT_DATA", "CELL_DATA") and len(words) == 2:
            about, count = key, body.number(words[1])
        else:
            arrays = body.attribute(key, words, count)
            if arrays is None and not about:
                raise ScanError(f"{name}: {' '.join(words)[:60]!r} is no part of VTK polydata that is known")
            if arrays is None:
                break  # whatever it is, it is no part of the surface
            if colors is None and about == "POINT_DATA" and points is not None:
                shades = [a for a in arrays if a.dtype == np.uint8 and a.shape in ((len(points), 3), (len(points), 4))]
                colors = colors_from(shades[0][:, :3], 255.0) if shades else None
    if points is None or not len(points):
        raise ScanError(f"{name}: the VTK file declares no points; is it cut short?")
    mesh = RawMesh(points, colors=colors, notes=notes)
    parts = []
    for key in ("POLYGONS", "TRIANGLE_STRIPS"):
        sizes, corner = cells.get(key, (np.empty(0, np.int64), np.empty(0, np.int64)))
        if len(corner) and (corner.min() < 0 or corner.max() >= len(points)):
            wrong = int(corner[(corner < 0) | (corner >= len(points))][0])
            raise ScanError(f"{name}: {key} refer to point {wrong}; there are {len(points)}, from 0")
        if key == "POLYGONS":
            sizes, corner = without_small(sizes, notes, corner)
            parts.append(fan(name, corner, sizes))
        else:
            parts.append(strips(corner, sizes))
    mesh.faces = np.concatenate(parts) if len(parts[1]) else parts[0]
    check_counts(name, 0, len(mesh.faces))
    return mesh


class _Body:
    """The file's bytes and how far they are read."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data, self.at, self.binary = name, data, 0, False

    def line(self, blank: bool = False) -> str:
        """The next line that is not blank (with `blank`: the next line); "" at the end."""
        while self.at < len(self.data):
            end = self.data.find(b"\n", self.at)
            end = len(self.data) if end < 0 else end
            text = self.data[self.at : min(end, self.at + 1000)].strip(PADDING + b" \t\r").decode("latin-1")
            self.at = end + 1
            if text or blank:
                return text
        return ""

    def words(self) -> list[str]:
        """The words of the next line that is neither blank nor metadata, which end with a blank line."""
        while (words := self.line().split()) and words[0].upper() == "METADATA":
            while self.line(blank=True):
                pass
        return words

    def number(self, text: str) -> int:
        if not text.isdecimal() or len(text) > 10:
            raise ScanError(f"{self.name}: {text[:30]!r} where the VTK file should count something")
        return int(text)

    def numbers(self, count: int, kind: str) -> NDArray:
        """The next `count` numbers of the type that the file calls `kind`."""
        code = _TYPES.get(kind.lower())
        if code is None:
            raise ScanError(f"{self.name}: numbers of type {kind[:30]!r} in the VTK file")
        if self.binary:
            dtype = np.dtype(">" + code)
            left = len(self.data) - self.at
            if count * dtype.itemsize > left:
                raise ScanError(
                    f"{self.name}: {count} numbers of {kind} are declared; {left} bytes are left: cut short?"
                )
            values = np.frombuffer(self.data, dtype, count, self.at)
            self.at += count * dtype.itemsize
            return values.astype(code)
        end = _KEYWORD.search(self.data, max(self.at - 1, 0))
        stop = len(self.data) if end is None else end.start()
        values = parse(self.data[self.at : stop], np.float64 if code[0] == "f" else np.int64)
        if values is None or len(values) != count:
            found = "no numbers" if values is None else f"{len(values)} numbers"
            raise ScanError(f"{self.name}: {found} where the VTK file declares {count} of {kind}")
        self.at = max(stop, self.at)
        return values

    def cells(self, count: int, size: int) -> tuple[Ints, Ints]:
        """Corner counts and all corners of the next `count` cells. Since version 5, `count` is one more, and the ends
        of the cells stand before their corners."""
        here = self.at
        words = self.words()
        if words and words[0].upper() == "OFFSETS" and len(words) == 2:
            ends = self.numbers(count, words[1]).astype(np.int64)
            words = self.words()
            if len(words) != 2 or words[0].upper() != "CONNECTIVITY":
                raise ScanError(f"{self.name}: the VTK file has OFFSETS without CONNECTIVITY")
            corner = self.numbers(size, words[1]).astype(np.int64)
            sizes = np.diff(ends)
            if (len(ends) and (ends[0] != 0 or ends[-1] != size)) or (sizes < 1).any():
                raise ScanError(f"{self.name}: the OFFSETS of the VTK file do not fit its {size} corners")
            return sizes, corner
        self.at = here
        values = self.numbers(size, "int").astype(np.int64)
        width = size // max(count, 1)
        starts = np.arange(count) * width
        if count and not (width * count == size and (values[starts] == width - 1).all()):
            starts = self.starts(values, count)
        sizes = values[starts]
        if int((sizes + 1).sum()) != size or (sizes < 1).any():
            raise ScanError(f"{self.name}: the cells of the VTK file do not fill the {size} numbers that are declared")
        return sizes, np.delete(values, starts)

    def starts(self, values: Ints, count: int) -> Ints:
        """Where each of `count` cells, a number of corners and the corners, starts."""
        out, number, at = np.zeros(count, np.int64), np.ascontiguousarray(values).data, 0
        for i in range(count):
            if not 0 <= at < len(values) or number[at] < 1:
                raise ScanError(f"{self.name}: cell {i} of the VTK file has no corners; cut short?")
            out[i] = at
            at += number[at] + 1
        return out

    def attribute(self, key: str, words: list[str], count: int) -> list[NDArray] | None:
        """The arrays (N, K) of an attribute of `count` points or cells; None when it is not known."""
        try:
            if key == "FIELD":
                out = []
                for _ in range(self.number(words[2])):
                    _, width, rows, kind = self.words()
                    out.append(self.array(self.number(rows), self.number(width), kind))
                return out
            if key == "SCALARS":
                width = self.number(words[3]) if len(words) > 3 else 1
                if not self.line().upper().startswith("LOOKUP_TABLE"):
                    return None
                return [self.array(count, width, words[2])]
            if key == "COLOR_SCALARS":
                values = self.array(count, self.number(words[2]), "unsigned_char" if self.binary else "float")
                return [values if self.binary else colors_from(values, 1.0)]
            if key == "LOOKUP_TABLE":
                return [self.array(self.number(words[2]), 4, "unsigned_char" if self.binary else "float")]
            if key == "TEXTURE_COORDINATES":
                return [self.array(count, self.number(words[2]), words[3])]
            width = {"NORMALS": 3, "VECTORS": 3, "TENSORS": 9, "GLOBAL_IDS": 1, "PEDIGREE_IDS": 1}.get(key)
            return None if width is None else [self.array(count, width, words[2])]
        except (IndexError, ValueError):
            return None

    def array(self, rows: int, width: int, kind: str) -> NDArray:
        if kind.lower() not in _TYPES:
            raise ValueError(kind)
        values = self.numbers(rows * width, kind).reshape(rows, width)
        return values.astype(_TYPES[kind.lower()]) if kind.lower() == "unsigned_char" else values
