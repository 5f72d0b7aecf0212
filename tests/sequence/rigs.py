"""Small rigs before a simulated face, and what is known of the face."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.io.calibration import Calibration, Camera
from face3d.sequence.boards import Board
from face3d.simulate.draw import draw_healthy
from face3d.simulate.head import HeadModel
from face3d.simulate.scanners import draw_skin, shoot
from face3d.simulate.scanners.board_pictures import board_poses, shoot_board
from face3d.simulate.scanners.pinhole import Pinhole, facing
from face3d.simulate.scanners.stereo_rig import rig_of

#: 0.65 mm of skin a pixel at 1 m: small enough for a test, far coarser than a clinic's.
OPTICS = Pinhole(390, 520, 1550.0, 1550.0, 194.5, 259.5)


@dataclass(frozen=True)
class Shot:
    """Pictures by camera, the true calibration (its frame is the head's), and the true surface, mm."""

    pictures: dict[str, np.ndarray]
    calibration: Calibration
    vertices: np.ndarray
    faces: np.ndarray
    landmarks: dict[str, np.ndarray]

    def in_face(self, points: np.ndarray) -> np.ndarray:
        """(N,) between hairline and chin, in front of the ears."""
        mark = self.landmarks
        ears = max(mark["t_left"][2], mark["t_right"][2]) + 15.0
        return (points[:, 1] > mark["gn"][1]) & (points[:, 1] < mark["tr"][1]) & (points[:, 2] > ears)


@lru_cache
def shot(seed: int = 11, azimuths: tuple[float, ...] = (0.0,)) -> Shot:
    """A healthy face at rest, seen by a pod at each of `azimuths` (degrees)."""
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
            optics=OPTICS,
            distance_mm=1000.0,
            baseline_degrees=16.0,
            azimuth_degrees=azimuth,
        )
        for azimuth in azimuths
    ]
    rig = rig_of(pairs)
    names = [name for pod in rig.pods for name in pod]
    pictures = dict(zip(names, [p for pair in pairs for p in (pair.left, pair.right)], strict=True))
    return Shot(pictures, rig, v, head.faces, marks)


#: Seen whole by cameras 16 degrees apart, and from behind as well as any other.
BOARD = Board("charuco", 6, 9, 30.0)
#: A lens as cheap ones are, in OpenCV's terms.
DISTORTION = np.array([-0.1, 0.08, 0.0006, -0.0004])


def board_rig(turns: tuple[float, float] = (-8.0, 8.0)) -> dict[str, Camera]:
    """Two cameras with lens distortion that look at one place from 1 m."""
    matrix = np.array([[1000.0, 0.0, 203.0], [0.0, 1000.0, 255.0], [0.0, 0.0, 1.0]])
    return {
        side: Camera(400, 520, matrix, DISTORTION, facing(1000.0, np.zeros(3), azimuth=turn))
        for side, turn in zip(("left", "right"), turns, strict=True)
    }


def board_views(board: Board, cameras: dict[str, Camera], views: int, seed: int = 3) -> dict[str, list[np.ndarray]]:
    """Camera -> pictures of the board, held about where the cameras look."""
    rng = np.random.default_rng(seed)
    flip = Rotation.from_euler("x", 180, degrees=True)
    middle = np.array([board.columns, board.rows, 0]) * board.square_mm / 2
    poses = board_poses(views, RigidTransform.from_components(-flip.apply(middle), flip), rng)
    return {name: [shoot_board(board, pose, camera, rng) for pose in poses] for name, camera in cameras.items()}
