"""Recordings of depth cameras as pictures: 16-bit depth, colour beside it, and the camera's intrinsics.

A folder `depth/` (numbered .png or .tif of one channel), perhaps `color/` (pictures of the same numbers, laid on the
depth pictures: same size), and `camera.json` or `intrinsics.json` beside them. docs/sequences.md shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from face3d.errors import ScanError
from face3d.io import guard
from face3d.io.depth_camera import Camera, camera_fields, read_camera
from face3d.io.frame_files import Reader, recorded
from face3d.io.frame_numbers import in_order, listed, one_of
from face3d.io.picture import pixels_of
from face3d.io.sequence import Sequence
from face3d.io.units import Unit
from face3d.scan import FaceScan, Floats

DEPTH_SUFFIXES = (".png", ".tif", ".tiff")
_COLOR_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
CAMERAS = ("camera.json", "intrinsics.json", "intrinsic.json", "metadata.json", "depth_intrinsics.json")
#: Neighbouring pixels farther apart in depth than this (mm) are not of one surface. As the flank of a nose at 70
#: degrees falls 2.7 times a pixel's width, 1 to 2 mm at arm's length, 12 mm leaves skin whole and cuts cheek from wall.
JUMP_MM = 12.0
#: Farther than this no depth camera sees a face well enough to measure it; it is the room.
FARTHEST_MM = 1500.0


@dataclass(frozen=True)
class DepthFolder:
    """Where a recording of a depth camera lies: its depth `pictures`, `colors` or None, the `camera`'s file or None."""

    path: Path
    pictures: Path
    colors: Path | None
    camera: Path | None


def depth_folder(path: Path) -> DepthFolder | None:
    """The depth recording in a folder, or None where there is none."""
    if not path.is_dir():
        return None
    below = {p.name.lower(): p for p in path.iterdir()}
    depth = next((below[k] for k in ("depth", "depths") if k in below and below[k].is_dir()), None)
    if depth is None:
        if path.name.lower() not in ("depth", "depths"):
            return None
        depth, path = path, path.parent
        below = {p.name.lower(): p for p in path.iterdir()}
    colors = next((below[k] for k in ("color", "colour", "rgb") if k in below and below[k].is_dir()), None)
    places = [place / name for place in (path, depth) for name in CAMERAS]
    return DepthFolder(path, depth, colors, next((p for p in places if p.is_file()), None))


def camera_of(folder: DepthFolder, units: str | float) -> Camera:
    """The camera of a recording. Raises `ScanError` when its intrinsics are missing or can't be right."""
    if folder.camera is None:
        raise ScanError(
            f"{folder.path}: depth pictures without intrinsics; add camera.json with fx, fy, cx, cy, width, height"
        )
    return read_camera(folder.camera, units)


def read_depth(folder: DepthFolder, fps: float | None, units: str | float, times_s: ArrayLike | None) -> Sequence:
    """The recording of depth pictures, each as a mesh: x to the camera's right, y up, z towards it, mm."""
    camera = camera_of(folder, units)
    files = one_of(folder.pictures, listed(folder.pictures, DEPTH_SUFFIXES), "numbered depth pictures")
    assert folder.camera is not None  # else there were no camera
    said = camera_fields(folder.camera).get("fps")
    said = said if isinstance(said, int | float) and not isinstance(said, bool) else None
    notes = _said_of_colors(folder, files[0], camera)
    return recorded(
        str(folder.path),
        in_order(folder.pictures, files, fps, times_s, said),
        depth_reader(folder, camera),
        camera.unit,
        notes,
    )


def depth_reader(folder: DepthFolder, camera: Camera) -> Reader:
    """How a depth picture of a folder becomes a surface; as `recorded` and `follow_frames` take it."""
    rays = rays_of(camera)

    def read(file: Path, unit: str | float | Unit) -> FaceScan:
        depth = read_depth_picture(file, camera)
        color = None if folder.colors is None else color_of(folder.colors, file, depth.shape)
        depth_mm = depth.astype(np.float32) * np.float32(camera.unit.factor)
        return surface_of(depth_mm, rays, JUMP_MM, color, file.name, camera.unit.note)

    return read


def rays_of(camera: Camera) -> Floats:
    """(H, W, 2) x and y of each pixel's ray at depth 1: to the camera's right, and up."""
    u, v = np.arange(camera.width), np.arange(camera.height)
    x = np.broadcast_to((u - camera.cx) / camera.fx, (camera.height, camera.width))
    y = np.broadcast_to(-((v - camera.cy) / camera.fy)[:, None], (camera.height, camera.width))
    return np.stack([x, y], axis=-1).astype(np.float64)


