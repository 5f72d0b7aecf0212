"""Automatic landmarks: MediaPipe's face landmarker on shaded views of the scan, voted over views in 3D.

A sphere of coarse views finds the face whatever its pose; from there everything is seen again in the head's own frame,
so that the result does not depend on how the scan lay. Each view is also shown mirrored: the detector's left-right
bias cancels.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import LandmarkError, ScanError
from face3d.geometry.views import Seen, Surface, View, blurred, lifted, looking, mended, shaded
from face3d.landmarking.face_landmarker import Detector, model_facts
from face3d.landmarking.half_face import foremost, marked, settled
from face3d.landmarking.pose import head_frame
from face3d.scan import FaceScan, Floats, locked

POINTS = 478

#: Named landmark -> indices of the 478 whose mean stands for it; sides are the subject's own.
_MIDLINE_INDICES: Mapping[str, tuple[int, ...]] = {
    "g": (9,), "n": (168,), "prn": (4,), "c": (19,), "sn": (2,), "ls": (0,), "sto": (13, 14), "li": (17,),
    "sl": (18, 200), "pg": (199,), "gn": (152,),
}  # fmt: skip
_RIGHT_INDICES: Mapping[str, tuple[int, ...]] = {
    "en": (133,), "ex": (33,), "ps": (159,), "pi": (145,), "mb": (55, 107), "sci": (105,), "lb": (46, 70),
    "al": (64,), "ac": (129,), "ch": (61,), "cph": (37,),
}  # fmt: skip

#: Views that vote, degrees (yaw to the subject's left, pitch up), in the head's frame.
# Beyond 45 degrees the detector's far side is guessed; within it every landmark is seen well by at least four views.
_VOTING = ((0, 0), (-20, 0), (20, 0), (-40, 0), (40, 0), (0, 15), (0, -15), (-20, -10), (20, -10))

_FACE_WIDTH_MM = 260.0  # a face with some forehead, chin and air around it, as the detector was trained to see
_COARSE_PIXELS, _FINE_PIXELS = 256, 320  # the network inside looks at 256 x 256 of the face's surroundings
_LIGHT = (0.0, 0.5, 1.0)  # from in front and above: the light of photographs; straight on, brows and lids go flat
_BLUR_MM = 1.0  # scanner noise and triangle edges are finer than this, what a detector looks at is coarser
# No face is smaller, however it is cropped; a scan in another unit is, and blurring it by millimetres takes minutes.
_LEAST_MM = 60.0
_NOISY_BLUR_MM = 2.5  # where no face is found: depth cameras make waves as wide as lips


@dataclass(frozen=True, eq=False)
class Detection:
    """Landmarks found on a scan, in its own coordinates (mm).

    `landmarks` name -> (3,); `confidence` name -> 0..1 (agreement of the views, and how frontally the point was seen);
    `dense` (478, 3) MediaPipe's points on the surface, NaN where unseen, `dense_confidence` (478,) 0..1;
    `to_head` scan coordinates -> rough head frame (the detector's; not the symmetry plane);
    `views`: how many views found the face; `notes`: what a reader of the result should know.
    """

    landmarks: Mapping[str, Floats]
    confidence: Mapping[str, float]
    dense: Floats
    dense_confidence: Floats
    to_head: RigidTransform
    views: int
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "landmarks", MappingProxyType({k: locked(v) for k, v in self.landmarks.items()}))
        object.__setattr__(self, "confidence", MappingProxyType(dict(self.confidence)))
        object.__setattr__(self, "dense", locked(self.dense))
        object.__setattr__(self, "dense_confidence", locked(self.dense_confidence))


def detect_landmarks(scan: FaceScan, debug_picture: Path | None = None) -> Detection:
    """The landmarks of one face scan, whatever its pose, textured or not; a point cloud is meshed for this.

    Landmarks that the scan already carries are kept exactly, with confidence 1. Raises `LandmarkError` when no face
    is found; the error names a picture of all views tried (`debug_picture`, else in the temporary folder).
    """
    notes: list[str] = []
    surface = surface_of(scan, notes)
    with Detector() as detector:
        to_head, blur = _find(detector, surface)
        if to_head is None:  # wound the wrong way round, its outside looks like an inside
            turned = Surface(surface.vertices, surface.faces[:, ::-1])
            to_head, blur = _find(detector, turned)
            if to_head is not None:
                surface = turned
                if len(scan.faces):
                    notes.append("the faces are wound clockwise seen from outside: turned round to look for landmarks")
        if to_head is None and len(scan.landmarks) >= 4:
            to_head = head_frame(scan.landmarks)
            notes.append("the detector found no face; the view was set by the landmarks given by hand")
        if to_head is None:
            path = _contact_sheet(surface, debug_picture)
            raise LandmarkError(
                f"{scan.name}: no face found from {len(_directions()) + 2} directions at 4 rolls each "
                f"(V = {len(scan.vertices)}, extent {_extent(scan)} mm). The views are in {path}: if there is a face "
                f"and the units are right, give landmarks by hand (--landmarks FILE; at least en_left, en_right, "
                f"ch_left, ch_right and prn)"
            )
        count, points, trust = _vote(detector, surface, to_head, blur)
    landmarks, confidence = named(points, trust)
    precise = settled(marked(surface, to_head, face_scale(points), landmarks), landmarks)
    landmarks.update(precise.points)
    confidence.update(precise.confidence)
    if "prn" in landmarks and (tip := foremost(surface, head_frame(landmarks), landmarks["prn"])) is not None:
        # Two degrees of pitch move it by a third of a millimetre: good, but not like the corner of an eye.
        landmarks["prn"], confidence["prn"] = tip, 0.8
    for name, point in scan.landmarks.items():
        landmarks[name], confidence[name] = np.asarray(point), 1.0
    if scan.landmarks:
        notes.append(f"given by hand and kept: {', '.join(sorted(scan.landmarks))}; the others were detected")
    return Detection(landmarks, confidence, points, trust, to_head, count, tuple(notes))


def face_scale(points: Floats) -> float:
    """The face's size over the average one's, from MediaPipe's 478 points (mm); 1 where they are not known."""
    canonical = model_facts()[1]
    known = np.isfinite(points[:468]).all(axis=1)
    if known.sum() < 10:
        return 1.0
    a, b = points[:468][known], canonical[known]
    return float(np.sqrt(((a - a.mean(axis=0)) ** 2).sum() / ((b - b.mean(axis=0)) ** 2).sum()))


def named(points: Floats, trust: Floats) -> tuple[dict[str, Floats], dict[str, float]]:
    """The named landmarks that the 478 points carry, and their confidence; names not seen are absent."""
    mirror = model_facts()[0]
    indices = dict(_MIDLINE_INDICES)
    for code, right in _RIGHT_INDICES.items():
        indices[f"{code}_right"] = right
        indices[f"{code}_left"] = tuple(int(mirror[i]) for i in right)
    landmarks: dict[str, Floats] = {}
    confidence: dict[str, float] = {}
    for name, index in indices.items():
        chosen = points[list(index)]
        if np.isfinite(chosen).all():
            landmarks[name], confidence[name] = chosen.mean(axis=0), float(trust[list(index)].min())
    return landmarks, confidence


def surface_of(scan: FaceScan, notes: list[str]) -> Surface:
    """The scan's surface, or one meshed through a point cloud; what was done is appended to `notes`."""
    if len(scan.faces):
        return Surface(scan.vertices, scan.faces)
    import open3d as o3d

    if len(scan.vertices) < 500:
        raise LandmarkError(
            f"{scan.name}: a point cloud of {len(scan.vertices)} points is too sparse to show a face (500 needed); "
            "give landmarks by hand (--landmarks FILE)"
        )
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(scan.vertices.copy()))
    # 20k points give about 2 mm spacing on a face: finer only costs time, the detector sees no more.
    if len(scan.vertices) > 20000:
        cloud = cloud.farthest_point_down_sample(20000) if len(scan.vertices) < 60000 else _thinned(cloud)
    cloud.estimate_normals(o3d.geometry.KDTreeSearchParamKNN(20))
    cloud.orient_normals_consistent_tangent_plane(12)
    mesh, density = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(cloud, depth=8, n_threads=1)
    mesh.remove_vertices_by_mask(np.asarray(density) < np.quantile(np.asarray(density), 0.05))
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.triangles)
    from scipy.spatial import KDTree

    near = KDTree(np.asarray(cloud.points)).query(vertices, distance_upper_bound=8.0)[0] < 8.0
    faces = faces[near[faces].all(axis=1)]
    if not len(faces):
        raise LandmarkError(f"{scan.name}: the point cloud could not be meshed; give landmarks by hand")
    notes.append(f"point cloud: meshed from {len(cloud.points)} of its points to look for landmarks")
    return Surface(vertices, faces)


