"""The few movements that tracking estimates: those that the template fit's own prior expects most of.

The fit's unknowns (movement units of both sides, smooth remainder) with their Gaussian prior are turned into the
orthogonal movements of largest variance over the face; a few hundred carry all but a few per cent of it. Each has unit
standard deviation, so the prior is |estimate|^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve, cholesky, eigh, solve_triangular
from scipy.spatial import KDTree

from face3d.scan import Floats, Ints
from face3d.template.basis import basis_of, every_column, spaced
from face3d.template.identity import FIRM
from face3d.template.stable import UNKNOWN, region_weights
from face3d.template.template import FaceTemplate
from face3d.values import Value

#: How many movements.
MOVEMENTS = 240
#: mm: spacing of the template's vertices that are laid on a frame, and of those where small parts move much.
SPACING, FINE_SPACING = 6.0, 2.5
FINE = ("upper_lip", "lower_lip", "commissure", "upper_lid", "lower_lid")


@dataclass(frozen=True, eq=False, repr=False)
class Space(Value):
    """Movements of a template: `columns` (3 N, K) float32 mm at the vertices, for one SD each; `rows` (n,) the vertices
    that are compared with a frame, `here` (n, 3, K) float32 how these move; `spread` (N, n) sparse, from rows to all;
    `area` (n,) mm2 that a row stands for, `stable` (n,) how still it stands, `firm` (n,) whether it lies on bone."""

    template: FaceTemplate
    columns: np.ndarray
    rows: Ints
    here: np.ndarray
    spread: sp.csr_array
    area: Floats
    stable: Floats
    firm: np.ndarray

    def displaced(self, estimate: Floats) -> Floats:
        """(N, 3) mm for an estimate (K,)."""
        return (self.columns @ estimate.astype(np.float32)).reshape(-1, 3).astype(np.float64)


class Projection:
    """The most likely estimate for known movement of some rows, `weight` (n,) 1/mm2 of belief in each."""

    def __init__(self, space: Space, weight: Floats) -> None:
        flat = space.here.reshape(-1, space.here.shape[2])
        self._scaled = flat * np.repeat(weight, 3)[:, None].astype(np.float32)
        self._factor = cho_factor((self._scaled.T @ flat).astype(np.float64) + np.eye(flat.shape[1]))

    def estimate(self, moved: Floats) -> Floats:
        """(K,) for movement (n, 3) mm; that of rows without weight does not count, but must be finite."""
        return cho_solve(self._factor, (self._scaled.T @ moved.ravel().astype(np.float32)).astype(np.float64))


@lru_cache(maxsize=3)
def space_of(t: FaceTemplate, count: int = MOVEMENTS) -> Space:
    """The movements of a template (made once)."""
    basis = basis_of(t, moving=True)
    rows = _rows(t)
    few = every_column(t, rows)
    # With prior precision L L', columns C of unit variance are C L'^-1; their variance over the face is what counts.
    lower = cholesky(basis.prior, lower=True)
    flat = few.reshape(-1, few.shape[2]).astype(np.float64)
    unit = solve_triangular(lower, flat.T, lower=True)
    gram = unit @ unit.T
    size = len(gram)
    _, vectors = eigh(gram, subset_by_index=(size - count, size - 1))
    turn = solve_triangular(lower, vectors, lower=True, trans=1).astype(np.float32)
    columns = np.concatenate(
        [every_column(t, part).reshape(-1, size) @ turn for part in np.array_split(np.arange(len(t.vertices)), 8)]
    )
    far, near = (np.asarray(part) for part in KDTree(t.vertices[rows]).query(t.vertices, k=4))
    share = 1.0 / np.maximum(far, 0.5) ** 2
    share /= share.sum(axis=1, keepdims=True)
    ends = np.repeat(np.arange(len(near)), near.shape[1])
    spread = sp.csr_array((share.ravel(), (ends, near.ravel())), (len(near), len(rows)))
    mirrored = np.searchsorted(rows, t.opposite[rows])
    spread = sp.csr_array((spread + spread[t.opposite][:, mirrored]) / 2)  # alike for both sides
    area = spread.T @ t.area
    firm = (region_weights(t, FIRM) > 0.5)[rows]
    here = np.ascontiguousarray(columns.reshape(-1, 3, count)[rows])
    return Space(t, columns, rows, here, spread, area, region_weights(t, UNKNOWN)[rows], firm)


def _rows(t: FaceTemplate) -> Ints:
    """Vertices that are compared with frames, alike on both sides."""
    weight = np.sum([t.regions[f"{part}_{side}"] for part in FINE for side in ("left", "right")], axis=0)
    fine = weight > 0.3
    few, many = spaced(t, SPACING), spaced(t, FINE_SPACING)
    return np.union1d(few[~fine[few]], many[fine[many]])
