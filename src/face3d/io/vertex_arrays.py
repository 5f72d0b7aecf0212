"""Arrays of numpy as recordings: .npy of (T, V, 3) vertices, or .npz with `vertices`, `faces`, `fps` or `times_s`.

Only one frame is in memory at a time, of a packed archive too.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError
from face3d.io import guard
from face3d.io.archive import DAMAGE, array_header, read_array
from face3d.io.fixed_topology import Base, Raw, base_of, recording
from face3d.io.raw import check_counts
from face3d.io.sequence import Sequence
from face3d.io.sequence_clock import clock
from face3d.scan import FaceScan

_VERTICES = ("vertices", "verts", "points")
_FACES = ("faces", "triangles")
_TIMES = ("times_s", "times", "timestamps")
_HEADER = 10_012  # bytes in which the header of an array ends
_SMALL = 256 << 20  # bytes of the other arrays
_MOST_PACKED = 1_100  # deflate reaches 1,032; what claims more is damaged


@dataclass(frozen=True)
class _Frames:
    """(T, V, 3) numbers in a file: how many whole frames are there, of what, and where the first begins."""

    declared: int
    whole: int
    points: int
    kind: np.dtype
    at: int

    @property
    def bytes(self) -> int:
        """Of one frame."""
        return self.points * 3 * self.kind.itemsize


def read_arrays(file: Path, fps: float | None, units: str | float, base: str | Path | FaceScan | None) -> Sequence:
    """The recording of an .npy or .npz of (T, V, 3). Without faces, in it or as `base`, its frames are point clouds.

    Raises `ScanError` when it holds none, or is damaged before the first frame.
    """
    name = str(file)
    others: dict[str, NDArray[Any]] = {}
    member = None
    if zipfile.is_zipfile(file):
        member, others = _members(file)
    elif file.suffix.lower() == ".npz":
        raise ScanError(f"{file}: is no .npz file, or one that was cut short: its table of contents is not there")
    with _stream(file, member) as (stream, size):
        found = _frames(name, stream, size)
    notes = []
    if found.whole < found.declared:
        notes.append(
            f"{found.declared:,} frames are declared, {found.whole:,} whole ones are there: cut short; these are read"
        )
    mesh = _base(file, others, base, found.points)
    if not len(mesh.faces):
        notes.append("no triangles: its frames are point clouds; give the mesh that they belong to as base=FILE")
    times = next((np.ravel(others[key]) for key in _TIMES if key in others), None)
    said = float(others["fps"]) if "fps" in others and others["fps"].size == 1 else None
    if times is not None and len(times) == found.declared:
        times = times[: found.whole]

    def vertices(first: int) -> Iterator[Raw]:
        with _stream(file, member) as (stream, _):
            with suppress(*DAMAGE):  # the first read says so
                stream.seek(found.at + first * found.bytes)
            for k in range(first, found.whole):
                yield _one(name, stream, found, k)

    return recording(name, clock(name, found.whole, fps, times, said=said), mesh, vertices, units, tuple(notes))


def _one(name: str, stream: IO[bytes], found: _Frames, k: int) -> Raw:
    try:
        data = stream.read(found.bytes)
    except DAMAGE as error:
        return ScanError(f"{name}: frame {k}: the archive is damaged ({error})")
    if len(data) < found.bytes:
        return ScanError(f"{name}: frame {k} is not there: cut short")
    return np.frombuffer(data, found.kind).reshape(found.points, 3)


@contextmanager
def _stream(file: Path, member: str | None) -> Iterator[tuple[IO[bytes], int]]:
    """The array's file, or the member of an archive, opened, and its size."""
    with guard.opened(file) as opened:
        if member is None:
            size = opened.seek(0, 2)
            opened.seek(0)
            yield opened, size
            return
        try:
            with zipfile.ZipFile(opened) as archive, archive.open(member) as stream:
                yield stream, archive.getinfo(member).file_size
        except DAMAGE as error:
            raise ScanError(f"{file}: a damaged .npz file ({error})") from None


