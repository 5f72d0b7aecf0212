"""Faces photographed by two pods and made surfaces again, beside plain semi-global matching in the same pipeline.

    python benchmarks/stereo.py [--people N] [--seed S] [--scale 1.0]

A clinic's geometry: two pods at 35 degrees to either side, each of two cameras 16 degrees apart, 1 m from the face,
portrait pictures that show 400 x 533 mm. At --scale 1 they have 1500 x 2000 pixels (3 MP: a quarter of a clinic's
12 MP, so that it runs on two cores). Healthy faces at rest with skin texture, camera noise of 2 grey levels and a gain
of its own for each camera. Three calibrations: the true one; one whose cameras were turned by 0.01 degrees and moved by
0.1 mm since (SD); one made by face3d from rendered pictures of a ChArUco board. The peer is OpenCV's StereoSGBM at full
size with OpenCV's recommended penalties; rectification, mask and open3d's TSDF are the same.

The error is the distance of the face's reconstructed vertices to the true surface (for the last two after a rigid
superimposition, since their frame is not the truth's); the face is what the template covers. Coverage is the share of
the template's area on the true face that has reconstructed skin within 1 mm.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.geometry.mesh import vertex_areas
from face3d.geometry.rays import RayScene
from face3d.io.calibration import Calibration
from face3d.scan import FaceScan, Floats
from face3d.sequence import stereo
from face3d.sequence.boards import Board
from face3d.sequence.calibration import Corners, solve
from face3d.sequence.matching import Match, match, semi_global
from face3d.simulate.draw import draw_healthy
from face3d.simulate.head import HeadModel
from face3d.simulate.scanners import draw_skin, shoot
from face3d.simulate.scanners.board_pictures import board_poses, shoot_board
from face3d.simulate.scanners.pinhole import Pinhole
from face3d.simulate.scanners.stereo_rig import rig_of
from face3d.template.template import FaceTemplate
from shown import Shown, number, numbers

BOARD = Board("charuco", 9, 12, 20.0)
VIEWS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    width, height, focal = round(1500 * given.scale), round(2000 * given.scale), 3750.0 * given.scale
    optics = Pinhole(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
    title = f"{width} x {height} pixels, seeds {given.seed} to {given.seed + given.people - 1}"
    shown = Shown(title, "face, calibration, matching", "median", "p95", "coverage", "pods", "s")
    board: Calibration | None = None
    for seed in range(given.seed, given.seed + given.people):
        rng = np.random.default_rng(seed)
        person = draw_healthy(rng, HeadModel.load())
        head, v = person.model, person.vertices("rest")
        skin, marks = draw_skin(head, rng), head.landmark_points(v)
        pairs = [
            shoot(
                v,
                head.faces,
                rng,
                skin=skin,
                skin_vertices=head.vertices,
                optics=optics,
                distance_mm=1000.0,
                baseline_degrees=16.0,
                azimuth_degrees=azimuth,
                landmarks=marks,
            )
            for azimuth in (-35.0, 35.0)
        ]
        true = rig_of(pairs)
        names = [name for pod in true.pods for name in pod]
        pictures = dict(zip(names, [p for pair in pairs for p in (pair.left, pair.right)], strict=True))
        face = _in_template(head.vertices)
        if board is None:
            board = _from_board(true, rng)
            said = f"board: {board.views} views, corners miss by {board.reprojection_px:.3f} pixels"
            print(said, file=sys.stderr, flush=True)
        rigs = {"true": true, "moved": _moved(true, rng), "board": _placed_like(board, true)}
        for rig, method in (("true", match), ("moved", match), ("board", match), ("true", plain)):
            row = _one(pictures, rigs[rig], method, v, head.faces, face, rig != "true")
            shown.row(f"{seed}, {rig}, {'ours' if method is match else 'plain SGBM'}", *row)


def plain(left: np.ndarray, right: np.ndarray, nearest: float, farthest: float) -> Match:
    """OpenCV's semi-global matching at full size, as it is."""
    grey = [p.mean(axis=2, dtype=np.float32) - np.float32(128) for p in (left, right)]
    found = semi_global(grey[0], grey[1], nearest, farthest)
    return Match(found, np.zeros_like(found), np.ones_like(found))


