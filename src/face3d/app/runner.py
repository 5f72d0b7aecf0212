"""Does the jobs that wait, some at a time, each in a process of its own that may crash, hang or be killed."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face3d.app.store import Job
from face3d.app.vault import Vault
from face3d.app.work import step_file
from face3d.batch.item import Outcome, Task
from face3d.batch.lane import TICK, Lane, Limits, Work, died, killed, overdue
from face3d.batch.lock import WHOLE, identity
from face3d.extras import require

#: Seconds to wait until something that could not be written is tried again: a full disk is not emptied in one.
_AGAIN = 2.0
#: How often an exam is begun whose process is killed from outside, and one that crashes by itself: kills are not the
#: exam's fault, but the system kills what takes all memory, and such an exam must not go on for ever.
_KILLED, _CRASHED = 10, 2
_LOG = logging.getLogger("face3d.app")


@dataclass(frozen=True)
class Progress:
    """How far a job is: `done` steps of `total`, and the one that is being done."""

    done: int
    total: int
    step: str


class Runner:
    """Does jobs by `work`, from now on until `stop`; each process begins with `warm`.

    Takes over from what ran here before: no other process may be at work on the vault. Raises OSError where it cannot
    be written.
    """

    def __init__(
        self, vault: Vault, count: int, limits: Limits, work: Work, warm: Callable[[Any], None] | None = None
    ) -> None:
        require("pebble")
        self._vault, self._count, self._limits, self._work, self._warm = vault, count, limits, work, warm
        self._owner = json.dumps(identity())
        self._waiting: dict[Future[Outcome], tuple[Job, Task, Lane]] = {}
        self._given_up: set[int] = set()
        self._lock = threading.Lock()
        self._news, self._ended = threading.Event(), threading.Event()
        # What an earlier server's processes still build cannot be published from now on: their folder is gone.
        self._folder = vault.results.workspace(WHOLE)
        vault.recover()
        self._thread = threading.Thread(target=self._loop, name="jobs")
        self._thread.start()

    def stop(self) -> None:
        """Ends all work; what was being done is begun again at the next start."""
        self._ended.set()
        self._news.set()
        self._thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def wake(self) -> None:
        """There may be something to do."""
        self._news.set()

    def progress(self, job: Job) -> Progress | None:
        """How far a running job is; None where nothing is known of it."""
        try:
            file = step_file(self._folder, self._vault.result(job).name)
            done, total, step = file.read_text(encoding="utf-8").split("\t")
            return Progress(int(done), int(total), step)
        except (OSError, ValueError):
            return None

    def drop(self, exams: Iterable[int]) -> None:
        """Ends what is being done with these exams, waits until it has ended, and removes what it left."""
        numbers = set(exams)
        with self._lock:
            ours = [(f, j, t) for f, (j, t, _) in self._waiting.items() if {j.exam, j.other} & numbers]
            self._given_up |= {job.id for _, job, _ in ours}
        for future, _, _ in ours:
            future.cancel()  # pebble ends the process
        self._news.set()
        deadline = time.monotonic() + 60.0
        while any(f in self._waiting for f, _, _ in ours) and time.monotonic() < deadline:
            time.sleep(TICK / 4)
        for _, _, task in ours:
            _swept(task)

    def _loop(self) -> None:
        lanes = [Lane(self._limits, self._warm) for _ in range(self._count)]
        began: dict[Future[Outcome], float] = {}
        late: set[Future[Outcome]] = set()
        try:
            while not self._ended.is_set():
                self._news.clear()
                try:
                    self._begin(lanes)
                    for future in [f for f in self._waiting if f.done()]:
                        job, task, lane = self._waiting[future]
                        self._settle(future, job, task, lane, future in late)
                        with self._lock:
                            del self._waiting[future]
                        began.pop(future, None)
                        late.discard(future)
                        self._news.set()
                except (OSError, sqlite3.Error) as error:  # a full disk: the result is there, or is made again
                    _LOG.warning("cannot be noted, and is tried again: %s", error)
                    self._ended.wait(_AGAIN)
                except Exception:  # a defect of ours must not stop everything else
                    _LOG.exception("tried again")
                    self._ended.wait(_AGAIN)
                late |= overdue(list(self._waiting), began, self._limits.seconds)
                self._news.wait(TICK / 4 if self._waiting else 1.0)
        finally:
            for lane in lanes:
                lane.stop()

    def _begin(self, lanes: list[Lane]) -> None:
        busy = [lane for _, _, lane in self._waiting.values()]
        for lane in (one for one in lanes if one not in busy):
            if (job := self._vault.store.claim(self._owner)) is None:
                return
            try:
                task = self._vault.task(job, self._folder)
                future = lane.start(task, self._work)
            except BaseException:
                self._vault.store.give_back(job)
                raise
            with self._lock:
                self._waiting[future] = job, task, lane
            future.add_done_callback(lambda _: self._news.set())

    def _settle(self, future: Future[Outcome], job: Job, task: Task, lane: Lane, late: bool) -> None:
        store = self._vault.store
        if dead := died(future):
            lane.renew()
        if job.id in self._given_up:
            _swept(task)
            return
        record = self._vault.record(job) if dead else None
        if record is not None:  # killed between its last step and telling of it
            store.settle(job, record["status"], self._vault.plain(record["reason"]))
        elif dead and not late and job.tries < (_KILLED if killed(future) else _CRASHED):
            _swept(task)
            store.settle(job, "queued")
            return
        else:
            outcome = lane.outcome(task, future, late)
            store.settle(job, outcome.status, self._vault.plain(outcome.reason))
        with suppress(OSError):
            step_file(Path(task.work), task.item.folder).unlink(missing_ok=True)
        self._vault.tidy()


def _swept(task: Task) -> None:
    """What a task that did not come back left in its folder, pictures of faces among it, is removed."""
    folder = Path(task.work)
    for left in (task.item.folder, f".{task.item.folder}"):
        shutil.rmtree(folder / left, ignore_errors=True)
    with suppress(OSError):
        step_file(folder, task.item.folder).unlink()
