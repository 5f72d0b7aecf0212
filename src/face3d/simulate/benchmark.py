"""Benchmarks: folders of simulated exams with their truth, drawn subject by subject from one seed.

Every subject has random streams of their own, spawned from the master seed by their number, so that any subset, in any
order, resumed or not, is made of the same bytes. Exams are written to a hidden folder first and renamed when whole.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from face3d.errors import SchemaError
from face3d.simulate.card import data_card
from face3d.simulate.definition import Definition, _frozen
from face3d.simulate.exam_writer import write_exam
from face3d.simulate.subjects import Subject

DEFINITION, TABLE, CARD = "benchmark.json", "truth.csv", "DATA_CARD.md"


def write_benchmark(
    out: str | Path, definition: Definition, step: Callable[[str], None] = lambda name: None
) -> list[Path]:
    """Write the exams of `definition` under `out`, one folder a subject, and truth table, definition and data card
    beside them. Returns the subjects' folders; where they are treated, each holds the exams `before` and `after`.

    Subjects whose folders are there already are kept: a run that was stopped goes on where it was. `step` is called
    with each subject's name as it begins. Raises `SchemaError` if `out` holds another benchmark.
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SchemaError(f"{out}: no folder to write to: {error.strerror}; give another --out") from None
    _claim(out / DEFINITION, definition)
    folders = []
    for number in range(definition.subjects):
        name = definition.subject(number)
        step(name)
        folder = out / name
        if not folder.exists():
            partial = out / f".{name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            for visit, subject in _visits(definition, number):
                write_exam(partial / visit, subject)
            partial.rename(folder)
        folders.append(folder)
    rows = list(truth_table(definition))
    (out / TABLE).write_text(table_text(rows), encoding="utf-8")
    (out / CARD).write_text(data_card(definition, rows), encoding="utf-8")
    return folders


def _claim(path: Path, definition: Definition) -> None:
    """Write the definition, or check that the folder's one is the same but for the number of subjects."""
    if path.exists():
        try:
            there = Definition.of(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise SchemaError(f"{path}: not a benchmark's definition: {error}; use another folder") from None
        if replace(there, subjects=1) != replace(definition, subjects=1):
            unlike = [f.name for f in fields(there) if getattr(there, f.name) != getattr(definition, f.name)]
            raise SchemaError(
                f"{path}: another benchmark lies here (different {', '.join(u for u in unlike if u != 'subjects')}); "
                "use another --out, or the same options to go on with it"
            )
    path.write_text(definition.to_json(), encoding="utf-8")


def truth_table(definition: Definition) -> Iterator[dict[str, Any]]:
    """One row a subject (and visit): what is true of them, and what one rater would have written down. Nothing is
    scanned."""
    for number in range(definition.subjects):
        for _, subject in _visits(definition, number):
            yield subject.row()


def _visits(definition: Definition, number: int) -> list[tuple[str, Subject]]:
    """Folder below the subject's own, and who is examined there: once, or before and after a treatment."""
    if not definition.treatment:
        return [(".", Subject(definition, number))]
    return [(visit, Subject(definition, number, visit)) for visit in ("before", "after")]


def table_text(rows: list[dict[str, Any]]) -> str:
    """The truth table as CSV; its bytes are what a frozen definition's checksum is taken of."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def verify_frozen(name: str, first: int | None = None) -> None:
    """Draw a frozen benchmark's truth again, or that of the `first` ten subjects, and compare.

    Raises `SchemaError` if it has changed.
    """
    definition, known = Definition.frozen(name), _frozen(name)["truth_table_sha256"]
    size = definition.subjects if first is None else first
    expected = known.get(str(size))
    if expected is None:
        raise SchemaError(f"{name}: no checksum of {size} subjects; there are those of {', '.join(known)}")
    found = table_checksum(replace(definition, subjects=size))
    if found != expected:
        raise SchemaError(
            f"{name}: the truth table of {size} subjects has SHA-256 {found}, the definition says {expected}; results "
            f"can't be compared: use the version of face3d that the definition names ({_frozen(name)['face3d']})"
        )


def table_checksum(definition: Definition) -> str:
    """SHA-256 of the truth table: two benchmarks with the same one have the same patients with the same grades."""
    return hashlib.sha256(table_text(list(truth_table(definition))).encode()).hexdigest()
