"""What a depth camera's picture means in space: its intrinsics, in the conventions in which programs write them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face3d.errors import ScanError
from face3d.io import guard
from face3d.io.units import Unit, to_millimetres

_LIMIT_BYTES = 4 << 20
# Depth cameras for faces see 20 to 130 degrees across: focal lengths of 0.23 to 2.8 pictures. What lies beyond is in
# another unit, of another picture, or damage.
_SHORTEST, _LONGEST = 0.2, 4.0


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: `width` x `height` pixels, focal lengths `fx`, `fy` and centre `cx`, `cy` in pixels (the middle
    of the first pixel is 0, 0), `unit` the millimetres in a step of the depth picture; `source` names its file."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    unit: Unit
    source: str

    def check(self, name: str, width: int, height: int) -> None:
        """Raise `ScanError` unless the picture `name` of `width` x `height` pixels is one of this camera."""
        if (width, height) != (self.width, self.height):
            raise ScanError(
                f"{name}: {width} x {height} pixels; the intrinsics in {self.source} are of {self.width} x "
                f"{self.height}: give those of the depth stream as it was written"
            )


def read_camera(file: Path, units: str | float = "auto") -> Camera:
    """The camera that a JSON file describes: flat (fx, fy, cx, cy or ppx, ppy, width, height), as a matrix (open3d's
    `intrinsic_matrix`, Record3D's `K` with w, h, Apple's `intrinsicMatrix` with its reference dimensions).

    The depth unit is `depth_unit_mm`, `depth_scale` (RealSense: metres in a step; open3d: steps in a metre), or
    `units`: millimetres in a step. Raises `ScanError` when something is missing or cannot be a depth camera's.
    """
    values = camera_fields(file)
    name = str(file)
    fx, fy, cx, cy = _focal(name, values)
    width, height = (_number(name, values, *keys) for keys in (("width", "w"), ("height", "h")))
    reference = values.get("intrinsicMatrixReferenceDimensions") or values.get("reference_dimensions")
    if reference is not None:  # Apple: of the full sensor; pictures of the same shape are it, scaled
        listed = isinstance(reference, list) and len(reference) == 2
        sizes: dict[str, Any] = {"width": reference[0], "height": reference[1]} if listed else {}
        sizes = reference if isinstance(reference, dict) else sizes
        full = [_number(f"{name}: its reference dimensions", sizes, key) for key in ("width", "height")]
        scale = width / full[0]
        if abs(height / full[1] - scale) > 0.01 * scale:
            raise ScanError(
                f"{file}: reference dimensions {full} and the picture's, {width:g} x {height:g}, differ in shape"
            )
        fx, fy, cx, cy = fx * scale, fy * scale, (cx + 0.5) * scale - 0.5, (cy + 0.5) * scale - 0.5
    for label, focal, size in (("fx", fx, width), ("fy", fy, height)):
        if not _SHORTEST * size < focal < _LONGEST * size:
            raise ScanError(
                f"{file}: {label} is {focal:g} for {size:g} pixels; a depth camera has {_SHORTEST} to {_LONGEST} "
                "times its pixels: intrinsics of another picture?"
            )
    if not (0 < cx < width and 0 < cy < height):
        raise ScanError(f"{file}: the centre ({cx:g}, {cy:g}) lies outside of {width:g} x {height:g} pixels")
    if not (0.5 < fx / fy < 2):
        raise ScanError(f"{file}: fx {fx:g} and fy {fy:g} are not of one camera")
    bent = values.get("coeffs") or values.get("distortion") or [0.0]
    if not isinstance(bent, list) or not all(isinstance(c, int | float) and abs(c) <= 1e-6 for c in bent):
        raise ScanError(f"{file}: has lens distortion, which is not undone here; write the depth pictures undistorted")
    return Camera(int(width), int(height), fx, fy, cx, cy, _unit(file, values, units), file.name)


def camera_fields(file: Path) -> dict[str, Any]:
    """What the file says, `depth_intrinsics` or `intrinsics` within it taken out."""
    try:
        values = json.loads(guard.read_bytes(file, _LIMIT_BYTES))
    except (ValueError, RecursionError) as error:
        raise ScanError(f"{file}: not JSON ({error})") from None
    if not isinstance(values, dict):
        raise ScanError(f"{file}: holds a JSON {type(values).__name__}; expected an object with fx, fy, cx, cy")
    inner = next(
        (values[k] for k in ("depth_intrinsics", "depth", "intrinsics") if isinstance(values.get(k), dict)), {}
    )
    return {**values, **inner}


def _focal(name: str, values: dict[str, Any]) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy; a matrix may run along its rows or its columns: the last row is 0, 0, 1."""
    matrix = next(
        (values[k] for k in ("intrinsic_matrix", "intrinsicMatrix", "K", "camera_matrix") if k in values), None
    )
    if matrix is None:
        keys = (("fx",), ("fy",), ("cx", "ppx"), ("cy", "ppy"))
        fx, fy, cx, cy = (_number(name, values, *k) for k in keys)
        return fx, fy, cx, cy
    try:
        k = np.array(matrix, np.float64).reshape(3, 3)
    except (TypeError, ValueError, OverflowError):
        raise ScanError(f"{name}: its matrix is no 3 x 3 of numbers") from None
    k = k.T if k[0, 2] == 0 and k[2, 0] != 0 else k
    if not np.isfinite(k).all() or k[2].tolist() != [0, 0, 1]:
        raise ScanError(f"{name}: its matrix {k.tolist()} is no camera's: rows fx 0 cx, 0 fy cy, 0 0 1")
    return float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])


def _number(name: str, values: dict[str, Any], *keys: str) -> float:
    value = next((values[k] for k in keys if k in values), None)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise ScanError(
            f"{name}: {keys[0]} is {value!r}; expected pixels above 0"
            if value is not None
            else f"{name}: has no {keys[0]}"
        )
    return float(value)


def _unit(file: Path, values: dict[str, Any], units: str | float) -> Unit:
    if units != "auto":
        factor = to_millimetres(str(file), np.zeros((1, 3)), units).factor
        return Unit(factor, f"{factor:g} mm in a step of the depth pictures: as given")
    for key in ("depth_unit_mm", "depth_scale", "depth_units"):
        if key in values:
            value = _number(str(file), values, key)
            step = value if key == "depth_unit_mm" else 1000.0 * value if value < 1 else 1000.0 / value
            if not 0.001 <= step <= 10:
                raise ScanError(f"{file}: {key} {value:g} makes a step {step:g} mm; depth cameras have 0.001 to 10")
            return Unit(step, f"{step:g} mm in a step of the depth pictures: {key} {value:g} in {file.name}")
    raise ScanError(
        f'{file}: does not say what a step of depth is: add "depth_unit_mm" (RealSense and Kinect: 1), or give units=1'
    )
