"""The header of a PLY file: which elements of which properties follow, and how they are stored."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from face3d.errors import ScanError

_TYPES = {
    "char": "i1",
    "int8": "i1",
    "uchar": "u1",
    "uint8": "u1",
    "short": "i2",
    "int16": "i2",
    "ushort": "u2",
    "uint16": "u2",
    "int": "i4",
    "int32": "i4",
    "uint": "u4",
    "uint32": "u4",
    "float": "f4",
    "float32": "f4",
    "double": "f8",
    "float64": "f8",
}
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_MAX_HEADER = 1 << 20
_FIRST = re.compile(rb"\s*ply[ \t]*[\r\n]", re.IGNORECASE)
_END = re.compile(rb"(?<=[\r\n])end_header[ \t]*(?=[\r\n])")


@dataclass(frozen=True)
class Property:
    """One number, or list of numbers, of each record."""

    name: str
    kind: str  # numpy type code
    count_kind: str | None = None  # of a list: the type of its length


@dataclass(frozen=True)
class Element:
    """`count` records of the same properties."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def lists(self) -> bool:
        """Whether records differ in length."""
        return any(p.count_kind for p in self.properties)

    def smallest(self, entries: int = 0) -> int:
        """Bytes that one record takes in a binary file at the least, with so many `entries` in each list."""
        size = sum(np.dtype(p.count_kind or p.kind).itemsize for p in self.properties)
        return size + entries * sum(np.dtype(p.kind).itemsize for p in self.properties if p.count_kind)


def is_ply(start: bytes) -> bool:
    """Whether a file that starts so is a PLY file: the word alone on its line, perhaps after blank ones."""
    return _FIRST.match(start) is not None


def read_header(name: str, data: bytes) -> tuple[str, list[Element], str | None, int]:
    """Byte order ("" for ascii), elements, texture file and where the body starts. Raises `ScanError`."""
    found = _END.search(data, 0, _MAX_HEADER)
    if found is None:
        raise ScanError(f"{name}: no 'end_header' line in the first {_MAX_HEADER} bytes of the PLY file")
    head, body = data[: found.start()], found.end()
    # A header of bare carriage returns ends with one: a newline behind it is the body's first byte.
    body += 2 if b"\n" in head and data[body : body + 2] == b"\r\n" else 1
    order: str | None = None
    picture = None
    elements: list[Element] = []
    for number, line in enumerate(re.split("\r\n|\n|\r", head.decode("latin-1")), 1):
        words = line.split()
        if not words or words[0].lower() in ("ply", "obj_info"):
            continue
        if words[0] == "comment":
            if len(words) > 2 and words[1].lower() == "texturefile":
                picture = line.split(None, 2)[2].strip()
            continue
        where = f"{name}: PLY header, line {number}: {line.strip()[:80]!r}"
        if words[0] == "format" and len(words) >= 2 and words[1] in _FORMATS:
            order = _FORMATS[words[1]]
        elif words[0] == "element" and len(words) == 3 and words[2].isdecimal() and len(words[2]) < 19:
            elements.append(Element(words[1], int(words[2]), ()))
        elif words[0] == "property" and elements:
            prop = _property(words)
            last = elements[-1]
            if prop is None or prop.name in {p.name for p in last.properties}:
                raise ScanError(f"{where} declares no known property, or one twice")
            elements[-1] = Element(last.name, last.count, (*last.properties, prop))
        else:
            raise ScanError(f"{where} is no line of a PLY header")
    if order is None:
        raise ScanError(f"{name}: the PLY header names no format")
    return order, elements, picture, body


def _property(words: list[str]) -> Property | None:
    if len(words) == 5 and words[1] == "list" and words[2] in _TYPES and words[3] in _TYPES:
        return Property(words[4], _TYPES[words[3]], _TYPES[words[2]]) if _TYPES[words[2]][0] in "iu" else None
    if len(words) == 3 and words[1] in _TYPES:
        return Property(words[2], _TYPES[words[1]])
    return None
