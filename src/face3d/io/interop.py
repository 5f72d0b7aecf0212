"""To and from trimesh and pyvista: vertices in their order, colours and per-vertex results along, always millimetres.

Neither library is asked to process anything: trimesh by default merges vertices and drops faces, which would tear
every result from the vertex that it belongs to. Textures stay behind: ours has coordinates at the corners of triangles,
theirs at vertices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.extras import require
from face3d.io.units import to_millimetres
from face3d.scan import FaceScan, Floats

if TYPE_CHECKING:
    import pyvista
    import trimesh

#: Names under which pyvista's readers and users keep colours.
_COLORS = ("RGB", "RGBA", "rgb", "rgba", "colors", "Colors", "vertex_colors")


class Measured(Protocol):
    """A scan with results at its vertices, as `face3d.Analysis` is."""

    @property
    def scan(self) -> FaceScan:
        """The scan, V vertices."""
        ...

    @property
    def vertex_results(self) -> Mapping[str, Floats]:
        """name -> (V,) results at its vertices, mm."""
        ...


def to_trimesh(scan: FaceScan | Measured) -> trimesh.Trimesh | trimesh.PointCloud:
    """A `trimesh.Trimesh` (a `PointCloud` where there are no triangles) in mm, vertices in their order.

    Results (V,) or (V, 3) are its `vertex_attributes`; landmarks, name and `units_note` its `metadata`. Raises
    `MissingExtraError` without trimesh.
    """
    tri: Any = require("trimesh")
    plain, results = _with_results(scan)
    facts = {"name": plain.name, "units_note": plain.units_note, "landmarks": dict(plain.landmarks)}
    if not len(plain.faces):
        return tri.PointCloud(plain.vertices.copy(), colors=plain.colors, metadata=facts)
    mesh = tri.Trimesh(
        plain.vertices.copy(),
        plain.faces.copy(),
        vertex_colors=plain.colors,
        metadata=facts,
        process=False,
        validate=False,
        vertex_attributes={k: v.copy() for k, v in results.items()},
    )
    mesh.units = "millimeters"
    return mesh


def from_trimesh(mesh: trimesh.Trimesh | trimesh.PointCloud, units: str = "auto") -> FaceScan:
    """The scan of a trimesh mesh or point cloud, its vertices in their order.

    `units` as in `read_scan`; "auto" believes `mesh.units` where it says one. Raises `ScanError` for a scene (join it
    with `scene.to_geometry()`) and for what is no mesh.
    """
    name = str((getattr(mesh, "metadata", None) or {}).get("name", "trimesh"))
    if not hasattr(mesh, "vertices"):
        raise ScanError(f"{name}: is a {type(mesh).__name__}, not one mesh; a scene is joined by scene.to_geometry()")
    facts: Mapping[str, Any] = getattr(mesh, "metadata", None) or {}
    said = {"millimeters": "mm", "centimeters": "cm", "meters": "m", "inches": "in"}.get(
        str(getattr(mesh, "units", ""))
    )
    visual = getattr(mesh, "visual", None)
    colors = getattr(mesh, "colors", None) if visual is None or not hasattr(mesh, "faces") else None
    if visual is not None and visual.kind == "vertex":
        colors = visual.vertex_colors
    return _scan(
        name,
        np.asarray(mesh.vertices),
        np.asarray(getattr(mesh, "faces", np.empty((0, 3)))),
        colors,
        getattr(mesh, "vertex_attributes", {}),
        facts.get("landmarks", {}),
        said if units == "auto" and said else units,
    )


def to_pyvista(scan: FaceScan | Measured) -> pyvista.PolyData:
    """A `pyvista.PolyData` in mm, points in their order; results and colours ("RGB") are its `point_data`, landmarks
    its `field_data` ("landmark_names", "landmark_points"). Raises `MissingExtraError` without pyvista."""
    pv: Any = require("pyvista")
    plain, results = _with_results(scan)
    faces = np.column_stack([np.full(len(plain.faces), 3), plain.faces]) if len(plain.faces) else None
    poly = pv.PolyData(plain.vertices.copy(), faces)
    for key, values in results.items():
        poly.point_data[key] = values.copy()
    if plain.colors is not None:
        poly.point_data["RGB"] = plain.colors.copy()
    poly.set_active_scalars(next(iter(results), "RGB" if plain.colors is not None else None))
    if plain.landmarks:
        poly.field_data["landmark_names"] = list(plain.landmarks)
        poly.field_data["landmark_points"] = np.array(list(plain.landmarks.values()))
    return poly


def from_pyvista(poly: pyvista.PolyData, units: str = "auto") -> FaceScan:
    """The scan of a pyvista surface, its points in their order; `units` as in `read_scan`.

    Polygons become triangles. Raises `ScanError` for what is no `PolyData` (`extract_surface()` makes one).
    """
    if type(poly).__name__ != "PolyData":
        raise ScanError(f"a pyvista {type(poly).__name__} is no surface; `extract_surface()` makes a PolyData of it")
    whole = poly if poly.is_all_triangles else poly.triangulate()
    faces = np.asarray(whole.faces).reshape(-1, 4)[:, 1:] if len(whole.faces) else np.empty((0, 3))
    data = {key: np.asarray(poly.point_data[key]) for key in poly.point_data}
    color = next((key for key in _COLORS if key in data), None)
    names, at = poly.field_data.get("landmark_names"), poly.field_data.get("landmark_points")
    marks = {} if names is None or at is None else dict(zip(map(str, names), np.asarray(at), strict=True))
    colors = None if color is None else data.pop(color)
    return _scan("pyvista", np.asarray(poly.points), faces, colors, data, marks, units)


def _with_results(scan: FaceScan | Measured) -> tuple[FaceScan, dict[str, Floats]]:
    plain = scan if isinstance(scan, FaceScan) else scan.scan
    own = {} if isinstance(scan, FaceScan) else dict(scan.vertex_results)
    return plain, {**plain.values, **own}


def _scan(
    name: str,
    vertices: NDArray[Any],
    faces: NDArray[Any],
    colors: NDArray[Any] | None,
    data: Mapping[str, Any],
    landmarks: Mapping[str, Any],
    units: str,
) -> FaceScan:
    points = np.asarray(vertices, np.float64)
    factor, note = to_millimetres(name, points, units)
    results = {}
    for key, values in data.items():
        numbers = np.asarray(values)
        if numbers.dtype.kind in "fiub" and numbers.shape[:1] == (len(points),) and numbers.ndim <= 2:
            results[str(key)] = numbers.astype(np.float64)
    rgb = None
    if colors is not None and np.ndim(colors) == 2 and np.shape(colors)[0] == len(points) and np.shape(colors)[1] >= 3:
        three = np.asarray(colors)[:, :3]
        rgb = (
            three.astype(np.uint8)
            if three.dtype.kind in "iu"
            else np.round(255 * np.clip(three, 0, 1)).astype(np.uint8)
        )
    marks = {str(k): np.asarray(p, np.float64) * factor for k, p in landmarks.items()}
    return FaceScan(points * factor, faces, marks, rgb, name=name, units_note=note, values=results)
