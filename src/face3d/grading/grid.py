"""The template grid: some hundred template vertices, in left-right pairs, at which networks look at a face."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse as sp
from scipy.spatial import KDTree

from face3d.grading.points import farthest_points
from face3d.landmarks import MIDLINE, PAIRED, code_of
from face3d.scan import Floats, Ints
from face3d.template.template import FaceTemplate
from face3d.values import Value

#: Nodes of the left half beside the midline. About 7 mm apart: finer adds nothing to grading that was measured.
PAIRS, MIDDLE = 208, 48
#: Landmarks that are detected on every face, as tokens beside the nodes; left before right before midline.
_CODES = ("en", "ex", "ps", "pi", "mb", "sci", "lb", "al", "ac", "ch", "cph")
_MIDDLE = ("g", "n", "prn", "c", "sn", "ls", "sto", "li", "sl", "pg", "gn")
MARKS: tuple[str, ...] = (*(f"{c}_left" for c in _CODES), *(f"{c}_right" for c in _CODES), *_MIDDLE)
assert set(_CODES) <= set(PAIRED)
assert set(_MIDDLE) <= set(MIDLINE)


@dataclass(frozen=True, eq=False, repr=False)
class Grid(Value):
    """`nodes` (N,) template vertices: `pairs` on the left, their opposites in the same order on the right, then the
    midline. `gather` (N, V) sparse: each node's area-weighted mean over the vertices nearest to it. `positions` (N, 3)
    on the template, mm; `regions` (N, R) weights of the regions named `region_names` (sides taken together)."""

    nodes: Ints
    pairs: int
    gather: sp.csr_matrix
    positions: Floats
    regions: Floats
    region_names: tuple[str, ...]

    @property
    def opposite(self) -> Ints:
        """(N,) each node's mirror image, an involution."""
        k, n = self.pairs, len(self.nodes)
        return np.r_[np.arange(k, 2 * k), np.arange(k), np.arange(2 * k, n)]

    def means(self, field: Floats) -> Floats:
        """(N, ...) a field (V, ...) at the nodes: means of what is known around each, NaN where less than half is."""
        flat = np.asarray(field, np.float64).reshape(len(field), -1)
        known = np.asarray(np.isfinite(flat).all(axis=1))
        total = self.gather @ np.where(known[:, None], flat, 0.0)
        share = self.gather @ known.astype(np.float64)
        mean = total / np.maximum(share, 1e-12)[:, None]
        mean[share < 0.5] = np.nan
        return mean.reshape(len(self.nodes), *np.shape(field)[1:])


@lru_cache(maxsize=3)
def grid_of(template: FaceTemplate) -> Grid:
    """The grid of a template; the same on every machine."""
    at, opposite = template.vertices, template.opposite
    paired: np.ndarray = np.not_equal(opposite, np.arange(len(at)))
    middle, left = np.flatnonzero(~paired), np.flatnonzero((at[:, 0] > 0) & paired)
    pairs = left[farthest_points(at[left], PAIRS, _nearest(at[left], at.mean(axis=0)))]
    line = middle[farthest_points(at[middle], MIDDLE, 0)]
    nodes = np.concatenate([pairs, opposite[pairs], line])
    # A vertex of the left half belongs to a node there or on the midline; the right half by its mirror image.
    home = np.full(len(at), -1)
    half = np.concatenate([left, middle])
    choice = np.concatenate([pairs, line])
    found = KDTree(at[choice]).query(at[half])[1]
    k = len(pairs)
    home[half] = np.where(found < k, found, found + k)
    on_right = opposite[left]
    home[on_right] = np.where(home[left] < k, home[left] + k, home[left])
    area = template.area
    gather = sp.csr_matrix((area, (home, np.arange(len(at)))), (len(nodes), len(at)))
    gather = sp.csr_matrix(sp.diags(1.0 / np.asarray(gather.sum(axis=1)).ravel()) @ gather)
    names = tuple(sorted({code_of(name) for name in template.regions}))
    both = [template.regions[f"{n}_left"] + template.regions[f"{n}_right"] for n in names]
    return Grid(nodes, k, gather, at[nodes], np.clip(np.array(both)[:, nodes].T, 0, 1), names)


def _nearest(points: Floats, to: Floats) -> int:
    return int(((points - to) ** 2).sum(axis=1).argmin())
