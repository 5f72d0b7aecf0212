"""Runs the benchmarks and keeps what they say: benchmarks/results/NAME.json, from which tools/validation.py writes.

    python tools/bench.py [--quick] [--only NAME ...] [--list]

Each benchmark runs in a process of its own, on one thread: first those of times, one after another since they would
mean little otherwise, then the others, one a core. What is kept is what it printed, its tables as tables, with
arguments, date, machine, load, this version's commit and the peers' versions. A run that was stopped goes on: what was
done at this commit is not done again. `--quick` is for a look whether all works (fewer people; its figures are marked
so and never take the place of full ones); all of it within a quarter of an hour on two idle cores.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PEERS = ("open3d", "trimesh", "small_gicp", "meshmonk", "rustcpd", "biocpd", "scikit-learn", "torch", "mediapipe")


@dataclass(frozen=True)
class Benchmark:
    """`name` of benchmarks/NAME.py, its arguments, what it shows, in words, and whether it is of times by the clock."""

    name: str
    full: str
    quick: str
    about: str
    timed: bool = False


#: In the order of the page. What needs trained networks' data (domains; grading beside other methods) is not here: it
#: runs with `make data`.
ALL = (
    Benchmark("reading", "", "60000", "Reading files", True),
    Benchmark("landmarks", "", "--faces 6 --rotations 2", "Landmarks"),
    Benchmark("plane", "", "--faces 2 --disturbed 10", "Symmetry plane beside the peers'"),
    Benchmark("asymmetry", "", "--faces 1 --peers 1 --sets a,w,r", "Asymmetry beside the peers'"),
    Benchmark("real_expressions", "", "--people 1 --every 60", "People's expressions"),
    Benchmark("examination", "--subjects 12", "--subjects 2", "Examinations"),
    Benchmark("lesions", "", "--people 1", "Which branches are ill"),
    Benchmark("shares", "--fresh --fits 1", "--fresh --people 1", "Shares of movement"),
    Benchmark("comparison", "", "--subjects 1", "Before and after"),
    Benchmark("grading", "--exams 24", "--exams 2", "Grading"),
    Benchmark("abstention", "", "--exams 1", "Refused, or abstained on"),
    Benchmark("identity", "--work {work}", "--work {work} --subjects 4", "Whose scan, which side"),
    Benchmark("tracking", "", "accuracy --only depth --singles 2", "Tracking", True),
    Benchmark("kinematics", "--people 1 --seed 7200", "--people 1 --grades 4 --seed 7200", "Kinematics"),
    Benchmark("temporal", "", "--healthy 2 --ill 4", "Unlike healthy movement"),
    Benchmark("depth", "", "--people 1 --frames 20", "Depth cameras"),
    Benchmark("stereo", "", "--people 1 --scale 0.3", "Stereo pods"),
    Benchmark("simulation", "", "", "Simulating", True),
    Benchmark("distance", "", "--sizes 10000", "Mirror and distances", True),
    Benchmark("speed", "", "--points 11000 --repeats 1", "Speed", True),
    Benchmark("pages", "", "--repeats 1", "Pages in a browser", True),
    Benchmark("batch", "--scans 2000 --work {work}", "--scans 4 --finished 200", "Studies", True),
)


def tables(printed: str) -> Iterator[dict[str, Any]]:
    """What was printed, in order: {"title", "columns", "rows"} of tables, {"text"} of what stands between."""
    title, rows, words = "", [], []
    for line in [*printed.splitlines(), ""]:
        if line.startswith("| "):
            rows.append([cell.strip() for cell in line.strip().strip("|").split(" | ")])
        elif line.startswith("|--"):
            continue
        else:
            if rows and not line.strip():  # what is said between two rows stands below the table
                yield {"title": title, "columns": rows[0], "rows": rows[1:]}
                rows = []
            if found := re.fullmatch(r"\*\*(.+)\*\*", line):
                if words:
                    yield {"text": "\n".join(words)}
                title, words = found.group(1), []
            elif line.strip() and not re.fullmatch(r"\S+\.npz", line):  # tools say which file they are at
                words.append(line.rstrip())
    if words:
        yield {"text": "\n".join(words)}


def versions() -> dict[str, str]:
    """Those of the peers that are installed."""
    found = {}
    for name in PEERS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Processor and cores."""
    cpu = re.findall(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M) if os.name == "posix" else []
    return f"{cpu[0] if cpu else platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def commit() -> str:
    """This checkout's, with "+" where it was changed since."""

    def git(*args: str) -> str:
        return subprocess.run(["git", "-C", str(ROOT), *args], capture_output=True, text=True, check=False).stdout

    changed = [line for line in git("status", "--porcelain").splitlines() if "benchmarks/results/" not in line]
    return git("rev-parse", "--short=10", "HEAD").strip() + ("+" if changed else "")


def file_of(name: str, quick: bool) -> Path:
    """Where a benchmark's results lie."""
    return RESULTS / f"{name}{'.quick' if quick else ''}.json"


def run(benchmark: Benchmark, quick: bool, at: str) -> bool:
    """Runs one and keeps what it says; whether it succeeded."""
    work = ROOT / "data-work" / "bench" / benchmark.name
    work.mkdir(parents=True, exist_ok=True)
    args = (benchmark.quick if quick else benchmark.full).format(work=work).split()
    load, began = os.getloadavg()[0], time.monotonic()
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "benchmarks" / f"{benchmark.name}.py"), *args]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        print(f"{benchmark.name}: failed with exit code {process.returncode}", file=sys.stderr)
        return False
    kept = {
        "benchmark": benchmark.name,
        "about": benchmark.about,
        "arguments": " ".join(args).replace(str(work), "FOLDER"),
        "quick": quick,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": at,
        "machine": machine(),
        "load_before": round(load, 1),
        "seconds": round(time.monotonic() - began),
        "cpu_seconds": round(used.ru_utime + used.ru_stime),
        "versions": versions(),
        "printed": list(tables(printed)),
    }
    RESULTS.mkdir(exist_ok=True)
    aside = file_of(benchmark.name, quick).with_suffix(".part")
    aside.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    aside.replace(file_of(benchmark.name, quick))
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=[b.name for b in ALL], default=[b.name for b in ALL])
    parser.add_argument("--list", action="store_true", help="only say what would run")
    a = parser.parse_args()
    at, failed, began = commit(), list[str](), time.monotonic()

    def one(benchmark: Benchmark) -> None:
        file = file_of(benchmark.name, a.quick)
        known = json.loads(file.read_text("utf-8")) if file.exists() else {}
        if known.get("commit") == at and "+" not in at:
            print(f"{benchmark.name}: done at this commit already ({file.relative_to(ROOT)})")
            return
        print(f"{benchmark.name} {benchmark.quick if a.quick else benchmark.full}", flush=True)
        if not a.list and not run(benchmark, a.quick, at):
            failed.append(benchmark.name)

    wanted = [b for b in ALL if b.name in a.only]
    for benchmark in (b for b in wanted if b.timed):
        one(benchmark)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, (b for b in wanted if not b.timed)))
    print(f"{time.monotonic() - began:.0f} s; failed: {', '.join(failed) or 'none'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
