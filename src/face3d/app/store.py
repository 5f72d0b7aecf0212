"""What the app knows, in one SQLite file: subjects, their exams, and the jobs that measure and compare them.

Every change is one transaction: after a kill at any moment either all of it is there or nothing.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from face3d.errors import OutputError
from face3d.visits import visit_order

#: States of a job that somebody still has to do something for.
OPEN = ("queued", "running")

_VERSION = 1
# Numbers are never given twice (AUTOINCREMENT): the address of a deleted exam must not lead to another person's.
_SCHEMA = """
CREATE TABLE subjects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, doomed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE exams (
    id INTEGER PRIMARY KEY AUTOINCREMENT, subject INTEGER NOT NULL REFERENCES subjects, visit TEXT NOT NULL,
    date TEXT, revision INTEGER NOT NULL DEFAULT 1, added REAL NOT NULL, UNIQUE (subject, visit));
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, exam INTEGER NOT NULL REFERENCES exams, revision INTEGER NOT NULL,
    other INTEGER NOT NULL DEFAULT 0, other_revision INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'queued',
    owner TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
    queued REAL NOT NULL, ended REAL, UNIQUE (exam, revision, other, other_revision));
CREATE INDEX jobs_state ON jobs (state);
"""


class TakenError(Exception):
    """There is such an exam already: its number."""

    def __init__(self, exam: int) -> None:
        super().__init__(f"exam {exam} is there already")
        self.exam = exam


class StaleError(Exception):
    """What was to be changed has been changed, or removed, since it was looked at."""


@dataclass(frozen=True)
class Job:
    """One thing to do: an exam to be measured, or, where there is an `other`, to be compared with that later visit.

    `revision` is that of the exam's manifest. `state` queued or running, else what became of it: ok, or a status of
    `face3d.batch.item.Outcome` with its `reason`.
    """

    id: int
    exam: int
    revision: int
    other: int
    other_revision: int
    state: str
    owner: str
    tries: int
    reason: str
    queued: float
    ended: float | None

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return self.state in OPEN


@dataclass(frozen=True)
class ExamRow:
    """An exam: its `job` is the one of the manifest's present `revision`; `shown` the revision whose report is there,
    None before the first."""

    id: int
    subject_id: int
    subject: str
    visit: str
    date: str | None
    revision: int
    shown: int | None
    job: Job

    @property
    def name(self) -> str:
        """Subject and visit."""
        return f"{self.subject}/{self.visit}" if self.visit else self.subject


@dataclass(frozen=True)
class SubjectRow:
    """A person, with exams in the order of their dates, or of their visits' labels where one has no date."""

    id: int
    name: str
    exams: tuple[ExamRow, ...]


_JOB = "id, exam, revision, other, other_revision, state, owner, tries, reason, queued, ended"
_EXAMS = f"""
SELECT e.id, e.subject, s.name, e.visit, e.date, e.revision,
    (SELECT max(revision) FROM jobs WHERE exam = e.id AND other = 0 AND state = 'ok'),
    {", ".join(f"j.{c.strip()}" for c in _JOB.split(","))}
FROM exams e JOIN subjects s ON s.id = e.subject
JOIN jobs j ON j.exam = e.id AND j.revision = e.revision AND j.other = 0 WHERE s.doomed = 0
"""


