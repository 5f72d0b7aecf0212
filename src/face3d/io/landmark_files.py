"""Landmark files: 3D Slicer (.mrk.json, .fcsv), MeshLab (.pp), Landmark (.pts), TPS, menpo (.ljson), CSV, in and out.

Coordinates are in the scan file's own frame and unit. 3D Slicer keeps two frames apart: mesh files that it writes are
in LPS, so what a file declares as RAS is turned into LPS (x and y negated).
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import LandmarkError, ScanError
from face3d.io import guard
from face3d.io.landmark_names import from_ibug68, renamed
from face3d.io.write import write_bytes
from face3d.scan import Floats

_MAX_BYTES = 16 << 20
_MAX_POINTS = 100_000
_MISSING = 9999.0  # what the program Landmark writes for a point that was not placed
_FLIP = np.array([-1.0, -1.0, 1.0])

_Rows = list[tuple[str | None, Sequence[Any]]]


def read_landmarks(path: str | os.PathLike[str], names: Sequence[str] | None = None) -> dict[str, Floats]:
    """name -> (3,) in the scan file's frame and unit; names of the scheme where they are known by another.

    `names` names the points, in order, of files that do not (.tps, .pts, bare CSV rows). Points that a file marks as
    missing are left out. The 68 iBUG points of an .ljson become the scheme's landmarks that they lie on. Raises
    `LandmarkError` naming the file, the place and the way out.
    """
    file = Path(path)
    kind = _kind(file)
    try:
        raw = guard.read_bytes(file, _MAX_BYTES)
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except ScanError as error:
        raise LandmarkError(str(error)) from None
    except UnicodeDecodeError:
        raise LandmarkError(f"{file}: is no text file; landmarks are read from {', '.join(_READERS)}") from None
    found = _READERS[kind](str(file), text)
    if isinstance(found, dict):
        return found
    if len(found) > _MAX_POINTS:
        raise LandmarkError(f"{file}: {len(found)} points; at most {_MAX_POINTS} landmarks are read")
    return _named(str(file), found, names)


def _kind(file: Path) -> str:
    lower = file.name.lower()
    kind = next((k for k in _READERS if lower.endswith(k)), None)
    if kind is None:
        raise LandmarkError(f"{file}: no known landmark file; use one of {', '.join(_READERS)}")
    return kind


def _named(where: str, rows: _Rows, names: Sequence[str] | None) -> dict[str, Floats]:
    if names is not None:
        if len(names) != len(rows):
            raise LandmarkError(f"{where}: {len(names)} names are given for {len(rows)} points")
        rows = [(name, point) for name, (_, point) in zip(names, rows, strict=True)]
    points: dict[str, Floats] = {}
    for i, (name, values) in enumerate(rows):
        if not name:
            raise LandmarkError(
                f"{where}: point {i + 1} of {len(rows)} has no name; give the names in order: "
                "read_landmarks(path, names=[...]), or write a CSV with the columns name, x, y, z"
            )
        try:
            point = np.array([float(v) for v in values])
        except (TypeError, ValueError):
            raise LandmarkError(
                f"{where}: landmark {name[:40]!r} has coordinates {str(values)[:80]}; expected numbers"
            ) from None
        if point.shape != (3,):
            raise LandmarkError(f"{where}: landmark {name[:40]!r} has {len(point)} coordinates; expected x, y, z")
        if np.isnan(point).all() or (np.abs(point) == _MISSING).all():
            continue
        if not np.isfinite(point).all():
            raise LandmarkError(f"{where}: landmark {name[:40]!r} is {point.tolist()}; coordinates must be finite")
        if name in points:
            raise LandmarkError(f"{where}: landmark {name[:40]!r} is there twice")
        points[name] = point
    if not points:
        raise LandmarkError(f"{where}: no landmarks in it")
    try:
        return renamed(points)
    except LandmarkError as error:
        raise LandmarkError(f"{where}: {error}") from None


def _json(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LandmarkError(f"{where}: no valid JSON ({error})") from None


def _frame(where: str, declared: str) -> Floats:
    """What turns coordinates of a declared frame into LPS. Slicer numbers the frames in its older files."""
    frame = {"0": "RAS", "1": "LPS"}.get(declared.strip().upper(), declared.strip().upper())
    if frame not in ("RAS", "LPS"):
        raise LandmarkError(f"{where}: coordinate system {declared[:20]!r}; LPS and RAS are read")
    return _FLIP if frame == "RAS" else np.ones(3)


def _from_slicer(where: str, text: str) -> _Rows:
    document = _json(where, text)
    markups = document.get("markups") if isinstance(document, dict) else None
    rows: _Rows = []
    for markup in markups if isinstance(markups, list) else []:
        if not isinstance(markup, dict):
            continue
        turn = _frame(where, str(markup.get("coordinateSystem", "LPS")))
        points = markup.get("controlPoints")
        for point in points if isinstance(points, list) else []:
            if not isinstance(point, dict):
                raise LandmarkError(f"{where}: a control point is {str(point)[:60]}; expected a label and a position")
            if point.get("positionStatus", "defined") != "defined":
                continue
            position = point.get("position")
            if not isinstance(position, list) or len(position) != 3 or not all(_is_number(v) for v in position):
                raise LandmarkError(
                    f"{where}: {str(point.get('label'))[:40]!r} is at {str(position)[:80]}; expected x, y, z"
                )
            rows.append((str(point.get("label", "")), list(np.array(position, np.float64) * turn)))
    return rows


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _from_fcsv(where: str, text: str) -> _Rows:
    columns = ["id", "x", "y", "z", "ow", "ox", "oy", "oz", "vis", "sel", "lock", "label"]
    turn = _FLIP  # files without the line are of the time when it was always RAS
    rows: _Rows = []
    for line in text.splitlines():
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            if key.strip().lower() == "coordinatesystem":
                turn = _frame(where, value)
            elif key.strip().lower() == "columns":
                columns = [c.strip() for c in value.split(",")]
        elif line.strip():
            cells = dict(zip(columns, next(csv.reader([line])), strict=False))
            try:
                point = np.array([float(cells[axis]) for axis in "xyz"]) * turn
            except (KeyError, ValueError):
                raise LandmarkError(f"{where}: {line[:80]!r} has no x, y, z") from None
            rows.append((cells.get("label", "").strip(), list(point)))
    return rows


def _from_meshlab(where: str, text: str) -> _Rows:
    if "<!ENTITY" in text.upper() or re.search(r"<!DOCTYPE[^>]*\[", text, re.IGNORECASE):
        raise LandmarkError(f"{where}: declares XML entities, which are not expanded")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise LandmarkError(f"{where}: no valid XML ({error})") from None
    points = [p for p in root.iter("point") if p.get("active", "1") != "0"]
    return [(p.get("name", ""), [p.get(axis, "") for axis in "xyz"]) for p in points]


def _from_landmark(where: str, text: str) -> _Rows:
    """The program Landmark: version, count, then `S000 x y z`; S and C are curve and single points, and no names."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or not lines[0][0].lower().startswith("version"):
        raise LandmarkError(f"{where}: does not start with 'Version' and the number of points")
    if lines[1][0].lower().startswith("n_points"):  # menpo's file of the same extension: bare rows between braces
        rows: _Rows = [(None, words) for words in lines[2:] if words not in (["{"], ["}"])]
        declared = lines[1][-1]
    else:
        rows = [(None if re.fullmatch(r"[SC]\d+", w[0]) else w[0], w[1:]) for w in lines[2:]]
        declared = lines[1][0]
    if declared != str(len(rows)):
        raise LandmarkError(f"{where}: declares {declared[:20]} points; {len(rows)} follow")
    return rows


