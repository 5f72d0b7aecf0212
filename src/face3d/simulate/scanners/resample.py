"""A new triangulation of a face model's surface that shares no vertex with the model, nor left with right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay, KDTree

from face3d.scan import Floats, Ints
from face3d.simulate.scanners.chart import Chart
from face3d.values import Value

# Poisson-disc sets of the maximal kind, taken from four candidates a sample, hold N = 0.49 A / r^2: measured here.
_PACKING = 0.49
_CANDIDATES = 4


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Value):
    """Points on a model's surface: `face` (N,) index into its faces, `weights` (N, 3) barycentric coordinates."""

    face: Ints
    weights: Floats

    def at(self, values: Floats, faces: Ints) -> Floats:
        """Per-vertex values (V, ...) of the model carried to the samples (N, ...)."""
        corners = values[faces[self.face]]
        return np.einsum("nk,nk...->n...", self.weights, corners)

    def take(self, which: Ints | NDArray[np.bool_]) -> Samples:
        """The chosen samples."""
        return Samples(self.face[which], self.weights[which])


def strewn(vertices: Floats, faces: Ints, allowed: Ints, count: int, rng: np.random.Generator) -> tuple[Samples, float]:
    """`count` samples spread evenly by area, at random, over the `allowed` faces; and their area, mm^2."""
    f = faces[allowed]
    a, b, c = (vertices[f[:, k]] for k in range(3))
    total = np.cumsum(0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1))
    # Systematic draws along the cumulated area are already spread evenly over the faces.
    draws = (np.arange(count) + rng.random(count)) * (total[-1] / count)
    pick = np.minimum(np.searchsorted(total, draws), len(f) - 1)
    root, v = np.sqrt(rng.random(count)), rng.random(count)
    return Samples(allowed[pick], np.column_stack([1 - root, root * (1 - v), root * v])), float(total[-1])


def blue_noise(
    vertices: Floats, faces: Ints, allowed: Ints, count: int, rng: np.random.Generator
) -> tuple[Samples, float]:
    """About `count` samples (within 3 %) on the `allowed` faces, and their mean spacing, mm: the square root of area a
    sample. None is closer to another than 0.7 of the spacing.

    Poisson-disc sampling by rounds of random priorities: a candidate stays if no waiting neighbour within the radius
    precedes it (Luby's independent set; Bowers 2010, doi:10.1145/1882261.1866188). `vertices` mm.
    """
    number = _CANDIDATES * count
    candidates, area = strewn(vertices, faces, allowed, number, rng)
    points = candidates.at(vertices, faces)
    radius = np.sqrt(_PACKING * area / count)
    pairs = KDTree(points, balanced_tree=False, compact_nodes=False).query_pairs(radius, output_type="ndarray")
    priority = rng.permutation(number)
    first = priority[pairs[:, 0]] < priority[pairs[:, 1]]
    winner, loser = np.where(first, pairs[:, 0], pairs[:, 1]), np.where(first, pairs[:, 1], pairs[:, 0])
    waiting, chosen = np.ones(number, bool), np.zeros(number, bool)
    while waiting.any():
        accept = waiting.copy()
        accept[loser] = False
        chosen |= accept
        waiting &= ~accept
        waiting[loser[accept[winner]]] = False
        live = waiting[winner] & waiting[loser]
        winner, loser = winner[live], loser[live]
    keep = np.flatnonzero(chosen)
    rng.shuffle(keep)  # a scanner's vertex order tells nothing about the surface
    return candidates.take(keep), float(np.sqrt(area / len(keep)))


def triangulate(chart: Chart, samples: Samples, points: Floats, longest_edge: float) -> Ints:
    """Triangles (T, 3) over the samples: Delaunay in the chart, outward winding as the model's, no edge longer than
    `longest_edge` mm at the samples' `points` (N, 3): gaps between samples stay open."""
    uv = samples.at(chart.uv, chart.faces)
    tri = Delaunay(uv).simplices.astype(np.int64)
    p = uv[tri]
    clockwise = _signed_area(p) < 0
    tri[clockwise] = tri[clockwise][:, ::-1]
    if _orientation(chart) < 0:
        tri = tri[:, ::-1]
    tri = _flipped(tri, points)
    q = points[tri]
    edge = np.linalg.norm(q - np.roll(q, 1, axis=1), axis=2).max(axis=1)
    return tri[edge <= longest_edge]


def _orientation(chart: Chart) -> float:
    """Sign of the chart: positive if the model's outward winding is counter-clockwise in the chart."""
    return float(np.sign(_signed_area(chart.uv[chart.faces[chart.inside]]).sum()))


def _signed_area(p: Floats) -> Floats:
    d, e = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    return d[:, 0] * e[:, 1] - d[:, 1] * e[:, 0]


