"""Tracking that can be stopped at any moment: what is done is stored in parts, and the next run goes on after them.

A part is written aside and renamed, so that it is there whole or not at all. After each part tracking goes on from what
was stored, also in a run that nobody stopped: so both end with the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import RigidTransform

from face3d.errors import OutputError
from face3d.scan import Floats
from face3d.sequence.points import Reader, Trajectories
from face3d.sequence.state import State
from face3d.sequence.track import Resume, Tracking
from face3d.sequence.tracked import TrackedFrame
from face3d.sequence.tracked_files import as_npz, drift_of, frames_of, packed, read_arrays, seen_in, written
from face3d.template.template import FaceTemplate
from face3d.values import Value

#: Frames of a part, at least: some seconds of work. A part ends where no frame is being fitted anew.
PART = 149
RUN = "run.json"


@dataclass(frozen=True, eq=False, repr=False)
class Stored(Value):
    """A tracked recording that lies on disk in parts, `files`, and is read a part at a time: as `Tracked`, without all
    vertices at once. `template`, `rest_mm` (N, 3); `points` what kinematics reads; `lost`, `residual_mm`, `drift_mm`
    (T,); `facts` name, fps, notes and movement."""

    files: tuple[Path, ...]
    template: FaceTemplate
    rest_mm: Floats
    points: Trajectories
    lost: np.ndarray
    residual_mm: Floats
    drift_mm: Floats
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, files: Sequence[Path], template: FaceTemplate, rest_mm: Floats, facts: Mapping[str, Any]) -> Stored:
        """Reads the parts' small numbers, and points off their vertices."""
        read, reasons, done = Reader(template, rest_mm), {}, 0
        names = ("number", "time_s", "lost", "residual_mm", "drift_mm", "drift_at")
        small: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for file in files:
            part = read_arrays(file)
            for name, kept in small.items():
                kept.append(part[name])
            said = json.loads(part["reasons"].tobytes())
            lost, valid = part["lost"], seen_in(part, len(rest_mm))
            reasons |= {done + int(k): said[str(part["number"][k])] or "lost" for k in np.flatnonzero(lost)}
            done += len(lost)
            for vertices, shown, gone in zip(frames_of(part["steps"], lost, rest_mm), valid, lost, strict=True):
                read.take(vertices, shown, bool(gone))
        found = {name: np.concatenate(kept) if kept else np.empty(0) for name, kept in small.items()}
        points = read.trajectories(facts["name"], found["time_s"], reasons, facts["notes"])
        drift = drift_of(found["number"], found["drift_at"], found["drift_mm"])
        return cls(tuple(files), template, rest_mm, points, found["lost"], found["residual_mm"], drift, dict(facts))

    def __len__(self) -> int:
        return len(self.lost)

    @property
    def times_s(self) -> Floats:
        """(T,) seconds."""
        return self.points.times_s

    def some(self, frames: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (n, N, 3) float32 mm, and which of them are seen (n, N), of n frames."""
        asked, first = {int(k): n for n, k in enumerate(frames)}, 0
        vertices = np.full((len(frames), *self.rest_mm.shape), np.nan, np.float32)
        valid = np.zeros(vertices.shape[:2], bool)
        for file in self.files:
            if first > max(asked, default=-1):
                break
            part = read_arrays(file)
            count = len(part["lost"])
            if any(first <= k < first + count for k in asked):
                seen = seen_in(part, len(self.rest_mm))
                for k, frame in enumerate(frames_of(part["steps"], part["lost"], self.rest_mm), first):
                    if k in asked:
                        vertices[asked[k]], valid[asked[k]] = frame, seen[k - first]
            first += count
        return vertices, valid

    def write(self, file: Path) -> None:
        """Writes tracked.npz. Raises `OutputError` where that is not possible."""
        try:
            with file.open("wb") as out:
                written(out, lambda: map(read_arrays, self.files), self.facts, self.rest_mm)
        except OSError as error:
            raise OutputError(f"{file}: cannot be written: {error.strerror}") from None


def stored_tracking(
    folder: Path, tracking: Tracking, of: Mapping[str, object], step: Callable[[int], None] = lambda done: None
) -> Stored:
    """Tracks a recording and stores it in parts in `folder`, going on after those that are there of the same run.

    `of` says what is tracked and how; parts of anything else are removed. `step` is told how many frames are done. The
    parts must stay where they are as long as the result is used. Raises what tracking raises, and `OutputError` when
    the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _same_run(folder, of)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}; give another folder with --out") from None
    files, resume, notes, ended = _done(folder)
    rest = tracking.rest
    fit = rest.fitted.fit
    coming = iter(()) if ended else tracking.after(resume)
    while not ended:
        frames, ended = _part(coming, tracking, lambda n, before=resume: step(n + _count(before)))
        if not frames:
            break
        notes = list(tracking.notes)
        said = {"said": np.frombuffer(json.dumps(notes).encode(), np.uint8)}
        part = packed(frames, fit.vertices_mm) | _arrays(None if ended else tracking.resume) | said
        files.append(folder / f"{len(files):06d}.npz")
        _write(files[-1], as_npz(part))
        resume = _resume(part)
        if resume is not None:
            tracking.take(resume)
    facts = {
        "name": tracking.sequence.name,
        "fps": tracking.sequence.fps,
        "notes": [*tracking.sequence.notes, *rest.notes, *notes],
        "movement": fit.template.movement,
    }
    return Stored.of(files, fit.template, fit.vertices_mm, facts)


