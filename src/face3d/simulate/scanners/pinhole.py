"""A pinhole camera, and what of a mesh each of its pixels sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.geometry.rays import RayScene, corner_weights
from face3d.scan import Floats, Ints
from face3d.values import Value


@dataclass(frozen=True)
class Pinhole:
    """An ideal camera in the OpenCV frame: x right, y down, z into the scene, mm; pixel centres at whole numbers."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    @property
    def matrix(self) -> Floats:
        """Calibration matrix K (3, 3)."""
        k = np.eye(3)
        k[0, 0], k[1, 1], k[0, 2], k[1, 2] = self.fx, self.fy, self.cx, self.cy
        return k

    def rays(self) -> Floats:
        """Direction (H, W, 3) of each pixel's line of sight with z = 1: times depth it is the point seen."""
        u, v = np.meshgrid(np.arange(self.width, dtype=np.float64), np.arange(self.height, dtype=np.float64))
        return np.dstack([(u - self.cx) / self.fx, (v - self.cy) / self.fy, np.ones(u.shape)])

    def project(self, points: Floats) -> Floats:
        """Pixel coordinates (N, 2) of points (N, 3) in the camera's frame."""
        return points[:, :2] / points[:, 2:] * [self.fx, self.fy] + [self.cx, self.cy]


@dataclass(frozen=True, eq=False, repr=False)
class View(Value):
    """What each pixel sees: `depth` (H, W) mm along the optical axis, 0 where nothing; `face` (H, W) index or -1;
    `weights` (H, W, 3) barycentric; `cosine` (H, W) between the face's normal and the line of sight."""

    depth: Floats
    face: Ints
    weights: Floats
    cosine: Floats


def look(vertices: Floats, faces: Ints, camera: Pinhole) -> View:
    """The mesh `vertices` (V, 3) mm in the camera's frame, seen from outside (a face's back side hides, unmeasured)."""
    rays = camera.rays()
    scene = RayScene(vertices, faces, threads=1, middle=np.zeros(3))  # the camera's own origin
    depth, face, shares, normals = scene.cast(np.zeros_like(rays), rays)
    hit = face >= 0
    cosine = np.zeros(depth.shape)
    normal = normals.astype(np.float64)[hit]
    cosine[hit] = -np.einsum("ij,ij->i", normal, rays[hit]) / np.linalg.norm(rays[hit], axis=1)
    front = cosine > 0
    return View(np.where(front, depth, 0.0), np.where(front, face, -1), corner_weights(shares), cosine)


def facing(distance_mm: float, aim: Floats, azimuth: float = 0.0, elevation: float = 0.0) -> RigidTransform:
    """Head frame -> frame of a camera at `distance_mm` from the point `aim`, `azimuth` degrees to the subject's left
    and `elevation` degrees above its front, upright, looking at `aim`."""
    # A camera in front of the face has y down and z backwards: the head frame turned half about x.
    turn = Rotation.from_euler("x", 180.0, degrees=True) * (
        Rotation.from_euler("x", elevation, degrees=True) * Rotation.from_euler("y", -azimuth, degrees=True)
    )
    return RigidTransform.from_components(np.array([0.0, 0.0, distance_mm]) - turn.apply(aim), turn)
