"""Skin colour as a trace of where skin slides: brows, lips and spots show it where the surface is smooth.

Only how dark a place is beside its surroundings counts (log of green, in which both melanin and blood show, less its
broad average): exposure, white balance and soft light then drop out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.spatial import KDTree

from face3d.scan import FaceScan, Floats
from face3d.values import Value

#: mm: standard deviation of one pass of blurring, about the spacing of brow hairs' tufts and of the fit's vertices.
BLUR = 2.5
#: Passes for the surroundings (about 11 mm), for the coarse and for the fine field.
_BROAD, _COARSE, _FINE = 20, 3, 1
_NEIGHBOURS = 24
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


def vertex_tone(scan: FaceScan) -> Floats | None:
    """Log of green (V,) at the vertices, from vertex colours or else from the texture; None where there is neither."""
    if scan.colors is not None:
        green = scan.colors[:, 1].astype(np.float64)
    elif scan.texture is not None and len(scan.faces):
        high, wide = scan.texture.image.shape[:2]
        uv = scan.texture.uv.reshape(-1, 2) % 1.0
        row, column = np.rint((1.0 - uv[:, 1]) * (high - 1)), np.rint(uv[:, 0] * (wide - 1))
        pixel = scan.texture.image[row.astype(np.int64), column.astype(np.int64), 1]
        corner = scan.faces.ravel()
        count = np.maximum(np.bincount(corner, minlength=len(scan.vertices)), 1)
        green = np.bincount(corner, pixel.astype(np.float64), len(scan.vertices)) / count
    else:
        return None
    return np.log(np.maximum(green, _DARKEST))


def tone_fields(points: Floats, normals: Floats, tone: Floats, tree: KDTree) -> tuple[ToneField, ToneField]:
    """The coarse and the fine field of a scan's elements (N, 3) with their raw `tone` (N,)."""
    found = tree.query(points, k=min(_NEIGHBOURS, len(points)))
    far, near = np.asarray(found[0]), np.asarray(found[1])
    count = near.shape[1]
    weight = np.exp(-0.5 * (far / BLUR) ** 2)
    rows = np.repeat(np.arange(len(points)), count)
    blur = sp.csr_array((weight.ravel() / np.repeat(weight.sum(axis=1), count), (rows, near.ravel())))
    levels = [tone]
    for _ in range(_BROAD):
        levels.append(blur @ levels[-1])
    apart = points[near] - points[:, None]
    apart -= np.einsum("nki,ni->nk", apart, normals)[:, :, None] * normals[:, None]
    spread = np.einsum("nk,nki,nkj->nij", weight, apart, apart) + 0.1 * np.eye(3)

    def field(passes: int) -> ToneField:
        values = levels[passes] - levels[-1]
        pull = np.einsum("nk,nki->ni", weight * (values[near] - values[:, None]), apart)
        return ToneField(values, np.linalg.solve(spread, pull[:, :, None])[:, :, 0])

    return field(_COARSE), field(_FINE)
