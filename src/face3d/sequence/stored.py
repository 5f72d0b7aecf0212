"""Tracking that can be stopped at any moment: what is done is stored in parts, and the next run goes on after them.

A part is written aside and renamed, so that it is there whole or not at all. After each part tracking goes on from what
was stored, also in a run that nobody stopped: so both end with the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import RigidTransform

from face3d.errors import OutputError
from face3d.sequence.state import State
from face3d.sequence.track import Resume, Tracking
from face3d.sequence.tracked import Tracked, TrackedFrame
from face3d.sequence.tracked_files import as_npz, joined, packed, read_arrays, tracked_from

#: Frames of a part, at least: some seconds of work. A part ends where no frame is being fitted anew.
PART = 149
RUN = "run.json"


def stored_tracking(
    folder: Path, tracking: Tracking, of: Mapping[str, object], step: Callable[[int], None] = lambda done: None
) -> tuple[Tracked, dict[str, np.ndarray]]:
    """Tracks a recording and stores it in parts in `folder`, going on after those that are there of the same run.

    `of` says what is tracked and how; parts of anything else are removed. `step` is told how many frames are done.
    Returns the recording as it is stored, and the arrays of its tracked.npz. Raises what tracking raises, and
    `OutputError` when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _same_run(folder, of)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}; give another folder with --out") from None
    parts, resume, ended = _done(folder)
    rest = tracking.rest
    frame = rest.fitted.fit
    coming = iter(()) if ended else tracking.after(resume)
    while not ended:
        frames, ended = _part(coming, tracking, lambda n, before=resume: step(n + _count(before)))
        if not frames:
            break
        said = {"said": np.frombuffer(json.dumps(list(tracking.notes)).encode(), np.uint8)}
        part = packed(frames, frame.vertices_mm) | _arrays(None if ended else tracking.resume) | said
        _write(folder / f"{len(parts):06d}.npz", as_npz(part))
        parts.append(part)
        resume = _resume(part)
        if resume is not None:
            tracking.take(resume)
    facts = {
        "name": tracking.sequence.name,
        "fps": tracking.sequence.fps,
        "notes": [*tracking.sequence.notes, *rest.notes, *_notes(parts[-1] if parts else {})],
        "movement": frame.template.movement,
    }
    whole = joined(parts, facts, frame.vertices_mm)
    return tracked_from(whole), whole


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


def _done(folder: Path) -> tuple[list[dict[str, np.ndarray]], Resume | None, bool]:
    """The parts that are there in a row, where to go on, and whether they are all."""
    parts: list[dict[str, np.ndarray]] = []
    while (file := folder / f"{len(parts):06d}.npz").is_file():
        parts.append(read_arrays(file))
    ended = bool(parts) and "resume_done" not in parts[-1]
    return parts, None if ended or not parts else _resume(parts[-1]), ended


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
