"""Skin's own tone, where frames have colours: what holds skin that slides without a trace in the surface.

A place of the template keeps its tone (log of green, less that of its surroundings) from the first frame on. Tone is
sampled at the template's places, so that all its derivatives are known beforehand from that first frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d.geometry.mesh import vertex_normals
from face3d.scan import Floats, Ints
from face3d.sequence.space import Space
from face3d.sequence.surface import FrameSurface
from face3d.template.basis import spaced
from face3d.template.solver import shaded
from face3d.values import Value

#: mm: spacing of the places at which tone is sampled; standard deviations of the blur that a place's own tone is looked
#: at through, and of that of its surroundings: as the template fit's.
SAMPLES, BLUR, BROAD = 3.0, 3.0, 11.0
#: Share of rows, those with the steepest tone, that are looked at.
STEEPEST = 0.5
#: What tone is uncertain by, as a share of how much it varies over the face; beyond so many times that it is believed
#: less.
TONE_SD, TONE_SCALE = 4.0, 3.0
#: mm: further from the frame's surface a sample shows nothing.
NEAR = 4.0


@dataclass(frozen=True, eq=False, repr=False)
class Tone(Value):
    """`at` (S,) vertices at which tone is sampled; `band` (n, S) float32, a row's own tone from the samples; `same`
    (n,) what it was in the first frame, `slopes` (n, 3) how it changes along the face there, 1/mm; `rows` (n,) which
    of the space's rows; `sd` of a difference."""

    at: Ints
    band: np.ndarray
    rows: Ints
    same: Floats
    slopes: Floats
    sd: float

    @classmethod
    def of(cls, space: Space, rest: Floats, shape: Floats, surface: FrameSurface) -> Tone | None:
        """The tone of a face `rest` (N, 3) that lies as `shape` (N, 3), in the surface's frame, on a frame."""
        t = space.template
        at = spaced(t, SAMPLES)
        rows = np.flatnonzero(shaded(t)[space.rows] > 0)
        first, seen = _sampled(surface, shape[at])
        if seen.mean() < 0.3:
            return None
        here, there = rest[space.rows[rows]], rest[at]
        fine, broad = (_blur(here, there, seen, sd) for sd in (BLUR, BROAD))
        band = (fine - broad).astype(np.float32)
        same = band.astype(np.float64) @ first
        apart = there[None] - here[:, None]
        middle = np.einsum("ns,nsi->ni", fine, apart)
        slopes = (np.einsum("ns,nsi,s->ni", fine, apart, first) - middle * (fine @ first)[:, None]) / BLUR**2
        normals = vertex_normals(rest, t.faces)[space.rows[rows]]
        slopes -= np.einsum("ni,ni->n", slopes, normals)[:, None] * normals
        steep = np.linalg.norm(slopes, axis=1)
        steep[fine.max(axis=1) <= 0] = 0.0
        kept = np.sort(np.argsort(-steep, kind="stable")[: int(STEEPEST * len(rows))])
        varies = max(1.48 * float(np.median(np.abs(same - np.median(same)))), 1e-3)
        return cls(at, band[kept], rows[kept], same[kept], slopes[kept], TONE_SD * varies)

    def off(self, surface: FrameSurface, shape: Floats) -> tuple[Floats, Floats]:
        """How much darker or lighter (n,) the frame is where rows lie in it than they were, and the root of the weight
        of each; `shape` (N, 3) in the surface's frame."""
        tone, seen = _sampled(surface, shape[self.at])
        off = self.band @ tone.astype(np.float32) - self.same
        shown = seen.astype(np.float32)
        known = np.abs(self.band) @ shown > 0.8 * np.abs(self.band).sum(axis=1)
        return off, known / (1.0 + (off / (TONE_SCALE * self.sd)) ** 2) / self.sd


def _sampled(surface: FrameSurface, places: Floats) -> tuple[Floats, np.ndarray]:
    """Tone (S,) less its mean, 0 where there is no surface, and where there is."""
    assert surface.tone is not None
    far, near = surface.tree.query(places, k=3)
    near = np.minimum(near, len(surface.tone) - 1)
    weight = 1.0 / np.maximum(far, 0.3) ** 2
    tone = (surface.tone[near] * weight).sum(axis=1) / weight.sum(axis=1)
    seen = far[:, 0] < NEAR
    return np.where(seen, tone - np.median(tone[seen]), 0.0) if seen.any() else np.zeros(len(tone)), seen


def _blur(here: Floats, there: Floats, seen: np.ndarray, sd: float) -> Floats:
    """(n, S) Gaussian weights of samples for rows, each row's sum 1 (0 where nothing is near)."""
    squared = ((here[:, None] - there[None]) ** 2).sum(axis=2)
    weight = np.exp(-0.5 * squared / sd**2) * seen
    weight[weight < 1e-3] = 0.0
    return weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
