"""Skin colour painted to the material of a face: brows, lips, freckles, mottling. It moves with the skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from face3d.scan import Floats
from face3d.values import Value, locked

# Typical sRGB of light to dark skin; blends between them cover the Fitzpatrick types roughly.
_LIGHT, _DARK = np.array([226.0, 185.0, 160.0]), np.array([96.0, 60.0, 44.0])
_SCLERA = np.array([226.0, 219.0, 213.0])
_IRIS = np.array([[92.0, 62.0, 40.0], [88.0, 108.0, 120.0], [96.0, 96.0, 64.0], [60.0, 40.0, 30.0]])
_BLOOD, _HAIR = np.array([-10.0, -32.0, -22.0]), np.array([62.0, 44.0, 34.0])


@dataclass(frozen=True, eq=False, repr=False)
class Skin(Value):
    """One person's skin: a colour for every material point of the face.

    Material points are given as positions (N, 3) mm on one fixed shape of the model, the same for all expressions of
    the person, so that a mole keeps its place on the skin whatever the face does. `landmarks` on that shape place brows
    and lips. Nothing in it is symmetric: no left mole has a right counterpart.
    """

    tone: float
    iris: Floats
    landmarks: Mapping[str, Floats]
    spots: Floats
    spot_radius: Floats
    spot_depth: Floats
    waves: tuple[Floats, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, landmarks: Mapping[str, ArrayLike], extent: ArrayLike) -> Skin:
        """A person's skin. `landmarks` and `extent` (2, 3), its lower and upper corner, mm, on the fixed shape."""
        low, high = np.asarray(extent, np.float64)
        # Spots fill the box about the head; the few per cent that lie near the surface show.
        spots = int(rng.integers(1000, 8000))
        # Mottling at three sizes: blotches, freckled pigment, coarse pores as far as vertices resolve them.
        waves = tuple(
            np.vstack([rng.normal(0.0, 1.0 / length, (3, 48)), rng.uniform(0, 2 * np.pi, (1, 48))])
            for length in (12.0, 4.0, 1.2)
        )
        return cls(
            tone=float(rng.beta(1.5, 2.0)),
            iris=locked(_IRIS[int(rng.integers(len(_IRIS)))]),
            landmarks={k: locked(v) for k, v in landmarks.items()},
            spots=locked(rng.uniform(low, high, (spots, 3))),
            spot_radius=locked(np.minimum(rng.lognormal(np.log(0.8), 0.4, spots), 2.0)),
            spot_depth=locked(rng.uniform(0.1, 0.6, spots)),
            waves=waves,
        )

    def colors(self, material: ArrayLike, rng: np.random.Generator, noise: float = 3.0) -> NDArray[np.uint8]:
        """sRGB (N, 3) uint8 at material points (N, 3), with lighting gain and camera `noise` (grey levels, SD)."""
        p = np.asarray(material, np.float64)
        blotch, pigment, pore = (_sum_of_waves(p, w)[:, None] for w in self.waves)
        base = _LIGHT + (_DARK - _LIGHT) * self.tone
        color = base + 5.0 * blotch + 4.0 * pigment + 5.0 * pore + 0.25 * blotch * _BLOOD
        color = color * (1.0 - self._spots(p))[:, None]
        color = color + self._lips(p)[:, None] * _BLOOD
        hair = self._brows(p)[:, None] * (0.8 + 0.2 * np.tanh(pore))
        color = color * (1 - hair) + np.minimum(_HAIR, 0.8 * base) * hair
        color = self._eyes(p, color)
        color = color * rng.normal(1.0, 0.04) + rng.normal(0.0, noise, color.shape)
        return np.clip(np.rint(color), 0, 255).astype(np.uint8)

    def _spots(self, p: Floats) -> Floats:
        """Darkening 0..1 by freckles and moles: balls about points near the surface that cut it."""
        dark = np.zeros(len(p))
        near, which = KDTree(self.spots).query(p, k=2, distance_upper_bound=3.0 * float(self.spot_radius.max()))
        for d, spot in zip(np.transpose(near), np.transpose(which), strict=True):
            hit = np.flatnonzero(np.isfinite(d))
            k = spot[hit]
            dark[hit] += self.spot_depth[k] * np.exp(-(d[hit] ** 2) / (2 * self.spot_radius[k] ** 2))
        return np.minimum(dark, 0.85)

    def _brows(self, p: Floats) -> Floats:
        hair = np.zeros(len(p))
        for side in ("left", "right"):
            names = [f"{code}_{side}" for code in ("mb", "sci", "lb")]
            if all(name in self.landmarks for name in names):
                near, d = _near_curve(p, [self.landmarks[name] for name in names], 8.0)
                hair[near] = np.maximum(hair[near], 0.85 / (1 + np.exp((d - 3.2) / 0.6)))
        return hair

    def _eyes(self, p: Floats, color: Floats) -> Floats:
        """White, iris and pupil between the lids."""
        for side in ("left", "right"):
            names = [f"{code}_{side}" for code in ("en", "ps", "ex", "pi")]
            if not all(name in self.landmarks for name in names):
                continue
            en, ps, ex, pi = (self.landmarks[name] for name in names)
            t = (p[:, 0] - en[0]) / (ex[0] - en[0])
            corner = en[1] + t * (ex[1] - en[1])
            arch = np.clip(4 * t * (1 - t), 0, None) ** 0.8
            middle = 0.5 * (en + ex)
            inside = (t > 0.03) & (t < 0.97) & (np.abs(p[:, 2] - middle[2]) < 15)
            up, down = (ps[1] - middle[1]) * arch, (pi[1] - middle[1]) * arch
            y = p[:, 1] - corner
            eye = np.flatnonzero(inside & (y < up - 0.3) & (y > down + 0.3))
            centre = np.array([0.5 * (ps[0] + pi[0]), 0.5 * (ps[1] + pi[1]) + 0.4])
            r = np.linalg.norm(p[eye, :2] - centre, axis=1)[:, None]
            iris = 1 / (1 + np.exp((r - 5.8) / 0.25))
            pupil = 1 / (1 + np.exp((r - 1.9) / 0.2))
            color[eye] = (_SCLERA * (1 - iris) + self.iris * iris) * (1 - pupil) + 15.0 * pupil
        return color

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


def _sum_of_waves(p: Floats, waves: Floats) -> Floats:
    # Single precision: a grey level is all that is asked for.
    wave = np.cos(p.astype(np.float32) @ waves[:3].astype(np.float32) + waves[3].astype(np.float32))
    return wave.sum(axis=1, dtype=np.float64) * np.sqrt(2.0 / waves.shape[1])


def _near_curve(p: Floats, line: list[Floats], reach: float) -> tuple[NDArray[np.int64], Floats]:
    """Points (indices) within about `reach` mm of the arc through three points (a quadratic), and their distance."""
    t = np.linspace(0, 1, 25)[:, None]
    a, b, c = line
    arc = a * (1 - t) * (1 - 2 * t) + 4 * b * t * (1 - t) + c * t * (2 * t - 1)
    low, high = arc.min(axis=0) - reach, arc.max(axis=0) + reach
    near = np.flatnonzero(((p > low) & (p < high)).all(axis=1))
    return near, KDTree(arc).query(p[near])[0] if len(near) else np.empty(0)
