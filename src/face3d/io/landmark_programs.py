"""Landmark files of other programs, in and out: MeshLab (.pp), Landmark and iBUG (.pts), TPS, menpo (.ljson)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from face3d.errors import LandmarkError
from face3d.io.landmark_names import IBUG_POINTS, ibug_order
from face3d.io.landmark_rows import MAX_POINTS, Row, Rows, lines_of, number, split_row

_Points = Mapping[str, list[float]]


def from_meshlab(where: str, text: str) -> Rows:
    """PickedPoints, without those that were switched off."""
    if "<!ENTITY" in text.upper() or re.search(r"<!DOCTYPE[^>]*\[", text, re.IGNORECASE):
        raise LandmarkError(f"{where}: declares XML entities, which are not expanded")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise LandmarkError(f"{where}: no valid XML ({error})") from None
    points = [p for p in root.iter("point") if p.get("active", "1") != "0"]
    return Rows([(p.get("name", ""), [p.get(axis, "") for axis in "xyz"]) for p in points])


def from_pts(where: str, text: str) -> Rows:
    """Two programs' files. Landmark: version, count, then `S000 x y z`, where S and C are curve and single points and
    no names. iBUG and menpo: version, `n_points: 68`, rows between braces. Bare rows are read as well."""
    lines = [re.sub(r"[{}]", " ", line).split() for line in lines_of(text)]
    lines = [words for words in lines if words and not words[0].startswith(("#", "//"))]
    if lines and lines[0][0].lower().startswith("version"):
        lines = lines[1:]
        if not lines:
            raise LandmarkError(f"{where}: the number of points does not follow the version")
    declared = None
    if lines and (len(lines[0]) == 1 or lines[0][0].lower().startswith("n_points")):
        declared = lines.pop(0)[-1].rpartition(":")[2]
    rows = [split_row(words) for words in lines]
    rows = [(None if name and re.fullmatch(r"[SC]\d+", name) else name, values) for name, values in rows]
    if declared is not None and declared != str(len(rows)):
        raise LandmarkError(f"{where}: declares {declared[:20]} points; {len(rows)} follow")
    return Rows(rows)


def from_tps(where: str, text: str) -> Rows:
    """One specimen: LM3=N, N rows without names, perhaps a scale."""
    rows: list[list[str]] = []
    scale = 1.0
    declared = None
    for line in lines_of(text):
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
                scale = number(value)
            except ValueError:
                scale = float("nan")
            if not 0 < scale < float("inf"):
                raise LandmarkError(f"{where}: the scale is {value[:40]!r}; expected a number above 0")
        elif not is_statement and line.strip():
            rows.append(line.split())
    if declared != str(len(rows)):
        raise LandmarkError(f"{where}: LM3 declares {str(declared)[:20]} points; {len(rows)} follow")
    try:
        return Rows([(None, [number(v) * scale for v in values] if scale != 1.0 else values) for values in rows])
    except ValueError:
        raise LandmarkError(f"{where}: a row is not all numbers") from None


def from_menpo(where: str, document: Any) -> Rows:
    """A group of points with labels that name one point or a part of the face, 68 iBUG points in their own order."""
    try:
        group = document
        if "groups" in document:  # version 3: several groups to a file
            if len(document["groups"]) != 1:
                raise LandmarkError(f"{where}: holds {len(document['groups'])} groups of landmarks; keep one")
            group = next(iter(document["groups"].values()))
        points = group["landmarks"]["points"]
        if len(points) > MAX_POINTS:
            raise LandmarkError(f"{where}: {len(points)} points; at most {MAX_POINTS} landmarks are read")
        values = [[float("nan") if v is None else number(v) for v in point] for point in points]
        labels = {str(part["label"]): [int(i) for i in part["mask"]] for part in group.get("labels", [])}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise LandmarkError(f"{where}: does not follow the format of an .ljson file ({error!r})"[:300]) from None
    if any(i < 0 or i >= len(values) for mask in labels.values() for i in mask):
        raise LandmarkError(f"{where}: a label names a point that is not there")
    if len(values) == IBUG_POINTS and "nose" in labels and all(len(v) == 3 for v in values):
        try:
            return Rows([(None, values[i]) for i in ibug_order(values, labels)])
        except LandmarkError as error:
            raise LandmarkError(f"{where}: {error}") from None
    single = {mask[0]: label for label, mask in labels.items() if len(mask) == 1}
    rows: list[Row] = [(single.get(i), point) for i, point in enumerate(values)]
    return Rows(rows)


def to_meshlab(points: _Points) -> str:
    """MeshLab's picked points, .pp: XML with a point a landmark."""
    root = ElementTree.Element("PickedPoints")
    for name, (x, y, z) in points.items():
        ElementTree.SubElement(root, "point", x=repr(x), y=repr(y), z=repr(z), active="1", name=name)
    return "<!DOCTYPE PickedPoints>\n" + ElementTree.tostring(root, encoding="unicode") + "\n"


def to_pts(points: _Points) -> str:
    """IDAV Landmark's .pts: name and x, y, z a line; spaces in names become _."""
    rows = [f"{'_'.join(name.split())} {x!r} {y!r} {z!r}" for name, (x, y, z) in points.items()]
    return "\n".join(["Version 1.0", str(len(rows)), *rows]) + "\n"


def to_tps(points: _Points) -> str:
    """A specimen of tps in three dimensions (LM3): x, y, z a line in the order given; the format has no names."""
    return "\n".join([f"LM3={len(points)}", *(f"{x!r} {y!r} {z!r}" for x, y, z in points.values()), "ID=0"]) + "\n"


def to_menpo(points: _Points) -> str:
    """Menpo's .ljson, version 3: one group, a label a landmark."""
    labels = [{"label": name, "mask": [i]} for i, name in enumerate(points)]
    group = {"labels": labels, "landmarks": {"points": list(points.values())}}
    return json.dumps({"groups": {"face3d": group}, "version": 3}, indent=1)
