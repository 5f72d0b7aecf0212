"""Pictures of a board, taken by all cameras of a rig, to the rig's calibration.

Each camera by Zhang's method (2000, doi:10.1109/34.888718; OpenCV's), the cameras among each other by the views that
two of them share, then everything at once: lenses, cameras and boards, by least squares on all corners (bundle
adjustment).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares
from scipy.sparse import lil_matrix
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import ScanError, SchemaError
from face3d.extras import require
from face3d.io.calibration import Calibration, Camera
from face3d.io.picture import PICTURES, read_picture
from face3d.scan import Floats, Ints
from face3d.sequence.boards import Board

#: Views a camera needs: fewer leave lens and distance mixed up.
LEAST_VIEWS = 6
#: RMS error of the corners, pixels: above the first is said, above the second nothing can be done with it.
_SOFT_PX, _HARD_PX = 0.6, 3.0
#: A view that misses by so many times the median view's error was blurred, or not taken at the same instant.
_OUTLIER = 4.0
#: Share of the picture's width and height that the corners of all views should reach over.
_REACH = 0.5


@dataclass(frozen=True)
class Corners:
    """What one camera saw of the board in one view: corner numbers (n,), pixels (n, 2)."""

    camera: str
    view: str
    ids: Ints
    pixels: Floats


def calibrate(folder: str | Path, board: Board) -> Calibration:
    """The rig whose cameras took the pictures in `folder`: a folder a camera, the same file name for the same instant.

    Cameras called ..left and ..right make a pod (1_left, 1_right); two cameras make one whatever their names. The rig's
    frame is that of the first camera. Raises `ScanError` for pictures that cannot be used and `SchemaError` for a rig
    that cannot be calibrated from them; the message names the camera.
    """
    pictures = camera_folders(Path(folder))
    pods = pods_of(list(pictures))
    sizes: dict[str, tuple[int, int]] = {}
    seen: list[Corners] = []
    for camera, files in pictures.items():
        for view, file in files.items():
            picture = read_picture(file)
            size = picture.shape[1], picture.shape[0]
            if sizes.setdefault(camera, size) != size:
                raise ScanError(
                    f"{file}: {size[0]} x {size[1]} pixels, the camera's other pictures have "
                    f"{sizes[camera][0]} x {sizes[camera][1]}; take all at the same setting"
                )
            found = board.find(picture)
            if found is not None:
                seen.append(Corners(camera, view, *found))
    return solve(seen, sizes, board, pods, {c: len(f) for c, f in pictures.items()})


def camera_folders(folder: Path) -> dict[str, dict[str, Path]]:
    """Camera -> view -> picture file. Raises `ScanError` unless there are two cameras with pictures."""
    if not folder.is_dir():
        raise ScanError(f"{folder}: there is no such folder; give one that holds a folder of pictures for each camera")
    found = {}
    for camera in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        files = {f.stem: f for f in sorted(camera.iterdir()) if f.suffix.lower() in PICTURES}
        if files:
            found[camera.name] = files
    if len(found) < 2:
        raise ScanError(
            f"{folder}: pictures of {len(found)} camera{'' if len(found) == 1 else 's'}; stereo needs two: a folder "
            "for each camera (left/, right/), the same file name for the same instant"
        )
    return found


def pods_of(cameras: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Which cameras are matched with each other, by their names. Raises `SchemaError` when that cannot be told."""
    pods = tuple((c, c[:-4] + "right") for c in cameras if c.endswith("left") and c[:-4] + "right" in cameras)
    if len(cameras) == 2 and not pods:
        return ((cameras[0], cameras[1]),)
    alone = sorted(set(cameras) - {name for pod in pods for name in pod})
    if alone:
        raise SchemaError(
            f"camera {alone[0]!r} has no partner among {', '.join(cameras)}; call the two of each pod NAME_left and "
            "NAME_right"
        )
    return pods


