"""Wavefront OBJ, vertices exactly as the file orders them: no merging, no splitting at seams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.raw import RawMesh, check_counts, colors_from, fan
from face3d.io.text import Lines, parse, plain, table, tokens
from face3d.scan import Ints

# Every statement of the format (Wavefront Advanced Visualizer, appendix B1) that carries no vertex or polygon. Others
# are errors: a mistyped "v" that was skipped would move all the vertices after it.
_IGNORED = frozenset(
    b"vn vp p l curv curv2 surf fo deg bmat step cstype parm trim hole scrv sp end con g s mg o bevel c_interp d_interp"
    b" lod usemtl mtllib shadow_obj trace_obj ctech stech maplib usemap call csh".split()
) - {b"fo"}


def read_obj(name: str, data: bytes) -> RawMesh:
    """Parse an OBJ file. Polygons become fans; `v x y z r g b` gives colours; uv and the picture's name are kept apart.

    Raises `ScanError` naming the line for anything that is not the format, or an index that has no vertex.
    """
    data = plain(name, data)
    lines = Lines.of(name, data)
    if b"\\" in data:  # a backslash before the newline continues the line
        whole = Lines.of(name, data.replace(b"\\\r\n", b"   ").replace(b"\\\n", b"  "))
        lines = Lines(name, whole.bytes, whole.start, whole.end, np.searchsorted(lines.end, whole.start) + 1)
    lines = _without_comments(lines)
    c0, c1, c2 = lines.at(0), lines.at(1), lines.at(2)
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
        at, _ = fan(corner, sizes)
        check_counts(name, len(table_v), len(at))
        mesh.faces = corner[at]
        uv_lines = lines.pick(is_vt)
        if corner_uv is not None and len(uv_lines):
            uv = table(uv_lines, 2, (1, 2, 3), "a texture coordinate")
            if uv.shape[1] >= 2:
                mesh.uv = uv[_absolute(face_lines, corner_uv, number, uv_lines, "texture coordinate")[at], :2]
                mesh.picture = library
    return mesh


def _without_comments(lines: Lines) -> Lines:
    """Comment lines dropped, and lines cut where a comment follows a statement."""
    hashes = np.flatnonzero(lines.bytes == ord("#"))
    if not len(hashes):
        return lines
    hashes = np.append(hashes, len(lines.bytes))
    end = np.minimum(lines.end, hashes[np.searchsorted(hashes, lines.start)])
    cut = end < lines.end
    if (cut & (end > lines.start)).any():
        # Blank the comments in a copy, so that a line still ends at its newline.
        data = lines.bytes.copy()
        for i in np.flatnonzero(cut):
            data[end[i] : lines.end[i]] = 32
        lines = Lines(lines.name, data, lines.start, lines.end, lines.number)
    return lines.pick(end > lines.start)


def _other_statements(lines: Lines) -> str | None:
    """Check that the other lines are statements of the format; the material library's name, if one is given."""
    library = None
    for i in range(len(lines)):
        line = lines.bytes[lines.start[i] : lines.end[i]].tobytes()
        keyword, _, rest = line.partition(b" ")
        keyword = keyword.split(None, 1)[0]
        if keyword not in _IGNORED:
            raise ScanError(f"{lines.where(i)}: {lines.text(i)!r} is no statement of an OBJ file")
        if keyword == b"mtllib" and library is None:
            library = rest.decode("utf-8", "replace").strip()
    return library


def _corners(lines: Lines) -> tuple[Ints, Ints | None, Ints]:
    """Vertex and texture-coordinate numbers of all corners as written, and each face's corner count."""
    text = lines.joined(1)
    word, sizes = tokens(text)
    if (sizes < 3).any():
        bad = int(np.flatnonzero(sizes < 3)[0])
        raise ScanError(f"{lines.where(bad)}: {lines.text(bad)!r} has {sizes[bad]} corners; a face needs 3")
    view = np.frombuffer(text, np.uint8)
    slash = view == ord("/")
    corner_uv = None
    if slash.any():
        # Of "vertex/uv/normal" the part a byte belongs to is the number of slashes before it in its word.
        seen = np.cumsum(slash, dtype=np.int32)
        start = np.insert(word, 0, 0)
        part = seen - np.repeat(seen[start] - slash[start], np.diff(np.append(start, len(view))))
        if part.max() > 2:
            bad = int(np.searchsorted(np.cumsum(sizes), np.searchsorted(word, part.argmax(), "right") - 1, "right"))
            raise ScanError(f"{lines.where(bad)}: a corner in {lines.text(bad)!r} has more than vertex/uv/normal")
        digit = ~slash & (view > 32)
        second = np.where(digit & (part == 1), view, 32).astype(np.uint8)
        view = np.where(digit & (part == 0), view, 32).astype(np.uint8)
        corner_uv = parse(second.tobytes(), np.int64)
        if corner_uv is None:
            raise _bad_corner(lines)
        if len(corner_uv) != len(word):  # none has one, or only some: no texture for such a scan
            corner_uv = None
    corner = parse(view.tobytes(), np.int64)
    if corner is None or len(corner) != len(word):
        raise _bad_corner(lines)
    return corner, corner_uv, sizes


def _bad_corner(lines: Lines) -> ScanError:
    for i in range(len(lines)):
        for word in lines.bytes[lines.start[i] + 1 : lines.end[i]].tobytes().split():
            first, *rest = word.split(b"/")
            if not first or any(part and parse(part, np.int64) is None for part in (first, *rest[:1])):
                return ScanError(f"{lines.where(i)}: {word[:40].decode('utf-8', 'replace')!r} is no corner of a face")
    return ScanError(f"{lines.name}: the faces could not be read")


def _absolute(lines: Lines, written: Ints, line: NDArray[np.int64], targets: Lines, what: str) -> Ints:
    """Indices from 0, from numbers that count from 1, or backwards from the face's own line when negative."""
    negative = written < 0
    index = written - 1
    if negative.any():
        # How many targets stand before each face's line in the file.
        before = np.searchsorted(targets.start, lines.start[line[negative]])
        index[negative] = before + written[negative]
    bad = (index < 0) | (index >= len(targets))
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise ScanError(
            f"{lines.where(int(line[i]))}: {lines.text(int(line[i]))!r} refers to {what} {written[i]}; "
            f"there are {len(targets)}, counted from 1"
        )
    return index
