"""What is in a study: exams, and scans and recordings that belong to none; from a folder, a manifest, a pattern or a
store.

Only names are looked at. What cannot be looked into is an item that fails, never one that is silently missing.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from face3d.batch.item import Item
from face3d.batch.manifest import of_manifest
from face3d.batch.places import OWN
from face3d.batch.recordings import FILES, is_frames, recordings
from face3d.batch.sources import filesystem, is_remote
from face3d.errors import MissingExtraError, SchemaError
from face3d.io.depth_frames import DEPTH_SUFFIXES
from face3d.io.exam import LANDMARK_SUFFIXES, MANIFEST, SCAN_SUFFIXES, expression_of, find_exams, refusal
from face3d.report.folder import MESH
from face3d.visits import path_order

_TABLES = (".csv", ".parquet")
#: Files that an exam can be made of: its manifest, scans, landmarks, recordings with their cameras and time stamps.
_PARTS = (*SCAN_SUFFIXES, *LANDMARK_SUFFIXES, *FILES, *DEPTH_SUFFIXES, ".npy", ".json", ".txt")


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
    """Exams, scans and recordings of a study, each once.

    `study`: a folder (exams by `face3d.io.exam.find_exams`; outside of them recordings by `batch.recordings`, and
    scans), a manifest (CSV or Parquet, `batch.manifest`; paths below its own folder), a pattern ("scans/*.ply", "*" and
    "**" as in a shell), or a URL of fsspec. Raises `SchemaError` where nothing is.
    """
    if is_remote(study):
        return _in_store(study)
    path = Path(study)
    if path.suffix.lower() in _TABLES and path.is_file():
        return Found(tuple(of_manifest(path, _named)), {})
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
        exams = [place for place in find_exams(folder, note) if not _is_recorded(place)]
    except SchemaError:
        exams = []
    items = [_exam(root, place, note) for place in exams]
    own = {os.path.realpath(place) for place in exams}
    files = {_below(root, file) for file in _files(folder, note, own)}
    items += _recordings_and_scans(str(root), files)
    items.sort(key=lambda i: path_order(Path(i.name)))
    return Found(tuple(items), unread)


def _recordings_and_scans(root: str, files: set[str]) -> list[Item]:
    """What lies outside of exams; a frame of a recording, and the mesh of a point cache, is no scan by itself."""
    held = recordings(files)
    items = [_recording(root, name, parts) for name, parts in held.items()]
    left = files - {file for parts in held.values() for file in parts}
    scans = (_scan(Path(root), name, files) for name in sorted(left) if _is(name, SCAN_SUFFIXES))
    return items + [replace(scan, root=root) for scan in scans]


def _recording(root: str, name: str, parts: Iterable[str], facts: Mapping[str, str] | None = None) -> Item:
    told, below = tuple(sorted((facts or {}).items())), tuple(sorted(set(parts)))
    if name:
        return Item("recording", root, name, below, told)
    root = root if is_remote(root) else os.path.realpath(root)
    above, _, own = root.rstrip("/").rpartition("/")  # a recording has a name: its folder's
    return Item("recording", above or "/", own, tuple(f"{own}/{file}" for file in below), told)


def _named(kind: str, root: Path, name: str, facts: dict[str, str]) -> Item:
    """What a manifest's row names; what is not there is an item that vanished: it fails by itself."""
    target = root / name
    if kind == "recording":
        files = {_below(root, f) for f in _files(target, _skip)} if target.is_dir() else {name}
        beside = [_below(root, f) for f in target.parent.glob("*") if f.is_file()] if not target.is_dir() else []
        files |= set(recordings([name, *beside]).get(name, ())) | {facts[f] for f in ("base", "rest") if f in facts}
        return _recording(str(root), name, files, facts)
    if kind == "scan":
        return _scan(root, name, None, facts)
    exam = _exam(root, target.parent if target.name == MANIFEST else target)
    return replace(exam, facts=tuple(sorted(facts.items())))


def _is_recorded(folder: Path) -> bool:
    """Whether frames of a recording were taken for scans of an exam, as rest_001.ply is."""
    try:
        return not (folder / MANIFEST).exists() and is_frames(os.listdir(folder))
    except OSError:
        return False


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
        elif path.name.lower().endswith(FILES):
            items.setdefault(_below(root, path), _named("recording", root, _below(root, path), {}))
        elif _is(path.name, SCAN_SUFFIXES):
            items.setdefault(_below(root, path), _scan(root, _below(root, path)))
    if not items and not unread:
        raise SchemaError(f"{pattern}: no exam and no scan is there; quote a pattern so that the shell leaves it alone")
    return Found(tuple(sorted(items.values(), key=lambda i: path_order(Path(i.name)))), unread)


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
    frames = {name for name in recordings(files) if f"{name}/{MANIFEST}".lstrip("/") not in files}
    folders = sorted({os.path.dirname(f) for f in files if _speaks(f)} - frames, key=lambda f: (f.count("/"), f))
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
    held = {f for f in files if not any(_under(f, e) for e in exams)}
    items += _recordings_and_scans(url.rstrip("/"), held)
    if not items:
        raise SchemaError(f"{url}: no exam and no scan is there")
    return Found(tuple(sorted(items, key=lambda i: path_order(Path(i.name)))), {})


def _speaks(file: str) -> bool:
    name = os.path.basename(file)
    stem = name.removesuffix(".gz").rpartition(".")[0]
    return name == MANIFEST or (_is(name, SCAN_SUFFIXES) and expression_of(stem) == "rest")


def _under(file: str, folder: str) -> bool:
    return not folder or file.startswith(f"{folder}/")
