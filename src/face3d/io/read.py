"""A scan from a file, whatever the format, with nothing in the file believed before it is checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import ScanError
from face3d.io import guard
from face3d.io.obj import read_obj
from face3d.io.ply import read_ply
from face3d.io.raw import RawMesh
from face3d.io.units import to_millimetres
from face3d.scan import FaceScan

# A scan's coordinates lie within a kilometre of its origin; larger numbers are damage, and would cost the precision.
MAX_COORDINATE_MM = 1e6


def read_scan(
    path: str | os.PathLike[str],
    units: str = "auto",
    landmarks: str | os.PathLike[str] | Mapping[str, ArrayLike] | None = None,
    texture: bool = False,
) -> FaceScan:
    """Read one scan: OBJ, PLY, STL, OFF, GLB, glTF, VTP, our own npz, each also as .gz; meshes and point clouds.

    The content decides the format, not the file's extension. Vertices keep the file's order and number. `units` is
    "auto" (inferred from the size, see `units_note`), "mm", "cm" or "m"; vertices and `landmarks` (a landmark file, or
    name -> three coordinates in the file's unit) become millimetres. With `texture`, uv and picture are read too, from
    the scan's own folder only. Raises `ScanError` or `LandmarkError` naming the file, the place and the way out.
    """
    file = Path(path)
    mesh = parse_mesh(file)
    factor, note = to_millimetres(str(file), mesh.vertices, units)
    vertices = mesh.vertices * factor
    far = np.abs(vertices) > MAX_COORDINATE_MM
    if far.any():
        bad = int(np.flatnonzero(far.any(axis=1))[0])
        raise ScanError(
            f"{file}: vertex {bad} is {vertices[bad].tolist()} mm; at most {MAX_COORDINATE_MM:.0f} mm from the origin "
            "is read: wrong units, or a damaged file"
        )
    marks = {}
    if isinstance(landmarks, Mapping):
        marks = {key: np.asarray(point, np.float64) * factor for key, point in landmarks.items()}
    return FaceScan(vertices, mesh.faces, marks, mesh.colors, name=file.name, units_note=note)


def parse_mesh(path: Path) -> RawMesh:
    """The mesh as the file has it, in the file's unit."""
    data = guard.read_bytes(path)
    name = str(path)
    if data.startswith(b"\x1f\x8b"):
        data = guard.unzipped(name, data)
    mesh = _parser(data)(name, data)
    finite = np.isfinite(mesh.vertices).all(axis=1)
    if not finite.all():
        bad = int(np.flatnonzero(~finite)[0])
        raise ScanError(f"{name}: vertex {bad} is {mesh.vertices[bad].tolist()}; coordinates must be finite")
    return mesh


def _parser(data: bytes) -> Callable[[str, bytes], RawMesh]:
    if data[:4] in (b"ply\n", b"ply\r"):
        return read_ply
    return read_obj
