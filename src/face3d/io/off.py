"""Geomview OFF, ascii: OFF and COFF, NOFF, STOFF and their combinations; polygons become fans."""

from __future__ import annotations

import re

import numpy as np

from face3d.errors import ScanError
from face3d.io.raw import RawMesh, check_counts, color_unit, colors_from, fan, without_small
from face3d.io.text import Lines, first_bad, parse, plain, table, tokens

# The counts may follow on the same line, as in the ModelNet files even without a blank between.
_HEADER = re.compile(rb"\s*(?:#[^\n]*\n\s*)*(ST)?(C)?(N)?(4)?(n)?OFF(?![A-Za-z])([ \t]*BINARY)?")


def is_off(data: bytes) -> bool:
    """Whether the text starts, after comments, with the format's keyword."""
    return _HEADER.match(data[:4096].removeprefix(b"\xef\xbb\xbf")) is not None


def read_off(name: str, data: bytes) -> RawMesh:
    """Parse an OFF file. Raises `ScanError` naming the line at fault."""
    notes: list[str] = []
    data = plain(name, data, notes) if b"BINARY" not in data[:80] else data
    match = _HEADER.match(data)
    if match is None:
        raise ScanError(f"{name}: does not start with OFF")
    uv, colored, normals, four, dimension, binary = match.groups()
    if four or dimension or binary:
        raise ScanError(f"{name}: a four-dimensional or binary OFF file; export it as plain OFF, or as PLY")
    lines = _after(name, data, match.end())
    if not len(lines):
        raise ScanError(f"{name}: the OFF file ends after its first word")
    counts = parse(lines.content(0), np.int64)
    if counts is None or len(counts) not in (2, 3) or (counts < 0).any():
        raise ScanError(f"{lines.where(0)}: {lines.text(0)!r}; expected the numbers of vertices, faces and edges")
    vertices, faces = int(counts[0]), int(counts[1])
    check_counts(name, vertices, faces)
    if vertices == 0:
        raise ScanError(f"{name}: the OFF file declares no vertices")
    if vertices + faces != len(lines) - 1:
        raise ScanError(f"{name}: {vertices} vertices and {faces} faces are declared; {len(lines) - 1} lines follow")
    at = np.arange(len(lines))
    before = 3 + 3 * bool(normals)
    widths = tuple(before + c + 2 * bool(uv) for c in ((3, 4) if colored else (0,)))
    values = table(lines.pick(at[1 : 1 + vertices]), 0, widths, "a vertex of this OFF file", gaps=True)
    mesh = RawMesh(np.ascontiguousarray(values[:, :3]), notes=notes)
    if colored:
        shade = values[:, before : values.shape[1] - 2 * bool(uv)]
        rgb, alpha = shade[:, :3], shade[:, 3] if shade.shape[1] == 4 else None
        mesh.colors = colors_from(rgb, color_unit(rgb, alpha))
    if faces:
        mesh.faces = _faces(lines.pick(at[1 + vertices :]), vertices, notes)
    return mesh


def _after(name: str, data: bytes, start: int) -> Lines:
    """The lines after the header word that are neither blank nor comment."""
    return Lines.of(name, data[start:], data.count(b"\n", 0, start) + 1).without_comments().filled()


def _faces(lines: Lines, vertices: int, notes: list[str]) -> np.ndarray:
    """Corner count, corners, and perhaps a colour, on each line."""
    text = lines.joined()
    word, width = tokens(text)
    values = parse(text)
    if values is None or len(values) != len(word):
        bad = first_bad(lines, lambda part: parse(part.joined()) is not None)
        raise ScanError(f"{lines.where(bad)}: {lines.text(bad)!r} is no face of an OFF file")
    first = np.cumsum(width) - width
    sizes = values[first]
    wrong = ~((sizes >= 1) & (sizes <= width - 1) & (sizes == np.floor(sizes)))
    if wrong.any():
        bad = int(np.flatnonzero(wrong)[0])
        raise ScanError(f"{lines.where(bad)}: {lines.text(bad)!r}; expected corners, after their number")
    sizes = sizes.astype(np.int64)
    start = np.cumsum(sizes) - sizes
    corner = values[np.repeat(first + 1 - start, sizes) + np.arange(int(sizes.sum()))]
    wrong = ~((corner >= 0) & (corner < vertices) & (corner == np.floor(corner)))
    if wrong.any():
        bad = int(np.searchsorted(start, np.flatnonzero(wrong)[0], "right")) - 1
        raise ScanError(f"{lines.where(bad)}: {lines.text(bad)!r} refers to no vertex; there are {vertices}, from 0")
    sizes, corner = without_small(sizes, notes, corner.astype(np.int64))
    return fan(lines.name, corner, sizes)
