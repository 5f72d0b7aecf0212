"""The unknowns of the template fit and their priors: one linear basis whose columns have unit standard deviation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import scipy.sparse as sp
from scipy.spatial import KDTree

from face3d.scan import Floats, Ints
from face3d.template.template import FaceTemplate
from face3d.values import Value

# Numbers in this file were chosen on simulated faces of other people, shapes and movements than any published figure.
#: Standard deviation of the prior of a unit's intensity, common to both sides, and of its difference between them.
UNIT_SD = 0.5
#: The artists' brows rise by 5-8 mm at intensity 1, people's by 10.6 +- 2.5 mm (Taeger 2021, 12 healthy).
BROW_SD = 1.0
#: The two sides of the jaw's units differ by no more: it is one bone.
WHOLE_SD = 0.05
#: mm and mm: standard deviation and correlation length of the smooth remainder, shared and differing part.
SHARED_SD, SHARED_LENGTH = 1.0, 20.0
DIFFERING_SD, DIFFERING_LENGTH = 0.45, 40.0
#: Modes of each parity for the shared and the differing part, and how many of them the coarse steps have.
SHARED_MODES, DIFFERING_MODES, COARSE_MODES = 110, 90, 40
#: mm: spacing of the template vertices that are compared with the scan in coarse and in fine steps, and of those that
#: carry the sparse prior.
COARSE_SPACING, SPACING, NODES = 8.0, 4.0, 9.0
#: mm: and of those at which uncertainty is looked at: it changes little over that.
PROBES = 10.0
#: Parts of the face that slide over smooth bone and leave little trace in the surface: the sparse prior on differences
#: between the sides is this much weaker there.
SLIDING, SLIDING_SHARE = ("forehead", "brow", "upper_lid"), 0.3


@dataclass(frozen=True, eq=False, repr=False)
class Level(Value):
    """What steps of one fineness look at: template vertices `rows` (n,), the unknowns `use` (P',) of all, and
    `columns` (n, 3, P') float32, how these move those."""

    rows: Ints
    use: Ints
    columns: np.ndarray

    @cached_property
    def where(self) -> Ints:
        """(P,) place of each of all unknowns in `use`, -1 where it is not used."""
        place = np.full(int(self.use.max()) + 1, -1)
        place[self.use] = np.arange(len(self.use))
        return place


@dataclass(frozen=True, eq=False, repr=False)
class Sparse(Value):
    """Where the sparse prior looks at what some unknowns `use` (Q,) do: `fields` (m, 3, Q) float32 at vertices spread
    over the left half, each with its `weight` (m,)."""

    use: Ints
    fields: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Probe(Value):
    """Where uncertainty is looked at: `columns` (n, 3, P) float32 of all unknowns at places spread over the face, each
    with its `opposite` (n,) among them; `spread` (N, n) sparse, from them to all vertices."""

    columns: np.ndarray
    opposite: Ints
    spread: sp.csr_array

    @classmethod
    def of(cls, t: FaceTemplate, moving: bool) -> Probe:
        """Places of a template `PROBES` mm apart."""
        rows = spaced(t, PROBES)
        far, near = (np.asarray(part) for part in KDTree(t.vertices[rows]).query(t.vertices, k=3))
        share = 1.0 / np.maximum(far, 0.5)
        share = (share + share[t.opposite]) / 2  # alike for both sides
        share /= share.sum(axis=1, keepdims=True)
        ends = np.repeat(np.arange(len(near)), 3)
        spread = sp.csr_array((share.ravel(), (ends, near.ravel())), (len(near), len(rows)))
        return cls(np.concatenate(_blocks(t, rows, moving), axis=2), np.searchsorted(rows, t.opposite[rows]), spread)


@dataclass(frozen=True, eq=False, repr=False)
class Basis(Value):
    """The unknowns in this order: identity and natural asymmetry (none of movement from a known face), left units,
    right units, shared remainder, differing remainder; `ends` (6,) where each ends. `coarse` and `fine` what steps look
    at, `prior` (P, P) the precision of all, `differing` and `shared` the sparse priors on what differs between the
    sides and on the shared remainder, `probe` where uncertainty is looked at."""

    coarse: Level
    fine: Level
    prior: Floats
    differing: Sparse
    shared: Sparse
    probe: Probe
    ends: tuple[int, ...]

    def split(self, estimate: Floats) -> list[Floats]:
        """An estimate's parts, in the columns' order."""
        return np.split(estimate, self.ends[:-1])

    def moves(self, t: FaceTemplate, ids: Ints, weights: Floats) -> np.ndarray:
        """(L, 3, P) float32: how the unknowns move points that lie at `weights` (L, K) of template vertices `ids`."""
        used, back = np.unique(ids, return_inverse=True)
        here = np.concatenate(_blocks(t, used, moving=self.ends[1] == 0), axis=2)
        return np.einsum("lk,lkip->lip", weights.astype(np.float32), here[back.reshape(ids.shape)])


@lru_cache(maxsize=6)
def basis_of(t: FaceTemplate, moving: bool = False) -> Basis:
    """The basis of a template (made once); `moving`: of movement from a face that is known, without what makes it that
    person's."""
    rows = spaced(t, SPACING)
    parts = _blocks(t, rows, moving)
    ends = tuple(int(e) for e in np.cumsum([p.shape[2] for p in parts]))
    every = np.arange(ends[5])
    starts = ends[3] + np.cumsum([0, *[SHARED_MODES] * 3, *[DIFFERING_MODES] * 2])
    smooth = np.concatenate([every[: ends[3]], *(s + np.arange(COARSE_MODES) for s in starts)])
    few = spaced(t, COARSE_SPACING)
    nodes = spaced(t, NODES, left=True)
    here = _blocks(t, nodes, moving)
    half = (here[2] - here[3]) / 2  # a left unit's antisymmetric part; its right counterpart's is the opposite
    return Basis(
        Level(few, smooth, np.concatenate(_blocks(t, few, moving), axis=2)[:, :, smooth]),
        Level(rows, every, np.concatenate(parts, axis=2)),
        _prior(t, ends),
        Sparse(
            np.r_[ends[0] : ends[3], ends[4] : ends[5]],
            np.concatenate([here[1], half, -half, here[5]], axis=2),
            _node_weights(t, nodes),
        ),
        Sparse(np.arange(ends[3], ends[4]), here[4], np.ones(len(nodes), np.float32)),
        Probe.of(t, moving),
        ends,
    )


def displaced(t: FaceTemplate, basis: Basis, estimate: Floats) -> Floats:
    """Displacement (N, 3) of all the template's vertices, mm, for an estimate (P,) or the coarse part of one."""
    move = np.zeros((len(t.vertices), 3), np.float32)
    parts = basis.split(np.r_[estimate, np.zeros(basis.ends[-1] - len(estimate))].astype(np.float32))
    for fields, amount in zip((t.identity, t.asymmetry, t.left, t.right), parts, strict=False):
        if len(amount):
            move += np.tensordot(amount, fields, axes=1)
    for amount, shared in ((parts[4], True), (parts[5], False)):
        if amount.any():
            for k, (functions, sd) in enumerate(_components(t, shared)):
                move[:, k] += functions @ (amount[k * len(sd) : (k + 1) * len(sd)] * sd)
    return move.astype(np.float64)


def every_column(t: FaceTemplate, at: Ints) -> np.ndarray:
    """(n, 3, P) float32: how the unknowns of movement from a known face move the vertices `at` (n,)."""
    return np.concatenate(_blocks(t, at, moving=True), axis=2)


def spaced(t: FaceTemplate, spacing: float, left: bool = False) -> Ints:
    """Vertices about `spacing` mm apart, alike on both sides and off the rim, or those of the left half alone."""
    half = np.flatnonzero(t.vertices[:, 0] >= 0)
    cell = np.floor(t.vertices[half] / spacing).astype(np.int64)
    some = half[np.unique(cell, axis=0, return_index=True)[1]]
    if left:
        return some
    both = np.unique(np.concatenate([some, t.opposite[some]]))
    return both[~t.rim[both]]


def _node_weights(t: FaceTemplate, nodes: Ints) -> np.ndarray:
    sliding = sum(t.regions[f"{part}_{side}"][nodes] for part in SLIDING for side in ("left", "right"))
    return (1.0 - (1.0 - SLIDING_SHARE) * np.clip(sliding, 0.0, 1.0)).astype(np.float32)


def _blocks(t: FaceTemplate, at: Ints, moving: bool) -> list[np.ndarray]:
    person = (t.identity[:0], t.asymmetry[:0]) if moving else (t.identity, t.asymmetry)
    fields: list[np.ndarray] = [np.ascontiguousarray(f[:, at].transpose(1, 2, 0)) for f in (*person, t.left, t.right)]
    for shared in (True, False):
        components = _components(t, shared)
        count = len(components[0][1])
        block = np.zeros((len(at), 3, 3 * count), np.float32)
        for k, (functions, sd) in enumerate(components):
            block[:, k, k * count : (k + 1) * count] = functions[at] * sd
        fields.append(block)
    return fields


def _components(t: FaceTemplate, shared: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per component x, y, z of the remainder: functions (N, Q) and standard deviations (Q,) of their coefficients.

    What both sides share is odd in x and even in y and z under the mirror, what differs the reverse. The spectrum is
    Matern-like; its field has the stated standard deviation at a point, on average over the face.
    """
    count, sd, length = (
        (SHARED_MODES, SHARED_SD, SHARED_LENGTH) if shared else (DIFFERING_MODES, DIFFERING_SD, DIFFERING_LENGTH)
    )
    spectrum = [(1.0 + length**2 * roots[:count]) ** -2.0 for roots in (t.even_roots, t.odd_roots)]
    scale = sd**2 * t.area.sum() / (spectrum[0].sum() + spectrum[1].sum())
    even, odd = (
        (functions[:, :count], np.sqrt(scale * s).astype(np.float32))
        for functions, s in zip((t.even, t.odd), spectrum, strict=True)
    )
    return [odd, even, even] if shared else [even, odd, odd]


def _prior(t: FaceTemplate, ends: tuple[int, ...]) -> Floats:
    prior = np.eye(ends[5])
    left, right = ends[1] + np.arange(len(t.units)), ends[2] + np.arange(len(t.units))
    brows = np.array(["brow" in u.lower() or "forehead" in u for u in t.units])
    common = np.where(brows, BROW_SD, UNIT_SD)
    difference = np.where(t.whole & ~np.array(["Side" in u for u in t.units]), WHOLE_SD, common) ** -2.0
    prior[left, left] = prior[right, right] = (common**-2.0 + difference) / 2
    prior[left, right] = prior[right, left] = (common**-2.0 - difference) / 2
    return prior
