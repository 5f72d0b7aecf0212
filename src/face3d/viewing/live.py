"""A face while it is recorded: its newest frame, tracked and drawn beside the face at rest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from face3d.io.prefetch import newest
from face3d.io.sequence import Sequence
from face3d.landmarks import SIDES
from face3d.report.scenes import frames_scene
from face3d.report.viewer import State
from face3d.scan import FaceScan
from face3d.sequence.track import track
from face3d.sequence.tracked import TrackedFrame
from face3d.viewing.window import Window


class Live:
    """A recording that is still being written, in a `window`. Iterating draws frame after frame and yields each as it
    has been drawn; frames that later ones overtook meanwhile are not looked at.

    `rest`: the same person's face at rest; else the first frame is taken for it. Raises what `track` and `Window` do.
    """

    def __init__(self, recording: Sequence, rest: FaceScan | None = None, off_screen: bool = False) -> None:
        now = Sequence(recording.name, recording.fps, lambda start: newest(lambda: recording.read(start)))
        self._tracking = track(now, rest)
        fit = self._tracking.rest.fitted.fit
        self._template, self._rest = fit.template, fit.vertices_mm
        self._marks = self._template.landmark_points(self._rest)
        self.window = Window(frames_scene(self._template, self._rest, [self._rest], [0.0]), off_screen)

    def __iter__(self) -> Iterator[TrackedFrame]:
        for frame in self._tracking:
            self.window.now(self._state(frame), pane=1)
            yield frame
            if self.window.closed:
                return

    def _state(self, frame: TrackedFrame) -> State:
        if frame.lost:
            return State(f"{frame.time_s:.1f} s: {frame.reason}", self._rest, {"movement": self._rest[:, 0] * np.nan})
        moved = np.linalg.norm(frame.vertices_mm - self._rest, axis=1)
        at = self._template.landmark_points(frame.vertices_mm)
        corners = (f"{s} {np.linalg.norm(at[f'ch_{s}'] - self._marks[f'ch_{s}']):.0f}" for s in reversed(SIDES))
        said = f"{frame.time_s:.1f} s   mouth corners, mm: {', '.join(corners)}"
        return State(said, frame.vertices_mm, {"movement": np.where(frame.valid, moved, np.nan)})
