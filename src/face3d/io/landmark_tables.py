"""Landmarks as tables: CSV of any spreadsheet, plain text, arrays of numpy."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from face3d.errors import LandmarkError, ScanError
from face3d.io.archive import read_array
from face3d.io.landmark_names import is_known
from face3d.io.landmark_rows import Row, Rows, is_number, lines_of, millimetres, number, split_row

_Table = list[list[str]]

_SEPARATORS = (";", "\t", ",", "|", None)  # None: blanks
_MAX_COLUMNS = 200
_ENOUGH = 1000  # rows that tell which column holds the names
_HEADER_WITHIN = 30  # rows: titles may stand above it
_NAMES_HERE = ("name", "label", "landmark", "landmarks", "point", "code", "id")
# What may stand beside the letter of an axis: "x-coordinate", "Position X". Other words make another column of it.
_AXIS_WORDS = {"coord", "coords", "coordinate", "coordinates", "koordinate", "pos", "position", "value", "wert", "in"}


def from_table(where: str, text: str) -> Rows:
    """Rows of name, x, y, z, with or without a header, other columns and row numbers beside them.

    Separated by semicolons, tabs, commas, bars or blanks; decimal point or comma; a unit in the header ("x [cm]")
    counts. Empty cells, NA, NaN or a dash are a point that was not placed.
    """
    lines = lines_of(text)
    said = re.fullmatch(r"\s*sep=([;,:|\t])\s*", lines[0])  # a line of Excel's own
    content = "\n".join(lines[1:] if said else lines)
    failed, widest = LandmarkError(f"{where}: no landmarks in it"), 0
    for separator in [said.group(1)] if said else [s for s in _SEPARATORS if s is None or s in content]:
        width = 0
        try:
            table = _split(where, content, separator)
            width = max(map(len, table), default=0)
            if width > _MAX_COLUMNS:
                raise LandmarkError(f"{where}: {width} columns; at most {_MAX_COLUMNS} are read")
            return _with_header(where, table) or _without_header(where, table)
        except csv.Error as error:
            failed, widest = LandmarkError(f"{where}: no valid CSV ({error})"), _MAX_COLUMNS
        except LandmarkError as error:  # told of the separator that makes most columns
            failed, widest = (error, width) if width > widest else (failed, widest)
    raise failed


def _split(where: str, content: str, separator: str | None) -> _Table:
    """The cells of all rows that hold any, without comments; but numpy writes the header as one."""
    if separator:
        rows = csv.reader(io.StringIO(content, newline="\n"), delimiter=separator, strict=True)
        table = [[cell.strip() for cell in row] for row in rows]
    else:
        table = [_words(line) for line in lines_of(content)]
    kept: _Table = []
    for row in table:
        if row[:1] and row[0].startswith("#"):
            first = row[0].lstrip("# ")
            row = [first, *row[1:]] if first or separator else row[1:]  # "#" over a column that counts the rows
            if not _axes(where, row):
                continue
        if any(row):
            kept.append(row)
    return kept


def _words(line: str) -> list[str]:
    """The words of a line; a name of several is one, and so is an axis with its unit: "X (mm)"."""
    if not re.search(r"\d", line):
        line = re.sub(r"\s+(?=[(\[])", "", line)
    words = [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', line)]
    name, values = split_row(words)
    return [name, *values] if name and values else words


@dataclass(frozen=True)
class _Axis:
    column: int
    letter: str
    unit: str | None
    strange: str | None  # what stands in the place of a unit and is none


def _axis(column: int, head: str) -> _Axis | None:
    """The axis that a header names: "x", "X [mm]", "y_cm", "PosZ", "Z-Koordinate (mm)"."""
    bracketed = re.search(r"[(\[{]\s*(.*?)\s*[)\]}]", head)
    bare = re.sub(r"[(\[{].*", "", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", head)).lower()
    words = [w for w in re.split(r"[\s_.,:;/=<>-]+", bare) if w]
    words = [part for w in words for part in ([w[0], w[1:]] if w[0] in "xyz" and millimetres(w[1:]) else [w])]
    letters = [w for w in words if len(w) == 1 and w in "xyzlpsra"]
    units = [w for w in words if w not in letters and millimetres(w)]
    units = [w for w in units if w != "in"] or units  # "x in mm"
    if len(letters) != 1 or len(units) > 1 or any(w not in letters + units and w not in _AXIS_WORDS for w in words):
        return None
    unit = bracketed.group(1) if bracketed else next(iter(units), None)
    strange = unit if unit and not millimetres(unit) else None
    return _Axis(column, letters[0], unit or None, strange)


def _axes(where: str, head: Sequence[str]) -> list[_Axis] | None:
    """The columns of x, y, z, or of one of 3D Slicer's frames, whose tables name it so; None: this is no header."""
    found = [axis for i, cell in enumerate(head) if (axis := _axis(i, cell))]
    for letters in ("xyz", "lps", "ras"):
        columns = [[a for a in found if a.letter == letter] for letter in letters]
        columns = [[a for a in same if not a.strange] or same for same in columns]
        if not all(columns):
            if letters == "xyz" and all(columns[:2]) and any(not is_number(cell) for cell in head):
                raise LandmarkError(f"{where}: has x and y, but no z: landmarks of a picture have no place in space")
            continue
        for same in columns:
            if len(same) > 1:
                raise LandmarkError(f"{where}: two columns are {same[0].letter}: {', '.join(head)[:200]}")
            if same[0].strange:
                raise LandmarkError(
                    f"{where}: the column {head[same[0].column][:40]!r} is in {same[0].strange[:20]!r}, which is no "
                    "known unit of length (mm, cm, m, um, in)"
                )
        return [same[0] for same in columns]
    return None


