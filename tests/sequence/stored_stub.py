"""A tracker that takes no time and whose every frame depends on all before it: what is lost by stopping would show.

    python stored_stub.py FOLDER

stores one recording in FOLDER/parts and, when it is whole, FOLDER/tracked.npz.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.sequence.state import State
from face3d.sequence.stored import stored_tracking
from face3d.sequence.track import Resume
from face3d.sequence.tracked import TrackedFrame
from face3d.template.template import FaceTemplate

FRAMES, FPS, BUSY = 400, 60.0, 20
RUN = {"frames": "stub"}
_NOTHING, _NOWHERE = np.zeros(3), RigidTransform.identity()
STILL = State(_NOTHING, _NOTHING, _NOWHERE, _NOTHING, _NOTHING, _NOWHERE)


class Stub:
    """As `face3d.sequence.track.Tracking`; for `BUSY` frames after every 100th it can't be stopped."""

    def __init__(self, pause_s: float = 0.0, frames: int = FRAMES) -> None:
        template = FaceTemplate.load("ab")
        fit = SimpleNamespace(template=template, vertices_mm=template.vertices)
        self.rest: Any = SimpleNamespace(fitted=SimpleNamespace(fit=fit), notes=("a stub",))
        self.sequence: Any = SimpleNamespace(name="stub", fps=FPS, notes=())
        self.resume: Resume | None = None
        self.left: tuple[int, float] | None = None
        self.frames = frames
        self.pause_s, self.made, self.notes, self.state = pause_s, 0, ["said while tracking"], STILL

    def after(self, resume: Resume | None) -> Iterator[TrackedFrame]:
        if resume is not None:
            self.take(resume)
        for k in range(0 if resume is None else resume.done, self.frames):
            time.sleep(self.pause_s)
            before = self.state
            estimate = 0.95 * before.estimate + np.sin(k * np.array([0.3, 0.7, 1.1]))
            turn = RigidTransform.from_rotation(Rotation.from_rotvec(0.01 * estimate))
            step = estimate - before.estimate
            self.state = State(estimate, 2 * estimate, turn * before.pose, step, 2 * step, turn, 0.1)
            self.resume = Resume(k + 1, self.state, 0, 0, 0, False, tuple(self.notes)) if k % 100 >= BUSY else None
            self.made += 1
            yield self._frame(k, self.state)
        self.left = (self.frames - 5, 0.25)

    def take(self, resume: Resume) -> None:
        assert resume.state is not None
        self.state, self.notes = resume.state, list(resume.notes)

    def _frame(self, k: int, state: State) -> TrackedFrame:
        rest = self.rest.fitted.fit.vertices_mm
        valid = np.ones(len(rest), bool)
        valid[k % 50 :: 50] = False
        if k % 37 == 5:
            nothing = np.full(rest.shape, np.nan)
            unseen = np.zeros(len(rest), bool)
            return TrackedFrame(k, k / FPS, nothing, unseen, state.pose, np.nan, True, "no surface was recorded")
        anchor = {"anchored": True, "drift_mm": 0.1 + k / 1000, "anchor": k - 30} if k % 100 == 60 else {}
        return TrackedFrame(k, k / FPS, rest + state.estimate, valid, state.pose, 0.1 + 0.001 * (k % 7), **anchor)


def main() -> None:
    folder = Path(sys.argv[1])
    stored = stored_tracking(folder / "parts", Stub(0.002), RUN)  # type: ignore[arg-type]
    stored.write(folder / "tracked.npz.new")
    (folder / "tracked.npz.new").rename(folder / "tracked.npz")


if __name__ == "__main__":
    main()
