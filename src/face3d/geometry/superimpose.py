"""Robust rigid superimposition of a face on its mirror image, and the symmetry plane that follows from it.

A mirror image composed with the rigid motion that lays it over the original is a reflection in a plane, so only the
plane's three degrees of freedom are sought: two for its normal, one for its offset. The fit is point to plane
(Chen and Medioni 1992) in the symmetric form of Rusinkiewicz (2019), redescending weights (Tukey) whose scale falls
step by step to the noise that the best-agreeing half of the face shows (graduated, as Zhou 2016): the parts that a
palsy, hair or clothing has displaced drop out, and parts without a counterpart (holes, a one-sided crop) never enter,
because a point whose nearest neighbour lies beside and not beneath it has run over a rim.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import RegistrationError
from face3d.geometry.elements import Patches, grid_cells, surface_patches
from face3d.geometry.mesh import cross
from face3d.geometry.mirror import reflect
from face3d.scan import FaceScan, Floats, Ints
from face3d.values import Value, locked

#: mm. Coarse patches for the search from several starts; fine ones for the result, about a stereophotogrammetric
#: scanner's point spacing.
COARSE, FINE = 10.0, 2.5
#: The search's starts around the given plane: degrees about the two in-plane axes, and mm along the normal. Landmarks
#: are rarely further off than this, and a coarse fit reaches about as far again.
TILT, SHIFT = 6.0, 4.0
STARTS = np.array([[0, 0, 0], *([i, j, s] for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1)) for s in (1, -1))], float)
#: Normals of a pair must agree within 60 degrees while searching, within 26 in the end: where natural asymmetry pairs
#: the wing of a nose with its bridge, a looser bound lets that pull on the plane.
LOOSE_COSINE, LEAST_COSINE = 0.5, 0.9
#: mm. Scale of the weights while searching: palsied faces lie up to some 15 mm apart, symmetric parts under 2 mm.
SEARCH_SCALE = 6.0
#: mm. The scale of the weights never falls below this: scanner noise, averaged over a patch and its neighbours.
FLOOR = 0.15
#: The distances that decide a patch's weight are averaged over the CELLS cells of CELL mm around it: noise averages
#: out, a displaced part does not. The final scale is WIDTH times their lower quartile: in a symmetric face twice their
#: standard deviation, and half of the face may be displaced before it grows. Neither is critical: from 9 to 49 patches
#: and from 4 to 9 times the error on simulated palsies stays within a third.
CELLS, CELL, WIDTH = 4, 7.0, 6.0
#: A plane this far (degrees) from the landmarks' is an up-down near-symmetry or worse, not the face's.
FURTHEST = 25.0


@dataclass(frozen=True, eq=False, repr=False)
class SymmetryPlane(Value):
    """The plane of bilateral symmetry: unit `normal` (3,) towards the subject's left and a `point` (3,) on it, mm."""

    normal: Floats
    point: Floats

    def __post_init__(self) -> None:
        normal = np.asarray(self.normal, np.float64)
        object.__setattr__(self, "normal", locked(normal / np.linalg.norm(normal)))
        object.__setattr__(self, "point", locked(self.point))

    @property
    def offset(self) -> float:
        """Signed distance of the plane from the origin along the normal, mm."""
        return float(self.normal @ self.point)

    def height(self, points: ArrayLike) -> Floats:
        """Signed distance (...,) mm of points (..., 3) from the plane, to the subject's left."""
        return (np.asarray(points, np.float64) - self.point) @ self.normal

    def reflect(self, points: ArrayLike) -> Floats:
        """Points (..., 3) mirrored in the plane, mm."""
        return reflect(points, self.normal, self.point)

    def moved(self, transform: RigidTransform) -> SymmetryPlane:
        """The same plane after a rigid motion of the scan."""
        return SymmetryPlane(transform.rotation.as_matrix() @ self.normal, transform.apply(self.point))

    def angle_to(self, other: SymmetryPlane) -> float:
        """Degrees between two planes, 0..90."""
        sine = np.linalg.norm(np.cross(self.normal, other.normal))
        return float(np.degrees(np.arctan2(sine, abs(self.normal @ other.normal))))


