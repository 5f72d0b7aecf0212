"""Skin colour as a trace of where skin slides: brows, lips and spots show it where the surface is smooth.

Only how dark a place is beside its surroundings counts (log of green, in which both melanin and blood show, less its
broad average): exposure, white balance and soft light then drop out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.spatial import KDTree

from face3d.scan import FaceScan, Floats
from face3d.values import Value

#: mm: standard deviation of one pass of blurring, about the spacing of brow hairs' tufts and of the fit's vertices.
BLUR = 2.5
#: Passes for the surroundings (about 11 mm), for the coarse and for the fine field.
_BROAD, _COARSE, _FINE = 20, 3, 1
_NEIGHBOURS = 16
#: mm: more is a fold's bottom or an edge.
_MOST_RELIEF = 1.5
#: Darker is noise: a floor for the logarithm, of 255.
_DARKEST = 12.0


@dataclass(frozen=True, eq=False, repr=False)
class ToneField(Value):
    """Tone at a scan's elements: `values` (N,) log units, `slopes` (N, 3) per mm along the surface."""

    values: Floats
    slopes: Floats

    def at(self, index: np.ndarray, apart: Floats) -> Floats:
        """Tone (n,) at places `apart` (n, 3) mm from the elements numbered `index`."""
        return self.values[index] + np.einsum("ni,ni->n", apart, self.slopes[index])


def vertex_colors(scan: FaceScan) -> Floats | None:
    """Red, green and blue (V, 3) 0..255 at the vertices, of the scanner or else from the texture, there the mean over a
    vertex's corners; None where there is neither."""
    if scan.colors is not None:
        return scan.colors.astype(np.float64)
    if scan.texture is None or not len(scan.faces):
        return None
    high, wide = scan.texture.image.shape[:2]
    uv = scan.texture.uv.reshape(-1, 2) % 1.0
    row, column = np.rint((1.0 - uv[:, 1]) * (high - 1)), np.rint(uv[:, 0] * (wide - 1))
    pixels = scan.texture.image[row.astype(np.int64), column.astype(np.int64)].astype(np.float64)
    corner, n = scan.faces.ravel(), len(scan.vertices)
    count = np.maximum(np.bincount(corner, minlength=n), 1)
    return np.stack([np.bincount(corner, pixels[:, k], n) / count for k in range(3)], axis=1)


def vertex_tone(scan: FaceScan) -> Floats | None:
    """Log of green (V,) at the vertices, None where no colour is known."""
    colors = vertex_colors(scan)
    return None if colors is None else np.log(np.maximum(colors[:, 1], _DARKEST))


def tone_fields(points: Floats, normals: Floats, tone: Floats, tree: KDTree) -> tuple[ToneField, ToneField]:
    """The coarse and the fine field of a scan's elements (N, 3) with their raw `tone` (N,)."""
    around = _Around.of(points, normals, tree)
    broad = around.blurred(tone, _BROAD)
    coarse, fine = around.blurred(tone, _COARSE), around.blurred(tone, _FINE)
    return around.field(coarse - broad), around.field(fine - broad)


def relief_fields(points: Floats, normals: Floats, tree: KDTree) -> tuple[ToneField, ToneField]:
    """The coarse and the fine field of the relief: by how much (mm) the surface around an element lies before it on
    average, so its curvature over some 4 mm; folds, pores' dimples, brow ridges and the nose's wings move with the
    skin, and show where it slides although the surface as a whole is smooth."""
    around = _Around.of(points, normals, tree)
    relief = np.clip(around.heights(), -_MOST_RELIEF, _MOST_RELIEF)
    coarse, fine = around.blurred(relief, _COARSE), around.blurred(relief, _FINE)
    return around.field(coarse), around.field(fine)


@dataclass(frozen=True, eq=False, repr=False)
class _Around(Value):
    """The neighbours `near` (N, K) of each element, how they lie `apart` (N, K, 3) mm, and their `weight` (N, K)."""

    near: np.ndarray
    apart: Floats
    normals: Floats
    weight: Floats

    @classmethod
    def of(cls, points: Floats, normals: Floats, tree: KDTree) -> _Around:
        found = tree.query(points, k=min(_NEIGHBOURS, len(points)))
        far, near = np.asarray(found[0]), np.asarray(found[1])
        return cls(near, points[near] - points[:, None], normals, np.exp(-0.5 * (far / BLUR) ** 2))

    @cached_property
    def blur(self) -> sp.csr_array:
        count, width = self.near.shape
        share = self.weight / self.weight.sum(axis=1, keepdims=True)
        return sp.csr_array((share.ravel(), (np.repeat(np.arange(count), width), self.near.ravel())))

    def heights(self) -> Floats:
        wide = np.sqrt(self.weight)
        height = np.einsum("nki,ni->nk", self.apart, self.normals)
        return (wide * height).sum(axis=1) / wide.sum(axis=1)

    def blurred(self, values: Floats, passes: int) -> Floats:
        for _ in range(passes):
            values = self.blur @ values
        return values

    @cached_property
    def level(self) -> Floats:
        height = np.einsum("nki,ni->nk", self.apart, self.normals)
        return self.apart - height[:, :, None] * self.normals[:, None]

    def field(self, values: Floats) -> ToneField:
        level = self.level
        spread = np.einsum("nk,nki,nkj->nij", self.weight, level, level, optimize=True) + 0.1 * np.eye(3)
        pull = np.einsum("nk,nki->ni", self.weight * (values[self.near] - values[:, None]), level)
        return ToneField(values, np.linalg.solve(spread, pull[:, :, None])[:, :, 0])
