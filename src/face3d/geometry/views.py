"""Pictures and depth of a surface, by ray casting: what a camera sees, and where on the surface every pixel lies.

Ray casting (open3d, Embree) instead of a graphics library: it needs no display and no EGL, repeats exactly, takes 6 ms
for 256 x 256 rays, and every pixel carries its point on the surface, so that going back from the picture is a look-up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from face3d.errors import ScanError
from face3d.geometry.mesh import vertex_normals
from face3d.geometry.rays import RayScene
from face3d.scan import Floats
from face3d.values import Value, locked


@dataclass(frozen=True, eq=False, repr=False)
class View(Value):
    """A camera with parallel rays.

    `axes` (3, 3): rows are the picture's right, its up and the way to the viewer (orthonormal, right-handed);
    `centre` (3,) mm is what the picture's middle shows; `width_mm` the picture's width; `size` (width, height) pixels.
    """

    axes: Floats
    centre: Floats
    width_mm: float
    size: tuple[int, int] = (512, 512)

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", locked(self.axes))
        object.__setattr__(self, "centre", locked(self.centre))

    @property
    def mm_per_pixel(self) -> float:
        """Side of a pixel, mm."""
        return self.width_mm / self.size[0]

    def grid(self) -> Floats:
        """(H, W, 3) mm: where each pixel's ray crosses the plane through `centre`; first row on top."""
        width, height = self.size
        x = (np.arange(width) + 0.5 - width / 2) * self.mm_per_pixel
        y = (height / 2 - np.arange(height) - 0.5) * self.mm_per_pixel
        return self.centre + x[None, :, None] * self.axes[0] + y[:, None, None] * self.axes[1]

    def points(self, pixels: ArrayLike) -> Floats:
        """(..., 2) pixel coordinates -> (..., 3) mm on the plane through `centre`: the inverse of `pixels` there."""
        p = (np.asarray(pixels, np.float64) - np.array(self.size) / 2 + 0.5) * self.mm_per_pixel
        return self.centre + p[..., :1] * self.axes[0] - p[..., 1:] * self.axes[1]

    def pixels(self, points: ArrayLike) -> Floats:
        """(..., 3) mm -> (..., 2) pixel coordinates (x to the right, y down; whole numbers are pixel centres)."""
        local = (np.asarray(points, np.float64) - self.centre) @ self.axes[:2].T / self.mm_per_pixel
        return np.stack([local[..., 0] + self.size[0] / 2 - 0.5, self.size[1] / 2 - 0.5 - local[..., 1]], axis=-1)


def looking(
    direction: ArrayLike,
    up: ArrayLike,
    centre: ArrayLike,
    width_mm: float,
    size: tuple[int, int] = (512, 512),
) -> View:
    """The view from `direction` (pointing from the surface to the viewer) with `up` upwards; neither need be unit."""
    toward = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    right: Floats = np.cross(np.asarray(up, np.float64), toward)
    if np.linalg.norm(right) < 1e-9:
        raise ScanError(f"view: the up direction {np.asarray(up).tolist()} is parallel to the viewing direction")
    right /= np.linalg.norm(right)
    return View(np.stack([right, np.cross(toward, right), toward]), np.asarray(centre, np.float64), width_mm, size)


@dataclass(frozen=True, eq=False)
class Seen:
    """What a `view` shows, a row of pixels at a time from the top; NaN (and face -1) where no surface was hit.

    `depth` (H, W) mm from the plane through the view's centre toward the viewer; `normals` (H, W, 3) unit, outward, in
    the surface's coordinates; `faces` (H, W) the triangle hit, and `shares` (H, W, 2) of its second and third corner.
    `inside` (H, W) bool: the surface's back was hit.
    """

    view: View
    depth: Floats
    normals: NDArray[np.float32]
    faces: NDArray[np.int32]
    shares: NDArray[np.float32]
    inside: NDArray[np.bool_]

    @property
    def points(self) -> Floats:
        """(H, W, 3) mm on the surface, in its coordinates."""
        return self.view.grid() + self.depth[..., None] * self.view.axes[2]


