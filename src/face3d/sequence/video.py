"""A plain video of a face, for telemedicine: how far eyes, brows and mouth corners move, as shares of the face's width.

A fallback where nobody has a scanner. MediaPipe's points are a guess of a whole face that is drawn towards symmetry:
they show less difference between the sides than there is. Nothing here is in millimetres, and nothing of it may stand
beside a scan's measures: the types are kept apart.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.extras import require
from face3d.io.write import write_bytes
from face3d.landmarking.face_landmarker import Detector, model_facts
from face3d.scan import Floats
from face3d.values import Value

if TYPE_CHECKING:
    import pandas as pd

#: Said with every number: what it is, and what it is not.
KIND = "2.5D estimate from a plain video: shares of the face's width, not millimetres, not comparable with a 3D scan"
LIMITS = (
    "MediaPipe draws both sides towards each other: differences between them are understated",
    "blinks are told from the outline of the lids, which moves with gaze",
    "ratios compare peaks; a face that is not at rest in the first half second has no baseline",
)
#: MediaPipe's points, the subject's own sides: eye corner outside, upper lid twice, inside, lower lid twice.
_EYES = {"left": (263, 387, 385, 362, 380, 373), "right": (33, 160, 158, 133, 153, 144)}
_BROWS = {"left": (334, 296, 293), "right": (105, 66, 63)}
_CORNERS = {"left": 291, "right": 61}
_OUTER = (263, 33)  # eye corners: the unit of every length
#: Beyond these a side is foreshortened by more than 6 % (cosine), or lids and brows overlap, degrees.
_MOST_YAW, _MOST_PITCH, _MOST_ROLL = 20.0, 20.0, 35.0
#: Pixels between the outer eye corners: MediaPipe works on 256 for the whole face.
_LEAST_WIDTH_PX = 50.0
#: Spread of the Laplacian over the spread of grey in the face, at one size: motion or focus blur lies below. Ours.
_LEAST_SHARPNESS = 0.06
_SHARPNESS_WIDTH = 96
#: The face is at rest so long at first, seconds.
_REST_S = 0.5
#: A blink: the eye closes to less than this share of its opening, for less than so many seconds.
_CLOSED, _BLINK_S = 0.6, 0.6
#: A peak below this share of the face's width is no movement but noise, and has no ratio.
_LEAST_MOVE = 0.015
_LEAST_FRAMES = 5
_MOST_FPS = 1000.0
COLUMNS = (
    *("frame", "time_s", "used", "reason", "yaw_deg", "pitch_deg", "roll_deg", "width_px", "sharpness"),
    *(f"{name}_{side}" for name in ("eye_aspect", "brow", "smile") for side in ("left", "right")),
)


@dataclass(frozen=True, eq=False, repr=False)
class VideoMeasures(Value):
    """What a plain video shows; see `KIND`. `frames` a table, a row a frame (`COLUMNS`): `eye_aspect` height over width
    of an eye, `brow` its height above the eye, `smile` how far the mouth's corner is from its place at rest, both as
    shares of the distance between the outer eye corners; NaN in frames that are not used, with the `reason`.
    `blinks` side -> begin of each (seconds); sides are the subject's own."""

    name: str
    fps: float
    frames: pd.DataFrame
    blinks: Mapping[str, Floats]

    def summary(self) -> dict[str, object]:
        """Peaks a side, weaker over stronger (None where nothing moved), blinks, and what was left out."""
        used = self.frames[self.frames["used"]]
        seconds = len(used) / self.fps
        out: dict[str, object] = {
            "kind": KIND,
            "unit": "share of the distance between the outer eye corners",
            "limits": list(LIMITS),
            "name": self.name,
            "fps": self.fps,
            "frames": len(self.frames),
            "frames_used": len(used),
            "left_out": dict(Counter(self.frames.loc[~self.frames["used"], "reason"])),
        }
        for name in ("smile", "brow"):
            sides = {side: used[f"{name}_{side}"] for side in ("left", "right")}
            if name == "brow":  # a height: what counts is how far it rises over its rest
                sides = {
                    side: s - s[used["time_s"] <= used["time_s"].iloc[0] + _REST_S].median()
                    for side, s in sides.items()
                }
            peak = {side: float(s.quantile(0.98)) for side, s in sides.items()}
            strong = max(peak.values())
            out[name] = {
                "peak": {side: round(value, 4) for side, value in peak.items()},
                "ratio": round(min(peak.values()) / strong, 3) if strong > _LEAST_MOVE else None,
            }
        out["eyes"] = {
            side: {
                "open": round(float(used[f"eye_aspect_{side}"].quantile(0.75)), 4),
                "narrowest": round(float(used[f"eye_aspect_{side}"].min()), 4),
                "blinks": len(self.blinks[side]),
                "blinks_per_minute": round(60 * len(self.blinks[side]) / seconds, 2),
            }
            for side in ("left", "right")
        }
        return out

    def write(self, folder: str | Path) -> None:
        """`video.csv`, a row a frame, and `summary.json` into `folder`."""
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        table = self.frames.to_csv(index=False, float_format="%.5g")
        write_bytes(place / "video.csv", f"# {KIND}\n{table}".encode())
        write_bytes(place / "summary.json", (json.dumps(self.summary(), indent=1) + "\n").encode())


