"""One picture of a depth camera, as its reader hands it on: a distance a pixel, colours, and the camera's geometry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io.depth_frames import DEPTH_SUFFIXES, camera_of, color_of, depth_folder, read_depth_picture
from face3d.io.frame_numbers import in_order, listed, one_of
from face3d.scan import Floats
from face3d.values import Value, locked

#: A lens that sees more than this to one side is no pinhole: what is given as a focal length is something else.
_WIDEST_DEGREES = 85.0
#: Frames a second where a recording does not say: nothing that uses whole pictures depends on it.
_ANY_FPS = 30.0


@dataclass(frozen=True)
class Intrinsics:
    """An ideal camera in the OpenCV frame (x right, y down, z into the scene): focal lengths `fx`, `fy` and optical
    centre `cx`, `cy` in pixels of a picture of `width` x `height`; pixel centres lie at whole numbers.

    Raises `ScanError` for values that no camera has.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ScanError(
                f"intrinsics: the picture is {self.width} x {self.height} pixels; give its width and height"
            )
        for name, focal, size in (("fx", self.fx, self.width), ("fy", self.fy, self.height)):
            least = size / 2 / np.tan(np.radians(_WIDEST_DEGREES))
            if not (np.isfinite(focal) and least < focal < 1000 * size):
                raise ScanError(
                    f"intrinsics: {name} is {focal:g} pixels for a picture of {size}; focal lengths are given in "
                    "pixels (millimetres / pixel pitch), most cameras have 0.5 to 3 times the picture's size"
                )
        for name, centre, size in (("cx", self.cx, self.width), ("cy", self.cy, self.height)):
            if not -0.5 <= centre <= size:
                raise ScanError(
                    f"intrinsics: {name} is {centre:g}, outside the picture of {size} pixels; give the optical centre "
                    "in pixels of this very picture size"
                )

    @property
    def matrix(self) -> Floats:
        """Calibration matrix K (3, 3)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def rays(self) -> Floats:
        """Direction (H, W, 3) of each pixel's line of sight with z = 1: times depth it is the point seen."""
        u, v = np.meshgrid(np.arange(self.width, dtype=np.float64), np.arange(self.height, dtype=np.float64))
        return np.dstack([(u - self.cx) / self.fx, (v - self.cy) / self.fy, np.ones(u.shape)])


@dataclass(frozen=True, eq=False, repr=False)
class DepthFrame(Value):
    """One instant of a depth camera: `depth_mm` (H, W) float32 along the optical axis, NaN where nothing was measured;
    `intrinsics` of that picture; `color` (H, W, 3) uint8, pixel by pixel of the same view, or None; `time_s` since the
    first frame; `name` for messages. Raises `ScanError` if sizes contradict each other."""

    depth_mm: NDArray[np.float32]
    intrinsics: Intrinsics
    color: NDArray[np.uint8] | None = None
    time_s: float = 0.0
    name: str = "depth frame"

    def __post_init__(self) -> None:
        depth, at = locked(self.depth_mm, np.float32), self.intrinsics
        if depth.ndim != 2:
            raise ScanError(f"{self.name}: depth has shape {depth.shape}; expected one channel, (H, W)")
        if depth.shape != (at.height, at.width):
            raise ScanError(
                f"{self.name}: the picture is {depth.shape[1]} x {depth.shape[0]} pixels, its intrinsics are for "
                f"{at.width} x {at.height}; give those of this picture size"
            )
        if np.isinf(depth).any() or (depth <= 0).any():
            raise ScanError(f"{self.name}: depth holds values of 0, below or infinite; what was not measured is NaN")
        object.__setattr__(self, "depth_mm", depth)
        if self.color is not None:
            color = locked(self.color, np.uint8)
            if color.shape != (*depth.shape, 3):
                raise ScanError(
                    f"{self.name}: colours have shape {color.shape}, depth {depth.shape}; register colour to depth "
                    f"when exporting (it must be ({depth.shape[0]}, {depth.shape[1]}, 3))"
                )
            object.__setattr__(self, "color", color)


def read_depth_images(path: str | Path, units: str | float = "auto") -> tuple[list[DepthFrame], dict[str, str]]:
    """All pictures of a depth recording in their order (its folder as docs/sequences.md shows it), and name -> why of
    those that cannot be read. `units` millimetres of a step, where the camera's file does not say.

    Raises `ScanError` when there is no such recording or its intrinsics cannot be right.
    """
    folder = depth_folder(Path(path))
    if folder is None:
        raise ScanError(
            f"{path}: is no recording of a depth camera; give a folder that holds depth/ with numbered 16-bit PNGs "
            "and camera.json"
        )
    camera = camera_of(folder, units)
    at = Intrinsics(camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
    files = one_of(folder.pictures, listed(folder.pictures, DEPTH_SUFFIXES), "numbered depth pictures")
    frames, lost = [], {}
    for file in in_order(folder.pictures, files, _ANY_FPS, None).paths:
        if file is None:
            continue
        try:
            steps = read_depth_picture(file, camera)
        except ScanError as error:
            lost[file.name] = str(error)
            continue
        depth = np.where(steps > 0, steps * np.float32(camera.unit.factor), np.float32(np.nan)).astype(np.float32)
        color = None if folder.colors is None else color_of(folder.colors, file, depth.shape)
        frames.append(DepthFrame(depth, at, color, len(frames) / _ANY_FPS, file.name))
    if len({f.color is None for f in frames}) > 1:  # of some frames only: a surface is coloured whole or not at all
        frames = [replace(f, color=None) for f in frames]
    return frames, lost
