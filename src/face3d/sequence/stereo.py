"""Pictures of calibrated pairs of cameras to one surface (passive stereophotogrammetry)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, KDTree, QhullError
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import ScanError, SchemaError
from face3d.extras import require
from face3d.io.calibration import Calibration
from face3d.io.picture import PICTURES, read_picture
from face3d.io.write import write_bytes, write_scan
from face3d.landmarking.face_landmarker import Detector
from face3d.scan import FaceScan, Floats
from face3d.sequence.matching import match
from face3d.sequence.rectify import Rectified, meeting_point, triangulated
from face3d.sequence.volume import Volume
from face3d.values import Value

#: The face is looked for on pictures of this height, pixels; MediaPipe scales to a few hundred itself.
_LOOK_AT = 900
#: MediaPipe's points miss each other by some millimetres where the calibration is right: it guesses what is hidden.
_MISS_MM = 15.0
#: About the face's middle this is shown, mm; before and behind its points skin is looked for.
_REACH_MM, _BEFORE_MM, _BEHIND_MM = 150.0, 40.0, 110.0
#: The points end at hairline, jaw and before the ears: the outline is drawn that much larger, for temples and neck.
_OUTLINE = 1.6
#: Without a face, what the cameras look at is searched that far before and behind, mm.
_WIDE_MM = 200.0
#: A depth whose standard deviation, as least squares has it, is beyond this says nothing, mm.
_UNSURE_MM = 0.8
#: Views under a smaller angle than this between skin's normal and the line of sight are stretched over few pixels.
_GRAZING = np.cos(np.radians(78.0))
#: Edge of the surface's cubes, mm: a little more than a pixel's width on the skin.
_CUBE_PIXELS, _CUBE_MM = 1.6, (0.5, 2.0)
#: Pods that contradict each other by more, mm (median where they overlap), were moved since they were calibrated.
_PODS_APART_MM = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class PodView(Value):
    """What one pod saw: `depth_mm` (H, W) in its rectified left camera, NaN where nothing; its `color` (H, W, 3);
    `sd_mm` (H, W) of the depth as least squares has it."""

    rectified: Rectified
    depth_mm: NDArray[np.float32]
    sd_mm: NDArray[np.float32]
    color: NDArray[np.uint8]


@dataclass(frozen=True, eq=False, repr=False)
class Reconstruction(Value):
    """`scan` mm, colours a vertex, +y up and +z towards the first pod, with `values["sd_mm"]` the standard deviation of
    each vertex by its best view, of camera noise alone (a lower bound); `pose` rig -> scan; `cube_mm` edge of the cubes
    that the surface was made in; `pods_apart_mm` median distance of the pods' surfaces where they overlap
    (NaN for one pod, or without overlap); `notes`."""

    scan: FaceScan
    pose: RigidTransform
    cube_mm: float
    pods: tuple[tuple[str, str], ...]
    calibration_px: float
    pods_apart_mm: float
    notes: tuple[str, ...]

    def facts(self) -> dict[str, object]:
        """What was done, for a JSON file."""
        sd = self.scan.values["sd_mm"]
        return {
            "vertices": len(self.scan.vertices),
            "pods": [list(pod) for pod in self.pods],
            "rig_to_scan": self.pose.as_matrix().tolist(),
            "cube_mm": self.cube_mm,
            "sd_mm": {"median": float(np.nanmedian(sd)), "p95": float(np.nanpercentile(sd, 95))},
            "pods_apart_mm": None if np.isnan(self.pods_apart_mm) else self.pods_apart_mm,
            "calibration_reprojection_px": None if np.isnan(self.calibration_px) else self.calibration_px,
            "notes": list(self.notes),
        }

    def write(self, folder: str | Path) -> None:
        """`reconstruction.ply` (colours, and `sd_mm` at each vertex) and `reconstruction.json` into `folder`."""
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        write_scan(place / "reconstruction.ply", self.scan, self.scan.values)
        write_bytes(place / "reconstruction.json", (json.dumps(self.facts(), indent=1) + "\n").encode())


def reconstruct(
    pictures: Mapping[str, NDArray[np.uint8]], calibration: Calibration, name: str = "reconstruction"
) -> Reconstruction:
    """The face that all cameras of `calibration` saw at one instant: `pictures` camera -> (H, W, 3) uint8.

    Each pod is rectified, matched (`sequence.matching`) and masked by the face that MediaPipe finds in its pictures;
    all pods become one surface with holes where none saw anything. Raises `ScanError` for pictures that are missing,
    empty or not of the calibrated size, or that show no surface; `SchemaError` where they contradict the calibration.
    """
    _check(pictures, calibration)
    notes: list[str] = []
    marks = _face_points(pictures)
    views = []
    for pod in calibration.pods:
        view = _pod(pod, pictures, calibration, marks, notes)
        if view is not None:
            views.append(view)
    if not views:
        raise ScanError(f"{name}: {'; '.join(notes) or 'no pod saw a surface'}")
    pixel = float(np.median([np.nanmedian(v.depth_mm) / v.rectified.focal for v in views]))
    cube = float(np.clip(_CUBE_PIXELS * pixel, *_CUBE_MM))
    # Head up, face forward, as face3d has it: a camera's frame turned half about x.
    upright = RigidTransform.from_rotation(Rotation.from_euler("x", 180, degrees=True)) * views[0].rectified.pose
    volume = Volume(cube, colored=True)
    for view in views:
        volume.add(view.depth_mm, view.rectified.matrix, view.rectified.pose * upright.inv(), view.color)
    scan = volume.surface(name)
    apart = _apart(views)
    if apart > _PODS_APART_MM:
        notes.append(
            f"the pods' surfaces lie {apart:.2f} mm apart where they overlap (median; at most {_PODS_APART_MM:g} mm "
            "expected): a camera was moved or the head was; calibrate again, and trigger all cameras at once"
        )
    sd = _spread(scan, views, upright)
    scan = scan.replace(values={"sd_mm": sd}, notes=tuple(notes))
    pods = calibration.pods
    return Reconstruction(scan, upright, cube, pods, calibration.reprojection_px, apart, tuple(notes))


def read_pictures(paths: Sequence[Path], calibration: Calibration) -> dict[str, NDArray[np.uint8]]:
    """Camera -> picture, of files in the order of the calibration's pods, or of one folder that holds a picture named
    like each camera. Raises `ScanError` when they are not as many as the cameras, or one cannot be read."""
    names = [name for pod in calibration.pods for name in pod]
    if len(paths) == 1 and paths[0].is_dir():
        files = {f.stem: f for f in sorted(paths[0].iterdir()) if f.suffix.lower() in PICTURES}
        lacking = [name for name in names if name not in files]
        if lacking:
            raise ScanError(
                f"{paths[0]}: there is no picture called {lacking[0]}.png (or .jpg, .tif, .bmp); a folder holds one "
                f"named like each camera of the calibration: {', '.join(names)}"
            )
        return {name: read_picture(files[name]) for name in names}
    if len(paths) != len(names):
        raise ScanError(
            f"{len(paths)} picture{'' if len(paths) == 1 else 's'} for a calibration of {len(names)} cameras; give one "
            f"of each, in this order: {', '.join(names)}"
        )
    return {name: read_picture(path) for name, path in zip(names, paths, strict=True)}


def _check(pictures: Mapping[str, NDArray[np.uint8]], calibration: Calibration) -> None:
    for name in dict.fromkeys(name for pod in calibration.pods for name in pod):
        if name not in pictures:
            raise ScanError(
                f"there is no picture of camera {name!r}; the calibration has {', '.join(calibration.cameras)}"
            )
        shape, camera = pictures[name].shape, calibration.cameras[name]
        if len(shape) != 3 or shape[2] != 3:
            raise ScanError(f"camera {name!r}: its picture has shape {shape}; expected (H, W, 3)")
        if shape[:2] != (camera.height, camera.width):
            raise ScanError(
                f"camera {name!r}: its picture is {shape[1]} x {shape[0]} pixels, it was calibrated with "
                f"{camera.width} x {camera.height}; take both at the same setting, uncropped, or calibrate again"
            )
        if float(pictures[name].std()) < 1.0:
            raise ScanError(f"camera {name!r}: its picture is empty (all pixels alike); was the lens covered?")


def _face_points(pictures: Mapping[str, NDArray[np.uint8]]) -> dict[str, Floats]:
    """Camera -> (478, 2) pixels of the face in its picture, where MediaPipe finds one."""
    cv2 = require("cv2")
    found = {}
    with Detector() as detector:
        for name, picture in pictures.items():
            small = min(1.0, _LOOK_AT / picture.shape[0])
            points = detector.pixels(cv2.resize(picture, None, fx=small, fy=small, interpolation=cv2.INTER_AREA))
            if points is not None:
                found[name] = (points + 0.5) / small - 0.5
    return found


def _pod(
    pod: tuple[str, str],
    pictures: Mapping[str, NDArray[np.uint8]],
    calibration: Calibration,
    marks: Mapping[str, Floats],
    notes: list[str],
) -> PodView | None:
    first, second = (calibration.cameras[name] for name in pod)
    said = " and ".join(pod)
    if set(pod) <= marks.keys():
        points, miss = triangulated(first, second, marks[pod[0]], marks[pod[1]])
        off = float(np.median(miss))
        if not np.isfinite(points).all(axis=1).mean() > 0.5 or off > _MISS_MM:
            raise SchemaError(
                f"cameras {said}: the face's points in their pictures miss each other by {off:.1f} mm (at most "
                f"{_MISS_MM:g} mm); these pictures were not taken with this calibration, or the cameras are exchanged"
            )
        target = np.nanmedian(points, axis=0)
        rectified = Rectified.of(first, second, target, _REACH_MM)
        seen = rectified.pose.apply(points)
        near, far = float(np.nanmin(seen[:, 2])) - _BEFORE_MM, float(np.nanmax(seen[:, 2])) + _BEHIND_MM
        inside = _mask(rectified, seen)
    else:
        target, angle = meeting_point((first, second))
        if angle < 1.0:
            notes.append(f"cameras {said}: no face was found in their pictures, and they look in parallel: left out")
            return None
        notes.append(f"cameras {said}: no face was found in their pictures: all that they look at was measured")
        rectified = Rectified.of(first, second, target, _REACH_MM)
        middle = float(rectified.pose.apply(target)[2])
        near, far = max(middle - _WIDE_MM, 0.3 * middle), middle + _WIDE_MM
        inside = np.ones((rectified.height, rectified.width), bool)
    left, right = rectified.pictures(pictures[pod[0]], pictures[pod[1]])
    ends = rectified.disparity(np.array([near, far]))
    found = match(left, right, float(ends[0]), float(ends[1]))
    depth = rectified.depth_mm(found.disparity.astype(np.float64))
    # d = f b / z: a pixel of disparity is z^2 / (f b) of depth.
    sd = found.sd * depth**2 / (rectified.focal * rectified.baseline_mm)
    keep = inside & (sd < _UNSURE_MM) & (_cosine(depth, rectified.matrix) > _GRAZING)
    if not keep.any():
        notes.append(f"cameras {said}: nothing in their pictures could be matched")
        return None
    nothing = np.float32(np.nan)
    return PodView(rectified, np.where(keep, depth, nothing).astype(np.float32), sd.astype(np.float32), left)


def _mask(rectified: Rectified, points: Floats) -> NDArray[np.bool_]:
    """(H, W) inside the face's outline, some way beyond MediaPipe's points (N, 3) in the left camera's frame."""
    cv2 = require("cv2")
    flat = points[np.isfinite(points).all(axis=1)] @ rectified.matrix.T
    flat = flat[:, :2] / flat[:, 2:]
    try:
        hull = flat[ConvexHull(flat).vertices]
    except QhullError:
        raise SchemaError("the face's points lie on a line; the calibration is not that of these pictures") from None
    hull = hull.mean(axis=0) + _OUTLINE * (hull - hull.mean(axis=0))
    mask = np.zeros((rectified.height, rectified.width), np.uint8)
    return cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), 1).astype(bool)


