"""Many depth pictures of a head that turns slowly, made one surface: less noise than any of them, and more sides.

Each frame is laid on what the frames before it built (frame to model; Newcombe 2011, KinectFusion,
doi:10.1109/ISMAR.2011.6092378) by point-to-plane ICP with robust weights, on the head alone: the background does not
turn with it. When all are in, each is laid on the whole once more and the surface is built anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import ScanError
from face3d.geometry.mesh import rim_edges, vertex_normals
from face3d.geometry.rays import RayScene
from face3d.io.depth_image import DepthFrame
from face3d.io.write import write_bytes, write_scan
from face3d.scan import FaceScan, Floats, Ints
from face3d.sequence.depth import UPRIGHT, cleaned, foreground, noise_mm
from face3d.sequence.volume import Volume
from face3d.values import Value

#: The head's middle lies that far below its top and behind its face; about it a head, without shoulders, mm.
_BELOW_TOP_MM, _BEHIND_FACE_MM, _HEAD_MM = 120.0, 90.0, 140.0
#: Frames of whose head less lies on the model, or farther from it (median, in standard deviations of noise and at least
#: mm), are not believed.
_LEAST_OVERLAP, _FARTHEST_SD, _FARTHEST_MM = 0.4, 3.0, 1.5
#: ICP: rounds, how far points are paired at first and at last (mm), how much deviates in Tukey's weights.
_ROUNDS, _PAIR_MM = 12, (15.0, 5.0)
_TUKEY = 4.685
_SAMPLE = 8_000
#: Times that all frames are laid on all: noise of a young model draws a frame towards its guess, an old one's does not.
_PASSES = 3
#: The model is renewed after so many frames: a slow turn shows little new in between.
_RENEW = 3
#: Cubes are a little larger than a pixel on the skin.
_CUBE_PIXELS, _CUBE_MM = 1.2, (0.7, 2.0)
#: A place is skin when that many frames, at least, saw it.
_VIEWS = 3
_LEAST_FRAMES = 5


class _Laid(NamedTuple):
    """Where a frame's head lies: `pose` model -> camera, and how well it fits."""

    pose: RigidTransform
    overlap: float
    residual_mm: float


@dataclass(frozen=True, eq=False, repr=False)
class Fused(Value):
    """`scan` mm, +y up and +z towards the camera of the first frame; `used` frames and `left_out` name -> why;
    `turn_degrees` how far the head turned at most; `residual_mm` (used,) median distance of each frame to the surface;
    `noise_mm` standard deviation of one frame's pixels."""

    scan: FaceScan
    used: int
    left_out: dict[str, str]
    turn_degrees: float
    residual_mm: Floats
    noise_mm: float
    cube_mm: float

    def facts(self) -> dict[str, object]:
        """What was done, for a JSON file."""
        return {
            "vertices": len(self.scan.vertices),
            "frames_used": self.used,
            "frames_left_out": dict(self.left_out),
            "turn_degrees": round(self.turn_degrees, 2),
            "residual_mm": {"median": float(np.median(self.residual_mm)), "worst": float(np.max(self.residual_mm))},
            "frame_noise_mm": self.noise_mm,
            "cube_mm": self.cube_mm,
        }

    def write(self, folder: str | Path) -> None:
        """`rest.ply` and `fuse.json` into `folder`."""
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        write_scan(place / "rest.ply", self.scan)
        write_bytes(place / "fuse.json", (json.dumps(self.facts(), indent=1) + "\n").encode())