@dataclass(frozen=True, eq=False, repr=False)
class Superimposition(Value):
    """How a face lies on its mirror image.

    `plane` in scan coordinates, mm. `transform` the rigid motion that lays the scan's mirror image in x = 0
    (`geometry.mirror.mirrored(scan)`) over the scan. `points` (N, 3) mm and `weights` (N,) 0..1: where the fit looked
    and how much it trusted each patch, 0 where the mirror image has no counterpart. `rms_mm`: weighted point-to-plane
    distance of the trusted patches. `scale_mm`: the weights' final scale. `overlap`: share of the area that found a
    counterpart. `trusted`: weighted share of the overlap. `uncertainty_deg`: standard error of the normal from the
    fit itself, blind to a common displacement.
    """

    plane: SymmetryPlane
    transform: RigidTransform
    points: Floats
    weights: Floats
    rms_mm: float
    scale_mm: float
    overlap: float
    trusted: float
    uncertainty_deg: float

    def __post_init__(self) -> None:
        for name in ("points", "weights"):
            object.__setattr__(self, name, locked(getattr(self, name)))


def superimpose_mirror(scan: FaceScan, frame: RigidTransform) -> Superimposition:
    """Lay a scan's mirror image over the scan, robustly; deterministic.

    `frame` takes scan coordinates to the canonical head frame, approximately (`pose.head_frame`): within about
    10 degrees and 8 mm is enough. Raises `RegistrationError` when too little of the face has a counterpart on the
    other side, or when the best plane is not the face's.
    """
    vertices = frame.apply(scan.vertices)
    near = _head(vertices)
    faces = scan.faces[near[scan.faces].all(axis=1)] if len(scan.faces) else scan.faces
    if not len(faces):
        vertices = vertices[near]
    fine = surface_patches(vertices, faces, FINE)
    coarse = fine.merged(COARSE)
    if len(coarse) < 50:
        raise RegistrationError(
            f"{scan.name}: {len(coarse)} surface patches of {COARSE:g} mm near the face, 50 are needed; "
            "the scan is too small or its landmarks or its unit are wrong"
        )
    plane, fit = _settle(fine, _search(coarse))
    tilt = np.degrees(np.arccos(np.clip(plane.normal[0], -1.0, 1.0)))
    if fit.overlap * len(fine) < 100 or tilt > FURTHEST:
        raise RegistrationError(
            f"{scan.name}: the mirror image does not lie on the face ({fit.overlap:.0%} of the surface has a "
            f"counterpart, the plane is {tilt:.0f} degrees off the landmarks'); check the landmarks' sides, or scan "
            "more of both halves"
        )
    back = frame.inv()
    found = plane.moved(back)
    return Superimposition(
        found,
        _mirror_to_original(found),
        back.apply(fine.points),
        fit.weights,
        fit.rms,
        fit.scale,
        fit.overlap,
        fit.trusted,
        fit.uncertainty,
    )


@dataclass(frozen=True)
class _Fit:
    weights: Floats
    rms: float
    scale: float
    overlap: float
    trusted: float
    uncertainty: float


def _head(vertices: Floats) -> np.ndarray:
    """Canonical frame: not the clothing, nor the neck well below the chin. mm, for the largest of heads."""
    x, y, z = vertices.T
    return (y > -130.0) & (y < 140.0) & (np.abs(x) < 110.0) & (z > -130.0)


