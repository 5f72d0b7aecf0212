"""Point caches, as DI4D, Blender, Maya and LightWave write them beside a mesh: PointCache2 (.pc2) and MDD (.mdd).

A cache holds vertices alone, frame after frame, all of them those of its base mesh. Frames are read where they stand in
the file: memory does not grow with their number, and a file that was cut short still gives its whole frames.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from face3d.errors import ScanError
from face3d.io import guard
from face3d.io.fixed_topology import Raw, needed_base, recording
from face3d.io.raw import check_counts
from face3d.io.sequence import Sequence
from face3d.io.sequence_clock import clock
from face3d.scan import FaceScan, Floats

_PC2 = b"POINTCACHE2\0"
_PC2_HEADER = struct.Struct("<12siiffi")  # mark, version, points, start, frames a sample, samples
_MDD_HEADER = struct.Struct(">ii")  # frames, points


def is_pc2(start: bytes) -> bool:
    """Whether a file that starts so is a PointCache2."""
    return start.startswith(_PC2)


def read_cache(file: Path, fps: float | None, units: str | float, base: str | Path | FaceScan | None) -> Sequence:
    """The recording of a cache and its base mesh. A PC2 does not tell its rate: `fps` is of its samples.

    Raises `ScanError` when the header is damaged, no whole frame is there, or the mesh is another one.
    """
    with guard.opened(file) as opened:
        size = opened.seek(0, 2)
        opened.seek(0)
        start = opened.read(_PC2_HEADER.size)
        pc2 = is_pc2(start)
        header = _PC2_HEADER if pc2 else _MDD_HEADER
        if len(start) < header.size:
            raise ScanError(f"{file}: {size} bytes; the header of a point cache has {header.size}: cut short?")
        if pc2:
            _, version, points, _, _, samples = header.unpack(start)
            if version != 1:
                raise ScanError(f"{file}: version {version} of PointCache2; version 1 is read")
        else:
            samples, points = header.unpack_from(start)
        at = header.size if pc2 else header.size + 4 * max(samples, 0)
        whole = _whole(file, samples, points, size - at)
        times = None if pc2 else _times(opened, whole)
    notes = ()
    if whole < samples:
        notes = (
            f"{file.name}: {samples:,} frames are declared, {whole:,} whole ones are there: cut short; these are read",
        )
    elif (rest := size - at - samples * points * 12) > 0:
        notes = (f"{file.name}: {rest} bytes behind the last frame were left out",)
    mesh = needed_base(file, base, points)
    kind = np.dtype("<f4" if pc2 else ">f4")

    def vertices(first: int) -> Iterator[Raw]:
        with guard.opened(file) as frames:
            frames.seek(at + first * points * 12)
            for k in range(first, whole):
                data = frames.read(points * 12)
                if len(data) < points * 12:
                    yield ScanError(f"{file}: frame {k} is gone: the file became shorter while it was read")
                else:
                    yield np.frombuffer(data, kind).reshape(points, 3)

    return recording(str(file), clock(str(file), whole, fps, times), mesh, vertices, units, notes)


def _whole(file: Path, samples: int, points: int, room: int) -> int:
    """How many whole frames there are. Raises `ScanError` before memory is taken for what is not there."""
    if samples < 1 or points < 1:
        raise ScanError(
            f"{file}: {samples} frames of {points} points are declared: no point cache, or a damaged header"
        )
    check_counts(str(file), points)
    whole = min(samples, max(room, 0) // (points * 12))
    if whole < 1:
        raise ScanError(
            f"{file}: {samples} frames of {points} points are declared, {points * 12} bytes each; {max(room, 0)} bytes "
            "are left for them: cut short, or a damaged header"
        )
    return whole


def _times(file: BinaryIO, whole: int) -> Floats | None:
    """The times of an MDD, seconds; None where all are alike, as programs without a clock write them."""
    file.seek(_MDD_HEADER.size)
    times = np.frombuffer(file.read(4 * whole), ">f4").astype(np.float64)
    return None if whole > 1 and np.ptp(times) == 0 else times
