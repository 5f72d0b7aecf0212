"""What every mesh parser hands back, before units: the file's own numbers, order and count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from face3d.errors import ScanError
from face3d.scan import Floats, Ints

# A face scan has at most a few million points. Beyond this a file is damaged or something else, and would not fit the
# memory that an analysis may take; refused before anything of that size is allocated.
MAX_VERTICES = 4_000_000
MAX_FACES = 8_000_000


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


def fan(name: str, corners: NDArray[Any], sizes: Ints) -> NDArray[Any]:
    """Triangles of polygons (F, 3, ...), each polygon as a fan around its first corner, in the polygons' order.

    `corners` (sum of sizes, ...) is what the polygons have at their corners, one polygon after the other: vertex ids,
    or uv; `sizes` (P,) >= 3 are their corner counts. Raises `ScanError` when there are too many.
    """
    check_counts(name, 0, int((sizes - 2).sum()))
    if (sizes == 3).all():
        return corners.reshape(-1, 3, *corners.shape[1:])
    triangles = sizes - 2
    first = np.repeat(np.cumsum(sizes) - sizes, triangles)
    step = np.arange(len(first)) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    return corners[np.column_stack([first, first + step + 1, first + step + 2])]


def colors_from(values: ArrayLike, unit: float) -> NDArray[np.uint8]:
    """(V, 3) uint8 colours from values that run from 0 to `unit`; what is outside, or not a number, is clipped."""
    scaled = np.nan_to_num(np.asarray(values, np.float64) * (255.0 / unit), nan=0.0, posinf=255.0, neginf=0.0)
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)
