"""The values that flow through face3d: frozen, changed with `replace()`, their arrays copied and locked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import RigidTransform

from face3d.errors import ScanError
from face3d.values import Value, locked

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Texture(Value):
    """A colour picture wrapped over a scan. `image` (H, W, 3) uint8, first row on top; `uv` (F, 3, 2), v upwards."""

    image: NDArray[np.uint8]
    uv: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", locked(self.image, np.uint8))
        object.__setattr__(self, "uv", locked(self.uv))


@dataclass(frozen=True, eq=False)
class FaceScan(Value):
    """One surface as a scanner delivered it.

    `vertices` (V, 3) float64 mm in the scan's own coordinates and in the file's order; `faces` (F, 3) int64,
    counter-clockwise seen from outside, F = 0 for a point cloud; `landmarks` name -> (3,) mm, named as in
    `face3d.landmarks`; `colors` (V, 3) uint8 or None; `units_note` says how millimetres were arrived at.
    Raises `ScanError` if shapes, indices or coordinates are not usable.
    """

    vertices: Floats
    faces: Ints = field(default_factory=lambda: np.empty((0, 3), np.int64))
    landmarks: Mapping[str, Floats] = field(default_factory=dict)
    colors: NDArray[np.uint8] | None = None
    texture: Texture | None = None
    name: str = "scan"
    units_note: str = "taken as millimetres"

    def __post_init__(self) -> None:
        vertices, faces = locked(self.vertices), locked(self.faces, np.int64)
        if vertices.ndim != 2 or vertices.shape[1] != 3 or not len(vertices):
            raise ScanError(f"{self.name}: vertices have shape {vertices.shape}; expected (V, 3) with V >= 1")
        if faces.ndim != 2 or faces.shape[1] != 3:
            raise ScanError(f"{self.name}: faces have shape {faces.shape}; expected (F, 3)")
        if not np.isfinite(vertices).all():
            bad = int(np.flatnonzero(~np.isfinite(vertices).all(axis=1))[0])
            raise ScanError(f"{self.name}: vertex {bad} is {vertices[bad].tolist()}; coordinates must be finite")
        if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
            raise ScanError(
                f"{self.name}: a face refers to vertex {int(faces.min() if faces.min() < 0 else faces.max())}, "
                f"but there are {len(vertices)} vertices"
            )
        if self.colors is not None:
            colors = locked(self.colors, np.uint8)
            if colors.shape != vertices.shape:
                raise ScanError(f"{self.name}: colors have shape {colors.shape}; expected {vertices.shape}")
            object.__setattr__(self, "colors", colors)
        marks = {str(k): locked(v) for k, v in self.landmarks.items()}
        for mark, point in marks.items():
            if point.shape != (3,) or not np.isfinite(point).all():
                raise ScanError(f"{self.name}: landmark {mark!r} is {point.tolist()}; expected three finite numbers")
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "faces", faces)
        object.__setattr__(self, "landmarks", MappingProxyType(marks))

    def replace(self, **changes: Any) -> FaceScan:
        """A new scan with the named fields changed."""
        return replace(self, **changes)

    def moved(self, transform: RigidTransform) -> FaceScan:
        """The scan after a rigid motion: vertices and landmarks move together."""
        return self.replace(
            vertices=transform.apply(self.vertices),
            landmarks={k: transform.apply(v) for k, v in self.landmarks.items()},
        )
