"""Loop subdivision (Loop 1987) as a sparse matrix, which subdivides a mesh and every field on it alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from face3d.scan import Floats, Ints
from face3d.values import Value


@dataclass(frozen=True, eq=False, repr=False)
class Subdivision(Value):
    """`matrix` (V', V) makes the finer level's vertices; `faces` (4 F, 3); `opposite` (V',) carried over."""

    matrix: sp.csr_array
    faces: Ints
    opposite: Ints

    def apply(self, values: Floats) -> Floats:
        """Positions or fields (..., V, C) on the finer level, exactly as symmetric as they were."""
        v = np.asarray(values, np.float64)
        stacked = np.moveaxis(v.reshape(-1, *v.shape[-2:]), 1, 0).reshape(v.shape[-2], -1)
        return np.moveaxis((self.matrix @ stacked).reshape(len(self.opposite), -1, v.shape[-1]), 0, 1).reshape(
            *v.shape[:-2], len(self.opposite), v.shape[-1]
        )


def loop_subdivision(faces: Ints, n: int, opposite: Ints) -> Subdivision:
    """One level of Loop subdivision of a triangle mesh of `n` vertices, with Loop's boundary rule.

    Old vertices come first, one new vertex an edge after them. `opposite` (n,) must map faces onto faces.
    """
    corners = np.stack([faces, np.roll(faces, -1, axis=1), np.roll(faces, -2, axis=1)], axis=2)  # a, b, across
    edges = np.sort(corners[:, :, :2].reshape(-1, 2), axis=1)
    across = corners[:, :, 2].ravel()
    unique, inverse, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    m = len(unique)
    rim = count == 1
    new = np.arange(m)
    # New vertices: 3/8 of each end and 1/8 of the two vertices across; on the rim the middle of the edge.
    end = np.where(rim, 0.5, 0.375)
    rows = [new, new, inverse[~rim[inverse]]]
    cols = [unique[:, 0], unique[:, 1], across[~rim[inverse]]]
    vals = [end, end, np.full(int((~rim[inverse]).sum()), 0.125)]
    odd = sp.csr_array((np.concatenate(vals), (np.concatenate(rows), np.concatenate(cols))), shape=(m, n))
    # Old vertices: Warren's weights of their neighbours; on the rim 1/8, 3/4, 1/8 along the rim.
    on_rim = np.zeros(n, bool)
    on_rim[unique[rim]] = True
    both = np.vstack([unique, unique[:, ::-1]])
    rim_both = np.r_[rim, rim]
    degree = np.bincount(both[:, 0], minlength=n)
    beta = np.where(degree == 3, 3 / 16, 3 / (8 * np.maximum(degree, 1)))
    used = ~on_rim[both[:, 0]] | rim_both
    weight = np.where(on_rim[both[:, 0]], 0.125, beta[both[:, 0]])
    even = sp.csr_array((weight[used], (both[used, 0], both[used, 1])), shape=(n, n))
    even = even + sp.diags_array(1 - np.asarray(even.sum(axis=1)).ravel())
    number = n + inverse.reshape(-1, 3)
    a, b, c = faces.T
    ab, bc, ca = number.T
    finer = np.vstack([np.column_stack(t) for t in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))])
    key = unique[:, 0] * n + unique[:, 1]
    twin = np.sort(opposite[unique], axis=1)
    new_opposite = n + np.searchsorted(key, twin[:, 0] * n + twin[:, 1])
    return Subdivision(sp.csr_array(sp.vstack([even, odd])), finer, np.r_[opposite, new_opposite])
