"""Pictures of depth cameras to surfaces: what is no measurement is taken out, noise is lowered, edges are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import ScanError
from face3d.extras import require
from face3d.io.depth_frames import surface_of
from face3d.io.depth_image import DepthFrame
from face3d.scan import FaceScan, Floats

#: A camera's frame (x right, y down, z away) turned half about x: head up, face forward.
UPRIGHT = RigidTransform.from_rotation(Rotation.from_euler("x", 180, degrees=True))
#: Skin steeper than this to the line of sight is not measured: a pixel covers several of its own widths.
_STEEPEST_DEGREES = 75.0
#: Noise that neighbours may differ by on top of their slope, in standard deviations.
_SIGMAS = 3.0
#: Of eight neighbours so many must lie on the same surface: a pixel on a straight edge has five.
_SUPPORT = 5
#: Farther behind the nearest surface is the room, or the chair, mm: a head is 250 mm long.
_BEHIND_MM = 350.0
#: Width of the spatial filter, pixels; how far, in standard deviations of noise, values are still mixed.
_WIDTH_PX, _MIX = 1.5, 2.5
#: Weight of the new frame in the temporal filter; a pixel that moved by more than so many standard deviations begins
#: anew.
_NEW, _MOVED = 0.4, 2.0
_LEAST_PIXELS = 500


def mesh_of(frame: DepthFrame) -> FaceScan:
    """The surface in a depth picture: flying pixels and background taken out, smoothed without rounding edges,
    back-projected and joined.

    +y up, +z towards the camera, mm; `values["sd_mm"]` the standard deviation of a pixel before smoothing. Raises
    `ScanError` when hardly anything is left.
    """
    clean = cleaned(frame)
    depth = clean.depth_mm.astype(np.float64)
    reach = 2 * _reach_mm(depth, frame, noise_mm(clean))
    rays = frame.intrinsics.rays()[..., :2] * (1.0, -1.0)  # rows run down
    found = surface_of(depth, rays, reach, frame.color, frame.name, "mm: by the camera's depth")
    if len(found.vertices) < _LEAST_PIXELS:
        raise ScanError(
            f"{frame.name}: {len(found.vertices)} pixels of a surface; hold the face nearer, within the camera's range"
        )
    return found.replace(values={"sd_mm": np.full(len(found.vertices), noise_mm(foreground(frame)))})


def cleaned(frame: DepthFrame) -> DepthFrame:
    """The picture without background and flying pixels, and smoothed by a filter that keeps edges (bilateral)."""
    cv2 = require("cv2")
    front = foreground(frame)
    depth, noise = np.array(front.depth_mm), noise_mm(front)
    depth[~_supported(depth, frame, noise)] = np.nan
    depth = _largest(depth, frame, noise)
    known = np.isfinite(depth)
    far = np.float32(1e5)  # so far away that the filter mixes nothing of it in
    smooth = cv2.bilateralFilter(np.where(known, depth, far), 7, float(_MIX * noise), _WIDTH_PX)
    return replace(frame, depth_mm=np.where(known, smooth, np.float32(np.nan)))


def foreground(frame: DepthFrame) -> DepthFrame:
    """The picture without what lies behind a head. Raises `ScanError` for a picture with hardly any depth."""
    depth = np.array(frame.depth_mm)
    if np.isfinite(depth).sum() < _LEAST_PIXELS:
        raise ScanError(f"{frame.name}: {int(np.isfinite(depth).sum())} pixels with depth; is the lens covered?")
    # The nearest thing of some size: half a per cent of the picture is a patch of skin, not a speck before the lens.
    near = float(np.nanquantile(depth, 0.005))
    with np.errstate(invalid="ignore"):
        depth[depth > near + _BEHIND_MM] = np.nan
    return replace(frame, depth_mm=depth)


def steadied(frames: Iterable[DepthFrame]) -> Iterator[DepthFrame]:
    """The frames with pixels averaged over time where nothing moved: each is mixed with what was there before unless it
    differs by more than noise. A slow movement lags by less than `_MOVED` standard deviations."""
    before: NDArray[np.float32] | None = None
    for frame in frames:
        now = frame.depth_mm
        if before is not None and before.shape == now.shape:
            with np.errstate(invalid="ignore"):
                still = np.abs(now - before) < _MOVED * noise_mm(frame)
            now = np.where(still, np.float32(_NEW) * now + np.float32(1 - _NEW) * before, now)
        before = now
        yield replace(frame, depth_mm=now)


def noise_mm(frame: DepthFrame) -> float:
    """Standard deviation (mm) of a pixel's depth, from how neighbours in a row differ from the line through them; a
    median, so that edges do not count. Noise that neighbours share is not seen by it."""
    depth = frame.depth_mm.astype(np.float64)
    bend = depth[:, 2:] - 2 * depth[:, 1:-1] + depth[:, :-2]
    bend = bend[np.isfinite(bend)]
    # Second differences of white noise have six times its variance; whole steps of depth are noise too.
    spread = 1.4826 * float(np.median(np.abs(bend))) / np.sqrt(6) if len(bend) else 0.0
    return max(spread, 0.1)


def _reach_mm(depth: Floats, frame: DepthFrame, noise: float) -> Floats:
    """How far neighbours on one surface may differ: a pixel's width at the steepest slope, and noise."""
    pixel = depth / min(frame.intrinsics.fx, frame.intrinsics.fy)
    return np.tan(np.radians(_STEEPEST_DEGREES)) * pixel + _SIGMAS * noise


def _supported(depth: NDArray[np.float32], frame: DepthFrame, noise: float) -> NDArray[np.bool_]:
    """(H, W) pixels that enough of their neighbours share a surface with: others fly between two, or behind one."""
    padded = np.pad(depth, 1, constant_values=np.nan)
    reach = _reach_mm(depth.astype(np.float64), frame, noise)
    count = np.zeros(depth.shape, int)
    height, width = depth.shape
    with np.errstate(invalid="ignore"):
        for row in range(3):
            for col in range(3):
                if (row, col) != (1, 1):
                    count += np.abs(padded[row : row + height, col : col + width] - depth) < reach
    return count >= _SUPPORT


def _largest(depth: NDArray[np.float32], frame: DepthFrame, noise: float) -> NDArray[np.float32]:
    """The largest piece that hangs together; a hand beside the face goes."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    known = np.isfinite(depth)
    number = np.full(depth.shape, -1, np.int64)
    number[known] = np.arange(known.sum())
    reach = _reach_mm(depth.astype(np.float64), frame, noise)
    ends = []
    with np.errstate(invalid="ignore"):
        for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
            joined = np.abs(depth[one] - depth[other]) < reach[one]
            ends.append(np.column_stack([number[one][joined], number[other][joined]]))
    a, b = np.vstack(ends).T
    _, piece = connected_components(coo_matrix((np.ones(len(a)), (a, b)), shape=(known.sum(), known.sum())), False)
    if not len(piece):
        raise ScanError(f"{frame.name}: no two neighbouring pixels lie on one surface; is the depth unit right?")
    out = depth.copy()
    gone = np.zeros(depth.shape, bool)
    gone[known] = piece != np.bincount(piece).argmax()
    out[gone] = np.nan
    return out
