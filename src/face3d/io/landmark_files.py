"""Landmark files: 3D Slicer (.mrk.json, .json, .fcsv), MeshLab (.pp), Landmark and iBUG (.pts), TPS, menpo (.ljson),
tables (.csv, .txt, .npy), in and out.

Coordinates are in the scan file's own frame. Their unit is what the file says of itself, else the scan file's.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import LandmarkError, ScanError
from face3d.io import guard
from face3d.io.landmark_names import IBUG_POINTS, KNOWN_NAMES, from_ibug68, renamed
from face3d.io.landmark_programs import (
    from_menpo,
    from_meshlab,
    from_pts,
    from_tps,
    to_menpo,
    to_meshlab,
    to_pts,
    to_tps,
)
from face3d.io.landmark_rows import MAX_POINTS, Rows, millimetres, number, text_of
from face3d.io.landmark_slicer import from_fcsv, from_markups, to_fcsv, to_markups
from face3d.io.landmark_tables import from_array, from_table, to_csv
from face3d.io.write import write_bytes
from face3d.scan import Floats

# So many points are 8 MB as Slicer's JSON and 2 MB in any other format.
_MAX_LINES = 50_000
_MAX_BYTES, _MAX_BYTES_JSON = 2 << 20, 8 << 20
_LONGEST_NAME = 200
_MISSING = 9999.0  # what the program Landmark writes for a point that was not placed


@dataclass(frozen=True)
class Marks:
    """Landmarks before they are laid on a scan: name -> (3,), and the unit that they are in.

    `units` are the readings to try, the likeliest first: "mm", or "scan", the scan file's own unit. `notes` say what
    the file holds and was left out.
    """

    points: Mapping[str, Floats]
    units: tuple[str, ...] = ("scan",)
    notes: tuple[str, ...] = ()


def read_landmarks(path: str | os.PathLike[str], names: Sequence[str] | None = None) -> dict[str, Floats]:
    """name -> (3,) in the scan file's frame; names of the scheme where they are known by another.

    In millimetres where the file names its unit (Slicer's coordinateUnits, a table's header: "x [cm]"), else in the
    file's numbers, which are the scan file's. `names` names the points, in order, of files that do not (.tps, .pts,
    .npy, bare CSV rows); 68 points without names are iBUG's and become the scheme's landmarks that they lie on. Points
    that a file marks as missing are left out. Raises `LandmarkError` naming the file, the place and the way out, also
    when no point has a name that the scheme knows.
    """
    return dict(read_marks(path, names).points)


def read_marks(path: str | os.PathLike[str], names: Sequence[str] | None = None) -> Marks:
    """As `read_landmarks`, with what the file says of units, and what was left out."""
    file = Path(path)
    if file.is_dir():
        raise LandmarkError(f"{file}: is a folder; landmarks are read from a file: {', '.join(_READ)}")
    kind = _kind(file, _READ)
    try:
        is_json = kind.endswith("json")
        raw = guard.read_bytes(file, _MAX_BYTES_JSON if is_json else _MAX_BYTES)
    except ScanError as error:
        raise LandmarkError(str(error)) from None
    _refuse_others(str(file), raw)
    if kind == ".npy":
        found = from_array(str(file), raw)
    else:
        text = text_of(str(file), raw)
        if (lines := max(text.count("\n"), text.count("\r"))) > _MAX_LINES and not is_json:
            raise LandmarkError(f"{file}: {lines} lines; landmark files of at most {_MAX_LINES} lines are read")
        found = _READERS[kind](str(file), text)
    if len(found.rows) > MAX_POINTS:
        raise LandmarkError(f"{file}: {len(found.rows)} points; at most {MAX_POINTS} landmarks are read")
    points, missing = _named(str(file), found, names)
    notes = (*found.notes, f"not placed: {', '.join(missing)[:200]}") if missing else found.notes
    units = ("scan",) if found.unit is None else ("mm",) if found.sure else ("mm", "scan")
    return Marks(points, units, tuple(f"{file.name}: {note}" for note in notes))


def marks_of(name: str, landmarks: str | os.PathLike[str] | Mapping[str, ArrayLike] | None) -> Marks:
    """The landmarks given for the scan `name`: a file's, or name -> three coordinates in the scan file's unit."""
    if landmarks is not None and not isinstance(landmarks, Mapping):
        return read_marks(landmarks)
    try:
        return Marks({key: np.asarray(point, np.float64) for key, point in renamed(landmarks or {}).items()})
    except LandmarkError as error:
        raise LandmarkError(f"{name}: {error}") from None
    except (TypeError, ValueError) as error:
        raise LandmarkError(f"{name}: the landmarks are not name -> three numbers ({error})") from None


def _kind(file: Path, known: Iterable[str]) -> str:
    lower = file.name.lower()
    kind = next((k for k in known if lower.endswith(k)), None)
    if kind is None:
        what = _OTHERS.get(file.suffix.lower().removesuffix(".gz") or Path(file.stem).suffix.lower(), "")
        raise LandmarkError(f"{file}: is no landmark file{what}; use one of {', '.join(known)}")
    return kind


_SCAN = ", but a scan by its name"
_TABLE = ", but a workbook or document: save the table as CSV"
_OTHERS = {
    ".obj": _SCAN,
    ".ply": _SCAN,
    ".stl": _SCAN,
    ".off": _SCAN,
    ".glb": _SCAN,
    ".gltf": _SCAN,
    ".vtp": _SCAN,
    ".npz": _SCAN,
    ".xyz": _SCAN,
    ".asc": _SCAN,
    ".pcd": _SCAN,
    ".vtk": _SCAN,
    ".xls": _TABLE,
    ".xlsx": _TABLE,
    ".ods": _TABLE,
    ".docx": _TABLE,
    ".mrb": ", but a scene of 3D Slicer: save the point list as .mrk.json",
}
# First bytes of what bears a landmark file's name and is something else.
_STARTS = (
    (b"ply\n", "a PLY scan"),
    (b"ply\r", "a PLY scan"),
    (b"glTF", "a GLB scan"),
    (b"solid ", "an STL scan"),
    (b"v ", "an OBJ scan"),
    (b"mtllib ", "an OBJ scan"),
    (b"OFF", "an OFF scan"),
    (b"<VTKFile", "a VTP scan"),
    (b"# .PCD", "a PCD point cloud"),
    (b"# vtk", "a VTK file"),
    (b"\x1f\x8b", "a gzip file; unpack it first"),
    (b"PK\x03\x04", "a zip file, perhaps a workbook: save the table as CSV"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF"),
    (b"version https://git-lfs", "a Git LFS pointer: the file itself was not fetched (git lfs pull)"),
)


def _refuse_others(where: str, raw: bytes) -> None:
    start = raw[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    what = next((what for magic, what in _STARTS if start.startswith(magic)), None)
    if what is not None:
        raise LandmarkError(f"{where}: is no landmark file, but {what}; landmarks are read from {', '.join(_READ)}")


def _named(where: str, found: Rows, names: Sequence[str] | None) -> tuple[dict[str, Floats], list[str]]:
    """The points by name in the unit of `read_landmarks`, and the names of those that were not placed."""
    rows = found.rows
    if any(values is not None and len(values) == 2 for _, values in rows):
        raise LandmarkError(f"{where}: holds two coordinates a point: landmarks of a picture have no place in space")
    if names is not None:
        if len(names) != len(rows):
            raise LandmarkError(f"{where}: {len(names)} names are given for {len(rows)} points")
        rows = [(name, values) for name, (_, values) in zip(names, rows, strict=True)]
    words = [v for _, values in rows for v in values or () if isinstance(v, str) and any(map(str.isdigit, v))]
    written = {mark for mark in ",." if any(mark in word for word in words)}
    if len(written) > 1:
        raise LandmarkError(f"{where}: numbers with a decimal comma beside numbers with a point; write all one way")
    factor = millimetres(found.unit or "mm") or 1.0
    rows = [(name and name.encode("utf-8", "replace").decode(), values) for name, values in rows]
    every = [_point(where, i, len(rows), name, values) for i, (name, values) in enumerate(rows)]
    if len(rows) == IBUG_POINTS and not any(name for name, _ in rows):
        try:
            return from_ibug68(np.array(every) * factor), []
        except LandmarkError as error:
            raise LandmarkError(
                f"{where}: {error}; give the names in order: read_landmarks(path, names=[...])"
            ) from None
    points: dict[str, Floats] = {}
    missing: list[str] = []
    for i, ((name, _), point) in enumerate(zip(rows, every, strict=True)):
        if np.isnan(point).all():
            missing += [name[:40]] if name else []
        elif not name:
            raise LandmarkError(
                f"{where}: point {i + 1} of {len(rows)} has no name; give the names in order: "
                f"read_landmarks(path, names=[...]), or write a CSV with the columns name, x, y, z; {KNOWN_NAMES}"
            )
        elif len(name) > _LONGEST_NAME:
            raise LandmarkError(f"{where}: the name {name[:40]!r}... has {len(name)} letters; at most {_LONGEST_NAME}")
        elif name in points:
            raise LandmarkError(f"{where}: landmark {name[:40]!r} is there twice")
        else:
            points[name] = point * factor
    if not points:
        raise LandmarkError(f"{where}: no landmarks in it" + (", only points that were not placed" if missing else ""))
    try:
        return renamed(points), missing
    except LandmarkError as error:
        raise LandmarkError(f"{where}: {error}") from None


def _point(where: str, i: int, count: int, name: str | None, values: Sequence[object] | None) -> Floats:
    """One point's coordinates as the file has them, NaN for a point that was not placed."""
    if values is None:
        return np.full(3, np.nan)
    called = f"landmark {name[:40]!r}" if name else f"point {i + 1} of {count}"
    try:
        point = np.array([number(v) for v in values])
    except (TypeError, ValueError, OverflowError):
        raise LandmarkError(f"{where}: {called} has coordinates {str(values)[:80]}; expected numbers") from None
    if point.shape != (3,):
        raise LandmarkError(f"{where}: {called} has {len(point)} coordinates; expected x, y, z")
    if np.isnan(point).all() or (np.abs(point) == _MISSING).all():
        return np.full(3, np.nan)
    if not np.isfinite(point).all():
        raise LandmarkError(f"{where}: {called} is {point.tolist()}; coordinates must be finite")
    return point