def measure_video(path: str | Path, fps: float | None = None) -> VideoMeasures:
    """A video file of one face, measured frame by frame; `fps` where the file's own is wrong.

    The face must be at rest in the first half second. Raises `ScanError` for what is no video, and when hardly any
    frame shows a face that can be used, with the commonest reason.
    """
    import pandas as pd

    file = Path(path)
    rows = []
    rate = _rate(file, fps)
    with Detector() as detector:
        for k, picture in enumerate(_pictures(file)):
            rows.append({"frame": k, "time_s": k / rate, **_row(picture, detector.pixels(picture))})
    if not rows:
        raise ScanError(f"{file}: holds no picture that can be decoded; convert it to MP4 (H.264) or AVI (MJPG)")
    found = pd.DataFrame(rows)
    used = found["used"].to_numpy(bool)
    if used.sum() < _LEAST_FRAMES:
        reason, number = Counter(found.loc[~used, "reason"]).most_common(1)[0]
        raise ScanError(
            f"{file}: {used.sum()} of {len(found)} frames can be used, at least {_LEAST_FRAMES} must ({reason}: "
            f"{number}); film the face from the front, near and in good light"
        )
    corners = {side: np.stack(found.pop(f"_corner_{side}").to_list()) for side in ("left", "right")}
    time = found["time_s"].to_numpy()
    rest = used & (time <= time[used][0] + _REST_S)
    for side, places in corners.items():
        found[f"smile_{side}"] = np.linalg.norm(places - np.nanmedian(places[rest], axis=0), axis=1)
    blinks = {side: _blinks(time, found[f"eye_aspect_{side}"].to_numpy()) for side in ("left", "right")}
    return VideoMeasures(file.name, rate, found[list(COLUMNS)], blinks)


def _rate(file: Path, fps: float | None) -> float:
    cv2 = require("cv2")
    if not file.is_file():
        raise ScanError(f"{file}: there is no such file")
    log = cv2.utils.logging
    level = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)  # what it says of a broken file is said below, in one line
    try:
        video = cv2.VideoCapture(str(file))
        opened, said = video.isOpened(), float(video.get(cv2.CAP_PROP_FPS))
        video.release()
    finally:
        log.setLogLevel(level)
    if not opened:
        raise ScanError(f"{file}: is no video that can be read; convert it to MP4 (H.264) or AVI (MJPG)")
    rate = said if fps is None else fps
    if not (math.isfinite(rate) and 0 < rate <= _MOST_FPS):
        raise ScanError(f"{file}: {rate:g} frames a second; give the true number with --fps (up to {_MOST_FPS:g})")
    return rate


def _pictures(file: Path) -> Iterator[NDArray[np.uint8]]:
    cv2 = require("cv2")
    video = cv2.VideoCapture(str(file))
    try:
        while True:
            ok, picture = video.read()
            if not ok:
                return
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    finally:
        video.release()


