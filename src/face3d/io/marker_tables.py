"""Markers as tables: what Vicon writes as trajectories (FaceMoCap's files are such), and a column a coordinate."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

import numpy as np

from face3d.errors import ScanError
from face3d.io.raw import check_counts
from face3d.scan import Floats

_AXIS = re.compile(r"(.+?)[ _.:\-]*\(?([xyz])\)?(?:\s*[\[(](\w+)[\])])?", re.IGNORECASE)
_TIME = re.compile(r"(?:time|timestamp|t)(?:[ _]*[\[(]?(ms|s|us)[\])]?)?", re.IGNORECASE)
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, None: 1.0}
_MOST_COLUMNS = 30_000
_MOST_BYTES = 64 << 20  # 108 markers at 100 frames a second for three minutes; once split, ten times as large
_LEADING = 2  # columns of frame and sub-frame before Vicon's coordinates
_VICON_HEAD = 5  # rows before them: a title, the rate, names, axes, units


@dataclass(frozen=True, eq=False)
class Table:
    """`names` (M,), `points` (T, M, 3) in `unit` ("" where it is not said), `times` (T,) s or None, `rate` or None."""

    names: tuple[str, ...]
    points: Floats
    times: Floats | None
    rate: float | None
    unit: str
    notes: tuple[str, ...] = ()


def read_marker_table(name: str, data: bytes) -> Table:
    """A table of markers. Raises `ScanError` when it is none, or a row holds no numbers."""
    every = table_rows(name, data)
    rows = [row for row in every if any(word.strip() for word in row)]
    if len(rows) < 2 or max(len(row) for row in rows[:8]) > _MOST_COLUMNS:
        raise ScanError(f"{name}: no table of markers; it begins {data[:60]!r}")
    columns = _by_axis(rows[0])
    # Of a table of trajectories empty rows count: the header has five, and one ends it.
    return _plain(name, rows, columns) if columns else _vicon(name, every)


def table_rows(name: str, data: bytes) -> list[list[str]]:
    """The rows of a table of text, empty ones too, whatever of comma, semicolon and tab joins its cells. Raises
    `ScanError` for what is no table or larger than a take can be."""
    if len(data) > _MOST_BYTES:
        raise ScanError(f"{name}: {len(data)} bytes; tables of at most {_MOST_BYTES} are read: export C3D, or split it")
    text = data.decode("utf-8-sig", "replace")
    joint = max(",;\t", key=lambda c: text[: 1 << 16].count(c))
    try:
        return list(csv.reader(text.splitlines(), delimiter=joint))
    except csv.Error as error:
        raise ScanError(f"{name}: no table ({error})") from None


def _by_axis(head: list[str]) -> dict[str, dict[str, int]]:
    """marker -> axis -> column, of a header row that names each coordinate; empty when it is no such row."""
    found: dict[str, dict[str, int]] = {}
    for i, word in enumerate(head):
        match = _AXIS.fullmatch(word.strip())
        if match:
            found.setdefault(match[1], {})[match[2].lower()] = i
    return {marker: axes for marker, axes in found.items() if len(axes) == 3}


def _plain(name: str, rows: list[list[str]], columns: dict[str, dict[str, int]]) -> Table:
    values = _numbers(name, rows[1:], len(rows[0]), 1)
    order = [columns[marker][axis] for marker in columns for axis in "xyz"]
    points = values[:, order].reshape(len(values), -1, 3)
    at = next((i for i, word in enumerate(rows[0]) if _TIME.fullmatch(word.strip())), None)
    times = None
    if at is not None and (match := _TIME.fullmatch(rows[0][at].strip())):
        times = values[:, at] * _SECONDS[match[1].lower() if match[1] else None]
    some = _AXIS.fullmatch(rows[0][order[0]].strip())
    return Table(tuple(columns), _whole(points), times, None, (some[3] if some else None) or "")


def _vicon(name: str, rows: list[list[str]]) -> Table:
    """Five rows of header, two leading columns, then x, y, z of each marker; gaps are empty. Names, rate and unit are
    taken from the header where it holds them."""
    if len(rows) <= _VICON_HEAD:
        raise ScanError(
            f"{name}: {len(rows)} rows; a table of trajectories has {_VICON_HEAD} of header and a row a frame"
        )
    head, body = rows[:_VICON_HEAD], rows[_VICON_HEAD:]
    ends = next((i for i, row in enumerate(body) if not any(w.strip() for w in row)), len(body))
    body = body[:ends]  # what follows a blank row are other quantities
    width = max((len(row) for row in body[:50]), default=0)
    count = (width - _LEADING) // 3
    if count < 1:
        raise ScanError(
            f"{name}: {width} columns; expected frame, sub-frame and x, y, z of each marker: no marker table"
        )
    check_counts(name, count)
    values = _numbers(name, body, _LEADING + 3 * count, _VICON_HEAD)
    rate = next((r for row in head[:2] for word in row[:1] if (r := _number(word))), None)
    names = _names(head, count)
    unit = next(
        (w.strip().lower() for row in head[::-1] for w in row[_LEADING:] if w.strip().lower() in ("mm", "cm", "m")), ""
    )
    frames = values[:, 0]
    points = _whole(values[:, _LEADING:].reshape(len(values), count, 3))
    times = None
    notes = ()
    if rate and np.isfinite(frames).all() and len(frames) > 1 and (np.diff(frames) > 0).all():
        times = (frames - frames[0]) / rate
        gaps = int((np.diff(frames) > 1).sum())
        notes = (f"frames are missing in {gaps} places",) if gaps else ()
    return Table(names, points, times, rate, unit, notes)


def _names(head: list[list[str]], count: int) -> tuple[str, ...]:
    """The markers' names: of the header row that has one every third column; else their numbers from 1."""
    for row in head:
        words = [w.strip() for w in row]
        cells = [words[i] if i < len(words) else "" for i in range(_LEADING, _LEADING + 3 * count, 3)]
        if all(cells) and len({*cells}) == count and not all(c.lower() in ("x", "mm") for c in cells):
            names = tuple(c.rpartition(":")[2] or c for c in cells)
            return names if len({*names}) == count else tuple(cells)
    return tuple(str(i + 1) for i in range(count))


def _whole(points: Floats) -> Floats:
    """A marker of which a coordinate is missing was not seen."""
    points = np.array(points)
    points[~np.isfinite(points).all(axis=-1)] = np.nan
    return points


def _numbers(name: str, rows: list[list[str]], width: int, before: int) -> Floats:
    out = np.full((len(rows), width), np.nan)
    for i, row in enumerate(rows):
        for j, word in enumerate(row[:width]):
            if not (word := word.strip()):
                continue
            if (value := _number(word)) is None:
                raise ScanError(f"{name}: row {before + i + 1}: {word[:40]!r} is no number")
            out[i, j] = value
    return out


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
