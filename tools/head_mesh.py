"""The head model's mesh: the face cut out of MakeHuman's body, eyes and mouth sealed. Build time only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve

from face3d.scan import Floats, Ints
from head_source import Loops, Source

# Vertices of MakeHuman's HM08 base that the cut starts from; the same in every release of that mesh.
LID_INNER, LID_OUTER = 7748, 6785  # upper left lid, over the pupil: back and front of its edge
EYE_SOCKET = 11915  # left, behind the ball
MOUTH_WALL, MOUTH_BAG = 537, 710  # upper lip's inner side, midline; the bag's deepest point
EYE_ROWS, MOUTH_ROWS = 4, 4  # rows of the sealing surfaces between their two edges


@dataclass(frozen=True, eq=False)
class Cut:
    """`skin` ids into MakeHuman's vertices; `points` (V, len(skin)) makes the model's vertices of them; `faces` (F, 3).

    Vertices come midline first, then the left half, then the right half in the same order. `ids` (V,) is each
    vertex's MakeHuman id, -1 for one that the cut added. `eye_left`, `mouth`: vertices of the sealing surfaces.
    `lid_edges` (N, 2) the left upper and lower lid's edge, from corner to corner.
    """

    skin: Ints
    points: sp.csr_array
    faces: Ints
    opposite: Ints
    ids: Ints
    midline: int
    eye_left: Ints
    mouth: Ints
    lid_edges: Ints


class _Builder:
    def __init__(self, skin: Ints, positions: Floats) -> None:
        self.rows: list[dict[int, float]] = [{i: 1.0} for i in range(len(skin))]
        self.positions = positions
        self.triangles: list[tuple[int, int, int]] = []

    def point(self, weights: dict[int, float]) -> int:
        self.rows.append({k: w for k, w in weights.items() if w})
        return len(self.rows) - 1

    def at(self, i: int) -> Floats:
        return sum((w * self.positions[k] for k, w in self.rows[i].items()), np.zeros(3))

    def zipped(self, a: list[int], b: list[int]) -> list[tuple[int, int, int]]:
        """Triangles between two chains that run side by side, always closing the shorter diagonal."""
        i = j = 0
        found = []
        while i < len(a) - 1 or j < len(b) - 1:
            go_a = j == len(b) - 1 or (
                i < len(a) - 1
                and np.linalg.norm(self.at(a[i + 1]) - self.at(b[j]))
                <= np.linalg.norm(self.at(a[i]) - self.at(b[j + 1]))
            )
            third = a[i + 1] if go_a else b[j + 1]
            if len({a[i], b[j], third}) == 3:
                found.append((a[i], b[j], third))
            i, j = (i + 1, j) if go_a else (i, j + 1)
        return found

    def sealed(self, upper: list[int], lower: list[int], rows: int) -> tuple[list[int], list[tuple[int, int, int]]]:
        """A surface between two chains of vertices with the same ends (or, at the start, a shared midline)."""
        length = [
            np.r_[0, np.cumsum([np.linalg.norm(self.at(c[i + 1]) - self.at(c[i])) for i in range(len(c) - 1)])]
            for c in (upper, lower)
        ]
        share = length[0] / length[0][-1] * length[1][-1]
        below: list[dict[int, float]] = []
        for s in share:
            k = int(np.clip(np.searchsorted(length[1], s, "right") - 1, 0, len(lower) - 2))
            t = float((s - length[1][k]) / (length[1][k + 1] - length[1][k]))
            below.append({lower[k]: 1 - t, lower[k + 1]: t})
        made, chains = [], [upper]
        for r in range(1, rows + 1):
            t, chain = r / (rows + 1), []
            for i, top in enumerate(upper):
                if top in (lower[0], lower[-1]):
                    chain.append(top)
                    continue
                weights: dict[int, float] = {}
                for source, share_of in (({top: 1.0}, 1 - t), (below[i], t)):
                    for k, w in source.items():
                        weights[k] = weights.get(k, 0.0) + w * share_of
                chain.append(self.point(weights))
                made.append(chain[-1])
            chains.append(chain)
        triangles = [t for a, b in zip(chains, [*chains[1:], lower], strict=True) for t in self.zipped(a, b)]
        return made, triangles


def _lids(loop: Ints, v: Floats) -> tuple[Ints, Ints]:
    """A loop around the left eye as upper and lower lid, each from the inner to the outer corner."""
    ring = np.roll(loop, -int(np.argmin(v[loop, 0])))
    half = len(ring) // 2
    one, two = ring[: half + 1], np.r_[ring[:1], ring[half:][::-1]]
    return (one, two) if v[one, 1].mean() > v[two, 1].mean() else (two, one)


def around(loops: Loops, v: Floats, start: int) -> Ints:
    """The closed loop through `start`, running to the subject's left first."""
    return loops.loop(start, max(loops.neighbours[start], key=lambda y: v[y, 0] - v[start, 0]))


