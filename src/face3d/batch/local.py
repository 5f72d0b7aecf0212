"""Items on this machine: each alone in a process that may crash, hang or eat memory without harm to another."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from face3d.batch.item import Outcome, Task, lost
from face3d.extras import require

#: Items that a process measures before a fresh one takes its place: what libraries leak stays small, and starting,
#: some seconds for importing them, costs less than 1 % of the time.
RECYCLED = 200
#: Seconds between two looks at the clock, and so the error of a time limit.
TICK = 0.2
#: Libraries that would start threads of their own in each process read these when they are loaded.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

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


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes:
    """Up to `count` processes, begun when needed, each of which does one task at a time."""

    def __init__(self, count: int, limits: Limits) -> None:
        import multiprocessing

        # Forked from a clean process without threads: forking this one, with its threads, may hang.
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        self.limits = limits
        memory = None if limits.memory_gb is None else int(limits.memory_gb * 1e9)
        self._pool = require("pebble").ProcessPool(
            count, max_tasks=RECYCLED, initializer=prepared, initargs=(memory, dict(os.environ)), context=context
        )

    def start(self, task: _Given, work: Callable[[_Given], _Made]) -> Future[_Made]:
        """Begins a task as soon as a process is free. `work` is a function of a module; both travel by pickle."""
        return self._pool.schedule(work, args=(task,))

    def stop(self) -> None:
        """Ends all processes, whatever they are at."""
        self._pool.stop()
        self._pool.join()

    def outcome(self, task: Task, future: Future[Outcome], late: bool) -> Outcome:
        """What became of a task whose future is done; `late`: it was ended for its time."""
        from pebble import ProcessExpired

        if late:
            return lost(task, "timeout", f"took longer than {self.limits.seconds:g} s; give more with --timeout")
        try:
            return future.result()
        except ProcessExpired as error:
            return lost(task, "crashed", _death(error.exitcode, self.limits))
        except MemoryError:
            return lost(task, "memory", _more(self.limits))
        except Exception as error:  # what could not even be sent back
            return lost(task, "error", f"{type(error).__name__}: {error}")


def run_here(tasks: Iterable[Task], workers: int, limits: Limits, work: Work) -> Iterator[Outcome]:
    """Outcomes as items finish, of `workers` at a time. Time is that of a clock that nobody can set."""
    left = deque(tasks)
    processes = Processes(workers, limits)
    waiting: dict[Future[Outcome], Task] = {}
    began: dict[Future[Outcome], float] = {}
    late: set[Future[Outcome]] = set()
    try:
        while left or waiting:
            while left and len(waiting) < 2 * workers + 2:  # enough that no process waits for us
                task = left.popleft()
                waiting[processes.start(task, work)] = task
            done, _ = wait(waiting, timeout=TICK, return_when=FIRST_COMPLETED)
            for future in done:
                began.pop(future, None)
                yield processes.outcome(waiting.pop(future), future, future in late)
                late.discard(future)
            late |= overdue(waiting, began, limits.seconds)
    finally:
        processes.stop()


def overdue(waiting: Iterable[Future[Any]], began: dict[Future[Any], float], limit: float) -> set[Future[Any]]:
    """Ends tasks that run for longer than `limit` seconds; `began` remembers when each was first seen running."""
    now, ended = time.monotonic(), set()
    for future in waiting:
        if future.running() and now - began.setdefault(future, now) > limit:
            future.cancel()  # pebble ends the process
            ended.add(future)
    return ended


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
