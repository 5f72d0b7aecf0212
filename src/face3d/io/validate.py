"""Checking exams before a long run: the manifest, every file it names, and what was noticed on the way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from face3d.errors import Face3DError, SchemaError
from face3d.exam import Exam
from face3d.io.exam import MANIFEST, find_exams, read_exam


@dataclass(frozen=True)
class Finding:
    """One remark on an exam; a `fault` keeps it, or one of its scans, from being measured."""

    exam: str
    expression: str | None
    fault: bool
    text: str


def validate(path: str | Path) -> tuple[Finding, ...]:
    """Findings on an exam, or on all exams of a study. Every scan is read once; nothing is measured.

    Raises `SchemaError` when `path` is neither, or the one exam's manifest is faulty.
    """
    path = Path(path)
    try:
        return _check(path)
    except SchemaError as error:
        study = path.is_dir() and not (path / MANIFEST).is_file()
        if not study:
            raise
        try:
            exams = list(find_exams(path))
        except SchemaError:
            raise error from None
    findings: list[Finding] = []
    for folder in exams:
        try:
            findings += _check(folder)
        except SchemaError as error:
            findings.append(Finding(str(folder), None, True, str(error)))
    return tuple(findings)


def _check(path: Path) -> tuple[Finding, ...]:
    exam = read_exam(path)
    found = [Finding(exam.name, None, False, note) for note in exam.notes]
    for expression in exam.expressions:
        found.append(_scan(exam, expression))
    return tuple(found)


def _scan(exam: Exam, expression: str) -> Finding:
    try:
        scan = exam.scan(expression)
    except Face3DError as error:
        return Finding(exam.name, expression, True, str(error))
    kind = f"{len(scan.faces):,} triangles" if len(scan.faces) else "a point cloud"
    marks = f", {len(scan.landmarks)} landmarks" if scan.landmarks else ""
    return Finding(exam.name, expression, False, f"{len(scan.vertices):,} vertices, {kind}{marks}; {scan.units_note}")


def as_text(findings: tuple[Finding, ...]) -> str:
    """One line a finding, faults marked."""
    lines, last = [], None
    for f in findings:
        if f.exam != last:
            lines.append(f.exam)
            last = f.exam
        lines.append(f"  {'FAULT ' if f.fault else ''}{f.expression + ': ' if f.expression else ''}{f.text}")
    return "\n".join(lines)


def as_json(findings: tuple[Finding, ...]) -> str:
    """A list of findings."""
    return json.dumps([asdict(f) for f in findings], indent=1)
