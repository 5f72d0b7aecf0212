"""Raw scans as point sets in one frame, without a template: what the point networks look at.

Rest lies in its head frame; every expression is laid on it where the face stands still in that expression, point to
plane (Chen & Medioni 1992), with the landmarks that stand still as a second witness: a forehead alone turns freely.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.grading.grid import MARKS
from face3d.grading.points import farthest_points
from face3d.landmarks import code_of
from face3d.scan import Floats

#: mm: the face around the nose's root, and no further back than this: beyond come hair, ears and neck.
REACH_MM, BACK_MM = 105.0, -45.0
#: Landmarks that stand still, and in which expressions others do.
_STILL = ("g", "n", "en", "ex")
_STILL_IN: Mapping[str, tuple[str, ...]] = {
    "brow_raise": ("n", "en", "ex", "prn", "sn", "al", "ac", "ch", "ls"),
    "snarl": ("g", "n", "en", "ex", "pg", "gn"),
}
#: mm: how far a found landmark is off, and how far apart a surface point and its counterpart may lie.
_MARK_MM, _APART_MM = 1.0, 5.0
#: Neighbouring distances err alike: however many there are, they count as so many.
_INDEPENDENT, _MOST_USED = 150, 1500


def points_of(scans: Mapping[str, Any], expressions: tuple[str, ...], count: int) -> tuple[Floats, Floats]:
    """`scans` expression -> `SeenScan`, rest among them. Returns (S, count, 6) points and normals of
    `expressions` in rest's head frame, mm, and (S, L, 3) the landmarks found (`MARKS`); NaN where there is none."""
    from face3d.landmarking.pose import head_frame

    points, marks = np.full((len(expressions), count, 6), np.nan), np.full((len(expressions), len(MARKS), 3), np.nan)
    rest = scans["rest"]
    rough = head_frame(rest.found.landmarks, rest.found.confidence)
    to_head = rough if rest.head is None else rest.head
    surface, at_rest = _in_frame(rest, to_head)
    tree = KDTree(surface[:, :3])
    for k, name in enumerate(expressions):
        if name not in scans:
            continue
        scan = scans[name]
        if name == "rest":
            own, found = surface, at_rest
        else:
            start = to_head * rough.inv() * head_frame(scan.found.landmarks, scan.found.confidence)
            own, found = _in_frame(scan, start)
            laid = laid_on(name, own, found, surface, at_rest, tree)
            own = np.hstack([laid.apply(own[:, :3]), laid.rotation.apply(own[:, 3:])])
            found = laid.apply(found)
        points[k], marks[k] = spread(own, count), found
    return points, marks


def spread(surface: Floats, count: int) -> Floats:
    """(count, 6) of `surface` (n, 6), points and normals in the head frame: the first ones evenly spread over the face
    (`farthest_points`), each the mean of what is nearest to it, so that no point of the scan is wasted. Repeated when
    there are fewer; NaN when there is no face."""
    at = surface[:, :3]
    face = surface[((at**2).sum(axis=1) < REACH_MM**2) & (at[:, 2] > BACK_MM)]
    if not len(face):
        return np.full((count, 6), np.nan)
    chosen = farthest_points(face[:, :3], count, int(face[:, 2].argmax()))
    home = KDTree(face[chosen, :3]).query(face[:, :3])[1]
    total = np.stack([np.bincount(home, face[:, k], len(chosen)) for k in range(6)], axis=1)
    mean = total / np.bincount(home, minlength=len(chosen))[:, None]
    mean[:, 3:] /= np.maximum(np.linalg.norm(mean[:, 3:], axis=1, keepdims=True), 1e-6)
    return mean[np.arange(count) % len(mean)]


def laid_on(
    expression: str, moving: Floats, found: Floats, fixed: Floats, at_rest: Floats, tree: KDTree, rounds: int = 12
) -> RigidTransform:
    """The rigid motion that lays `moving` (n, 6) on `fixed` (m, 6), with `tree` over its points, where the face stands
    still; both about in the head frame already, with the landmarks `found` and `at_rest` (L, 3)."""
    codes = [code_of(name) for name in MARKS]
    use = np.isin(codes, _STILL_IN.get(expression, _STILL)) & np.isfinite(found + at_rest).all(axis=1)
    still = np.flatnonzero(_still(expression, moving[:, :3]))
    some = moving[still[np.linspace(0, len(still) - 1, min(_MOST_USED, len(still))).astype(int)]]
    laid = RigidTransform.identity()
    for _ in range(rounds):
        h, b = 1e-6 * np.eye(6), np.zeros(6)
        if len(some):
            at = laid.apply(some[:, :3])
            apart, j = tree.query(at)
            normal = fixed[j, 3:]
            off = ((fixed[j, :3] - at) * normal).sum(axis=1)
            met = (apart < _APART_MM) & ((laid.rotation.apply(some[:, 3:]) * normal).sum(axis=1) > 0.8)
            if met.any():
                sd = np.clip(1.48 * np.median(np.abs(off[met])), 0.15, 1.5)
                weight = np.where(met, np.maximum(1 - (off / (4.7 * sd)) ** 2, 0) ** 2, 0)
                weight *= min(1.0, _INDEPENDENT / max(weight.sum(), 1.0)) / sd**2
                slope = np.hstack([np.cross(at, normal), normal])
                h, b = h + (slope * weight[:, None]).T @ slope, b + slope.T @ (weight * off)
        here = laid.apply(found[use])
        left = at_rest[use] - here
        weight = np.maximum(1 - (left**2).sum(axis=1) / 36.0, 0) ** 2 / _MARK_MM**2
        for axis in np.eye(3):
            slope = np.hstack([np.cross(here, axis), np.broadcast_to(axis, here.shape)])
            h, b = h + (slope * weight[:, None]).T @ slope, b + slope.T @ (weight * (left @ axis))
        step = np.linalg.solve(h, b)
        laid = RigidTransform.from_components(step[3:], Rotation.from_rotvec(step[:3])) * laid
        if np.abs(step[3:]).max() < 0.01 and np.abs(step[:3]).max() < 1e-4:
            break
    return laid


def _still(expression: str, at: Floats) -> np.ndarray:
    """(n,) bool: where of the face, in the head frame, mm, nothing much moves; compare `template.movement.STABLE`."""
    x, y, z = np.abs(at[:, 0]), at[:, 1], at[:, 2]
    seen = (z > BACK_MM) & (x < 72)
    chin = (y < -75) & (y > -112) & (x < 35)
    if expression == "brow_raise":
        return seen & (y < -14) & (y > -75) & (x < 60)
    if expression in ("gentle_eye_closure", "tight_eye_closure"):
        return seen & ((y > 22) | ((x < 14) & (y > -42) & (y < 8)) | ((y < -45) & (y > -110) & (x < 35)))
    if expression == "snarl":
        return seen & ((y > 22) | chin)
    return seen & ((y > 12) | ((x < 12) & (y > -15)))


def _in_frame(scan: Any, frame: RigidTransform) -> tuple[Floats, Floats]:
    facing = scan.surfels.normals @ frame.rotation.as_matrix().T
    surface = np.hstack([frame.apply(scan.surfels.points), facing])
    found = scan.found.landmarks
    marks = np.array([frame.apply(found[name]) if name in found else np.full(3, np.nan) for name in MARKS])
    return surface, marks
