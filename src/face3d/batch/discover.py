"""What is in a study: exams, and scans that belong to none, from a folder, a manifest, a pattern or a store.

Only names are looked at. What cannot be looked into is an item that fails, never one that is silently missing.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from face3d.batch.item import Item
from face3d.batch.places import OWN
from face3d.batch.sources import filesystem, is_remote, shown
from face3d.errors import MissingExtraError, SchemaError
from face3d.io.exam import LANDMARK_SUFFIXES, MANIFEST, SCAN_SUFFIXES, expression_of, find_exams, refusal
from face3d.report.folder import MESH
from face3d.visits import path_order

#: Columns of a manifest; only `path` must be there.
FACTS = ("subject", "visit", "units", "landmarks")
_TABLES = (".csv", ".parquet")
#: Files that an exam can be made of: its manifest, scans, landmarks.
_PARTS = (*SCAN_SUFFIXES, *LANDMARK_SUFFIXES)


#: Told of a folder that cannot be looked into, and why.
Note = Callable[[Path, OSError], None]


def _skip(place: Path, error: OSError) -> None:
    """Vanished while it was looked at: what is left of it fails by itself."""


@dataclass(frozen=True)
class Found:
    """The `items` of a study in their order, which tables keep; `unread` folder -> why it could not be looked into."""

    items: tuple[Item, ...]
    unread: Mapping[str, str]


def discover(study: str) -> Found:
    """Exams and scans of a study, each once.

    `study`: a folder (exams by `face3d.io.exam.find_exams`; scans outside of exams by themselves), a manifest (CSV or
    Parquet with the column path, and subject, visit, units, landmarks as wanted; paths below its own folder), a pattern
    ("scans/*.ply", "*" and "**" as in a shell), or a URL of fsspec. Raises `SchemaError` where nothing is.
    """
    if is_remote(study):
        return _in_store(study)
    path = Path(study)
    if path.suffix in _TABLES and path.is_file():
        return Found(tuple(_of_manifest(path)), {})
    if not path.exists() and glob.has_magic(study):
        return _of_pattern(study)
    if not path.is_dir():
        raise SchemaError(refusal(path, "study"))
    found = _in_folder(path, path)
    if not found.items and not found.unread:
        raise SchemaError(refusal(path, "study"))
    return found


def _in_folder(root: Path, folder: Path) -> Found:
    """Exams and scans of `folder`, named below `root`."""
    unread: dict[str, str] = {}

    def note(place: Path, error: OSError) -> None:
        unread[_below(root, place)] = error.strerror or str(error)

    try:
        exams = list(find_exams(folder, note))
    except SchemaError:
        exams = []
    items = [_exam(root, place, note) for place in exams]
    own = {os.path.realpath(place) for place in exams}
    files = {_below(root, file) for file in _files(folder, note, own)}
    items += [_scan(root, name, files) for name in sorted(files) if _is(name, SCAN_SUFFIXES)]
    items.sort(key=lambda i: path_order(Path(i.name)))
    return Found(tuple(items), unread)


def _exam(root: Path, folder: Path, note: Note = _skip) -> Item:
    if folder == root:  # an exam has a name: its folder's
        folder = folder.resolve()
        root = folder.parent
    inputs = [_below(root, f) for f in _files(folder, note) if f.name == MANIFEST or _is(f.name, _PARTS)]
    return Item("exam", str(root), _below(root, folder), tuple(sorted(inputs)))


def _scan(root: Path, name: str, files: Collection[str] | None = None, facts: Mapping[str, str] | None = None) -> Item:
    """A scan, with the landmarks beside it; `files` those that there are, where they are known."""
    told = dict(facts or {})
    if "landmarks" not in told:
        stem = name.removesuffix(".gz").rpartition(".")[0]
        marks = [f"{stem}{suffix}" for suffix in LANDMARK_SUFFIXES]
        there = (m for m in marks if (m in files if files is not None else (root / m).is_file()))
        if (mark := next(there, None)) is not None:
            told["landmarks"] = mark
    inputs = (name, told["landmarks"]) if "landmarks" in told else (name,)
    return Item("scan", str(root), name, inputs, tuple(sorted(told.items())))


def _files(folder: Path, note: Note, but: Iterable[str] = ()) -> Iterator[Path]:
    """Files in and below a folder, each folder once, links followed; without hidden ones, what face3d wrote, and what
    lies below `but`."""
    seen, todo = set(but), [folder]
    while todo:
        here = todo.pop()
        real = os.path.realpath(here)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(here), key=lambda e: e.name)
            if any(e.name == OWN for e in entries):
                continue  # results of a batch lie inside the study
            kinds = [(e, e.is_dir()) for e in entries if not e.name.startswith(".")]
        except OSError as error:
            note(here, error)
            continue
        yield from (here / e.name for e, is_dir in kinds if not is_dir and e.name != MESH)
        todo += [here / e.name for e, is_dir in reversed(kinds) if is_dir]


def _is(name: str, suffixes: tuple[str, ...]) -> bool:
    return name.lower().removesuffix(".gz").endswith(suffixes)


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _of_pattern(pattern: str) -> Found:
    """What a pattern finds; folders are looked into. Named below the part before the first wildcard."""
    fixed = pattern[: next(i for i, letter in enumerate(pattern) if letter in "*?[")]
    root = Path(fixed if fixed.endswith("/") else os.path.dirname(fixed) or ".")
    items: dict[str, Item] = {}
    unread: dict[str, str] = {}
    for name in sorted(glob.glob(pattern, recursive=True)):
        path = Path(name)
        if path.is_dir():
            found = _in_folder(root, path)
            unread |= found.unread
            items |= {i.name: i for i in found.items}
        elif path.name == MANIFEST:
            items.setdefault(_below(root, path.parent), _exam(root, path.parent))
        elif _is(path.name, SCAN_SUFFIXES):
            items.setdefault(_below(root, path), _scan(root, _below(root, path)))
    if not items and not unread:
        raise SchemaError(f"{pattern}: no exam and no scan is there; quote a pattern so that the shell leaves it alone")
    return Found(tuple(sorted(items.values(), key=lambda i: path_order(Path(i.name)))), unread)


def _of_manifest(path: Path) -> Iterator[Item]:
    """The rows of a manifest, in their order."""
    root = path.parent
    seen: dict[str, int] = {}
    for number, row in enumerate(_rows(path), start=2):
        at = f"{path}: row {number}"
        name = row.get("path", "").strip()
        if not name:
            raise SchemaError(f"{at} has no path; each names a scan or the folder of an exam")
        told = {f: row[f].strip() for f in FACTS if row.get(f, "").strip()}
        names = [name, *([told["landmarks"]] if "landmarks" in told else [])]
        for each in names:
            _inside(root, each, at)
        name = Path(os.path.normpath(name)).as_posix()
        if name in seen:
            raise SchemaError(f"{at}: {name} stands in row {seen[name]} already; name each item once")
        seen[name] = number
        target = root / name
        if target.name == MANIFEST:
            target = target.parent
        if target.is_dir():
            exam = _exam(root, target)
            yield Item("exam", exam.root, exam.name, exam.inputs, tuple(sorted(told.items())))
        else:  # what is not there is an item that vanished: it fails by itself
            yield _scan(root, name, None, told)


def _inside(root: Path, name: str, at: str) -> None:
    """Raises `SchemaError` for a name that leads out of the manifest's folder."""
    try:
        inside = "\0" not in name and (root / name).resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        inside = False
    if os.path.isabs(name) or not inside:
        raise SchemaError(
            f"{at}: {shown(name)[:120]!r} leads out of {root}; a manifest names what lies below its folder"
        )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    import csv

    try:
        if path.suffix == ".parquet":
            from face3d.extras import require

            table = require("pyarrow.parquet").read_table(path).to_pylist()
            rows = [{k: "" if v is None else str(v) for k, v in row.items()} for row in table]
        else:
            with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
                rows = [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(text)]
    except (OSError, ValueError, csv.Error) as error:
        raise SchemaError(f"{path}: not a manifest ({error}); expected a table with the column path") from None
    if not rows or "path" not in rows[0]:
        there = ", ".join(rows[0]) if rows else "no row"
        raise SchemaError(f"{path}: no column path ({there}); for a table of measures use `face3d study`")
    yield from rows