def _flipped(tri: Ints, points: Floats, rounds: int = 4) -> Ints:
    """Edges flipped until they are Delaunay in space (opposite angles sum to at most pi), a few independent rounds.

    The chart distorts angles; without this, slivers appear where it stretches (nose wings, ears)."""
    tri = tri.copy()
    part = np.arange(len(tri))
    for _ in range(rounds):
        changed, some = _flip_once(tri[part], points)
        if not len(changed):
            break
        tri[part] = some
        # Only about what was changed can there be more to change.
        touched = np.zeros(len(points), bool)
        touched[some[changed]] = True
        part = np.flatnonzero(touched[tri].any(axis=1))
    return tri


def _flip_once(tri: Ints, points: Floats) -> tuple[Ints, Ints]:
    """Indices of the triangles changed, and all triangles after the flips of one round: no triangle flips twice."""
    n, count = len(points), len(tri)
    half = np.concatenate([tri[:, [0, 1]], tri[:, [1, 2]], tri[:, [2, 0]]])
    apex = np.concatenate([tri[:, 2], tri[:, 0], tri[:, 1]])
    p = points[tri]
    side = np.roll(p, -1, axis=1) - p  # ab, bc, ca
    area = np.maximum(np.linalg.norm(np.cross(side[:, 0], side[:, 1]), axis=1), 1e-12)
    # Cotangent of the angle opposite to each half edge: at c for ab, at a for bc, at b for ca.
    cot = np.concatenate([-np.einsum("ij,ij->i", side[:, k - 2], side[:, k - 1]) / area for k in range(3)])
    code = np.minimum(half[:, 0], half[:, 1]) * n + np.maximum(half[:, 0], half[:, 1])
    order = np.argsort(code, kind="stable")
    present = code[order]
    same = present[:-1] == present[1:]
    i, j = order[:-1][same], order[1:][same]
    excess = -(cot[i] + cot[j])  # positive where the two angles sum to more than pi
    bad = np.flatnonzero(excess > 1e-6)
    bad = bad[np.argsort(-excess[bad], kind="stable")]
    i, j = i[bad], j[bad]
    a, b, c, d = half[i, 0], half[i, 1], apex[i], apex[j]
    # Flipping is for one smooth sheet: both new triangles must face the way the old ones do, and the edge be new.
    old = _normal(points, a, b, c) + _normal(points, b, a, d)
    fit = np.einsum("ij,ij->i", old, _normal(points, a, d, c)) > 0
    fit &= np.einsum("ij,ij->i", old, _normal(points, d, b, c)) > 0
    made = np.minimum(c, d) * n + np.maximum(c, d)
    fit &= present[np.minimum(np.searchsorted(present, made), len(present) - 1)] != made
    i, j, a, b, c, d, made = (x[fit] for x in (i, j, a, b, c, d, made))
    # The worst edge of each triangle wins. No two flips may make the same edge.
    first, second, rank = i % count, j % count, np.arange(len(i))
    best = np.full(count, len(i))
    np.minimum.at(best, first, rank)
    np.minimum.at(best, second, rank)
    do = np.flatnonzero((best[first] == rank) & (best[second] == rank))
    do = do[np.sort(np.unique(made[do], return_index=True)[1])]
    out = tri.copy()
    out[first[do]] = np.column_stack([a[do], d[do], c[do]])
    out[second[do]] = np.column_stack([d[do], b[do], c[do]])
    return np.concatenate([first[do], second[do]]), out


def _normal(points: Floats, a: Ints, b: Ints, c: Ints) -> Floats:
    return np.cross(points[b] - points[a], points[c] - points[a])


def filled(tri: Ints, keep: NDArray[np.bool_], rounds: int = 3) -> NDArray[np.bool_]:
    """`keep` (N,) without gaps a sample or two wide: a sample most of whose neighbours are kept is kept as well."""
    rows, cols = tri.ravel(), tri[:, [1, 2, 0]].ravel()
    near = sp.csr_array((np.ones(len(rows)), (rows, cols)), shape=(len(keep),) * 2)
    degree = near.sum(axis=1)
    for _ in range(rounds):
        keep = keep | (near @ keep > 0.5 * degree)
    return keep


def compact(tri: Ints, keep: NDArray[np.bool_], smallest: float = 0.01) -> tuple[Ints, Ints]:
    """Triangles whose three samples are kept, without islands below the share `smallest` of all triangles.

    Returns (triangles renumbered, indices of the samples that remain).
    """
    tri = tri[keep[tri].all(axis=1)]
    graph = sp.coo_matrix(
        (np.ones(2 * len(tri)), (tri[:, [0, 1]].ravel(), tri[:, [1, 2]].ravel())), shape=(len(keep),) * 2
    )
    _, label = connected_components(graph, directed=False)
    size = np.bincount(label[tri[:, 0]], minlength=label.max() + 1)
    tri = tri[size[label[tri[:, 0]]] >= smallest * len(tri)]
    used, new = np.unique(tri, return_inverse=True)
    return new.reshape(-1, 3).astype(np.int64), used
