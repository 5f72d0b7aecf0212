"""Scans to files: into a temporary file first, then renamed, so that a half-written scan is never seen."""

from __future__ import annotations

import gzip
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from face3d.errors import ScanError
from face3d.io.archive import write_archive
from face3d.scan import FaceScan


def write_scan(path: str | os.PathLike[str], scan: FaceScan, properties: Mapping[str, ArrayLike] | None = None) -> Path:
    """Write `scan` (mm) in the format of the extension: .ply, .obj, .stl, .off, .npz, also with .gz; returns the path.

    PLY, OBJ, OFF and .npz keep every vertex in double precision and order; STL keeps only the triangles, in single
    precision. `properties` name -> (V,) become extra double properties of each vertex in PLY (NaN: not measured). The
    file carries no names, dates or comments; landmarks and texture only in .npz. Raises `ScanError` when the format is
    not known or cannot hold what is asked.
    """
    file = Path(path)
    suffixes = [s.lower() for s in file.suffixes[-2:]]
    packed = bool(suffixes) and suffixes[-1] == ".gz"
    kind = (suffixes[:-1] if packed else suffixes)[-1:] or [""]
    if kind[0] not in _WRITERS:
        raise ScanError(
            f"{file}: cannot write {kind[0] or 'a file without extension'}; use one of {', '.join(_WRITERS)}"
        )
    extra = {k: np.asarray(v, np.float64) for k, v in (properties or {}).items()}
    for key, values in extra.items():
        if values.shape != (len(scan.vertices),):
            raise ScanError(f"{file}: property {key!r} has shape {values.shape}; expected ({len(scan.vertices)},)")
        if not key.isidentifier() or key in ("x", "y", "z", "red", "green", "blue"):
            raise ScanError(f"{file}: {key!r} cannot name a property; use letters, digits and _")
    if extra and kind[0] != ".ply":
        raise ScanError(f"{file}: only .ply holds properties of vertices ({', '.join(extra)})")
    data = _WRITERS[kind[0]](scan, extra)
    # mtime=0: the same scan gives the same bytes, and no date leaves with it.
    return write_bytes(file, gzip.compress(data, 6, mtime=0) if packed else data)


def write_bytes(path: Path, data: bytes) -> Path:
    """Write a file under a temporary name in its own folder, then rename it into place."""
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        # "x" makes it new, with the permissions that the process gives to every file.
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError as error:
        raise ScanError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _ply(scan: FaceScan, properties: Mapping[str, NDArray[np.float64]]) -> bytes:
    kinds = [(axis, "<f8") for axis in "xyz"]
    if scan.colors is not None:
        kinds += [(channel, "u1") for channel in ("red", "green", "blue")]
    kinds += [(key, "<f8") for key in properties]
    rows = np.empty(len(scan.vertices), kinds)
    for i, axis in enumerate("xyz"):
        rows[axis] = scan.vertices[:, i]
    if scan.colors is not None:
        for i, channel in enumerate(("red", "green", "blue")):
            rows[channel] = scan.colors[:, i]
    for key, values in properties.items():
        rows[key] = values
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}"]
    header += [f"property {'uchar' if kind == 'u1' else 'double'} {key}" for key, kind in kinds]
    faces = np.empty(len(scan.faces), [("n", "u1"), ("v", "<i4", (3,))])
    faces["n"], faces["v"] = 3, scan.faces
    if len(faces):
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    return "\n".join([*header, "end_header\n"]).encode() + rows.tobytes() + faces.tobytes()


def _obj(scan: FaceScan, properties: Mapping[str, NDArray[np.float64]]) -> bytes:
    del properties
    columns = scan.vertices
    if scan.colors is not None:
        columns = np.column_stack([columns, scan.colors / 255.0])
    pattern = "v" + " %.17g" * 3 + " %.6g" * (columns.shape[1] - 3) + "\n"
    text = (pattern * len(columns)) % tuple(columns.ravel().tolist())
    text += ("f %d %d %d\n" * len(scan.faces)) % tuple((scan.faces + 1).ravel().tolist())
    return text.encode()


def _stl(scan: FaceScan, properties: Mapping[str, NDArray[np.float64]]) -> bytes:
    del properties
    if not len(scan.faces):
        raise ScanError(f"{scan.name}: a point cloud has no triangles, and STL holds nothing else; write .ply")
    corners = scan.vertices[scan.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    rows = np.zeros(len(corners), [("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    rows["normal"] = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
    rows["corners"] = corners
    return bytes(80) + len(rows).to_bytes(4, "little") + rows.tobytes()


def _off(scan: FaceScan, properties: Mapping[str, NDArray[np.float64]]) -> bytes:
    del properties
    columns, pattern = scan.vertices, "%.17g %.17g %.17g"
    if scan.colors is not None:
        columns, pattern = np.column_stack([columns, scan.colors]), pattern + " %d %d %d 255"
    text = f"{'OFF' if scan.colors is None else 'COFF'}\n{len(columns)} {len(scan.faces)} 0\n"
    text += ((pattern + "\n") * len(columns)) % tuple(columns.ravel().tolist())
    return (text + ("3 %d %d %d\n" * len(scan.faces)) % tuple(scan.faces.ravel().tolist())).encode()


def _npz(scan: FaceScan, properties: Mapping[str, NDArray[np.float64]]) -> bytes:
    del properties
    return write_archive(scan)


_WRITERS = {".ply": _ply, ".obj": _obj, ".stl": _stl, ".off": _off, ".npz": _npz}
