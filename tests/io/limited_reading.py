"""Reading files in a child process that may take 5 s and 1 GB for each, and is watched for what it opens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS, BYTES = 5, 1 << 30

_CHILD = """
import json, os, resource, signal, sys
import PIL.Image, face3d.io.gltf, face3d.io.vtp, face3d.io
PIL.Image.init()
from face3d.errors import Face3DError
opened = []
def watch(event, args):
    if event == "open" and isinstance(args[0], str) and not args[0].startswith(tuple(sys.path[1:])):
        opened.append(os.fsdecode(args[0]))
sys.addaudithook(watch)
resource.setrlimit(resource.RLIMIT_AS, ({bytes}, {bytes}))
for path in json.load(sys.stdin):
    opened.clear()
    print(json.dumps({{"path": path}}), flush=True)
    signal.setitimer(signal.ITIMER_REAL, {seconds})
    try:
        scan = face3d.io.read_scan(path, units={units!r}, texture={texture!r})
        result = {{"vertices": len(scan.vertices), "faces": len(scan.faces), "texture": scan.texture is not None}}
    except Face3DError as error:
        result = {{"error": type(error).__name__, "message": str(error)}}
    except BaseException as error:
        result = {{"error": type(error).__name__, "message": repr(error), "defect": True}}
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps(result | {{"opened": opened}}), flush=True)
"""


@dataclass(frozen=True)
class Outcome:
    """What became of one file: counts, or the error's type and message; `defect`: not one of ours, or a crash."""

    path: Path
    vertices: int = 0
    faces: int = 0
    texture: bool = False
    error: str = ""
    message: str = ""
    defect: bool = False
    opened: tuple[str, ...] = ()


def read_limited(paths: Sequence[Path], units: str = "mm", texture: bool = True) -> list[Outcome]:
    """The outcome of reading each file; the child is started again behind a file that killed it."""
    script = _CHILD.format(bytes=BYTES, seconds=SECONDS, units=units, texture=texture)
    # One thread: each further one reserves address space that the limit would count.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    out: list[Outcome] = []
    while len(out) < len(paths):
        rest = [str(p) for p in paths[len(out) :]]
        child = subprocess.run(
            [sys.executable, "-c", script], input=json.dumps(rest), capture_output=True, text=True, env=environment
        )
        lines = [json.loads(line) for line in child.stdout.splitlines()]
        for asked, answer in zip(lines[::2], lines[1::2], strict=False):
            out.append(Outcome(Path(asked["path"]), **answer | {"opened": tuple(answer["opened"])}))
        if len(lines) % 2:
            out.append(Outcome(Path(lines[-1]["path"]), error="killed", message=f"{child.returncode}", defect=True))
        elif child.returncode:
            raise RuntimeError(child.stderr[-2000:])
    return out