class Surface:
    """A triangle mesh made ready for rays. `vertices` (V, 3) mm, `faces` (F, 3).

    Raises `ScanError` when there is no face, which open3d would answer with made-up zeros.
    """

    def __init__(self, vertices: ArrayLike, faces: ArrayLike) -> None:
        self.vertices, self.faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
        if not len(self.faces):
            raise ScanError("surface: no faces, so nothing can be seen; mesh the points first")
        self.origin = (self.vertices.min(axis=0) + self.vertices.max(axis=0)) / 2
        self.radius = float(np.linalg.norm(self.vertices - self.origin, axis=1).max())
        self.normals = vertex_normals(self.vertices, self.faces)
        self._normals = self.normals.astype(np.float32)
        self._scene = RayScene(self.vertices, self.faces, threads=2, middle=self.origin)

    def see(self, view: View) -> Seen:
        """The surface in one view."""
        # Start outside of everything: 2 radii from the plane through the surface's middle.
        lift = 2.0 * self.radius + 1.0 - float((view.centre - self.origin) @ view.axes[2])
        start = replace(view, centre=view.centre + lift * view.axes[2]).grid()
        distance, faces, shares, facing = self._scene.cast(start, -view.axes[2])
        depth = np.where(faces >= 0, lift - distance.astype(np.float64), np.nan)
        inside = (faces >= 0) & (facing @ view.axes[2].astype(np.float32) < 0)
        normals = np.full((*faces.shape, 3), np.nan, np.float32)
        hit = np.flatnonzero(faces >= 0)
        normal = self._mixed(self._normals, faces.reshape(-1)[hit], shares.reshape(-1, 2)[hit])
        normal /= np.maximum(np.sqrt(np.einsum("nd,nd->n", normal, normal)), 1e-12)[:, None]
        normals.reshape(-1, 3)[hit] = normal
        return Seen(view, depth, normals, faces, shares, inside)

    def _mixed(self, values: NDArray, faces: NDArray[np.int32], shares: NDArray[np.float32]) -> NDArray:
        """(n, C): what the corners of triangles (n,) have of `values` (V, C), by the shares of two of them."""
        a, b, c = (np.take(values, self.faces[:, k].take(faces), axis=0) for k in range(3))
        b -= a
        c -= a
        b *= shares[:, :1]
        c *= shares[:, 1:]
        a += b
        a += c
        return a

    def distance(self, points: ArrayLike) -> Floats:
        """(N,) mm from each point (N, 3) to the closest point of the surface."""
        points = np.asarray(points, np.float64)
        return np.linalg.norm(points - self._scene.closest(points).points, axis=1)

    def interpolate(self, seen: Seen, values: ArrayLike) -> Floats:
        """Per-vertex `values` (V, C) at every pixel, (H, W, C); NaN where nothing was hit."""
        values = np.asarray(values, np.float64)
        hit = seen.faces >= 0
        out = np.full((*hit.shape, values.shape[1]), np.nan)
        out[hit] = self._mixed(values, seen.faces[hit], seen.shares[hit])
        return out


def _known(field: Floats) -> NDArray[np.bool_]:
    """(H, W): where every channel of a picture has a value."""
    channels = (field,) if field.ndim == 2 else np.moveaxis(field, -1, 0)
    return np.asarray(np.logical_and.reduce([np.isfinite(channel) for channel in channels]), np.bool_)


