"""May a template fit be believed? A traffic light with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from face3d.geometry.mesh import vertex_normals
from face3d.scan import Floats, Ints
from face3d.template.fit import TemplateFit
from face3d.template.template import FaceTemplate

Light = Literal["green", "amber", "red"]

#: name -> (amber beyond, red beyond, what it says, unit). Real scans that fit well lie under 0.3 mm, 0.8 mm, 1 %.
_LIMITS: dict[str, tuple[float, float, str]] = {
    "residual_mm": (0.5, 1.2, "median distance between template and scan, mm"),
    "residual_p95_mm": (1.5, 4.0, "95th percentile of the distance, mm"),
    "uncovered": (0.35, 0.65, "share of the face that the scan does not support"),
    "flipped": (0.01, 0.02, "share of triangles that are turned over or folded"),
    "unusual": (2.0, 3.0, "how far the shape is from a usual face, RMS of its identity in SD"),
    "stretched": (0.015, 0.04, "share of edges more than 3 times longer or shorter than the template's"),
    # Amber only: the rest of a face may be believed where its lids or lips slipped.
    "crossed_mm": (1.5, np.inf, "how far the edge of an upper lid or lip has slipped below the lower one, mm"),
}
#: Places along a slit at which its two edges are compared, as shares of the way from corner to corner.
_ALONG = np.linspace(0.15, 0.85, 15)


@dataclass(frozen=True)
class FitQuality:
    """`light` with `reasons` (empty when green), and the numbers behind it: distances template to scan (median,
    95th percentile, mm), share of the template that the scan does not support, turned triangles, RMS of the identity in
    SD, stretched edges; by how much the edges of lids or lips cross, mm."""

    light: Light
    reasons: tuple[str, ...]
    residual_mm: float
    residual_p95_mm: float
    uncovered: float
    flipped: float
    unusual: float
    stretched: float
    crossed_mm: float = 0.0

    @property
    def numbers(self) -> tuple[float, float, float, float, float, float]:
        """The first six numbers, in the order of the fields."""
        return self.residual_mm, self.residual_p95_mm, self.uncovered, self.flipped, self.unusual, self.stretched


def fit_quality(fit: TemplateFit) -> FitQuality:
    """Judge a fit; red means that its numbers say nothing about the face."""
    t = fit.template
    distance = np.abs(fit.residual_mm[fit.valid])
    share = float(t.area[fit.valid].sum() / t.area.sum())
    numbers = {
        "residual_mm": float(np.median(distance)) if len(distance) else np.inf,
        "residual_p95_mm": float(np.quantile(distance, 0.95)) if len(distance) else np.inf,
        "uncovered": 1.0 - share,
        "flipped": _flipped(fit),
        "unusual": float(np.sqrt((fit.identity**2).mean())),
        "stretched": _stretched(fit),
        "crossed_mm": _crossed(fit),
    }
    light: Light = "green"
    reasons = []
    for name, (amber, red, meaning) in _LIMITS.items():
        value = numbers[name]
        if value > amber:
            worst = value > red
            light = "red" if worst or light == "red" else "amber"
            reasons.append(f"{meaning}: {value:.3g}, above {red if worst else amber:g}")
    return FitQuality(light, tuple(reasons), **numbers)


def _flipped(fit: TemplateFit) -> float:
    """Triangles whose normal points against the mean normal of their corners."""
    t = fit.template
    v: Floats = fit.vertices_mm
    a, b, c = (v[t.faces[:, k]] for k in range(3))
    own = np.cross(b - a, c - a)
    normals = vertex_normals(v, t.faces)
    for _ in range(2):
        normals = t.mean @ normals
    around = normals[t.faces].mean(axis=1)
    return float((np.einsum("fi,fi->f", own, around) < 0).mean())


def _stretched(fit: TemplateFit) -> float:
    t = fit.template

    def length(v: Floats) -> Floats:
        return np.linalg.norm(v[t.edges[:, 0]] - v[t.edges[:, 1]], axis=1)

    ratio = length(fit.vertices_mm) / np.maximum(length(t.vertices), 1e-9)
    return float(((ratio > 3.0) | (ratio < 1 / 3.0)).mean())


def _crossed(fit: TemplateFit) -> float:
    """mm by which the upper edge of the mouth's or an eye's slit lies below the lower one (median along the slit; the
    largest of the three); 0 where none does."""
    below = [0.0]
    for upper, lower in slits(fit.template):
        gap = fit.vertices_mm[upper, 1] - fit.vertices_mm[lower, 1]
        below.append(float(np.median(-gap)))
    return max(below)


@lru_cache(maxsize=3)
def slits(t: FaceTemplate) -> tuple[tuple[Ints, Ints], ...]:
    """For the mouth and both eyes: vertices (15,) of the upper edge and those (15,) of the lower one that face them."""
    directed = np.concatenate([t.faces[:, [0, 1]], t.faces[:, [1, 2]], t.faces[:, [2, 0]]])
    count = len(t.vertices)
    alone = ~np.isin(directed[:, 0] * count + directed[:, 1], directed[:, 1] * count + directed[:, 0])
    after = dict(directed[alone].tolist())
    loops = []
    while after:
        start, loop = next(iter(after)), []
        while start in after:
            loop.append(start)
            start = after.pop(start)
        loops.append(np.array(loop))
    outer = max(range(len(loops)), key=lambda k: np.ptp(t.vertices[loops[k], 1]))
    return tuple(_edges_of(t.vertices, loop) for k, loop in enumerate(loops) if k != outer)


def _edges_of(v: Floats, loop: Ints) -> tuple[Ints, Ints]:
    """The upper and the lower edge of a slit (k,), both from the corner with the larger x on, at `_ALONG`."""
    loop = np.roll(loop, -int(v[loop, 0].argmax()))
    far = int(v[loop, 0].argmin())
    sides = []
    for side in (loop[: far + 1], np.r_[loop[far:], loop[:1]][::-1]):
        way = np.r_[0.0, np.linalg.norm(np.diff(v[side], axis=0), axis=1).cumsum()]
        sides.append(side[np.abs(way[:, None] / way[-1] - _ALONG).argmin(axis=0)])
    upper, lower = sorted(sides, key=lambda side: -v[side, 1].mean())
    return upper, lower
