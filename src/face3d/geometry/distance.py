"""Surface distance: from each point to the closest point of another surface, the mirrored one above all.

This is the distance of Taylor 2014, Codari 2017 and Sforza 2018 (original against superimposed mirror image). It goes
to the surface itself, not to its vertices. It is blind to movement along the surface: for that there is the asymmetry
through anatomical correspondence, under its own name.

What has no counterpart is not measured: where the closest point lies on the rim of the other surface, that surface
simply ends there, and the distance would tell where the scan was cropped, not how the face differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

from face3d.geometry.mesh import lengths, rim_edges, scan_normals
from face3d.geometry.rays import RayScene
from face3d.geometry.thin import Thinned, thinned
from face3d.scan import FaceScan, Floats, Ints
from face3d.values import Value, locked

if TYPE_CHECKING:
    from face3d.geometry.superimpose import SymmetryPlane

#: Why a point has no distance; the index is the code in `SurfaceDistance.reason`.
REASONS = (
    "measured",
    "beyond the rim: the other side was not scanned here",
    "farther than the limit: hair, clothing or an ear on one side only",
    "the closest surface faces the other way",
    "removed by cleaning",
)
MEASURED, RIM, FAR, AWAY, CLEANED = range(5)

#: mm. Palsied faces reach 5.6-15.6 mm between a point and its anatomical counterpart, and the closest point is nearer.
LIMIT = 20.0
#: A point that lies beside a rim (and not over it) by more than this share of the usual edge has run off the surface.
RIM_TOLERANCE = 0.5
#: Queries at once, so that a million points need no more memory than this many.
_CHUNK = 200_000


@dataclass(frozen=True, eq=False, repr=False)
class SurfaceDistance(Value):
    """`distance_mm` (V,) >= 0; `signed_mm` (V,), positive outside the other surface; `reason` (V,) uint8 codes into
    `REASONS`. Both distances are NaN wherever the reason is not 0."""

    distance_mm: Floats
    signed_mm: Floats
    reason: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "distance_mm", locked(self.distance_mm))
        object.__setattr__(self, "signed_mm", locked(self.signed_mm))
        object.__setattr__(self, "reason", locked(self.reason, np.uint8))

    def spread(self, source: Ints) -> SurfaceDistance:
        """The same for the scan before cleaning: `source` (V,) says which of these rows each vertex is, -1 for none."""
        gone = source < 0
        distance, signed = self.distance_mm[source], self.signed_mm[source]
        distance[gone] = signed[gone] = np.nan
        return SurfaceDistance(distance, signed, np.where(gone, CLEANED, self.reason[source]))


def mirror_distance(
    scan: FaceScan, plane: SymmetryPlane, limit: float = LIMIT, thin: Thinned | None = None
) -> SurfaceDistance:
    """Distance (mm) from each vertex of a scan to the scan's mirror image in `plane` (scan coordinates).

    A vertex is as far from the mirrored surface as its own mirror image is from the surface: one search structure
    serves. Signed: positive where the vertex lies outside the mirrored surface. On a scan of so many vertices that
    `thin.thinned` thins it (`thin`, if that was done before), the closest place is looked for from the middle of each
    cell, and the vertices in it are as far from the tangent plane there.
    """
    thin = thinned(scan) if thin is None else thin
    few = thin.scan
    normals = scan_normals(few)
    flipped = normals - 2.0 * (normals @ plane.normal)[:, None] * plane.normal
    there = plane.reflect(few.vertices)
    signed, reason, facing = _distances(there, few, flipped, limit, normals)
    if thin.of is not None:
        # What a vertex lies off its cell's mean, along the normal over there.
        apart = plane.reflect(scan.vertices) - np.take(there, thin.of, axis=0)
        signed = signed[thin.of] + np.einsum("ij,ij->i", apart, np.take(facing, thin.of, axis=0))
        reason = reason[thin.of]
    return SurfaceDistance(np.abs(signed), signed, reason)


def surface_distance(
    points: Floats,
    surface: FaceScan,
    normals: Floats | None = None,
    limit: float = LIMIT,
    surface_normals: Floats | None = None,
) -> SurfaceDistance:
    """Distance (mm) from `points` (N, 3) to `surface`, both in one frame.

    `normals` (N, 3), if given, are the points' own: a closest point that faces the other way is then no counterpart.
    `limit` mm: nothing further away is. A surface without faces is taken as a point cloud: the distance is then to
    the tangent plane at the closest point, and its sign follows the cloud's normals as `scan_normals` guesses them.
    """
    at = scan_normals(surface) if surface_normals is None else surface_normals
    signed, reason, _ = _distances(np.asarray(points, np.float64), surface, normals, limit, at)
    return SurfaceDistance(np.abs(signed), signed, reason)


def _distances(
    points: Floats, surface: FaceScan, normals: Floats | None, limit: float, surface_normals: Floats
) -> tuple[Floats, np.ndarray, Floats]:
    """Signed distances (N,) and reasons (N,) as `SurfaceDistance` has them, and the surface's unit normals (N, 3) at
    the closest places."""
    closest = _Mesh(surface, surface_normals) if len(surface.faces) else _Cloud(surface, surface_normals)
    signed, reason, normal = np.empty(len(points)), np.empty(len(points), np.uint8), np.empty((len(points), 3))
    for first in range(0, len(points), _CHUNK):
        part = slice(first, first + _CHUNK)
        apart, facing, rim = closest(points[part])
        length = lengths(apart)
        outside = np.einsum("ij,ij->i", apart, facing)
        signed[part] = np.where(outside < 0, -length, length)
        beside = np.sqrt(np.clip(length**2 - outside**2, 0.0, None))
        code = np.where(rim & (beside > closest.tolerance), RIM, MEASURED)
        if normals is not None:
            code[(code == MEASURED) & (np.einsum("ij,ij->i", normals[part], facing) < 0)] = AWAY
        code[(code == MEASURED) & (length > limit)] = FAR
        reason[part] = code
        normal[part] = facing / np.maximum(lengths(facing), 1e-12)[:, None]
    signed[reason != MEASURED] = np.nan
    return signed, reason, normal


class _Mesh:
    """Closest points on triangles (Embree through open3d)."""

    def __init__(self, surface: FaceScan, normals: Floats) -> None:
        self._faces, self._normals = surface.faces, normals
        self._scene = RayScene(surface.vertices, surface.faces)
        self._rim = rim_edges(surface.vertices, surface.faces)
        self._rim_vertex = np.zeros(len(surface.vertices), bool)
        self._rim_vertex[surface.faces[:, [1, 2, 0]][self._rim]] = True
        self._rim_vertex[surface.faces[:, [2, 0, 1]][self._rim]] = True
        some = surface.faces[:: max(1, len(surface.faces) // 5000)]
        edge = np.median(np.linalg.norm(surface.vertices[some[:, 0]] - surface.vertices[some[:, 1]], axis=1))
        self.tolerance = RIM_TOLERANCE * float(edge)

    def __call__(self, points: Floats) -> tuple[Floats, Floats, np.ndarray]:
        at, face, share = self._scene.closest(points)
        apart = points - at
        corners = self._faces[face]
        facing = np.einsum("nk,nki->ni", share, self._normals[corners])
        on_edge = (self._rim[face] & (share < 1e-4)).any(axis=1)
        at_vertex = (self._rim_vertex[corners] & (share > 1.0 - 1e-4)).any(axis=1)
        return apart, facing, np.asarray(on_edge | at_vertex)


class _Cloud:
    """Closest points of a cloud, each with its tangent plane."""

    def __init__(self, surface: FaceScan, normals: Floats) -> None:
        self._points, self._normals = surface.vertices, normals
        self._tree = KDTree(surface.vertices)
        some = surface.vertices[:: max(1, len(surface.vertices) // 1000)]
        self._gap = float(np.median(self._tree.query(some, k=2)[0][:, 1])) if len(surface.vertices) > 1 else 0.0
        self.tolerance = RIM_TOLERANCE * self._gap

    def __call__(self, points: Floats) -> tuple[Floats, Floats, np.ndarray]:
        nearest = self._tree.query(points, workers=-1)[1]
        facing = self._normals[nearest]
        apart = points - self._points[nearest]
        height = np.einsum("ij,ij->i", apart, facing)
        beside = np.einsum("ij,ij->i", apart, apart) - height**2
        # Beside its nearest point by more than the cloud's spacing: there is no surface beneath.
        beyond = beside > (2.0 * self._gap) ** 2
        return np.where(beyond[:, None], apart, height[:, None] * facing), facing, beyond
