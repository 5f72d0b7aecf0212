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
    """Vertices (V, 3) in the file's unit, triangles (F, 3), colours (V, 3) uint8, uv (F, 3, 2); `notes` say what of the
    file was left out."""

    vertices: Floats
    faces: Ints = field(default_factory=lambda: np.empty((0, 3), np.int64))
    colors: NDArray[np.uint8] | None = None
    uv: Floats | None = None
    picture: str | bytes | None = None  # a reference relative to the file's folder, or the encoded picture itself
    notes: list[str] = field(default_factory=list)


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


def without_small(sizes: Ints, notes: list[str], *corners: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """`sizes` and each of `corners` (see `fan`) without the polygons of 1 or 2 corners, stray edges and points; a note
    says how many there were. Sizes below 1 are the caller's to refuse."""
    small = sizes < 3
    if not small.any():
        return sizes, *corners
    notes.append(f"{int(small.sum())} faces of 1 or 2 corners are no surface and were left out")
    stays = np.repeat(~small, sizes)
    return sizes[~small], *(c[stays] for c in corners)


def strips(corners: Ints, sizes: Ints) -> Ints:
    """Triangles (F, 3) of triangle strips, one strip after the other in `corners`; every second one is turned, so that
    all are wound as the first. Those that use a vertex twice only join pieces of a strip, and are none."""
    ends = np.cumsum(sizes)
    first = np.setdiff1d(np.arange(max(len(corners) - 2, 0)), np.concatenate([ends - 1, ends - 2]))
    a, b, c = corners[first], corners[first + 1], corners[first + 2]
    odd = (first - np.repeat(ends - sizes, sizes)[first]) % 2 == 1
    triangles = np.column_stack([a, np.where(odd, c, b), np.where(odd, b, c)])
    return triangles[(a != b) & (b != c) & (c != a)]


def color_unit(rgb: ArrayLike, alpha: ArrayLike | None = None) -> float:
    """What full brightness is in colours whose type does not say it: 1, 255 or 65535, by the largest value.

    An opaque `alpha` of 255 tells how colours run, however dark they are; whole numbers up to 1 beside it are 255ths.
    """
    values = np.nan_to_num(np.asarray(rgb, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    if top <= 1.0:
        dark = alpha is not None and float(np.nanmax(alpha)) > 1.0 and bool((values == np.floor(values)).all())
        return 255.0 if dark else 1.0
    if top < 2.0 and (values != np.floor(values)).any():
        return 1.0  # a little over white
    return 255.0 if top <= 256.0 else 65535.0


def colors_from(values: ArrayLike, unit: float) -> NDArray[np.uint8]:
    """(V, 3) uint8 colours from values that run from 0 to `unit`; what is outside, or not a number, is clipped."""
    scaled = np.nan_to_num(np.asarray(values, np.float64) * (255.0 / unit), nan=0.0, posinf=255.0, neginf=0.0)
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)
