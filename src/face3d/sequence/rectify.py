"""Two cameras turned so that a point lies in the same row of both pictures: what is left to find is its column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import SchemaError
from face3d.extras import require
from face3d.io.calibration import Camera, centre
from face3d.scan import Floats
from face3d.values import Value


@dataclass(frozen=True, eq=False, repr=False)
class Rectified(Value):
    """A pod whose pictures are rows of each other: a point at depth z (mm) in column x of the left one lies in column
    x - d of the right one, d = `focal` `baseline_mm` / z + `offset` (pixels).

    `matrix` K (3, 3) of the left picture of `width` x `height`, `pose` rig -> its frame; `cameras` the left and the
    right one as stereo vision has them, `swapped` where the pod names them the other way round.
    """

    matrix: Floats
    width: int
    height: int
    pose: RigidTransform
    baseline_mm: float
    offset: float
    cameras: tuple[Camera, Camera]
    swapped: bool

    @classmethod
    def of(cls, first: Camera, second: Camera, target: Floats, reach_mm: float) -> Rectified:
        """`target` (3,) mm, rig frame, comes to lie in the middle of both pictures, with d = 0; they show what lies
        `reach_mm` about it, as far as the cameras' pictures are that large."""
        a, b = (c.pose.rotation.as_matrix() for c in (first, second))
        along = centre(second) - centre(first)
        # Where the second camera stands on the first one's left, it is the left one. One above the other: either.
        swapped = bool(along @ (a[0] + b[0]) < 0)
        if swapped:
            first, second, along = second, first, -along
        baseline = float(np.linalg.norm(along))
        x = along / baseline
        y = np.cross(a[2] + b[2], x)
        if np.linalg.norm(y) < 0.1:
            raise SchemaError("the cameras of a pod look along the line between them; stereo needs them side by side")
        y /= np.linalg.norm(y)
        turn = Rotation.from_matrix(np.array([x, y, np.cross(x, y)]))
        focal = float(np.mean([[c.matrix[0, 0], c.matrix[1, 1]] for c in (first, second)]))
        lying = abs(x @ a[1]) > abs(x @ a[0])  # cameras above each other: their pictures come to lie on a side
        width, height = (first.height, first.width) if lying else (first.width, first.height)
        pose = RigidTransform.from_components(-turn.apply(centre(first)), turn)
        at = pose.apply(target)
        if at[2] <= 0:
            raise SchemaError("what a pod's cameras are to look at lies behind them; the calibration is not theirs")
        side = 2 * int(reach_mm * focal / at[2])
        width, height = min(width, side), min(height, side)
        middle = np.array([width - 1, height - 1]) / 2 - focal * at[:2] / at[2]
        matrix = np.array([[focal, 0.0, middle[0]], [0.0, focal, middle[1]], [0.0, 0.0, 1.0]])
        offset = -focal * baseline / float(at[2])
        return cls(matrix, width, height, pose, baseline, offset, (first, second), swapped)

    @property
    def focal(self) -> float:
        """Focal length of both rectified pictures, pixels."""
        return float(self.matrix[0, 0])

    def pictures(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
        """The pod's two pictures (H, W, 3) rectified, left and right as stereo vision has them, (height, width, 3)."""
        cv2 = require("cv2")
        pair = (second, first) if self.swapped else (first, second)
        out = []
        for picture, camera, shift in zip(pair, self.cameras, (0.0, self.offset), strict=True):
            # The right picture's own centre is moved, so that the target is in its middle too.
            matrix = self.matrix - np.array([[0.0, 0.0, shift], [0.0] * 3, [0.0] * 3])
            turn = (self.pose.rotation * camera.pose.rotation.inv()).as_matrix()
            distortion = camera.distortion if len(camera.distortion) else None
            size = (self.width, self.height)
            maps = cv2.initUndistortRectifyMap(camera.matrix, distortion, turn, matrix, size, cv2.CV_32FC1)
            out.append(cv2.remap(picture, *maps, cv2.INTER_LANCZOS4))
        return out[0], out[1]

    def disparity(self, depth_mm: Floats) -> Floats:
        """Columns between a point's places in both pictures, by its depth."""
        return self.focal * self.baseline_mm / depth_mm + self.offset

    def depth_mm(self, disparity: Floats) -> Floats:
        """Depth in the rectified left camera's frame by disparity; NaN stays NaN."""
        return self.focal * self.baseline_mm / (disparity - self.offset)


def meeting_point(cameras: tuple[Camera, ...]) -> tuple[Floats, float]:
    """The point (3,) mm, rig frame, that lies closest to all optical axes, and the least angle (degrees) under which
    two of them cross there: near 0, they are parallel and the point is anywhere."""
    axes = np.array([c.pose.rotation.as_matrix()[2] for c in cameras])
    places = np.array([centre(c) for c in cameras])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    point = np.linalg.lstsq(across.sum(axis=0), np.einsum("nij,nj->i", across, places), rcond=None)[0]
    angles = np.degrees(np.arccos(np.clip((axes @ axes.T)[np.triu_indices(len(axes), 1)], -1, 1)))
    return point, float(angles.max())


def triangulated(first: Camera, second: Camera, a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Points (N, 3) mm, rig frame, from their pixels (N, 2) in two cameras, and how far (N,) mm the two lines of sight
    miss each other there."""
    cv2 = require("cv2")
    places, rays = [], []
    for camera, pixels in ((first, a), (second, b)):
        distortion = camera.distortion if len(camera.distortion) else None
        flat = cv2.undistortPoints(np.ascontiguousarray(pixels[:, None], np.float64), camera.matrix, distortion)[:, 0]
        ray = camera.pose.rotation.inv().apply(np.column_stack([flat, np.ones(len(flat))]))
        rays.append(ray / np.linalg.norm(ray, axis=1, keepdims=True))
        places.append(centre(camera))
    between = places[1] - places[0]
    p, q = rays
    c = np.einsum("ni,ni->n", p, q)
    s = (p @ between - c * (q @ between)) / (1 - c**2)
    t = (c * (p @ between) - q @ between) / (1 - c**2)
    one, other = places[0] + s[:, None] * p, places[1] + t[:, None] * q
    points = np.where(((s > 0) & (t > 0))[:, None], 0.5 * (one + other), np.nan)
    return points, np.linalg.norm(one - other, axis=1)