def _box(mask: NDArray[np.bool_], margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns of a picture that hold all of a mask, and a margin around."""
    rows, columns = (np.flatnonzero(mask.any(axis=k)) for k in (1, 0))
    if not len(rows):
        return slice(0), slice(0)
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + margin + 1),
        slice(max(int(columns[0]) - margin, 0), int(columns[-1]) + margin + 1),
    )


def smoothed(field: ArrayLike, sigma: float) -> Floats:
    """A picture (H, W[, C]) blurred by a Gaussian of `sigma` pixels over its known pixels only; NaN stays NaN."""
    field = np.asarray(field)
    known = _known(field)
    box = _box(known)  # beyond it there is nothing to add
    known = known[box]
    channels = np.where(known if field.ndim == 2 else known[..., None], field[box], 0.0)
    weight = ndimage.gaussian_filter(known.astype(np.float64), sigma, mode="constant", truncate=3.0)
    spread = (sigma, sigma, 0)[: field.ndim]  # never across channels
    total = ndimage.gaussian_filter(channels, spread, mode="constant", truncate=3.0)
    share = np.where(known, 1.0 / np.maximum(weight, 1e-9), np.nan)
    out = np.full(field.shape, np.nan)
    out[box] = total * (share if field.ndim == 2 else share[..., None])
    return out


def bridged(field: ArrayLike, sigma: float) -> Floats:
    """A picture (H, W[, C]) with the holes that a Gaussian of `sigma` pixels spans filled from their surroundings.

    Filled is where enough of the Gaussian's weight falls on known pixels: holes up to about `sigma` in radius, but next
    to nothing beyond a straight edge. A narrower Gaussian goes first, so that a hole's rim fits its border.
    """
    field = np.asarray(field, np.float64)
    known = _known(field)
    if known.all() or not known.any():
        return field.copy()
    out = field.copy()
    for width, needed in ((sigma / 2.5, 0.3), (sigma, 0.5)):
        weight = ndimage.gaussian_filter(known.astype(np.float64), width, mode="constant", truncate=3.0)
        rows, columns = np.nonzero(~known & (weight > needed) & ~_known(out))
        if len(rows) == 0:
            continue
        channels = np.where(known[..., None], field.reshape(*known.shape, -1), 0.0)
        total = ndimage.gaussian_filter(channels, (width, width, 0), mode="constant", truncate=3.0)
        out.reshape(*known.shape, -1)[rows, columns] = total[rows, columns] / weight[rows, columns, None]
    return out


def mended(seen: Seen, view: View, reach_mm: float = 6.0) -> Seen:
    """The view with small enclosed holes bridged: scanners lose lashes, brows and nostrils, and black draws the eye."""
    unknown = np.isnan(seen.depth)
    label = np.asarray(ndimage.label(unknown)[0], np.int32)  # type: ignore[index]
    enclosed = np.ones(int(label.max()) + 1, bool)
    for border in (label[0], label[-1], label[:, 0], label[:, -1]):
        enclosed[border] = False
    enclosed[0] = False
    if not enclosed.any():
        return seen
    holes = enclosed[label]
    sigma = reach_mm / view.mm_per_pixel
    box = _box(holes, int(np.ceil(3.0 * sigma)) + 1)  # beyond this the Gaussian is cut off
    field = bridged(np.concatenate([seen.depth[box][..., None], seen.normals[box]], axis=-1), sigma)
    new = holes[box] & np.isfinite(field[..., 0])
    depth, normals = seen.depth.copy(), seen.normals.copy()
    depth[box][new], normals[box][new] = field[new][:, 0], field[new][:, 1:]
    return replace(seen, depth=depth, normals=normals)


def at_pixels(field: Floats, pixels: Floats) -> Floats:
    """A picture's values (P[, C]) at pixels (P, 2), bilinear; NaN outside of the picture and beside unknown pixels."""
    height, width = field.shape[:2]
    x, y = pixels[:, 0], pixels[:, 1]
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    x, y = np.where(inside, x, 0.0), np.where(inside, y, 0.0)
    x0, y0 = np.minimum(np.floor(x).astype(int), width - 2), np.minimum(np.floor(y).astype(int), height - 2)
    u, v = ((w.reshape(-1, *[1] * (field.ndim - 2))) for w in (x - x0, y - y0))
    upper = field[y0, x0] * (1 - u) + field[y0, x0 + 1] * u
    lower = field[y0 + 1, x0] * (1 - u) + field[y0 + 1, x0 + 1] * u
    out = upper * (1 - v) + lower * v
    out[~inside] = np.nan
    return out


def lifted(pixels: Floats, seen: Seen) -> Floats:
    """(P, 3) mm: the surface points under pixels (P, 2), bilinear; NaN off the surface and on its back."""
    depth = at_pixels(seen.depth, pixels)
    out = seen.view.points(pixels) + depth[:, None] * seen.view.axes[2]
    height, width = seen.inside.shape
    x, y = np.nan_to_num(np.round(pixels)).astype(int).T
    out[seen.inside[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]] = np.nan
    return out


def blurred(seen: Seen, view: View, blur_mm: float) -> Seen:
    """The view with its normals smoothed, so that noise finer than `blur_mm` does not show when it is shaded."""
    return replace(seen, normals=smoothed(seen.normals, blur_mm / view.mm_per_pixel))


def shaded(
    seen: Seen, view: View, light: ArrayLike = (0.0, 0.0, 1.0), colors: Floats | None = None
) -> NDArray[np.uint8]:
    """A lit picture (H, W, 3) uint8 of what a view shows.

    `light`: the way to the lamp in picture axes (right, up, to the viewer), any length. `colors` (H, W, 3) 0..255, see
    `Surface.interpolate`; light grey without. Backs of surfaces come out dark: a shell seen from inside must not look
    like a face. Black where there is nothing.
    """
    lamp = np.asarray(light, np.float64) / np.linalg.norm(light)
    toward = (lamp @ view.axes).astype(seen.normals.dtype)
    normals = seen.normals.reshape(-1, 3)
    length = np.maximum(np.sqrt(np.einsum("nd,nd->n", normals, normals)), 1e-12)
    lit = np.clip(normals @ toward / length, 0.0, 1.0).reshape(seen.depth.shape)
    # A little ambient light keeps shadows readable.
    tone = np.where(np.isfinite(seen.depth), np.where(seen.inside, 0.1, 0.12 + 0.88 * np.nan_to_num(lit)), 0.0)
    if colors is None:
        return np.repeat(np.round(225.0 * tone).astype(np.uint8)[..., None], 3, axis=2)
    return np.clip(np.round(tone[..., None] * np.nan_to_num(colors)), 0, 255).astype(np.uint8)
