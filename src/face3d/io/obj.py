"""Wavefront OBJ, vertices exactly as the file orders them: no merging, no splitting at seams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.raw import RawMesh, check_counts, color_unit, colors_from, fan, without_small
from face3d.io.text import PADDING, Lines, check_finite, first_bad, parse, plain, ragged, tokens
from face3d.scan import Ints

# Every statement of the format (Wavefront Advanced Visualizer, appendix B1) without a vertex or polygon. Any other is
# an error: a mistyped "v" that was skipped would move all the vertices after it.
_STATEMENTS = (
    b"vn vp p l curv curv2 surf deg bmat step cstype parm trim hole scrv sp end con g s mg o bevel c_interp d_interp"
    b" lod usemtl mtllib shadow_obj trace_obj ctech stech maplib usemap call csh"
)
_KEYWORD = 8  # bytes of a keyword that are looked at
_IGNORED = frozenset(word[:_KEYWORD] for word in _STATEMENTS.split())


def read_obj(name: str, data: bytes, texture: bool = False) -> RawMesh:
    """Parse an OBJ file. Polygons become fans; `v x y z r g b [a]` gives colours; with `texture`, uv and the picture's
    name are kept. What has no part in the surface or cannot be used is left out, with a note.

    Raises `ScanError` naming the line for anything that is not the format, or an index that has no vertex.
    """
    notes: list[str] = []
    ended = data.rstrip(PADDING)[-1:] in (b"\n", b"\r")
    data = plain(name, data, notes)
    lines = Lines.of(name, data)
    if b"\\" in data:  # a backslash before the newline continues the line
        whole = Lines.of(name, data.replace(b"\\\r\n", b"   ").replace(b"\\\n", b"  "))
        lines = Lines(
            name, whole.bytes, whole.start, whole.end, (np.searchsorted(lines.end, whole.start) + 1).astype(np.int32)
        )
    last = int(lines.start[-1])
    lines = lines.without_comments()
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
    values, widths = ragged(vertex_lines, 1, (3, 4, 6, 7), "a vertex")
    check_finite(vertex_lines, values, "a vertex", gaps=True)
    mesh = RawMesh(np.ascontiguousarray(values[:, :3]), notes=notes)
    colored = int((widths >= 6).sum())
    if colored == len(values):
        rgb = values[:, 3:6]
        mesh.colors = colors_from(rgb, color_unit(rgb, values[:, 6] if values.shape[1] == 7 else None))
    elif colored:
        notes.append(f"colours are given for {colored} of {len(values)} vertices only, and were left out")
    if is_f.any():
        faces = lines.pick(is_f)
        every = _sizes(faces, -1 if ended else last)
        (sizes,) = without_small(every, notes)
        if len(sizes) < len(every):
            _corners(faces.pick(every < 3), False)
            faces = faces.pick(every >= 3)
        corner, corner_uv = _corners(faces, texture)
        number = np.repeat(np.arange(len(sizes)), sizes)
        mesh.faces = fan(name, _absolute(faces, corner, number, vertex_lines, "vertex"), sizes)
        if texture and library is not None:
            mesh.picture = library
            mesh.uv = _uv(faces, corner_uv, number, sizes, lines.pick(is_vt), notes)
    return mesh


def _uv(
    faces: Lines, corner: Ints | None, number: Ints, sizes: Ints, targets: Lines, notes: list[str]
) -> NDArray[np.float64] | None:
    """(F, 3, 2) for the triangles of all faces; None, with a note, where some corner has no usable coordinates."""
    if not len(targets):
        return None
    if corner is None:
        notes.append("no texture: not every corner of the faces has a texture coordinate")
        return None
    try:
        uv, _ = ragged(targets, 2, (1, 2, 3), "a texture coordinate")
        check_finite(targets, uv[:, :2], "a texture coordinate")
        if uv.shape[1] < 2:
            raise ScanError(f"{targets.name}: texture coordinates of one number")
        return fan(faces.name, uv[_absolute(faces, corner, number, targets, "texture coordinate"), :2], sizes)
    except ScanError as error:
        notes.append(f"no texture: {str(error).removeprefix(f'{faces.name}: ')}")
        return None


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


def _sizes(lines: Lines, unended: int) -> Ints:
    """Each face's corner count. `unended`: where the file's last line starts when nothing ends it."""
    _, sizes = tokens(lines.joined(1))
    short = sizes < 1
    short[-1] |= sizes[-1] < 3 and lines.start[-1] == unended
    if short.any():
        bad = int(np.flatnonzero(short)[0])
        way = "; is the file cut short?" if sizes[bad] else ""
        raise ScanError(f"{lines.where(bad)}: {lines.text(bad)!r} has {sizes[bad]} corners; a face needs 3{way}")
    return sizes


def _corners(lines: Lines, texture: bool) -> tuple[Ints, Ints | None]:
    """Vertex and, with `texture`, texture-coordinate numbers of all corners as written."""
    numbers = _corner_numbers(lines, texture)
    if numbers is None:
        bad = first_bad(lines, lambda part: _corner_numbers(part, texture) is not None)
        raise ScanError(
            f"{lines.where(bad)}: {lines.text(bad)!r} is no face; its corners are vertex, or vertex/uv/normal, numbers"
        )
    return numbers


def _corner_numbers(lines: Lines, texture: bool) -> tuple[Ints, Ints | None] | None:
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
    # What is not used need not be a number of anything, but "1//x" is no corner.
    odd = digit & ~((view >= 48) & (view <= 57) | (view == ord("-")))
    if (odd & (part >= 1 + texture)).any():
        return None
    blank = view <= 32
    corner = parse(view[digit & (part == 0) | blank].tobytes(), np.int64)
    if corner is None or len(corner) != len(word):
        return None
    if not texture:
        return corner, None
    corner_uv = parse(view[digit & (part == 1) | blank].tobytes(), np.int64)
    # Where only some corners have uv, the scan has no texture.
    return None if corner_uv is None else (corner, corner_uv if len(corner_uv) == len(word) else None)


def _absolute(lines: Lines, written: Ints, line: NDArray[np.int64], targets: Lines, what: str) -> Ints:
    """Indices from 0, from numbers that count from 1, or backwards from the face's own line when negative."""
    if not len(written):
        return written
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
