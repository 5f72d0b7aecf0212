"""Rigid motions between paired points: proper rotations, never a reflection, never a scale."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.scan import Floats

#: Vertices that moved more than this (mm) against the rest of the stable region never count as stable.
FARTHEST_STABLE = 3.0


def align(moving: Floats, fixed: Floats, weight: Floats, rounds: int = 15) -> tuple[RigidTransform, float]:
    """Rigid motion that lays paired points `moving` on `fixed` (n, 3), Tukey-weighted, and the weighted RMS left,
    mm.
    """
    use = weight > 0.01
    a, b, w = moving[use], fixed[use], weight[use]
    robust = w
    turn, shift, error = Rotation.identity(), np.zeros(3), np.zeros(len(a))
    for _ in range(rounds):
        total = robust.sum()
        ca, cb = robust @ a / total, robust @ b / total
        turn = Rotation.from_matrix(turned_onto(a - ca, b - cb, robust)[0])
        shift = cb - turn.apply(ca)
        error = np.linalg.norm(turn.apply(a) + shift - b, axis=1)
        # 4.685 sigma: 95 % efficiency under normal noise (Beaton & Tukey 1974); 1.48 turns a median into sigma.
        reach = np.clip(4.685 * 1.48 * np.median(error), 0.3, FARTHEST_STABLE)
        new = w * np.maximum(1.0 - (error / reach) ** 2, 0.0) ** 2
        if new.sum() < 0.05 * w.sum() or np.allclose(new, robust, atol=1e-9):
            break
        robust = new
    rms = float(np.sqrt(robust @ error**2 / robust.sum()))
    return RigidTransform.from_components(shift, turn), rms


def turned_onto(moving: Floats, fixed: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """The proper rotations (..., 3, 3) that turn centred points `moving` (..., n, 3) onto `fixed` with least squares
    weighted by `weight` (..., n), and how strongly each axis determines them (..., 3), descending; the last is negative
    where a reflection would fit better (Kabsch 1976)."""
    u, s, vt = np.linalg.svd(np.swapaxes(weight[..., None] * moving, -1, -2) @ fixed)
    sign = np.sign(np.linalg.det(u @ vt))[..., None]
    u = np.concatenate([u[..., :2], u[..., 2:] * sign[..., None]], axis=-1)
    return np.swapaxes(u @ vt, -1, -2), np.concatenate([s[..., :2], s[..., 2:] * sign], axis=-1)


def laid_on(moving: Floats, fixed: Floats, weight: Floats) -> RigidTransform:
    """The proper rigid motion that lays `moving` (N, 3) on `fixed` with least weighted squares (Kabsch 1976)."""
    share = weight / weight.sum()
    a, b = share @ fixed, share @ moving
    turn, _ = turned_onto(moving - b, fixed - a, share)
    return RigidTransform.from_components(a - turn @ b, Rotation.from_matrix(turn))
