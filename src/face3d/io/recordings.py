"""Whether something on disk is a recording, and of what: surfaces, markers, or coefficients of movement."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from face3d.errors import Face3DError, ScanError
from face3d.io import guard
from face3d.io.depth_frames import depth_folder
from face3d.io.frame_files import SUFFIXES
from face3d.io.frame_numbers import listed
from face3d.io.live_link import Coefficients, read_live_link
from face3d.io.markers import Markers, read_markers
from face3d.io.sequence import Sequence
from face3d.io.sequence_read import FOREIGN, read_sequence

_FILES = (".pc2", ".mdd", ".npy", ".c3d", ".jsonl", *FOREIGN)
_OTHERS = ("exam.json", "result.json")
_CLOUD = re.compile(rb"(?:^|[,;\t])\W*x\W*[,;\t]", re.IGNORECASE)  # a column named x: points of one scan
_MARKERS = re.compile(rb"trajectories|(?:^|[,;\t])[^,;\t]+[ _.:-]x[,;\t][^,;\t]+[ _.:-]y[,;\t]", re.IGNORECASE)


def is_recording(path: Path) -> bool:
    """Whether `read_recording` is to read it, and not `read_scan` or `read_exam`."""
    suffix = path.suffix.lower()
    if path.is_dir():
        if any((path / name).exists() for name in _OTHERS):
            return False
        if depth_folder(path) is not None:
            return True
        return any(len(files) > 1 for files in listed(path, SUFFIXES).values())
    if "*" in path.name or (suffix in _FILES and suffix != ".tsb"):
        return True
    if suffix == ".npz" and zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                return "vertices.npy" in archive.namelist() and "face3d_scan.npy" not in archive.namelist()
        except (zipfile.BadZipFile, OSError):
            return False
    return suffix == ".csv" and path.is_file() and _kind(path) != "surfaces"


def read_recording(
    path: Path, fps: float | None = None, units: str | float = "auto", base: Path | None = None
) -> Sequence | Markers | Coefficients:
    """The recording at `path`, by whichever of `read_sequence`, `read_markers` and `read_live_link` reads it."""
    kind = _kind(path) if path.is_file() else "surfaces"
    if kind == "markers":
        return read_markers(path, None, fps, units)
    return read_live_link(path, fps) if kind == "coefficients" else read_sequence(path, fps, units, base=base)


def read_movement(
    path: Path, fps: float | None = None, units: str | float = "auto", base: Path | None = None
) -> Sequence | Markers:
    """The recorded positions at `path`. Raises `ScanError` for coefficients, which are none, beside what
    `read_recording` raises."""
    found = read_recording(path, fps, units, base)
    if isinstance(found, Coefficients):
        raise ScanError(f"{path}: holds coefficients, no positions in millimetres; give the recorded surfaces")
    return found


def _kind(path: Path) -> str:
    if path.suffix.lower() == ".c3d":
        return "markers"
    if path.suffix.lower() != ".csv":
        return "surfaces"
    try:
        with guard.opened(path) as opened:
            first = opened.readline(1 << 16)
    except Face3DError:
        return "surfaces"
    if b"blendshapecount" in first.lower():
        return "coefficients"
    return "markers" if _MARKERS.search(first) and not _CLOUD.search(first) else "surfaces"
