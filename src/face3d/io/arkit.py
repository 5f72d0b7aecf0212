"""The face mesh of Apple's ARKit as recording apps write it: vertices a frame, as JSON, JSON lines or CSV.

ARKit's 1,220 vertices have a topology that Apple does not license for passing on: it is the user's own mesh file
(`base`), or triangle indices that the app wrote along. Metres, as ARKit has them, are found by the size.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from face3d.errors import Face3DError, ScanError
from face3d.io import guard
from face3d.io.fixed_topology import Base, Raw, needed_base, recording
from face3d.io.frame_numbers import in_order, listed, one_of
from face3d.io.raw import check_counts
from face3d.io.sequence import Sequence
from face3d.io.sequence_clock import clock
from face3d.scan import FaceScan, Floats

# A frame of 1,220 vertices is 30 to 80 KB of text. Whole documents are unpacked at once, to some ten times their size;
# a line a frame has no limit.
_DOCUMENT_BYTES, _LINE_BYTES = 128 << 20, 8 << 20
_VERTICES = ("vertices", "verts", "geometry", "points")
_TIMES = ("timestamp", "time", "time_s", "t")
#: A line of text as time (NaN where it says none) and vertices (V, 3).
Row = Callable[[str, bytes], tuple[float, Floats]]
_FACES = ("triangle_indices", "triangleIndices", "faces", "triangles", "indices")


def read_arkit(file: Path, fps: float | None, units: str | float, base: str | Path | FaceScan | None) -> Sequence:
    """The recording of one file: a JSON document, a JSON object a line, or a CSV row a frame ([time,] x, y, z, ...)."""
    with guard.opened(file) as opened:
        first = opened.readline(_LINE_BYTES)
        second = opened.readline(_LINE_BYTES)
    if file.suffix.lower() == ".csv":
        if b"blendshapecount" in first.lower():
            raise ScanError(
                f"{file}: is Live Link Face's table of coefficients, no surfaces: face3d.read_live_link reads it"
            )
        return _lines(file, fps, units, base, _csv_row, skip=not _numeric(first))
    if file.suffix.lower() == ".jsonl" or (first.strip().endswith(b"}") and second.lstrip()[:1] == b"{"):
        return _lines(file, fps, units, base, _json_row, skip=False)
    return _document(file, fps, units, base)


def read_arkit_folder(
    path: Path, fps: float | None, units: str | float, base: str | Path | FaceScan | None
) -> Sequence:
    """The recording of a folder of numbered .json, an object with `vertices` (and `timestamp`) a frame."""
    found = one_of(path, listed(path, (".json",)), "numbered .json frames")
    times = None if fps is not None else _times_of(found)
    files = in_order(path, found, fps, times)
    points = next((len(p) for p in map(_file, files.paths) if not isinstance(p, Face3DError)), 0)
    if not points:
        raise ScanError(
            f"{path}: none of its {len(files.paths)} frames holds vertices; the first: {_file(files.paths[0])}"
        )
    mesh = needed_base(next(f for f in files.paths if f is not None), base, points)

    def vertices(start: int) -> Iterator[Raw]:
        for file in files.paths[start:]:
            yield _file(file)

    return recording(str(path), files.clock, mesh, vertices, units)


def _file(file: Path | None) -> Raw:
    try:
        if file is None:
            return ScanError("a frame is missing: there is no file of its number")
        return _json_row(str(file), guard.read_bytes(file, _LINE_BYTES))[1]
    except Face3DError as error:
        return error


def _times_of(files: list[Path]) -> Floats | None:
    """The time that each file says, or None where one of them, or all, say none."""
    times = []
    for file in sorted(files, key=lambda f: (len(f.name), f.name)):
        try:
            times.append(_json_row(str(file), guard.read_bytes(file, _LINE_BYTES))[0])
        except Face3DError:
            times.append(math.nan)
    return np.array(times) if np.isfinite(times).sum() > 0.5 * len(times) else None


def _lines(
    file: Path, fps: float | None, units: str | float, base: str | Path | FaceScan | None, row: Row, skip: bool
) -> Sequence:
    """A recording of a line a frame: where each begins is looked up once, what stands in it when it is asked for."""
    name = str(file)
    begins, times, points, reason = array("q"), array("d"), 0, ""
    with guard.opened(file) as opened:
        while line := opened.readline(_LINE_BYTES):
            if (skip and opened.tell() == len(line)) or not line.strip():
                continue
            begins.append(opened.tell() - len(line))
            try:
                time, found = row(name, line)
                points = points or len(found)
            except Face3DError as error:
                time, reason = math.nan, reason or str(error)
            times.append(time)
    if not points:
        raise ScanError(
            f"{file}: no line in it holds a frame's vertices" + (f"; the first: {reason}" if reason else "")
        )
    known = np.array(times)
    stamps = known if np.isfinite(known).sum() > 0.5 * len(known) else None
    mesh = needed_base(file, base, points)

    def vertices(start: int) -> Iterator[Raw]:
        with guard.opened(file) as opened:
            for at in begins[start:]:
                opened.seek(at)
                try:
                    yield row(name, opened.readline(_LINE_BYTES))[1]
                except Face3DError as error:
                    yield error

    return recording(name, clock(name, len(begins), fps, stamps), mesh, vertices, units)


def _csv_row(name: str, line: bytes) -> tuple[float, Floats]:
    try:
        numbers = np.array([float(word) if word.strip() else math.nan for word in line.replace(b";", b",").split(b",")])
    except ValueError:
        raise ScanError(f"{name}: {line[:60]!r} is no row of numbers") from None
    extra = len(numbers) % 3
    if extra == 2 or len(numbers) < 9:
        raise ScanError(f"{name}: {len(numbers)} numbers in a row; expected [time,] and x, y, z of each vertex")
    return (float(numbers[0]) if extra else math.nan), numbers[extra:].reshape(-1, 3)


def _json_row(name: str, text: bytes) -> tuple[float, Floats]:
    try:
        return _json_frame(name, json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ScanError(f"{name}: not JSON ({error})") from None


def _json_frame(name: str, frame: Any) -> tuple[float, Floats]:
    if not isinstance(frame, dict):
        return math.nan, _points(name, frame)
    key = next((k for k in _VERTICES if k in frame), None)
    if key is None:
        raise ScanError(f"{name}: a frame without 'vertices'; it holds {', '.join(map(str, frame))[:120]}")
    time = next((frame[k] for k in _TIMES if isinstance(frame.get(k), int | float)), math.nan)
    return (float(time) if abs(time) < 1e300 else math.nan), _points(name, frame[key])


def _points(name: str, values: Any) -> Floats:
    """(V, 3) from [[x, y, z], ...], [x, y, z, x, ...] or [{"x": , "y": , "z": }, ...]; null is NaN."""
    if isinstance(values, list) and values and isinstance(values[0], dict):
        values = [[v.get(axis) for axis in "xyz"] if isinstance(v, dict) else [None] * 3 for v in values]
    try:
        points = np.array(values, np.float64)
        points = points.reshape(-1, 3) if points.ndim == 1 else points
    except (TypeError, ValueError, OverflowError):
        raise ScanError(f"{name}: vertices that are no x, y, z of each vertex") from None
    if points.ndim != 2 or points.shape[1] != 3 or not len(points):
        raise ScanError(f"{name}: vertices of shape {points.shape}; expected (vertices, 3)")
    check_counts(name, len(points))
    return points


def _document(file: Path, fps: float | None, units: str | float, base: str | Path | FaceScan | None) -> Sequence:
    """One JSON value: {"vertices": [frames], "timestamps": [...], "triangle_indices": [...]}, or a list of frames."""
    name = str(file)
    try:
        data = json.loads(guard.read_bytes(file, _DOCUMENT_BYTES))
    except (ValueError, RecursionError) as error:
        raise ScanError(
            f"{file}: not JSON ({error}); cut short? A JSON object a line (.jsonl) keeps what is whole"
        ) from None
    outer = data if isinstance(data, dict) else {}
    key = next((k for k in ("frames", *_VERTICES) if isinstance(outer.get(k), list)), None)
    rows = data if isinstance(data, list) else outer[key] if key else []
    if not rows:
        raise ScanError(f'{file}: no frames in it; expected "frames" or "vertices": a list, a frame each')
    frames: list[Raw] = []
    times = []
    for row in rows:
        try:
            time, points = _json_frame(name, row)
            times.append(time)
            frames.append(points.astype(np.float32))
        except Face3DError as error:
            times.append(math.nan)
            frames.append(error)
    points = next((len(f) for f in frames if not isinstance(f, Face3DError)), 0)
    if not points:
        raise ScanError(f"{file}: none of its {len(frames)} frames holds vertices; the first: {frames[0]}")
    del data, rows
    stamps = next((outer[k] for k in ("timestamps", "times_s", "times") if k in outer), None)
    try:
        stamps = None if stamps is None else np.array(stamps, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ScanError(f"{file}: its time stamps are no numbers, one a frame") from None
    if stamps is None and np.isfinite(times).sum() > 0.5 * len(times):
        stamps = np.array(times)
    mesh = _own_base(file, outer, points) or needed_base(file, base, points)
    said = outer["fps"] if isinstance(outer.get("fps"), int | float) else None
    ticks = clock(name, len(frames), fps, stamps, said=said)
    return recording(name, ticks, mesh, lambda start: (frame for frame in frames[start:]), units)


def _own_base(file: Path, outer: dict[str, Any], points: int) -> Base | None:
    """The triangles that the app wrote along, once, or for each frame the same."""
    indices = next((outer[k] for k in _FACES if isinstance(outer.get(k), list) and outer[k]), None)
    if indices is None:
        return None
    if isinstance(indices[0], list) and len(indices[0]) > 3:
        indices = indices[0]
    try:
        faces = np.array(indices, np.int64).reshape(-1, 3)
    except (TypeError, ValueError, OverflowError):
        raise ScanError(f"{file}: its triangle indices are no whole numbers, three a triangle") from None
    if faces.min() < 0 or faces.max() >= points:
        raise ScanError(f"{file}: a triangle refers to vertex {faces.max()}; a frame has {points}, from 0")
    return Base(points, faces)


def _numeric(line: bytes) -> bool:
    word = line.replace(b";", b",").split(b",")[0].strip()
    try:
        float(word or b"nan")
    except ValueError:
        return False
    return True
