"""A depth camera: one view, one distance a pixel, noise that grows with distance, flying pixels, whole millimetres."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter
from scipy.spatial.transform import RigidTransform

from face3d.scan import FaceScan, Floats, Ints
from face3d.simulate.scanners.pinhole import Pinhole, facing, look
from face3d.simulate.scanners.simulated import SimulatedScan, random_pose
from face3d.values import Value


@dataclass(frozen=True)
class DepthCamera:
    """One kind of depth camera. Noise along the axis: `constant` + `square` (z - `nearest`)^2, z in metres, result in
    mm (standard deviation); `correlated` is the share of its variance that neighbours some pixels apart have in
    common; `step_mm` the unit of the 16-bit picture; `distance_mm` where a face is usually held."""

    name: str
    optics: Pinhole
    constant: float
    square: float
    nearest: float
    correlated: float
    step_mm: float
    distance_mm: float

    def noise_mm(self, depth_mm: ArrayLike) -> Floats:
        """Standard deviation of the depth at a distance, mm, seen frontally."""
        z = np.asarray(depth_mm, np.float64) / 1000.0
        return self.constant + self.square * (z - self.nearest) ** 2


# Kinect v1: 1.2 + 1.9 (z - 0.4)^2 mm, measured by Nguyen, Izadi & Lovell 2012 (3DIMPVT, doi:10.1109/3DIMPVT.2012.84).
KINECT_V1 = DepthCamera("Kinect v1", Pinhole(640, 480, 585.0, 585.0, 319.5, 239.5), 1.2, 1.9, 0.4, 0.5, 1.0, 800.0)
# Azure Kinect, narrow view: the maker's limit, confirmed by Toelgyessy 2021 (doi:10.3390/s21020413), is a standard
# deviation of 17 mm up to 3.5 m; near a face it is far less: 0.8 mm and its growth are our choice.
AZURE_KINECT = DepthCamera(
    "Azure Kinect", Pinhole(640, 576, 504.0, 504.0, 319.5, 287.5), 0.8, 0.15, 0.0, 0.3, 1.0, 600.0
)
# Active stereo: RMS = z^2 * subpixel / (focal * baseline) with 0.08 pixel, 55 mm and 615 pixel at 848 x 480 (the
# maker's tuning guide gives the law; its subpixel error is 0.05-0.1 on textured targets). Errors come in matching
# windows.
REALSENSE_D415 = DepthCamera(
    "RealSense D415", Pinhole(848, 480, 615.0, 615.0, 423.5, 239.5), 0.0, 2.4, 0.0, 0.8, 1.0, 450.0
)
# Phone front camera: accuracies in the millimetre range (Breitbarth 2019, doi:10.1117/12.2530544); smartphones on
# faces 0.46-1.4 mm over the studies of Quinzi 2022 (doi:10.3390/children9091390). The law inside that range is our
# choice, and that its maps come smoothed, as they look.
TRUEDEPTH = DepthCamera("TrueDepth", Pinhole(640, 480, 590.0, 590.0, 319.5, 239.5), 0.3, 2.0, 0.0, 0.97, 0.1, 350.0)


@dataclass(frozen=True, eq=False, repr=False)
class DepthFrame(Value):
    """One picture of a depth camera: `depth` (H, W) uint16 in steps of `camera.step_mm`, 0 where there is none; per
    pixel the model's `face` (-1: none or flying) and `weights`; `pose` head frame -> camera frame; `background`
    none."""

    camera: DepthCamera
    depth: NDArray[np.uint16]
    face: Ints
    weights: Floats
    model_faces: Ints
    pose: RigidTransform
    landmarks: Mapping[str, Floats]

    def scan(self, jump_mm: float = 12.0) -> SimulatedScan:
        """The picture as a mesh in the camera's frame (x right, y down, z away): pixels back-projected, neighbours
        joined unless their depths differ by more than `jump_mm`."""
        z = self.depth.astype(np.float64) * self.camera.step_mm
        number = np.full(z.shape, -1, np.int64)
        a, b, c, d = z[:-1, :-1], z[:-1, 1:], z[1:, 1:], z[1:, :-1]
        whole = np.minimum.reduce([a, b, c, d]) > 0
        whole &= np.maximum.reduce([a, b, c, d]) - np.minimum.reduce([a, b, c, d]) < jump_mm
        used = np.zeros(z.shape, bool)
        for rows, cols in ((slice(0, -1), slice(0, -1)), (slice(0, -1), slice(1, None))):
            used[rows, cols] |= whole
            used[slice(1, None), cols] |= whole
        number[used] = np.arange(used.sum())
        corner = [number[:-1, :-1][whole], number[:-1, 1:][whole], number[1:, 1:][whole], number[1:, :-1][whole]]
        # Seen from the camera, rows run down: this order is counter-clockwise from outside.
        faces = np.vstack(
            [np.column_stack([corner[0], corner[3], corner[2]]), np.column_stack([corner[0], corner[2], corner[1]])]
        )
        points = (self.camera.optics.rays() * z[..., None])[used]
        return SimulatedScan(
            FaceScan(points, faces, name=self.camera.name, units_note="simulated in millimetres"),
            self.model_faces,
            self.face[used],
            self.weights[used],
            self.pose,
            self.landmarks,
        )

    def write(self, folder: str | Path, stem: str = "depth") -> tuple[Path, Path]:
        """`stem`.png (16 bit, one channel) and `stem`.json (fx, fy, cx, cy, width, height, depth_unit_mm, camera)."""
        from PIL import Image

        folder = Path(folder)
        picture, note = folder / f"{stem}.png", folder / f"{stem}.json"
        Image.fromarray(self.depth).save(picture)
        fields = asdict(self.camera.optics) | {"depth_unit_mm": self.camera.step_mm, "camera": self.camera.name}
        note.write_text(json.dumps(fields, indent=1, sort_keys=True) + "\n")
        return picture, note


def scan_depth_camera(
    vertices: ArrayLike,
    faces: ArrayLike,
    rng: np.random.Generator,
    *,
    camera: DepthCamera = TRUEDEPTH,
    distance_mm: float | None = None,
    pose: bool | RigidTransform = True,
    landmarks: Mapping[str, ArrayLike] | None = None,
    noise: bool = True,
) -> DepthFrame:
    """One picture of the face `vertices` (V, 3), `faces` (F, 3), mm, canonical head frame, from the front.

    `pose` True: a head turned by up to 15 degrees before the camera; False: facing it; or head frame -> camera frame.
    `noise` False leaves geometry and quantisation alone. See `DepthCamera` for what the noise is and where from.
    """
    v, f = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    if not isinstance(pose, RigidTransform):
        aim = np.array([0.0, np.median(v[:, 1]), v[:, 2].max() - 40.0])
        away = facing(distance_mm or camera.distance_mm, aim)
        pose = away * random_pose(rng, shift_mm=15.0) if pose else away
    view = look(pose.apply(v), f, camera.optics)
    depth, face = view.depth.copy(), view.face.copy()
    if noise:
        white, smooth = rng.normal(size=depth.shape), gaussian_filter(rng.normal(size=depth.shape), 3.0)
        error = np.sqrt(1 - camera.correlated) * white + np.sqrt(camera.correlated) * smooth / smooth.std()
        # Slanted skin spreads a pixel's light over many depths: Nguyen 2012 finds the rise beyond 60 degrees.
        slant = 1.0 / np.maximum(view.cosine, 0.25)
        depth = np.where(depth > 0, depth + error * camera.noise_mm(depth) * np.sqrt(slant), 0.0)
        depth[(view.cosine < 0.15) & (view.depth > 0)] = 0.0
        depth, flying = _flying(depth, rng)
        face[flying] = -1
    depth = np.clip(np.rint(depth / camera.step_mm), 0, 65535).astype(np.uint16)
    face[depth == 0] = -1
    weights = np.where((face >= 0)[..., None], view.weights, np.nan)
    marks = {k: pose.apply(np.asarray(p, np.float64)) for k, p in (landmarks or {}).items()}
    return DepthFrame(camera, depth, face, weights, f, pose, marks)


def _flying(depth: Floats, rng: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
    """Pixels on a depth step see both sides of it and report something between; at the outline, something behind."""
    inf = np.where(depth > 0, depth, np.inf)
    near, far = minimum_filter(inf, 3), maximum_filter(depth, 3)
    outline = (depth > 0) & (minimum_filter(depth, 3) == 0)
    step = (depth > 0) & (far - near > 10.0)  # where there is depth, near is finite
    lucky = rng.random(depth.shape)
    flying = (step & (lucky < 0.5)) | (outline & (lucky < 0.3))
    mix = rng.random(depth.shape)
    gap = np.where(step, far - np.where(step, near, 0.0), 0.0)
    between = np.where(step, far - mix * gap, depth + rng.exponential(15.0, depth.shape))
    return np.where(flying, between, depth), flying
