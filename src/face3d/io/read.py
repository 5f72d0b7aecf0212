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
from face3d.io.pcd import read_pcd
from face3d.io.picture import load_texture
from face3d.io.ply import read_ply
from face3d.io.raw import RawMesh
from face3d.io.stl import read_stl
from face3d.io.units import Unit, to_millimetres
from face3d.io.vtk import read_vtk
from face3d.io.xyz import read_xyz
from face3d.scan import FaceScan, missing_note

# A scan's coordinates lie within a kilometre of its origin; larger numbers are damage, and would cost the precision.
MAX_COORDINATE_MM = 1e6


def read_scan(
    path: str | os.PathLike[str],
    units: str | float | Unit = "auto",
    landmarks: str | os.PathLike[str] | Mapping[str, ArrayLike] | None = None,
    texture: bool = False,
) -> FaceScan:
    """Read one scan: OBJ, PLY, STL, OFF, GLB, glTF, VTP, VTK, our own npz, and clouds as XYZ, PTS or PCD; each also as
    .gz.

    The content decides the format, not the file's extension. Vertices keep the file's order and number (STL has no
    shared vertices, so V = 3 F); those without coordinates stay as rows of NaN. `units` is "auto" (inferred from the
    size, see `units_note`), "mm", "cm", "m", "in", or the millimetres in one unit of the file; vertices and `landmarks`
    (a file in the unit that it names, else the scan file's; or name -> three coordinates) become millimetres. With
    `texture`, uv and picture are read too, from the scan's own folder only. `notes` of the scan say what was left out.
    Raises `ScanError` or `LandmarkError` naming the file, the place and the way out.
    """
    file = Path(path)
    marks = marks_of(str(file), landmarks)
    mesh = _parsed(file, texture)
    name = str(file)
    if isinstance(mesh, FaceScan):  # ours: in millimetres already
        if units != "auto" and to_millimetres(name, mesh.vertices, units).factor != 1.0:
            raise ScanError(f"{file}: is a scan of face3d, always in mm; units={units!r} does not fit")
        given, said = placed(name, mesh.vertices, mesh.faces, marks, 1.0)
        gaps = () if mesh.present.all() else (missing_note(mesh.present),)
        return mesh.replace(landmarks={**mesh.landmarks, **given}, notes=(*gaps, *said))
    present = _present(name, mesh)
    vertices, measured = mesh.vertices, mesh.vertices
    if present is not None:
        mesh.notes.append(missing_note(present))
        vertices = np.where(present[:, None], vertices, np.nan)
        measured = vertices[present]
    factor, note = to_millimetres(name, measured, units)
    if factor != 1.0:
        vertices, measured = vertices * factor, measured * factor
    if not (measured.max() < MAX_COORDINATE_MM and measured.min() > -MAX_COORDINATE_MM):
        bad = int(np.flatnonzero((np.abs(vertices) >= MAX_COORDINATE_MM).any(axis=1))[0])
        raise ScanError(
            f"{name}: vertex {bad} (from 0) is {vertices[bad].tolist()}; at most {MAX_COORDINATE_MM:.0f} mm from the "
            "origin is read: wrong units?"
        )
    given, said = placed(name, vertices, mesh.faces, marks, factor)
    picture = load_texture(file, mesh) if texture else None
    return FaceScan(
        _ours(vertices),
        _ours(mesh.faces),
        given,
        mesh.colors,
        picture,
        name=file.name,
        units_note=note,
        notes=(*mesh.notes, *said),
    )


def _parsed(file: Path, texture: bool) -> RawMesh | FaceScan:
    """The mesh as the file has it, in the file's unit; a scan of ours as it is."""
    name = str(file)
    guard.refuse_vendor_formats(file)
    if file.is_dir():
        raise ScanError(
            f"{file}: is a folder, not a scan; give the file of one scan (an examination: `face3d exam`, a study: "
            "`face3d batch`)"
        )
    data = guard.read_bytes(file)
    if data.startswith(b"\x1f\x8b"):
        data = guard.unzipped(name, data)
        file = file.with_suffix("") if file.suffix.lower() == ".gz" else file
    kind = kind_of(name, file.suffix.lower(), data)
    if kind == "npz":
        return read_archive(name, data, texture).replace(name=file.name)
    if kind == "obj":
        return read_obj(name, data, texture)
    if kind == "gltf":
        from face3d.io.gltf import read_gltf  # pydantic

        return read_gltf(name, data, file, texture)
    if kind == "vtp":
        from face3d.io.vtp import read_vtp

        return read_vtp(name, data)
    readers = {"ply": read_ply, "stl": read_stl, "off": read_off, "vtk": read_vtk, "pcd": read_pcd, "xyz": read_xyz}
    return readers[kind](name, data)


def _present(name: str, mesh: RawMesh) -> NDArray[np.bool_] | None:
    """(V,) which vertices have coordinates; None when all have.

    A vertex without any (NaN, or infinite) was not seen, and may stand in the file as long as no triangle uses it. One
    of which only a part is there is damaged.
    """
    vertices = mesh.vertices
    if vertices.max() < np.inf and vertices.min() > -np.inf:  # so written that NaN does not pass
        return None
    finite = np.isfinite(vertices)
    present = np.asarray(finite.any(axis=1))
    used = np.zeros(len(vertices), bool)
    used[mesh.faces] = True
    wrong = ~finite.all(axis=1) & (present | used)
    if wrong.any():
        bad = int(np.flatnonzero(wrong)[0])
        why = "not finite" if present[bad] else "not finite, and a face refers to it"
        raise ScanError(f"{name}: vertex {bad} (from 0) is {vertices[bad].tolist()}; {why}")
    if not present.any():
        raise ScanError(f"{name}: none of its {len(vertices)} points has coordinates; nothing was seen")
    return present


def _ours(array: NDArray[Any]) -> NDArray[Any]:
    """An array that nobody else holds, locked with what it is a view of, so that the scan need not copy it."""
    if isinstance(array.base, np.ndarray):
        array.base.setflags(write=False)
    array.setflags(write=False)
    return array
