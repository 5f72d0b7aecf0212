"""One item of a study: a pure function of its files, the settings and the version, which leaves one folder whole.

An item is built in the folder of its run and appears in the output by one rename. A run that another one took over
from has lost that folder: what still goes on of it cannot write into the output any more.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import face3d
from face3d.batch.places import ABSENT, RECORD, Place, place_of
from face3d.batch.sources import Stamp, fetched, shown, stamps, stamps_with_digests
from face3d.errors import Face3DError, OutputError

#: What became of an item. Those of `FINAL` would come out the same again; the others are tried again by --resume.
FINAL = ("ok", "refused")
#: Longest name of a folder that is made of an item's own; file systems allow 255 bytes.
_LONGEST = 120


@dataclass(frozen=True)
class Item:
    """An exam, a scan or a recording. `name` its path below `root` (a folder or URL), "/" between; `inputs` the files
    that it is made of, below `root` too; `facts` what a manifest says of it (`manifest.FACTS`); `groups` further
    columns of the manifest: they stand in the tables and change nothing of what is measured."""

    kind: str
    root: str
    name: str
    inputs: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    groups: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> str:
        """The folder of its results: its path with "__" for "/" where that can be told back and is short, else with a
        hash behind it. It depends on the item alone, never on what else is in the study."""
        parts = self.name.split("/")
        plain = "__".join(parts)
        clear = all(re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", p) and "__" not in p for p in parts)
        if clear and len(plain) <= _LONGEST:
            return plain
        told = re.sub(r"[^A-Za-z0-9.-]+", "_", plain).strip("_.")[:_LONGEST].rstrip("_.")
        mark = hashlib.sha256(self.name.encode("utf-8", "surrogateescape")).hexdigest()[:10]
        return f"{told}-{mark}" if told else mark

    def fact(self, name: str) -> str | None:
        """What the manifest says of it under this name; None where it says nothing."""
        return dict(self.facts).get(name)


@dataclass(frozen=True)
class Task:
    """An item to be measured: `out` where results go, `work` the folder of this run, `report` with pages and
    pictures."""

    item: Item
    out: str
    work: str
    report: bool = False
    version: str = face3d.__version__


@dataclass(frozen=True)
class Outcome:
    """What became of an item: `status` one of ok, refused (the input's fault), changed, vanished, error (ours), memory,
    timeout, crashed; or stopped: the output cannot be written, and no item will be."""

    item: Item
    status: str
    reason: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0


@dataclass(frozen=True)
class Measured:
    """What measuring an item gives: `row` of numbers, and `files` name -> content beside those that it wrote itself."""

    row: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)


#: Task, the item's own path on this machine, folder to write into -> what was measured.
Measuring = Callable[[Task, Path, Path], Measured]


def key_of(item: Item, report: bool, inputs: list[Stamp], version: str = face3d.__version__) -> str:
    """What decides whether a result is still the one that would be made now: files, settings and version."""
    told = [version, item.kind, item.name, item.facts, report, [(s.name, s.digest) for s in inputs]]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def run(task: Task, measuring: Measuring) -> Outcome:
    """Measures one item and leaves its folder in the output. Never raises what is the item's own fault."""
    began, before = time.monotonic(), tempfile.tempdir
    place = place_of(task.out)
    try:
        build, scratch = _fresh(task)
        # Whatever measuring writes besides (pictures of faces) lies in the run's own folder, and goes with it.
        tempfile.tempdir = str(scratch)
        status, reason, inputs, found = _tried(task, measuring, build, scratch)
        if status != "ok":
            build, _ = _fresh(task)
        for name, text in found.files.items():
            (build / name).write_bytes(shown(text).encode())
        _publish(place, task, build, status, reason, inputs, found.row)
    except (OSError, OutputError) as error:
        status, reason = "stopped", f"{task.out}: results cannot be written: {error}"
    finally:
        tempfile.tempdir = before
        for left in (_build(task), _scratch(task)):
            shutil.rmtree(left, ignore_errors=True)
    return Outcome(task.item, status, reason, time.monotonic() - began, _peak_mb())


def lost(task: Task, status: str, reason: str) -> Outcome:
    """Records an item whose process did not come back."""
    try:
        build, _ = _fresh(task)
        _publish(place_of(task.out), task, build, status, reason, stamps(task.item.root, task.item.inputs), {})
    except OSError as error:
        return Outcome(task.item, "stopped", f"{task.out}: results cannot be written: {error}")
    finally:
        for left in (_build(task), _scratch(task)):
            shutil.rmtree(left, ignore_errors=True)
    return Outcome(task.item, status, reason)


def _tried(task: Task, measuring: Measuring, build: Path, scratch: Path) -> tuple[str, str, list[Stamp], Measured]:
    item, nothing = task.item, Measured({})
    before, where = stamps(item.root, item.inputs), "\0"
    if gone := [s.name for s in before if s.size == ABSENT]:
        return "vanished", f"{shown(gone[0])}: is no longer there", before, nothing
    try:
        if task.version != face3d.__version__:
            raise Face3DError(f"planned by face3d {task.version}, but {face3d.__version__} is installed here")
        inputs = stamps_with_digests(item.root, before)
        with fetched(item.root, item.name, item.inputs, scratch) as path:
            where = str(path)
            found = measuring(task, path, build)
        status, reason = "ok", ""
    except MemoryError as error:
        status, reason, inputs, found = "memory", f"needs more memory than it may have {error}".strip(), before, nothing
    except OutputError:
        raise
    except Face3DError as error:
        # Said by the name in the study: where a worker had the item differs from run to run.
        status, reason, found = "refused", shown(str(error).replace(where, item.name)), nothing
        inputs = _digested(item.root, before)
    except Exception as error:  # a defect of ours, or of a library: one item's, not the study's
        said = traceback.extract_tb(error.__traceback__)[-1]
        status, reason = "error", shown(f"{type(error).__name__}: {error} ({Path(said.filename).name}:{said.lineno})")
        inputs, found = before, nothing
    if (after := stamps(item.root, item.inputs, again=True)) != before:
        other = next(b for a, b in zip(before, after, strict=True) if a != b)
        gone = other.size == ABSENT
        said = "is no longer there" if gone else "changed while it was measured"
        return "vanished" if gone else "changed", f"{shown(other.name)}: {said}", after, nothing
    return status, reason, inputs, found


def _digested(root: str, inputs: list[Stamp]) -> list[Stamp]:
    try:
        return stamps_with_digests(root, inputs)
    except OSError:
        return inputs


def _build(task: Task) -> Path:
    return Path(task.work) / task.item.folder


def _scratch(task: Task) -> Path:
    return Path(task.work) / f".{task.item.folder}"


def _fresh(task: Task) -> tuple[Path, Path]:
    """Empty folders to build in and for what is temporary; never their parent, which is gone when the run is over."""
    for made in (_build(task), _scratch(task)):
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
    return _build(task), _scratch(task)


def _publish(
    place: Place, task: Task, build: Path, status: str, reason: str, inputs: list[Stamp], row: Mapping[str, Any]
) -> None:
    record = {
        "item": shown(task.item.name),
        "kind": task.item.kind,
        "key": key_of(task.item, task.report, inputs, task.version) if all(s.digest for s in inputs) else "",
        "face3d_version": task.version,
        "status": status,
        "reason": reason,
        "row": {name: shown(value) if isinstance(value, str) else value for name, value in row.items()},
        "inputs": [asdict(s) for s in inputs],
    }
    written(build / RECORD, record)
    place.publish(build, task.item.folder)


def written(file: Path, record: Mapping[str, Any]) -> Path:
    """A record in a file; names that are no UTF-8 come back from its ASCII as they were."""
    file.write_text(json.dumps(record, indent=1) + "\n", encoding="ascii")
    return file


def _peak_mb() -> float:
    try:
        import resource
    except ImportError:  # not on Windows
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
