"""A head that turns before a depth camera, fused to one scan at rest, beside its single frames.

    python benchmarks/depth.py [--people N] [--seed S] [--frames N] [--camera kinect | realsense | truedepth]

The head turns by up to 25 degrees to either side and back (a slow sine), nods and shifts a little. The error is the
distance of the face to the true surface where the first frame saw it; single frames are what the camera gave, without
the wall. The surface is also laid on the truth rigidly, which leaves its shape.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.geometry.rays import RayScene
from face3d.io.depth_image import DepthFrame, Intrinsics
from face3d.scan import Floats
from face3d.sequence.depth import UPRIGHT, mesh_of
from face3d.sequence.fusion import fuse
from face3d.simulate.draw import draw_healthy
from face3d.simulate.head import HeadModel
from face3d.simulate.scanners import KINECT_V1, REALSENSE_D415, TRUEDEPTH, scan_depth_camera
from face3d.simulate.scanners.pinhole import facing
from shown import Shown, number, numbers

CAMERAS = {"kinect": KINECT_V1, "realsense": REALSENSE_D415, "truedepth": TRUEDEPTH}
DEGREES, WALL_MM = 25.0, 600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--people", type=int, default=2)
    parser.add_argument("--seed", type=int, default=2000)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--camera", choices=CAMERAS, default="kinect")
    given = parser.parse_args()
    camera = CAMERAS[given.camera]
    title = f"{camera.name} at {camera.distance_mm:g} mm, {given.frames} frames; median error, mm"
    shown = Shown(title, "face", "frame", "mesh_of", "fused", "laid", "p95", "used", "turn", "s")
    for seed in range(given.seed, given.seed + given.people):
        rng = np.random.default_rng(seed)
        person = draw_healthy(rng, HeadModel.load())
        v, faces = person.vertices("rest"), person.model.faces
        truth = RayScene(v, faces, threads=1)
        before = facing(camera.distance_mm, np.array([0.0, np.median(v[:, 1]), v[:, 2].max() - 40.0]))
        frames, poses = [], []
        for k in range(given.frames):
            at = 2 * np.pi * k / given.frames
            turn = Rotation.from_euler("yx", [DEGREES * np.sin(at), 0.2 * DEGREES * np.sin(2 * at)], degrees=True)
            poses.append(before * RigidTransform.from_components(rng.normal(0, 0.5, 3), turn))
            picture = scan_depth_camera(v, faces, rng, camera=camera, pose=poses[-1])
            depth = picture.depth.astype(np.float32) * np.float32(camera.step_mm)
            wall = rng.normal(camera.distance_mm + WALL_MM, 3, depth.shape).astype(np.float32)
            o = camera.optics
            intrinsics = Intrinsics(o.fx, o.fy, o.cx, o.cy, o.width, o.height)
            frames.append(DepthFrame(np.where(depth > 0, depth, wall), intrinsics, name=f"frame {k}"))
        rays = frames[0].intrinsics.rays() * frames[0].depth_mm.astype(np.float64)[..., None]
        raw = UPRIGHT.apply(rays[frames[0].depth_mm < camera.distance_mm + 0.7 * WALL_MM])
        begun = time.perf_counter()
        made = fuse(frames)
        seconds = time.perf_counter() - begun
        single, mesh = (np.median(_errors(p, truth, poses[0])[0]) for p in (raw, mesh_of(frames[0]).vertices))
        fused, laid = _errors(made.scan.vertices, truth, poses[0])
        found = numbers([single, mesh, np.median(fused), np.median(laid), np.percentile(laid, 95)])
        shown.row(seed, *found, made.used, number(made.turn_degrees, 1), number(seconds, 1))


def _errors(points: Floats, truth: RayScene, pose: RigidTransform) -> tuple[Floats, Floats]:
    """Distances (n,) of the face's points to the true surface, as they lie and laid on it."""
    p = pose.inv().apply(UPRIGHT.inv().apply(points))
    p = p[(np.abs(p[:, 0]) < 65) & (p[:, 1] > -95) & (p[:, 1] < 75) & (p[:, 2] > -45)]
    error = np.linalg.norm(truth.closest(p).points - p, axis=1)
    for _ in range(20):
        near = truth.closest(p).points
        turn = Rotation.align_vectors(near - near.mean(axis=0), p - p.mean(axis=0))[0]
        p = turn.apply(p - p.mean(axis=0)) + near.mean(axis=0)
    return error, np.linalg.norm(truth.closest(p).points - p, axis=1)


if __name__ == "__main__":
    main()
