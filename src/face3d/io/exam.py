"""Exams on disk: `exam.json`, a folder of scans named by expression, and studies of many such folders.

Only names are looked at here; scan files are opened when they are asked for.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from face3d.errors import SchemaError
from face3d.exam import Exam
from face3d.io.expression_names import did_you_mean, expression_of
from face3d.io.manifest import ExamManifest, Fault, ScanEntry, SequenceEntry, parsed
from face3d.io.scan_file import ScanFile
from face3d.io.sequence_file import SequenceFile
from face3d.visits import entity, named_by, path_order

__all__ = ["MANIFEST", "ExamManifest", "Reading", "expression_of", "find_exams", "read_exam", "reading", "refusal"]

MANIFEST = "exam.json"
#: A manifest lists some twenty files; what is larger than this is something else.
MANIFEST_LIMIT_BYTES = 4 << 20
SCAN_SUFFIXES = (".ply", ".obj", ".stl", ".off", ".glb", ".gltf", ".vtp", ".vtk", ".pcd", ".xyz", ".asc", ".npz")
LANDMARK_SUFFIXES = (".mrk.json", ".fcsv", ".pp", ".pts", ".ljson", ".landmarks.csv", "_landmarks.csv", ".csv")


@dataclass(frozen=True, eq=False)
class Reading:
    """What a folder or manifest holds, as far as it can be understood. Any of the `faults` keeps it from being an exam;
    `scans` are those without one. `exam` is None where rest is not among them."""

    source: Path
    name: str
    scans: Mapping[str, ScanFile]
    exam: Exam | None
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    sequences: Mapping[str, SequenceFile] = field(default_factory=dict)


def read_exam(path: str | Path) -> Exam:
    """An exam from its folder or manifest.

    A folder holds `exam.json`, or scan files named by expression (`rest.ply`, `p017_open_smile.obj`), itself or in
    `face/`. A subject or visit that no manifest names is told from the folders' names (`face3d.visits`). Scans are not
    opened, only checked to exist. Raises `SchemaError` that names the file and the field.
    """
    found = reading(path)
    if found.faults:
        first, *others = found.faults
        more = f" (and {len(others)} more: face3d validate {path})" if others else ""
        raise SchemaError(f"{found.source}: {first}{more}")
    assert found.exam is not None  # without a rest scan there is a fault
    return found.exam


def reading(path: str | Path) -> Reading:
    """What is at `path`, with all its faults. Raises `SchemaError` where nothing of an exam is."""
    path = Path(path)
    if path.is_dir():
        for folder in (path, path / "face"):
            if (folder / MANIFEST).is_file():
                return _from_manifest(folder / MANIFEST)
        folder = path / "face" if (path / "face").is_dir() and not _scan_files(path) else path
        if not any(expression_of(_stem(f)) for f in _scan_files(folder)):
            raise SchemaError(refusal(path, "exam"))
        return _from_names(folder)
    if not path.is_file() or path.name in _RESULTS or _is_scan(path):
        raise SchemaError(refusal(path, "exam"))
    return _from_manifest(path)


def _from_manifest(path: Path) -> Reading:
    size = path.stat().st_size
    if size > MANIFEST_LIMIT_BYTES:
        raise SchemaError(f"{path}: {size} bytes; a manifest has {MANIFEST_LIMIT_BYTES} at most. Is it a scan?")
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{path}: not JSON ({error}); give an exam's folder or its {MANIFEST}") from None
    except OSError as error:
        raise SchemaError(f"{path}: cannot be read: {error.strerror}") from None
    if not isinstance(data, dict):
        raise SchemaError(f"{path}: holds a JSON {type(data).__name__}; expected an object with 'subject' and 'scans'")
    manifest, found = parsed(data)
    faults, root = list(found), path.parent

    def inside(name: str, field: str) -> Path | None:
        where = _inside(root, name)
        if isinstance(where, Path):
            return where
        faults.append(Fault(field, where))
        return None

    scans: dict[str, ScanFile] = {}
    for expression, entry in manifest.scans.items():
        if entry is None:
            continue
        entry = ScanEntry(path=entry) if isinstance(entry, str) else entry
        marks = entry.landmarks or manifest.landmarks.get(expression)
        scan = inside(entry.path, f"scans.{expression}")
        placed = inside(marks, f"landmarks.{expression}") if marks else None
        if scan is not None:
            scans[expression] = ScanFile(scan, entry.units or manifest.units, placed)
    sequences = {}
    for expression, entry in manifest.sequences.items():
        if entry is None:
            continue
        entry = SequenceEntry(path=entry) if isinstance(entry, str) else entry
        where = inside(entry.path, f"sequences.{expression}")
        base = inside(entry.base, f"sequences.{expression}.base") if entry.base else None
        if where is not None:
            # The exam's unit is of its scans; a recorder may have another, so that it is inferred anew.
            sequences[expression] = SequenceFile(where, entry.fps, entry.units or "auto", base, entry.markers)
    unknown = sorted(set(data) - set(ExamManifest.model_fields))
    notes = [f"{path.name}: field {name!r} is not known and was left out" for name in unknown]
    stray = sorted(set(manifest.landmarks) - set(manifest.scans))
    notes += [f"{path.name}: landmarks.{name} has no scan and was left out" for name in stray]
    visit = manifest.visit or _visit_of(root, manifest.subject)
    if visit and not manifest.visit and not entity(root.resolve(), "ses"):
        notes.append(f"the visit, {visit!r}, is told by the folder's name; {path.name} names none")
    return _read(
        path,
        manifest.subject,
        visit,
        scans,
        faults,
        notes,
        date=manifest.date,
        affected_side=manifest.affected_side,
        grades=manifest.grades.grades() if manifest.grades else None,
        device=manifest.device,
        protocol=manifest.protocol,
        sequences=sequences,
        clinical=manifest.clinical,
        questionnaires=manifest.questionnaires,
    )


def _from_names(folder: Path) -> Reading:
    scans: dict[str, ScanFile] = {}
    notes, faults = [], []
    for file in _scan_files(folder):
        expression = expression_of(_stem(file))
        if expression is None:
            notes.append(f"{file.name}: the name tells no expression; left out; {did_you_mean(_stem(file))}")
        elif expression in scans:
            first = scans[expression].path.name
            text = f"{first} and {file.name} both read as {expression!r}; rename one or write an {MANIFEST}"
            faults.append(Fault("", text))
        else:
            marks = [m for s in LANDMARK_SUFFIXES if (m := folder / f"{_stem(file)}{s}").is_file()]
            scans[expression] = ScanFile(file, landmarks=marks[0] if marks else None)
    if "rest" not in scans:
        found = f"found {', '.join(scans)}"
        faults.append(Fault("", f"neither {MANIFEST} nor a scan named rest ({found}); name a file rest.ply, say"))
    subject, visit = named_by(folder)
    if visit and not entity(folder.resolve(), "ses"):
        notes.append(f"subject {subject!r} and visit {visit!r} are told by the folders' names")
    return _read(folder, subject, visit, scans, faults, notes)


def _read(
    source: Path,
    subject: str,
    visit: str | None,
    scans: Mapping[str, ScanFile],
    faults: Iterable[Fault],
    notes: Iterable[str],
    **more: Any,
) -> Reading:
    own = subject.removeprefix("sub-")
    people = {found.group(1) for scan in scans.values() if (found := re.match(r"sub-([A-Za-z0-9]+)", scan.path.name))}
    folder = entity(source.resolve().parent if source.is_file() else source.resolve(), "sub")
    faults, said = list(faults), list(notes)
    if len(people) > 1:
        faults.append(Fault("scans", f"files of several people: {', '.join(f'sub-{p}' for p in sorted(people))}"))
    other = {p for p in people if not own.startswith(p)} | ({folder} if folder and folder != own else set())
    if other:
        names = ", ".join(f"sub-{p}" for p in sorted(other))
        said.append(f"subject {subject!r}, but files or folders are named {names}; is it the same person?")
    name = f"{subject}/{visit}" if visit else subject
    exam = None
    if "rest" in scans:
        exam = Exam(subject, scans, visit, source=source, notes=tuple(said), **more)
    return Reading(source, name, scans, exam, tuple(faults), tuple(said), more.get("sequences", {}))


def _visit_of(folder: Path, subject: str) -> str | None:
    """The visit that the folder of a manifest without one is named after: "pre" in "bob/pre", any name in the
    subject's own folder."""
    place = folder.resolve()
    place = place.parent if place.name == "face" else place
    own = place.parent.name.removeprefix("sub-").casefold() == subject.removeprefix("sub-").casefold()
    return named_by(place)[1] or (place.name if own else None)


