"""The template followed through a recording, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import RigidTransform

from face3d.errors import Face3DError
from face3d.scan import FaceScan
from face3d.sequence.anchors import Anchors, Anew, Rest, anew, rest_of
from face3d.sequence.follow import Followed, Follower, State
from face3d.sequence.space import space_of
from face3d.sequence.tracked import Tracked, TrackedFrame
from face3d.template.exam_fit import FittedExam
from face3d.template.fit import TemplateFit
from face3d.threads import one_blas_thread

if TYPE_CHECKING:
    from face3d.io.sequence import Frame, Sequence

#: Frames from one that is fitted anew in the background to the next: that takes about 3 s of one core.
ANCHOR_EVERY = 150
#: mm: tracking that lies further than this off a fit of its own (median) has slid, and is set right.
SLID_MM = 1.5
#: Below this share of the face, or above this median distance (mm; or so many times that of the first frames), a frame
#: does not show the face.
LEAST_SHARE, MOST_MM, MOST_TIMES = 0.3, 1.0, 3.0
#: After so many lost frames the face is no longer sought where it was.
GAP = 15


def track(
    sequence: Sequence,
    rest: FaceScan | TemplateFit | FittedExam | None = None,
    *,
    anchor_every: int = ANCHOR_EVERY,
) -> Tracking:
    """Follow one face through a recording: iterate over the result for a `TrackedFrame` of each frame as it is done,
    or `.collect()` all of them.

    `rest`: the same person's face at rest, scanned or fitted before. Without it the first frame on which a face can be
    fitted is taken for rest: movement is then measured from that frame, whatever the face did in it. `anchor_every`
    frames one is fitted anew in the background, independently of all others; by how much tracking was off there is
    reported, and where it has slid it is set right. A frame without a surface, without a face, or with another
    person's, is yielded as lost with the reason, and the face is sought again. Same result in every run; time and
    memory a frame do not grow. Raises `RegistrationError` and what fitting raises when there is no face at rest.
    """
    return Tracking(sequence, rest, anchor_every)


@dataclass(frozen=True)
class Resume:
    """Where tracking stands after `done` frames: see `Tracking.after`."""

    done: int
    state: State | None
    gap: int
    usual: float


class Tracking:
    """A recording being tracked; see `track`. Iterating again tracks again."""

    def __init__(self, sequence: Sequence, rest: FaceScan | TemplateFit | FittedExam | None, anchor_every: int) -> None:
        self.sequence, self.anchor_every = sequence, anchor_every
        self._given = rest
        #: Index of each frame that was fitted anew -> mm by which tracking was off there, of the last iteration.
        self.drift: dict[int, float] = {}
        #: What it takes to go on after the frame that was yielded last; None while a frame is being fitted anew.
        self.resume: Resume | None = None
        #: Number of the frame that was still being fitted anew at the end, and by how much tracking was off there.
        self.left: tuple[int, float] | None = None

    @cached_property
    def rest(self) -> Rest:
        """The face at rest (fitted when first asked for)."""
        with one_blas_thread():
            return rest_of(self.sequence, self._given)

    def __iter__(self) -> Iterator[TrackedFrame]:
        return self.after(None)

    def after(self, resume: Resume | None) -> Iterator[TrackedFrame]:
        """The frames that follow those after which `resume` was taken."""
        run = _Run(self)
        if resume is not None:
            run.state, run.gap, run.usual = resume.state, resume.gap, resume.usual
        start = 0 if resume is None else resume.done
        try:
            for index, frame in enumerate(self.sequence.read(start), start):
                with one_blas_thread():
                    found = run.frame(index, frame)
                self.resume = Resume(index + 1, run.state, run.gap, run.usual) if run.pending is None else None
                yield found
            self.left = run.last()
        finally:
            run.anchors.close()

    def collect(self) -> Tracked:
        """All frames, in memory."""
        frames = list(self)
        fit = self.rest.fitted.fit
        drift = np.full(len(frames), np.nan)
        for index, off in self.drift.items():
            drift[index] = off
        count = len(fit.vertices_mm)
        return Tracked(
            fit.template,
            self.sequence.name,
            self.sequence.fps,
            fit.vertices_mm,
            np.array([f.time_s for f in frames]),
            np.array([f.vertices_mm for f in frames], np.float32).reshape(-1, count, 3),
            np.array([f.valid for f in frames], bool).reshape(-1, count),
            np.array([f.lost for f in frames], bool),
            np.array([f.residual_mm for f in frames]),
            drift,
            {k: f.reason or "lost" for k, f in enumerate(frames) if f.lost},
            (*self.sequence.notes, *self.rest.notes),
        )


@dataclass
class _Pending:
    """A frame that is being fitted anew: its index and number, and what tracking found there."""

    index: int
    number: int
    tracked: Followed
    result: Future[Anew]


class _Run:
    """One pass through the frames."""

    def __init__(self, tracking: Tracking) -> None:
        self.tracking, self.rest = tracking, tracking.rest
        fit = self.rest.fitted.fit
        self.space = space_of(fit.template)
        self.follower = Follower(self.space, fit.vertices_mm, fit.valid)
        self.anchors = Anchors(self.rest.fitted)
        self.state: State | None = None
        self.gap, self.pending = 0, None
        self.usual = 0.0  # mm: residual of the first good frames
        tracking.drift.clear()

    def frame(self, index: int, frame: Frame) -> TrackedFrame:
        """The next frame."""
        came = self._anchor_due(index)
        if frame.scan is None:
            self.gap += 1
            return self._lost(frame, frame.reason or "no surface was recorded", came)
        if index == self.rest.index:
            fit = self.rest.fitted.fit
            self.state = State.at(np.zeros(self.space.here.shape[2]), fit.to_head)
        found, reason = self._followed(frame.scan)
        if found is None and self._seek_now():
            try:
                found, reason = self._sought(frame.scan)
            except Face3DError as error:
                reason = str(error)
        if found is None:
            self.gap += 1
            return self._lost(frame, reason, came)
        self.state, self.gap = found.state, 0
        self.usual = max(self.usual, found.residual) if index < 10 else self.usual
        if self.pending is None and (index + 1) % self.tracking.anchor_every == 0:
            self.pending = _Pending(index, frame.number, found, self.anchors.begin(frame.scan))
        return TrackedFrame(
            frame.number, frame.time_s, found.vertices, found.valid, found.to_head, found.residual, **came
        )

    def last(self) -> tuple[int, float] | None:
        """What is still being fitted: waits for it; the frame's number, and by how much tracking was off there."""
        off = None if self.pending is None else self._anchored(self.pending)
        return None if off is None or self.pending is None else (self.pending.number, off)

    def _followed(self, scan: FaceScan) -> tuple[Followed | None, str]:
        """The face sought where it was, or why not."""
        reason = "no face has been found yet"
        if self.state is None or self.gap > GAP:
            return None, reason if self.state is None else "the face was lost too long ago to be sought where it was"
        starts = [self.state] if self.gap == 0 else []
        starts.append(State.at(self.state.estimate, self.state.pose))
        for start in starts:
            found = self.follower.follow(scan, start)
            reason = self._doubt(found)
            if not reason:
                return found, ""
        return None, reason

    def _sought(self, scan: FaceScan) -> tuple[Followed | None, str]:
        """The face found anew. Raises `Face3DError`."""
        start = self._state_of(anew(scan, self.rest.fitted))
        found = self.follower.follow(scan, start)
        reason = self._doubt(found)
        return (None, reason) if reason else (found, "")

    def _state_of(self, found: Anew) -> State:
        rows = self.space.rows
        moved = found.vertices[rows] - self.follower.rest[rows]
        return State.at(self.space.estimate_of(moved, 4.0 * found.valid[rows]), found.to_head)

    def _seek_now(self) -> bool:
        """A face is sought anew in the first lost frame, then less and less often: that takes seconds."""
        tries = self.gap + 1
        most = max(int(4 * self.tracking.sequence.fps), 1)
        return tries & (tries - 1) == 0 if tries < most else tries % most == 0

    def _doubt(self, found: Followed | None) -> str:
        """Why what was followed is not the face; empty where nothing speaks against it."""
        if found is None:
            return "there is no surface where the face was"
        if found.share < LEAST_SHARE:
            return f"{100 * found.share:.0f} % of the face is seen where it was; {100 * LEAST_SHARE:.0f} % are needed"
        most = max(MOST_MM, MOST_TIMES * self.usual)
        if found.residual > most:
            return f"the face lies {found.residual:.2f} mm (median) off the frame's surface; limit {most:.2f}"
        return ""

    def _anchor_due(self, index: int) -> dict[str, object]:
        """What came in with this frame from the one that was being fitted anew."""
        due = self.pending
        if due is None or index < due.index + self.tracking.anchor_every - 1:
            return {}
        self.pending = None
        off = self._anchored(due)
        if off is None:
            return {}
        return {"anchored": True, "drift_mm": off, "anchor": due.number}

    def _anchored(self, due: _Pending) -> float | None:
        try:
            own = due.result.result()
        except Face3DError:
            return None
        both = own.valid & due.tracked.valid
        apart = np.linalg.norm(own.vertices[both] - due.tracked.vertices[both], axis=1)
        off = float(np.median(apart)) if len(apart) else np.nan
        self.tracking.drift[due.index] = off
        if off > SLID_MM and self.state is not None:
            change = self._state_of(own).estimate - due.tracked.state.estimate
            self.state = State.at(self.state.estimate + change, self.state.pose)
        return off

    def _lost(self, frame: Frame, reason: str, came: dict) -> TrackedFrame:
        count = len(self.follower.rest)
        nothing = np.full((count, 3), np.nan), np.zeros(count, bool), RigidTransform.identity()
        return TrackedFrame(frame.number, frame.time_s, *nothing, float("nan"), True, reason, **came)
