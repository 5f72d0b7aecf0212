"""A verdict on exams before a long run: what there is, what is missing, and what keeps it from being measured."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from face3d.errors import Face3DError, SchemaError
from face3d.exam import EXPRESSIONS
from face3d.io.exam import MANIFEST, Reading, find_exams, reading
from face3d.io.scan_file import ScanFile
from face3d.io.sequence_file import SequenceFile
from face3d.io.sequence_info import sequence_info
from face3d.io.units import LARGEST_MM, MILLIMETRES, SMALLEST_MM, extent
from face3d.scan import FaceScan, Floats

#: Two scans whose points lie this near (mm), each to its own, are one: a file written anew rounds its numbers.
_SAME_MM = 0.01
_COMPARED = 20_000  # points of each scan


@dataclass(frozen=True)
class Finding:
    """One remark on an exam: a "fault" keeps it, or one of its scans, from being measured; a "doubt" should be looked
    at; the rest are facts."""

    expression: str | None
    kind: Literal["fault", "doubt", "fact"]
    text: str


@dataclass(frozen=True)
class Verdict:
    """One exam: whether it can be measured as it is (expressions whose scan is at fault are then left out), which
    expressions of the protocol are there, which are missing, and all findings."""

    exam: str
    source: str
    measurable: bool
    present: tuple[str, ...]
    missing: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings that have to be mended."""
        return tuple(f for f in self.findings if f.kind == "fault")

    def to_text(self) -> str:
        """The verdict in a line, then one line a finding."""
        left_out = sorted({f.expression for f in self.faults if f.expression})
        verdict = "can be measured" if self.measurable else "can't be measured as it is"
        if self.measurable and left_out:
            verdict += f" without {', '.join(left_out)}"
        lines = [f"{self.exam}: {len(self.present)} of {len(EXPRESSIONS)} expressions; {verdict}"]
        if self.missing:
            lines.append(f"  missing: {', '.join(self.missing)}")
        mark = {"fault": "FAULT ", "doubt": "CHECK ", "fact": ""}
        lines += [f"  {mark[f.kind]}{f'{f.expression}: ' if f.expression else ''}{f.text}" for f in self.findings]
        return "\n".join(lines)


def validate(path: str | Path) -> tuple[Verdict, ...]:
    """Verdicts on an exam, or on all exams of a study. Every scan is read once; nothing is measured.

    Raises `SchemaError` when `path` is neither, or the one exam's manifest cannot be read at all.
    """
    path = Path(path)
    try:
        return (_verdict(reading(path)),)
    except SchemaError:
        if not path.is_dir() or (path / MANIFEST).is_file():
            raise
    verdicts: list[Verdict] = []
    names: dict[str, str] = {}
    for folder in find_exams(path):
        try:
            one = _verdict(reading(folder))
        except SchemaError as error:
            said = (_fault(None, str(error)),)
            verdicts.append(Verdict(str(folder), str(folder), False, (), tuple(EXPRESSIONS), said))
            continue
        if (first := names.setdefault(one.exam, one.source)) != one.source:
            text = (
                f"{first} is {one.exam} too; give each exam a subject or visit of its own, in {MANIFEST} or by folders"
            )
            said = (_fault(None, f"{text} SUBJECT/VISIT such as bob/pre"), *one.findings)
            one = replace(one, measurable=False, findings=said)
        verdicts.append(one)
    return tuple(verdicts)


def _fault(expression: str | None, text: str) -> Finding:
    return Finding(expression, "fault", text)


def _verdict(found: Reading) -> Verdict:
    findings = [_fault(fault.expression, str(fault)) for fault in found.faults]
    findings += [Finding(None, "doubt", note) for note in found.notes]
    date = None if found.exam is None else found.exam.date
    if date is not None and date > datetime.date.today():
        findings.append(Finding(None, "doubt", f"date: {date} is still to come"))
    seen: dict[str, Floats] = {}
    for expression in (e for e in EXPRESSIONS if e in found.scans):
        file = found.scans[expression]
        try:
            scan = file.read()
        except Face3DError as error:
            findings.append(_fault(expression, str(error)))
            continue
        findings += _scan(expression, file, scan)
        points = scan.vertices[:: max(1, len(scan.vertices) // _COMPARED)].copy()
        twin = next((e for e, other in seen.items() if _same(points, other)), None)
        if twin is not None:
            files = f"{found.scans[twin].path.name} and {file.path.name}"
            text = f"the same scan as {twin} ({files}); one face can't show both: leave out the one that it is not"
            findings.append(_fault(expression, text))
        seen[expression] = points
    for expression, recorded in found.sequences.items():
        findings += _sequence(expression, recorded)
    present = tuple(e for e in EXPRESSIONS if e in found.scans)
    missing = tuple(e for e in EXPRESSIONS if e not in found.scans)
    bad = {f.expression for f in findings if f.kind == "fault"}
    measurable = not found.faults and "rest" in present and "rest" not in bad
    return Verdict(found.name, str(found.source), measurable, present, missing, tuple(findings))


def _scan(expression: str, file: ScanFile, scan: FaceScan) -> Iterator[Finding]:
    kind = f"{len(scan.faces):,} triangles" if len(scan.faces) else "a point cloud"
    marks = f", {len(scan.landmarks)} landmarks" if scan.landmarks else ""
    yield Finding(expression, "fact", f"{len(scan.vertices):,} vertices, {kind}{marks}; {scan.units_note}")
    size = extent(scan.vertices)
    if SMALLEST_MM <= size <= LARGEST_MM or file.units not in MILLIMETRES:
        return
    length = f"{size:,.0f}" if size >= 10 else f"{size:.2g}"
    said = f"{file.path.name}: {length} mm long, read in {file.units} as given; "
    said += f"a face or head has {SMALLEST_MM:.0f} to {LARGEST_MM:.0f} mm"
    for unit, factor in MILLIMETRES.items():
        fitting = size / MILLIMETRES[file.units] * factor
        if SMALLEST_MM <= fitting <= LARGEST_MM:
            yield _fault(expression, f'{said}, and this would have {fitting:.0f} mm in {unit}: write "units": "{unit}"')
            return
    yield Finding(expression, "doubt", f"{said}, and no unit makes it one; is it a whole face?")


def _sequence(expression: str, file: SequenceFile) -> Iterator[Finding]:
    """What a recording holds: it is read to its end. A fault of it keeps no scan from being measured."""
    try:
        facts = sequence_info(file.read_markers() if file.of_markers else file.read())
    except Face3DError as error:
        yield Finding(expression, "doubt", f"the sequence can't be read: {error}")
        return
    yield Finding(expression, "fact", f"sequence: {facts.summary}")
    if facts.lost:
        more = f" (and {facts.lost - 1} more)" if facts.lost > 1 else ""
        yield Finding(expression, "doubt", f"the sequence lost {facts.reasons[0] if facts.reasons else 'frames'}{more}")


def _same(points: Floats, others: Floats) -> bool:
    return points.shape == others.shape and bool(np.allclose(points, others, rtol=0, atol=_SAME_MM))


def as_text(verdicts: tuple[Verdict, ...]) -> str:
    """All verdicts; of a study with a line that sums them up."""
    lines = [v.to_text() for v in verdicts]
    if len(verdicts) > 1:
        fit = sum(v.measurable for v in verdicts)
        lines.append(f"{len(verdicts)} examinations: {fit} can be measured, {len(verdicts) - fit} can't as they are")
    return "\n".join(lines)


def as_json(verdicts: tuple[Verdict, ...]) -> str:
    """A list of exams."""
    return json.dumps([asdict(v) for v in verdicts], indent=1)
