"""3D Slicer's landmark files, .mrk.json (also named .json) and .fcsv, in and out.

Slicer keeps two frames apart: mesh files that it writes are in LPS, so what a file declares as RAS is turned into LPS
(x and y negated).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from face3d.errors import LandmarkError
from face3d.io.landmark_names import is_known
from face3d.io.landmark_rows import MAX_POINTS, Row, Rows, lines_of, millimetres, number
from face3d.io.landmark_tables import cell
from face3d.scan import Floats

#: The format of what is written, by the address that Slicer knows it by.
SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)

FLIP = np.array([-1.0, -1.0, 1.0])

# A point list is called so since Slicer 5, and a fiducial list in files of every version.
_POINT_LISTS = ("fiducial", "pointlist")
_MAX_LISTS = 1000
_NOT_PLACED = ("undefined", "preview", "missing")


def from_markups(where: str, document: Mapping[str, Any]) -> Rows:
    """The point lists of a markups file; curves, planes and boxes beside them are left out with a note.

    Slicer says "mm" of whatever it shows, since it takes a mesh's numbers for millimetres: that word is not sure. Any
    other unit was set by someone. Of several lists, those in which no name is known are left out.
    """
    lists: list[list[Row]] = []
    notes: list[str] = []
    units: list[str] = []
    for markup in _entries(where, document.get("markups"), "markup", _MAX_LISTS):
        kind = str(markup.get("type") or "PointList")[:40]
        if kind.lower() not in _POINT_LISTS:
            notes.append(f"a {kind} was left out")
            continue
        unit = _unit(where, markup.get("coordinateUnits"))
        factor = millimetres(unit)
        if factor is None:
            raise LandmarkError(f"{where}: coordinateUnits is {unit[:40]!r}, which is no known unit of length")
        units.append(unit)
        turn = _frame(where, str(markup.get("coordinateSystem", "LPS"))) * factor
        lists.append([_control_point(where, p, turn) for p in _entries(where, markup.get("controlPoints"), "point")])
    if notes and not lists:
        raise LandmarkError(f"{where}: holds no point list ({'; '.join(notes)[:200]}); place landmarks as a point list")
    named = [rows for rows in lists if any(is_known(name) for name, _ in rows)]
    if named and len(named) < len(lists):
        notes.append(f"{len(lists) - len(named)} of {len(lists)} point lists, in which no name is known, were left out")
        lists = named
    sure = any(millimetres(unit) != 1.0 for unit in units)
    return Rows([row for rows in lists for row in rows], "mm" if lists else None, sure, tuple(notes))


def _entries(where: str, entries: Any, what: str, limit: int = MAX_POINTS) -> list[Mapping[str, Any]]:
    entries = [] if entries is None else entries
    if isinstance(entries, list) and len(entries) > limit:
        raise LandmarkError(f"{where}: {len(entries)} entries of the kind {what}; at most {limit} are read")
    if not isinstance(entries, list) or any(not isinstance(entry, dict) for entry in entries):
        raise LandmarkError(f"{where}: a {what} is {str(entries)[:60]}; does not follow Slicer's markups format")
    return entries


def _unit(where: str, said: Any) -> str:
    """A unit as a word, as [code, scheme, meaning] or as an object with such fields; mm where none is said."""
    if isinstance(said, list) and said:
        said = said[0]
    elif isinstance(said, dict):
        fields = {str(k).lower(): v for k, v in said.items()}
        said = next((fields[k] for k in ("codevalue", "code", "value", "unit", "symbol", "name") if k in fields), said)
    if said is None or said == "" or said == []:
        return "mm"
    if not isinstance(said, str):
        raise LandmarkError(f"{where}: coordinateUnits is {str(said)[:60]}; expected a unit of length, as mm")
    return said


def _frame(where: str, declared: str) -> Floats:
    """What turns coordinates of a declared frame into LPS. Slicer numbers the frames in its older files."""
    frame = {"0": "RAS", "1": "LPS"}.get(declared.strip().upper(), declared.strip().upper())
    if frame not in ("RAS", "LPS"):
        raise LandmarkError(f"{where}: coordinate system {declared[:20]!r}; LPS and RAS are read")
    return FLIP if frame == "RAS" else np.ones(3)


def _control_point(where: str, point: Mapping[str, Any], turn: Floats) -> Row:
    label = str(point.get("label") or "")
    status = str(point.get("positionStatus") or "defined").lower()
    if status in _NOT_PLACED:
        return label, None
    position = point.get("position")
    try:
        if status != "defined" or not isinstance(position, list) or any(isinstance(v, str) for v in position):
            raise ValueError
        x, y, z = (number(v) for v in position)
    except (TypeError, ValueError, OverflowError):
        raise LandmarkError(
            f"{where}: {label[:40]!r} is at {str(position)[:80]}, {status[:20]}; expected x, y, z"
        ) from None
    return label, list(np.array([x, y, z]) * turn)


_COLUMNS = ["id", "x", "y", "z", "ow", "ox", "oy", "oz", "vis", "sel", "lock", "label", "desc", "associatedNodeID"]
_SLICER_3 = ["label", "x", "y", "z", "sel", "vis"]
_PLACED = ("", "2")  # Slicer 5 counts the states: undefined, preview, defined, missing


def from_fcsv(where: str, text: str) -> Rows:
    """A fiducial list: one line a point, under comments that name frame and columns."""
    columns: list[str] | None = None
    turn = FLIP  # files without the line are of the time when it was always RAS
    rows: list[Row] = []
    for line in lines_of(text):
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            if key.strip().lower() == "coordinatesystem":
                turn = _frame(where, value)
            elif key.strip().lower() == "columns":
                columns = [c.strip() for c in value.strip(" ,").split(",")]
            continue
        if not line.strip(" ,"):
            continue
        try:
            row = next(csv.reader([line]))
            # Slicer 5 adds two columns to those that it names: the state, and whether a program made the point.
            named = [*(columns or (_COLUMNS if len(row) > 8 else _SLICER_3)), "state", "made"]
            cells = dict(zip(named, row, strict=False))
            point = np.array([number(cells[axis]) for axis in "xyz"]) * turn
        except (KeyError, ValueError, csv.Error):
            raise LandmarkError(f"{where}: {line[:80]!r} has no x, y, z") from None
        placed = cells.get("state", "").strip() in _PLACED
        rows.append((cells.get("label", "").strip(), list(point) if placed else None))
    return Rows(rows)


def to_markups(points: Mapping[str, list[float]]) -> str:
    """3D Slicer's markups, .mrk.json: a fiducial a landmark, LPS, mm."""
    control = [
        {"id": str(i), "label": name, "position": point, "positionStatus": "defined"}
        for i, (name, point) in enumerate(points.items(), 1)
    ]
    markup = {"type": "Fiducial", "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": control}
    return json.dumps({"@schema": SCHEMA, "markups": [markup]}, indent=1)


def to_fcsv(points: Mapping[str, list[float]]) -> str:
    """3D Slicer's older .fcsv: a row a landmark, LPS, mm."""
    head = "# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\n"
    head += f"# columns = {','.join(_COLUMNS)}\n"
    rows = [
        f"{i},{x!r},{y!r},{z!r},0,0,0,1,1,1,0,{cell(' '.join(lines_of(name)))},,"
        for i, (name, (x, y, z)) in enumerate(points.items(), 1)
    ]
    return head + "\n".join(rows) + "\n"
