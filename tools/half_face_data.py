"""Depth pictures of simulated half faces with their true landmarks, to train the landmark network on. Build time only.

    python tools/half_face_data.py --faces 3000 --out half_faces.npz

Faces are drawn wider than any population: identity at 1.2 SD, both artists' movements, each side with its own strength,
a smooth random warp on top, eyes bulging, sunken or missing. What is learned must hold for faces in general.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.geometry.views import Surface
from face3d.landmarking.half_face import MARKS, MIDLINE_MARKS, half_view
from face3d.landmarks import SIDES
from face3d.scan import Floats, Ints
from face3d.simulate.head import HeadModel

MARGIN = 16
STEP = 0.01  # mm, rounding of the stored depth
SHIFT_MM, TURN_DEGREES, SCALE_SD = 3.0, 5.0, 0.05  # how far the detector's rough head frame may be off


#: What patients are asked for: unit of the first movement set -> the range of its strength.
EXAMINED = (
    {
        "mouthSmile": (0.5, 1.2),
        "cheekSquint": (0, 0.6),
        "jawOpen": (-0.4, 0.4),
        "mouthUpperUp": (-0.5, 0.6),
        "mouthStretch": (-0.5, 0.5),
        "mouthDimple": (-0.5, 0.5),
    },
    {"mouthPucker": (0.5, 1.1), "mouthFunnel": (-0.7, 0.7)},
    {"noseSneer": (0.5, 1.1), "mouthUpperUp": (0, 0.8), "browDown": (0, 0.6)},
    {"mouthLowerDown": (0.5, 1.1), "mouthStretch": (0, 0.8), "mouthFrown": (-0.6, 0.6), "jawOpen": (-0.4, 0.4)},
    {"eyeBlink": (0.4, 1.0), "eyeSquint": (0, 0.8), "browDown": (0, 0.6)},
    {"browInnerUp": (0.4, 1.1), "browOuterUp": (0.4, 1.1)},
)
OFTEN = (0.4, 0.15, 0.1, 0.15, 0.1, 0.1)  # the corner of a smiling mouth is the hardest to find, and matters most


def draw_movement(model: HeadModel, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Unit intensities (U,) of the left and the right: an examined movement or any units, one side often weaker."""
    count = len(model.units)
    both = np.zeros(count)
    examined = EXAMINED[rng.choice(len(EXAMINED), p=OFTEN)]
    if rng.random() < 0.6 and set(examined) <= set(model.units):
        for unit, (low, high) in examined.items():
            both[model.units.index(unit)] = max(rng.uniform(low, high), 0.0)
        weak = both * rng.uniform(0.0, 1.0) ** 1.5
        return (both, weak) if rng.random() < 0.5 else (weak, both)
    if rng.random() > 0.15:
        active = rng.choice(count, size=rng.integers(1, 6), replace=False)
        both[active] = rng.uniform(0.1, 1.0, len(active))
    lid = [k for k, unit in enumerate(model.units) if unit in ("eyeBlink", "eye-closure")]
    if rng.random() < 0.3:
        both[lid] = rng.uniform(0.3, 1.0)
    sides = [both * (1.0 if rng.random() < 0.3 else rng.uniform(0.0, 1.0, count)) for _ in range(2)]
    return sides[0], sides[1]


def warped(points: Floats, rng: np.random.Generator) -> Floats:
    """A smooth random warp: waves of 35-120 mm, 1.5 mm in all."""
    out = points.copy()
    for _ in range(8):
        wave = rng.normal(size=3)
        wave *= 2 * np.pi / rng.uniform(35.0, 120.0) / np.linalg.norm(wave)
        out += np.sin(points @ wave + rng.uniform(0, 2 * np.pi))[:, None] * rng.normal(0.0, 0.55, 3)
    return out


def open_parts(model: HeadModel, vertices: Floats, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Eyes as scanners and other models have them: bulging, sunken, or not there."""
    v, faces = vertices.copy(), model.faces
    assert model.eyes is not None
    push = rng.uniform(-3.0, 1.5) if rng.random() < 0.6 else 0.0
    gone = rng.random()
    for ball in model.eyes.balls:
        v[ball, 2] += push
        if gone < 0.08:
            faces = faces[~np.isin(faces, ball).any(axis=1)]
    return v, faces


def make(model: HeadModel, rng: np.random.Generator) -> list[tuple[Floats, Floats]]:
    """(depth, marks (K, 3): x, y and depth, all in pixels) of the left and the mirrored right half of one new face."""
    left, right = draw_movement(model, rng)
    shape = model.shape(1.2 * rng.normal(size=len(model.identity)), rng.normal(size=len(model.asymmetry)), left, right)
    v, faces = open_parts(model, warped(shape, rng), rng)
    marks = model.landmark_points(v)
    scale = float(np.clip(np.linalg.norm(marks["ex_left"] - marks["ex_right"]) / 88.9, 0.75, 1.25))
    surface = Surface(v, faces)
    made = []
    for side in SIDES:
        turn = Rotation.from_euler("xyz", rng.normal(0, TURN_DEGREES, 3), degrees=True)
        wrong = RigidTransform.from_components(rng.normal(0, SHIFT_MM, 3), turn)
        view = half_view(wrong, scale * (1.0 + SCALE_SD * rng.normal()), side, MARGIN)
        depth = surface.see(view).depth / view.mm_per_pixel
        points = np.array([marks[m if m in MIDLINE_MARKS else f"{m}_{side}"] for m in MARKS])
        pixels = np.column_stack([view.pixels(points), (points - view.centre) @ view.axes[2] / view.mm_per_pixel])
        if side == "right":
            depth = depth[:, ::-1]
            pixels[:, 0] = view.size[0] - 1 - pixels[:, 0]
        made.append((depth, pixels))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--faces", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--movements", default="ab", help="the movement sets to draw from")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    depths, marks = [], []
    for i in range(args.faces):
        model = HeadModel.load(args.movements[i % len(args.movements)], "base" if rng.random() < 0.2 else "fine")
        for depth, pixels in make(model, rng):
            depths.append(np.where(np.isfinite(depth), np.round(np.nan_to_num(depth) / STEP), -32768).astype(np.int16))
            marks.append(pixels.astype(np.float32))
    np.savez(args.out, depth=np.array(depths), marks=np.array(marks), names=np.array(MARKS))


if __name__ == "__main__":
    main()
