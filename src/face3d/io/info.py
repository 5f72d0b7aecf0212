"""What a scan is, before anything is measured on it."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from face3d.errors import ScanError
from face3d.io.read import read_scan
from face3d.scan import FaceScan, missing_note


@dataclass(frozen=True)
class Info:
    """Facts of one scan. `parts`: pieces that no triangle connects (0 for a point cloud); `spacing_mm`: median edge
    of the triangles, or median distance to the nearest neighbour in a point cloud; `extent_mm` along x, y, z;
    `missing`: vertices without coordinates; `notes`: what of the file was left out."""

    name: str
    vertices: int
    faces: int
    parts: int
    unreferenced: int
    extent_mm: tuple[float, float, float]
    spacing_mm: float
    colors: bool
    texture: bool
    landmarks: tuple[str, ...]
    units_note: str
    missing: int = 0
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The same as JSON."""
        spacing = self.spacing_mm if math.isfinite(self.spacing_mm) else None
        return json.dumps(asdict(self) | {"spacing_mm": spacing}, indent=2)

    def to_text(self) -> str:
        """The same for people, a fact a line."""
        x, y, z = self.extent_mm
        kind = (
            f"{self.faces:,} triangles in {self.parts:,} part{'s' * (self.parts != 1)}"
            if self.faces
            else "a point cloud"
        )
        apart = f", {self.spacing_mm:.2f} mm apart" if math.isfinite(self.spacing_mm) else ""
        lines = [
            self.name,
            f"  {self.vertices:,} vertices, {kind}{apart}",
            f"  {x:.1f} x {y:.1f} x {z:.1f} mm; units: {self.units_note}",
            f"  colours: {'yes' if self.colors else 'no'}; texture: {'yes' if self.texture else 'no'}; "
            f"landmarks: {', '.join(self.landmarks) or 'none'}",
        ]
        if self.unreferenced and self.faces:
            lines.append(f"  {self.unreferenced:,} vertices belong to no triangle")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)


def read_for_info(
    path: str | os.PathLike[str], units: str | float = "auto", landmarks: str | os.PathLike[str] | None = None
) -> FaceScan:
    """A scan with its texture; without it, and a note that says why, where the picture cannot be read and the rest can.

    Raises what `read_scan` raises without texture.
    """
    try:
        return read_scan(path, units, landmarks, texture=True)
    except ScanError as error:
        scan = read_scan(path, units, landmarks)
        return scan.replace(notes=(*scan.notes, f"the texture is missing, and left out: {error}"))


def info(scan: FaceScan) -> Info:
    """The facts of a scan; millimetres."""
    present = scan.present
    missing = int((~present).sum())
    notes = (*scan.notes, missing_note(present)) if missing else scan.notes
    used = np.zeros(len(present), bool)
    used[scan.faces] = True
    x, y, z = np.ptp(scan.vertices[present], axis=0).tolist()
    return Info(
        name=scan.name,
        vertices=len(scan.vertices),
        faces=len(scan.faces),
        parts=_parts(scan, used),
        unreferenced=int((~used).sum()),
        extent_mm=(x, y, z),
        spacing_mm=_spacing(scan),
        colors=scan.colors is not None,
        texture=scan.texture is not None,
        landmarks=tuple(sorted(scan.landmarks)),
        units_note=scan.units_note,
        missing=missing,
        notes=tuple(dict.fromkeys(notes)),
    )


def _parts(scan: FaceScan, used: np.ndarray) -> int:
    if not len(scan.faces):
        return 0
    ends = scan.faces[:, [0, 1, 1, 2]].reshape(-1, 2)
    count = len(scan.vertices)
    edges = coo_matrix((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), (count, count))
    return int(connected_components(edges, directed=False)[0]) - int((~used).sum())


def _spacing(scan: FaceScan) -> float:
    if len(scan.faces):
        edges = scan.vertices[scan.faces] - scan.vertices[np.roll(scan.faces, 1, axis=1)]
        return float(np.median(np.linalg.norm(edges, axis=2)))
    points = scan.vertices[scan.present]
    if len(points) < 2:
        return float("nan")
    from scipy.spatial import KDTree

    some = points[:: max(1, len(points) // 2000)]
    return float(np.median(KDTree(points).query(some, k=2)[0][:, 1]))