def fuse(frames: Iterable[DepthFrame], name: str = "fused", lost: Mapping[str, str] | None = None) -> Fused:
    """One surface of a head at rest that turns slowly before a depth camera. `frames` in their order, the first
    from the front, the camera held upright; `lost` name -> why of those that could not be read.

    Raises `ScanError` when fewer than five frames can be laid on each other.
    """
    kept = list(frames)
    if len(kept) < _LEAST_FRAMES:
        raise ScanError(
            f"{name}: {len(kept)} depth frames; at least {_LEAST_FRAMES} are needed, some seconds of a turn"
        )
    left_out = dict(lost or {})
    ready: list[DepthFrame] = []
    for frame in kept:
        try:
            ready.append(cleaned(frame))
        except ScanError as error:
            left_out[frame.name] = str(error)
    if not ready:
        raise ScanError(f"{name}: {next(iter(left_out.values()))}")
    middle = _head(ready[0])
    noise = float(np.median([noise_mm(foreground(f)) for f in kept if f.name not in left_out][:20]))
    depth = np.median([np.nanmedian(f.depth_mm) for f in ready[::5]])
    cube = float(np.clip(_CUBE_PIXELS * depth / ready[0].intrinsics.fx, *_CUBE_MM))
    limit = max(_FARTHEST_SD * noise, _FARTHEST_MM)

    volume, laid = _first_pass(ready, middle, cube, limit, left_out)
    for _ in range(_PASSES):
        volume, laid = _again(ready, laid, _Model(volume), middle, limit, left_out)
    if len(laid) < _LEAST_FRAMES:
        worst = next(iter(left_out.values()), "")
        raise ScanError(f"{name}: {len(laid)} of {len(kept)} frames could be laid on each other ({worst}); turn slower")
    # All frames moved a little when they were laid on all: the scan goes where the first one saw it.
    first = laid[min(laid)].pose
    scan = volume.surface(name, min(_VIEWS, len(laid))).moved(UPRIGHT * first)
    turns = [np.degrees((at.pose * first.inv()).rotation.magnitude()) for at in laid.values()]
    residual = np.array([at.residual_mm for at in laid.values()])
    return Fused(scan, len(laid), left_out, float(max(turns)), residual, noise, cube)


def _head(frame: DepthFrame) -> Floats:
    """The head's middle (3,) mm in the camera's frame: below the top of what is nearest, the camera held upright. A
    face of one noisy picture is often not found by its features; its place is plain."""
    points = (frame.intrinsics.rays() * frame.depth_mm.astype(np.float64)[..., None])[np.isfinite(frame.depth_mm)]
    top = np.quantile(points[:, 1], 0.005)
    head = points[points[:, 1] < top + 2 * _BELOW_TOP_MM]
    near = np.quantile(head[:, 2], 0.02)
    return np.array([np.median(head[:, 0]), top + _BELOW_TOP_MM, near + _BEHIND_FACE_MM])


def _only_head(frame: DepthFrame, pose: RigidTransform, middle: Floats) -> DepthFrame:
    """The frame without what lies off the head, which stands about `middle` in the model."""
    points = frame.intrinsics.rays() * frame.depth_mm.astype(np.float64)[..., None]
    with np.errstate(invalid="ignore"):
        away = np.linalg.norm(points - pose.apply(middle), axis=2) > _HEAD_MM
    return replace(frame, depth_mm=np.where(away, np.float32(np.nan), frame.depth_mm))


def _first_pass(
    frames: Sequence[DepthFrame], middle: Floats, cube: float, limit: float, left_out: dict[str, str]
) -> tuple[Volume, dict[int, _Laid]]:
    """Each frame laid on those before it."""
    volume = Volume(cube, colored=frames[0].color is not None)
    pose = step = RigidTransform.identity()
    laid: dict[int, _Laid] = {}
    model: _Model | None = None
    for k, frame in enumerate(frames):
        at = _Laid(pose, 1.0, 0.0)
        if model is not None:
            at = model.lay(_only_head(frame, step * pose, middle), step * pose)
            why = _doubt(at, limit)
            if why:
                left_out[frame.name] = why
                step = RigidTransform.identity()
                continue
            step, pose = at.pose * pose.inv(), at.pose
        laid[k] = at
        _add(volume, _only_head(frame, pose, middle), pose)
        if model is None or len(laid) % _RENEW == 0:
            model = _Model(volume)
    return volume, laid


