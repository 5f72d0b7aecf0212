"""Stanford PLY: ascii, little and big endian; extra elements and properties are stepped over, not guessed at."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.raw import RawMesh, check_counts, colors_from, fan
from face3d.io.text import Lines, first_bad, parse, tokens
from face3d.scan import Floats, Ints

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_MAX_HEADER = 1 << 20
_INDICES = ("vertex_indices", "vertex_index")


@dataclass(frozen=True)
class _Property:
    name: str
    kind: str  # numpy type code
    count_kind: str | None = None  # of a list: the type of its length


@dataclass(frozen=True)
class _Element:
    name: str
    count: int
    properties: tuple[_Property, ...]

    def smallest(self) -> int:
        """Bytes that one record takes in a binary file at the least."""
        return sum(np.dtype(p.count_kind or p.kind).itemsize for p in self.properties)


def read_ply(name: str, data: bytes) -> RawMesh:
    """Parse a PLY file: vertices with colours, polygons as fans, per-vertex or per-corner uv, the picture's name.

    Raises `ScanError` naming the header line or the record at fault, before memory is taken for what is not there.
    """
    order, elements, picture, body = _header(name, data)
    by_name = {e.name: e for e in elements}
    if len(by_name) != len(elements):
        raise ScanError(f"{name}: two elements of the PLY header have the same name")
    vertex, face = by_name.get("vertex"), by_name.get("face")
    if vertex is None or vertex.count == 0:
        raise ScanError(f"{name}: the PLY header declares no vertices")
    if any(p.count_kind for p in vertex.properties) or not {"x", "y", "z"} <= {p.name for p in vertex.properties}:
        raise ScanError(f"{name}: the vertices of the PLY header need properties x, y, z, and no lists")
    if "tristrips" in by_name:
        raise ScanError(f"{name}: holds triangle strips; export it with plain faces")
    check_counts(name, vertex.count, face.count if face else 0)
    reader = _ascii_records if order == "" else _binary_records
    columns = reader(name, data, body, order, elements)

    values = columns["vertex"]
    points = np.empty((vertex.count, 3))
    for i, axis in enumerate("xyz"):
        points[:, i] = values[axis]
    mesh = RawMesh(points)
    mesh.colors = _colors(vertex, values)
    if face is not None and face.count:
        listed = next((p for p in face.properties if p.name in _INDICES and p.count_kind), None)
        if listed is None:
            raise ScanError(f"{name}: the faces of the PLY header have no list vertex_indices")
        sizes, corner = columns["face"][listed.name]
        if (sizes < 3).any():
            bad = int(np.flatnonzero(sizes < 3)[0])
            raise ScanError(f"{name}: face {bad} has {sizes[bad]} corners; a face needs 3")
        if corner.min() < 0 or corner.max() >= vertex.count:
            at = int(np.flatnonzero((corner < 0) | (corner >= vertex.count))[0])
            bad = int(np.searchsorted(np.cumsum(sizes), at, "right"))
            raise ScanError(f"{name}: face {bad} refers to vertex {corner[at]}; there are {vertex.count}, from 0")
        mesh.faces = fan(name, corner.astype(np.int64, copy=False), sizes)
        mesh.uv = _uv(name, values, columns["face"], sizes, mesh.faces)
        mesh.picture = picture
    return mesh


def _header(name: str, data: bytes) -> tuple[str, list[_Element], str | None, int]:
    """Byte order, elements, texture file and where the body starts."""
    end = data.find(b"end_header", 0, _MAX_HEADER)
    newline = data.find(b"\n", end) if end >= 0 else -1
    if newline < 0 and end >= 0:
        newline = data.find(b"\r", end)
    if newline < 0:
        raise ScanError(f"{name}: no 'end_header' line in the first {_MAX_HEADER} bytes of the PLY file")
    order: str | None = None
    picture = None
    elements: list[_Element] = []
    for number, line in enumerate(data[:end].decode("latin-1").splitlines(), 1):
        words = line.split()
        if not words or words[0] in ("ply", "obj_info"):
            continue
        if words[0] == "comment":
            if len(words) > 2 and words[1].lower() == "texturefile":
                picture = line.split(None, 2)[2].strip()
            continue
        where = f"{name}: PLY header, line {number}: {line.strip()[:80]!r}"
        if words[0] == "format" and len(words) >= 2 and words[1] in _FORMATS:
            order = _FORMATS[words[1]]
        elif words[0] == "element" and len(words) == 3 and words[2].isdecimal() and len(words[2]) < 19:
            elements.append(_Element(words[1], int(words[2]), ()))
        elif words[0] == "property" and elements:
            prop = _property(words)
            last = elements[-1]
            if prop is None or prop.name in {p.name for p in last.properties}:
                raise ScanError(f"{where} declares no known property, or one twice")
            elements[-1] = _Element(last.name, last.count, (*last.properties, prop))
        else:
            raise ScanError(f"{where} is no line of a PLY header")
    if order is None:
        raise ScanError(f"{name}: the PLY header names no format")
    return order, elements, picture, newline + 1


def _property(words: list[str]) -> _Property | None:
    if len(words) == 5 and words[1] == "list" and words[2] in _TYPES and words[3] in _TYPES:
        return _Property(words[4], _TYPES[words[3]], _TYPES[words[2]]) if _TYPES[words[2]][0] in "iu" else None
    if len(words) == 3 and words[1] in _TYPES:
        return _Property(words[2], _TYPES[words[1]])
    return None


# --------------------------------------------------------------------------------------------------- binary bodies


def _binary_records(name: str, data: bytes, at: int, order: str, elements: list[_Element]) -> dict[str, dict]:
    """element -> property -> values (N,), or for a list (lengths (N,), all entries one after the other)."""
    columns: dict[str, dict] = {}
    for element in elements:
        room = len(data) - at
        if element.count * element.smallest() > room:
            raise ScanError(
                f"{name}: {element.count} records of {element.name!r} are declared, at least "
                f"{element.count * element.smallest()} bytes; {room} are left: cut short, or a damaged header"
            )
        read = _fixed if not any(p.count_kind for p in element.properties) else _with_lists
        columns[element.name], at = read(name, data, at, order, element)
    if len(data) - at and data[at:].strip(b"\r\n\0 "):
        raise ScanError(f"{name}: {len(data) - at} bytes are left after the last declared record: a damaged header?")
    return columns


def _fixed(name: str, data: bytes, at: int, order: str, element: _Element) -> tuple[dict, int]:
    record = np.dtype([(p.name, order + p.kind) for p in element.properties])
    if not record.itemsize:
        return {}, at
    rows = np.frombuffer(data, record, element.count, at)
    return {p.name: rows[p.name] for p in element.properties}, at + element.count * record.itemsize


def _with_lists(name: str, data: bytes, at: int, order: str, element: _Element) -> tuple[dict, int]:
    """Records with lists: at one stroke when every list is as long as in the first record, else walked through."""
    n = element.count
    if n == 0:
        return {
            p.name: (np.empty(0, np.int64), np.empty(0)) if p.count_kind else np.empty(0) for p in element.properties
        }, at
    first = _record_lengths(name, data, at, order, element, 0)
    fields: list[tuple] = []
    for i, p in enumerate(element.properties):
        if p.count_kind:
            fields += [(f"n{i}", order + p.count_kind), (f"v{i}", order + p.kind, (first[i],))]
        else:
            fields.append((f"v{i}", order + p.kind))
    record = np.dtype(fields)
    if n * record.itemsize <= len(data) - at:
        rows = np.frombuffer(data, record, n, at)
        if all((rows[f"n{i}"] == first[i]).all() for i, p in enumerate(element.properties) if p.count_kind):
            out = {}
            for i, p in enumerate(element.properties):
                value = rows[f"v{i}"]
                if p.count_kind and p.kind[0] in "iu":  # widened in the same pass that makes it contiguous
                    value = value.astype(np.int64)
                out[p.name] = (np.full(n, first[i], np.int64), value.reshape(-1)) if p.count_kind else value
            return out, at + n * record.itemsize
    return _walked(name, data, at, order, element)


def _record_lengths(name: str, data: bytes, at: int, order: str, element: _Element, index: int) -> list[int]:
    """The list lengths of the record at byte `at` (0 for plain properties), checked against what is left."""
    lengths = []
    for p in element.properties:
        length = 0
        if p.count_kind:
            head = np.dtype(p.count_kind).itemsize
            if at + head > len(data):
                raise ScanError(f"{name}: ends inside record {index} of {element.name!r}; the file is cut short")
            length = int.from_bytes(
                data[at : at + head], "big" if order == ">" else "little", signed=p.count_kind[0] == "i"
            )
            at += head
        at += np.dtype(p.kind).itemsize * (length if p.count_kind else 1)
        if length < 0 or at > len(data):
            raise ScanError(
                f"{name}: record {index} of {element.name!r} lists {length} entries, more than is left of the file"
            )
        lengths.append(length)
    return lengths


def _walked(name: str, data: bytes, at: int, order: str, element: _Element) -> tuple[dict, int]:
    """Only the lengths have to be followed one by one; the entries are then gathered at one stroke."""
    items = [np.dtype(p.kind).itemsize for p in element.properties]
    heads = [np.dtype(p.count_kind).itemsize if p.count_kind else 0 for p in element.properties]
    lengths = {i: array("q") for i, p in enumerate(element.properties) if p.count_kind}
    plan, fixed = [], 0  # of each list: the plain bytes before it, and how its length is written
    for i, p in enumerate(element.properties):
        if p.count_kind:
            plan.append((fixed, heads[i], items[i], p.count_kind[0] == "i", lengths[i].append))
            fixed = 0
        else:
            fixed += items[i]
    big = "big" if order == ">" else "little"
    begin, size = at, len(data)
    for row in range(element.count):
        for before, head, item, signed, keep in plan:
            at += before
            n = (
                data[at]
                if head == 1 and not signed and at < size
                else int.from_bytes(data[at : at + head], big, signed=signed)
            )
            keep(n)
            at += head + n * item
            if n < 0:
                raise ScanError(f"{name}: record {row} of {element.name!r} has a list of {n} entries")
        at += fixed
        if at > size:
            raise ScanError(f"{name}: ends inside record {row} of {element.name!r}; cut short, or a damaged length")
    count = [np.frombuffer(lengths[i], np.int64) if i in lengths else np.int64(1) for i in range(len(items))]
    width = [heads[i] + count[i] * items[i] for i in range(len(items))]
    record = np.broadcast_to(sum(width), element.count)
    place = begin + np.cumsum(record) - record
    raw, out = np.frombuffer(data, np.uint8), {}
    for i, p in enumerate(element.properties):
        n = np.broadcast_to(count[i], element.count)
        offset = np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)
        first = np.repeat(place + heads[i], n) + offset * items[i]
        values = raw[first[:, None] + np.arange(items[i])].reshape(-1).view(order + p.kind)
        out[p.name] = (n, values) if p.count_kind else values
        place = place + width[i]
    return out, at


# ---------------------------------------------------------------------------------------------------- ascii bodies


def _ascii_records(name: str, data: bytes, at: int, order: str, elements: list[_Element]) -> dict[str, dict]:
    """As `_binary_records`, one line a record."""
    body = data[at:]
    if b"\0" in body:
        raise ScanError(f"{name}: says ascii, but byte {at + body.index(0)} is 0")
    if b"\n" not in body:
        body = body.replace(b"\r", b"\n")
    lines = Lines.of(name, body if body.endswith(b"\n") else body + b"\n", data.count(b"\n", 0, at) + 1)
    lines = lines.filled()
    needed = sum(e.count for e in elements)
    if needed != len(lines):
        raise ScanError(f"{name}: the PLY header declares {needed} records, but {len(lines)} lines follow it")
    columns: dict[str, dict] = {}
    row = 0
    for element in elements:
        rows = lines.pick(np.arange(row, row + element.count))
        row += element.count
        columns[element.name] = _ascii_element(rows, element) if element.count else {}
    return columns


def _ascii_element(rows: Lines, element: _Element) -> dict:
    text = rows.joined()
    word, sizes = tokens(text)
    lists = [p for p in element.properties if p.count_kind]
    whole = len(element.properties) == 1 and bool(lists) and element.properties[0].kind[0] in "iu"
    values = parse(text, np.int64 if whole else np.float64)
    if values is None or len(values) != len(word):
        kind = np.int64 if whole else np.float64
        bad = first_bad(rows, lambda part: parse(part.joined(), kind) is not None)
        raise ScanError(f"{rows.where(bad)}: {rows.text(bad)!r} is not all numbers as {element.name!r} needs")
    first = np.cumsum(sizes) - sizes
    at = first.copy()
    out = {}
    for p in element.properties:
        inside = at < first + sizes
        if not inside.all():
            raise _short(rows, int(np.flatnonzero(~inside)[0]), element)
        if not p.count_kind:
            out[p.name] = values[at]
            at += 1
            continue
        n = values[at]
        room = first + sizes - at - 1
        if ((n < 0) | (n > room) | (n != np.floor(n))).any():
            raise _short(rows, int(np.flatnonzero((n < 0) | (n > room) | (n != np.floor(n)))[0]), element)
        n = n.astype(np.int64)
        offset = np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)
        entries = values[np.repeat(at + 1, n) + offset]
        if p.kind[0] in "iu" and (entries != np.floor(entries)).any():
            raise ScanError(f"{rows.name}: {element.name!r} has a fraction where {p.name!r} is declared as integers")
        out[p.name] = (n, entries)
        at += n + 1
    if (at != first + sizes).any():
        raise _short(rows, int(np.flatnonzero(at != first + sizes)[0]), element)
    return out


def _short(rows: Lines, i: int, element: _Element) -> ScanError:
    return ScanError(
        f"{rows.where(i)}: {rows.text(i)!r} does not hold the properties declared for {element.name!r}, "
        f"{', '.join(p.name for p in element.properties)}"
    )


# ------------------------------------------------------------------------------------------------ colours, texture


def _colors(vertex: _Element, values: dict[str, NDArray]) -> NDArray[np.uint8] | None:
    for names in (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b")):
        if all(n in values for n in names):
            kind = next(p.kind for p in vertex.properties if p.name == names[0])
            unit = 1.0 if kind[0] == "f" else {"u1": 255.0, "u2": 65535.0}.get(kind, 255.0)
            return colors_from(np.column_stack([values[n] for n in names]), unit)
    return None


def _uv(name: str, values: dict, face: dict, sizes: Ints, faces: Ints) -> Floats | None:
    """(F, 3, 2) from a list `texcoord` beside each face, or from s, t (u, v) beside each vertex."""
    if "texcoord" in face:
        n, flat = face["texcoord"]
        if (n == 2 * sizes).all():
            return fan(name, np.asarray(flat, np.float64).reshape(-1, 2), sizes)
    for names in (("s", "t"), ("u", "v"), ("texture_u", "texture_v")):
        if all(n in values for n in names):
            return np.column_stack([values[n] for n in names]).astype(np.float64)[faces]
    return None
