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
from face3d.mirror import reflect
from face3d.patches import Patches, surface_patches
from face3d.scan import FaceScan, Floats, locked

#: mm. Coarse patches for the search from several starts; fine ones for the result, about a stereophotogrammetric
#: scanner's point spacing.
COARSE, FINE = 7.0, 2.5
#: The search's starts around the given plane: degrees about the two in-plane axes, and mm along the normal. Landmarks
#: are rarely further off than this, and one coarse fit reaches about as far again.
TILT, SHIFT = 6.0, 4.0
#: Normals of a pair must agree within 60 degrees.
LEAST_COSINE = 0.5
#: mm. Scale of the weights while searching: palsied faces lie up to some 15 mm apart, symmetric parts under 2 mm.
SEARCH_SCALE = 6.0
#: mm. The scale of the weights never falls below this: scanner noise, averaged over a patch and its neighbours.
FLOOR = 0.15
#: A plane this far (degrees) from the landmarks' is an up-down near-symmetry or worse, not the face's.
FURTHEST = 25.0


@dataclass(frozen=True, eq=False)
class SymmetryPlane:
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


@dataclass(frozen=True, eq=False)
class Superimposition:
    """How a face lies on its mirror image.

    `plane` in scan coordinates, mm. `transform` the rigid motion that lays the scan's mirror image in x = 0
    (`face3d.mirror.mirrored(scan)`) over the scan. `points` (N, 3) mm and `weights` (N,) 0..1: where the fit looked
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

    `frame` takes scan coordinates to the canonical head frame, approximately (`face3d.pose.head_frame`): within about
    10 degrees and 8 mm is enough. Raises `RegistrationError` when too little of the face has a counterpart on the
    other side, or when the best plane is not the face's.
    """
    vertices = frame.apply(scan.vertices)
    near = _head(vertices)
    faces = scan.faces[near[scan.faces].all(axis=1)] if len(scan.faces) else scan.faces
    if not len(faces):
        vertices = vertices[near]
    coarse = surface_patches(vertices, faces, COARSE)
    fine = surface_patches(vertices, faces, FINE)
    if len(coarse) < 50:
        raise RegistrationError(
            f"{scan.name}: {len(coarse)} surface patches of {COARSE:g} mm near the face, 50 are needed; "
            "the scan is too small or its landmarks or its unit are wrong"
        )
    plane = _search(coarse)
    plane, fit = _settle(fine, plane)
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
        found, _mirror_to_original(found), back.apply(fine.points), fit.weights, fit.rms, fit.scale,
        fit.overlap, fit.trusted, fit.uncertainty,
    )  # fmt: skip


@dataclass(frozen=True)
class _Fit:
    weights: Floats
    rms: float
    scale: float
    overlap: float
    trusted: float
    uncertainty: float


@dataclass(frozen=True)
class _Pairs:
    """Patches and their mirror counterparts at one plane: point-to-plane distance, its derivative, and which count."""

    distance: Floats  # (N,) mm
    slope: Floats  # (N, 3): by turning about the two in-plane axes (radians), by shifting (mm)
    valid: np.ndarray  # (N,) bool


def _head(vertices: Floats) -> np.ndarray:
    """Canonical frame: not the clothing, nor the neck well below the chin. mm, for the largest of heads."""
    x, y, z = vertices.T
    return (y > -130.0) & (y < 140.0) & (np.abs(x) < 110.0) & (z > -130.0)


def _axes(normal: Floats) -> tuple[Floats, Floats]:
    """Two unit vectors that span the plane: nearly up (turning it is roll) and nearly frontal (yaw)."""
    front = np.cross(normal, (0.0, 1.0, 0.0))
    front /= np.linalg.norm(front)
    return np.cross(front, normal), front


def _pairs(patches: Patches, tree: KDTree, plane: SymmetryPlane, choose: np.ndarray | slice) -> _Pairs:
    n, p0 = plane.normal, plane.point
    points, normals = patches.points[choose], patches.normals[choose]
    height = (points - p0) @ n
    there = points - 2.0 * height[:, None] * n
    facing = normals - 2.0 * (normals @ n)[:, None] * n
    nearest = tree.query(there, workers=1)[1]
    target, target_normal = patches.points[nearest], patches.normals[nearest]
    agree = np.einsum("ij,ij->i", facing, target_normal)
    common = facing + target_normal
    common /= np.maximum(np.sqrt(2.0 + 2.0 * agree), 1e-9)[:, None]
    apart = there - target
    distance = np.einsum("ij,ij->i", common, apart)
    beside = np.einsum("ij,ij->i", apart, apart) - distance**2
    # Half the diagonal of a cell away is still over the neighbour; further out the surface has ended.
    valid = (agree > LEAST_COSINE) & (beside < (1.5 * patches.gap) ** 2)
    across = common @ n
    slope = np.stack(
        [-2.0 * (across * ((points - p0) @ a) + height * (common @ a)) for a in _axes(n)] + [2.0 * across], axis=1
    )
    return _Pairs(distance, slope, valid)


