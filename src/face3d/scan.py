"""The values that flow through face3d: frozen, changed with `replace()`, their arrays copied and locked."""

from __future__ import annotations

import html
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


@dataclass(frozen=True, eq=False, repr=False)
class Texture(Value):
    """A colour picture wrapped over a scan. `image` (H, W, 3) uint8, first row on top; `uv` (F, 3, 2), v upwards."""

    image: NDArray[np.uint8]
    uv: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", locked(self.image, np.uint8))
        object.__setattr__(self, "uv", locked(self.uv))

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        return f"Texture({width} x {height} pixels on {len(self.uv):,} triangles)"


@dataclass(frozen=True, eq=False, repr=False)
class FaceScan(Value):
    """One surface as a scanner delivered it.

    `vertices` (V, 3) float64 mm in the scan's own coordinates and in the file's order, a row of NaN where a depth
    camera saw nothing; `faces` (F, 3) int64, counter-clockwise seen from outside, F = 0 for a point cloud; `landmarks`
    name -> (3,) mm, named as in `face3d.landmarks`; `colors` (V, 3) uint8 or None; `units_note` says how millimetres
    were arrived at, `notes` what of the file was left out; `values` name -> (V,) or (V, 3) numbers that came along.
    Raises `ScanError` if shapes, indices or coordinates are not usable.
    """

    vertices: Floats
    faces: Ints = field(default_factory=lambda: np.empty((0, 3), np.int64))
    landmarks: Mapping[str, Floats] = field(default_factory=dict)
    colors: NDArray[np.uint8] | None = None
    texture: Texture | None = None
    name: str = "scan"
    units_note: str = "taken as millimetres"
    notes: tuple[str, ...] = ()
    values: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        vertices, faces = locked(self.vertices), locked(self.faces, np.int64)
        if vertices.ndim != 2 or vertices.shape[1] != 3 or not len(vertices):
            raise ScanError(f"{self.name}: vertices have shape {vertices.shape}; expected (V, 3) with V >= 1")
        if faces.ndim != 2 or faces.shape[1] != 3:
            raise ScanError(f"{self.name}: faces have shape {faces.shape}; expected (F, 3)")
        if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
            raise ScanError(
                f"{self.name}: a face refers to vertex {int(faces.min() if faces.min() < 0 else faces.max())}, "
                f"but there are {len(vertices)} vertices"
            )
        _check_finite(self.name, vertices, faces)
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
        object.__setattr__(self, "notes", tuple(self.notes))
        carried = {str(k): locked(v) for k, v in self.values.items()}
        for key, numbers in carried.items():
            if numbers.ndim not in (1, 2) or len(numbers) != len(vertices):
                raise ScanError(f"{self.name}: values {key!r} have shape {numbers.shape}; expected ({len(vertices)},)")
        object.__setattr__(self, "values", MappingProxyType(carried))

    @property
    def present(self) -> NDArray[np.bool_]:
        """(V,) which vertices have coordinates; the others are rows of NaN that no triangle uses."""
        return ~np.isnan(self.vertices[:, 0])

    def replace(self, **changes: Any) -> FaceScan:
        """A new scan with the named fields changed. Of other vertices the old ones' values say nothing: they go."""
        if len(changes.get("vertices", self.vertices)) != len(self.vertices):
            changes = {"values": {}, **changes}
        return replace(self, **changes)

    def moved(self, transform: RigidTransform) -> FaceScan:
        """The scan after a rigid motion: vertices and landmarks move together."""
        return self.replace(
            vertices=transform.apply(self.vertices),
            landmarks={k: transform.apply(v) for k, v in self.landmarks.items()},
        )

    def _facts(self) -> dict[str, str]:
        present = self.present
        missing = int((~present).sum())
        x, y, z = np.ptp(self.vertices[present], axis=0)
        facts = {
            "vertices": f"{len(self.vertices):,}" + (f", {missing:,} of them without coordinates" if missing else ""),
            "triangles": f"{len(self.faces):,}" if len(self.faces) else "none: a point cloud",
            "extent": f"{x:.1f} x {y:.1f} x {z:.1f} mm",
            "units": self.units_note,
            "colours": "no" if self.colors is None else "yes",
            "texture": "no" if self.texture is None else "yes",
            "landmarks": str(len(self.landmarks) or "none"),
        }
        if self.notes:
            more = len(self.notes) - _NOTES_SHOWN
            facts["notes"] = "; ".join(self.notes[:_NOTES_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        return {key: value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..." for key, value in facts.items()}

    def __repr__(self) -> str:
        return f"FaceScan({self.name[:_SHOWN]!r}: {'; '.join(f'{k}: {v}' for k, v in self._facts().items())})"

    def _repr_html_(self) -> str:
        """How a notebook shows it: a table of facts."""
        rows = "".join(f"<tr><th>{key}</th><td>{html.escape(text)}</td></tr>" for key, text in self._facts().items())
        return f"<table><caption>{html.escape(self.name[:_SHOWN])}</caption>{rows}</table>"


# Letters of a fact, and notes, that are shown of a scan.
_SHOWN, _NOTES_SHOWN = 300, 5


def missing_note(present: NDArray[np.bool_]) -> str:
    """What is said of a scan with points that are not `present` (see `FaceScan.present`)."""
    return f"{int((~present).sum()):,} of {len(present):,} points have no coordinates (NaN): kept as rows, not measured"


def _check_finite(name: str, vertices: Floats, faces: Ints) -> None:
    """Raise `ScanError` unless each vertex has all three coordinates, or none and no triangle that uses it."""
    finite = np.isfinite(vertices)
    if finite.all():
        return
    missing = np.asarray(np.isnan(vertices).all(axis=1))
    wrong = ~finite.all(axis=1) & ~missing
    if wrong.any():
        bad = int(np.flatnonzero(wrong)[0])
        raise ScanError(f"{name}: vertex {bad} is {vertices[bad].tolist()}; coordinates must be finite, or all NaN")
    if missing.all():
        raise ScanError(f"{name}: none of the {len(vertices)} vertices has coordinates")
    used = missing[faces].any(axis=1)
    if used.any():
        face = int(np.flatnonzero(used)[0])
        bad = int(faces[face][missing[faces[face]]][0])
        raise ScanError(f"{name}: triangle {face} refers to vertex {bad}, which has no coordinates (NaN)")
