"""Items on this machine, several at a time, each in a process that it may take with it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait

from face3d.batch.item import Outcome, Task
from face3d.batch.lane import TICK, Lane, Limits, Work, died, overdue, unbegun


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_here(tasks: Iterable[Task], workers: int, limits: Limits, work: Work) -> Iterator[Outcome]:
    """Outcomes as items finish, of `workers` at a time."""
    left = deque(tasks)
    lanes = [Lane(limits) for _ in range(min(workers, len(left)))]
    free, told = list(lanes), list[Outcome]()
    busy: dict[Future[Outcome], tuple[Task, Lane]] = {}
    began: dict[Future[Outcome], float] = {}
    late: set[Future[Outcome]] = set()
    again: set[Task] = set()
    try:
        while left or busy or told:
            while left and free:
                task, lane = left.popleft(), free.pop()
                busy[lane.start(task, work)] = task, lane
            yield from told  # now, so that no process waits for whoever looks at them
            done, _ = wait(busy, timeout=TICK, return_when=FIRST_COMPLETED)
            told = []
            for future in done:
                task, lane = busy.pop(future)
                free.append(lane)
                if died(future):
                    lane.renew()
                if unbegun(future) and task not in again:
                    again.add(task)
                    left.append(task)
                else:
                    told.append(lane.outcome(task, future, future in late))
                began.pop(future, None)
                late.discard(future)
            late |= overdue(busy, began, limits.seconds)
    finally:
        for lane in lanes:
            lane.stop()
