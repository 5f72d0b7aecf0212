"""Two calibrated cameras: pictures of the face with its skin, as a photogrammetry program gets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import RigidTransform

from face3d.geometry.mesh import vertex_normals
from face3d.io.calibration import Calibration, Camera, write_calibration
from face3d.scan import Floats
from face3d.simulate.scanners.pinhole import Pinhole, View, facing, look
from face3d.simulate.skin import Skin
from face3d.values import Value

OPTICS = Pinhole(1200, 1600, 3200.0, 3200.0, 599.5, 799.5)  # portrait, 0.19 mm of skin a pixel at 600 mm


@dataclass(frozen=True, eq=False, repr=False)
class StereoPair(Value):
    """Two pictures (H, W, 3) uint8 and their calibration; `to_left`, `to_right`: head frame -> camera frame (mm,
    OpenCV).

    `truth` is what the left camera's pixels see of the model. "Left" and "right" here are the rig's, as in stereo
    vision: the left camera is the one with the smaller x in its own frame.
    """

    left: NDArray[np.uint8]
    right: NDArray[np.uint8]
    optics: Pinhole
    to_left: RigidTransform
    to_right: RigidTransform
    truth: View
    landmarks: Mapping[str, Floats]

    @property
    def left_to_right(self) -> RigidTransform:
        """Coordinates of the left camera -> of the right camera: R and t of stereo calibration."""
        return self.to_right * self.to_left.inv()

    def write(self, folder: str | Path) -> None:
        """left.png, right.png and calibration.json."""
        from PIL import Image

        folder = Path(folder)
        Image.fromarray(self.left).save(folder / "left.png")
        Image.fromarray(self.right).save(folder / "right.png")
        write_calibration(folder / "calibration.json", rig_of([self]))


def rig_of(pairs: Sequence[StereoPair]) -> Calibration:
    """The true calibration of pairs shot of one face: its frame is the head's. Cameras are called left and right, or
    1_left, 1_right, 2_left and so on."""
    cameras, pods = {}, []
    for k, pair in enumerate(pairs, 1):
        names = [side if len(pairs) == 1 else f"{k}_{side}" for side in ("left", "right")]
        for name, pose in zip(names, (pair.to_left, pair.to_right), strict=True):
            cameras[name] = Camera(pair.optics.width, pair.optics.height, pair.optics.matrix, np.empty(0), pose)
        pods.append((names[0], names[1]))
    return Calibration(cameras, tuple(pods))


def shoot(
    vertices: ArrayLike,
    faces: ArrayLike,
    rng: np.random.Generator,
    *,
    skin: Skin,
    skin_vertices: ArrayLike,
    optics: Pinhole = OPTICS,
    distance_mm: float = 600.0,
    baseline_degrees: float = 14.0,
    azimuth_degrees: float = 0.0,
    landmarks: Mapping[str, ArrayLike] | None = None,
) -> StereoPair:
    """A pair of pictures of `vertices` (V, 3), `faces` (F, 3), mm, canonical head frame, seen from `baseline_degrees`
    apart, from in front of the face or `azimuth_degrees` to the subject's left of it. The skin is evaluated at each
    pixel, so pores and freckles are as sharp as the pictures; light is diffuse, from two lamps; camera noise has a
    standard deviation of 2 grey levels."""
    v, f = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    painted = np.asarray(skin_vertices, np.float64)
    aim = np.array([0.0, np.median(v[:, 1]), v[:, 2].max() - 40.0])
    # The camera on the subject's right has the smaller x in the cameras' frames: it is the rig's left one.
    turns = (azimuth_degrees - baseline_degrees / 2, azimuth_degrees + baseline_degrees / 2)
    motions = [facing(distance_mm, aim, azimuth=turn) for turn in turns]
    pictures, truth = [], None
    for motion in motions:
        picture, view = photograph(v, f, motion, optics, rng, skin=skin, skin_vertices=painted)
        truth = view if truth is None else truth
        pictures.append(picture)
    assert truth is not None
    marks = {k: np.asarray(p, np.float64) for k, p in (landmarks or {}).items()}
    return StereoPair(pictures[0], pictures[1], optics, motions[0], motions[1], truth, marks)


def photograph(
    vertices: Floats,
    faces: NDArray[np.int64],
    motion: RigidTransform,
    optics: Pinhole,
    rng: np.random.Generator,
    *,
    skin: Skin,
    skin_vertices: Floats,
) -> tuple[NDArray[np.uint8], View]:
    """One picture (H, W, 3) of a face, `motion` head frame -> camera, as `shoot` takes two; and what its pixels see."""
    normals, view = vertex_normals(vertices, faces), look(motion.apply(vertices), faces, optics)
    hit = view.face >= 0
    corners, weights = faces[view.face[hit]], view.weights[hit]
    material = np.einsum("nk,nkd->nd", weights, skin_vertices[corners])
    normal = np.einsum("nk,nkd->nd", weights, normals[corners])
    lamps = np.array([[0.55, 0.45, 0.7], [-0.6, 0.3, 0.74]])
    light = 0.35 + 0.45 * np.clip(normal @ (lamps / np.linalg.norm(lamps, axis=1, keepdims=True)).T, 0, 1).sum(axis=1)
    picture = np.full((*view.face.shape, 3), 25.0)
    picture[hit] = skin.colors(material, rng, noise=0.0) * np.minimum(light, 1.1)[:, None]
    return np.clip(np.rint(picture + rng.normal(0.0, 2.0, picture.shape)), 0, 255).astype(np.uint8), view
