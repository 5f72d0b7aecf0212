"""The study's tables, made anew from the items' results in one order: the same bytes however the run went.

Items are read a thousand at a time and written as they come, CSV and one Parquet part a thousand, so that memory does
not grow with the study.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from face3d.batch.item import Item
from face3d.batch.places import OWN, Place
from face3d.batch.plan import CHUNK, Standing, records, standing
from face3d.batch.sources import shown
from face3d.errors import OutputError
from face3d.extras import require
from face3d.report.folder import KINEMATICS, MEASURES, REGIONS

#: Kind of item -> its table of long rows, the file of an item that holds them, and its table of one row an item.
_OF: Mapping[str, tuple[str, str, str]] = {
    "exam": ("measures", MEASURES, "exams"),
    "scan": ("regions", REGIONS, "scans"),
    "recording": ("kinematics", KINEMATICS, "recordings"),
}
_MEASURE = ("subject", "visit", "measure", "expression", "region", "side", "value", "unit", "uncertainty", "status")
_FAILURE = ("item", "kind", "status", "reason")
#: Columns that hold text, and truth; all others hold numbers.
_TEXT = frozenset(
    (
        *("subject", "visit", "date", "measure", "expression", "region", "side", "unit", "status", "source"),
        *("item", "kind", "reason", "scan", "fit", "units_note", "notes", "affected_side", "side_source"),
        *("definition", "distance", "reference_range", "reference", "network_side", "recording", "expressions"),
    )
)
_TRUTH = frozenset({"network_abstained"})
#: Which results the tables that are there were made of.
_MADE = "tables.json"


def write_tables(
    place: Place,
    work: Path,
    items: Iterable[Item],
    unread: Mapping[str, str],
    known: Mapping[str, Standing],
) -> dict[str, Any]:
    """Writes measures and exams, regions and scans, kinematics and recordings (those that there is something for) and
    failures, each as CSV and Parquet, with what a manifest groups people by in the last columns; nothing where they are
    of these very results already. Returns items, ok, failed and tables. `known` folder -> how items stand whose record
    need not be read again.

    A person's exams follow by date where all have one, else as they were found; two exams of one subject and visit are
    not averaged: the second fails. A failed exam is a row of measures too, without a value and with its reason.
    """
    require("pyarrow")
    rows, failures = _read(place, items, unread, known)
    told = [[(r.item.folder, r.item.name, r.status, r.reason, r.key, r.item.groups) for r in rows], failures]
    made = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    if (names := _made(place, made)) is None:
        place.remove(f"{OWN}/{_MADE}")
        names = _written(place, work, rows, failures)
        (work / _MADE).write_text(json.dumps({"of": made, "tables": names}), encoding="ascii")
        place.publish(work / _MADE, f"{OWN}/{_MADE}")
    return _summary(rows, failures, names)


def counted(place: Place, items: Iterable[Item], known: Mapping[str, Standing]) -> dict[str, Any]:
    """The same of a part of the study, without tables."""
    return _summary(*_read(place, items, {}, known), [])


def _read(
    place: Place, items: Iterable[Item], unread: Mapping[str, str], known: Mapping[str, Standing]
) -> tuple[list[Standing], list[tuple[str, str, str, str]]]:
    items = list(items)
    fresh = [item for item in items if item.folder not in known]
    now = {item.folder: standing(item, record) for item, record in records(place, fresh)} | dict(known)
    rows = _in_time(now[item.folder] for item in items)
    failures = [(shown(r.item.name), r.item.kind, r.status, r.reason) for r in rows if r.status != "ok"]
    failures += [(shown(name), "folder", "unread", f"cannot be looked into: {why}") for name, why in unread.items()]
    return rows, failures


def _summary(rows: Sequence[Standing], failures: Sequence[tuple[str, ...]], tables: Sequence[str]) -> dict[str, Any]:
    return {
        "items": len(rows),
        "ok": sum(r.status == "ok" for r in rows),
        "failed": [dict(zip(_FAILURE, row, strict=True)) for row in failures],
        "tables": list(tables),
    }


def _written(place: Place, work: Path, rows: Sequence[Standing], failures: Sequence[tuple[str, ...]]) -> list[str]:
    groups = tuple(name for name, _ in rows[0].item.groups) if rows else ()
    names = [name for long, _, single in _OF.values() for name in (long, single)]
    tables = {name: _Table(work, name, groups) for name in names} | {"failures": _Table(work, "failures")}
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        good = [r.item for r in chunk if r.status == "ok"]
        texts = place.read_many([f"{i.folder}/{_OF[i.kind][1]}" for i in good])
        wide = {item.folder: record["row"] for item, record in records(place, good) if record}
        for r in chunk:
            long, file, single = _OF[r.item.kind]
            of = [value for _, value in r.item.groups]
            if r.status == "ok":
                text = texts.get(f"{r.item.folder}/{file}")
                if text is None or r.item.folder not in wide:
                    raise OutputError(f"{r.item.folder}/{file}: is gone; remove its folder and run again with --resume")
                tables[long].add_text(text.decode(), of)
                tables[single].add(tuple(wide[r.item.folder]), list(wide[r.item.folder].values()), of)
            elif r.item.kind == "exam":
                values = (r.subject, r.visit, "exam", "all", "face", "both", None, "1", None, r.reason, "face3d")
                tables[long].add((*_MEASURE, "source"), values, of)
        for table in tables.values():
            table.part()
    for row in failures:
        tables["failures"].add(_FAILURE, row)
    if not failures:
        tables["failures"].add(_FAILURE, None)
    return [name for table in tables.values() for name in table.close(place)]


class _Table:
    """One table while it is written: CSV text as it comes, and a Parquet part from each thousand items. `groups` names
    of columns behind its own; one of the same name as one of its own is left out."""

    def __init__(self, work: Path, name: str, groups: Sequence[str] = ()) -> None:
        self.csv, self.parquet = work / f"{name}.csv", work / f"{name}.parquet"
        self.header, self.text, self.parts, self.groups = "", io.StringIO(), 0, groups
        self.texts: frozenset[str] = _TEXT

    def add(self, columns: Sequence[str], values: Sequence[Any] | None, of: Sequence[str] = ()) -> None:
        """One row, with what it is grouped by; None: none, but the table is there, with its columns."""
        more = self._more(columns)
        if not self.header:
            self.header = _line((*columns, *(self.groups[k] for k in more)))
            self.texts = _TEXT | {self.groups[k] for k in more}
        if values is not None:
            self.text.write(_line((*values, *(of[k] for k in more))))

    def add_text(self, text: str, of: Sequence[str] = ()) -> None:
        """Rows as CSV, with their header."""
        header, _, body = text.partition("\n")
        columns = header.split(",")
        own = self.header
        self.header = ""
        self.add(columns, None)
        if own and own != self.header:
            raise OutputError(f"{self.csv.name}: rows of two kinds ({self.header.strip()}; {own.strip()})")
        more = [of[k] for k in self._more(columns)]
        if not more:
            self.text.write(body)
        else:
            self.text.writelines(_line((*row, *more)) for row in csv.reader(io.StringIO(body, newline="")))

    def _more(self, columns: Sequence[str]) -> list[int]:
        return [k for k, name in enumerate(self.groups) if name not in columns]

    def part(self) -> None:
        """Writes what has come since the last part."""
        body = self.text.getvalue()
        if body:
            self._write(body)

    def close(self, place: Place) -> list[str]:
        """Its files appear in the place of an earlier run's; returns their names."""
        body = self.text.getvalue()
        if body or (self.header and not self.parts):
            self._write(body)
        if not self.parts:
            for file in (self.csv, self.parquet):
                place.remove(file.name)
            return []
        for file in (self.csv, self.parquet):
            place.publish(file, file.name)
        return [self.csv.name, self.parquet.name]

    def _write(self, body: str) -> None:
        import pandas as pd
        import pyarrow as pa
        from pyarrow import parquet

        with self.csv.open("a", encoding="utf-8", newline="") as text:
            text.write(body if self.parts else self.header + body)
        columns = next(csv.reader([self.header]))
        numbers = [c for c in columns if c not in self.texts]
        frame = pd.read_csv(
            io.StringIO(self.header + body),
            dtype=dict.fromkeys(columns, str),
            keep_default_na=False,
            na_values={c: [""] for c in numbers},
        )
        arrays = {}
        for column in columns:
            values = frame[column]
            if column in self.texts:
                arrays[column] = pa.array(values.tolist(), pa.string())
            elif column in _TRUTH:
                arrays[column] = pa.array([None if v != v else v == "True" for v in values], pa.bool_())
            else:
                arrays[column] = pa.array(values.astype(float).to_numpy(), pa.float64())
        self.parquet.mkdir(exist_ok=True)
        parquet.write_table(pa.table(arrays), self.parquet / f"part-{self.parts:05d}.parquet")
        self.parts, self.text = self.parts + 1, io.StringIO()