class _Mirror:
    """A face's patches against their own mirror images, for S planes at once: normals (S, 3), points (S, 3)."""

    def __init__(self, patches: Patches, least_cosine: float, some: slice = slice(None)) -> None:
        self.patches, self._least = patches, least_cosine
        self.points, self.normals, self.area = (a[some] for a in (patches.points, patches.normals, patches.area))
        self._tree = KDTree(patches.points, compact_nodes=False, balanced_tree=False)

    def partners(self, normal: Floats, point: Floats, reach: float) -> np.ndarray:
        """(S, N) the patch nearest to each mirrored patch, N where none lies within `reach` mm."""
        there, _ = self._mirrored(normal, point)
        return np.asarray(self._tree.query(there, distance_upper_bound=reach, workers=-1)[1])

    def pairs(self, normal: Floats, point: Floats, partner: np.ndarray) -> tuple[Floats, Floats, np.ndarray]:
        """Point-to-plane distance (S, N) mm; its slope (S, N, 3) by turning about the two in-plane axes (radians) and
        by shifting (mm); and which pairs are true counterparts (S, N)."""
        there, height = self._mirrored(normal, point)
        found = partner < len(self.patches)
        target = np.where(found, partner, 0)
        n = normal[:, None]
        facing = self.normals - 2.0 * (self.normals @ normal.T).T[..., None] * n
        across_target = self.patches.normals[target]
        agree = np.einsum("snk,snk->sn", facing, across_target)
        common = (facing + across_target) / np.sqrt(np.maximum(2.0 + 2.0 * agree, 1e-9))[..., None]
        apart = there - self.patches.points[target]
        distance = np.einsum("snk,snk->sn", common, apart)
        beside = np.einsum("snk,snk->sn", apart, apart) - distance**2
        # Half the diagonal of a cell away is still over the neighbour; further out the surface has ended.
        valid = found & (agree > self._least) & (beside < (1.5 * self.patches.gap) ** 2)
        across = np.einsum("snk,sk->sn", common, normal)
        slope = np.empty((*distance.shape, 3))
        for k, axis in enumerate(_axes(normal)):
            along = self.points @ axis.T - np.einsum("sk,sk->s", point, axis)
            slope[..., k] = -2.0 * (across * along.T + height * np.einsum("snk,sk->sn", common, axis))
        slope[..., 2] = 2.0 * across
        return distance, slope, valid

    def _mirrored(self, normal: Floats, point: Floats) -> tuple[Floats, Floats]:
        height = (self.points @ normal.T - np.einsum("sk,sk->s", point, normal)).T
        return self.points - 2.0 * height[..., None] * normal[:, None], height


def _axes(normal: Floats) -> tuple[Floats, Floats]:
    """Two unit vectors (S, 3) that span each plane: nearly up (turning towards it is roll), nearly frontal (yaw)."""
    front = np.stack([-normal[:, 2], np.zeros(len(normal)), normal[:, 0]], axis=1)
    front /= np.linalg.norm(front, axis=1, keepdims=True)
    return cross(front, normal), front


def _stepped(normal: Floats, point: Floats, step: Floats) -> tuple[Floats, Floats]:
    up, front = _axes(normal)
    turned = normal + step[:, :1] * up + step[:, 1:2] * front
    return turned / np.linalg.norm(turned, axis=1, keepdims=True), point + step[:, 2:] * normal