def _inside(root: Path, name: str) -> Path | str:
    """The file `name` below `root`, or why there is none. A manifest from elsewhere must not make us open what lies
    outside its folder."""
    target = root / name
    try:
        if not target.resolve().is_relative_to(root.resolve()):
            return f"{name!r} lies outside {root}; keep an exam's files in its folder"
        if target.exists():
            return target
    except (OSError, ValueError) as error:  # too long, or with a NUL
        return f"{name[:80]!r} cannot be the name of a file ({error})"
    there = [p.name for p in target.parent.iterdir()] if target.parent.is_dir() else []
    same = [n for n in there if n.casefold() == target.name.casefold()]
    near = same or difflib.get_close_matches(target.name, there, n=1, cutoff=0.8)
    return f"{name!r} does not exist in {root}" + (f"; is it {near[0]!r}?" if near else "")


def _is_scan(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(SCAN_SUFFIXES)


def _scan_files(folder: Path) -> list[Path]:
    """Hidden files are left out: macOS writes a "._rest.ply" beside each file on foreign disks."""
    with os.scandir(folder) as entries:  # it knows files from folders without asking for each
        names = [e.name for e in entries if not e.name.startswith(".") and _is_scan(Path(e.name)) and e.is_file()]
    return [folder / name for name in sorted(names)]


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(folder / e.name for e in entries if not e.name.startswith(".") and e.is_dir())


def _stem(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    return name[: name.rindex(".")]


def find_exams(study: str | Path, unread: Callable[[Path, OSError], None] | None = None) -> Iterator[Path]:
    """Folders below `study` that hold an exam, each exam once, visits in their order: those with a manifest, and those
    with a scan named rest, unless a manifest or such a scan above them speaks for them (sub-* and ses-* speak for
    themselves).

    `unread` is told of folders that cannot be looked into; without it that is an OSError. Raises `SchemaError` when
    there is no exam.
    """
    root = Path(study)
    folders = _exams_below(root, unread=unread) if root.is_dir() else []
    if not folders:
        raise SchemaError(refusal(root, "study"))
    yield from folders


def _exams_below(root: Path, depth: int = 50, unread: Callable[[Path, OSError], None] | None = None) -> list[Path]:
    """Two folders with one rest scan hold one exam: the outer one, whose manifest it is, counts."""
    found: dict[Path, Path] = {}
    for folder in _candidates(root, root.resolve(), depth, True, set(), unread):
        try:
            rest = reading(folder).scans.get("rest")
        except SchemaError:
            rest = None
        # A rest scan that is a link itself makes no other exam of this one: it may be lent from another visit.
        place = folder.resolve() if rest is None else rest.path.parent.resolve() / rest.path.name
        found.setdefault(place, folder)
    return sorted(found.values(), key=lambda folder: path_order(folder.relative_to(root)))


def _candidates(
    folder: Path,
    root: Path,
    depth: int,
    plain: bool,
    linked: set[Path],
    unread: Callable[[Path, OSError], None] | None,
) -> Iterator[Path]:
    try:
        named = (folder / MANIFEST).is_file()
        held = named or (plain and any(expression_of(_stem(f)) == "rest" for f in _scan_files(folder)))
        inner = _folders(folder) if depth else []
    except OSError as error:  # it may not be read, or has vanished since
        if unread is None:
            raise
        unread(folder, error)
        return
    if held:
        yield folder
        plain = False
    for below in inner:
        if below.is_symlink():  # followed where it leads to what would not be found without it, and once
            target = below.resolve()
            if target.is_relative_to(root) or root.is_relative_to(target) or target in linked:
                continue
            linked.add(target)
        anew = plain or below.name.startswith(("sub-", "ses-"))
        yield from _candidates(below, root, depth - 1, anew, linked, unread)


#: What a result of face3d is told by, and the table of a study.
_RESULTS, _TABLE = ("result.json", "evaluation.json"), "measures.csv"
#: What was asked for, by the name that `refusal` takes.
_WANTED: Mapping[str, str] = {
    "exam": f"one examination: a folder with {MANIFEST} or with a scan named rest",
    "scan": "one scan file",
    "table": "what `face3d batch` wrote: its folder, or its measures.csv",
    "study": f"a study: a folder of examinations, each with {MANIFEST} or a scan named rest",
}


def refusal(path: str | Path, wanted: str) -> str:
    """The line that says what is at `path` instead of what was wanted (a key of `_WANTED`), and what takes it."""
    path = Path(path)
    what, way = _contents(path)
    return f"{path}: {what}; expected {_WANTED[wanted]}{way}"


def _contents(path: Path) -> tuple[str, str]:
    result = "a result of face3d", "; look at its report.html, or give the scans that it was made from"
    if not path.exists():
        return "no such file or folder", ""
    if path.is_file():
        if path.name == MANIFEST:
            return "an examination", f"; `face3d exam {path}` measures it"
        if path.name in _RESULTS:
            return result
        return (
            ("a scan", f"; `face3d analyze {path}` measures it") if _is_scan(path) else ("a file of another kind", "")
        )
    below = _exams_below(path, depth=4)
    if path in below or path / "face" in below:
        return "an examination, of several scans", f"; `face3d exam {path}` measures it"
    if any((path / name).is_file() for name in _RESULTS):
        return result
    if below:
        some = ", ".join(str(p.relative_to(path)) for p in islice(below, 4)) + (", ..." if len(below) > 4 else "")
        many = f"{len(below)} examinations ({some})" if len(below) > 1 else f"an examination lies deeper ({some})"
        return many, f"; `face3d batch {path} --out FOLDER` measures all, or give one of them"
    if (path / _TABLE).is_file():
        return "the table of a study", "; give the folder of the examinations that it was made from"
    if scans := [p.name for p in _scan_files(path)]:
        return f"no exam in it, {len(scans)} scans whose names tell no expression ({', '.join(scans[:3])})", (
            f"; name them rest, open_smile and so on, or write an {MANIFEST}"
        )
    return "no exam in it", ""
