"""The geometry of a rig of cameras, as `face3d calibrate` writes it and `face3d reconstruct` reads it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import SchemaError
from face3d.io import guard
from face3d.io.write import write_bytes
from face3d.scan import Floats
from face3d.values import Value

_Three = Annotated[list[float], Field(min_length=3, max_length=3)]
_Matrix = Annotated[list[_Three], Field(min_length=3, max_length=3)]
#: Distances between the two cameras of a pod that stereo can do with at arm's length to some metres, mm.
_BASELINE_MM = (5.0, 3000.0)
#: Entries of a rotation matrix that were rounded to three digits are still taken.
_ROTATION_TOLERANCE = 2e-3
_MAX_BYTES = 1 << 20


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class CameraEntry(_Strict):
    """One camera, in the frame of OpenCV (x right, y down, z into the scene)."""

    width: int = Field(ge=16, le=65536, description="pixels of its pictures")
    height: int = Field(ge=16, le=65536)
    K: _Matrix = Field(description="calibration matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], pixels")
    distortion: list[float] = Field(default=[], max_length=8, description="k1, k2, p1, p2, k3, ... as OpenCV has them")
    R: _Matrix = Field(description="rotation, rig -> camera")
    t: _Three = Field(description="translation, rig -> camera, mm")
    reprojection_px: float | None = Field(default=None, ge=0, description="RMS error of the board's corners")


class CalibrationFile(_Strict):
    """A rig: its cameras in one frame, and which two of them make a pod."""

    units: Literal["mm"]
    cameras: dict[str, CameraEntry] = Field(min_length=2)
    pods: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = Field(min_length=1)
    reprojection_px: float | None = Field(default=None, ge=0, description="RMS error of all corners of all cameras")
    views: int | None = Field(default=None, ge=0, description="instants at which the board was used")
    board: str | None = None
    notes: list[str] = []


@dataclass(frozen=True, eq=False, repr=False)
class Camera(Value):
    """`matrix` K (3, 3) and `distortion` (n,) as in OpenCV, for pictures of `width` x `height`; `pose` rig -> camera,
    mm; `reprojection_px` RMS error of the calibration, NaN where it is not known."""

    width: int
    height: int
    matrix: Floats
    distortion: Floats
    pose: RigidTransform
    reprojection_px: float = float("nan")


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(Value):
    """A calibrated rig: `cameras` by name, `pods` pairs of names that are matched with each other; `reprojection_px`
    RMS error of the calibration; `views` of the `board` that it was made from; `notes`."""

    cameras: Mapping[str, Camera]
    pods: tuple[tuple[str, str], ...]
    reprojection_px: float = float("nan")
    views: int = 0
    board: str = ""
    notes: tuple[str, ...] = ()


def read_calibration(path: str | os.PathLike[str]) -> Calibration:
    """A rig from its JSON file (`data_schemas/calibration.schema.json`).

    Raises `SchemaError` when it does not follow the schema, or says what no rig can be: a camera without a proper
    rotation, a focal length that no lens has, a pod whose cameras stand in one place.
    """
    file = Path(path)
    try:
        entry = CalibrationFile.model_validate_json(guard.read_bytes(file, _MAX_BYTES))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SchemaError(
            f"{file}: {where + ': ' if where else ''}{first['msg']}; write it with `face3d calibrate`, "
            "or see data_schemas/calibration.schema.json"
        ) from None
    cameras = {name: _camera(f"{file}: camera {name!r}", one) for name, one in entry.cameras.items()}
    for pod in entry.pods:
        unknown = [name for name in pod if name not in cameras]
        if unknown:
            raise SchemaError(f"{file}: pods name {unknown[0]!r}, which is no camera ({', '.join(cameras)})")
        apart = float(np.linalg.norm(centre(cameras[pod[0]]) - centre(cameras[pod[1]])))
        if not _BASELINE_MM[0] <= apart <= _BASELINE_MM[1]:
            raise SchemaError(
                f"{file}: the cameras {pod[0]!r} and {pod[1]!r} stand {apart:.4g} mm apart, a pod's stand "
                f"{_BASELINE_MM[0]:g} to {_BASELINE_MM[1]:g} mm; is t in millimetres?"
            )
    return Calibration(
        cameras,
        tuple((a, b) for a, b in entry.pods),
        float("nan") if entry.reprojection_px is None else entry.reprojection_px,
        entry.views or 0,
        entry.board or "",
        tuple(entry.notes),
    )


def write_calibration(path: str | os.PathLike[str], calibration: Calibration) -> Path:
    """Write a rig's JSON file; returns the path."""
    entry = CalibrationFile(
        units="mm",
        cameras={
            name: CameraEntry(
                width=c.width,
                height=c.height,
                K=c.matrix.tolist(),
                distortion=c.distortion.tolist(),
                R=c.pose.rotation.as_matrix().tolist(),
                t=c.pose.translation.tolist(),
                reprojection_px=_number(c.reprojection_px),
            )
            for name, c in calibration.cameras.items()
        },
        pods=[list(pod) for pod in calibration.pods],
        reprojection_px=_number(calibration.reprojection_px),
        views=calibration.views,
        board=calibration.board or None,
        notes=list(calibration.notes),
    )
    return write_bytes(Path(path), (json.dumps(entry.model_dump(), indent=1) + "\n").encode())


def centre(camera: Camera) -> Floats:
    """Where the camera stands (3,), mm, rig frame."""
    return camera.pose.inv().translation


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _camera(where: str, entry: CameraEntry) -> Camera:
    k, r = np.array(entry.K), np.array(entry.R)
    for name, focal, size in (("fx", k[0, 0], entry.width), ("fy", k[1, 1], entry.height)):
        if not 0.1 * size < focal < 100 * size:
            raise SchemaError(
                f"{where}: {name} is {focal:g} pixels for a picture of {size}; a lens has 0.1 to 100 times the "
                "picture's size: calibrate again with pictures of this size"
            )
    if (
        k[2].tolist() != [0.0, 0.0, 1.0]
        or k[1, 0] != 0
        or not (0 < k[0, 2] < entry.width and 0 < k[1, 2] < entry.height)
    ):
        raise SchemaError(
            f"{where}: K is no calibration matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with its centre in the "
            f"picture of {entry.width} x {entry.height} pixels"
        )
    off = float(np.abs(r @ r.T - np.eye(3)).max())
    if off > _ROTATION_TOLERANCE or np.linalg.det(r) < 0:
        raise SchemaError(
            f"{where}: R is no rotation (R R' differs from 1 by {off:.3g}, determinant {np.linalg.det(r):.3g}); "
            "give the rotation from rig to camera, without scale or mirror image"
        )
    if len(entry.distortion) not in (0, 4, 5, 8):
        raise SchemaError(f"{where}: distortion has {len(entry.distortion)} numbers; OpenCV's models have 0, 4, 5 or 8")
    pose = RigidTransform.from_components(np.array(entry.t), Rotation.from_matrix(r))
    reprojection = float("nan") if entry.reprojection_px is None else entry.reprojection_px
    return Camera(entry.width, entry.height, k, np.array(entry.distortion, np.float64), pose, reprojection)
