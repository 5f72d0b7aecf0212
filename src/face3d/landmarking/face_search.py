"""Finding the face: a sphere of coarse views, then looked at again from the front until the frame stays."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import OutputError
from face3d.geometry.views import Seen, Surface, View, blurred, lifted, looking, mended, shaded
from face3d.landmarking.face_landmarker import Detector, model_facts
from face3d.scan import Floats
from face3d.values import locked

_FACE_WIDTH_MM = 260.0  # a face with some forehead, chin and air around it, as the detector was trained to see
_COARSE_PIXELS = 256  # the network inside looks at 256 x 256 of the face's surroundings
_SETTLING_PIXELS = 192  # filled by the face
_BACKS_PIXELS = 64
# Mean change of the normals' coordinates. Balls and boxes 0.002 to 0.009; smooth faces 0.015 and more, real ones 0.02.
_SAME = 0.01
LIGHT = (0.0, 0.5, 1.0)  # from in front and above: the light of photographs; straight on, brows and lids go flat
_BLUR_MM = 1.0  # scanner noise and triangle edges are finer than this, what a detector looks at is coarser
_NOISY_BLUR_MM = 2.5  # where no face is found: depth cameras make waves as wide as lips
# A face half or double the canonical one is not in millimetres; so many of these are looked at again.
_SMALLEST, _LARGEST, _ODD = 0.5, 2.0, 4
# No face is smaller, however it is cropped; a scan in another unit is, and blurring it by millimetres takes minutes.
LEAST_MM = 60.0


@functools.cache
def directions() -> Floats:
    """42 viewing directions about 33 degrees apart (an icosahedron's corners and edge middles), +z first."""
    g = (1 + 5**0.5) / 2
    corners = np.array([(a, b * g, 0) for a in (-1, 1) for b in (-1, 1)], np.float64)
    corners = np.concatenate([np.roll(corners, k, axis=1) for k in range(3)])
    corners /= np.linalg.norm(corners[0])
    near = [(i, j) for i in range(12) for j in range(i) if corners[i] @ corners[j] > 0.4]
    middles = np.array([corners[i] + corners[j] for i, j in near])
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    every = np.concatenate([corners, middles])
    return locked(every)


def coarse_views(surface: Surface, among: Floats | None = None, pixels: int = _COARSE_PIXELS) -> Iterator[View]:
    """Views of the whole object: the likeliest first (a file's +z, then where the surface as a whole faces), then from
    all directions, or those `among` (N, 3)."""
    # Percentiles, because a few points far away would make the face small.
    low, high = np.percentile(surface.vertices, [1, 99], axis=0)
    middle = (low + high) / 2
    width = 2.1 * float(np.percentile(np.linalg.norm(surface.vertices - middle, axis=1), 99))
    facing = surface.normals.sum(axis=0)
    length = np.linalg.norm(facing)
    likely = [np.array([0.0, 0.0, 1.0])]
    if length > 0.05 * len(surface.normals):  # a closed surface faces nowhere
        likely.append(facing / length)
    among = directions() if among is None else among
    order = np.argsort(-np.max(among @ np.array(likely).T, axis=1), kind="stable")
    for direction in [*likely, *among[order]]:
        up = np.eye(3)[1] if abs(direction[1]) < 0.9 else np.eye(3)[2]
        yield looking(direction, up, middle, width, (pixels, pixels))


def find_face(
    detector: Detector,
    surface: Surface,
    views: Iterable[View] | None = None,
    rolls: int = 4,
    odd: list[Floats] | None = None,
) -> tuple[RigidTransform | None, float]:
    """Scan coordinates -> head frame of the first face that holds when looked at again, or None, and the blur (mm) with
    which it was seen. `views`: where from, `coarse_views` if not given; each is turned by quarters, `rolls` of them.
    The 478 points of what looks like a face, but not in millimetres, are appended to `odd`."""
    odd = [] if odd is None else odd
    if np.ptp(surface.vertices, axis=0).max() < LEAST_MM:
        return None, _BLUR_MM
    for view in coarse_views(surface) if views is None else views:
        seen = mended(surface.see(view), view)
        if not (np.isfinite(seen.depth) & ~seen.inside).any():  # backs only: what is found on them cannot be lifted
            continue
        sharp = blurred(seen, view, _BLUR_MM)
        for blur in (_BLUR_MM, _NOISY_BLUR_MM):
            look = sharp if blur == _BLUR_MM else blurred(seen, view, blur)
            if look is not sharp and _alike(sharp, look):
                break
            for points in _candidates(detector, look, view, rolls):
                to_head = settle(detector, surface, points, blur, odd)
                if to_head is not None:
                    return to_head, blur
    return None, _BLUR_MM


def _alike(sharp: Seen, soft: Seen) -> bool:
    """Whether more blur changes nothing to speak of, as on a ball or a table: it need not be looked at again."""
    change = np.abs(sharp.normals - soft.normals)
    known = np.isfinite(change)
    return bool(change[known].sum() < _SAME * known.sum())


def shows_backs(surface: Surface) -> bool:
    """Whether anything but the outside of a surface is seen from anywhere."""
    return any(surface.see(view).inside.any() for view in coarse_views(surface, pixels=_BACKS_PIXELS))


def _candidates(detector: Detector, seen: Seen, view: View, rolls: int) -> Iterator[Floats]:
    """The 478 points (mm) wherever the detector sees a face, the view turned by quarters."""
    for quarters in range(rolls):
        # The light comes from above in the picture as it is shown: lit from below a face is hardly seen as one.
        light = Rotation.from_euler("z", -90 * quarters, degrees=True).apply(LIGHT)
        turned = np.rot90(shaded(seen, view, light), quarters)
        pixels = detector.pixels(turned)
        if pixels is not None:
            yield lifted(_unturned(pixels, quarters, turned.shape[0]), seen)


def _unturned(pixels: Floats, quarters: int, size: int) -> Floats:
    """Pixels in a square picture turned by `np.rot90(picture, quarters)` -> pixels in the picture itself."""
    x, y = pixels[:, 0], pixels[:, 1]
    for _ in range(quarters):
        x, y = size - 1 - y, x  # rot90 puts (x, y) at (y, size - 1 - x); this is its inverse
    return np.stack([x, y], axis=1)


def true_size(detector: Detector, surface: Surface, odd: list[Floats]) -> float | None:
    """How many times as large as an adult's face the one is of which `find_face` saw the points `odd`; None if it does
    not hold when it is looked at in a person's size."""
    for points in odd[:_ODD]:
        laid = _laid(points)
        if laid is not None:
            size = laid[1]
            to_scale = Surface(surface.vertices / size, surface.faces)
            if settle(detector, to_scale, points / size, _BLUR_MM, []) is not None:
                return size
    return None


def _head_frame(points: Floats, odd: list[Floats]) -> RigidTransform | None:
    """Scan coordinates -> head frame, or None if not a face in millimetres; one in another size goes to `odd`."""
    laid = _laid(points)
    if laid is not None and _SMALLEST < laid[1] < _LARGEST:
        return laid[0]
    if laid is not None:
        odd.append(points)
    return None


def _laid(points: Floats) -> tuple[RigidTransform, float] | None:
    """Scan coordinates -> head frame by the canonical face (similarity, re-weighted), and the face's size over that
    one's; None if not a face."""
    canonical = model_facts()[1]
    known = np.isfinite(points[:468]).all(axis=1)
    if known.sum() < 150:
        return None
    a, b = points[:468][known], canonical[known]
    weight = np.ones(len(a))
    turn, origin = Rotation.identity(), np.zeros(3)
    for _ in range(5):
        total = weight.sum()
        ca, cb = weight @ a / total, weight @ b / total
        turn = Rotation.align_vectors(b - cb, a - ca, weights=weight)[0]
        moved = turn.apply(a - ca)
        scale = float((weight @ (moved * (b - cb)).sum(axis=1)) / (weight @ ((a - ca) ** 2).sum(axis=1)))
        if not 0.0 < scale < np.inf:
            return None
        error = np.linalg.norm(scale * moved - (b - cb), axis=1)
        weight = 1.0 / (1.0 + (error / 5.0) ** 2)
        eyes = canonical[[133, 362]].mean(axis=0) * [0, 1, 1]  # the head frame's origin: between the inner corners
        origin = ca + turn.inv().apply((eyes - cb) / scale)
    if np.median(error) > 10.0:  # a seen face lies 2-5 mm from the canonical one
        return None
    return RigidTransform.from_components(-turn.apply(origin), turn), 1.0 / scale


def _is_face(points: Floats, to_head: RigidTransform) -> bool:
    """Whether the points stand out to the front where a face does; a shell seen from behind is hollow instead."""
    canonical = model_facts()[1]
    known = np.isfinite(points[:468]).all(axis=1)
    out, expected = to_head.apply(points[:468][known])[:, 2], canonical[known][:, 2]
    return bool(np.corrcoef(out, expected)[0, 1] > 0.7)  # 0.9 and more on faces


def head_view(to_head: RigidTransform, yaw: float, pitch: float, pixels: int) -> View:
    """The face as a photographer sees it: camera `yaw` degrees round to the subject's left, `pitch` up."""
    turn = to_head.rotation.inv() * Rotation.from_euler("YX", [yaw, -pitch], degrees=True)
    centre = to_head.inv().apply([0.0, -25.0, 10.0])  # the face's middle lies below and before the eyes
    return View(turn.as_matrix().T, centre, _FACE_WIDTH_MM, (pixels, pixels))


def settle(
    detector: Detector, surface: Surface, points: Floats, blur_mm: float, odd: list[Floats]
) -> RigidTransform | None:
    """Looks again from the front until the frame stays; None when that is no face. `odd` as in `find_face`."""
    to_head = _head_frame(points, odd)
    for _ in range(6):
        if to_head is None or not _is_face(points, to_head):
            return None
        view = head_view(to_head, 0, 0, _SETTLING_PIXELS)
        seen = mended(surface.see(view), view)
        picture = shaded(blurred(seen, view, blur_mm), view, LIGHT)
        both = [p for p in (detector.pixels(picture, flipped) for flipped in (False, True)) if p is not None]
        if not both:
            return None
        points = lifted(np.mean(both, axis=0), seen)
        new = _head_frame(points, odd)
        if new is None:
            return None
        change = new * to_head.inv()
        to_head = new
        if np.degrees(change.rotation.magnitude()) < 0.3 and np.linalg.norm(change.translation) < 0.5:
            break
    return to_head


def contact_sheet(surface: Surface, path: Path) -> None:
    """All coarse views in one picture, a PNG at `path`."""
    from PIL import Image

    tiles = []
    for view in coarse_views(surface):
        tiles.append(shaded(surface.see(view), view, LIGHT)[::2, ::2])
    columns = 8
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % columns)
    sheet = np.concatenate([np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)])
    whole = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet).save(whole, format="png")
        whole.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: the picture of the views could not be written ({error})") from error
