"""Mirroring: reflect, swap left and right labels, invert the winding. The three are never done apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from face3d.landmarks import relabelled
from face3d.scan import FaceScan, Floats


def reflect(points: ArrayLike, normal: ArrayLike = (1.0, 0.0, 0.0), point: ArrayLike = (0.0, 0.0, 0.0)) -> Floats:
    """Points (..., 3) reflected in the plane through `point` with `normal` (any length but 0); same unit and frame."""
    p, n = np.asarray(points, np.float64), np.asarray(normal, np.float64)
    n = n / np.linalg.norm(n)
    return p - 2.0 * ((p - np.asarray(point, np.float64)) @ n)[..., None] * n


def mirrored(scan: FaceScan, normal: ArrayLike = (1.0, 0.0, 0.0), point: ArrayLike = (0.0, 0.0, 0.0)) -> FaceScan:
    """The scan's mirror image in the given plane (default: x = 0), a proper face again: outside stays outside."""
    texture = scan.texture
    if texture is not None:
        texture = type(texture)(texture.image, texture.uv[:, ::-1])
    return scan.replace(
        vertices=reflect(scan.vertices, normal, point),
        faces=scan.faces[:, ::-1],
        landmarks=relabelled({k: reflect(v, normal, point) for k, v in scan.landmarks.items()}),
        texture=texture,
        name=f"{scan.name} (mirrored)",
    )