def _again(
    frames: Sequence[DepthFrame],
    laid: Mapping[int, _Laid],
    model: _Model,
    middle: Floats,
    limit: float,
    left_out: dict[str, str],
) -> tuple[Volume, dict[int, _Laid]]:
    """Each frame laid on all of them."""
    volume = Volume(model.cube_mm, colored=frames[0].color is not None)
    better: dict[int, _Laid] = {}
    for k, before in laid.items():
        at = model.lay(_only_head(frames[k], before.pose, middle), before.pose)
        why = _doubt(at, limit)
        if why:
            left_out[frames[k].name] = why
            continue
        better[k] = at
        _add(volume, _only_head(frames[k], at.pose, middle), at.pose)
    return volume, better


def _add(volume: Volume, frame: DepthFrame, pose: RigidTransform) -> None:
    volume.add(frame.depth_mm, frame.intrinsics.matrix, pose, frame.color if volume.colored else None)


def _doubt(at: _Laid, limit: float) -> str:
    if at.overlap < _LEAST_OVERLAP:
        return f"{at.overlap:.0%} of its head lies on the surface so far; at least {_LEAST_OVERLAP:.0%} must"
    if not at.residual_mm <= limit:
        return f"it lies {at.residual_mm:.1f} mm off the surface so far (median; at most {limit:.1f}): moved or blurred"
    return ""


class _Model:
    """The surface so far, made smooth enough that its normals can be believed."""

    def __init__(self, volume: Volume) -> None:
        scan = volume.surface("the surface so far")
        self.cube_mm = volume.cube_mm
        v, self._faces = smoothed(scan.vertices, scan.faces), scan.faces
        self._normals = vertex_normals(v, self._faces)
        self._rim = rim_edges(v, self._faces).any(axis=1)
        self._scene = RayScene(v, self._faces, threads=1)

    def lay(self, frame: DepthFrame, guess: RigidTransform) -> _Laid:
        """Where a frame lies on it: point-to-plane ICP with Tukey's weights. `guess` model -> camera."""
        known = np.isfinite(frame.depth_mm)
        points = (frame.intrinsics.rays() * frame.depth_mm.astype(np.float64)[..., None])[known]
        if len(points) < 100:
            return _Laid(guess, 0.0, float("nan"))
        points = points[:: max(1, len(points) // _SAMPLE)]
        pose, overlap, residual = guess, 0.0, float("nan")
        for reach in np.geomspace(*_PAIR_MM, _ROUNDS):
            p = pose.inv().apply(points)  # in the model's frame
            found = self._scene.closest(p)
            near = np.linalg.norm(p - found.points, axis=1) < reach
            # What lies beyond the model's rim has nothing to lie on.
            near &= ~self._rim[found.faces]
            overlap = float(near.mean())
            if near.sum() < 100:
                return _Laid(pose, overlap, float("nan"))
            p, q = p[near], found.points[near]
            n = np.einsum("nk,nkd->nd", found.weights[near], self._normals[self._faces[found.faces[near]]])
            off = np.einsum("ni,ni->n", p - q, n)
            residual = float(np.median(np.abs(off)))
            scale = max(1.4826 * residual, 0.05) * _TUKEY
            weight = np.clip(1 - (off / scale) ** 2, 0, None)  # the root of Tukey's
            middle = p.mean(axis=0)
            rows = np.hstack([np.cross(p - middle, n), n]) * weight[:, None]
            step = np.linalg.lstsq(rows, -off * weight, rcond=None)[0]
            turn = Rotation.from_rotvec(step[:3])
            move = RigidTransform.from_components(step[3:] + middle - turn.apply(middle), turn)  # in the model's frame
            pose = pose * move.inv()
        return _Laid(pose, overlap, residual)


def smoothed(v: Floats, faces: Ints, rounds: int = 8) -> Floats:
    """Each vertex among its neighbours, some times over."""
    ends = np.vstack([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends = np.vstack([ends, ends[:, ::-1]])
    joined = coo_matrix((np.ones(len(ends)), ends.T), shape=(len(v), len(v))).tocsr()
    count = np.maximum(np.asarray(joined.sum(axis=1)).ravel(), 1)[:, None]
    for _ in range(rounds):
        v = 0.5 * v + 0.5 * (joined @ v) / count
    return v
