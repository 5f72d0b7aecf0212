"""What `fuzz.py` reads: of each kind of file good ones to begin with, and what is called with a damaged one."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
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