def _in_store(url: str) -> Found:
    """Exams and scans of a store, told by names alone: a folder with exam.json or a scan named rest is an exam, with
    everything below it."""
    try:
        fs, base = filesystem(url)
        fs.invalidate_cache()
        names = [p[len(base.rstrip("/")) + 1 :] for p in fs.find(base)]
    except MissingExtraError:
        raise
    except Exception as error:  # each client of a store has errors of its own: no credentials, no such host
        raise SchemaError(f"{url}: cannot be looked into: {error}") from None
    files = sorted(n for n in names if n and not any(part.startswith(".") for part in n.split("/")))
    folders = sorted({os.path.dirname(f) for f in files if _speaks(f)}, key=lambda f: (f.count("/"), f))
    exams: list[str] = []
    for folder in folders:
        above = [e for e in exams if e == "" or folder.startswith(f"{e}/")]
        manifest = f"{folder}/{MANIFEST}".lstrip("/") in files
        further = any(p.startswith(("sub-", "ses-")) for p in folder[len(max(above, default="")) :].split("/") if p)
        if not above or manifest or further:
            exams.append(folder)
    items = []
    for folder in exams:
        inputs = tuple(
            f for f in files if _under(f, folder) and (f.endswith(f"/{MANIFEST}") or f == MANIFEST or _is(f, _PARTS))
        )
        if folder:
            items.append(Item("exam", url.rstrip("/"), folder, inputs))
        else:  # an exam has a name: its folder's
            root, _, name = url.rstrip("/").rpartition("/")
            items.append(Item("exam", root, name, tuple(f"{name}/{f}" for f in inputs)))
    held = [f for f in files if _is(f, SCAN_SUFFIXES) and not any(_under(f, e) for e in exams)]
    items += [replace(_scan(Path(), f, set(files)), root=url.rstrip("/")) for f in held]
    if not items:
        raise SchemaError(f"{url}: no exam and no scan is there")
    return Found(tuple(sorted(items, key=lambda i: path_order(Path(i.name)))), {})


def _speaks(file: str) -> bool:
    name = os.path.basename(file)
    stem = name.removesuffix(".gz").rpartition(".")[0]
    return name == MANIFEST or (_is(name, SCAN_SUFFIXES) and expression_of(stem) == "rest")


def _under(file: str, folder: str) -> bool:
    return not folder or file.startswith(f"{folder}/")
