"""Studies of many scans: throughput against workers, memory of a worker, what resuming, handing out and bad items cost.

    python benchmarks/batch.py [--scans 40] [--finished 2000] [--work FOLDER]

Scans are simulated (10,000 points each). A fifth of them are measured by one worker, all by two, or by `--workers`.
`compute` is the share of the workers' time that is spent measuring; what is missing of 1 is starting, handing out and
writing. `speedup` is against one worker, in one run on one machine: on a machine that does other things besides it says
little, and the load that it had is printed. Then four bad items are added and the study is resumed. With `--work` a run
that was stopped or killed goes on when it is started again with the same arguments; the time that it stood still does
not count. Finished items are made by an item function that does nothing, since only what lies on disk counts for
resuming. Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from face3d.batch.discover import discover
from face3d.batch.item import Measured, Outcome, Task, run
from face3d.batch.lane import Limits
from face3d.batch.local import cores, run_here
from face3d.batch.measured import work
from face3d.batch.plan import Plan
from face3d.batch.study import run_study
from face3d.extras import require
from shown import Shown, number, numbers

SEED = 61_019
POINTS = 10_000
LIMITS = Limits(seconds=120.0, memory_gb=12.0)
#: What goes wrong with the planted items, by their names.
BAD = ("segfault", "hang", "hog", "corrupt")


def make(folder: Path, scans: int) -> None:
    """Scans of some people, each scan with noise and pose of its own."""
    from face3d.io import write_scan
    from face3d.simulate import HeadModel, draw_patient, scan_face

    folder.mkdir(exist_ok=True)
    model = HeadModel.load("b", "fine")
    for k in range(scans):
        rng = np.random.default_rng(SEED + k)
        if k % 10 == 0:
            who = draw_patient(rng, model, grade=1 + k // 10 % 6, side="left")
        if not (folder / f"scan{k:05d}.ply").exists():
            write_scan(folder / f"scan{k:05d}.ply", scan_face(who.model, who.vertices("rest"), rng, points=POINTS).scan)


def with_bad(task: Task) -> Outcome:
    """Measures a scan, or does what its name says."""
    if task.item.name == "segfault.ply":
        ctypes.string_at(0)
    if task.item.name == "hang.ply":
        time.sleep(3600)
    if task.item.name == "hog.ply":
        bytearray(1 << 40)
    return work(task)


def nothing(task: Task, path: Path, build: Path) -> Measured:
    """An item that is done at once."""
    del path, build
    row = {"scan": task.item.name, "subject": "", "visit": ""}
    return Measured(row, {"result.json": "{}", "regions.csv": f"scan,region,rms\n{task.item.name},face,1.0\n"})


@dataclass
class Log:
    """What became of a run's items, over all of its sessions, in a file that grows."""

    file: Path
    seconds: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    wall: float = 0.0

    def __post_init__(self) -> None:
        lines = self.file.read_text().splitlines(keepends=True) if self.file.exists() else []
        sessions: dict[float, float] = {}
        for line in lines:
            if not line.endswith("\n"):  # killed while it wrote
                continue
            session, at, seconds, peak, load = json.loads(line)
            sessions[session] = at
            self._take(seconds, peak, load)
        self.before, self.session, self.began = sum(sessions.values()), time.time(), time.monotonic()
        self.wall = self.before

    def heard(self, plan: Plan, outcome: Outcome | None) -> None:
        """One more item is done."""
        del plan
        at = time.monotonic() - self.began
        self.wall = self.before + at
        if outcome is not None and outcome.status == "ok":
            told = (outcome.seconds, outcome.peak_mb, os.getloadavg()[0])
            self._take(*told)
            with self.file.open("a") as out:
                out.write(json.dumps([self.session, at, *told]) + "\n")

    def _take(self, seconds: float, peak: float, load: float) -> None:
        self.seconds.append(seconds)
        self.peaks.append(peak)
        self.loads.append(load)


