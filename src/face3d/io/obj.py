"""Wavefront OBJ, vertices exactly as the file orders them: no merging, no splitting at seams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.raw import RawMesh, check_counts, colors_from, fan
from face3d.io.text import Lines, first_bad, parse, plain, table, tokens
from face3d.scan import Ints

# Every statement of the format (Wavefront Advanced Visualizer, appendix B1) without a vertex or polygon. Any other is
# an error: a mistyped "v" that was skipped would move all the vertices after it.
_STATEMENTS = (
    b"vn vp p l curv curv2 surf deg bmat step cstype parm trim hole scrv sp end con g s mg o bevel c_interp d_interp"
    b" lod usemtl mtllib shadow_obj trace_obj ctech stech maplib usemap call csh"
)
_KEYWORD = 8  # bytes of a keyword that are looked at
_IGNORED = frozenset(word[:_KEYWORD] for word in _STATEMENTS.split())


def read_obj(name: str, data: bytes) -> RawMesh:
    """Parse an OBJ file. Polygons become fans; `v x y z r g b` gives colours; uv and the picture's name are kept apart.

    Raises `ScanError` naming the line for anything that is not the format, or an index that has no vertex.
    """
    data = plain(name, data)
    lines = Lines.of(name, data)
    if b"\\" in data:  # a backslash before the newline continues the line
        whole = Lines.of(name, data.replace(b"\\\r\n", b"   ").replace(b"\\\n", b"  "))
        lines = Lines(
            name, whole.bytes, whole.start, whole.end, (np.searchsorted(lines.end, whole.start) + 1).astype(np.int32)
        )
    lines = _without_comments(lines)
    head = lines.head()
    c0, c1, c2 = (((head >> np.uint64(8 * i)) & np.uint64(255)).astype(np.uint8) for i in range(3))
    blank1, blank2 = (c1 == 32) | (c1 == 9), (c2 == 32) | (c2 == 9)
    is_v = (c0 == ord("v")) & blank1
    is_vt = (c0 == ord("v")) & (c1 == ord("t")) & blank2
    is_f = (c0 == ord("f")) & (blank1 | (c1 <= 32))
    is_known = is_v | is_vt | is_f | (c0 <= 32) | ((c0 == ord("v")) & (c1 == ord("n")) & blank2)
    library = _other_statements(lines.pick(~is_known))

    vertex_lines = lines.pick(is_v)
    check_counts(name, len(vertex_lines), int(is_f.sum()))
    if not len(vertex_lines):
        raise ScanError(f"{name}: no vertices ('v x y z' lines) in it; is it an OBJ file?")
    table_v = table(vertex_lines, 1, (3, 4, 6, 7), "a vertex")
    colors = None
    if table_v.shape[1] >= 6:
        shade = table_v[:, -3:]
        colors = colors_from(shade, 1.0 if shade.max() <= 1.0 else 255.0)
    mesh = RawMesh(np.ascontiguousarray(table_v[:, :3]), colors=colors)
    if is_f.any():
        face_lines = lines.pick(is_f)
        corner, corner_uv, sizes = _corners(face_lines)
        number = np.repeat(np.arange(len(sizes)), sizes)
        corner = _absolute(face_lines, corner, number, vertex_lines, "vertex")
        mesh.faces = fan(name, corner, sizes)
        uv_lines = lines.pick(is_vt)
        if corner_uv is not None and len(uv_lines):
            uv = table(uv_lines, 2, (1, 2, 3), "a texture coordinate")
            if uv.shape[1] >= 2:
                corner_uv = _absolute(face_lines, corner_uv, number, uv_lines, "texture coordinate")
                mesh.uv = fan(name, uv[corner_uv, :2], sizes)
                mesh.picture = library
    return mesh


def _without_comments(lines: Lines) -> Lines:
    """Comment lines dropped, and comments that follow a statement blanked out."""
    hashes = np.flatnonzero(lines.bytes == ord("#"))
    if not len(hashes):
        return lines
    hashes = np.append(hashes, len(lines.bytes))
    end = np.minimum(lines.end, hashes[np.searchsorted(hashes, lines.start)])
    cut = (end < lines.end) & (end > lines.start)
    if cut.any():
        mark = np.zeros(len(lines.bytes), np.int8)
        mark[end[cut]] = 1
        mark[lines.end[cut]] = -1
        data = np.where(np.cumsum(mark, dtype=np.int8), np.uint8(32), lines.bytes)
        lines = Lines(lines.name, data, lines.start, lines.end, lines.number)
    return lines.pick(end > lines.start)


def _other_statements(lines: Lines) -> str | None:
    """Check that the other lines are statements of the format; the material library's name, if one is given."""
    if not len(lines):
        return None
    head = lines.head()
    inside = np.ones(len(lines), bool)
    for offset in range(_KEYWORD):  # cut behind the first word
        letter = np.uint64(255 << 8 * offset)
        inside &= (head & letter) > np.uint64(32 << 8 * offset)
        head = np.where(inside, head, head & ~letter)
    library = None
    _, indices = np.unique(head, return_index=True)  # a file has few different ones
    for i in np.sort(indices):
        keyword = int(head[i]).to_bytes(_KEYWORD, "little").rstrip(b"\0")
        if keyword not in _IGNORED:
            raise ScanError(f"{lines.where(i)}: {lines.text(i)!r} is no statement of an OBJ file")
        if keyword == b"mtllib":
            library = lines.content(i)[len(keyword) :].decode("utf-8", "replace").strip()
    return library


