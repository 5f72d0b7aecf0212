"""The folder in which the app keeps everything: files and rows change together, or not at all.

    app.db                      subjects, exams, jobs (store.py)
    exams/<number>/             an exam's files as they came; exam-<revision>.json the manifests, the last one counts
    results/<number>__exam-<revision>.json/     what `face3d exam --out` writes, and item.json
    incoming/                   what is being received; empty when nothing is

A file of an exam is never changed: what is corrected is a new manifest, and a new file beside the old ones.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face3d.app.store import ExamRow, Job, StaleError, Store, SubjectRow
from face3d.batch.item import FINAL, Item, Task
from face3d.batch.places import OWN, RECORD, Folder, synced
from face3d.errors import OutputError
from face3d.io.manifest import parsed
from face3d.report.folder import FACES, RESULT

DATABASE, EXAMS, RESULTS, INCOMING = "app.db", "exams", "results", "incoming"
#: Tables of everything, made when they are asked for; what is deleted must not live on in them.
_TABLES = ("*.csv", "*.parquet")
#: How what is kept is called in `incoming` until it lies in its own place.
_KEPT = "kept-"
#: Folders of results: of an exam, and of two that were compared.
_RESULT = re.compile(r"(\d+)__exam-\d+\.json|(\d+)-\d+__(\d+)-\d+")


#: Names of manifests, which nothing else in an exam's folder may bear.
MANIFESTS = re.compile(r"exam-\d+\.json", re.IGNORECASE)


def manifest_of(revision: int) -> str:
    """Name of the manifest of a revision."""
    return f"exam-{revision}.json"


@dataclass(frozen=True)
class Arrival:
    """A folder within `incoming` whose exam was looked at and found good: it holds exam-1.json."""

    folder: Path
    subject: str
    visit: str
    date: str | None = None


class Vault:
    """The folder `path`, made when it is not there, readable for its owner alone.

    Raises `OutputError` where it cannot be made or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (self.path / DATABASE).exists() and any(p.name != RESULTS for p in self.path.iterdir()):
                raise OutputError(f"{path}: holds other files; give a new folder, or one that face3d serve made")
            os.chmod(self.path, 0o700)
            for name in (EXAMS, RESULTS, INCOMING):
                (self.path / name).mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{path}: cannot be made: {error.strerror}; give another folder") from None
        self.results = Folder(str(self.path / RESULTS))
        self.store = Store(self.path / DATABASE)
        self._lock = threading.Lock()

    # ------------------------------------------------------------ exams

    def receiving(self) -> Path:
        """A new empty folder for what comes in; on the same disk as its later place."""
        return Path(tempfile.mkdtemp(dir=self.path / INCOMING))

    def add(self, arrival: Arrival) -> int:
        """The exam that arrived is kept and waits to be measured; its number. Raises `TakenError`."""
        for file in (*_files(arrival.folder), arrival.folder):
            synced(file)
        with self._lock, self.store.alone():  # nobody begins the job before its files lie where they belong
            with self.store.changing() as db:
                number = self.store.add_exam(db, arrival.subject, arrival.visit, arrival.date)
                kept = self.path / INCOMING / f"{_KEPT}{number}"
                _gone(kept, self.path / INCOMING)  # of a try whose rows could not be written
                os.rename(arrival.folder, kept)
                synced(kept.parent)
            self._placed(number)
        return number

    def _placed(self, number: int) -> None:
        os.rename(self.path / INCOMING / f"{_KEPT}{number}", self.path / EXAMS / str(number))
        synced(self.path / EXAMS)

    def manifest(self, exam: ExamRow) -> dict[str, Any]:
        """What the exam's manifest says now."""
        return json.loads((self.folder(exam) / manifest_of(exam.revision)).read_text(encoding="utf-8"))

    def revise(self, exam: ExamRow, manifest: Mapping[str, Any], files: Mapping[str, Path] | None = None) -> None:
        """A new manifest, and new `files` (name -> where each lies now), after which the exam is measured again.

        Raises `StaleError` where the exam is not the one any more that was looked at.
        """
        folder, revision, date = self.folder(exam), exam.revision + 1, parsed(dict(manifest))[0].date
        with self._lock:
            now = self.store.exam(exam.id)
            if now is None or now.revision != exam.revision:
                raise StaleError
            for name, file in (files or {}).items():
                synced(file)
                os.replace(file, folder / name)
            written = folder / f".{secrets.token_hex(8)}"
            written.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
            synced(written)
            os.replace(written, folder / manifest_of(revision))
            synced(folder)
            with self.store.changing() as db:
                db.execute(
                    "UPDATE exams SET revision = ?, date = ? WHERE id = ?", (revision, date and str(date), exam.id)
                )
                db.execute("DELETE FROM jobs WHERE exam = ? AND other = 0 AND state = 'queued'", (exam.id,))
                self.store.add_job(db, exam.id, revision)

    def compare(self, before: ExamRow, after: ExamRow) -> int:
        """The job that compares what is measured of two visits; the same one when asked again. Raises `StaleError`
        where one of them has no result."""
        if (
            before.shown is None
            or after.shown is None
            or before.subject_id != after.subject_id
            or before.id == after.id
        ):
            raise StaleError
        with self.store.changing() as db:
            return self.store.add_job(db, before.id, before.shown, after.id, after.shown)

    # ------------------------------------------------------------ jobs

    def task(self, job: Job, work: Path) -> Task:
        """A job as a task of a batch, to be done in the folder `work`."""
        return Task(self.item(job), str(self.results.path), str(work), report=True)

    def item(self, job: Job) -> Item:
        """A job as an item of a batch; its files are below the vault."""
        exam = self.store.exam(job.exam)
        facts = (("subject", exam.subject), ("visit", exam.visit)) if exam else ()
        if job.other:
            folders = [f"{RESULTS}/{_measured(e, r)}" for e, r in _pair(job)]
            inputs = [f"{f}/{name}" for f in folders for name in (RESULT, FACES)]
            return Item(
                "comparison",
                str(self.path),
                f"{job.exam}-{job.revision}/{job.other}-{job.other_revision}",
                tuple(i for i in inputs if (self.path / i).exists()),
                (*facts, ("before", folders[0]), ("after", folders[1])),
            )
        root, own = self.path / EXAMS, manifest_of(job.revision)
        files = (f for f in _files(root / str(job.exam)) if not MANIFESTS.fullmatch(f.name) or f.name == own)
        inputs = tuple(f.relative_to(root).as_posix() for f in files)
        return Item("exam", str(root), f"{job.exam}/{own}", inputs, facts)

    def result(self, job: Job) -> Path:
        """The folder of a job's result, there or not."""
        return self.results.path / _folder_of(job)

    def plain(self, text: str) -> str:
        """What is said of an exam's file, without where it lies here and without what to type."""
        return re.sub(rf"{re.escape(str(self.path))}/(exams/\d+/)?", "", text).removesuffix(
            "; give more with --timeout"
        )

    def record(self, job: Job) -> dict[str, Any] | None:
        """What its run left, None where none came to its end."""
        data = self.results.read_many([f"{_folder_of(job)}/{RECORD}"])
        try:
            found = json.loads(next(iter(data.values())))
        except (StopIteration, ValueError):
            return None
        return found if isinstance(found, dict) and "status" in found else None

    def tidy(self) -> None:
        """Removes what newer results took the place of, and comparisons of what is no more."""
        keep = {OWN}
        with self._lock, self.store.changing() as db:
            shown = {e.id: e.shown for s in self.store.subjects() for e in s.exams}
            for job in self.store.jobs():
                old = any(r < (shown.get(e) or 0) for e, r in _pair(job))
                if job.open or not old:
                    keep.add(_folder_of(job))
                else:
                    db.execute("DELETE FROM jobs WHERE id = ?", (job.id,))
        for place in self.results.path.iterdir():
            if place.is_dir() and place.name not in keep and place.suffix != ".parquet":
                _gone(place, self.path / INCOMING)

    # ------------------------------------------------------------ end

    def forget(self, subject: SubjectRow, stop: Callable[[Iterable[int]], None]) -> None:
        """Deletes a person for good: rows and files. `stop` ends work on these exams first, and waits for its end.

        From the first step on the person is nowhere to be seen; what a kill leaves undone, `recover` does.
        """
        exams = self.store.doom(subject.id)
        stop(exams)
        self._erase(subject.id, exams)

    def _erase(self, subject: int, exams: Iterable[int]) -> None:
        numbers = {str(e) for e in exams}
        for place in list(self.results.path.iterdir()):
            of = _RESULT.fullmatch(place.name)
            if of and numbers & set(of.groups()):
                _gone(place, self.path / INCOMING)
        for pattern in _TABLES:
            for table in self.results.path.glob(pattern):
                _gone(table, self.path / INCOMING)
        for number in numbers:
            _gone(self.path / EXAMS / number, self.path / INCOMING)
        self.store.erase(subject)

    def recover(self) -> None:
        """After a start: what an end at any moment left half done is done, or undone. Nobody may be at work yet.

        Raises `OutputError` where there are exams of which the database knows nothing.
        """
        for subject in self.store.doomed():
            self._erase(subject, self.store.doom(subject))
        known = {str(e.id) for s in self.store.subjects() for e in s.exams}
        for left in list((self.path / INCOMING).iterdir()):
            number = left.name.removeprefix(_KEPT)
            if left.name.startswith(_KEPT) and number in known and not (self.path / EXAMS / number).exists():
                self._placed(int(number))
            else:
                _gone(left, self.path / INCOMING)
        unknown = sorted({place.name for place in (self.path / EXAMS).iterdir()} - known)
        if unknown:  # never deleted: they may be all that there is of somebody
            raise OutputError(
                f"{self.path}: {EXAMS}/ holds {', '.join(unknown[:5])}, of which {DATABASE} knows nothing; was it "
                "restored from an older copy? Move these away, then start again"
            )
        for job in self.store.jobs("state IN ('queued', 'running')"):
            record = self.record(job)
            if record is not None and record["status"] in FINAL:  # measured, but not yet noted
                self.store.settle(job, record["status"], self.plain(record["reason"]))
            elif job.state == "running":
                self.store.give_back(job)
        self.tidy()

    def folder(self, exam: ExamRow) -> Path:
        """Where an exam's files lie."""
        return self.path / EXAMS / str(exam.id)


def _measured(exam: int, revision: int) -> str:
    return f"{exam}__{manifest_of(revision)}"


def _pair(job: Job) -> list[tuple[int, int]]:
    pair = [(job.exam, job.revision)]
    return [*pair, (job.other, job.other_revision)] if job.other else pair


def _folder_of(job: Job) -> str:
    """As `Item.folder` has it."""
    if job.other:
        return "__".join(f"{e}-{r}" for e, r in _pair(job))
    return _measured(job.exam, job.revision)


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))


def _gone(place: Path, incoming: Path) -> None:
    """A file or folder is there no more: it loses its name at once, and then its content."""
    if not place.exists():
        return
    away = place
    if place.parent != incoming:
        away = incoming / f"gone-{secrets.token_hex(8)}"
        os.rename(place, away)
        synced(place.parent)
    if away.is_dir():
        shutil.rmtree(away)
    else:
        away.unlink()
