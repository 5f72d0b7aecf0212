"""Made-up and damaged files against everything that reads: whatever stands in them, an error of ours or a result.

    python tools/fuzz.py [--minutes 20] [--only NAME ...] [--guided] [--seed 0]

Each reader has its turns in a process of its own that may take 2 GB of address space, and each file 10 CPU seconds.
hypothesis makes the files: good ones with one to six faults, and makes what it finds small. With --guided atheris does
so by what code a file reaches (Linux, a wheel of it; extra `fuzz`). Found is what raises anything but our own errors,
says more than one line, hangs, or dies; the file lies in data-work/fuzz then. Exit code 1 when something was found.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz_targets import TARGETS

ROOT = Path(__file__).parents[1]
FINDS = ROOT / "data-work" / "fuzz"
SLICE_S, FILE_S, BYTES = 40.0, 10, 2 << 30
FOUND, LONGEST_LINE = 3, 3000


def tried(read: Callable[[Path], object], path: Path) -> None:
    """Reads a file; raises what must not come out of it."""
    from face3d.errors import Face3DError

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"still reading after {FILE_S} CPU s")

    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, FILE_S)  # of the processor: the machine may be busy with others
    try:
        read(path)
    except Face3DError as error:
        said = str(error)
        if "\n" in said or len(said) > LONGEST_LINE:
            raise AssertionError(f"says more than one line: {said[:300]!r}") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def damaged(data: bytes, faults: list[tuple[int, str, bytes, int]]) -> bytes:
    """A file with faults; half of them at its head, where counts and types stand."""
    out = bytearray(data)
    for where, kind, word, length in faults:
        at = (where // 2) % max(1, len(out) if where % 2 else min(len(out), 200))
        end = at + length
        if kind == "put":
            out[at : at + len(word)] = word
        elif kind == "insert":
            out[at:at] = word
        elif kind == "cut":
            del out[at:end]
        elif kind == "double":
            out[at:at] = out[at:end]
        elif kind == "end":
            del out[at:]
        elif kind == "number":
            digits = [i for i in range(at, min(end, len(out))) if 48 <= out[i] < 58]
            if digits:
                out[digits[0] : digits[-1] + 1] = word
    return bytes(out)


def child(name: str, seconds: float, seed: int, folder: Path) -> int:
    """Turns of one reader, in this process."""
    import hypothesis.strategies as st
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from test_fuzz import _WORDS

    target, end, count = TARGETS[name], time.monotonic() + seconds, 0
    good = target.seeds(folder)
    for kind, data in good.items():  # as it is, it can be read
        tried(target.read, _placed(folder, kind, data))
    _limit()
    fault = st.tuples(
        st.integers(0, 1 << 20),
        st.sampled_from(["put", "insert", "cut", "double", "end", "number"]),
        st.sampled_from(_WORDS) | st.binary(max_size=8),
        st.integers(1, 40),
    )

    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType] an Enum is a collection
        phases=(Phase.generate, Phase.shrink),
    )
    @given(st.sampled_from(sorted(good)), st.lists(fault, min_size=1, max_size=6))
    def one(kind: str, faults: list[tuple[int, str, bytes, int]]) -> None:
        nonlocal count
        count += 1
        tried(target.read, _placed(folder, kind, damaged(good[kind], faults)))

    turn = 0
    while time.monotonic() < end:
        try:
            seeded(seed * 1_000_003 + turn)(one)()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {str(error)[:300]} ({Path(where.filename).name}:{where.lineno})"
            print(json.dumps({"found": said, "at": f"{where.filename}:{where.lineno}", "count": count}), flush=True)
            return FOUND
        turn += 1
    print(json.dumps({"count": count}), flush=True)
    return 0


def guided(name: str, seconds: float, folder: Path) -> None:
    """The same by atheris: the first byte chooses what a file is called."""
    import atheris  # pyright: ignore[reportMissingImports] of the extra `fuzz`

    with atheris.instrument_imports(  # pyright: ignore[reportAttributeAccessIssue] of the extra `fuzz`
        include=["face3d.io", "face3d.batch", "face3d.measuring.study"]
    ):
        import face3d.batch.discover
        import face3d.io
        import face3d.io.recordings
        import face3d.measuring.study  # noqa: F401
    target = TARGETS[name]
    good = sorted(target.seeds(folder).items())
    corpus = folder / "corpus"
    corpus.mkdir()
    for k, (_, data) in enumerate(good):
        (corpus / f"{k}").write_bytes(bytes([k]) + data)

    def one(data: bytes) -> None:
        if data:
            tried(target.read, _placed(folder, good[data[0] % len(good)][0], data[1:]))

    FINDS.mkdir(parents=True, exist_ok=True)
    how = [
        f"-max_total_time={int(seconds)}",
        f"-artifact_prefix={FINDS}/{name}-",
        "-rss_limit_mb=2500",
        "-max_len=8192",
    ]
    atheris.Setup([sys.argv[0], str(corpus), *how], one)
    atheris.Fuzz()


def _placed(folder: Path, kind: str, data: bytes) -> Path:
    place = folder / "now"
    place.mkdir(exist_ok=True)
    path = place / kind.removeprefix("/") if kind.startswith("/") else place / f"now{kind}"
    path.write_bytes(data)
    return path


def _limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))


def turn(name: str, seconds: float, seed: int, how: list[str]) -> tuple[int, dict[str, Any] | None]:
    """One reader's turn in a process of its own: files tried, and what was found."""
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, __file__, "--child", name, folder, "--seed", str(seed), "--seconds", str(seconds), *how]
        env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        done = subprocess.run(call, capture_output=True, text=True, env=env, check=False, timeout=seconds + 600)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        told: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        if done.returncode == 0:
            runs = re.search(r"Done (\d+) runs", done.stderr)  # libFuzzer's words
            return int(runs.group(1)) if runs else told.get("count", 0), None
        if done.returncode != FOUND:
            told = {"found": f"exit code {done.returncode}: {done.stderr.strip()[-600:]}", "at": str(done.returncode)}
        FINDS.mkdir(parents=True, exist_ok=True)
        kept = FINDS / f"{name}-{seed}"
        shutil.rmtree(kept, ignore_errors=True)
        if (Path(folder) / "now").exists():
            shutil.copytree(Path(folder) / "now", kept)
        return told.get("count", 0), {**told, "kept": str(kept)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--only", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--guided", action="store_true", help="by atheris")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=SLICE_S, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.child:
        if a.guided:
            guided(a.child[0], a.seconds, Path(a.child[1]))
        sys.exit(child(a.child[0], a.seconds, a.seed, Path(a.child[1])))
    if a.guided and importlib.util.find_spec("atheris") is None:
        sys.exit("atheris is not installed here: pip install 'face3d[fuzz]'")
    end, seed, found, tried_files = time.monotonic() + 60 * a.minutes, a.seed, {}, dict.fromkeys(a.only, 0)
    while time.monotonic() < end:
        for name in a.only:
            if (left := end - time.monotonic()) > 5:
                count, said = turn(name, min(SLICE_S, left), seed, ["--guided"] if a.guided else [])
                tried_files[name] += count
                if said is not None and (key := (name, said["at"], said["found"][-60:])) not in found:
                    found[key] = said
                    print(f"{name}: {said['found']}\n  {said['kept']}", flush=True)
        seed += 1
    print(f"files tried: {', '.join(f'{n} {c}' for n, c in tried_files.items())}; found: {len(found)}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