def _with_header(where: str, table: _Table) -> Rows | None:
    """The rows below the header; None where there is none."""
    at, head, axes = 0, [""], None
    while axes is None:
        if at == min(len(table), _HEADER_WITHIN) or sum(is_number(cell) for cell in table[at] if cell) >= 3:
            return None
        at, head = at + 1, table[at]
        axes = _axes(where, head)
    body = table[at:]
    if len(head) == 3 and body and all(len(row) == 4 for row in body):  # R writes no header over the names of rows
        head, axes = ["name", *head], [_Axis(a.column + 1, a.letter, a.unit, None) for a in axes]
    columns = [a.column for a in axes]
    lower = [cell.lower() for cell in head]
    beside = [row[i] for i, cell in enumerate(lower) if cell in ("unit", "units") for row in body if i < len(row)]
    units = {unit.lower() for unit in (*(a.unit or "" for a in axes), *beside) if unit}
    if len({millimetres(unit) for unit in units}) > 1 or not all(map(millimetres, units)):
        raise LandmarkError(f"{where}: the columns are not in one unit of length: {', '.join(sorted(units))[:80]}")
    others = [i for i in range(len(head)) if i not in columns]
    label = _name_column(body, sorted(others, key=lambda i: _rank(lower[i])))
    defined = lower.index("defined") if "defined" in lower else None
    sign = -1 if axes[0].letter == "r" else 1
    rows: list[Row] = []
    for row in body:
        if len(row) <= max(columns) or any(row[len(head) :]):
            raise LandmarkError(f"{where}: the row {', '.join(row)[:80]!r} has not the header's {len(head)} columns")
        name = row[label] if label is not None and label < len(row) else None
        point: Sequence[str | float] | None = [row[i] for i in columns]
        if not name and not any(point):
            continue
        if defined is not None and row[defined : defined + 1] == ["0"]:
            point = None
        elif sign < 0:
            point = _turned(where, point)
        rows.append((name, point))
    return Rows(rows, min(units, default=None))


def _turned(where: str, cells: Sequence[str]) -> list[float]:
    """A point of RAS in LPS."""
    try:
        x, y, z = map(number, cells)
    except ValueError:
        raise LandmarkError(f"{where}: {', '.join(cells)[:80]!r} are not all numbers") from None
    return [-x, -y, z]


def _rank(head: str) -> int:
    return _NAMES_HERE.index(head) if head in _NAMES_HERE else len(_NAMES_HERE)


def _name_column(body: _Table, columns: Sequence[int]) -> int | None:
    """The one of `columns` with the most known names; where none is known, the first that holds words."""
    cells = {i: [row[i] for row in body[:_ENOUGH] if i < len(row)] for i in columns}
    worded = [i for i in columns if any(not is_number(cell) for cell in cells[i])]
    return max(worded, key=lambda i: sum(map(is_known, cells[i])), default=None)


def _without_header(where: str, table: _Table) -> Rows:
    """Three columns of numbers, a column of names before or behind them, a column that counts the rows before all."""
    width = max(map(len, table), default=0)
    columns = [[row[i] if i < len(row) else "" for row in table] for i in range(width)]
    numbers = [i for i, cells in enumerate(columns) if any(cells) and all(map(is_number, cells))]
    counted = len(numbers) > 3 or len(table) > 3  # of three coordinates, the first may be 0, 1, 2 in a few rows
    if counted and numbers[:1] == [0] and _counts(columns[0]):
        numbers = numbers[1:]
    if len(numbers) != 3 or any(len(row) <= numbers[2] for row in table):
        bad = next((row for row in table if len(row) == 4 and not all(map(is_number, row[1:]))), None)
        if bad is not None and width == 4:
            raise LandmarkError(
                f"{where}: landmark {bad[0][:40]!r} has coordinates {str(bad[1:])[:80]}; expected numbers"
            )
        flat = ": landmarks of a picture have no place in space" if len(numbers) == 2 else ""
        raise LandmarkError(
            f"{where}: expected rows of name, x, y, z; found {min(map(len, table), default=0)} to {width} columns, "
            f"{len(numbers)} of them numbers{flat}; a header with name, x, y, z says which are which"
        )
    label = _name_column(table, [i for i in range(width) if i not in numbers])
    named = [None if label is None else columns[label][i] for i in range(len(table))]
    return Rows([(name, [row[i] for i in numbers]) for name, row in zip(named, table, strict=True)])


def _counts(cells: Sequence[str]) -> bool:
    return any(list(cells) == [str(i + start) for i in range(len(cells))] for start in (0, 1))


def from_array(where: str, raw: bytes) -> Rows:
    """An .npy file of (N, 3) numbers, NaN for a point that was not placed."""
    try:
        array = read_array(where, raw)
    except ScanError as error:
        raise LandmarkError(str(error)) from None
    if array.ndim == 3 and len(array) == 1:
        array = array[0]
    if array.ndim == 2 and array.shape[1] == 2:
        raise LandmarkError(f"{where}: holds {array.shape} numbers: landmarks of a picture have no place in space")
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "fiu":
        raise LandmarkError(f"{where}: holds {array.dtype} of shape {array.shape}; expected numbers, (N, 3)")
    return Rows([(None, point) for point in array.tolist()])


def cell(text: str) -> str:
    """A text as a cell of CSV, quoted where it must be."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([text])
    return out.getvalue()


def to_csv(points: Mapping[str, list[float]]) -> str:
    """A table of name, x, y, z, a row a landmark."""
    return "\n".join(["name,x,y,z", *(f"{cell(n)},{x!r},{y!r},{z!r}" for n, (x, y, z) in points.items())]) + "\n"
