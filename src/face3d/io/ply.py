"""Stanford PLY: ascii, little and big endian; extra elements and properties are stepped over, not guessed at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.ply_header import Element, read_header
from face3d.io.ply_records import Columns, read_records
from face3d.io.raw import RawMesh, check_counts, color_unit, colors_from, fan, strips, without_small
from face3d.scan import Floats, Ints

_INDICES = ("vertex_indices", "vertex_index")


def read_ply(name: str, data: bytes) -> RawMesh:
    """Parse a PLY file: vertices with colours, polygons as fans, per-vertex or per-corner uv, the picture's name.

    Raises `ScanError` naming the header line or the record at fault, before memory is taken for what is not there.
    """
    notes: list[str] = []
    data = data.removeprefix(b"\xef\xbb\xbf")
    order, elements, picture, body = read_header(name, data)
    by_name = {e.name: e for e in elements}
    if len(by_name) != len(elements):
        raise ScanError(f"{name}: two elements of the PLY header have the same name")
    vertex = by_name.get("vertex")
    if vertex is None or vertex.count == 0:
        raise ScanError(f"{name}: the PLY header declares no vertices")
    if not {"x", "y", "z"} <= {p.name for p in vertex.properties if not p.count_kind}:
        raise ScanError(f"{name}: the vertices of the PLY header need properties x, y, z, each of one number")
    check_counts(name, vertex.count, sum(e.count for e in elements if e.name in ("face", "tristrips")))
    columns = read_records(name, data, body, order, elements, notes)

    values = {key: column for key, column in columns["vertex"].items() if not isinstance(column, tuple)}
    points = np.empty((vertex.count, 3))
    for i, axis in enumerate("xyz"):
        points[:, i] = values[axis]
    mesh = RawMesh(points, notes=notes)
    mesh.colors = _colors(vertex, values)
    face, strip = by_name.get("face"), by_name.get("tristrips")
    by_corner = None
    if face is not None and face.count:
        every, corner = _corners(name, face, columns["face"], vertex.count)
        sizes, corner = without_small(every, notes, corner)
        mesh.faces = fan(name, corner, sizes)
        by_corner = _uv_of_corners(name, columns["face"], every, sizes)
    if strip is not None and strip.count:
        sizes, corner = _corners(name, strip, columns["tristrips"], vertex.count)
        mesh.faces, by_corner = np.concatenate([mesh.faces, strips(corner, sizes)]), None
        check_counts(name, 0, len(mesh.faces))
    if picture is not None and len(mesh.faces):
        mesh.picture = picture
        mesh.uv = _uv_of_vertices(values, mesh.faces) if by_corner is None else by_corner
    return mesh


def _corners(name: str, element: Element, columns: Columns, count: int) -> tuple[Ints, Ints]:
    """The corner count of each polygon or strip, and the vertices at all their corners, from 0 and below `count`."""
    listed = next((p for p in element.properties if p.name in _INDICES and p.count_kind), None)
    if listed is None:
        raise ScanError(f"{name}: {element.name!r} of the PLY header has no list vertex_indices")
    sizes, corner = columns[listed.name]
    if corner.dtype.kind == "f" and not (np.abs(corner) < 2**31).all():  # so written that NaN does not pass
        raise ScanError(f"{name}: {element.name!r} has an index that is no number of a vertex")
    corner = corner.astype(np.int64, copy=False)
    if element.name == "tristrips":  # -1 ends a strip within a list
        ends = corner == -1
        last = np.cumsum(sizes)
        starts = np.unique(np.concatenate([last - sizes, np.flatnonzero(ends) + 1]))
        starts = starts[starts < len(corner)]
        sizes = np.add.reduceat(~ends, starts, dtype=np.int64) if len(starts) else sizes[:0]
        corner = corner[~ends]
    elif (sizes < 1).any():
        bad = int(np.flatnonzero(sizes < 1)[0])
        raise ScanError(f"{name}: face {bad} has {sizes[bad]} corners; a face needs 3")
    if len(corner) and (corner.min() < 0 or corner.max() >= count):
        at = int(np.flatnonzero((corner < 0) | (corner >= count))[0])
        bad = int(np.searchsorted(np.cumsum(sizes), at, "right"))
        raise ScanError(f"{name}: {element.name} {bad} refers to vertex {corner[at]}; there are {count}, from 0")
    return sizes, corner


def _colors(vertex: Element, values: Columns) -> NDArray[np.uint8] | None:
    kinds = {p.name: p.kind for p in vertex.properties}
    for names in (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b")):
        if all(n in values for n in names):
            rgb = np.column_stack([values[n] for n in names])
            kind = kinds[names[0]]
            alpha = next((values[n] for n in ("alpha", "diffuse_alpha", "a") if n in values), None)
            unit = color_unit(rgb, alpha) if kind[0] == "f" else {"u2": 65535.0}.get(kind, 255.0)
            return colors_from(rgb, unit)
    return None


def _uv_of_corners(name: str, face: Columns, every: Ints, sizes: Ints) -> Floats | None:
    """(F, 3, 2) from a list `texcoord` beside each face. `every`, `sizes`: the corner counts of all faces, and of those
    that are kept."""
    if not isinstance(face.get("texcoord"), tuple):
        return None
    n, flat = face["texcoord"]
    kept = every >= 3
    if not (n[kept] == 2 * sizes).all():
        return None
    flat = flat if kept.all() else flat[np.repeat(kept, n)]
    return fan(name, np.asarray(flat, np.float64).reshape(-1, 2), sizes)


def _uv_of_vertices(values: Columns, faces: Ints) -> Floats | None:
    """(F, 3, 2) from s, t (u, v) beside each vertex."""
    for names in (("s", "t"), ("u", "v"), ("texture_u", "texture_v")):
        if all(n in values for n in names):
            return np.column_stack([values[n] for n in names]).astype(np.float64)[faces]
    return None