def _frames(name: str, stream: IO[bytes], size: int) -> _Frames:
    try:
        head = stream.read(_HEADER)
    except DAMAGE as error:
        raise ScanError(f"{name}: a damaged .npz file ({error})") from None
    kind, shape, fortran, at = array_header(name, head)
    if len(shape) != 3 or shape[2] != 3 or kind.kind not in "fiu" or min(shape) < 1:
        raise ScanError(f"{name}: {kind} of shape {shape}; a recording is (frames, vertices, 3) numbers")
    if fortran:
        raise ScanError(
            f"{name}: saved in Fortran's order, no frame after the other; save numpy.ascontiguousarray(...)"
        )
    check_counts(name, shape[1])
    whole = min(shape[0], (size - at) // (shape[1] * 3 * kind.itemsize))
    if whole < 1:
        raise ScanError(f"{name}: shape {shape} of {kind} is declared; {max(size - at, 0)} bytes are there: cut short?")
    return _Frames(shape[0], whole, shape[1], kind, at)


def _members(file: Path) -> tuple[str, dict[str, NDArray[Any]]]:
    """The member that holds the vertices, and all small arrays."""
    others: dict[str, NDArray[Any]] = {}
    try:
        with guard.opened(file) as opened, zipfile.ZipFile(opened) as archive:
            entries = {e.filename.removesuffix(".npy"): e for e in archive.infolist() if e.filename.endswith(".npy")}
            key = next((k for k in _VERTICES if k in entries), None)
            if key is None:
                raise ScanError(
                    f"{file}: no array 'vertices' in it; it holds {', '.join(entries)[:200] or 'no arrays'}: write "
                    "vertices (frames, vertices, 3), faces (triangles, 3) and fps"
                )
            entry = entries[key]
            if entry.file_size > _MOST_PACKED * entry.compress_size + 4096:
                raise ScanError(f"{file}: 'vertices' claims {entry.file_size} bytes, packed in {entry.compress_size}")
            left = _SMALL
            for other in (*_FACES, *_TIMES, "fps", "colors"):
                if other in entries:
                    left -= entries[other].file_size
                    if left < 0:
                        raise ScanError(f"{file}: {other!r} unpacks to {entries[other].file_size} bytes; too many")
                    raw = archive.read(entries[other])
                    others[other] = _numbers(f"{file}: {other}", read_array(f"{file}: {other}", raw))
    except DAMAGE as error:
        raise ScanError(f"{file}: a damaged .npz file ({error})") from None
    return entry.filename, others


def _numbers(where: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind not in "fiu":
        raise ScanError(f"{where}: holds {array.dtype}; numbers are needed")
    return array


def _base(file: Path, others: dict[str, NDArray[Any]], base: str | Path | FaceScan | None, points: int) -> Base:
    faces = next((others[key] for key in _FACES if key in others), None)
    colors = others.get("colors")
    if faces is None and (mesh := base_of(file, base)) is not None:
        if base is not None and mesh.count != points:
            raise ScanError(
                f"{file}: has {points} vertices a frame, its base mesh {mesh.count}: give the mesh it was made from"
            )
        if mesh.count == points:
            return mesh
    if faces is None:
        return Base(points, np.empty((0, 3), np.int64))
    fits = faces.ndim == 2 and faces.shape[1] == 3 and faces.dtype.kind in "iu"
    if not fits or (faces.size and (faces.min() < 0 or faces.max() >= points)):
        raise ScanError(
            f"{file}: 'faces' is {faces.dtype} {faces.shape}; expected (F, 3) numbers of vertices below {points}"
        )
    check_counts(str(file), 0, len(faces))
    if colors is not None and (colors.shape != (points, 3) or colors.dtype != np.uint8):
        raise ScanError(f"{file}: 'colors' is {colors.dtype} {colors.shape}; expected uint8 ({points}, 3)")
    return Base(points, faces.astype(np.int64), colors)
