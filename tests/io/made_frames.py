"""Small recordings whose every vertex is known: a dome as large as a face, that rises by a millimetre a frame."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from face3d.io import write_scan
from face3d.io.interop import to_trimesh
from face3d.scan import FaceScan


def dome(rise: float = 0.0, points: int = 12) -> FaceScan:
    """`points` squared vertices on 140 x 200 mm, `rise` mm higher than at first."""
    x, y = np.meshgrid(np.linspace(-70, 70, points), np.linspace(-100, 100, points))
    x, y = x.ravel(), y.ravel()
    at = np.arange(points * points).reshape(points, points)
    a, b, c, d = (part.ravel() for part in (at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]))
    faces = np.vstack([np.column_stack([a, b, c]), np.column_stack([a, c, d])])
    return FaceScan(np.column_stack([x, y, 50 - 0.004 * (x**2 + y**2) + rise]), faces)


def shapes(count: int, points: int = 12) -> np.ndarray:
    """(count, V, 3) float32 mm."""
    return np.stack([dome(k, points).vertices for k in range(count)]).astype(np.float32)


def write_frames(folder: Path, count: int, suffix: str = ".ply", first: int = 0, step: int = 1) -> Path:
    """`count` numbered files."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        file = folder / f"frame_{first + step * k:04d}{suffix}"
        if suffix == ".glb":  # of another hand
            to_trimesh(dome(k)).export(file)
        else:
            write_scan(file, dome(k))
    return folder


def pc2(vertices: np.ndarray, samples: int | None = None, points: int | None = None) -> bytes:
    """A PointCache2, as its description has it; `samples`, `points` what the header claims."""
    count = vertices.shape[:2]
    claimed = (points or count[1], 0.0, 1.0, samples or count[0])
    return struct.pack("<12siiffi", b"POINTCACHE2\0", 1, *claimed) + vertices.astype("<f4").tobytes()


def mdd(vertices: np.ndarray, times: np.ndarray) -> bytes:
    """An MDD."""
    count = vertices.shape[:2]
    return struct.pack(">ii", *count) + times.astype(">f4").tobytes() + vertices.astype(">f4").tobytes()


CAMERA = {"fx": 100.0, "fy": 100.0, "cx": 31.5, "cy": 23.5, "width": 64, "height": 48, "depth_unit_mm": 0.1}


def write_depth(folder: Path, count: int = 3, camera: dict | None = None, **changes: object) -> Path:
    """A plane that faces the camera, 400 mm away and 1 mm nearer each frame, on the middle of the picture."""
    (folder / "depth").mkdir(parents=True)
    for k in range(count):
        depth = np.zeros((48, 64), np.uint16)
        depth[8:40, 12:52] = 10 * (400 - k)
        Image.fromarray(depth).save(folder / "depth" / f"{k:06d}.png")
    (folder / "camera.json").write_text(json.dumps({**(camera or CAMERA), **changes}))
    return folder
