"""The canonical head frame from landmarks: +x to the subject's left, +y up, +z to the front, origin between the eyes.

The pose is that of an average face laid over the landmarks. Landmarks that expression or palsy moves count less, and
gross errors do not count at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import LandmarkError
from face3d.geometry.rigid import turned_onto
from face3d.landmarks import MIDLINE, code_of
from face3d.scan import Floats

#: name -> ((x, y, z) mm of an average adult face in the canonical frame, how far it stays put in expression 0..1).
#: Proportions after Farkas (1994); only the orientation is taken from them, never a size. x > 0 is the left side.
_AVERAGE: Mapping[str, tuple[tuple[float, float, float], float]] = {
    "tr": ((0, 70, 4), 0.3),
    "g": ((0, 17, 17), 0.7),
    "n": ((0, 3, 16), 1.0),
    "prn": ((0, -31, 38), 0.8),
    "c": ((0, -39, 34), 0.7),
    "sn": ((0, -45, 23), 0.7),
    "ls": ((0, -61, 24), 0.3),
    "sto": ((0, -67, 20), 0.2),
    "li": ((0, -74, 22), 0.2),
    "sl": ((0, -87, 16), 0.2),
    "pg": ((0, -99, 17), 0.2),
    "gn": ((0, -112, 9), 0.2),
    "en": ((17, 0, 0), 1.0),
    "ex": ((45, 0, -6), 1.0),
    "ps": ((31, 4, 1), 0.4),
    "pi": ((31, -4, 1), 0.4),
    "mb": ((13, 15, 13), 0.3),
    "sci": ((40, 22, 7), 0.2),
    "lb": ((54, 14, -8), 0.3),
    "al": ((18, -38, 15), 0.6),
    "ac": ((18, -38, 11), 0.6),
    "ch": ((25, -69, 9), 0.1),
    "cph": ((7, -59, 23), 0.3),
    "t": ((71, -20, -90), 0.6),
    "go": ((55, -78, -58), 0.2),
    "zy": ((66, -18, -42), 0.3),
    "ft": ((53, 34, -14), 0.5),
}

#: A landmark this far (mm) from where the average face would have it says nothing about the pose. Individual faces
#: differ from the average by about 5 mm a landmark.
_TOO_FAR = 15.0


def average_landmarks() -> dict[str, Floats]:
    """name -> (3,) mm: the landmarks of the average face in the canonical frame, both sides."""
    points: dict[str, Floats] = {}
    for code, (point, _) in _AVERAGE.items():
        if code in MIDLINE:
            points[code] = np.array(point, np.float64)
        else:
            points[f"{code}_left"] = np.array(point, np.float64)
            points[f"{code}_right"] = np.array(point, np.float64) * (-1.0, 1.0, 1.0)
    return points


def head_frame(landmarks: Mapping[str, ArrayLike], confidence: Mapping[str, float] | None = None) -> RigidTransform:
    """The rigid motion that takes scan coordinates (mm) to the canonical head frame.

    `landmarks` name -> (3,) mm in scan coordinates, any subset of `face3d.landmarks.NAMES` with at least four that
    are known here; `confidence` name -> 0..1, 1 where absent. Raises `LandmarkError` if there are too few, if they
    lie on a line, or if left and right are exchanged.
    """
    names, here, there, weight = _matched(landmarks, confidence)
    scale, turn, shift, rest = _robust_similarity(here, there, weight)
    _, _, _, swapped = _robust_similarity(here * (-1.0, 1.0, 1.0), there, weight)
    if np.median(swapped) < 0.5 * np.median(rest) and np.median(rest) > 5.0:
        raise LandmarkError(
            f"the landmarks fit a mirrored face ({np.median(swapped):.1f} mm) better than a face "
            f"({np.median(rest):.1f} mm): left and right are exchanged; _left is the subject's own left"
        )
    # The same rotation without the scale; the origin is the point that the average face has between the eyes.
    frame = RigidTransform.from_components(shift / scale, turn)
    return _centred(frame, dict(zip(names, here, strict=True)), np.array([1.0, 0.0, 0.0]), 0.0)


def average_laid_on(landmarks: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    """name -> (3,) mm: all landmarks of the average face, in its size, laid over those of a scan (in its coordinates).

    Gross errors do not count. Raises as `head_frame` does, but for exchanged sides.
    """
    _, here, there, weight = _matched(landmarks, None)
    scale, turn, shift, _ = _robust_similarity(here, there, weight)
    return {name: turn.inv().apply((point - shift) / scale) for name, point in average_landmarks().items()}


def refined_frame(
    frame: RigidTransform, landmarks: Mapping[str, ArrayLike], normal: ArrayLike, point: ArrayLike
) -> RigidTransform:
    """The head frame once the symmetry plane is known: `frame` (scan -> head, approximate) turned and shifted by the
    least that makes x = 0 the plane through `point` with `normal` (both in scan coordinates, mm)."""
    n = frame.rotation.as_matrix() @ np.asarray(normal, np.float64)
    n = n / np.linalg.norm(n) * np.sign(n[0])
    p = frame.apply(np.asarray(point, np.float64))
    marks = {k: np.asarray(v, np.float64) for k, v in landmarks.items()}
    return _centred(frame, marks, n, float(n @ p))


def _centred(frame: RigidTransform, marks: Mapping[str, Floats], normal: Floats, offset: float) -> RigidTransform:
    """`frame` followed by the smallest turn that takes `normal` to +x, the plane at x = 0, and the inner eye corners
    (if there) at y = z = 0."""
    axis = np.cross(normal, (1.0, 0.0, 0.0))
    angle = float(np.arctan2(np.linalg.norm(axis), normal[0]))
    turn = Rotation.identity() if angle < 1e-15 else Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle)
    shift = np.array([-offset, 0.0, 0.0])
    eyes = [turn.apply(frame.apply(marks[k])) for k in ("en_left", "en_right") if k in marks]
    if eyes:
        shift[1:] = -np.mean(eyes, axis=0)[1:]
    return RigidTransform.from_components(shift, turn) * frame


def _matched(
    landmarks: Mapping[str, ArrayLike], confidence: Mapping[str, float] | None
) -> tuple[list[str], Floats, Floats, Floats]:
    average = average_landmarks()
    names = sorted(k for k in landmarks if k in average)
    if len(names) < 4:
        raise LandmarkError(
            f"{len(names)} known landmarks ({', '.join(names) or 'none'}): at least 4 are needed to find the head's "
            "pose; give en_left, en_right, prn, ch_left, ch_right or more"
        )
    here = np.array([np.asarray(landmarks[k], np.float64) for k in names])
    if here.shape != (len(names), 3) or not np.isfinite(here).all():
        raise LandmarkError("a landmark is not three finite numbers")
    spread = np.linalg.svd(here - here.mean(axis=0), compute_uv=False)
    if spread[0] < 10.0:
        raise LandmarkError(
            f"the landmarks lie within {spread[0]:.3g} mm: on one spot, or their unit is not millimetres"
        )
    if spread[1] < 0.05 * spread[0]:
        raise LandmarkError(f"the landmarks {', '.join(names)} lie on a line: the head's pose is not determined")
    weight = np.array([_AVERAGE[code_of(k)][1] * (confidence or {}).get(k, 1.0) for k in names])
    return names, here, np.array([average[k] for k in names]), np.maximum(weight, 1e-3)


def _robust_similarity(here: Floats, there: Floats, weight: Floats) -> tuple[float, Rotation, Floats, Floats]:
    """Scale, rotation, shift that take `here` to `there` with gross errors left out, and the distances (N,) mm left.

    The scale absorbs the size of the head and is thrown away by the callers: what they return is rigid.
    """
    # Every triple of the steadiest landmarks proposes a pose; the one that most of the others agree with starts.
    steady = np.argsort(-weight, kind="stable")[:12]
    triples = np.array(list(combinations(steady, 3)))
    scale, turn, shift = _similarities(here[triples], there[triples], weight[triples])
    rest = np.linalg.norm(scale[:, None, None] * (here @ turn.swapaxes(1, 2)) + shift[:, None] - there, axis=2)
    cost = np.minimum(rest / _TOO_FAR, 1.0) @ weight
    cost[~np.isfinite(cost)] = np.inf
    best = int(np.argmin(cost))
    if (rest[best] > _TOO_FAR).mean() > 0.25:  # upside down by the eyes alone, say: what moves has its vote as well
        even = np.minimum(rest / _TOO_FAR, 1.0).mean(axis=1)
        best = int(np.argmin(np.where(np.isfinite(cost), even, np.inf)))
    if not np.isfinite(cost[best]):
        raise LandmarkError(
            "no three landmarks lie as on a face: they are on a line or one spot, or the unit is not millimetres"
        )
    found, left = (scale[best], turn[best], shift[best]), rest[best]
    for _ in range(20):
        bite = np.clip(1.0 - (left / _TOO_FAR) ** 2, 0.0, None) ** 2 * weight  # Tukey's biweight
        one = _similarities(here[None], there[None], bite[None])
        if (bite > 0).sum() < 3 or not np.isfinite(one[0][0]):
            break
        found = (one[0][0], one[1][0], one[2][0])
        left = np.linalg.norm(found[0] * (here @ found[1].T) + found[2] - there, axis=1)
    return float(found[0]), Rotation.from_matrix(found[1]), found[2], left


def _similarities(here: Floats, there: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Weighted least squares without reflection (Horn 1987) for B sets of N points: scale (B,), rotation (B, 3, 3),
    shift (B, 3); the scale is NaN where the points do not determine it or no head has it."""
    w = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    a, b = np.einsum("bn,bni->bi", w, here), np.einsum("bn,bni->bi", w, there)
    p, q = here - a[:, None], there - b[:, None]
    turn, s = turned_onto(p, q, w)
    size = np.einsum("bn,bni,bni->b", w, p, p)
    scale = s.sum(axis=1) / np.where(size > 0, size, np.nan)
    # A child's head is 0.7 of the average; a factor of 2.5 is a wrong unit or wrong points.
    scale = np.where((s[:, 1] > 1e-3 * s[:, 0]) & (scale > 0.4) & (scale < 2.5), scale, np.nan)
    return scale, turn, b - scale[:, None] * np.einsum("bij,bj->bi", turn, a)
