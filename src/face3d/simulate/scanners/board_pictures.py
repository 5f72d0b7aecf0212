"""What a camera sees of a calibration board, lens distortion included."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.extras import require
from face3d.io.calibration import Camera
from face3d.sequence.boards import Board

#: Pixels of a square in the printed board, and subpixels a side of a camera's pixel: edges are softened by its area.
_PRINT, _SUBPIXELS = 48, 3


def shoot_board(board: Board, pose: RigidTransform, camera: Camera, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A picture (H, W, 3) of `board`; `pose` board -> rig (mm). White margin of a square, uneven light, camera noise of
    2 grey levels (SD)."""
    cv2 = require("cv2")
    margin = _PRINT
    paper = cv2.copyMakeBorder(board.drawn(_PRINT), *[margin] * 4, cv2.BORDER_CONSTANT, value=255).astype(np.float32)
    row, column = np.mgrid[: camera.height, : camera.width]
    pixels = np.stack([column, row], axis=-1).reshape(-1, 1, 2).astype(np.float64)
    distortion = camera.distortion if len(camera.distortion) else None
    flat = cv2.undistortPoints(pixels, camera.matrix, distortion).reshape(-1, 2)
    # The board's plane as a homography to the camera's z = 1 plane, inverted.
    to_camera = camera.pose * pose
    turn = to_camera.rotation.as_matrix()
    plane = np.linalg.inv(np.column_stack([turn[:, 0], turn[:, 1], to_camera.translation]))
    at = np.column_stack([flat, np.ones(len(flat))]) @ plane.T
    place = at[:, :2] / at[:, 2:] * (_PRINT / board.square_mm) + margin - 0.5
    place = np.where(at[:, 2:] > 0, place, -1e4).astype(np.float32)
    place = place.reshape(camera.height, camera.width, 2)
    place = cv2.resize(place, None, fx=_SUBPIXELS, fy=_SUBPIXELS, interpolation=cv2.INTER_LINEAR)
    seen = cv2.remap(paper, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=60.0)
    seen = cv2.resize(seen, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    light = np.linspace(0.75, 0.95, camera.width)[None] * np.linspace(1.0, 0.9, camera.height)[:, None]
    grey = 15.0 + 0.9 * seen * light
    picture = np.repeat(grey[..., None], 3, axis=2) + rng.normal(0.0, 2.0, (*grey.shape, 3))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def board_poses(
    views: int, middle: RigidTransform, rng: np.random.Generator, tilt_degrees: float = 30.0
) -> list[RigidTransform]:
    """Poses board -> rig as an assistant holds the board: about `middle` (board -> rig), tilted at random up to
    `tilt_degrees`, moved by some centimetres."""
    poses = []
    for _ in range(views):
        turn = Rotation.from_euler("yxz", rng.uniform(-1, 1, 3) * [tilt_degrees, tilt_degrees, 20.0], degrees=True)
        shift = rng.uniform(-1, 1, 3) * [40.0, 60.0, 80.0]
        poses.append(middle * RigidTransform.from_components(shift, turn))
    return poses