def _thinned(cloud: Any) -> Any:
    points = np.asarray(cloud.points)
    size = float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))
    return cloud.voxel_down_sample(size / 150.0)


def _extent(scan: FaceScan) -> str:
    return " x ".join(f"{d:.0f}" for d in np.ptp(scan.vertices, axis=0))


# --- finding the face -------------------------------------------------------------------------------------------------


@functools.cache
def _directions() -> Floats:
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


def _coarse_views(surface: Surface) -> Iterator[View]:
    """Views of the whole object: the likeliest first (a file's +z, then where the surface as a whole faces)."""
    # Percentiles, because a few points far away would make the face small.
    low, high = np.percentile(surface.vertices, [1, 99], axis=0)
    middle = (low + high) / 2
    width = 2.1 * float(np.percentile(np.linalg.norm(surface.vertices - middle, axis=1), 99))
    facing = surface.normals.sum(axis=0)
    length = np.linalg.norm(facing)
    likely = [np.array([0.0, 0.0, 1.0])]
    if length > 0.05 * len(surface.normals):  # a closed surface faces nowhere
        likely.append(facing / length)
    order = np.argsort(-np.max(_directions() @ np.array(likely).T, axis=1), kind="stable")
    for direction in [*likely, *_directions()[order]]:
        up = np.eye(3)[1] if abs(direction[1]) < 0.9 else np.eye(3)[2]
        yield looking(direction, up, middle, width, (_COARSE_PIXELS, _COARSE_PIXELS))