def solve(
    seen: Sequence[Corners],
    sizes: Mapping[str, tuple[int, int]],
    board: Board,
    pods: tuple[tuple[str, str], ...],
    tried: Mapping[str, int],
) -> Calibration:
    """The calibration from corners. `sizes` camera -> width, height; `tried` camera -> pictures looked at."""
    notes: list[str] = []
    for camera, size in sizes.items():
        own = [s for s in seen if s.camera == camera]
        if len(own) < LEAST_VIEWS:
            raise SchemaError(
                f"camera {camera!r}: a {board} was found in {len(own)} of its {tried[camera]} pictures, at least "
                f"{LEAST_VIEWS} are needed; check the board's kind and its numbers of squares, light, and focus"
            )
        reach = np.ptp(np.vstack([s.pixels for s in own]), axis=0) / size
        if reach.min() < _REACH:
            notes.append(
                f"camera {camera}: the board was held over {100 * reach[0]:.0f} % of the picture's width and "
                f"{100 * reach[1]:.0f} % of its height; hold it into all corners"
            )
    lenses, poses = {}, {}
    for camera, size in sizes.items():
        lenses[camera], poses[camera] = _alone([s for s in seen if s.camera == camera], size, board)
    cameras = _chained(poses, list(sizes))
    used = [s for s in seen if s.view in poses[s.camera]]
    for _ in range(2):
        lenses, cameras, rms = _bundle(used, lenses, cameras, poses, board)
        limit = _OUTLIER * float(np.median(rms))
        good = [s for s, error in zip(used, rms, strict=True) if error <= max(limit, 0.3)]
        if len(good) == len(used):
            break
        notes.append(
            f"{len(used) - len(good)} of {len(used)} pictures left out: their corners miss by over {limit:.2f} px"
        )
        used = good
    weight = np.array([len(s.ids) for s in used])
    total = float(np.sqrt(np.average(rms**2, weights=weight)) if len(rms) == len(used) else np.sqrt(np.mean(rms**2)))
    if total > _HARD_PX:
        raise SchemaError(
            f"the corners miss by {total:.1f} pixels (RMS; at most {_HARD_PX:g}): the board or a camera moved between "
            "pictures of the same name, or the board's numbers of squares are wrong; take them at the same instant"
        )
    if total > _SOFT_PX:
        notes.append(f"the corners miss by {total:.2f} pixels (RMS); a sharp, flat board gives 0.1 to {_SOFT_PX:g}")
    made = {}
    for camera, (width, height) in sizes.items():
        fx, fy, cx, cy = lenses[camera][:4]
        own = np.array([r for r, s in zip(rms, used, strict=False) if s.camera == camera])
        matrix = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
        pixel = float(np.sqrt(np.mean(own**2)))
        made[camera] = Camera(width, height, matrix, lenses[camera][4:], cameras[camera], pixel)
    return Calibration(made, pods, total, len({s.view for s in used}), str(board), tuple(notes))


def _alone(own: Sequence[Corners], size: tuple[int, int], board: Board) -> tuple[Floats, dict[str, RigidTransform]]:
    """One camera: its lens (fx, fy, cx, cy, k1, k2, p1, p2), and by view the pose board -> camera."""
    cv2 = require("cv2")
    corners = board.points()
    space = [corners[s.ids].astype(np.float32) for s in own]
    plane = [s.pixels.astype(np.float32) for s in own]
    _, k, distortion, turns, shifts = cv2.calibrateCamera(space, plane, size, None, None, flags=cv2.CALIB_FIX_K3)
    lens = np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2], *np.ravel(distortion)[:4]])
    poses = {
        s.view: RigidTransform.from_components(np.ravel(t), Rotation.from_rotvec(np.ravel(r)))
        for s, r, t in zip(own, turns, shifts, strict=True)
    }
    return lens, poses


def _chained(poses: Mapping[str, Mapping[str, RigidTransform]], names: list[str]) -> dict[str, RigidTransform]:
    """Each camera's pose, rig -> camera, by the views that it shares with one placed before; the first is the rig."""
    placed = {names[0]: RigidTransform.identity()}
    while len(placed) < len(names):
        shared = {(a, b): sorted(poses[a].keys() & poses[b].keys()) for a in placed for b in names if b not in placed}
        (a, b), views = max(shared.items(), key=lambda item: len(item[1]))
        if len(views) < 3:
            raise SchemaError(
                f"camera {b!r} shares {len(views)} views of the board with the others, at least 3 are needed; hold it "
                "where several cameras see it, and give pictures of the same instant the same file name"
            )
        motions = [poses[b][view] * poses[a][view].inv() for view in views]
        turn = Rotation.concatenate([m.rotation for m in motions]).mean()
        shift = np.median([m.translation for m in motions], axis=0)
        placed[b] = RigidTransform.from_components(shift, turn) * placed[a]
    return placed


