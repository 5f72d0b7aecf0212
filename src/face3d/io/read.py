"""A scan from a file, whatever the format, with nothing in the file believed before it is checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from face3d.errors import ScanError
from face3d.io import guard
from face3d.io.archive import read_archive
from face3d.io.kinds import kind_of
from face3d.io.landmark_files import marks_of
from face3d.io.landmark_placing import placed
from face3d.io.obj import read_obj
from face3d.io.off import read_off
from face3d.io.picture import load_texture
from face3d.io.ply import read_ply
from face3d.io.raw import RawMesh
from face3d.io.stl import read_stl
from face3d.io.units import to_millimetres
from face3d.scan import FaceScan, Floats

# A scan's coordinates lie within a kilometre of its origin; larger numbers are damage, and would cost the precision.
MAX_COORDINATE_MM = 1e6


def read_scan(
    path: str | os.PathLike[str],
    units: str = "auto",
    landmarks: str | os.PathLike[str] | Mapping[str, ArrayLike] | None = None,
    texture: bool = False,
) -> FaceScan:
    """Read one scan: OBJ, PLY, STL, OFF, GLB, glTF, VTP, our own npz, each also as .gz; meshes and point clouds.

    The content decides the format, not the file's extension. Vertices keep the file's order and number (STL has no
    shared vertices, so V = 3 F). `units` is "auto" (inferred from the size, see `units_note`), "mm", "cm" or "m";
    vertices and `landmarks` (a landmark file, or name -> three coordinates, in the scan file's unit) become
    millimetres. With `texture`, uv and picture are read too, from the scan's own folder only. Raises `ScanError` or
    `LandmarkError` naming the file, the place and the way out.
    """
    file = Path(path)
    marks = marks_of(str(file), landmarks)
    scan = _parsed(file, texture)
    if isinstance(scan, FaceScan):  # ours: in millimetres already
        if units not in ("auto", "mm"):
            raise ScanError(f"{file}: is a scan of face3d, always in mm; units={units!r} does not fit")
        given, notes = placed(str(file), scan.vertices, scan.faces, marks, 1.0)
        return scan.replace(landmarks={**scan.landmarks, **given})
    factor, note = to_millimetres(str(file), scan.vertices, units)
    vertices = _in_range(str(file), scan.vertices if factor == 1.0 else scan.vertices * factor)
    given, notes = placed(str(file), vertices, scan.faces, marks, factor)
    return FaceScan(
        _ours(vertices),
        _ours(scan.faces),
        given,
        scan.colors,
        load_texture(file, scan) if texture else None,
        name=file.name,
        units_note=note,
    )


def _parsed(file: Path, texture: bool) -> RawMesh | FaceScan:
    """The mesh as the file has it, in the file's unit; a scan of ours as it is."""
    name = str(file)
    guard.refuse_vendor_formats(file)
    data = guard.read_bytes(file)
    if data.startswith(b"\x1f\x8b"):
        data = guard.unzipped(name, data)
        file = file.with_suffix("") if file.suffix.lower() == ".gz" else file
    kind = kind_of(name, file.suffix.lower(), data)
    if kind == "npz":
        return read_archive(name, data, texture).replace(name=file.name)
    if kind == "gltf":
        from face3d.io.gltf import read_gltf  # pydantic

        mesh = read_gltf(name, data, file)
    elif kind == "vtp":
        from face3d.io.vtp import read_vtp

        mesh = read_vtp(name, data)
    else:
        mesh = {"obj": read_obj, "ply": read_ply, "stl": read_stl, "off": read_off}[kind](name, data)
    _in_range(name, mesh.vertices, np.inf)
    return mesh


def _ours(array: NDArray[Any]) -> NDArray[Any]:
    """An array that nobody else holds, locked with what it is a view of, so that the scan need not copy it."""
    if isinstance(array.base, np.ndarray):
        array.base.setflags(write=False)
    array.setflags(write=False)
    return array


def _in_range(name: str, vertices: Floats, limit: float = MAX_COORDINATE_MM) -> Floats:
    if not (vertices.max() < limit and vertices.min() > -limit):  # so written that NaN does not pass
        fits = (np.abs(vertices) < limit).all(axis=1)
        bad = int(np.flatnonzero(~fits)[0])
        reach = f"at most {limit:.0f} mm from the origin is read: wrong units?" if np.isfinite(limit) else "not finite"
        raise ScanError(f"{name}: vertex {bad} (from 0) is {vertices[bad].tolist()}; {reach}")
    return vertices
