"""The body of a PLY file, binary or ascii: the values of each property of each element."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.ply_header import Element
from face3d.io.text import PADDING, Lines, first_bad, parse, tokens, trimmed
from face3d.scan import Ints

# All that is read of a file; other lists can be long, and are only stepped over.
_READ = frozenset(
    [
        "x",
        "y",
        "z",
        "red",
        "green",
        "blue",
        "diffuse_red",
        "diffuse_green",
        "diffuse_blue",
        "r",
        "g",
        "b",
        "alpha",
        "diffuse_alpha",
        "a",
        "s",
        "t",
        "u",
        "v",
        "texture_u",
        "texture_v",
        "vertex_indices",
        "vertex_index",
        "texcoord",
    ]
)

Columns = dict[str, Any]  # of an element: property -> values (N,), or (lengths (N,), all entries) of a list


def read_records(
    name: str, data: bytes, body: int, order: str, elements: list[Element], notes: list[str]
) -> dict[str, Columns]:
    """The columns of every element of the body that starts at byte `body`; `order` as in the header.

    Raises `ScanError` naming the record at fault, before memory is taken for what is not there.
    """
    if order == "":
        return _ascii_records(name, data, body, elements, notes)
    columns: dict[str, Columns] = {}
    at = body
    for element in elements:
        room = len(data) - at
        if element.count * element.smallest() > room:
            raise ScanError(
                f"{name}: {element.count} records of {element.name!r} are declared, at least "
                f"{element.count * element.smallest()} bytes; {room} are left: cut short, or a damaged header"
            )
        read = _with_lists if element.lists else _fixed
        columns[element.name], at = read(name, data, at, order, element)
    rest = len(data) - at
    if rest and data[at:].strip(PADDING + b"\t\n\r "):
        # A little, and less than one record, is no record that the header forgot to count.
        if 10 * rest > at - body or rest >= min(e.smallest(3) for e in elements if e.count):
            raise ScanError(f"{name}: {rest} bytes are left after the last declared record: a damaged header?")
        notes.append(f"{rest} bytes behind the last record were left out")
    elif rest and data[at:].strip(b"\r\n "):
        notes.append(f"{rest} bytes of padding behind the end were left out")
    return columns


def _fixed(name: str, data: bytes, at: int, order: str, element: Element) -> tuple[Columns, int]:
    record = np.dtype([(p.name, order + p.kind) for p in element.properties])
    if not record.itemsize:
        return {}, at
    rows = np.frombuffer(data, record, element.count, at)
    return {p.name: rows[p.name] for p in element.properties}, at + element.count * record.itemsize


def _with_lists(name: str, data: bytes, at: int, order: str, element: Element) -> tuple[Columns, int]:
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
            out: Columns = {}
            for i, p in enumerate(element.properties):
                value = rows[f"v{i}"]
                if p.count_kind and p.kind[0] in "iu":  # widened in the same pass that makes it contiguous
                    value = value.astype(np.int64)
                out[p.name] = (np.full(n, first[i], np.int64), value.reshape(-1)) if p.count_kind else value
            return out, at + n * record.itemsize
    return _walked(name, data, at, order, element)


def _record_lengths(name: str, data: bytes, at: int, order: str, element: Element, index: int) -> list[int]:
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


def _walked(name: str, data: bytes, at: int, order: str, element: Element) -> tuple[Columns, int]:
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
    raw = np.frombuffer(data, np.uint8)
    out: Columns = {}
    for i, p in enumerate(element.properties):
        if p.name in _READ:
            n = np.broadcast_to(count[i], element.count)
            offset = np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)
            first = np.repeat(place + heads[i], n) + offset * items[i]
            values = raw[first[:, None] + np.arange(items[i])].reshape(-1).view(order + p.kind)
            out[p.name] = (n, values) if p.count_kind else values
        place = place + width[i]
    return out, at


def _ascii_records(name: str, data: bytes, at: int, elements: list[Element], notes: list[str]) -> dict[str, Columns]:
    """One line a record; or, where the lines are others, the numbers in their order."""
    body = trimmed(data[at:], notes)
    if b"\0" in body:
        raise ScanError(f"{name}: says ascii, but byte {at + body.index(0)} is 0")
    if b"\n" not in body:
        body = body.replace(b"\r", b"\n")
    lines = Lines.of(name, body if body.endswith(b"\n") else body + b"\n", data.count(b"\n", 0, at) + 1)
    lines = lines.filled()
    needed = sum(e.count for e in elements)
    if needed != len(lines):
        wrapped = _wrapped(lines, elements)
        if wrapped is None:
            raise ScanError(f"{name}: the PLY header declares {needed} records, but {len(lines)} lines follow it")
        notes.append("the records are wrapped over lines: read by their numbers, not by lines")
        return wrapped
    columns: dict[str, Columns] = {}
    row = 0
    for element in elements:
        rows = lines.pick(np.arange(row, row + element.count))
        row += element.count
        columns[element.name] = _ascii_element(rows, element) if element.count else {}
    return columns


def _wrapped(lines: Lines, elements: list[Element]) -> dict[str, Columns] | None:
    """The columns when the numbers of all lines, taken in their order, are just what the header declares, else None.

    A wrong count must not pass for wrapping. So all lists of an element must be equally long, or each record must begin
    a line and be wrapped as the others of its element are: into several lines, or not at all.
    """
    if not len(lines):
        return None
    text = lines.joined()
    word, words = tokens(text)
    values = parse(text)
    if values is None or len(values) != len(word):
        return None
    begins = np.zeros(len(values) + 1, np.int64)  # how many lines begin up to each number
    begins[(np.cumsum(words) - words)] = 1
    begins[-1] = 1
    line = np.cumsum(begins)
    columns: dict[str, Columns] = {}
    at = 0
    for element in elements:
        width = len(element.properties)
        if element.count * width > len(values) - at:
            return None
        first: Ints | None = at + width * np.arange(element.count + 1)
        if element.lists and element.count:
            first = _record_starts(values, at, element)
            if first is None:
                return None
            spans = np.diff(line[first])
            aligned = begins[first].all() and ((spans > 1).all() or (spans == 1).all())
            if len(np.unique(np.diff(first))) > 1 and not aligned:
                return None
        columns[element.name], bad = _columns(lines.name, values, first[:-1], first[1:], element)
        if bad is not None:
            return None
        at = int(first[-1])
    return columns if at == len(values) else None


def _record_starts(values: NDArray[np.float64], at: int, element: Element) -> Ints | None:
    """(count + 1,) where each record of lists starts in `values`, and where the last one ends; None when a list's
    length is none."""
    first = np.empty(element.count + 1, np.int64)
    number, size = values.data, len(values)
    for row in range(element.count):
        first[row] = at
        for p in element.properties:
            if at >= size:
                return None
            n = number[at] if p.count_kind else 0.0
            if not (0 <= n < size and n == int(n)):
                return None
            at += 1 + int(n)
    first[-1] = at
    return first if at <= size else None


def _ascii_element(rows: Lines, element: Element) -> Columns:
    text = rows.joined()
    word, sizes = tokens(text)
    whole = len(element.properties) == 1 and element.lists and element.properties[0].kind[0] in "iu"
    values = parse(text, np.int64 if whole else np.float64)
    if values is None or len(values) != len(word):
        kind = np.int64 if whole else np.float64
        bad = first_bad(rows, lambda part: parse(part.joined(), kind) is not None)
        raise ScanError(f"{rows.where(bad)}: {rows.text(bad)!r} is not all numbers as {element.name!r} needs")
    end = np.cumsum(sizes)
    columns, bad = _columns(rows.name, values, end - sizes, end, element)
    if bad is not None:
        raise ScanError(
            f"{rows.where(bad)}: {rows.text(bad)!r} does not hold the properties declared for {element.name!r}, "
            f"{', '.join(p.name for p in element.properties)}"
        )
    return columns


def _columns(name: str, values: NDArray, at: Ints, end: Ints, element: Element) -> tuple[Columns, int | None]:
    """The columns of records that fill `values` from `at` to `end`, and the first record that does not, if there is
    one."""
    out: Columns = {}
    for p in element.properties:
        outside = at >= end
        n = np.zeros(0) if outside.any() or not p.count_kind else values[at]
        if len(n):
            outside = (n < 0) | (n > end - at - 1) | (n != np.floor(n))
        if outside.any():
            return out, int(np.flatnonzero(outside)[0])
        if not p.count_kind:
            out[p.name] = values[at]
            at = at + 1
            continue
        n = n.astype(np.int64)
        offset = np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)
        entries = values[np.repeat(at + 1, n) + offset]
        if p.kind[0] in "iu" and (entries != np.floor(entries)).any():
            raise ScanError(f"{name}: {element.name!r} has a fraction where {p.name!r} is declared as integers")
        out[p.name] = (n, entries)
        at = at + n + 1
    over = at != end
    return out, int(np.flatnonzero(over)[0]) if over.any() else None
