"""What tracking yields: the template on every frame of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import RigidTransform

from face3d.scan import Floats
from face3d.template.template import FaceTemplate
from face3d.values import Value, locked


@dataclass(frozen=True, eq=False, repr=False)
class TrackedFrame(Value):
    """The template on one frame.

    `vertices_mm` (N, 3) in the head frame of the rest frame, the head's own motion removed, NaN where `lost`; `valid`
    (N,) bool: the frame shows the vertex; `to_head` the frame's own scan coordinates (mm) -> that head frame;
    `time_s`; `residual_mm` median distance between frame and template where valid; `lost` with the `reason`;
    `anchored`: with this frame came in how far off tracking was, `drift_mm` (median over valid vertices; NaN on other
    frames), at the frame numbered `anchor`, which was fitted anew in the background, independently of all others.
    """

    number: int
    time_s: float
    vertices_mm: Floats
    valid: np.ndarray
    to_head: RigidTransform
    residual_mm: float
    lost: bool = False
    reason: str | None = None
    anchored: bool = False
    drift_mm: float = float("nan")
    anchor: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Tracked(Value):
    """All frames of a recording: `times_s` (T,), `vertices_mm` (T, N, 3) float32, `valid` (T, N) bool, `lost` (T,),
    `residual_mm` (T,), `reasons` frame index -> why it is lost, `rest_mm` (N, 3) the template on the face at rest, all
    in the head frame of the rest frame; `drift_mm` (T,) NaN on frames that were not fitted anew; `notes`."""

    template: FaceTemplate
    name: str
    fps: float
    rest_mm: Floats
    times_s: Floats
    vertices_mm: np.ndarray
    valid: np.ndarray
    lost: np.ndarray
    residual_mm: Floats
    drift_mm: Floats
    reasons: dict[int, str]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices_mm", locked(self.vertices_mm, np.float32))
        for name in ("valid", "lost"):
            object.__setattr__(self, name, locked(getattr(self, name), bool))
        super().__post_init__()

    def __len__(self) -> int:
        return len(self.times_s)

    def some(self, frames: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (n, N, 3) mm, and which of them are seen (n, N), of n frames."""
        at = np.asarray(frames, int)
        return self.vertices_mm[at], self.valid[at]
