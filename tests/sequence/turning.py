"""A head that turns before a depth camera, and the true surface."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.io.depth_image import DepthFrame, Intrinsics
from face3d.simulate.draw import draw_healthy
from face3d.simulate.head import HeadModel
from face3d.simulate.scanners import KINECT_V1, DepthCamera, scan_depth_camera
from face3d.simulate.scanners.pinhole import Pinhole, facing


def half(camera: DepthCamera) -> DepthCamera:
    """The camera with half its pixels each way."""
    o = camera.optics
    return replace(
        camera,
        optics=Pinhole(o.width // 2, o.height // 2, o.fx / 2, o.fy / 2, (o.cx - 0.5) / 2, (o.cy - 0.5) / 2),
    )


def frame_of(picture, k: int = 0, wall_mm: float = 1400.0) -> DepthFrame:
    """A simulated picture as a reader hands it on, with a wall behind the head."""
    depth = picture.depth.astype(np.float32) * np.float32(picture.camera.step_mm)
    rng = np.random.default_rng(k)
    wall = np.rint(wall_mm + rng.normal(0, 3, depth.shape)).astype(np.float32)
    o = picture.camera.optics
    at = Intrinsics(o.fx, o.fy, o.cx, o.cy, o.width, o.height)
    return DepthFrame(np.where(depth > 0, depth, wall), at, time_s=k / 30, name=f"frame {k}")


@lru_cache
def turning(
    frames: int = 16, degrees: float = 12.0, camera: DepthCamera = KINECT_V1, seed: int = 21, distance_mm: float = 800.0
):
    """(frames, true vertices, faces, head frame -> camera of each frame): the head turns to one side and back over the
    front to the other, nodding a little."""
    rng = np.random.default_rng(seed)
    person = draw_healthy(rng, HeadModel.load())
    v, f = person.vertices("rest"), person.model.faces
    before = facing(distance_mm, np.array([0.0, np.median(v[:, 1]), v[:, 2].max() - 40.0]))
    pictures, poses = [], []
    for k in range(frames):
        turn = degrees * np.sin(2 * np.pi * k / frames)
        nod = 0.2 * degrees * np.sin(4 * np.pi * k / frames)
        pose = before * RigidTransform.from_components(
            rng.normal(0, 1.0, 3), Rotation.from_euler("yx", [turn, nod], degrees=True)
        )
        pictures.append(frame_of(scan_depth_camera(v, f, rng, camera=camera, pose=pose), k))
        poses.append(pose)
    return pictures, v, f, poses
