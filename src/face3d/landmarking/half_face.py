"""Landmarks read off the geometry itself, each half of the face on its own.

The detector works on pictures and pulls to symmetry: a dropped lip corner comes out half as low as it lies. Here a
small convolutional network looks at the depth of one half of the face (the right half mirrored), and marks the
landmarks on it. It never sees the other half, so there is nothing that it could be pulled to; and the mirrored face
gives the mirrored landmarks by construction. Trained on simulated faces by `tools/train_half_face.py`; runs in numpy.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import WeightsError
from face3d.geometry.views import Seen, Surface, View, at_pixels, bridged, smoothed
from face3d.landmarks import SIDES, code_of
from face3d.scan import Floats
from face3d.values import Value

Singles = NDArray[np.float32]  # the network computes in single precision: half the time, and 1e-6 of a pixel

#: What the network marks, in the order of its outputs; paired ones on the half that it sees.
PAIRED_MARKS = ("en", "ex", "ps", "pi", "mb", "sci", "lb", "al", "ac", "ch", "cph")
MIDLINE_MARKS = ("g", "n", "prn", "c", "sn", "ls", "sto", "li", "sl", "pg", "gn")
MARKS = PAIRED_MARKS + MIDLINE_MARKS

#: The picture of a half face: 1 mm a pixel on a face of average size, from 25 degrees to the side, where the outer
#: corner of the eye, the wing of the nose and the midline are all seen. Sizes divide by the network's stride of 8.
SIZE = (96, 176)
YAW = 25.0
CENTRE = (14.0, -42.0, 0.0)  # mm in the head frame of the average face, left half
#: Each half is looked at from here (yaw, pitch); the network was trained on +-5 degrees about the first.
_LOOKS = ((YAW, 0.0), (YAW + 6.0, 4.0), (YAW - 6.0, -4.0))
HOLE = 6.0  # pixels: holes of this radius are bridged


def half_view(
    to_head: RigidTransform, scale: float, side: str, margin: int = 0, yaw: float = YAW, pitch: float = 0.0
) -> View:
    """The view of one half; for the right half the picture must still be flipped left to right.

    `scale`: the face's size over that of the average face. `margin`: more pixels on every side. `yaw` outward and
    `pitch` upward of the camera, degrees.
    """
    sign = 1.0 if side == "left" else -1.0
    turn = to_head.rotation.inv() * Rotation.from_euler("YX", [sign * yaw, -pitch], degrees=True)
    centre = to_head.inv().apply(np.array(CENTRE) * [sign, 1, 1] * scale)
    size = (SIZE[0] + 2 * margin, SIZE[1] + 2 * margin)
    return View(turn.as_matrix().T, centre, size[0] * scale, size)


def channels(depth: Floats) -> tuple[Floats, Floats]:
    """What the network sees of a depth picture (in pixels), and the depth smoothed by 3 pixels (H, W).

    (5, H, W): the normal, how the surface stands out of the smoothed one, and where it was measured. Small holes are
    bridged, as for the detector.
    """
    measured = np.isfinite(depth)
    mended = bridged(depth, HOLE)
    known = np.isfinite(mended)
    base = smoothed(mended, 3.0)
    wide = np.nan_to_num(base)
    filled = np.where(known, np.nan_to_num(smoothed(mended, 0.7)), wide)
    dy, dx = np.gradient(filled)
    seen = ndimage.binary_erosion(known, iterations=1, border_value=1)
    length = np.sqrt(1.0 + dx**2 + dy**2)
    bump = np.clip(filled - wide, -3.0, 3.0) / 3.0
    stack = np.stack([-dx / length, dy / length, 1.0 / length, bump, measured.astype(np.float64)])
    return np.where(seen, stack, 0.0), base


@dataclass(frozen=True, eq=False, repr=False)
class HalfFaceNetwork(Value):
    """The network: `network(picture)` (5, H, W) -> (2 len(MARKS), H / 2, W / 2).

    First an unnormalised log-probability that each mark lies in a cell, then how far it stands out there, in pixels,
    of the surface smoothed by 3 pixels.
    """

    weights: Mapping[str, Singles]

    def __call__(self, picture: Singles) -> Singles:
        """The answer of the network, as the class says."""
        w = self.weights
        fine = _conv(_conv(picture, w, "stem1", 2), w, "stem2")
        middle = _conv(_conv(fine, w, "down1", 2), w, "down2")
        coarse = _conv(_conv(_conv(middle, w, "deep1", 2), w, "deep2"), w, "deep3")
        middle = _conv(middle + _twice(_conv(coarse, w, "up1", rectify=False)), w, "up2")
        fine = _conv(_conv(fine, w, "skip", rectify=False) + _twice(_conv(middle, w, "up3", rectify=False)), w, "up4")
        return _conv(fine, w, "out", rectify=False)


def _conv(x: Singles, weights: Mapping[str, Singles], name: str, stride: int = 1, rectify: bool = True) -> Singles:
    """A convolution with zero padding, then max(0, x) unless told otherwise. `x` (C, H, W)."""
    kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    pad = kernel.shape[-1] // 2
    channels, height, width = x.shape
    padded = np.zeros((channels, height + 2 * pad, width + 2 * pad), x.dtype)
    padded[:, pad : pad + height, pad : pad + width] = x
    # What each place of the kernel sees, one below the other: one large product is several times as fast as many.
    high, wide = -(-height // stride), -(-width // stride)
    windows = np.empty((channels, *kernel.shape[2:], high, wide), x.dtype)
    for i, j in np.ndindex(kernel.shape[2:]):
        windows[:, i, j] = padded[:, i : i + height : stride, j : j + width : stride]
    out = kernel.reshape(len(kernel), -1) @ windows.reshape(-1, high * wide)
    out += bias[:, None]
    if rectify:
        np.maximum(out, 0.0, out=out)
    return out.reshape(-1, high, wide)


def _twice(x: Singles) -> Singles:
    return x.repeat(2, axis=1).repeat(2, axis=2)


@functools.cache
def network() -> HalfFaceNetwork:
    """The trained network that ships with face3d. Raises `WeightsError` if it is missing or does not fit."""
    folder = resources.files("face3d").joinpath("data")
    try:
        raw = folder.joinpath("half_face.npz").read_bytes()
        expected = json.loads(folder.joinpath("half_face.json").read_text())["sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(f"half_face.npz: cannot be read ({error}); reinstall face3d") from error
    if (found := hashlib.sha256(raw).hexdigest()) != expected:
        raise WeightsError(f"half_face.npz: SHA-256 is {found}, expected {expected}; reinstall face3d")
    with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
        weights = {k: stored[k].astype(np.float32) for k in stored.files}
    if (given := weights["out.weight"].shape[0]) != 2 * len(MARKS):
        raise WeightsError(f"half_face.npz: {given} maps, {2 * len(MARKS)} expected; reinstall face3d")
    return HalfFaceNetwork(weights)


# pixels: how far the detector's guess reaches. Brows and chin are round: many places look alike there.
_REACH = np.array([5.0 if mark in ("mb", "sci", "lb", "g", "pg", "gn") else 12.0 for mark in MARKS])


def peaks(output: Singles, prior: Floats, reach: ArrayLike = 12.0) -> tuple[Floats, Floats]:
    """(K, 3) x, y and how far it stands out, all in pixels, and (K,) how sure 0..1, from the network's output.

    `prior` (K, 2): where the detector saw them. A Gaussian of `reach` pixels, (K,) or one for all, around it (none
    where NaN) decides between two lookalikes, but does not draw the result: that is the mean within 3 cells (6 pixels)
    of the best cell. How sure: the share of the probability that lies there.
    """
    k, (height, width) = len(output) // 2, output.shape[1:]
    heat, out = output[:k].astype(np.float64), output[k:]
    yy, xx = np.mgrid[:height, :width]
    x, y = 2.0 * xx + 0.5, 2.0 * yy + 0.5
    away = (x - prior[:, 0, None, None]) ** 2 + (y - prior[:, 1, None, None]) ** 2
    spread = np.broadcast_to(np.asarray(reach, np.float64), k)[:, None, None]
    best = (heat - np.nan_to_num(away) / (2 * spread**2)).reshape(k, -1).argmax(axis=1)
    share = np.exp(heat - heat.max(axis=(1, 2), keepdims=True))
    near = (np.abs(yy - (best // width)[:, None, None]) <= 3) & (np.abs(xx - (best % width)[:, None, None]) <= 3)
    sure = np.where(near, share, 0.0).sum(axis=(1, 2)) / share.sum(axis=(1, 2))
    # Relative to the best cell, or a lookalike's higher peak would leave nothing of it in double precision.
    level = np.take_along_axis(heat.reshape(k, -1), best[:, None], axis=1)[:, :, None]
    local = np.where(near, np.exp(np.minimum(heat - level, 50.0)), 0.0)
    local /= local.sum(axis=(1, 2), keepdims=True)
    return np.stack([(local * field).sum(axis=(1, 2)) for field in (x, y, out)], axis=1), sure


@dataclass(frozen=True, eq=False, repr=False)
class Marked(Value):
    """Landmarks by name: `points` (3,) mm in scan coordinates, `confidence` 0..1."""

    points: Mapping[str, Floats]
    confidence: Mapping[str, float]


def marked(surface: Surface, to_head: RigidTransform, scale: float, prior: Mapping[str, Floats]) -> Marked:
    """All landmarks of `MARKS` that the network sees on the surface.

    `to_head`, `scale`: the rough head frame and the face's size over the average one's. `prior`: where the detector saw
    them, mm in scan coordinates; missing names are searched all over. Each landmark is what the views agree on, for
    one on the midline those of both halves.
    """
    votes: dict[str, list[tuple[Floats, float]]] = {}
    for side in SIDES:
        names = [m if m in MIDLINE_MARKS else f"{m}_{side}" for m in MARKS]
        guess = np.array([prior.get(name, np.full(3, np.nan)) for name in names])
        for yaw, pitch in _LOOKS:
            view = half_view(to_head, scale, side, yaw=yaw, pitch=pitch)
            points, mass = _looked(surface.see(view), view, view.pixels(guess), side == "right")
            for name, point, sure in zip(names, points, mass, strict=True):
                if np.isfinite(point).all():
                    votes.setdefault(name, []).append((point, float(sure)))
    found: dict[str, Floats] = {}
    confidence: dict[str, float] = {}
    for name, vote in votes.items():
        points, sure = np.array([v[0] for v in vote]), np.array([v[1] for v in vote])
        # The middle one of the views that are about as sure as the surest: where the network wavers between two
        # places, a mean would lie somewhere between them.
        found[name] = np.median(points[sure >= 0.5 * sure.max()], axis=0)
        spread = float(np.sqrt(sure @ ((points - found[name]) ** 2).sum(axis=1) / sure.sum()))
        confidence[name] = float(sure.mean()) / (1.0 + (spread / 2.0) ** 2)
    return Marked(found, confidence)


#: The red of the lips ends in a colour; geometry shows it on some faces only.
COLOUR_EDGES = ("ls", "li", "cph")
# mm between detector and network at which each has half a say. On faces whose lips have an edge to see they differ by
# 2 to 4 mm, on real scans without one by up to 9, and then it is the detector that people agree with.
_HALFWAY = 5.0
_LOST = 0.02  # confidence below which a mark is a guess


def settled(precise: Marked, detected: Mapping[str, Floats]) -> Marked:
    """The network's landmarks, and on the lips' colour edges the less of them the further the detector is from them.

    Where the network is lost, its mark outside of what it sees for instance, there is none, and the detector's stays.
    """
    kept = [name for name, sure in precise.confidence.items() if sure >= _LOST or name not in detected]
    points = {name: precise.points[name] for name in kept}
    confidence = {name: precise.confidence[name] for name in kept}
    for name in points.keys() & detected.keys():
        if code_of(name) in COLOUR_EDGES:
            share = 1.0 / (1.0 + (float(np.linalg.norm(points[name] - detected[name])) / _HALFWAY) ** 4)
            points[name] = share * points[name] + (1.0 - share) * detected[name]
            confidence[name] *= 0.5 + 0.5 * share
    return Marked(points, confidence)


def foremost(surface: Surface, frame: RigidTransform, near: Floats, reach: float = 14.0) -> Floats | None:
    """Pronasale by its definition (Farkas 1994): the point of the nose's tip that stands out the most to the front.

    `frame`: scan coordinates -> canonical head frame; searched within `reach` mm of `near` (3,), scan coordinates, as
    seen from the front. None where there is no surface, or where it rises up to the edge of the search: no tip there.
    """
    pixels = 73  # half a millimetre each, the middle one on `near`
    view = View(frame.rotation.inv().as_matrix().T, near, pixels / 2, (pixels, pixels))
    depth = smoothed(surface.see(view).depth, 3.0)  # 1.5 mm: finer than a tip's roundness, coarser than noise
    yy, xx = np.mgrid[:pixels, :pixels] - pixels // 2
    away = np.hypot(xx, yy) / 2
    if not np.isfinite(depth[away <= reach]).any():
        return None
    y, x = np.unravel_index(np.nanargmax(np.where(away <= reach, depth, np.nan)), depth.shape)
    if away[y, x] > reach - 1.0:
        return None
    # Between the pixels: the top of the parabola through the neighbours.
    place = np.array([x, y], np.float64)
    for axis, (one, two) in enumerate(((depth[y, x - 1], depth[y, x + 1]), (depth[y - 1, x], depth[y + 1, x]))):
        bend = one - 2 * depth[y, x] + two
        if np.isfinite(bend) and bend < 0:
            place[axis] += 0.5 * (one - two) / bend
    return view.points(place) + depth[y, x] * view.axes[2]


def _looked(seen: Seen, view: View, guess: Floats, flipped: bool) -> tuple[Floats, Floats]:
    """(K, 3) mm and (K,) 0..1: the network's marks in one view of a half face."""
    depth, guess = seen.depth / view.mm_per_pixel, guess.copy()
    if flipped:
        depth = depth[:, ::-1]
        guess[:, 0] = view.size[0] - 1 - guess[:, 0]
    picture, base = channels(depth)
    places, sure = peaks(network()(np.asarray(picture, np.float32)), guess, _REACH)
    height = at_pixels(base, places[:, :2]) + places[:, 2]
    if flipped:
        places[:, 0] = view.size[0] - 1 - places[:, 0]
    return view.points(places[:, :2]) + (height * view.mm_per_pixel)[:, None] * view.axes[2], sure