def _bundle(
    seen: Sequence[Corners],
    lenses: Mapping[str, Floats],
    cameras: Mapping[str, RigidTransform],
    poses: Mapping[str, Mapping[str, RigidTransform]],
    board: Board,
) -> tuple[dict[str, Floats], dict[str, RigidTransform], Floats]:
    """Lenses, cameras and boards by least squares on all corners; RMS (n,) pixels of each picture comes along."""
    names, views = list(lenses), sorted({s.view for s in seen})
    camera_of = {name: k for k, name in enumerate(names)}
    view_of = {view: k for k, view in enumerate(views)}
    boards = {}
    for s in seen:  # board -> rig, by the first camera that saw it
        boards.setdefault(s.view, cameras[s.camera].inv() * poses[s.camera][s.view])
    x = np.concatenate(
        [
            np.concatenate([lenses[name] for name in names]),
            np.concatenate([_six(cameras[name]) for name in names]),
            np.concatenate([_six(boards[view]) for view in views]),
        ]
    )
    start = 8 * len(names), 14 * len(names)
    which = np.concatenate([np.full(len(s.ids), camera_of[s.camera]) for s in seen])
    when = np.concatenate([np.full(len(s.ids), view_of[s.view]) for s in seen])
    corners = np.concatenate([board.points()[s.ids] for s in seen])
    pixels = np.concatenate([s.pixels for s in seen])
    fixed = np.arange(start[0], start[0] + 6)  # the first camera is the rig's frame
    free = np.setdiff1d(np.arange(len(x)), fixed)

    def miss(some: Floats) -> Floats:
        whole = x.copy()
        whole[free] = some
        lens = whole[: start[0]].reshape(-1, 8)
        camera, place = whole[start[0] : start[1]].reshape(-1, 6), whole[start[1] :].reshape(-1, 6)
        at = Rotation.from_rotvec(place[:, :3])[when].apply(corners) + place[when, 3:]
        at = Rotation.from_rotvec(camera[:, :3])[which].apply(at) + camera[which, 3:]
        return (_projected(at, lens[which]) - pixels).ravel()

    pattern = lil_matrix((2 * len(which), len(x)), dtype=np.int8)
    rows = np.arange(2 * len(which))
    of_camera, of_view = np.repeat(which, 2), np.repeat(when, 2)
    for k in range(8):
        pattern[rows, 8 * of_camera + k] = 1
    for k in range(6):
        pattern[rows, start[0] + 6 * of_camera + k] = 1
        pattern[rows, start[1] + 6 * of_view + k] = 1
    found = least_squares(miss, x[free], jac_sparsity=pattern.tocsc()[:, free], x_scale="jac", max_nfev=60)
    x[free] = found.x
    error = (found.fun.reshape(-1, 2) ** 2).sum(axis=1)
    ends = np.cumsum([len(s.ids) for s in seen])[:-1]
    rms = np.array([np.sqrt(part.mean() / 2) for part in np.split(error, ends)])
    lens = {name: x[8 * k : 8 * k + 8] for name, k in camera_of.items()}
    placed = {name: _pose(x[start[0] + 6 * k : start[0] + 6 * k + 6]) for name, k in camera_of.items()}
    return lens, placed, rms


def _projected(at: Floats, lens: Floats) -> Floats:
    """Pixels (N, 2) of points in their cameras' frames, each with its lens (N, 8), as OpenCV has it."""
    x, y = at[:, 0] / at[:, 2], at[:, 1] / at[:, 2]
    fx, fy, cx, cy, k1, k2, p1, p2 = lens.T
    r = x**2 + y**2
    radial = 1 + k1 * r + k2 * r**2
    u = x * radial + 2 * p1 * x * y + p2 * (r + 2 * x**2)
    v = y * radial + p1 * (r + 2 * y**2) + 2 * p2 * x * y
    return np.column_stack([fx * u + cx, fy * v + cy])


def _six(pose: RigidTransform) -> Floats:
    return np.concatenate([pose.rotation.as_rotvec(), pose.translation])


def _pose(six: Floats) -> RigidTransform:
    return RigidTransform.from_components(six[3:], Rotation.from_rotvec(six[:3]))
