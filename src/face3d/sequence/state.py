"""Where a face is while it is followed, and where it should be in the next frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.scan import Floats
from face3d.sequence.space import Space
from face3d.values import Value

#: Share of the last step's movement that is expected again. Of 0.3, 0.5, 0.6 and 0.8, in seven simulated recordings at
#: 30 frames a second (seeds 70000 to 70006), 0.6 follows depth pictures best (0.670 mm off in the median; 0.3: 0.688,
#: 0.8: 0.673), and leaves less noise in the eyes' opening than 0.8 (0.54 and 0.56 mm, mean of the seven).
DAMPING = 0.6


@dataclass(frozen=True, eq=False, repr=False)
class State(Value):
    """Where the face is: `estimate` (K,) of the movement from rest and `moved` (N, 3) mm, what that moves; `pose` scan
    coordinates -> its head frame; `step`, `moving` and `turn`, how these three changed since the frame before; what
    distances lately were (`noise`, mm, median; 0: not known yet)."""

    estimate: Floats
    moved: Floats
    pose: RigidTransform
    step: Floats
    moving: Floats
    turn: RigidTransform
    noise: float = 0.0

    @classmethod
    def at(cls, space: Space, estimate: Floats, pose: RigidTransform) -> State:
        """Standing still."""
        moved = space.displaced(estimate)
        return cls(estimate, moved, pose, np.zeros_like(estimate), np.zeros_like(moved), RigidTransform.identity())

    def stopped(self) -> State:
        """Standing still from here on."""
        return replace(self.stopped_within(), turn=RigidTransform.identity())

    def stopped_within(self) -> State:
        """The face standing still from here on, while the head goes on."""
        return replace(self, step=0.0 * self.step, moving=0.0 * self.moving)

    def next(self) -> State:
        """Where it should be in the next frame."""
        part = RigidTransform.from_components(
            DAMPING * self.turn.translation, Rotation.from_rotvec(DAMPING * self.turn.rotation.as_rotvec())
        )
        return replace(
            self,
            estimate=self.estimate + DAMPING * self.step,
            moved=self.moved + DAMPING * self.moving,
            pose=part * self.pose,
        )