def _one(
    pictures: dict[str, np.ndarray],
    rig: Calibration,
    method: Callable[..., Match],
    v: Floats,
    faces: np.ndarray,
    face: np.ndarray,
    laid: bool,
) -> list[str]:
    stereo.match = method  # type: ignore[assignment]
    begun = time.perf_counter()
    made = stereo.reconstruct(pictures, rig)
    seconds = time.perf_counter() - begun
    truth = RayScene(v, faces)
    points = made.pose.inv().apply(made.scan.vertices)
    for _ in range(15 if laid else 0):
        near = truth.closest(points).points
        good = np.linalg.norm(near - points, axis=1) < 2.0
        middle, aim = points[good].mean(axis=0), near[good].mean(axis=0)
        turn = Rotation.align_vectors(near[good] - aim, points[good] - middle)[0]
        points = turn.apply(points - middle) + aim
    found = truth.closest(points)
    error = np.linalg.norm(found.points - points, axis=1)
    inside = np.einsum("nk,nk->n", found.weights, face[faces[found.faces]].astype(float)) > 0.5
    surface = RayScene(points, made.scan.faces)
    near = np.linalg.norm(surface.closest(v[face]).points - v[face], axis=1)
    area = vertex_areas(FaceScan(v, faces))[face]
    covered = float(np.average(near < 1.0, weights=area))
    e = error[inside]
    off = numbers([float(np.median(e)), float(np.percentile(e, 95))], 3)
    return [*off, f"{covered:.1%}", number(made.pods_apart_mm), number(seconds, 1)]


def _in_template(material: Floats) -> np.ndarray:
    """(V,) which of the head's vertices lie on the template's skin."""
    template = FaceTemplate.load()
    return KDTree(template.vertices).query(material)[0] < 3.0


def _moved(rig: Calibration, rng: np.random.Generator) -> Calibration:
    def nudged(pose: RigidTransform) -> RigidTransform:
        turn = Rotation.from_rotvec(np.radians(0.01) * rng.normal(size=3) / np.sqrt(3))
        return RigidTransform.from_components(0.1 * rng.normal(size=3) / np.sqrt(3), turn) * pose

    cameras = {name: replace(camera, pose=nudged(camera.pose)) for name, camera in rig.cameras.items()}
    return replace(rig, cameras=cameras)


def _from_board(rig: Calibration, rng: np.random.Generator) -> Calibration:
    """What face3d makes of rendered pictures of a board held where the face will be."""
    flip = Rotation.from_euler("x", 180, degrees=True)
    middle = np.array([BOARD.columns, BOARD.rows, 0]) * BOARD.square_mm / 2
    poses = board_poses(VIEWS, RigidTransform.from_components(-flip.apply(middle), flip), rng)
    seen: list[Corners] = []
    for name, camera in rig.cameras.items():
        for k, pose in enumerate(poses):
            found = BOARD.find(shoot_board(BOARD, pose, camera, rng))
            if found is not None:
                seen.append(Corners(name, str(k), *found))
    sizes = {name: (camera.width, camera.height) for name, camera in rig.cameras.items()}
    return solve(seen, sizes, BOARD, rig.pods, dict.fromkeys(sizes, VIEWS))


def _placed_like(found: Calibration, true: Calibration) -> Calibration:
    """The calibration in the frame of the true one: its first camera stands where the true one does."""
    first = next(iter(true.cameras))
    to_rig = true.cameras[first].pose
    cameras: dict[str, Any] = {n: replace(c, pose=c.pose * to_rig) for n, c in found.cameras.items()}
    return replace(found, cameras=cameras)


if __name__ == "__main__":
    main()
