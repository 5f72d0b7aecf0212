"""Made-up and damaged files against everything that reads: whatever stands in them, an error of ours or a result.

    python tools/fuzz.py [--minutes 20] [--only NAME ...] [--guided] [--seed 0]

Each reader has its turns in a process of its own that may take 2 GB of address space, and each file 10 CPU seconds.
hypothesis makes the files: good ones with one to six faults, and makes what it finds small. With --guided atheris does
so by what code a file reaches (Linux, a wheel of it; extra `fuzz`). Found is what raises anything but our own errors,
says more than one line, hangs, or dies; the file lies in data-work/fuzz then. Exit code 1 when something was found.
"""

from __future__ import annotations

import argparse
import contextlib
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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[1]
FINDS = ROOT / "data-work" / "fuzz"
SLICE_S, FILE_S, BYTES = 40.0, 10, 2 << 30
FOUND, LONGEST_LINE = 3, 3000
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "io")]


@dataclass(frozen=True)
class Target:
    """`seeds` folder -> end of a file's name -> a good one; `read` is called with a file of such a name."""

    seeds: Callable[[Path], Mapping[str, bytes]]
    read: Callable[[Path], object]


def scans(folder: Path) -> Mapping[str, bytes]:
    from test_fuzz import seeds

    return seeds(folder)


def landmarks(folder: Path) -> Mapping[str, bytes]:
    from test_landmark_fuzz import seeds

    return {kind: data for kind, data in seeds(folder).items() if kind not in (".tps", ".npy")}


def recordings(folder: Path) -> Mapping[str, bytes]:
    import io
    import struct

    import numpy as np

    t = np.arange(4, dtype=np.float32)[:, None, None]
    points = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32) * 60 + t
    faces = np.array([[0, 1, 2], [2, 3, 4]])
    packed = io.BytesIO()
    np.savez(packed, vertices=points, faces=faces, fps=30.0)
    plain = io.BytesIO()
    np.save(plain, points)
    lines = [json.dumps({"timestamp": k / 60, "vertices": p.tolist()}) for k, p in enumerate(points)]
    flat = "\n".join(",".join(f"{v:.3f}" for v in [k / 60, *p.ravel()]) for k, p in enumerate(points))
    return {
        ".npz": packed.getvalue(),
        ".npy": plain.getvalue(),
        ".pc2": struct.pack("<12siiffi", b"POINTCACHE2\0", 1, 5, 0.0, 1.0, 4) + points.tobytes(),
        ".mdd": struct.pack(">ii", 4, 5) + np.arange(4, dtype=">f4").tobytes() + points.astype(">f4").tobytes(),
        ".jsonl": "\n".join(lines).encode(),
        ".json": f"[{','.join(lines)}]".encode(),
        ".csv": flat.encode(),
    }