def _from_tps(where: str, text: str) -> _Rows:
    rows: _Rows = []
    scale = 1.0
    declared = None
    for line in text.splitlines():
        key, is_statement, value = line.partition("=")
        key = key.strip().upper()
        if key == "LM3":
            if declared is not None:
                raise LandmarkError(f"{where}: holds more than one specimen; keep one to a file")
            declared = value.strip()
        elif key == "LM":
            raise LandmarkError(f"{where}: holds two-dimensional landmarks (LM=); LM3= is read")
        elif key == "SCALE":
            try:
                scale = float(value)
            except ValueError:
                raise LandmarkError(f"{where}: the scale is {value[:40]!r}; expected a number") from None
        elif not is_statement and line.strip():
            rows.append((None, line.split()))
    if declared != str(len(rows)):
        raise LandmarkError(f"{where}: LM3 declares {str(declared)[:20]} points; {len(rows)} follow")
    if scale != 1.0:
        try:
            rows = [(None, [float(v) * scale for v in values]) for _, values in rows]
        except ValueError:
            raise LandmarkError(f"{where}: a row is not all numbers") from None
    return rows


def _from_menpo(where: str, text: str) -> _Rows | dict[str, Floats]:
    document = _json(where, text)
    try:
        group = document
        if "groups" in document:  # version 3: several groups to a file
            if len(document["groups"]) != 1:
                raise LandmarkError(f"{where}: holds {len(document['groups'])} groups of landmarks; keep one")
            group = next(iter(document["groups"].values()))
        points = group["landmarks"]["points"]
        values = [[np.nan if v is None else float(v) for v in point] for point in points]
        labels = {str(part["label"]): [int(i) for i in part["mask"]] for part in group.get("labels", [])}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LandmarkError(f"{where}: does not follow the format of an .ljson file ({error!r})"[:300]) from None
    if any(i < 0 or i >= len(values) for mask in labels.values() for i in mask) or any(len(v) != 3 for v in values):
        raise LandmarkError(f"{where}: its points are not three-dimensional, or a label names one that is not there")
    if len(values) == 68 and (len(labels) <= 1 or "nose" in labels):
        try:
            return from_ibug68(values, labels if len(labels) > 1 else None)
        except LandmarkError as error:
            raise LandmarkError(f"{where}: {error}") from None
    single = {mask[0]: label for label, mask in labels.items() if len(mask) == 1}
    return [(single.get(i), point) for i, point in enumerate(values)]


