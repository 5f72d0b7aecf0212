"""A tracked recording on disk: `tracked.npz`, and the parts in which it grows while tracking is under way.

Positions are whole steps of 0.01 mm from rest, a fiftieth of what tracking is off by, and each frame is stored as its
difference from the one before, which packs to a third. What is read off a recording is read off these steps, so that a
run that was stopped and went on says the same to the last digit.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from face3d.errors import ScanError
from face3d.scan import Floats
from face3d.sequence.tracked import Tracked, TrackedFrame
from face3d.template.template import FaceTemplate

#: mm of a step; a way from rest is at most 32767 of them, 32 cm.
STEP_MM = 0.01
VERSION = 1
_PER_FRAME = ("number", "time_s", "lost", "residual_mm", "drift_mm", "drift_at", "to_head")


def packed(frames: Iterable[TrackedFrame], rest: Floats) -> dict[str, np.ndarray]:
    """Frames in a row as arrays: `steps` (n, N, 3) int16, of the first frame from rest, of the others from the frame
    before, 0 where lost; `valid` (n, ...) packed bits; the rest frame by frame; `reasons` as JSON."""
    kept = list(frames)
    at = np.zeros((len(kept) + 1, len(rest), 3), np.int16)
    for k, frame in enumerate(kept):
        at[k + 1] = at[k] if frame.lost else np.rint((frame.vertices_mm - rest) / STEP_MM).astype(np.int16)
    return {
        "steps": np.diff(at, axis=0),  # differences of int16 wrap around, and so do their sums
        "valid": np.packbits(np.array([f.valid for f in kept]).reshape(len(kept), -1), axis=1),
        "number": np.array([f.number for f in kept]),
        "time_s": np.array([f.time_s for f in kept], np.float64),
        "lost": np.array([f.lost for f in kept], bool),
        "residual_mm": np.array([f.residual_mm for f in kept], np.float64),
        "drift_mm": np.array([f.drift_mm for f in kept], np.float64),
        "drift_at": np.array([-1 if f.anchor is None else f.anchor for f in kept]),
        "to_head": np.array([f.to_head.as_matrix() for f in kept]).reshape(-1, 4, 4),
        "reasons": _bytes({str(f.number): f.reason for f in kept if f.lost}),
    }


def joined(parts: Iterable[Mapping[str, np.ndarray]], facts: Mapping[str, Any], rest: Floats) -> dict[str, np.ndarray]:
    """The parts of a recording as one; `facts`: name, fps, notes, movement (whose units the template has)."""
    kept = list(parts)
    out = {name: np.concatenate([p[name] for p in kept]) for name in (*_PER_FRAME, "valid")}
    steps = [p["steps"].copy() for p in kept]
    # A part's first frame is stored from rest; in one piece, from the frame before it.
    for before, part in zip(kept, steps[1:], strict=False):
        part[0] -= before["steps"].sum(axis=0, dtype=np.int16)
    reasons: dict[str, str] = {}
    for p in kept:
        reasons |= json.loads(p["reasons"].tobytes())
    return out | {
        "steps": np.concatenate(steps),
        "rest_mm": np.asarray(rest, np.float64),
        "reasons": _bytes(reasons),
        "facts": _bytes({"format": VERSION, "step_mm": STEP_MM, **facts}),
    }


def tracked_from(stored: Mapping[str, np.ndarray], file: str = "tracked.npz") -> Tracked:
    """The recording that `joined` made. Raises `ScanError` where it is of another template or version."""
    facts = json.loads(stored["facts"].tobytes())
    if facts["format"] != VERSION:
        raise ScanError(f"{file}: written by another version of face3d (format {facts['format']}); track it again")
    template, rest = FaceTemplate.load(facts["movement"]), stored["rest_mm"]
    if rest.shape != template.vertices.shape:
        raise ScanError(f"{file}: has {len(rest)} vertices, the template {len(template.vertices)}; track it again")
    lost, count = stored["lost"], len(stored["lost"])
    vertices = np.empty((count, *rest.shape), np.float32)
    at = np.zeros(rest.shape, np.int16)
    for k in range(count):
        at = at + stored["steps"][k]
        vertices[k] = np.nan if lost[k] else rest + STEP_MM * at.astype(np.float64)
    valid = np.unpackbits(stored["valid"], axis=1, count=len(rest)).astype(bool)
    number = stored["number"]
    drift = np.full(count, np.nan)
    for at_number, off in zip(stored["drift_at"], stored["drift_mm"], strict=True):
        if at_number >= 0:
            drift[np.flatnonzero(number == at_number)] = off
    said = json.loads(stored["reasons"].tobytes())
    return Tracked(
        template,
        facts["name"],
        facts["fps"],
        rest,
        stored["time_s"],
        vertices,
        valid,
        lost,
        stored["residual_mm"],
        drift,
        {int(k): said[str(number[k])] or "lost" for k in np.flatnonzero(lost)},
        tuple(facts["notes"]),
    )


def read_tracked(path: str | os.PathLike[str]) -> Tracked:
    """A recording that `face3d sequence` tracked, from its tracked.npz. Raises `ScanError` when it cannot be read."""
    stored = read_arrays(Path(path))
    if missing := {"facts", "steps", "rest_mm", "reasons", "valid", *_PER_FRAME} - stored.keys():
        raise ScanError(f"{path}: is no tracked recording: it lacks {', '.join(sorted(missing))}")
    return tracked_from(stored, str(path))


def read_arrays(file: Path) -> dict[str, np.ndarray]:
    """The arrays of a file. Raises `ScanError` when it cannot be read."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise ScanError(f"{file}: cannot be read ({error}); is it a tracked.npz that face3d wrote?") from error


def as_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The arrays as the bytes of an .npz, the same for the same arrays."""
    out = io.BytesIO()
    np.savez_compressed(out, **dict(arrays))
    return out.getvalue()


def _bytes(value: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def rounded(tracked: Tracked) -> Tracked:
    """The same as it would come back from a file."""
    steps = np.rint((tracked.vertices_mm - tracked.rest_mm) / STEP_MM)
    return replace(tracked, vertices_mm=(tracked.rest_mm + STEP_MM * steps).astype(np.float32))
