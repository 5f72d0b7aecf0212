"""Which points of a face the cameras see, and which of them stereo cannot measure: nostrils, lashes, brows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from face3d.geometry.rays import RayScene
from face3d.landmarks import code_of
from face3d.scan import Floats, Ints
from face3d.simulate.scanners.noise import smooth_field

# Beyond this angle between normal and line of sight, matching fails: a pixel covers four times the skin.
STEEPEST_DEGREES = 75.0


def cosine_to_cameras(points: Floats, normals: Floats, vertices: Floats, faces: Ints, cameras: ArrayLike) -> Floats:
    """(N, C) cosine of the angle between the normal and the line to each camera; 0 where the camera does not see it.

    `points`, `normals` (N, 3) on the surface `vertices`, `faces` (mm); `cameras` (C, 3) positions, mm, same frame.
    """
    scene = RayScene(vertices, faces, threads=1, middle=np.zeros(3))
    seen = np.zeros((len(points), len(np.atleast_2d(cameras))))
    # Half a millimetre off the surface: coarse facets must not hide their own neighbours at grazing angles.
    start = points + 0.5 * normals
    for k, camera in enumerate(np.atleast_2d(cameras)):
        to = camera - points
        to /= np.linalg.norm(to, axis=1, keepdims=True)
        cosine = np.einsum("ij,ij->i", normals, to)
        ask = np.flatnonzero(cosine > np.cos(np.radians(STEEPEST_DEGREES)))
        seen[ask, k] = np.where(scene.hidden(start[ask], to[ask]), 0.0, cosine[ask])
    return seen


def unmeasured(points: Floats, landmarks: Mapping[str, Floats], rng: np.random.Generator) -> np.ndarray:
    """(N,) True where passive stereo leaves a hole: at lashes, brows and in the nostrils, in patches as matching fails.

    `points` (N, 3) and `landmarks` mm in one frame. Missing landmarks leave their part of the face whole. The shares
    of loss follow the look of clinical scans (a quarter of the lash line lost, little of the brows, nostrils nearly
    all); not measured.
    """
    loss = np.zeros(len(points))
    for side in ("left", "right"):
        mark = {code_of(name): p for name, p in landmarks.items() if name.endswith(f"_{side}")}
        if {"en", "ps", "ex"} <= mark.keys():
            lash = _polyline_distance(points, [mark["en"], mark["ps"], mark["ex"]])
            loss = np.maximum(loss, 0.25 * np.exp(-((lash / 2.0) ** 2)))
        if {"mb", "sci", "lb"} <= mark.keys():
            brow = _polyline_distance(points, [mark["mb"], mark["sci"], mark["lb"]])
            loss = np.maximum(loss, 0.08 * np.exp(-((brow / 4.0) ** 4)))
        if "al" in mark and {"sn", "prn"} <= landmarks.keys():
            # The nostril's opening lies below the middle between wing and columella.
            columella = 0.6 * landmarks["sn"] + 0.4 * landmarks["prn"]
            opening = 0.5 * mark["al"] + 0.5 * columella
            opening = opening + 0.25 * (landmarks["sn"] - landmarks["prn"])
            loss = np.maximum(loss, 0.95 * (np.linalg.norm(points - opening, axis=1) < 3.5))
    # Lost points come in patches of some 3 mm: the size of a matching window.
    return ndtr(smooth_field(points, 3.0, rng)) < loss


def _polyline_distance(points: Floats, line: list[Floats]) -> Floats:
    distance = np.full(len(points), np.inf)
    for a, b in pairwise(line):
        t = np.clip((points - a) @ (b - a) / max(float((b - a) @ (b - a)), 1e-12), 0.0, 1.0)
        distance = np.minimum(distance, np.linalg.norm(points - a - t[:, None] * (b - a), axis=1))
    return distance