def _from_csv(where: str, text: str) -> _Rows:
    """name, x, y, z with or without a header; comma, semicolon or tab between."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        return []
    separator = next((s for s in (";", "\t", ",") if s in lines[0]), None)
    try:
        table = [[c.strip() for c in row] for row in csv.reader(lines, delimiter=separator or ",")]
    except csv.Error as error:
        raise LandmarkError(f"{where}: no valid CSV ({error})") from None
    if separator is None:
        table = [line.split() for line in lines]
    head = [c.lower() for c in table[0]]
    if {"x", "y", "z"} <= set(head):
        at = [head.index(axis) for axis in "xyz"]
        label = next((head.index(k) for k in ("name", "label", "landmark", "id") if k in head), None)
        if any(len(row) != len(head) for row in table[1:]):
            raise LandmarkError(f"{where}: the rows have not all the {len(head)} columns of the header")
        return [(None if label is None else row[label], [row[i] for i in at]) for row in table[1:]]
    widths = {len(row) for row in table}
    if widths not in ({3}, {4}):
        raise LandmarkError(f"{where}: expected rows of name, x, y, z; found {min(widths)} to {max(widths)} columns")
    return [(None, row) for row in table] if widths == {3} else [(row[0], row[1:]) for row in table]


_READERS: Mapping[str, Callable[[str, str], _Rows | dict[str, Floats]]] = {
    ".mrk.json": _from_slicer, ".fcsv": _from_fcsv, ".pp": _from_meshlab, ".pts": _from_landmark, ".tps": _from_tps,
    ".ljson": _from_menpo, ".csv": _from_csv,
}  # fmt: skip


def write_landmarks(path: str | os.PathLike[str], landmarks: Mapping[str, ArrayLike]) -> Path:
    """Write name -> (3,) in the format of the extension; Slicer's files in LPS. .tps keeps the order, but no names.

    Raises `LandmarkError` for an unknown extension or coordinates that are not three finite numbers.
    """
    file = Path(path)
    kind = _kind(file)
    points = {str(name): np.asarray(point, np.float64) for name, point in landmarks.items()}
    for name, point in points.items():
        if point.shape != (3,) or not np.isfinite(point).all():
            raise LandmarkError(f"{file}: landmark {name!r} is {point.tolist()}; expected three finite numbers")
    rows = {name: [float(v) for v in point] for name, point in points.items()}
    try:
        return write_bytes(file, _WRITERS[kind](rows).encode())
    except ScanError as error:
        raise LandmarkError(str(error)) from None


_Points = Mapping[str, list[float]]


def _slicer(points: _Points) -> str:
    control = [
        {"id": str(i), "label": name, "position": point, "positionStatus": "defined"}
        for i, (name, point) in enumerate(points.items(), 1)
    ]
    schema = "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json#"
    markup = {"type": "Fiducial", "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": control}
    return json.dumps({"@schema": schema, "markups": [markup]}, indent=1)


def _fcsv(points: _Points) -> str:
    head = "# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\n"
    head += "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
    rows = [f"{i},{x!r},{y!r},{z!r},0,0,0,1,1,1,0,{_cell(n)},," for i, (n, (x, y, z)) in enumerate(points.items(), 1)]
    return head + "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([text])
    return out.getvalue()


def _meshlab(points: _Points) -> str:
    root = ElementTree.Element("PickedPoints")
    for name, (x, y, z) in points.items():
        ElementTree.SubElement(root, "point", x=repr(x), y=repr(y), z=repr(z), active="1", name=name)
    return "<!DOCTYPE PickedPoints>\n" + ElementTree.tostring(root, encoding="unicode") + "\n"


def _landmark(points: _Points) -> str:
    rows = [f"{'_'.join(name.split())} {x!r} {y!r} {z!r}" for name, (x, y, z) in points.items()]
    return "\n".join(["Version 1.0", str(len(rows)), *rows]) + "\n"


def _tps(points: _Points) -> str:
    return "\n".join([f"LM3={len(points)}", *(f"{x!r} {y!r} {z!r}" for x, y, z in points.values()), "ID=0"]) + "\n"


def _menpo(points: _Points) -> str:
    labels = [{"label": name, "mask": [i]} for i, name in enumerate(points)]
    group = {"labels": labels, "landmarks": {"points": list(points.values())}}
    return json.dumps({"groups": {"face3d": group}, "version": 3}, indent=1)


def _csv(points: _Points) -> str:
    return "\n".join(["name,x,y,z", *(f"{_cell(n)},{x!r},{y!r},{z!r}" for n, (x, y, z) in points.items())]) + "\n"


_WRITERS: Mapping[str, Callable[[_Points], str]] = {
    ".mrk.json": _slicer, ".fcsv": _fcsv, ".pp": _meshlab, ".pts": _landmark, ".tps": _tps, ".ljson": _menpo,
    ".csv": _csv,
}  # fmt: skip