def _find(detector: Detector, surface: Surface) -> tuple[RigidTransform | None, float]:
    """Scan coordinates -> head frame of the first face that holds when looked at again, or None, and the blur (mm) with
    which it was seen."""
    if np.ptp(surface.vertices, axis=0).max() < _LEAST_MM:
        return None, _BLUR_MM
    for view in _coarse_views(surface):
        seen = mended(surface.see(view), view)
        if not (np.isfinite(seen.depth) & ~seen.inside).any():  # backs only: what is found on them cannot be lifted
            continue
        for blur in (_BLUR_MM, _NOISY_BLUR_MM):
            for points in _candidates(detector, blurred(seen, view, blur), view):
                to_head = _settle(detector, surface, points, blur)
                if to_head is not None:
                    return to_head, blur
    return None, _BLUR_MM


def _candidates(detector: Detector, seen: Seen, view: View) -> Iterator[Floats]:
    """The 478 points (mm) wherever the detector sees a face, the view turned by quarters."""
    for quarters in range(4):
        # The light comes from above in the picture as it is shown: lit from below a face is hardly seen as one.
        light = Rotation.from_euler("z", -90 * quarters, degrees=True).apply(_LIGHT)
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


def _head_frame(points: Floats) -> RigidTransform | None:
    """Scan coordinates -> head frame by the canonical face (similarity, twice re-weighted), or None if not a face."""
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
        if not 0.5 < scale < 2.0:  # a face half or double the canonical one is not in millimetres
            return None
        error = np.linalg.norm(scale * moved - (b - cb), axis=1)
        weight = 1.0 / (1.0 + (error / 5.0) ** 2)
        eyes = canonical[[133, 362]].mean(axis=0) * [0, 1, 1]  # the head frame's origin: between the inner corners
        origin = ca + turn.inv().apply((eyes - cb) / scale)
    if np.median(error) > 10.0:  # a seen face lies 2-5 mm from the canonical one
        return None
    return RigidTransform.from_components(-turn.apply(origin), turn)


def _is_face(points: Floats, to_head: RigidTransform) -> bool:
    """Whether the points stand out to the front where a face does; a shell seen from behind is hollow instead."""
    canonical = model_facts()[1]
    known = np.isfinite(points[:468]).all(axis=1)
    out, expected = to_head.apply(points[:468][known])[:, 2], canonical[known][:, 2]
    return bool(np.corrcoef(out, expected)[0, 1] > 0.7)  # 0.9 and more on faces


def _head_view(to_head: RigidTransform, yaw: float, pitch: float, pixels: int) -> View:
    """The face as a photographer sees it: camera `yaw` degrees round to the subject's left, `pitch` up."""
    turn = to_head.rotation.inv() * Rotation.from_euler("YX", [yaw, -pitch], degrees=True)
    centre = to_head.inv().apply([0.0, -25.0, 10.0])  # the face's middle lies below and before the eyes
    return View(turn.as_matrix().T, centre, _FACE_WIDTH_MM, (pixels, pixels))