def throughput(folder: Path, scans: int, workers: int) -> None:
    """A line for one worker and for several; then what bad items cost."""
    few = max(scans // 5, 2)
    for name, count in (("few", few), ("scans", scans)):
        make(folder / name, count)
    for name in BAD:  # of an earlier run that had come so far
        (folder / "scans" / f"{name}.ply").unlink(missing_ok=True)
    shown = Shown(
        f"Throughput, scans of {POINTS} points, {cores()} cores",
        *("workers", "scans", "wall s", "scans/s", "speedup", "compute", "MB by fifths of the run", "load", "failed"),
    )
    first, done = 0.0, {}
    for name, count in (("few", 1), ("scans", workers)):
        log = Log(folder / f"{name}.log")
        running = partial(run_here, workers=count, limits=LIMITS, work=with_bad)
        out = str(folder / f"out-{name}")
        done = run_study(discover(str(folder / name)), out, running, heard=log.heard, resume=True)
        rate = len(log.seconds) / log.wall
        first = first or rate
        fifths = [f"{np.median(part):.0f}" for part in np.array_split(log.peaks, 5) if len(part)]
        failed = ", ".join(f"{row['item']} {row['status']}" for row in done["failed"]) or "none"
        share = sum(log.seconds) / log.wall / count
        found = [number(log.wall, 1), number(rate, 3), *numbers([rate / first, share])]
        shown.row(count, len(log.seconds), *found, " ".join(fifths), number(float(np.mean(log.loads)), 1), failed)
    for name in BAD:
        (folder / "scans" / f"{name}.ply").write_bytes(b"ply\nformat binary_little_endian 1.0\nelement vertex 9")
    running = partial(run_here, workers=workers, limits=LIMITS, work=with_bad)
    done = run_study(discover(str(folder / "scans")), str(folder / "out-scans"), running, resume=True)
    failed = ", ".join(f"{row['item']} {row['status']}" for row in done["failed"])
    print(f"\nwith {len(BAD)} bad ones: {done['ok']} of {scans} good ones measured; failed: {failed}")


def resuming(folder: Path, finished: int) -> None:
    """What it takes to see that nothing is left to do."""
    study, out = folder / "finished", str(folder / "done")
    study.mkdir()
    for k in range(finished):
        (study / f"scan{k:05d}.ply").write_bytes(b"scan %d" % k)
    quick = partial(run, measuring=nothing)
    shown = Shown(f"Resuming {finished} finished scans", "what", "wall s", "CPU s")
    wall, cpu = time.monotonic(), time.process_time()
    run_study(discover(str(study)), out, lambda tasks: map(quick, tasks))
    each = [1e3 * (time.monotonic() - wall) / finished, 1e3 * (time.process_time() - cpu) / finished]
    shown.row("an item that does nothing, tables included, ms", *numbers(each))
    for told in ("as they were", "all touched, content as it was", "once more", "tables made anew"):
        if told.startswith("all"):
            for file in study.iterdir():
                file.touch()
        if told.startswith("tables"):
            Path(out, ".face3d-batch", "tables.json").unlink()
        wall, cpu = time.monotonic(), time.process_time()
        run_study(discover(str(study)), out, lambda tasks: map(quick, tasks), resume=True)
        shown.row(told, *numbers([time.monotonic() - wall, time.process_time() - cpu]))


def handing_out(folder: Path, items: int) -> None:
    """What handing out an item costs whoever hands out, and so how many workers one feeds: items that do nothing."""
    import batch  # by name: processes of processes cannot look into a script that was started
    from face3d.batch.cluster import run_on

    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    study, quick = folder / "handed", partial(run, measuring=batch.nothing)
    study.mkdir()
    for k in range(items):
        (study / f"scan{k:05d}.ply").write_bytes(b"scan %d" % k)
    shown = Shown(f"Handing out {items} items that do nothing, two workers", "by", "items/s", "CPU ms an item")

    def told(name: str, running: Callable[[list[Task]], Iterator[Outcome]]) -> None:
        wall, cpu = time.monotonic(), time.process_time()
        run_study(discover(str(study)), str(folder / name.split(",")[0]), running)
        spent = time.monotonic() - wall, time.process_time() - cpu
        shown.row(name, number(items / spent[0], 1), number(1e3 * spent[1] / items))

    told("processes", lambda tasks: run_here(tasks, 2, LIMITS, quick))
    with require("distributed").LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0
    ) as cluster:
        told("Dask, scheduler and client", lambda tasks: run_on(tasks, cluster.scheduler_address, LIMITS, quick))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scans", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--finished", type=int, default=2000)
    parser.add_argument("--work", type=Path, help="folder to go on in; it holds some 0.6 MB a scan, and stays")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if args.finished:
            resuming(Path(temporary), args.finished)
            handing_out(Path(temporary), args.finished)
        folder = args.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if args.scans:
            throughput(folder, args.scans, args.workers)


if __name__ == "__main__":
    main()
