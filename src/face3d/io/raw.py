"""What every mesh parser hands back, before units: the file's own numbers, order and count."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from face3d.errors import ScanError
from face3d.scan import Floats, Ints

# A face scan has at most a few million points. Beyond this a file is damaged or something else, and would not fit the
# memory that an analysis may take; refused before anything of that size is allocated.
MAX_VERTICES = 5_000_000
MAX_FACES = 10_000_000


@dataclass(eq=False)
class RawMesh:
    """Vertices (V, 3) in the file's unit, triangles (F, 3), colours (V, 3) uint8, uv (F, 3, 2)."""

    vertices: Floats
    faces: Ints = field(default_factory=lambda: np.empty((0, 3), np.int64))
    colors: NDArray[np.uint8] | None = None
    uv: Floats | None = None
    picture: str | bytes | None = None  # a reference relative to the file's folder, or the encoded picture itself


def check_counts(name: str, vertices: int, faces: int = 0) -> None:
    """Raise `ScanError` when there are more vertices or faces than a face scan can have."""
    for what, count, limit in (("vertices", vertices, MAX_VERTICES), ("faces", faces, MAX_FACES)):
        if count > limit:
            raise ScanError(f"{name}: {count} {what}; at most {limit} are read; decimate the scan first")


def fan(corners: ArrayLike, sizes: ArrayLike) -> tuple[Ints, Ints]:
    """Triangles of polygons, each as a fan around its first corner, in the polygons' order.

    `corners` (sum of sizes,) are the polygons' vertex ids one after the other, `sizes` (P,) >= 3 their corner counts.
    Returns positions into `corners` (F, 3), so that what lies beside the corners (uv) can follow, and the polygon (F,)
    each triangle came from.
    """
    n = np.asarray(sizes, np.int64)
    count = len(np.asarray(corners))
    if (n == 3).all():
        return np.arange(count, dtype=np.int64).reshape(-1, 3), np.arange(len(n), dtype=np.int64)
    first = np.cumsum(n) - n
    triangles = n - 2
    polygon = np.repeat(np.arange(len(n), dtype=np.int64), triangles)
    step = np.arange(len(polygon), dtype=np.int64) - (np.cumsum(triangles) - triangles)[polygon]
    a = first[polygon]
    return np.column_stack([a, a + step + 1, a + step + 2]), polygon


def colors_from(values: ArrayLike, unit: float) -> NDArray[np.uint8]:
    """(V, 3) uint8 colours from values that run from 0 to `unit`; what is outside, or not a number, is clipped."""
    scaled = np.nan_to_num(np.asarray(values, np.float64) * (255.0 / unit), nan=0.0, posinf=255.0, neginf=0.0)
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)
