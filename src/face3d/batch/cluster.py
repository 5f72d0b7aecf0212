"""The same items on many machines: by Dask (a scheduler, or SLURM through dask-jobqueue), or by SLURM's job arrays.

Each Dask worker measures in processes of its own, with the limits of `face3d.batch.lane`: an item that crashes
costs itself, not the worker. A worker that is lost has its items done by another one. Workers see input and output
under the same paths, or as URLs.
"""

from __future__ import annotations

import queue
import shlex
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

from face3d.batch.item import Outcome, Task, lost
from face3d.batch.lane import Lane, Limits, Work
from face3d.errors import OutputError
from face3d.extras import require

#: Items that wait at the scheduler for each thread of a worker: more only fill its memory, fewer let workers idle.
AHEAD = 4
#: Times that an item is tried on other workers when the one that had it is lost.
RETRIES = 3
_PLUGIN = "face3d-isolation"


@contextmanager
def slurm(workers: int, memory_gb: float) -> Iterator[str]:
    """A Dask cluster of as many SLURM jobs, of one core each; yields its scheduler's address. Queue, account and time
    are those of dask-jobqueue's own configuration (~/.config/dask/jobqueue.yaml)."""
    cluster = require("dask_jobqueue").SLURMCluster(
        cores=1,
        processes=1,
        memory=f"{memory_gb:g}GB",
        job_script_prologue=["export DASK_DISTRIBUTED__WORKER__DAEMON=False"],
    )
    with cluster:
        cluster.scale(jobs=workers)
        yield cluster.scheduler_address


def run_on(tasks: Iterable[Task], scheduler: str, limits: Limits, work: Work) -> Iterator[Outcome]:
    """Outcomes of tasks as the workers of a Dask scheduler finish them. Raises `OutputError` when the scheduler is
    lost: what is finished stays, --resume goes on."""
    distributed = require("distributed")
    left = deque(tasks)
    try:
        with distributed.Client(scheduler, timeout=30, set_as_default=False) as client:
            client.register_plugin(_isolation(limits))
            waiting: dict[Any, Task] = {}
            finished = distributed.as_completed(loop=client.loop)
            while left or waiting:
                threads = sum(client.nthreads().values()) or 1
                while left and len(waiting) < AHEAD * threads:
                    task = left.popleft()
                    future = client.submit(_isolated, task, work, pure=False, retries=RETRIES)
                    waiting[future] = task
                    finished.add(future)
                future = next(finished)
                yield _outcome(future, waiting.pop(future), distributed)
    except (OSError, CancelledError) as error:  # a broken connection is an OSError of Dask's
        raise OutputError(f"{scheduler}: the scheduler is lost ({error}); go on with --resume") from None


def _outcome(future: Any, task: Task, distributed: Any) -> Outcome:
    try:
        return future.result()
    except distributed.KilledWorker:
        return lost(task, "crashed", f"the workers that had it were lost, {RETRIES + 1} times")
    except (CancelledError, OSError):
        raise
    except Exception as error:  # a worker without face3d, say: said of the item, tried again by --resume
        return lost(task, "error", f"on its worker: {type(error).__name__}: {error}")


def _isolation(limits: Limits) -> Any:
    """A plugin that gives each worker its processes."""
    distributed = require("distributed")

    class Isolation(distributed.WorkerPlugin):
        name = _PLUGIN

        def setup(self, worker: Any) -> None:
            import multiprocessing

            # Dask's nanny marks workers as daemons, which may have no children. Ours end with the worker all the same
            # (`lane.prepared`).
            multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
            self.lanes = [Lane(limits) for _ in range(worker.state.nthreads)]
            self.free = queue.SimpleQueue[Lane]()
            for lane in self.lanes:
                self.free.put(lane)

        def teardown(self, worker: Any) -> None:
            del worker
            for lane in self.lanes:
                lane.stop()

    return Isolation()


def _isolated(task: Task, work: Work) -> Outcome:
    """Runs on a worker, in one of its threads: does a task in a process, and waits for it."""
    free: queue.SimpleQueue[Lane] = require("distributed").get_worker().plugins[_PLUGIN].free
    lane = free.get()
    try:
        return lane.measure(task, work)
    finally:
        free.put(lane)


def sbatch(command: list[str], shards: int, hours: float, memory_gb: float) -> str:
    """A script for SLURM that runs a study as an array of jobs, without Dask. `command`: face3d and its arguments."""
    minutes = max(1, round(60 * hours))
    return f"""#!/bin/bash
#SBATCH --job-name=face3d
#SBATCH --array=1-{shards}
#SBATCH --cpus-per-task=1
#SBATCH --mem={round(1000 * memory_gb)}M
#SBATCH --time={minutes}
#SBATCH --output=face3d-%A_%a.log
# A job that is lost is made good by sending the script again: finished items are not measured twice. The job that
# finishes last writes the tables.
{shlex.join(command)} --workers 1 --resume --shard "$SLURM_ARRAY_TASK_ID/{shards}"
"""
