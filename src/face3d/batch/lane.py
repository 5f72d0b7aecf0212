"""A process that may crash, hang, eat memory or be killed at any moment, and costs only what it was doing.

Each is a pool of its own: a process that is ended while it holds a lock that it shares with others takes these with
it. Alone it takes nothing, and its pool is thrown away with it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import BrokenExecutor, Future, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from face3d.batch.item import Outcome, Task, lost
from face3d.extras import require

#: Things that a process does before a fresh one takes its place: what libraries leak stays small, and starting,
#: some seconds for importing them, costs less than 1 % of the time.
RECYCLED = 200
#: Seconds between two looks at the clock, and so the error of a time limit.
TICK = 0.2
#: How often a process is begun that does not even come up.
_TRIES = 3
#: Libraries that would start threads of their own in each process read these when they are loaded.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
#: What a pool raises whose process was ended while it had nothing to do.
_GONE = (RuntimeError, BrokenExecutor, OSError, EOFError)

#: What is done with a task in a process of its own.
Work = Callable[[Task], Outcome]
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Limits:
    """What an item may take: `seconds` of time, `memory_gb` of address space (it counts what is reserved too; None: no
    limit)."""

    seconds: float = 600.0
    memory_gb: float | None = None


class Lane:
    """One process, which does one thing after another, within limits; each begins with `warm`."""

    def __init__(self, limits: Limits, warm: Callable[[Any], None] | None = None) -> None:
        self._limits, self._warm = limits, warm
        self._pool = self._begun()

    def start(self, given: _Given, work: Callable[[_Given], _Made]) -> Future[_Made]:
        """Begins `work`, a function of a module, as soon as what was begun before is done. What goes in and out
        travels by pickle."""
        for _ in range(_TRIES - 1):
            try:
                return self._pool.schedule(work, args=(given,))
            except _GONE:
                self.renew()
        return self._pool.schedule(work, args=(given,))

    def measure(self, task: Task, work: Work) -> Outcome:
        """Does a task and waits for what becomes of it."""
        future, began, late = self.start(task, work), {}, False
        while not wait([future], timeout=TICK).done:
            late = bool(overdue([future], began, self._limits.seconds)) or late
        if died(future):
            self.renew()
        return self.outcome(task, future, late)

    def outcome(self, task: Task, future: Future[Outcome], late: bool) -> Outcome:
        """What became of a task whose future is done, `late` when it was ended for its time; a lost one is noted."""
        from pebble import ProcessExpired

        if late:
            return lost(task, "timeout", f"took longer than {self._limits.seconds:g} s; give more with --timeout")
        try:
            return future.result()
        except ProcessExpired as error:
            return lost(task, "crashed", _death(error.exitcode, self._limits))
        except BrokenExecutor:
            return lost(task, "crashed", "its process was ended before it had begun")
        except MemoryError:
            return lost(task, "memory", _more(self._limits))
        except Exception as error:  # what could not even be sent back
            return lost(task, "error", f"{type(error).__name__}: {error}")

    def renew(self) -> None:
        """Another process takes the place of one that died, or is to die."""
        _end(self._pool, 0.0)
        self._pool = self._begun()

    def stop(self) -> None:
        """Ends it, whatever it is at."""
        _end(self._pool, 10.0)

    def _begun(self) -> Any:
        import multiprocessing

        # Forked from a clean process without threads: forking this one, with its threads, may hang.
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        memory = None if self._limits.memory_gb is None else int(self._limits.memory_gb * 1e9)
        pool = require("pebble").ProcessPool(
            1, max_tasks=RECYCLED, initializer=prepared, initargs=(memory, dict(os.environ)), context=context
        )
        if self._warm is not None:
            try:
                pool.schedule(self._warm, args=(None,))
            except _GONE:
                return pool  # the next start says so
        return pool


def overdue(waiting: Iterable[Future[Any]], began: dict[Future[Any], float], limit: float) -> set[Future[Any]]:
    """Ends tasks that run for longer than `limit` seconds; `began` remembers when each was first seen running. Time is
    that of a clock that nobody can set."""
    now, ended = time.monotonic(), set()
    for future in waiting:
        if future.running() and now - began.setdefault(future, now) > limit:
            future.cancel()  # pebble ends the process
            ended.add(future)
    return ended


def died(future: Future[Any]) -> bool:
    """Whether what was begun came to no end of its own: its process was ended, by whomever."""
    from pebble import ProcessExpired

    return future.cancelled() or isinstance(future.exception(), (ProcessExpired, BrokenExecutor))


def unbegun(future: Future[Any]) -> bool:
    """Whether a process had been ended, with nothing to do, before what it was given was begun."""
    return not future.cancelled() and isinstance(future.exception(), BrokenExecutor)


def killed(future: Future[Any]) -> bool:
    """Whether a process that died was ended from outside, by SIGKILL, and did not crash by itself."""
    from pebble import ProcessExpired

    error = None if future.cancelled() else future.exception()
    # 255 stands for: nobody knows, since the process that began it was killed too.
    return not isinstance(error, ProcessExpired) or getattr(error, "exitcode", 0) in (-9, 255)


def prepared(memory: int | None, environment: Mapping[str, str]) -> None:
    """Makes a process ready for items: one thread, a limit of memory in bytes, an end with its parent's end, and the
    environment as it is now (the process that forks may be older)."""
    os.environ.update(environment)
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    if sys.platform == "linux":
        import ctypes

        # A killed run must not go on in its children (PR_SET_PDEATHSIG).
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if memory is not None and sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _end(pool: Any, patience: float) -> None:
    def end() -> None:
        pool.stop()
        pool.join()

    # Not waited for without end: half a message of a dead process keeps its reader for ever.
    ending = threading.Thread(target=end, daemon=True)
    ending.start()
    ending.join(patience)


def _death(code: int, limits: Limits) -> str:
    if code >= 0:
        return f"its process ended by itself with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    why = {
        "SIGSEGV": "a library crashed",
        "SIGKILL": "somebody, or the system for want of memory, ended it",
        "SIGABRT": f"a library gave up, as it does when {_more(limits)}" if limits.memory_gb else "a library gave up",
    }.get(name, "")
    return f"its process was killed by {name}" + (f": {why}" if why else "")


def _more(limits: Limits) -> str:
    if limits.memory_gb is None:
        return "there is no more memory"
    return f"it needs more than {limits.memory_gb:g} GB; give more with --memory"