def _cosine(depth: Floats, matrix: Floats) -> Floats:
    """(H, W) cosine between the surface's normal and the line of sight; NaN beside holes."""
    rows, cols = np.mgrid[: depth.shape[0], : depth.shape[1]]
    rays = np.dstack([(cols - matrix[0, 2]) / matrix[0, 0], (rows - matrix[1, 2]) / matrix[1, 1], np.ones(depth.shape)])
    points = rays * depth[..., None]
    across, down = np.gradient(points, axis=1), np.gradient(points, axis=0)
    normal = np.cross(across, down)
    size = np.linalg.norm(normal, axis=2) * np.linalg.norm(rays, axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.abs(np.einsum("hwi,hwi->hw", normal, rays)) / size


def _points(view: PodView) -> Floats:
    rows, cols = np.nonzero(np.isfinite(view.depth_mm))
    z, k = view.depth_mm[rows, cols].astype(np.float64), view.rectified.matrix
    flat = np.column_stack([(cols - k[0, 2]) / k[0, 0], (rows - k[1, 2]) / k[1, 1], np.ones(len(z))])
    return view.rectified.pose.inv().apply(flat * z[:, None])


def _apart(views: Sequence[PodView]) -> float:
    """Median distance (mm) of the pods' surfaces where two of them overlap: depth against depth, seen by the first."""
    misses = []
    for k, one in enumerate(views):
        for other in views[k + 1 :]:
            seen = one.rectified.pose.apply(_points(other)[::7])
            at = seen @ one.rectified.matrix.T
            cols, rows = np.rint(at[:, :2] / at[:, 2:]).astype(int).T
            height, width = one.depth_mm.shape
            ok = (cols >= 0) & (cols < width) & (rows >= 0) & (rows < height)
            miss = one.depth_mm[rows[ok], cols[ok]] - seen[ok, 2]
            misses.append(np.abs(miss[np.abs(miss) < 10.0]))  # farther behind lies another part of the face
    together = np.concatenate(misses) if misses else np.empty(0)
    return float(np.median(together)) if len(together) >= 100 else float("nan")


def _spread(scan: FaceScan, views: Sequence[PodView], upright: RigidTransform) -> Floats:
    """(V,) standard deviation of each vertex, mm, of the view that knows it best."""
    best = np.full(len(scan.vertices), np.inf)
    points = upright.inv().apply(scan.vertices)
    for view in views:
        sd = view.sd_mm[np.isfinite(view.depth_mm)]
        near, index = KDTree(_points(view)).query(points, distance_upper_bound=3.0)
        hit = np.isfinite(near)
        best[hit] = np.minimum(best[hit], sd[np.asarray(index)[hit]])
    return np.where(np.isfinite(best), best, np.nan)
