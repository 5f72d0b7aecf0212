"""Where a pixel of the left picture lies in the right one, to a few hundredths of a pixel.

Semi-global matching (Hirschmueller 2008, doi:10.1109/TPAMI.2007.1166; OpenCV's) on small pictures finds the surface.
From there on we refine by least squares at every size up to the full one: the right picture is warped by what is known
of the surface, so that a window follows its slant and curvature, and what is left of the shift, with a gain and an
offset of brightness, is solved for in a Gaussian window about each pixel (Lucas & Kanade 1981; adaptive least-squares
correlation, Gruen 1985). Its normal equations tell how sure the result is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face3d.extras import require
from face3d.values import Value

Picture = NDArray[np.float32]

#: Semi-global matching runs on pictures at most this wide, pixels: the surface is smooth, its details come after.
_SMALL = 420
#: Standard deviation of the window, pixels: small enough for a lip's edge, large enough for skin's few pores.
_WINDOW = 3.0
_STEPS = 4
#: A slope of disparity beyond this, pixels per pixel, is an outline, not skin.
_STEEPEST = 0.8
#: Share of a window that must be known for its middle to be tried.
_GROW = 0.1
#: Least correlation of both windows, and most difference of the two directions, pixels.
_LEAST_CORRELATION, _CONSISTENT = 0.5, 1.0


@dataclass(frozen=True, eq=False, repr=False)
class Match(Value):
    """`disparity` (H, W) pixels, NaN where there is none; `sd` (H, W) its standard deviation, pixels, as least squares
    has it; `correlation` (H, W) of the windows."""

    disparity: Picture
    sd: Picture
    correlation: Picture


def match(left: NDArray[np.uint8], right: NDArray[np.uint8], nearest: float, farthest: float) -> Match:
    """Rectified pictures (H, W, 3) or (H, W), matched; disparities lie between `farthest` and `nearest` (pixels).

    Both directions are matched and refined on their own; where they contradict each other, one of the cameras does
    not see the place, and it stays empty.
    """
    grey = [_grey(p) for p in (left, right)]
    levels = max(0, int(np.ceil(np.log2(grey[0].shape[1] / _SMALL))))
    pyramids = [_pyramid(g, levels) for g in grey]
    mirrored = [[np.ascontiguousarray(g[:, ::-1]) for g in p] for p in pyramids]
    forth = _one_way(pyramids[0], pyramids[1], nearest, farthest)
    back = _one_way(mirrored[1], mirrored[0], nearest, farthest).disparity[:, ::-1]
    cv2 = require("cv2")
    rows, cols = _grid(forth.disparity.shape)
    there = np.nan_to_num(cols - forth.disparity, nan=-1e4).astype(np.float32)
    other = cv2.remap(np.ascontiguousarray(back), there, rows, cv2.INTER_NEAREST, None, cv2.BORDER_CONSTANT, np.nan)
    agree = np.abs(other - forth.disparity) < _CONSISTENT
    good = agree & (forth.correlation > _LEAST_CORRELATION)
    return Match(np.where(good, forth.disparity, np.float32(np.nan)), forth.sd, forth.correlation)


def semi_global(left: Picture, right: Picture, nearest: float, farthest: float) -> Picture:
    """OpenCV's semi-global matching of grey pictures: disparity (H, W), NaN where it finds none."""
    cv2 = require("cv2")
    least = int(np.floor(farthest))
    number = 16 * int(np.ceil((nearest - least + 1) / 16))
    size = 5
    matcher = cv2.StereoSGBM_create(
        minDisparity=least,
        numDisparities=number,
        blockSize=size,
        P1=8 * size**2,
        P2=32 * size**2,
        disp12MaxDiff=1,
        uniquenessRatio=5,
        speckleWindowSize=100,
        speckleRange=2,
        mode=cv2.StereoSGBM_MODE_HH,
    )
    # OpenCV leaves the columns without that many neighbours empty: they are lent to it.
    pad = max(number + least, 0), max(-least, 0)
    wide = [cv2.copyMakeBorder(_bytes(p), 0, 0, *pad, cv2.BORDER_REPLICATE) for p in (left, right)]
    found = matcher.compute(*wide)[:, pad[0] : wide[0].shape[1] - pad[1]]
    return np.where(found < 16 * least, np.float32(np.nan), found.astype(np.float32) / 16)


def _one_way(left: list[Picture], right: list[Picture], nearest: float, farthest: float) -> Match:
    """Disparity of the largest left picture from pyramids (largest first)."""
    cv2 = require("cv2")
    scale = 2.0 ** (len(left) - 1)
    disparity = semi_global(left[-1], right[-1], nearest / scale, farthest / scale)
    result: Match | None = None
    for k, (a, b) in enumerate(zip(reversed(left), reversed(right), strict=True)):
        if k:
            rows, cols = _grid(a.shape)
            disparity = 2 * cv2.remap(
                disparity, cols / 2, rows / 2, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, np.nan
            )
        result = _refined(a, b, disparity)
        disparity = result.disparity
    assert result is not None
    return result