def _stepped(plane: SymmetryPlane, step: Floats) -> SymmetryPlane:
    up, front = _axes(plane.normal)
    return SymmetryPlane(plane.normal + step[0] * up + step[1] * front, plane.point + step[2] * plane.normal)


def _solve(pairs: _Pairs, weight: Floats) -> tuple[Floats, Floats]:
    """The Gauss-Newton step and the normal matrix. A whisper of damping keeps a bare strip of nose solvable."""
    weighted = pairs.slope * weight[:, None]
    normal = weighted.T @ pairs.slope
    damping = np.diag([1e2, 1e2, 1e-2]) * 1e-3
    return np.asarray(np.linalg.solve(normal + damping, -weighted.T @ pairs.distance), np.float64), normal


def _tukey(distance: Floats, scale: float) -> Floats:
    """Tukey's biweight, 0 beyond `scale`."""
    return np.clip(1.0 - (distance / scale) ** 2, 0.0, None) ** 2


def _search(patches: Patches) -> SymmetryPlane:
    """From several starts around x = 0 to the plane on which most of the surface agrees with its mirror image."""
    tree = KDTree(patches.points)
    centre = np.array([0.0, *np.median(patches.points[:, 1:], axis=0)])
    best, most = None, -1.0
    tilt = np.radians(TILT)
    for yaw, roll, shift in [
        (0, 0, 0), (tilt, 0, SHIFT), (tilt, 0, -SHIFT), (-tilt, 0, SHIFT), (-tilt, 0, -SHIFT),
        (0, tilt, SHIFT), (0, tilt, -SHIFT), (0, -tilt, SHIFT), (0, -tilt, -SHIFT),
    ]:  # fmt: skip
        plane = _stepped(SymmetryPlane(np.array([1.0, 0.0, 0.0]), centre), np.array([roll, yaw, shift]))
        for scale in (
            3 * SEARCH_SCALE,
            2 * SEARCH_SCALE,
            SEARCH_SCALE,
            SEARCH_SCALE,
            SEARCH_SCALE / 2,
            SEARCH_SCALE / 2,
        ):
            pairs = _pairs(patches, tree, plane, slice(None))
            step, _ = _solve(pairs, pairs.valid * patches.area * _tukey(pairs.distance, scale))
            plane = _stepped(plane, step)
        pairs = _pairs(patches, tree, plane, slice(None))
        agreement = float((pairs.valid * patches.area * _tukey(pairs.distance, SEARCH_SCALE / 2)).sum())
        if agreement > most:
            best, most = plane, agreement
    assert best is not None
    return best


def _settle(patches: Patches, plane: SymmetryPlane) -> tuple[SymmetryPlane, _Fit]:
    """The fine fit: the scale of the weights falls from the search's to that of the best-agreeing half."""
    tree = KDTree(patches.points)
    around = np.asarray(tree.query(patches.points, k=min(9, len(patches)))[1])
    scale = SEARCH_SCALE / 2
    weight = np.zeros(len(patches))
    pairs = _pairs(patches, tree, plane, slice(None))
    for turn in range(30):
        pairs = _pairs(patches, tree, plane, slice(None))
        smooth = _smoothed(pairs, around)
        floor = max(FLOOR, 3.0 * 1.4826 * float(np.quantile(np.abs(smooth[pairs.valid]), 0.25)) / 0.6745 * 0.6745)
        scale = max(floor, scale * 0.7)
        weight = pairs.valid * patches.area * _tukey(smooth, scale)
        step, normal = _solve(pairs, weight)
        plane = _stepped(plane, step)
        if scale == floor and turn > 3 and np.abs(step).max() < 1e-6:
            break
    total, valid = patches.area.sum(), patches.area[pairs.valid].sum()
    share = weight / patches.area
    rms = float(np.sqrt((weight @ pairs.distance**2) / max(weight.sum(), 1e-12)))
    spread = np.linalg.inv(normal / patches.area.mean() + np.eye(3) * 1e-9) * rms**2
    return plane, _Fit(
        share, rms, scale, float(valid / total), float(weight.sum() / max(valid, 1e-12)),
        float(np.degrees(np.sqrt(np.trace(spread[:2, :2])))),
    )  # fmt: skip


def _smoothed(pairs: _Pairs, around: np.ndarray) -> Floats:
    """Distances averaged over each patch and its valid neighbours: noise averages out, a displaced part does not."""
    count = pairs.valid[around].sum(axis=1)
    total = np.where(pairs.valid, pairs.distance, 0.0)[around].sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)


def _mirror_to_original(plane: SymmetryPlane) -> RigidTransform:
    """Reflection in x = 0, then this, is the reflection in `plane`: a proper rotation and a shift."""
    flip = np.diag([-1.0, 1.0, 1.0])
    house = np.eye(3) - 2.0 * np.outer(plane.normal, plane.normal)
    return RigidTransform.from_components(2.0 * plane.offset * plane.normal, Rotation.from_matrix(house @ flip))
