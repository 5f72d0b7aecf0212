"""Processes that may be killed at any moment: each is its own pool of one.

A process that is ended while it holds a lock that it shares with others takes these with it. Alone in its pool it takes
nothing, and the pool is thrown away with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from typing import Any, TypeVar

from face3d.batch.local import Limits, Processes

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")
#: How often a process is begun that does not even come up.
_TRIES = 3


class Lane:
    """One process, which does one thing after another, within limits; each begins with `warm`."""

    def __init__(self, limits: Limits, warm: Callable[[Any], None] | None = None) -> None:
        self._limits, self._warm = limits, warm
        self.processes = self._begun()

    def start(self, given: _Given, work: Callable[[_Given], _Made]) -> Future[_Made]:
        """Begins `work`, a function of a module, as soon as what was begun before is done."""
        for _ in range(_TRIES - 1):
            try:
                return self.processes.start(given, work)
            except (
                RuntimeError,
                BrokenExecutor,
                OSError,
                EOFError,
            ):  # it was ended while it had nothing to do
                self.renew()
        return self.processes.start(given, work)

    def renew(self) -> None:
        """Another process takes the place of one that died, or is to die."""
        self._end(self.processes, 0.0)
        self.processes = self._begun()

    def stop(self) -> None:
        """Ends it, whatever it is at."""
        self._end(self.processes, 10.0)

    def _begun(self) -> Processes:
        made = Processes(1, self._limits)
        if self._warm is not None:
            try:
                made.start(None, self._warm)
            except (RuntimeError, BrokenExecutor, OSError, EOFError):
                return made  # the next start says so
        return made

    @staticmethod
    def _end(processes: Processes, patience: float) -> None:
        # Not waited for without end: half a message of a dead process keeps its reader for ever.
        ending = threading.Thread(target=processes.stop, daemon=True)
        ending.start()
        ending.join(patience)


def died(future: Future[Any]) -> bool:
    """Whether what was begun came to no end of its own: its process was ended, by whomever."""
    from pebble import ProcessExpired

    return future.cancelled() or isinstance(future.exception(), (ProcessExpired, BrokenExecutor))


def killed(future: Future[Any]) -> bool:
    """Whether a process that died was ended from outside, by SIGKILL, and did not crash by itself."""
    from pebble import ProcessExpired

    error = None if future.cancelled() else future.exception()
    # 255 stands for: nobody knows, since the process that began it was killed too.
    return not isinstance(error, ProcessExpired) or getattr(error, "exitcode", 0) in (-9, 255)
