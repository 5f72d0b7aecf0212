"""Random fields in space: errors of a surface that are alike at neighbouring points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from face3d.scan import Floats


def smooth_field(points: ArrayLike, length_mm: float, rng: np.random.Generator, waves: int = 64) -> Floats:
    """A Gaussian random field (N,) of variance 1 at points (N, 3) mm, correlation exp(-d^2 / (2 length^2)).

    Random Fourier features (Rahimi & Recht 2007): a sum of cosines whose frequencies follow the kernel's spectrum. The
    variance of one draw over a face differs from 1 as a field's does, the more the longer its correlation.
    """
    p = np.asarray(points, np.float32)  # single precision is four times as fast, and a random field has no last digits
    frequency = rng.normal(0.0, 1.0 / length_mm, (3, waves))
    phase = rng.uniform(0.0, 2 * np.pi, waves)
    wave = np.cos(p @ frequency.astype(np.float32) + phase.astype(np.float32))
    return wave.sum(axis=1, dtype=np.float64) * np.sqrt(2.0 / waves)
