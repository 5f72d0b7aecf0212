"""Builds src/face3d/data/template.npz out of the embedded head model: the face skin, its movements and smooth modes.

    python tools/build_template.py

Only the midline and the left half of symmetric things are stored; everything is rounded to STEP.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigsh
from scipy.spatial import KDTree

from face3d.geometry.rays import RayScene
from face3d.landmarking.detect import POINTS, detect_landmarks
from face3d.scan import FaceScan, Floats, Ints
from face3d.simulate.head import HeadModel, reflected
from face3d.simulate.lifelike import lifelike

DATA = Path(__file__).parents[1] / "src/face3d/data"
STEP = 0.005  # mm, rounding of displacements
MODES = 200  # smooth modes, even and odd each; their half wavelength ends near 8 mm
# Parts of the head that are not face skin, or that a scan of a face does not show on both sides.
OUTSIDE = ("ear", "eyeball", "mouth_inside", "neck", "scalp")
BELOW_CHIN, ABOVE_HAIR, BEHIND = 10.0, -6.0, -72.0  # mm: rim of the template against gn, tr and the eyes
STILL = ("eyeLook", "neck-platysma")  # movements that do not show on the skin of the face
#: Of people's movements what the artists lack: a raised brow takes the forehead along (each author's own brow, so for
#: both), a snarl lifts the cheek beside the nose; see `face3d.simulate.lifelike`.
WIDE = {"a": ("foreheadUp", "snarlWide"), "b": ("foreheadUp",)}
HEADS = 16  # heads on which the landmarker is asked where its points lie


def face_skin(head: HeadModel) -> tuple[Ints, Ints]:
    """Head vertices (N,) of the template and its faces (F, 3), with the midline first, then left, then right."""
    v, f, opposite = head.vertices, head.faces, head.opposite
    out = np.zeros(len(v))
    for name in OUTSIDE:
        for side in ("left", "right"):
            out += head.regions[f"{name}_{side}"]
    marks = head.landmark_points(v)
    keep = (out < 0.5) & (v[:, 1] > marks["gn"][1] - BELOW_CHIN) & (v[:, 1] < marks["tr"][1] + ABOVE_HAIR)
    keep &= v[:, 2] > BEHIND
    for _ in range(3):
        keep &= keep[opposite]
        inner = keep[f].all(axis=1)
        graph = sp.coo_matrix(
            (np.ones(3 * inner.sum()), (f[inner].ravel(), np.roll(f[inner], 1, 1).ravel())), (len(v),) * 2
        )
        _, part = connected_components(graph, directed=False)
        used = np.zeros(len(v), bool)
        used[f[inner]] = True
        keep = used & (part == np.bincount(part[used]).argmax())
        # A vertex that hangs on by one triangle makes a ragged rim.
        keep &= np.bincount(f[keep[f].all(axis=1)].ravel(), minlength=len(v)) > 1
    middle = np.flatnonzero(keep & (opposite == np.arange(len(v))))
    left = np.flatnonzero(keep & (v[:, 0] > 0) & (opposite != np.arange(len(v))))
    chosen = np.r_[middle, left, opposite[left]]
    new = np.full(len(v), -1)
    new[chosen] = np.arange(len(chosen))
    return chosen, new[f[keep[f].all(axis=1)]]


def stiffness(x: Floats, faces: Ints, opposite: Ints, moves: Floats) -> tuple[sp.csr_matrix, Floats]:
    """Symmetric cotangent Laplacian (Pinkall and Polthier 1993), softer where `moves` (U, N, 3) strain the skin, and
    vertex areas (N,)."""
    n = len(x)
    edge, cot = [], []
    for k in range(3):
        i, j, o = faces[:, k], faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        a, b = x[i] - x[o], x[j] - x[o]
        cot.append(0.5 * (a * b).sum(1) / np.maximum(np.linalg.norm(np.cross(a, b), axis=1), 1e-9))
        edge.append(np.sort(np.c_[i, j], axis=1))
    edges, inverse = np.unique(np.concatenate(edge), axis=0, return_inverse=True)
    weight = np.clip(np.bincount(inverse.ravel(), np.concatenate(cot)), 0.02, 3.0)
    length = np.linalg.norm(x[edges[:, 0]] - x[edges[:, 1]], axis=1)
    strain = np.zeros(len(edges))
    for move in moves:
        strain = np.maximum(strain, np.linalg.norm(move[edges[:, 0]] - move[edges[:, 1]], axis=1) / length)
    weight *= np.clip(0.4 / (0.15 + np.minimum(strain, 2.0)), 0.4, 1.2)
    lap = sp.coo_matrix((np.r_[weight, weight], (edges.T.ravel(), edges[:, ::-1].T.ravel())), (n, n)).tocsr()
    turn = sp.csr_matrix((np.ones(n), (np.arange(n), opposite)), (n, n))
    lap = (lap + turn @ lap @ turn.T) / 2
    area = np.linalg.norm(np.cross(x[faces[:, 1]] - x[faces[:, 0]], x[faces[:, 2]] - x[faces[:, 0]]), axis=1) / 6
    areas = np.bincount(faces.ravel(), np.repeat(area, 3), n)
    return (sp.diags(np.asarray(lap.sum(1)).ravel()) - lap).tocsr(), (areas + areas[opposite]) / 2


def smooth_modes(lap: sp.csr_matrix, area: Floats, opposite: Ints, even: bool) -> tuple[Floats, Floats]:
    """Eigenvalues (MODES,) and eigenfunctions (N, MODES), orthonormal over the area, all even or all odd under the
    mirror: the smoothest functions there are on the template."""
    n = len(area)
    left = np.flatnonzero(opposite > np.arange(n))
    middle = np.flatnonzero(opposite == np.arange(n))
    half = np.sqrt(0.5)
    columns = np.arange(len(left))
    rows, cols = [left, opposite[left]], [columns, columns]
    values = [np.full(len(left), half), np.full(len(left), half if even else -half)]
    if even:
        rows.append(middle)
        cols.append(len(left) + np.arange(len(middle)))
        values.append(np.ones(len(middle)))
    width = sum(map(len, values)) - len(left)
    basis = sp.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))), shape=(n, width))
    start = np.random.default_rng(0).normal(size=width)
    roots, vectors = eigsh(
        (basis.T @ lap @ basis).tocsc(), MODES, M=(basis.T @ sp.diags(area) @ basis).tocsc(), sigma=-1e-5, v0=start
    )
    return np.maximum(roots, 0.0), basis @ vectors


def dense_points(head: HeadModel, chosen: Ints, faces: Ints) -> tuple[Ints, Floats, Floats]:
    """Where on the template the landmarker's points lie: vertex ids (478, 3), weights (478, 3), spread (478,) mm.

    Asked on heads at rest and in symmetric expressions; spread is the RMS over heads, NaN where a point is not on it.
    """
    rng = np.random.default_rng(4)
    found = np.full((HEADS, POINTS, 3), np.nan)
    base = head.vertices[chosen]
    for k in range(HEADS):
        identity = rng.normal(size=len(head.identity)) * (0 if k == 0 else 0.8)
        units = np.zeros(len(head.units))
        if k % 2:
            units[rng.choice(len(units), 2, replace=False)] = rng.uniform(0.2, 0.8, 2)
        shape = head.shape(identity, None, units, units)
        dense = detect_landmarks(FaceScan(shape, head.faces, name=f"head {k}")).dense
        hit = RayScene(shape[chosen], faces).closest(np.nan_to_num(dense))
        near = np.linalg.norm(hit.points - dense, axis=1) < 3.0
        at = np.einsum("nk,nki->ni", hit.weights, base[faces[hit.faces]])
        found[k][near] = at[near]
    mirror = json.loads((DATA / "face_landmarker_v2.json").read_text())["mirror"]
    both = np.concatenate([found, found[:, mirror] * (-1.0, 1.0, 1.0)])
    mean = np.nanmedian(both, axis=0)
    spread = np.sqrt(np.nanmean(((both - mean) ** 2).sum(2), axis=0))
    spread[np.isfinite(both).all(axis=2).mean(axis=0) < 0.7] = np.nan
    hit = RayScene(base, faces).closest(np.nan_to_num(mean))
    return faces[hit.faces], hit.weights, spread


def main() -> None:
    head = HeadModel.load("a", "fine")
    other = HeadModel.load("b", "fine")
    chosen, faces = face_skin(head)
    x = head.vertices[chosen]
    n = len(x)
    middle = int((x[:, 0] == 0).sum())
    side = (n - middle) // 2
    opposite = np.r_[np.arange(middle), middle + side + np.arange(side), middle + np.arange(side)]
    assert np.array_equal(reflected(x, opposite), x)
    names = [f"{s}:{u}" for s, m in (("a", head), ("b", other)) for u in m.units]
    moves = np.concatenate([head.left[:, chosen], other.left[:, chosen]])
    seen = np.array([not any(k in u for k in STILL) for u in names])
    names, moves = [u for u, s in zip(names, seen, strict=True) if s], moves[seen]
    for author, wide in WIDE.items():
        model = lifelike(HeadModel.load(author, "fine"))
        names += [f"w:{author}-{u}" for u in wide]
        moves = np.concatenate([moves, model.left[[model.units.index(u) for u in wide]][:, chosen]])
    jaw = np.array(["jaw" in u or "mouthClose" in u or "mouth-open" in u for u in names])
    lap, area = stiffness(x, faces, opposite, moves[~jaw])
    even_roots, even = smooth_modes(lap, area, opposite, True)
    odd_roots, odd = smooth_modes(lap, area, opposite, False)
    dense_ids, dense_weights, dense_spread = dense_points(head, chosen, faces)
    tree = KDTree(x)
    marks = {k: tree.query(p) for k, p in head.landmark_points(head.vertices).items()}
    points = head.landmark_points(head.vertices)
    hit = RayScene(x, faces).closest(np.array(list(points.values())))
    on = [d < 4.0 for d, _ in marks.values()]
    half = middle + side
    wanted = sorted(k for k in head.regions if k.endswith("_left") and k.rsplit("_", 1)[0] not in OUTSIDE)
    path = DATA / "template.npz"
    np.savez_compressed(
        path,
        step=STEP,
        midline=middle,
        vertices=x[:half],
        faces=faces.astype(np.uint16),
        identity=np.rint(head.identity[:, chosen[:half]] / STEP).astype(np.int16),
        asymmetry=np.rint(head.asymmetry[:, chosen[:half]] / STEP).astype(np.int16),
        units=np.array(names),
        left=np.rint(moves / STEP).astype(np.int16),
        whole=jaw,
        even=even[:half].astype(np.float16),
        odd=odd[:half].astype(np.float16),
        even_roots=even_roots,
        odd_roots=odd_roots,
        region_names=np.array([k.removesuffix("_left") for k in wanted]),
        regions=np.array([np.rint(255 * head.regions[k][chosen]) for k in wanted]).astype(np.uint8),
        landmark_names=np.array([k for k, o in zip(points, on, strict=True) if o]),
        landmark_ids=faces[hit.faces][on].astype(np.uint16),
        landmark_weights=hit.weights[on],
        dense_ids=dense_ids.astype(np.uint16),
        dense_weights=dense_weights,
        dense_spread=dense_spread,
    )
    facts = {
        "what": "Symmetric template of the face skin with identity shapes, per-side movements and smooth modes",
        "made_by": "tools/build_template.py",
        "from": "src/face3d/data/head.npz, sha256 " + hashlib.sha256((DATA / "head.npz").read_bytes()).hexdigest(),
        "licence": "CC0-1.0, as the head model",
        "vertices": n,
        "faces": len(faces),
        "units": names,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    (DATA / "template.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(
        f"{n} vertices, {len(faces)} faces, {path.stat().st_size / 1e6:.1f} MB, {np.isfinite(dense_spread).sum()} dense"
    )


if __name__ == "__main__":
    main()
