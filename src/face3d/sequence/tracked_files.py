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
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

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


def written(
    out: BinaryIO, parts: Callable[[], Iterable[Mapping[str, np.ndarray]]], facts: Mapping[str, Any], rest: Floats
) -> None:
    """Writes the parts of a recording as one .npz, the same bytes for the same parts; they are gone through twice and
    never held together. `facts`: name, fps, notes, movement (whose units the template has)."""
    small: dict[str, list[np.ndarray]] = {name: [] for name in (*_PER_FRAME, "valid")}
    reasons: dict[str, str] = {}
    for part in parts():
        for name, kept in small.items():
            kept.append(part[name])
        reasons |= json.loads(part["reasons"].tobytes())
    arrays = {name: np.concatenate(kept) for name, kept in small.items()}
    count = len(arrays["lost"])
    arrays |= {
        "rest_mm": np.asarray(rest, np.float64),
        "reasons": _bytes(reasons),
        "facts": _bytes({"format": VERSION, "step_mm": STEP_MM, **facts}),
    }
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        with archive.open("steps.npy", "w", force_zip64=True) as member:
            shape = {"descr": "<i2", "fortran_order": False, "shape": (count, *np.shape(rest))}
            np.lib.format.write_array_header_1_0(member, shape)
            at = np.zeros(np.shape(rest), np.int16)
            for part in parts():
                steps = part["steps"].astype("<i2", copy=True)
                end = steps.sum(axis=0, dtype=np.int16)
                steps[0] -= at  # a part's first frame is stored from rest; in one piece, from the frame before it
                at = end
                member.write(steps.tobytes())


def frames_of(steps: np.ndarray, lost: np.ndarray, rest: Floats) -> Iterator[np.ndarray]:
    """(N, 3) float32 mm of each frame in a row that begins from rest; NaN where lost."""
    at = np.zeros(rest.shape, np.int16)
    for step, gone in zip(steps, lost, strict=True):
        at = at + step
        yield np.full(rest.shape, np.nan, np.float32) if gone else _positions(rest, at)


def _positions(rest: Floats, steps: np.ndarray) -> np.ndarray:
    return (rest + STEP_MM * steps.astype(np.float64)).astype(np.float32)


def seen_in(stored: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    """(T, N) bool: the vertices that each frame shows, of `count`."""
    return np.unpackbits(stored["valid"], axis=1, count=count).astype(bool)


def drift_of(number: np.ndarray, drift_at: np.ndarray, drift_mm: Floats) -> Floats:
    """(T,) mm by which tracking was off, at the frames that were fitted anew; else NaN."""
    drift = np.full(len(number), np.nan)
    for at_number, off in zip(drift_at, drift_mm, strict=True):
        if at_number >= 0:
            drift[np.flatnonzero(number == at_number)] = off
    return drift


def tracked_from(stored: Mapping[str, np.ndarray], file: str = "tracked.npz") -> Tracked:
    """The recording that `written` wrote. Raises `ScanError` where it is of another template or version."""
    facts = json.loads(stored["facts"].tobytes())
    if facts["format"] != VERSION:
        raise ScanError(f"{file}: written by another version of face3d (format {facts['format']}); track it again")
    template, rest = FaceTemplate.load(facts["movement"]), stored["rest_mm"]
    if rest.shape != template.vertices.shape:
        raise ScanError(f"{file}: has {len(rest)} vertices, the template {len(template.vertices)}; track it again")
    lost, number = stored["lost"], stored["number"]
    vertices = np.empty((len(lost), *rest.shape), np.float32)
    for k, frame in enumerate(frames_of(stored["steps"], lost, rest)):
        vertices[k] = frame
    said = json.loads(stored["reasons"].tobytes())
    return Tracked(
        template,
        facts["name"],
        facts["fps"],
        rest,
        stored["time_s"],
        vertices,
        seen_in(stored, len(rest)),
        lost,
        stored["residual_mm"],
        drift_of(number, stored["drift_at"], stored["drift_mm"]),
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
    np.savez_compressed(out, **dict(arrays))  # type: ignore[arg-type]  # its types take any name for allow_pickle
    return out.getvalue()


def _bytes(value: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)