def _refined(left: Picture, right: Picture, disparity: Picture) -> Match:
    cv2 = require("cv2")
    rows, cols = _grid(left.shape)
    slope = cv2.filter2D(right, cv2.CV_32F, np.array([[-0.5, 0.0, 0.5]], np.float32))
    mean_l, power_l = _blur(left), _blur(left * left)
    var_l = np.maximum(power_l - mean_l**2, 0)
    samples = 4 * np.pi * _WINDOW**2  # independent pixels in the window
    known = np.isfinite(disparity) & ~_outline(disparity)
    # What the smaller pictures left open beside an outline is tried again, on the planes of its neighbours: the
    # windows were twice as wide there.
    d, mass = _planes(np.where(known, disparity, np.float32(0)), known.astype(np.float32))
    d = np.where(known, disparity, d)
    trust = np.where(known, np.float32(1), np.float32(1e-3))
    known |= mass > _GROW
    correlation = sd = np.zeros_like(d)
    for _ in range(_STEPS):
        d = np.where(known, _planes(d, np.where(known, trust, np.float32(0)))[0], d)
        at = cols - d
        r = cv2.remap(right, at, rows, cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE)
        g = cv2.remap(slope, at, rows, cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE)
        mean_r, mean_g = _blur(r), _blur(g)
        rr, gg = _blur(r * r) - mean_r**2, _blur(g * g) - mean_g**2
        rg, lr, lg = (
            _blur(r * g) - mean_r * mean_g,
            _blur(left * r) - mean_l * mean_r,
            _blur(left * g) - mean_l * mean_g,
        )
        # left = gain (r - shift g) + offset, by least squares in the window; a little noise keeps plain skin solvable.
        rr, gg = rr + 0.05, gg + 0.02
        det = rr * gg - rg**2
        gain = (gg * lr - rg * lg) / det
        shift = -(rr * lg - rg * lr) / det / np.where(np.abs(gain) < 0.1, np.float32(np.inf), gain)
        correlation = lr / np.sqrt(np.maximum(var_l * rr, 1e-6))
        rest = np.maximum(var_l - gain * lr + gain * shift * lg, 0.1)
        sd = np.sqrt(rest * rr / (samples * np.maximum(det, 1e-6))) / np.maximum(np.abs(gain), 0.1)
        d = d + np.clip(shift, -0.7, 0.7)
        trust = np.where(known & (correlation > 0.2), 1 / (sd**2 + np.float32(1e-3)), np.float32(1e-6))
    d = np.where(known, _planes(d, np.where(known, trust, np.float32(0)))[0], d)
    known &= correlation > _LEAST_CORRELATION
    known &= ~_outline(np.where(known, d, np.float32(np.nan)))
    return Match(np.where(known, d, np.float32(np.nan)), sd, correlation)


def _outline(disparity: Picture) -> NDArray[np.bool_]:
    """Where the surface breaks off: it differs from a neighbour by more than skin can."""
    cv2 = require("cv2")
    kernel = np.ones((3, 3), np.uint8)
    filled = np.where(np.isfinite(disparity), disparity, np.float32(-1e6))
    high = cv2.dilate(filled, kernel)
    low = cv2.erode(np.where(np.isfinite(disparity), disparity, np.float32(1e6)), kernel)
    return (high - low) > 2 * _STEEPEST


def _planes(d: Picture, trust: Picture) -> tuple[Picture, Picture]:
    """At each pixel the height of the plane that fits its window best by `trust`, and the window's mass of trust."""
    cv2 = require("cv2")
    reach = int(np.ceil(3 * _WINDOW))
    x = np.arange(-reach, reach + 1, dtype=np.float64)
    k0 = np.exp(-0.5 * (x / _WINDOW) ** 2)
    k0 /= k0.sum()
    k1, k2 = k0 * x, k0 * x**2
    any_trust = trust > 0
    middle = np.float32(d[any_trust].mean() if any_trust.any() else 0)
    wd = trust * (d - middle)

    def total(image: Picture, kx: NDArray, ky: NDArray) -> Picture:
        return cv2.sepFilter2D(image, cv2.CV_32F, kx, ky, borderType=cv2.BORDER_CONSTANT)

    s, sx, sy = total(trust, k0, k0), total(trust, k1, k0), total(trust, k0, k1)
    sxx, sxy, syy = total(trust, k2, k0), total(trust, k1, k1), total(trust, k0, k2)
    z, zx, zy = total(wd, k0, k0), total(wd, k1, k0), total(wd, k0, k1)
    # A plane that its window hardly fixes becomes level.
    least = np.float32(1e-2 * _WINDOW**2) * s + np.float32(1e-12)
    sxx, syy = sxx + least, syy + least
    a, b, c = sxx * syy - sxy**2, sx * syy - sxy * sy, sx * sxy - sxx * sy
    det = s * a - sx * b + sy * c
    height = (z * a - zx * b + zy * c) / np.where(np.abs(det) < 1e-20, np.float32(np.inf), det)
    return height + middle, s


def _blur(image: Picture) -> Picture:
    return require("cv2").GaussianBlur(image, (0, 0), _WINDOW)


def _grey(picture: NDArray[np.uint8]) -> Picture:
    """Mean of the channels (its noise is the least); less mid grey, for squares keep their digits then."""
    grey = picture.astype(np.float32)
    grey = grey.mean(axis=2, dtype=np.float32) if grey.ndim == 3 else grey
    return np.ascontiguousarray(grey - np.float32(128))


def _pyramid(picture: Picture, levels: int) -> list[Picture]:
    cv2 = require("cv2")
    out = [picture]
    for _ in range(levels):
        out.append(cv2.pyrDown(out[-1]))
    return out


def _bytes(grey: Picture) -> NDArray[np.uint8]:
    return np.clip(np.rint(grey + 128), 0, 255).astype(np.uint8)


def _grid(shape: tuple[int, ...]) -> tuple[Picture, Picture]:
    rows, cols = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return np.ascontiguousarray(rows), np.ascontiguousarray(cols)
