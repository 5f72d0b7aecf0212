"""What came in is looked at before it is kept, in a process of its own: nothing of it is opened in the server's."""

from __future__ import annotations

import datetime
import json
import queue
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from face3d.app.unpack import Room, copy, unpack
from face3d.app.vault import Arrival, manifest_of
from face3d.batch.lane import Lane, Limits, died
from face3d.errors import Face3DError, SchemaError

#: Seconds and GB that looking at an exam may take; ten scans of 200,000 vertices as text took 20 s on a busy core.
LIMITS = Limits(seconds=180.0, memory_gb=8.0)
#: How often looking is begun anew when its process dies.
_TRIES = 4
_UNPACKED = "files"
_Given = TypeVar("_Given")


@dataclass(frozen=True)
class Parcel:
    """What came in, in the folder `at`: its files in "files" there, or still to come out of a zip file or out of a
    folder of this machine. `facts` what the form said, by the manifest's names; they win over what the files say."""

    at: str
    archive: str | None = None
    source: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    room: Room = field(default_factory=Room)


@dataclass(frozen=True)
class Looked:
    """What was found: `faults`, each the field at fault ("" the whole) and what is wrong; without any the exam is
    fit to be kept."""

    faults: tuple[tuple[str, str], ...]
    folder: str = ""
    subject: str = ""
    visit: str = ""
    date: datetime.date | None = None

    @property
    def arrival(self) -> Arrival:
        """The exam, as the vault takes it."""
        return Arrival(Path(self.folder), self.subject, self.visit, self.date and str(self.date))


class Checker:
    """Processes that look at what came in, `count` at a time; others wait."""

    def __init__(self, count: int = 2, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._lanes = [Lane(limits, warm) for _ in range(count)]
        self._free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        for lane in self._lanes:
            self._free.put(lane)

    def look(self, parcel: Parcel) -> Looked:
        """Waits for what is found. Raises OSError where the disk is at fault."""
        return self._done(parcel, look)

    def landmarks(self, manifest: str, expression: str) -> Looked:
        """Whether an expression's scan and the landmarks that a manifest names for it go together."""
        return self._done((manifest, expression), look_at_landmarks)

    def stop(self) -> None:
        """Ends all."""
        for lane in self._lanes:
            lane.stop()

    def _done(self, given: _Given, work: Callable[[_Given], Looked]) -> Looked:
        lane = self._free.get()
        try:
            for _ in range(_TRIES):
                future = lane.start(given, work)
                try:
                    return future.result(self._limits.seconds)
                except TimeoutError:
                    lane.renew()
                    return _refused(f"looking at it took longer than {self._limits.seconds:g} s")
                except MemoryError:
                    return _refused(f"looking at it takes more than {self._limits.memory_gb:g} GB of memory")
                except Exception as error:  # that a process died is told by an OSError too
                    if died(future):
                        lane.renew()  # somebody ended it, or what is in there did: then it does so again
                    elif isinstance(error, OSError):
                        raise
                    else:  # what no reader expected
                        return _refused(f"it cannot be read ({type(error).__name__})")
            return _refused("it cannot be read: what looks at it is ended each time")
        finally:
            self._free.put(lane)


def _refused(text: str) -> Looked:
    return Looked((("", text),))


def warm(_: None) -> None:
    """Loads what looking needs before the first exam comes."""
    import face3d.io.exam
    import face3d.io.validate  # noqa: F401


def look(parcel: Parcel) -> Looked:
    """Unpacks, reads and checks; writes exam-1.json beside the exam's files."""
    from face3d.io.exam import find_exams, reading

    root = Path(parcel.at) / _UNPACKED
    try:
        if parcel.archive is not None or parcel.source is not None:
            shutil.rmtree(root, ignore_errors=True)  # of a try that was ended
        root.mkdir(exist_ok=True)
        if parcel.archive is not None:
            unpack(Path(parcel.archive), root, parcel.room)
        if parcel.source is not None:
            # Folders' names tell subject and visit where no manifest does: sub-01/ses-pre/face, bob/pre.
            source = Path(parcel.source).resolve()
            copy(source, root.joinpath(*source.parts[1:][-3:]), parcel.room)
        if parcel.facts.get("scans"):
            return _checked(root, dict(parcel.facts), root)
        exams = list(find_exams(root))
        if len(exams) > 1:
            some = ", ".join(e.relative_to(root).as_posix() for e in exams[:4])
            raise SchemaError(f"holds {len(exams)} examinations ({some}); add each by itself")
        found = reading(exams[0])
    except SchemaError as error:
        return _refused(_plain(str(error), root))
    except Face3DError as error:
        return _refused(_plain(str(error), Path(parcel.at)))
    folder = found.source if found.source.is_dir() else found.source.parent
    if found.source.is_file():
        stated = json.loads(found.source.read_text(encoding="utf-8-sig"))
    else:
        told = "" if folder == root else found.name
        subject, _, visit = told.partition("/")
        stated = {"subject": subject, "visit": visit or None, "scans": {}}
        for expression, scan in found.scans.items():
            entry: dict[str, Any] = {"path": scan.path.relative_to(folder).as_posix()}
            if scan.landmarks is not None:
                entry["landmarks"] = scan.landmarks.relative_to(folder).as_posix()
            stated["scans"][expression] = entry
        faults = tuple((f.field, _plain(f.text, root)) for f in found.faults)
        if faults:
            return Looked(faults)
    return _checked(folder, stated | {k: v for k, v in parcel.facts.items() if v not in ("", None)}, root)


def _checked(folder: Path, stated: dict[str, Any], root: Path) -> Looked:
    """Everything that `face3d validate` looks at, of a manifest in the folder of its files."""
    from face3d.io.exam import reading
    from face3d.io.validate import validate

    if not stated.get("subject"):
        return Looked((("subject", "missing; give a pseudonym, never a name"),))
    file = folder / manifest_of(1)
    file.write_text(json.dumps(stated, indent=1), encoding="utf-8")
    found = reading(file)
    if found.faults or found.exam is None:
        return Looked(tuple((f.field, _plain(f.text, root)) for f in found.faults))
    (verdict,) = validate(file)
    if verdict.faults:
        named = ((f"scans.{f.expression}" if f.expression else "", _plain(f.text, root)) for f in verdict.faults)
        return Looked(tuple(named))
    exam = found.exam
    file.write_text(json.dumps(_as_known(stated | {"visit": exam.visit}), indent=1), encoding="utf-8")
    return Looked((), str(folder), exam.subject, exam.visit or "", exam.date)


def _as_known(stated: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest without faults, in one spelling; a laboratory's own fields stay."""
    from face3d.io.manifest import ExamManifest, parsed

    said = parsed(dict(stated))[0].model_dump(mode="json")
    said["scans"] = {e: entry for e, entry in said["scans"].items() if entry is not None}
    own = {k: v for k, v in stated.items() if k not in ExamManifest.model_fields}
    return own | {k: v for k, v in said.items() if v is not None}


def look_at_landmarks(given: tuple[str, str]) -> Looked:
    """Reads one scan with its landmarks."""
    from face3d.io.exam import read_exam

    manifest, expression = given
    try:
        read_exam(manifest).scan(expression)
    except Face3DError as error:
        return Looked(((f"landmarks.{expression}", _plain(str(error), Path(manifest).parent)),))
    return Looked(())


def _plain(text: str, root: Path) -> str:
    """What is said of a file, without where it lies here, and without what to type."""
    text = re.sub(r"; `face3d [^`]*` measures (it|all)[^;]*", "", text)
    return text.replace(f"{root}/", "").replace(str(root), "what was given")