def _solve(distance: Floats, slope: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Gauss-Newton steps (S, 3) and normal matrices (S, 3, 3). A whisper of damping keeps a bare nose solvable."""
    weighted = slope * weight[..., None]
    normal = np.einsum("sni,snj->sij", weighted, slope)
    right = np.einsum("sni,sn->si", weighted, distance)
    damping = np.diag([1e2, 1e2, 1e-2]) * 1e-3
    return -np.asarray(np.linalg.solve(normal + damping, right[..., None]))[..., 0], normal


def _tukey(distance: Floats, scale: float) -> Floats:
    """Tukey's biweight, 0 beyond `scale`."""
    return np.clip(1.0 - (distance / scale) ** 2, 0.0, None) ** 2


def _search(patches: Patches) -> SymmetryPlane:
    """From several starts around x = 0 to the plane on which most of the surface agrees with its mirror image."""
    mirror = _Mirror(patches, LOOSE_COSINE)
    centre = np.array([0.0, *np.median(patches.points[:, 1:], axis=0)])
    normal, point = np.tile([1.0, 0.0, 0.0], (len(STARTS), 1)), np.tile(centre, (len(STARTS), 1))
    normal, point = _stepped(normal, point, STARTS * (np.radians(TILT), np.radians(TILT), SHIFT))
    agreement = np.zeros(len(normal))
    for factor in (3.0, 2.0, 1.0, 0.5, 0.5):
        scale = factor * SEARCH_SCALE
        partner = mirror.partners(normal, point, 3.0 * SEARCH_SCALE)
        distance, slope, valid = mirror.pairs(normal, point, partner)
        weight = valid * patches.area * _tukey(distance, scale)
        agreement = weight.sum(axis=1)
        normal, point = _stepped(normal, point, _solve(distance, slope, weight)[0])
        # Starts that have met go on as one, the best first.
        order = np.argsort(-agreement, kind="stable")
        kept: list[int] = []
        for i in order:
            offsets = [
                np.linalg.norm(normal[i] - normal[j]) + abs((point[i] - point[j]) @ normal[j]) / 60.0 for j in kept
            ]
            if not offsets or min(offsets) > 0.02:
                kept.append(int(i))
        normal, point, agreement = normal[kept], point[kept], agreement[kept]
    best = int(np.argmax(agreement))
    return SymmetryPlane(normal[best], point[best])


def _settle(patches: Patches, start: SymmetryPlane) -> tuple[SymmetryPlane, _Fit]:
    """The fine fit: the scale of the weights falls from the search's to that of the best-agreeing half."""
    cell, _ = grid_cells(patches.points, CELL)
    around = _cells_around(patches, cell)
    normal, point = start.normal[None], start.point[None]
    scale = SEARCH_SCALE / 2
    # While the scale falls, a third of the patches show the way; then all of them settle it.
    for some, most in ((slice(None, None, 3), 8), (slice(None), 3)):
        mirror = _Mirror(patches, LEAST_COSINE, some)
        for _ in range(most):
            partner = mirror.partners(normal, point, 2.0 * scale + 2.0 * patches.gap)
            for _ in range(2):  # the weights may settle while the partners stay
                distance, slope, valid = mirror.pairs(normal, point, partner)
                smooth = _smoothed(distance[0], valid[0], cell[some], around)
                floor = max(FLOOR, WIDTH * float(np.quantile(np.abs(smooth[valid[0]]), 0.25))) if valid.any() else FLOOR
                scale = max(floor, scale * 0.7)
                weight = valid[0] * mirror.area * _tukey(smooth, scale)
                step, matrix = _solve(distance, slope, weight[None])
                normal, point = _stepped(normal, point, step)
            if scale == floor and np.abs(step[0] * (60.0, 60.0, 1.0)).max() < 5e-3:  # mm, at the face's edge
                break
    total, valid_area = patches.area.sum(), patches.area[valid[0]].sum()
    rms = float(np.sqrt((weight @ distance[0] ** 2) / max(weight.sum(), 1e-12)))
    spread = np.linalg.inv(matrix[0] / patches.area.mean() + np.eye(3) * 1e-9) * rms**2
    return SymmetryPlane(normal[0], point[0]), _Fit(
        weight / patches.area,
        rms,
        scale,
        float(valid_area / total),
        float(weight.sum() / max(valid_area, 1e-12)),
        float(np.degrees(np.sqrt(np.trace(spread[:2, :2])))),
    )


def _cells_around(patches: Patches, cell: Ints) -> np.ndarray:
    """(C, CELLS) for each coarse cell the nearest ones, itself first."""
    count = np.bincount(cell)
    middle = np.stack([np.bincount(cell, patches.points[:, k]) for k in range(3)], axis=1) / count[:, None]
    return np.asarray(KDTree(middle).query(middle, k=min(CELLS, len(middle)))[1]).reshape(len(middle), -1)


def _smoothed(distance: Floats, valid: np.ndarray, cell: Ints, around: np.ndarray) -> Floats:
    """Each patch's distance averaged over the valid patches of the cells around it."""
    total = np.bincount(cell, np.where(valid, distance, 0.0), len(around))[around].sum(axis=1)
    count = np.bincount(cell, valid, len(around))[around].sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)[cell]


def _mirror_to_original(plane: SymmetryPlane) -> RigidTransform:
    """Reflection in x = 0, then this, is the reflection in `plane`: a proper rotation and a shift."""
    flip = np.diag([-1.0, 1.0, 1.0])
    house = np.eye(3) - 2.0 * np.outer(plane.normal, plane.normal)
    return RigidTransform.from_components(2.0 * plane.offset * plane.normal, Rotation.from_matrix(house @ flip))
