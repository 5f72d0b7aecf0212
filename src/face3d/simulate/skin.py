"""Skin colour painted to the material of a face: brows, lips, freckles, mottling. It moves with the skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from face3d.scan import Floats, locked

# Typical sRGB of light to dark skin; blends between them cover the Fitzpatrick types roughly.
_LIGHT, _DARK = np.array([226.0, 185.0, 160.0]), np.array([96.0, 60.0, 44.0])
_BLOOD, _HAIR = np.array([-10.0, -32.0, -22.0]), np.array([62.0, 44.0, 34.0])


@dataclass(frozen=True, eq=False)
class Skin:
    """One person's skin: a colour for every material point of the face.

    Material points are given as positions (N, 3) mm on one fixed shape of the model, the same for all expressions of
    the person, so that a mole keeps its place on the skin whatever the face does. `landmarks` on that shape place brows
    and lips. Nothing in it is symmetric: no left mole has a right counterpart.
    """

    tone: float
    landmarks: Mapping[str, Floats]
    spots: Floats
    spot_radius: Floats
    spot_depth: Floats
    waves: tuple[Floats, Floats, Floats]

    @classmethod
    def draw(cls, rng: np.random.Generator, landmarks: Mapping[str, ArrayLike], extent: ArrayLike) -> Skin:
        """A person's skin. `landmarks` and `extent` (2, 3), its lower and upper corner, mm, on the fixed shape."""
        low, high = np.asarray(extent, np.float64)
        spots = int(rng.integers(60, 400))
        # Mottling at three sizes: blotches, freckled pigment, coarse pores as far as vertices resolve them.
        waves = tuple(
            np.vstack([rng.normal(0.0, 1.0 / length, (3, 64)), rng.uniform(0, 2 * np.pi, (1, 64))])
            for length in (12.0, 4.0, 1.5)
        )
        return cls(
            tone=float(rng.beta(1.5, 2.0)),
            landmarks={k: locked(v) for k, v in landmarks.items()},
            spots=locked(rng.uniform(low, high, (spots, 3))),
            spot_radius=locked(rng.lognormal(np.log(1.2), 0.4, spots)),
            spot_depth=locked(rng.uniform(0.1, 0.6, spots)),
            waves=waves,  # type: ignore[arg-type]
        )

    def colors(self, material: ArrayLike, rng: np.random.Generator, noise: float = 3.0) -> NDArray[np.uint8]:
        """sRGB (N, 3) uint8 at material points (N, 3), with lighting gain and camera `noise` (grey levels, SD)."""
        p = np.asarray(material, np.float64)
        mottle = [np.cos(p @ w[:3] + w[3]).sum(axis=1) * np.sqrt(2.0 / w.shape[1]) for w in self.waves]
        base = _LIGHT + (_DARK - _LIGHT) * self.tone
        color = (
            base + (5.0 * mottle[0] + 4.0 * mottle[1] + 5.0 * mottle[2])[:, None] + 0.25 * mottle[0][:, None] * _BLOOD
        )
        color = color * (1.0 - self._spots(p))[:, None]
        color = color + self._lips(p)[:, None] * _BLOOD
        hair = self._brows(p)[:, None] * (0.8 + 0.2 * np.tanh(mottle[2])[:, None])
        color = color * (1 - hair) + np.minimum(_HAIR, 0.8 * base) * hair
        color = color * rng.normal(1.0, 0.04) + rng.normal(0.0, noise, color.shape)
        return np.clip(np.rint(color), 0, 255).astype(np.uint8)

    def _spots(self, p: Floats) -> Floats:
        """Darkening 0..1 by freckles and moles: balls about points near the surface that cut it."""
        dark = np.zeros(len(p))
        for k, near in enumerate(KDTree(p).query_ball_point(self.spots, 3.0 * self.spot_radius)):
            if near:
                d2 = ((p[near] - self.spots[k]) ** 2).sum(axis=1)
                dark[near] += self.spot_depth[k] * np.exp(-d2 / (2 * self.spot_radius[k] ** 2))
        return np.minimum(dark, 0.85)

    def _brows(self, p: Floats) -> Floats:
        hair = np.zeros(len(p))
        for side in ("left", "right"):
            names = [f"{code}_{side}" for code in ("mb", "sci", "lb")]
            if all(name in self.landmarks for name in names):
                d = _curve_distance(p, [self.landmarks[name] for name in names])
                hair = np.maximum(hair, 0.85 / (1 + np.exp((d - 3.5) / 0.6)))
        return hair

    def _lips(self, p: Floats) -> Floats:
        names = ("ch_left", "ls", "ch_right", "li")
        if not all(name in self.landmarks for name in names):
            return np.zeros(len(p))
        left, top, right, bottom = (self.landmarks[name] for name in names)
        centre = 0.5 * (left + right)
        x = (p[:, 0] - centre[0]) / (0.5 * abs(left[0] - right[0]))
        edge = np.where(p[:, 1] > centre[1], top[1] - centre[1], centre[1] - bottom[1]) * np.maximum(1 - x**2, 0.0)
        inside = (np.abs(x) < 1) & (p[:, 2] > centre[2] - 15)
        return np.where(inside, 1 / (1 + np.exp((np.abs(p[:, 1] - centre[1]) - edge) / 0.6)), 0.0)


def _curve_distance(p: Floats, line: list[Floats]) -> Floats:
    """Distance (N,) mm of points to the arc through three points (a quadratic), sampled finely."""
    t = np.linspace(0, 1, 25)[:, None]
    a, b, c = line
    arc = a * (1 - t) * (1 - 2 * t) + 4 * b * t * (1 - t) + c * t * (2 * t - 1)
    return KDTree(arc).query(p)[0]