def _line(values: Iterable[Any]) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(values)
    return row.getvalue()


def _made(place: Place, of: str) -> list[str] | None:
    """The tables that are there, when they are of these results."""
    try:
        known = json.loads(place.read_many([f"{OWN}/{_MADE}"])[f"{OWN}/{_MADE}"])
        return known["tables"] if known["of"] == of else None
    except (KeyError, ValueError, TypeError):
        return None


def _in_time(rows: Iterable[Standing]) -> list[Standing]:
    """Exams of each subject together, by date where all of them have one; the second of one visit fails."""
    people: dict[str, list[Standing]] = {}
    for r in rows:
        of_person = r.item.kind == "exam" and r.status == "ok"
        people.setdefault(r.subject if of_person else f"\0{r.item.kind} {r.item.name}", []).append(r)
    out: list[Standing] = []
    for own in people.values():
        if all(r.date for r in own):
            own.sort(key=lambda r: r.date or "")
        first: dict[str, Standing] = {}
        for r in own:
            if r.item.kind == "exam" and r.status == "ok" and first.setdefault(r.visit, r) is not r:
                who = f"{r.subject}/{r.visit}" if r.visit else r.subject
                other = shown(first[r.visit].item.name)
                said = f"{other} is {who} too; give each exam a subject or visit of its own"
                r = replace(r, status="twice", reason=said)
            out.append(r)
    return out