def cut(source: Source, wanted: int) -> Cut:
    """The front of the head as a scanner sees it, with at least `wanted` vertices."""
    v, loops = source.vertices, Loops(source.quads)
    lid = around(loops, v, LID_INNER)
    mouth = around(loops, v, MOUTH_WALL)
    hidden = loops.enclosed(lid, EYE_SOCKET) | loops.enclosed(mouth, MOUTH_BAG)
    hidden |= loops.enclosed(source.opposite[lid], int(source.opposite[EYE_SOCKET]))
    keep = np.ones(len(source.quads), bool)
    keep[list(hidden)] = False
    # Ear to ear, crown to the upper neck: what a face scanner delivers. Below the jaw the shoulders are left out.
    throat = (v[:, 1] > 576.0 + 0.8 * np.maximum(np.abs(v[:, 0]) - 25.0, 0)) & (v[:, 2] > 20.0)
    inside = (v[:, 2] > -20.0) & ((v[:, 1] > 640.0) | throat)
    keep &= inside[source.quads].all(axis=1)
    quads = source.quads[keep]
    for _ in range(4):  # strips and corners that stand out of the rim
        quads = quads[_rim_edges(quads).sum(axis=1) < 2]
    skin = np.unique(quads)
    local = np.full(len(v), -1, np.int64)
    local[skin] = np.arange(len(skin))
    mirror = local[source.opposite[skin]]
    quads = local[quads]
    x = v[skin]

    build = _Builder(skin, x)
    left = quads[x[quads][:, :, 0].mean(axis=1) > 0]

    upper, lower = _lids(lid, v)
    eye, eye_triangles = build.sealed(local[upper].tolist(), local[lower].tolist(), EYE_ROWS)

    n = len(mouth) // 2
    side = mouth[: n + 1]  # midline of the upper lip .. corner .. midline of the lower lip
    corner = int(np.argmax(v[side, 0]))
    inner, mouth_triangles = build.sealed(
        local[side[: corner + 1]].tolist(), local[side[corner:][::-1]].tolist(), MOUTH_ROWS
    )

    triangles, big = _triangles(left, x, wanted, len(skin) + 2 * (len(eye) + len(inner)))
    triangles += _facing_front(build, eye_triangles) + _facing_front(build, mouth_triangles)
    centres = {}
    for quad in big:
        centre = centres[quad] = build.point(dict.fromkeys(quad, 0.25))
        triangles += [(quad[k], quad[(k + 1) % 4], centre) for k in range(4)]

    # Everything so far is the left half; the right half is its mirror image, vertex by vertex.
    total = len(build.rows)
    twin = np.full(total, -1, np.int64)
    twin[: len(skin)] = mirror
    for i in range(len(skin), total):
        if abs(build.at(i)[0]) < 1e-9:
            twin[i] = i
        else:
            twin[i] = build.point({int(mirror[k]): w for k, w in build.rows[i].items()})
    opposite = np.r_[twin, np.full(len(build.rows) - total, -1)]
    opposite[twin[len(skin) :]] = np.arange(len(skin), total)
    faces = np.array(triangles, np.int64)
    faces = np.vstack([faces, opposite[faces][:, ::-1]])
    points = _matrix(build.rows, len(skin))
    points = _curved(points, faces, np.array(sorted({*centres.values(), *opposite[list(centres.values())]}), np.int64))

    at = points @ x
    middle = np.flatnonzero(opposite == np.arange(len(opposite)))
    lefts = np.flatnonzero((at[:, 0] > 0) & (opposite != np.arange(len(opposite))))
    order = np.r_[middle, lefts, opposite[lefts]]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    ids = np.full(len(order), -1, np.int64)
    ids[: len(skin)] = skin
    return Cut(
        skin=skin,
        points=sp.csr_array(points[order]),
        faces=rank[faces],
        opposite=rank[opposite[order]],
        ids=ids[order],
        midline=len(middle),
        eye_left=rank[eye],
        lid_edges=rank[local[np.column_stack(_lids(around(loops, v, LID_OUTER), v))]],
        mouth=np.unique(np.r_[rank[inner], rank[opposite[inner]]]),
    )


