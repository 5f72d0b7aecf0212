"""Point clouds as text: a point a line, x y z with or without colours and normals (XYZ, ASC, TXT, CSV, Leica's PTS).

Numbers stand apart by blanks, commas or semicolons; with semicolons, or between blanks, a comma is the decimal point.
Comments, a line with the names of the columns, and one with the number of points may come first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.raw import RawMesh, check_counts, color_unit, colors_from
from face3d.io.text import Lines, plain, ragged, tokens

_OPENED = 1 << 16  # bytes within which the first point stands
_MOST = 16  # columns
_NUMBER = re.compile(rb"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan(?:\(\w*\))?|inf|1\.#\w+)", re.IGNORECASE)
_NAME = re.compile(r"\W*([a-z]+(?::\d)?)")
_SAME = {
    "points:0": "x",
    "points:1": "y",
    "points:2": "z",
    "red": "r",
    "green": "g",
    "blue": "b",
    "rf": "r",
    "gf": "g",
    "bf": "b",
}
_NORMAL = ("nx", "ny", "nz")
_LEICA: tuple[str, ...] = ("x", "y", "z", "intensity", "r", "g", "b")  # of PTS files, which begin with a count


@dataclass(frozen=True)
class _Layout:
    """What stands before the first point of a cloud, the `row` of that point, and where it begins."""

    names: tuple[str, ...]
    count: int | None
    row: bytes
    at: int


def is_cloud(start: bytes) -> bool:
    """Whether a text that starts so is a point cloud: names, comments and a count, then a row of numbers."""
    return _layout(start) is not None


def read_xyz(name: str, data: bytes) -> RawMesh:
    """Parse a point cloud of text. Columns that are neither coordinates, colours nor normals are left out, with a note.

    Raises `ScanError` naming the line that holds no numbers or not as many as the others, or a wrong count.
    """
    notes: list[str] = []
    data = plain(name, data, notes)
    layout = _layout(data[:_OPENED])
    if layout is None:
        raise ScanError(f"{name}: is no point cloud of x y z lines")
    body = data[layout.at :].translate(_separators(layout.row))
    lines = Lines.of(name, body, data.count(b"\n", 0, layout.at) + 1).without_comments().filled()
    if layout.count is not None:
        lines = _counted(lines, layout.count)
    check_counts(name, len(lines))
    values, widths = ragged(lines, 0, tuple(range(3, _MOST + 1)), "a point")
    if (widths != widths[0]).any():
        bad = int(np.flatnonzero(widths != widths[0])[0])
        raise ScanError(
            f"{lines.where(bad)}: {widths[bad]} numbers in {lines.text(bad)!r}; the first point has {widths[0]}"
        )
    leica = layout.count is not None and values.shape[1] == 7 and not layout.names
    names = list(_LEICA) if leica else _columns(name, layout.names, values)
    mesh = RawMesh(np.ascontiguousarray(values[:, [names.index(axis) for axis in "xyz"]]), notes=notes)
    colored = all(channel in names for channel in "rgb")
    if colored:
        rgb = values[:, [names.index(channel) for channel in "rgb"]]
        mesh.colors = colors_from(rgb, color_unit(rgb))
    known = {*"xyz", *_NORMAL, *("rgb" if colored else "")}
    other = [str(i + 1) for i, key in enumerate(names) if key not in known]
    if other:
        notes.append(f"columns that are neither coordinates nor colours were left out: {', '.join(other)}")
    return mesh


def _layout(start: bytes) -> _Layout | None:
    """What stands before the first point; None when the text is no cloud."""
    names: tuple[str, ...] = ()
    count, at = None, 0
    for line in start.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True):
        text = line.strip()
        comment = text.startswith((b"#", b"//"))
        words = text.translate(_separators(text)).split()
        if words and not comment and all(_NUMBER.fullmatch(word) for word in words[:3]):
            if len(words) >= 3:
                return _Layout(names, count, line, at + 3 * start.startswith(b"\xef\xbb\xbf"))
            if len(words) > 1 or not words[0].isdigit() or len(words[0]) > 18:
                return None
            count = int(words[0])
        elif words:
            found = column_names(text)
            if {"x", "y", "z"} <= set(found):
                names = found
            elif not comment:
                return None
        at += len(line)
    return None


def column_names(text: bytes) -> tuple[str, ...]:
    """The columns' names in a header line, the known ones by one spelling."""
    line = text.decode("latin-1").lower().lstrip("#/ \t")
    words = re.split(r"[,;\t]", line.strip(",;\t")) if re.search(r"[,;\t]", line) else line.split()
    found = (_NAME.match(word) for word in words)
    return tuple("" if m is None else _SAME.get(m[1], m[1]) for m in found)


def _separators(row: bytes) -> bytes:
    """A table for `bytes.translate` after which numbers stand between blanks and have decimal points."""
    decimal = b";" in row or (len(row.split()) >= 3 and re.search(rb"\d,\d", row) is not None)
    return bytes.maketrans(b';",', b"  ." if decimal else b"   ")


def _counted(lines: Lines, count: int) -> Lines:
    """The points of one block or more, each behind a line with its number of points; `count` stood before the first."""
    _, words = tokens(lines.joined())
    heads = np.flatnonzero(words == 1)
    declared = [count, *(int(lines.content(i)) if lines.content(i).strip().isdigit() else -1 for i in heads[:1000])]
    for before, end, n in zip([-1, *heads], [*heads, len(lines)], declared, strict=False):
        if end - before - 1 != n:
            raise ScanError(f"{lines.name}: {n} points are declared; {end - before - 1} lines follow: cut short?")
    return lines.pick(words != 1)


def _columns(name: str, names: tuple[str, ...], values: NDArray[np.float64]) -> list[str]:
    """What each column of `values` is: by the header's `names`, or else by what stands in it."""
    count = values.shape[1]
    if names and len(names) == count:
        return list(names)
    running = np.arange(len(values))
    numbered = count > 3 and len(values) > 3 and any((values[:, 0] == running + k).all() for k in (0, 1))
    if names and not (numbered and len(names) == count - 1):
        raise ScanError(f"{name}: the header names {len(names)} columns; the points have {count} numbers")
    out = (["number"] if numbered else []) + list(names or "xyz")
    out += [""] * (count - len(out))
    some = values[np.isfinite(values).all(axis=1)]
    normal = [i for i in _free(out) if _is_normal(some[:, i : i + 3])]
    if normal:
        out[normal[0] : normal[0] + 3] = _NORMAL
    color = [i for i in _free(out) if _is_color(some[:, i : i + 3])]
    if color:
        # "r g b alpha" or "intensity r g b": an alpha is opaque everywhere.
        last = np.unique(some[:, color[-1] + 2])
        first = color[0] if len(last) == 1 and last[0] in (1.0, 255.0) else color[-1]
        out[first : first + 3] = "rgb"
    return out


def _free(names: list[str]) -> list[int]:
    """Where three columns side by side have no name yet."""
    return [i for i in range(len(names) - 2) if not any(names[i : i + 3])]


def _is_normal(some: NDArray[np.float64]) -> bool:
    length = np.linalg.norm(some, axis=1)
    return bool(len(some)) and bool(length.any()) and bool((np.abs(length - 1.0) < 0.02)[length > 0].all())


def _is_color(some: NDArray[np.float64]) -> bool:
    if not len(some) or some.min() < 0 or not 0 < some.max() <= 255:
        return False
    return bool(some.max() <= 1.0 or (some == np.floor(some)).all())
