"""The template followed through a recording, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.transform import RigidTransform

from face3d.errors import Face3DError
from face3d.geometry.mesh import lengths
from face3d.scan import FaceScan
from face3d.sequence.anchors import Anchors, Anew, Rest, anew, rest_of
from face3d.sequence.follow import Followed, Follower
from face3d.sequence.material import Material
from face3d.sequence.points import Reader, Trajectories
from face3d.sequence.space import Projection, space_of
from face3d.sequence.state import State
from face3d.sequence.tracked import Tracked, TrackedFrame
from face3d.template.exam_fit import FittedExam
from face3d.template.fit import TemplateFit
from face3d.template.identity import AnotherPersonError
from face3d.threads import one_blas_thread

if TYPE_CHECKING:
    from face3d.io.sequence import Frame, Sequence

#: Frames from one that is fitted anew in the background to the next: that takes one to two seconds of a core.
ANCHOR_EVERY = 150
#: mm: tracking that lies further than this off a fit of its own (median) has slid, and is set right.
SLID_MM = 1.5
#: Below this share of the face, or above this median distance (mm; or so many times that of the first frames), a frame
#: does not show the face. Above the last number of mm, or so many times as usual, parts over bone stand off so far that
#: it is asked whether the face is another person's (two people's lie 0.58 mm apart or more, `template.identity`).
LEAST_SHARE, MOST_MM, MOST_TIMES, UNLIKE_MM = 0.3, 1.0, 3.0, 0.6
#: So many good frames tell what is usual.
LOOKED = 10
#: After so many lost frames the face is no longer sought where it was; it is sought anew at least every so many
#: seconds of the recording.
GAP, SEEK_S = 15, 2.0


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
    missed: int
    trusted: int
    by_material: bool
    notes: tuple[str, ...]


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
        #: What there is to say about the last iteration.
        self.notes: list[str] = []

    @cached_property
    def rest(self) -> Rest:
        """The face at rest (fitted when first asked for)."""
        with one_blas_thread():
            return rest_of(self.sequence, self._given)

    def __iter__(self) -> Iterator[TrackedFrame]:
        return self.after(None)

    def after(self, resume: Resume | None) -> Iterator[TrackedFrame]:
        """The frames that follow those after which `resume` was taken."""
        with one_blas_thread():  # held between frames: to ask for it each time takes milliseconds
            run = self._run = _Run(self)
            try:
                if resume is not None:
                    run.learn_again(resume.done)
                    self.take(resume)
                start = 0 if resume is None else resume.done
                for index, frame in enumerate(self.sequence.read(start), start):
                    found = run.frame(index, frame)
                    self.resume = run.resume(index + 1)
                    yield found
                self.left = run.last()
            finally:
                run.anchors.close()

    def take(self, resume: Resume) -> None:
        """Goes on from where `resume` was taken: as it was stored, to the last digit."""
        run = self._run
        run.state, run.gap, run.missed, run.trusted = resume.state, resume.gap, resume.missed, resume.trusted
        run.pending = None
        if not resume.by_material:
            run.material, run.by_material = None, False
        self.notes[:] = resume.notes

    def points(self) -> Trajectories:
        """What kinematics reads of all frames, whose vertices are not kept."""
        fit = self.rest.fitted.fit
        read, times, reasons = Reader(fit.template, fit.vertices_mm), [], {}
        for k, frame in enumerate(self):
            read.take(frame.vertices_mm.astype(np.float32), frame.valid, frame.lost)
            times.append(frame.time_s)
            if frame.lost:
                reasons[k] = frame.reason or "lost"
        return read.trajectories(self.sequence.name, times, reasons, self._said())

    def _said(self) -> tuple[str, ...]:
        return (*self.sequence.notes, *self.rest.notes, *self.notes)

    def collect(self) -> Tracked:
        """All frames, in memory."""
        vertices, frames = [], []
        for frame in self:
            vertices.append(frame.vertices_mm.astype(np.float32))
            frames.append((frame.time_s, frame.valid, frame.lost, frame.residual_mm, frame.reason))
        fit = self.rest.fitted.fit
        times, valid, lost, residual, reasons = zip(*frames, strict=True) if frames else ([], [], [], [], [])
        drift = np.full(len(frames), np.nan)
        for index, off in self.drift.items():
            drift[index] = off
        shape = (-1, len(fit.vertices_mm))
        return Tracked(
            fit.template,
            self.sequence.name,
            self.sequence.fps,
            fit.vertices_mm,
            np.array(times, np.float64),
            np.array(vertices, np.float32).reshape(*shape, 3),
            np.array(valid, bool).reshape(shape),
            np.array(lost, bool),
            np.array(residual, np.float64),
            drift,
            {k: reason or "lost" for k, reason in enumerate(reasons) if lost[k]},
            self._said(),
        )


@dataclass
class _Pending:
    """A frame that is being fitted anew: its index and number, and what tracking found there."""

    index: int
    number: int
    tracked: Followed
    result: Future[Anew]


class _Run:
    """One pass through the frames: where the face is, and what is being fitted anew."""

    def __init__(self, tracking: Tracking) -> None:
        self.tracking, self.rest = tracking, tracking.rest
        fit = self.rest.fitted.fit
        self.space = space_of(fit.template)
        self.follower = Follower(self.space, fit.vertices_mm, fit.valid)
        self.anchors = Anchors(self.rest.fitted)
        self.pending: _Pending | None = None
        self.state: State | None = None
        self.material: Material | None = None
        self.by_material = tracking.sequence.same_topology
        self.gap, self.missed, self.trusted = 0, 0, 0  # frames lost, those among them with a surface
        self.usual, self.looked = (0.0, 0.0), 0  # mm: residual, and what bone stands off, of the first good frames
        tracking.drift.clear()
        tracking.notes.clear()

    def frame(self, index: int, frame: Frame) -> TrackedFrame:
        """The next frame."""
        came = self._came_in(index)
        found, reason = None, frame.reason or "no surface was recorded"
        if frame.scan is not None:
            try:
                found, reason = self._found(index, frame.scan)
            except Face3DError as error:
                reason = str(error)
        if found is None or frame.scan is None:
            self.gap, self.missed = self.gap + 1, self.missed + (frame.scan is not None)
            return self._lost(frame, reason, came)
        self._keep(frame.scan, found)
        if self.pending is None and (index + 1) % self.tracking.anchor_every == 0:
            self.pending = _Pending(index, frame.number, found, self.anchors.begin(frame.scan))
        return TrackedFrame(
            frame.number, frame.time_s, found.vertices, found.valid, found.to_head, found.residual, **came
        )

    def last(self) -> tuple[int, float] | None:
        """What is still being fitted: waits for it; the frame's number, and by how much tracking was off there."""
        off = None if self.pending is None else self._compared(self.pending)
        return None if off is None or self.pending is None else (self.pending.number, off)

    def resume(self, done: int) -> Resume | None:
        """What it takes to go on after `done` frames; None while a frame is being fitted anew."""
        if self.pending is not None:
            return None
        return Resume(
            done, self.state, self.gap, self.missed, self.trusted, self.by_material, tuple(self.tracking.notes)
        )

    def learn_again(self, done: int) -> None:
        """What is learned of a recording is learned in its first frames: looks at these again, of the first `done`."""
        for index, frame in enumerate(self.tracking.sequence.read(0)):
            if index >= done or self.looked >= LOOKED:
                break
            self.frame(index, frame)

    def _found(self, index: int, scan: FaceScan) -> tuple[Followed | None, str]:
        """The face on a scan, or why not. Raises `Face3DError` where it is sought anew in vain."""
        if index == self.rest.index:
            start = np.zeros(self.space.here.shape[2])
            self.state = State.at(self.space, start, self.rest.fitted.fit.to_head)
        found, reason = self._followed(scan)
        if found is None:
            return self._sought(scan) if self._seek_now() else (None, reason)
        if index < self.trusted or found.unlike <= max(UNLIKE_MM, MOST_TIMES * self.usual[1]):
            return found, ""
        self.trusted = index + self.tracking.anchor_every
        try:
            return self._sought(scan)
        except AnotherPersonError:
            self.state = None
            raise
        except Face3DError:  # nothing else is known of it
            return found, ""

    def _followed(self, scan: FaceScan) -> tuple[Followed | None, str]:
        """The face sought where it was, or why it is not there."""
        state = self.state
        if state is None:
            return None, "no face of this person has been found yet"
        if self.material is not None:
            found = self.material.follow(scan, self.follower, state)
            if found is not None and not self._doubt(found):
                return found, ""
        if self.gap > GAP:
            return None, "the face was lost too long ago to be sought where it was"
        reason = ""
        for start in [state, state.stopped()] if self.gap == 0 else [state.stopped()]:
            found = self.follower.follow(scan, start)
            reason = self._doubt(found)
            if not reason:
                return found, ""
        return None, reason

    def _sought(self, scan: FaceScan) -> tuple[Followed | None, str]:
        """The face found anew. Raises `Face3DError`."""
        found = self.follower.follow(scan, self._state_of(anew(scan, self.rest.fitted)))
        reason = self._doubt(found)
        return (None, reason) if reason else (found, "")

    def _state_of(self, found: Anew) -> State:
        rows = self.space.rows
        moved = found.vertices[rows] - self.follower.rest[rows]
        estimate = Projection(self.space, 4.0 * found.valid[rows]).estimate(moved)
        return State.at(self.space, estimate, found.to_head)

    def _seek_now(self) -> bool:
        """A face is sought anew in the first frame without one, then less and less often: that takes some seconds."""
        tries = self.missed + 1
        most = max(int(SEEK_S * self.tracking.sequence.fps), 1)
        return tries & (tries - 1) == 0 if tries < most else tries % most == 0

    def _doubt(self, found: Followed | None) -> str:
        """Why what was followed is not the face; empty where nothing speaks against it."""
        if found is None:
            return "there is no surface where the face was"
        if found.share < LEAST_SHARE:
            return f"{100 * found.share:.0f} % of the face is seen where it was; {100 * LEAST_SHARE:.0f} % are needed"
        most = max(MOST_MM, MOST_TIMES * self.usual[0])
        if not found.residual <= most:
            return f"the face lies {found.residual:.2f} mm (median) off the frame's surface; limit {most:.2f}"
        return ""

    def _keep(self, scan: FaceScan, found: Followed) -> None:
        """Goes on from a frame on which the face is known."""
        self.state, self.gap, self.missed = found.state, 0, 0
        if self.looked < LOOKED:
            self.looked += 1
            self.usual = max(self.usual[0], found.residual), max(self.usual[1], found.unlike)
        if self.by_material and self.material is None and len(scan.faces):
            self.material = Material.of(self.space, scan, found)
        if self.follower.tone is None and self.material is None and _coloured(scan):
            self.follower.learn_tone(scan, found)

    def _came_in(self, index: int) -> dict[str, Any]:
        """What is known with this frame of the one that was being fitted anew: its index decides when, not the
        machine's speed."""
        due = self.pending
        if due is None or index < due.index + max(self.tracking.anchor_every // 2, 1):
            return {}
        self.pending = None
        off = self._compared(due)
        return {} if off is None else {"anchored": True, "drift_mm": off, "anchor": due.number}

    def _compared(self, due: _Pending) -> float | None:
        """mm by which tracking was off; sets it right where it has slid."""
        try:
            own = due.result.result()
        except AnotherPersonError as error:
            self.state, self.gap = None, 0
            self.tracking.notes.append(f"frame {due.number}, and what was tracked from it on: {error}")
            return None
        except Face3DError as error:
            self.tracking.notes.append(f"frame {due.number} could not be fitted anew: {error}")
            return None
        both = own.valid & due.tracked.valid
        if not both.any():
            return None
        off = float(np.median(lengths(own.vertices[both] - due.tracked.vertices[both])))
        self.tracking.drift[due.index] = off
        if off > SLID_MM and self.state is not None:
            change = self._state_of(own).estimate - due.tracked.state.estimate
            self.state = State.at(self.space, self.state.estimate + change, self.state.pose)
            said = f"frame {due.number}: tracking was {off:.1f} mm off (median), and was set right"
            if self.material is not None:
                self.material, self.by_material = None, False
                said += "; the mesh's vertices slide over the face, and are not followed from here on"
            self.tracking.notes.append(said)
        return off

    def _lost(self, frame: Frame, reason: str, came: dict[str, Any]) -> TrackedFrame:
        count = len(self.follower.rest)
        nothing = np.full((count, 3), np.nan), np.zeros(count, bool), RigidTransform.identity()
        return TrackedFrame(frame.number, frame.time_s, *nothing, float("nan"), True, reason, **came)


def _coloured(scan: FaceScan) -> bool:
    return scan.colors is not None or scan.texture is not None