def _row(picture: NDArray[np.uint8], points: Floats | None) -> dict[str, object]:
    """One frame's part of the table."""
    nothing = float("nan")
    row: dict[str, object] = dict.fromkeys(COLUMNS[4:], nothing)
    row |= {
        "used": False,
        "reason": "no face",
        "_corner_left": np.full(2, nothing),
        "_corner_right": np.full(2, nothing),
    }
    if points is None:
        return row
    yaw, pitch, roll = head_pose(points)
    width = float(np.linalg.norm(points[_OUTER[0]] - points[_OUTER[1]]))
    sharp = _sharpness(picture, points)
    row |= {"yaw_deg": yaw, "pitch_deg": pitch, "roll_deg": roll, "width_px": width, "sharpness": sharp}
    row["reason"] = _doubt(yaw, pitch, roll, width, sharp, picture, points)
    if row["reason"]:
        return row
    row["used"] = True
    level = _levelled(points)
    for side in ("left", "right"):
        eye = level[list(_EYES[side])]
        opened = np.linalg.norm(eye[1] - eye[5]) + np.linalg.norm(eye[2] - eye[4])
        row[f"eye_aspect_{side}"] = float(opened / (2 * np.linalg.norm(eye[0] - eye[3])))
        row[f"brow_{side}"] = float(level[list(_BROWS[side]), 1].mean() - 0.5 * (eye[0, 1] + eye[3, 1]))
        row[f"_corner_{side}"] = level[_CORNERS[side]]
    return row


def _doubt(
    yaw: float, pitch: float, roll: float, width: float, sharp: float, picture: NDArray[np.uint8], points: Floats
) -> str:
    """Why a frame is not used; "" when it is."""
    height, across = picture.shape[:2]
    if (points < -0.5).any() or (points > [across - 0.5, height - 0.5]).any():
        return "face cut off by the picture's edge"
    if width < _LEAST_WIDTH_PX:
        return "face too small"
    if abs(yaw) > _MOST_YAW or abs(pitch) > _MOST_PITCH or abs(roll) > _MOST_ROLL:
        return "head turned too far"
    return "blurred" if sharp < _LEAST_SHARPNESS else ""


def head_pose(points: Floats) -> tuple[float, float, float]:
    """Yaw (to the subject's left), pitch (up) and roll (to the subject's left shoulder), degrees, of MediaPipe's points
    (478, 2) in a picture: MediaPipe's own mean face laid on them, far away (scaled orthography)."""
    model = model_facts()[1]
    seen = points[: len(model)] * [1.0, -1.0]  # y up
    a = model - model.mean(axis=0)
    plane = np.linalg.lstsq(a, seen - seen.mean(axis=0), rcond=None)[0].T  # (2, 3): two rows of scale times rotation
    u, _, vt = np.linalg.svd(plane, full_matrices=False)
    two = u @ vt
    turn = np.vstack([two, np.cross(two[0], two[1])])
    front = turn[:, 2]  # where the face looks, in the picture's frame: x right, y up, z to the camera
    up = turn[:, 1]
    yaw = math.degrees(math.atan2(front[0], front[2]))
    pitch = math.degrees(math.asin(float(np.clip(front[1], -1, 1))))
    roll = math.degrees(math.atan2(up[0], up[1]))
    return yaw, pitch, roll


def _levelled(points: Floats) -> Floats:
    """Points (478, 2) about the middle of the outer eye corners, in units of their distance: x along the line from the
    right to the left one, y up."""
    left, right = points[_OUTER[0]], points[_OUTER[1]]
    along = (left - right) / np.linalg.norm(left - right) ** 2
    up = np.array([along[1], -along[0]])  # picture rows run down
    middle = 0.5 * (left + right)
    return (points - middle) @ np.column_stack([along, up])


def _sharpness(picture: NDArray[np.uint8], points: Floats) -> float:
    """Spread of the Laplacian over the spread of grey, in the face at one size."""
    cv2 = require("cv2")
    low = np.maximum(np.floor(points.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 1, picture.shape[1::-1])
    if (high - low < 8).any():
        return 0.0
    grey = cv2.cvtColor(np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]]), cv2.COLOR_RGB2GRAY)
    scale = _SHARPNESS_WIDTH / grey.shape[1]
    grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    spread = float(grey.std())
    return float(cv2.Laplacian(grey, cv2.CV_32F).std()) / (4 * spread) if spread > 1 else 0.0


def _blinks(time: Floats, aspect: Floats) -> Floats:
    """When an eye's blinks begin, seconds: short dips of its aspect below a share of what it is open."""
    known = np.isfinite(aspect)
    if not known.any():
        return np.empty(0)
    closed = known & (aspect < _CLOSED * np.quantile(aspect[known], 0.75))
    edges = np.diff(np.concatenate([[0], closed.astype(int), [0]]))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    whole = [(b, e) for b, e in zip(begins, ends, strict=True) if b > 0 and e < len(time)]
    return np.array([time[b] for b, e in whole if time[e] - time[b] < _BLINK_S])