class Store:
    """The SQLite file at `path`, made when it is not there. Of one process; its threads take turns."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # what was confirmed outlives a power cut
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA secure_delete = ON")  # deleted rows are overwritten, not only unlinked
            with self.changing() as db:
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version not in (0, _VERSION):
                    raise OutputError(f"{path}: written by another version of face3d (its form is {version})")
                if version == 0:
                    for statement in _SCHEMA.split(";\n"):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {_VERSION}")
        except sqlite3.DatabaseError as error:
            raise OutputError(f"{path}: cannot be used ({error}); give another folder, or a copy of it") from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within it no other thread sees or changes anything."""
        with self._lock:
            yield

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Within it changes are one transaction, undone where an exception leaves it."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Nothing is asked of it any more."""
        with self._lock:
            self._db.close()

    def subjects(self) -> list[SubjectRow]:
        """All people, in the order of their names."""
        people: dict[tuple[int, str], list[ExamRow]] = {}
        for exam in self._exams(""):
            people.setdefault((exam.subject_id, exam.subject), []).append(exam)
        rows = [SubjectRow(number, name, _in_order(exams)) for (number, name), exams in people.items()]
        return sorted(rows, key=lambda s: visit_order(s.name))

    def subject(self, number: int) -> SubjectRow | None:
        """One person; None where there is none, or not any more."""
        exams = self._exams("AND s.id = ?", number)
        return SubjectRow(number, exams[0].subject, _in_order(exams)) if exams else None

    def exam(self, number: int) -> ExamRow | None:
        """One exam; None where there is none, or not any more."""
        return next(iter(self._exams("AND e.id = ?", number)), None)

    def _exams(self, where: str, *values: object) -> list[ExamRow]:
        with self._lock:
            rows = self._db.execute(_EXAMS + where, values).fetchall()
        return [ExamRow(*row[:7], job=Job(*row[7:])) for row in rows]

    def jobs(self, where: str = "1", *values: object) -> list[Job]:
        """Jobs of people who are not being deleted, in the order in which they were asked for."""
        living = "exam IN (SELECT e.id FROM exams e JOIN subjects s ON s.id = e.subject WHERE s.doomed = 0)"
        with self._lock:
            rows = self._db.execute(f"SELECT {_JOB} FROM jobs WHERE {living} AND ({where}) ORDER BY id", values)
            return [Job(*row) for row in rows]

    def add_exam(self, db: sqlite3.Connection, subject: str, visit: str, date: str | None) -> int:
        """A new exam, and the job of measuring it; its number. Within `changing`. Raises `TakenError`."""
        db.execute("INSERT OR IGNORE INTO subjects (name) VALUES (?)", (subject,))
        who, doomed = db.execute("SELECT id, doomed FROM subjects WHERE name = ?", (subject,)).fetchone()
        there = db.execute("SELECT id FROM exams WHERE subject = ? AND visit = ?", (who, visit)).fetchone()
        if there or doomed:
            raise TakenError(there[0] if there else 0)
        made = db.execute(
            "INSERT INTO exams (subject, visit, date, added) VALUES (?, ?, ?, ?)", (who, visit, date, time.time())
        ).lastrowid
        assert made is not None
        self.add_job(db, made, 1)
        return made

    def add_job(self, db: sqlite3.Connection, exam: int, revision: int, other: int = 0, other_revision: int = 0) -> int:
        """A job, new or the one that there is already; its number. Within `changing`."""
        values = (exam, revision, other, other_revision)
        db.execute(
            "INSERT OR IGNORE INTO jobs (exam, revision, other, other_revision, queued) VALUES (?, ?, ?, ?, ?)",
            (*values, time.time()),
        )
        same = "exam = ? AND revision = ? AND other = ? AND other_revision = ?"
        return db.execute(f"SELECT id FROM jobs WHERE {same}", values).fetchone()[0]

    def claim(self, owner: str) -> Job | None:
        """The job that waits longest is now `owner`'s; None where none waits."""
        with self.changing() as db:
            waiting = self.jobs("state = 'queued'")
            if not waiting:
                return None
            db.execute(
                "UPDATE jobs SET state = 'running', owner = ?, tries = tries + 1 WHERE id = ?", (owner, waiting[0].id)
            )
            return self.jobs("id = ?", waiting[0].id)[0]

    def settle(self, job: Job, state: str, reason: str = "") -> None:
        """What became of a job, or that it waits again. Nothing where it is gone."""
        ended = None if state in OPEN else time.time()
        with self.changing() as db:
            db.execute(
                "UPDATE jobs SET state = ?, reason = ?, owner = '', ended = ? WHERE id = ?",
                (state, reason, ended, job.id),
            )

    def give_back(self, job: Job) -> None:
        """A job whose server died waits again; that server's death is not counted against it."""
        with self.changing() as db:
            db.execute(
                "UPDATE jobs SET state = 'queued', owner = '', tries = max(tries - 1, 0) WHERE id = ?", (job.id,)
            )

    def doom(self, subject: int) -> list[int]:
        """A person who is to be deleted is nowhere to be seen from now on; the numbers of the person's exams."""
        with self.changing() as db:
            db.execute("UPDATE subjects SET doomed = 1 WHERE id = ?", (subject,))
            return [row[0] for row in db.execute("SELECT id FROM exams WHERE subject = ?", (subject,))]

    def doomed(self) -> list[int]:
        """People whose deletion was begun."""
        with self._lock:
            return [row[0] for row in self._db.execute("SELECT id FROM subjects WHERE doomed = 1")]

    def erase(self, subject: int) -> None:
        """Removes all rows of a person, and from the log that SQLite keeps beside its file."""
        with self.changing() as db:
            own = "(SELECT id FROM exams WHERE subject = ?)"
            db.execute(f"DELETE FROM jobs WHERE exam IN {own} OR other IN {own}", (subject, subject))
            db.execute("DELETE FROM exams WHERE subject = ?", (subject,))
            db.execute("DELETE FROM subjects WHERE id = ?", (subject,))
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _in_order(exams: list[ExamRow]) -> tuple[ExamRow, ...]:
    if all(e.date for e in exams):
        return tuple(sorted(exams, key=lambda e: (e.date or "", visit_order(e.visit))))
    return tuple(sorted(exams, key=lambda e: visit_order(e.visit)))
