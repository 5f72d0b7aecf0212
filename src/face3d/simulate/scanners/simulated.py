"""What every simulated scanner returns: a scan, and the truth about each of its vertices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.scan import FaceScan, Floats, Ints
from face3d.values import Value, locked


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedScan(Value):
    """A scan with known truth.

    `scan` has no landmarks, as a scanner gives none. `model_faces` (F, 3) are the faces of the model that was scanned;
    `face` (V,) says on which of them each scan vertex lies, -1 where it lies on none (an outlier, a flying pixel);
    `weights` (V, 3) are the barycentric coordinates there, NaN with -1. `pose` maps model coordinates (canonical head
    frame, mm) to scan coordinates. `landmarks` are the true ones, mm in scan coordinates.
    """

    scan: FaceScan
    model_faces: Ints
    face: Ints
    weights: Floats
    pose: RigidTransform
    landmarks: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "model_faces", locked(self.model_faces, np.int64))
        object.__setattr__(self, "face", locked(self.face, np.int64))
        object.__setattr__(self, "weights", locked(self.weights))
        marks = {k: locked(v) for k, v in self.landmarks.items()}
        object.__setattr__(self, "landmarks", MappingProxyType(marks))

    def carry(self, field_on_model: ArrayLike) -> Floats:
        """A field on the model's vertices (V_model, ...) at the scan's vertices (V, ...); NaN where there is no truth.

        Vectors stay in the frame that they are given in: a true asymmetry in the head frame stays in the head frame.
        """
        values = np.asarray(field_on_model, np.float64)
        out = np.einsum("nk,nk...->n...", self.weights, values[self.model_faces[self.face]])
        out[self.face < 0] = np.nan
        return out

    def noise_free(self, model_vertices: ArrayLike) -> Floats:
        """Where the scan's vertices (V, 3) would lie without noise, mm, scan coordinates; NaN without truth."""
        points = self.carry(model_vertices)
        known = self.face >= 0
        points[known] = self.pose.apply(points[known])
        return points

    def replace(self, **changes: Any) -> SimulatedScan:
        """A new value with the named fields changed."""
        return replace(self, **changes)

    def moved(self, motion: RigidTransform) -> SimulatedScan:
        """The same scan in other coordinates: truth, landmarks and pose move along."""
        return self.replace(
            scan=self.scan.moved(motion),
            pose=motion * self.pose,
            landmarks={k: motion.apply(v) for k, v in self.landmarks.items()},
        )


def random_pose(rng: np.random.Generator, degrees: float = 15.0, shift_mm: float = 60.0) -> RigidTransform:
    """A head as it sits before a scanner: turns of at most `degrees` about each axis, moved by at most `shift_mm`.

    Heads sit in natural head position, to within some degrees; every system puts its origin somewhere else.
    """
    angles = rng.uniform(-degrees, degrees, 3)
    return RigidTransform.from_components(
        rng.uniform(-shift_mm, shift_mm, 3), Rotation.from_euler("yxz", angles, degrees=True)
    )