def _settle(detector: Detector, surface: Surface, points: Floats, blur_mm: float) -> RigidTransform | None:
    """Looks again from the front until the frame stays; None when that is no face."""
    to_head = _head_frame(points)
    for _ in range(6):
        if to_head is None or not _is_face(points, to_head):
            return None
        view = _head_view(to_head, 0, 0, _COARSE_PIXELS)
        seen = mended(surface.see(view), view)
        picture = shaded(blurred(seen, view, blur_mm), view, _LIGHT)
        both = [p for p in (detector.pixels(picture, flipped) for flipped in (False, True)) if p is not None]
        if not both:
            return None
        points = lifted(np.mean(both, axis=0), seen)
        new = _head_frame(points)
        if new is None:
            return None
        change = new * to_head.inv()
        to_head = new
        if np.degrees(change.rotation.magnitude()) < 0.3 and np.linalg.norm(change.translation) < 0.5:
            break
    return to_head


def _vote(
    detector: Detector, surface: Surface, to_head: RigidTransform, blur_mm: float
) -> tuple[int, Floats, Floats]:  # fmt: skip
    """Every voting view's points, and their weighted median in the head frame."""
    votes, weights, count = [], [], 0
    for yaw, pitch in _VOTING:
        view = _head_view(to_head, yaw, pitch, _FINE_PIXELS)
        seen = mended(surface.see(view), view)
        picture = shaded(blurred(seen, view, blur_mm), view, _LIGHT)
        for flipped in (False, True):
            pixels = detector.pixels(picture, flipped)
            if pixels is None:
                continue
            count += 1
            points = lifted(pixels, seen)
            facing = _facing(pixels, seen, view)
            votes.append(to_head.apply(points))
            weights.append(np.where(np.isfinite(points).all(axis=1), np.clip(facing, 0.0, 1.0) ** 2, 0.0))
    if not votes:
        return 0, np.full((POINTS, 3), np.nan), np.zeros(POINTS)
    stack, weight = np.array(votes), np.array(weights)
    centre = _weighted_median(stack, weight)
    spread = _weighted_median(np.linalg.norm(stack - centre, axis=-1)[..., None], weight)[:, 0]
    share = weight.sum(axis=0) / len(_VOTING) / 2
    # 2 mm between views is what the detector does on a clear feature; half the confidence at that.
    trust = np.where(np.isfinite(spread), np.minimum(1.0, 2.0 * share) / (1.0 + (spread / 2.0) ** 2), 0.0)
    points = to_head.inv().apply(np.where(np.isfinite(centre), centre, 0.0))
    points[~np.isfinite(centre).all(axis=1)] = np.nan
    return count, points, trust


def _facing(pixels: Floats, seen: Seen, view: View) -> Floats:
    """(478,) cosine between the surface and the way to the viewer at each pixel; 0 off the surface."""
    x = np.clip(np.round(pixels[:, 0]), 0, view.size[0] - 1).astype(int)
    y = np.clip(np.round(pixels[:, 1]), 0, view.size[1] - 1).astype(int)
    return np.nan_to_num(seen.normals[y, x] @ view.axes[2])


def _weighted_median(values: Floats, weights: Floats) -> Floats:
    """(N, P, C) with weights (N, P) -> (P, C), NaN where no weight; halfway between the two middle values."""
    out = np.full(values.shape[1:], np.nan)
    for channel in range(values.shape[2]):
        v = np.where(weights > 0, values[..., channel], np.inf)
        order = np.argsort(v, axis=0, kind="stable")
        ranked, w = np.take_along_axis(v, order, 0), np.take_along_axis(weights, order, 0)
        cumulated = np.cumsum(w, axis=0) - w / 2  # each value in the middle of its weight, straight lines between
        half = w.sum(axis=0) / 2
        for p in np.flatnonzero(half > 0):
            known = w[:, p] > 0
            out[p, channel] = np.interp(half[p], cumulated[known, p], ranked[known, p])
    return out


def _contact_sheet(surface: Surface, path: Path | None) -> Path:
    """All coarse views in one picture."""
    from PIL import Image

    tiles = []
    for view in _coarse_views(surface):
        tiles.append(shaded(surface.see(view), view, _LIGHT)[::2, ::2])
    columns = 8
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % columns)
    sheet = np.concatenate([np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)])
    if path is None:
        handle, name = tempfile.mkstemp(prefix="face3d-views-", suffix=".png")
        os.close(handle)
        path = Path(name)
    try:
        Image.fromarray(sheet).save(path)
    except OSError as error:
        raise ScanError(f"{path}: the picture of the views could not be written ({error})") from error
    return path