def _part(
    frames: Iterator[TrackedFrame], tracking: Tracking, step: Callable[[int], None]
) -> tuple[list[TrackedFrame], bool]:
    """The frames of one part, and whether they are the last."""
    kept: list[TrackedFrame] = []
    for frame in frames:
        kept.append(frame)
        step(len(kept))
        if len(kept) >= PART and tracking.resume is not None:
            return kept, False
    # What was still being fitted anew at the end has no later frame to come in with.
    if tracking.left is not None and kept and not kept[-1].anchored:
        number, off = tracking.left
        kept[-1] = replace(kept[-1], anchored=True, drift_mm=off, anchor=number)
    return kept, True


def _count(resume: Resume | None) -> int:
    return 0 if resume is None else resume.done


def _same_run(folder: Path, of: Mapping[str, object]) -> None:
    """Makes the folder one of this run: parts of another are removed."""
    said = json.dumps(dict(of), sort_keys=True)
    file = folder / RUN
    if not (file.is_file() and file.read_text("utf-8") == said):
        for part in folder.glob("*.npz*"):
            part.unlink()
        _write(file, said.encode())


def _done(folder: Path) -> tuple[list[Path], Resume | None, list[str], bool]:
    """The parts that are there in a row, where to go on, what was said, and whether they are all."""
    files: list[Path] = []
    part: Mapping[str, np.ndarray] = {}
    while (file := folder / f"{len(files):06d}.npz").is_file():
        part = read_arrays(file)
        files.append(file)
    ended = bool(files) and "resume_done" not in part
    return files, None if ended or not files else _resume(part), _notes(part), ended


def _arrays(resume: Resume | None) -> dict[str, np.ndarray]:
    if resume is None:
        return {}
    out = {
        "resume_done": np.array(resume.done),
        "resume_gap": np.array(resume.gap),
        "resume_missed": np.array(resume.missed),
        "resume_trusted": np.array(resume.trusted),
        "resume_by_material": np.array(resume.by_material),
    }
    if (s := resume.state) is not None:
        out |= {"resume_estimate": s.estimate, "resume_step": s.step, "resume_noise": np.array(s.noise)}
        out |= {"resume_moved": s.moved, "resume_moving": s.moving}
        out |= {"resume_pose": s.pose.as_matrix(), "resume_turn": s.turn.as_matrix()}
    return out


def _resume(part: Mapping[str, np.ndarray]) -> Resume | None:
    if "resume_done" not in part:
        return None
    state = None
    if "resume_pose" in part:
        pose, turn = (RigidTransform.from_matrix(part[f"resume_{n}"]) for n in ("pose", "turn"))
        estimate, moved, step, moving = (part[f"resume_{n}"] for n in ("estimate", "moved", "step", "moving"))
        state = State(estimate, moved, pose, step, moving, turn, float(part["resume_noise"]))
    done, gap, missed, trusted = (int(part[f"resume_{n}"]) for n in ("done", "gap", "missed", "trusted"))
    return Resume(done, state, gap, missed, trusted, bool(part["resume_by_material"]), tuple(_notes(part)))


def _notes(part: Mapping[str, np.ndarray]) -> list[str]:
    """What tracking had said by the end of a part."""
    return json.loads(part["said"].tobytes()) if "said" in part else []


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all, also when the machine stops."""
    aside = file.with_name(f"{file.name}.new")
    try:
        with aside.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(aside, file)
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror}; give another folder with --out") from None