def _from_json(where: str, text: str) -> Rows:
    """A JSON file of 3D Slicer or of menpo, by what it holds."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LandmarkError(f"{where}: no valid JSON ({error})") from None
    held = document if isinstance(document, dict) else {}
    if "markups" in held:
        return from_markups(where, held)
    if "groups" in held or "landmarks" in held:
        return from_menpo(where, held)
    what = "a glTF scan" if "asset" in held else "an exam's manifest" if "scans" in held else "neither"
    raise LandmarkError(f"{where}: holds {what}, no markups of 3D Slicer and no landmarks of menpo")


def _from_text(where: str, text: str) -> Rows:
    """A plain text: what a .pts file holds, by its first line, or a table."""
    is_pts = re.match(r"\s*(version\b|n_points\b|\d+\s*\n)", text, re.IGNORECASE)
    return from_pts(where, text) if is_pts else from_table(where, text)


_READERS: Mapping[str, Callable[[str, str], Rows]] = {
    ".mrk.json": _from_json,
    ".fcsv": from_fcsv,
    ".pp": from_meshlab,
    ".pts": from_pts,
    ".tps": from_tps,
    ".ljson": _from_json,
    ".json": _from_json,
    ".csv": from_table,
    ".txt": _from_text,
}
_READ = LANDMARK_KINDS = (*_READERS, ".npy")


def write_landmarks(path: str | os.PathLike[str], landmarks: Mapping[str, ArrayLike]) -> Path:
    """Write name -> (3,) in the format of the extension; Slicer's files in LPS. .tps keeps the order, but no names.

    Raises `LandmarkError` for an unknown extension or coordinates that are not three finite numbers.
    """
    file = Path(path)
    kind = _kind(file, _WRITERS)
    points = {str(name): np.asarray(point, np.float64) for name, point in landmarks.items()}
    for name, point in points.items():
        if point.shape != (3,) or not np.isfinite(point).all():
            raise LandmarkError(f"{file}: landmark {name!r} is {point.tolist()}; expected three finite numbers")
    rows = {name: [float(v) for v in point] for name, point in points.items()}
    try:
        return write_bytes(file, _WRITERS[kind](rows).encode())
    except ScanError as error:
        raise LandmarkError(str(error)) from None


_WRITERS: Mapping[str, Callable[[Mapping[str, list[float]]], str]] = {
    ".mrk.json": to_markups,
    ".fcsv": to_fcsv,
    ".pp": to_meshlab,
    ".pts": to_pts,
    ".tps": to_tps,
    ".ljson": to_menpo,
    ".json": to_markups,
    ".csv": to_csv,
}