def _corners(lines: Lines) -> tuple[Ints, Ints | None, Ints]:
    """Vertex and texture-coordinate numbers of all corners as written, and each face's corner count."""
    _, sizes = tokens(lines.joined(1))
    if (sizes < 3).any():
        bad = int(np.flatnonzero(sizes < 3)[0])
        raise ScanError(f"{lines.where(bad)}: {lines.text(bad)!r} has {sizes[bad]} corners; a face needs 3")
    numbers = _corner_numbers(lines)
    if numbers is None:
        bad = first_bad(lines, lambda part: _corner_numbers(part) is not None)
        raise ScanError(
            f"{lines.where(bad)}: {lines.text(bad)!r} is no face; its corners are vertex, or vertex/uv/normal, numbers"
        )
    return *numbers, sizes


def _corner_numbers(lines: Lines) -> tuple[Ints, Ints | None] | None:
    text = lines.joined(1)
    view = np.frombuffer(text, np.uint8)
    slash = view == ord("/")
    if not slash.any():
        corner = parse(text, np.int64)
        return None if corner is None else (corner, None)
    # Of "vertex/uv/normal" the part a byte belongs to is the number of slashes before it in its word.
    word, _ = tokens(text)
    start = np.insert(word, 0, 0)
    seen = np.cumsum(slash, dtype=np.int32)
    part = seen - np.repeat(seen[start] - slash[start], np.diff(np.append(start, len(view))))
    if part.max() > 2:
        return None
    digit = ~slash & (view > 32)
    # The normals are not used, but "1//x" is no corner.
    if (digit & (part == 2) & ~((view >= 48) & (view <= 57) | (view == ord("-")))).any():
        return None
    blank = view <= 32
    corner, corner_uv = (parse(view[digit & (part == i) | blank].tobytes(), np.int64) for i in range(2))
    if corner is None or corner_uv is None or len(corner) != len(word):
        return None
    # Where only some corners have uv, the scan has no texture.
    return corner, corner_uv if len(corner_uv) == len(word) else None


def _absolute(lines: Lines, written: Ints, line: NDArray[np.int64], targets: Lines, what: str) -> Ints:
    """Indices from 0, from numbers that count from 1, or backwards from the face's own line when negative."""
    negative = written < 0
    index = written - 1
    if negative.any():
        # How many targets stand before each face's line in the file.
        before = np.searchsorted(targets.start, lines.start[line[negative]])
        index[negative] = before + written[negative]
    if index.min() < 0 or index.max() >= len(targets):
        i = int(np.flatnonzero((index < 0) | (index >= len(targets)))[0])
        raise ScanError(
            f"{lines.where(int(line[i]))}: {lines.text(int(line[i]))!r} refers to {what} {written[i]}; "
            f"there are {len(targets)}, counted from 1"
        )
    return index