def _rim_edges(quads: Ints) -> np.ndarray:
    """(Q, 4) which edges of each quad no other quad shares."""
    edges = np.sort(np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    _, inverse, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    return (count[inverse] == 1).reshape(-1, 4)


def _triangles(
    quads: Ints, x: Floats, wanted: int, have: int
) -> tuple[list[tuple[int, int, int]], list[tuple[int, ...]]]:
    """Quads of one half as triangles, along their shorter diagonal; apart, the largest, for `wanted` vertices."""
    a, b, c, d = (x[quads[:, k]] for k in range(4))
    area = 0.5 * np.linalg.norm(np.cross(c - a, d - b), axis=1)
    rim = _rim_edges(quads).any(axis=1)
    order = np.argsort(-np.where(rim, 0.0, area), kind="stable")
    split = set(order[: max(0, -(-(wanted - have) // 2))].tolist())
    triangles: list[tuple[int, int, int]] = []
    for i, (p, q, r, s) in enumerate(quads.tolist()):
        if i in split:
            continue
        if np.linalg.norm(x[p] - x[r]) <= np.linalg.norm(x[q] - x[s]):
            triangles += [(p, q, r), (p, r, s)]
        else:
            triangles += [(p, q, s), (q, r, s)]
    return triangles, [tuple(quads[i].tolist()) for i in sorted(split)]


def _facing_front(build: _Builder, triangles: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    normal = np.zeros(3)
    for t in triangles:
        a, b, c = (build.at(i) for i in t)
        normal += np.cross(b - a, c - a)
    return triangles if normal[2] > 0 else [(r, q, p) for p, q, r in triangles]


def _matrix(rows: list[dict[int, float]], columns: int) -> sp.csr_array:
    entries = [(i, k, w) for i, row in enumerate(rows) for k, w in row.items()]
    i, k, w = zip(*entries, strict=True)
    return sp.csr_array((w, (i, k)), shape=(len(rows), columns))


def laplacian(faces: Ints, n: int) -> sp.csr_array:
    """Mean of the neighbours minus the vertex, (n, n)."""
    edges = np.unique(np.sort(np.vstack([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0)
    ones = np.ones(2 * len(edges))
    adjacency = sp.csr_array((ones, (np.r_[edges[:, 0], edges[:, 1]], np.r_[edges[:, 1], edges[:, 0]])), shape=(n, n))
    degree = np.maximum(adjacency.sum(axis=1), 1)
    return sp.csr_array(sp.diags_array(1 / degree) @ adjacency - sp.eye_array(n))


def _curved(points: sp.csr_array, faces: Ints, free: Ints) -> sp.csr_array:
    """The `free` vertices moved onto the smooth continuation of the others (least bending), as weights of the skin."""
    assert points.shape is not None
    n = points.shape[0]
    bending = laplacian(faces, n)
    energy = sp.csc_array(bending.T @ bending)
    fixed = np.setdiff1d(np.arange(n), free)
    solved = spsolve(sp.csc_matrix(energy[free][:, free]), -sp.csc_matrix(energy[free][:, fixed] @ points[fixed]))
    out = sp.lil_array(points)
    out[free] = sp.lil_array(solved)
    csr = sp.csr_array(out)
    csr.data[np.abs(csr.data) < 1e-6] = 0
    csr.eliminate_zeros()
    total = np.asarray(csr.sum(axis=1)).ravel()
    return sp.csr_array(sp.diags_array(1 / total) @ csr)