def read_depth_picture(file: Path, camera: Camera) -> NDArray[np.uint16]:
    """(H, W) steps of depth, 0 where there is none. Raises `ScanError` for 8 bits, colours, another camera's size."""
    pixels = _picture(file, "depth")
    if pixels.ndim != 2 or pixels.dtype.itemsize < 2:
        bits = f"{8 * pixels.dtype.itemsize} bits" + (f" in {pixels.shape[2]} channels" if pixels.ndim == 3 else "")
        raise ScanError(
            f"{file}: {bits} a pixel; depth needs 16 in one channel. It is a picture for the eye: export the raw "
            "depth (Z16)"
        )
    camera.check(str(file), pixels.shape[1], pixels.shape[0])
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ScanError(f"{file}: depth runs from {pixels.min()} to {pixels.max()}; 16 bits hold 0 to 65535")
    return pixels.astype(np.uint16, copy=False)


def surface_of(
    depth_mm: NDArray[np.floating],
    rays: Floats,
    apart_mm: float | Floats,
    color: NDArray[np.uint8] | None,
    name: str,
    note: str,
) -> FaceScan:
    """The surface that a depth picture (H, W) shows, mm: pixels back-projected along `rays` (H, W, 2), neighbours
    joined unless they are `apart_mm`, one number or (H, W), from each other in depth. 0, NaN: nothing was measured.

    Raises `ScanError` when nothing is seen within `FARTHEST_MM`.
    """
    z = np.where(depth_mm <= FARTHEST_MM, depth_mm, 0.0)  # NaN compares as false
    rows, cols = np.flatnonzero(z.any(axis=1)), np.flatnonzero(z.any(axis=0))
    if not len(rows):
        raise ScanError(f"{name}: nothing is seen within {FARTHEST_MM:.0f} mm; is the step of depth right ({note})?")
    part = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
    z, rays, apart = z[part], rays[part], np.broadcast_to(apart_mm, z.shape)[part][:-1, :-1]
    a, b, c, d = z[:-1, :-1], z[:-1, 1:], z[1:, 1:], z[1:, :-1]
    low, high = np.minimum(np.minimum(a, b), np.minimum(c, d)), np.maximum(np.maximum(a, b), np.maximum(c, d))
    whole = (low > 0) & (high - low < apart)
    used = np.zeros(z.shape, bool)
    for corner in (used[:-1, :-1], used[:-1, 1:], used[1:, 1:], used[1:, :-1]):
        corner |= whole
    if not used.any():
        raise ScanError(f"{name}: no neighbouring pixels within {np.median(apart):.0f} mm of depth: no surface")
    number = np.cumsum(used.ravel()).reshape(z.shape) - 1
    a, b, c, d = (part[whole] for part in (number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]))
    faces = np.empty((2 * len(a), 3), np.int64)  # counter-clockwise seen from the camera
    faces[: len(a), 0], faces[: len(a), 1], faces[: len(a), 2] = a, d, c
    faces[len(a) :, 0], faces[len(a) :, 1], faces[len(a) :, 2] = a, c, b
    seen = z[used].astype(np.float64)
    points = np.empty((len(seen), 3))
    points[:, :2] = rays[used] * seen[:, None]
    points[:, 2] = -seen
    for array in (points, faces):
        array.setflags(write=False)
    colors = None if color is None else color[part][used]
    return FaceScan(points, faces, colors=colors, name=name, units_note=note)


def _said_of_colors(folder: DepthFolder, first: Path, camera: Camera) -> tuple[str, ...]:
    """Whether colours are there but can't be laid on the depth."""
    if folder.colors is None or color_of(folder.colors, first, (camera.height, camera.width)) is not None:
        return ()
    return (
        f"{folder.colors.name}/ is left out: colours are those of pictures with the depth pictures' names and size, "
        f"{camera.width} x {camera.height} (aligned to depth)",
    )


def color_of(folder: Path, depth: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The colour picture of a depth picture's name or number; None where there is none, or not of its pixels."""
    stem = depth.name.removesuffix(depth.suffix)
    names = [stem, stem.replace("depth", "color"), stem.replace("Depth", "Color")]
    file = next((f for n in names for s in _COLOR_SUFFIXES if (f := folder / f"{n}{s}").is_file()), None)
    if file is None:
        return None
    try:
        pixels = _picture(file, "colour")
    except ScanError:
        return None  # a frame is not lost for its colours
    return pixels if pixels.dtype == np.uint8 and pixels.shape == (*shape, 3) else None


def _picture(file: Path, what: str) -> NDArray:
    return pixels_of(str(file), guard.read_bytes(file), rgb=what == "colour")