def markers(folder: Path) -> Mapping[str, bytes]:
    import ezc3d
    import numpy as np

    made = ezc3d.c3d()
    made["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    made["parameters"]["POINT"]["LABELS"]["value"] = ["ch_left", "ch_right", "prn"]
    data = np.ones((4, 3, 6))
    data[:3] = np.random.default_rng(0).normal(size=(3, 3, 6)) * 60
    made["data"]["points"] = data
    made.write(str(folder / "seed.c3d"))
    table = "time,ch_left_x,ch_left_y,ch_left_z,prn_x,prn_y,prn_z\n"
    table += "".join(f"{k / 50},{k},2,3,4,5,60\n" for k in range(6))
    vicon = "Trajectories\n100\n,,a,,,b,,\nFrame,Sub Frame,X,Y,Z,X,Y,Z\n,,mm,mm,mm,mm,mm,mm\n"
    vicon += "".join(f"{k},0,{k},2,3,4,5,90\n" for k in range(1, 6))
    live = "Timecode,BlendShapeCount,EyeBlinkLeft,EyeBlinkRight\n"
    live += "".join(f"00:00:01:{k:02d}.000,2,0.{k},0.2\n" for k in range(9))
    return {
        ".c3d": (folder / "seed.c3d").read_bytes(),
        ".csv": table.encode(),
        "_vicon.csv": vicon.encode(),
        "_live.csv": live.encode(),
    }


def exams(folder: Path) -> Mapping[str, bytes]:
    whole = {
        "subject": "p1",
        "visit": "pre",
        "date": "2024-05-06",
        "affected_side": "left",
        "units": "mm",
        "scans": {"rest": "rest.ply", "open_smile": {"path": "smile.ply", "units": "m", "landmarks": "a.fcsv"}},
        "landmarks": {"rest": "rest.fcsv"},
        "sequences": {"open_smile": {"path": "s.pc2", "fps": 60, "base": "b.obj", "markers": {"a": "prn"}}},
        "grades": {"house_brackmann": 3, "sunnybrook_composite": 50},
        "device": "x",
    }
    return {"/exam.json": json.dumps(whole).encode()}


def manifests(folder: Path) -> Mapping[str, bytes]:
    import pandas as pd

    table = pd.DataFrame(
        {"path": ["a.ply", "p1", "s.pc2"], "subject": ["a", "b", None], "kind": ["", "exam", ""], "fps": ["", "", "60"]}
    )
    table.to_parquet(folder / "m.parquet")
    return {".csv": table.to_csv(index=False).encode(), ".parquet": (folder / "m.parquet").read_bytes()}


def tables(folder: Path) -> Mapping[str, bytes]:
    header = "subject,visit,measure,expression,region,side,value,unit,uncertainty,status,source,arm\n"
    moved = "recording,subject,visit,movement,expression,measure,region,side,value,unit,cutoff_hz,status,source\n"
    rows = "".join(f"s{k},{v},m,rest,eye,left,{k}.5,mm,0.1,ok,face3d,x\n" for k in range(6) for v in "ab")
    return {
        ".csv": (header + rows).encode(),
        "_kinematics.csv": (moved + "r,s1,a,1,smile,peak,ch,left,3.5,mm,10,ok,face3d\n").encode(),
    }


def settings_files(folder: Path) -> Mapping[str, bytes]:
    shipped = ROOT / "src" / "face3d" / "data"
    return {
        f"_{name}": (shipped / name).read_bytes() for name in ("repeatability.json", "norms.json", "end_points.json")
    }


def cameras(folder: Path) -> Mapping[str, bytes]:
    camera = {"width": 640, "height": 480, "fx": 590.0, "fy": 590.0, "cx": 319.5, "cy": 239.5, "depth_unit_mm": 0.1}
    matrix = {"width": 640, "height": 480, "intrinsic_matrix": [590, 0, 0, 0, 590, 0, 319, 239, 1], "depth_scale": 1000}
    return {".json": json.dumps({**camera, "fps": 30}).encode(), "_matrix.json": json.dumps(matrix).encode()}


def _read_recording(path: Path) -> None:
    from face3d.io.recordings import read_recording
    from face3d.io.sequence import Sequence

    base = path.with_name("base.obj")
    if not base.exists():
        base.write_text("".join(f"v {k} {k * k} 1\n" for k in range(5)) + "f 1 2 3\nf 3 4 5\n")
    found = read_recording(path, 30.0, 1.0, base if path.suffix in (".pc2", ".mdd", ".npy", ".jsonl") else None)
    if isinstance(found, Sequence):
        for frame, _ in zip(found, range(50), strict=False):
            assert frame.lost == bool(frame.reason)


def _read_exam(path: Path) -> None:
    from face3d.io.exam import reading

    for name in ("rest.ply", "smile.ply", "a.fcsv", "rest.fcsv", "s.pc2", "b.obj"):
        path.with_name(name).touch()
    reading(path)


def _read_manifest(path: Path) -> None:
    from face3d.batch.discover import discover

    discover(str(path))


def _read_table(path: Path) -> None:
    from face3d.measuring.study import read_table
    from face3d.measuring.two_visits import group_change

    group_change(read_table(path), "a", "b", 2)


def _read_settings(path: Path) -> None:
    from face3d.measuring.end_points import load_end_points
    from face3d.reference.norms import load_norms
    from face3d.reference.repeatability import load_repeatability

    load = load_norms if "norms" in path.name else load_end_points if "end_points" in path.name else load_repeatability
    load(path)


def _read_scan(path: Path) -> None:
    from face3d.io import read_scan

    scan = read_scan(path, units="mm")
    assert len(scan.vertices)


def _read_landmarks(path: Path) -> None:
    from face3d.io import read_landmarks

    assert read_landmarks(path)


def _read_camera(path: Path) -> None:
    from face3d.io.depth_camera import read_camera

    read_camera(path)


def _read_result(path: Path) -> None:
    from face3d.report.reading import read_measures

    read_measures(path)


def results(folder: Path) -> Mapping[str, bytes]:
    import numpy as np

    from face3d.measuring.exam_measures import measure_vertices
    from face3d.report.exam_result import exam_result
    from face3d.simulate.head import HeadModel
    from palsy import face

    model = HeadModel.load()
    rest, moved = face(model, np.random.default_rng(1), 0.3)
    m = measure_vertices(rest, {"open_smile": moved["open_smile"]}, model, "left", "p1", "pre")
    return {"/result.json": exam_result(m, None).to_json().encode()}


def uploads(folder: Path) -> Mapping[str, bytes]:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("p1/pre/rest.ply", "ply\n" * 50)
        out.writestr("p1/pre/exam.json", '{"subject": "p1", "scans": {"rest": "rest.ply"}}')
        out.writestr("__MACOSX/._rest.ply", "x")
    part = '--x\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
    form = part.format("csrf", "", "token") + part.format("subject", "", "p 1")
    form += part.format("files", '; filename="rest.ply"', "ply\n") + "--x--\r\n"
    return {".zip": packed.getvalue(), ".form": form.encode()}


def _read_upload(path: Path) -> None:
    import asyncio

    from face3d.app.receive import Bounds, RefusedError, received
    from face3d.app.unpack import Room, unpack

    target = path.parent / "laid"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    if path.suffix == ".zip":
        unpack(path, target, Room())
    else:
        data = path.read_bytes()
        parts = [data[k : k + 50] for k in range(0, len(data), 50)] or [b""]

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        said = {"content-type": "multipart/form-data; boundary=x"}
        with contextlib.suppress(RefusedError):
            asyncio.run(received(said, receive, target, Bounds(spare=0), "token"))
    outside = [f for f in path.parent.iterdir() if f not in (path, target) and f.suffix not in (".zip", ".form")]
    assert not outside, f"laid down outside of its folder: {outside[0].name}"


TARGETS: Mapping[str, Target] = {
    "scans": Target(scans, _read_scan),
    "landmarks": Target(landmarks, _read_landmarks),
    "recordings": Target(recordings, _read_recording),
    "markers": Target(markers, _read_recording),
    "exams": Target(exams, _read_exam),
    "manifests": Target(manifests, _read_manifest),
    "tables": Target(tables, _read_table),
    "settings": Target(settings_files, _read_settings),
    "cameras": Target(cameras, _read_camera),
    "results": Target(results, _read_result),
    "uploads": Target(uploads, _read_upload),
}


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
