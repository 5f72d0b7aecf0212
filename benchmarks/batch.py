"""Studies of many scans: throughput against workers, memory of a worker, what resuming costs, what a bad item costs.

    python benchmarks/batch.py [--scans 40] [--workers 1 2] [--finished 2000]

Scans are simulated (10,000 points each). `compute` is the share of the workers' time that is spent measuring; what is
missing of 1 is starting, handing out and writing. `speedup` is against the first number of workers, in one run on one
machine: on a machine that does other things besides it says little. Finished items are made by an item function that
does nothing, since only what lies on disk counts for resuming. Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from face3d.batch.discover import discover
from face3d.batch.item import Measured, Outcome, Task, run
from face3d.batch.local import Limits, run_here
from face3d.batch.measured import work
from face3d.batch.plan import Plan
from face3d.batch.study import run_study

SEED = 61_019
POINTS = 10_000
LIMITS = Limits(seconds=120.0, memory_gb=12.0)
#: What goes wrong with the planted items, by their names.
BAD = ("segfault", "hang", "hog", "corrupt")


def make(folder: Path, scans: int) -> None:
    """Scans of some people, each scan with noise and pose of its own."""
    from face3d.io import write_scan
    from face3d.simulate import HeadModel, draw_patient, scan_face

    folder.mkdir()
    model = HeadModel.load("b", "fine")
    for number in range(scans):
        rng = np.random.default_rng(SEED + number)
        if number % 10 == 0:
            who = draw_patient(rng, model, grade=1 + number // 10 % 6, side="left")
        scan = scan_face(who.model, who.vertices("rest"), rng, points=POINTS).scan
        write_scan(folder / f"scan{number:05d}.ply", scan)


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


def throughput(folder: Path, scans: int, workers: list[int]) -> None:
    """A line for each number of workers; then what bad items cost."""
    make(folder / "scans", scans)
    print(f"{scans} scans of {POINTS} points; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'workers':>8}{'wall s':>9}{'scans/s':>9}{'speedup':>9}{'compute':>9}{'MB a worker':>13}  failed")
    first = 0.0
    for count in workers:
        seconds: list[float] = []
        peaks: list[float] = []

        def heard(plan: Plan, outcome: Outcome | None, seconds: list = seconds, peaks: list = peaks) -> None:
            del plan
            if outcome is not None and outcome.status == "ok":
                seconds.append(outcome.seconds)
                peaks.append(outcome.peak_mb)

        running = partial(run_here, workers=count, limits=LIMITS, work=with_bad)
        began = time.monotonic()
        done = run_study(discover(str(folder / "scans")), str(folder / f"out{count}"), running, heard=heard)
        wall = time.monotonic() - began
        rate = len(seconds) / wall
        first = first or rate
        half = len(peaks) // 2
        memory = f"{np.median(peaks[:half]):.0f}-{np.median(peaks[half:]):.0f}"
        failed = ", ".join(f"{row['item']} {row['status']}" for row in done["failed"]) or "none"
        share = sum(seconds) / wall / count
        print(f"{count:8}{wall:9.1f}{rate:9.3f}{rate / first:9.2f}{share:9.2f}{memory:>13}  {failed}", flush=True)
    for name in BAD:
        (folder / "scans" / f"{name}.ply").write_bytes(b"ply\nformat binary_little_endian 1.0\nelement vertex 9")
    running = partial(run_here, workers=workers[-1], limits=LIMITS, work=with_bad)
    done = run_study(discover(str(folder / "scans")), str(folder / "bad"), running)
    failed = ", ".join(f"{row['item']} {row['status']}" for row in done["failed"])
    print(f"with {len(BAD)} bad ones: {done['ok']} of {scans} good ones measured; failed: {failed}")


def resuming(folder: Path, finished: int) -> None:
    """What it takes to see that nothing is left to do."""
    study, out = folder / "finished", str(folder / "done")
    study.mkdir()
    for number in range(finished):
        (study / f"scan{number:05d}.ply").write_bytes(b"scan %d" % number)
    quick = partial(run, measuring=nothing)
    began = time.monotonic()
    run_study(discover(str(study)), out, lambda tasks: map(quick, tasks))
    print(
        f"{finished} items that do nothing: {(time.monotonic() - began) / finished * 1e3:.2f} ms each, tables included"
    )
    for told in ("as they were", "all touched, content as it was", "once more", "tables made anew"):
        if told.startswith("all"):
            for file in study.iterdir():
                file.touch()
        if told.startswith("tables"):
            Path(out, ".face3d-batch", "tables.json").unlink()
        wall, cpu = time.monotonic(), time.process_time()
        run_study(discover(str(study)), out, lambda tasks: map(quick, tasks), resume=True)
        print(
            f"resume, {told}: {time.monotonic() - wall:.2f} s wall, {time.process_time() - cpu:.2f} s CPU", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scans", type=int, default=40)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--finished", type=int, default=2000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if args.finished:
            resuming(Path(temporary), args.finished)
        if args.scans:
            throughput(Path(temporary), args.scans, args.workers)


if __name__ == "__main__":
    main()
