"""Recordings as one mesh file a frame: numbered OBJ, PLY, STL, GLB and whatever else `read_scan` reads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import Face3DError, ScanError
from face3d.io.frame_numbers import Files, in_order, listed, one_of
from face3d.io.prefetch import ahead
from face3d.io.read import read_scan
from face3d.io.sequence import Frame, Sequence
from face3d.io.units import Unit, to_millimetres
from face3d.scan import FaceScan

SUFFIXES = (".ply", ".obj", ".stl", ".off", ".glb", ".gltf", ".vtp", ".vtk", ".pcd", ".xyz", ".asc", ".npz")
#: How a file becomes the surface of a frame, in a unit that is settled or asked for. Raises `ScanError`.
Reader = Callable[[Path, "str | float | Unit"], FaceScan]


def mesh_file(file: Path, unit: str | float | Unit) -> FaceScan:
    """A frame that is a mesh file."""
    return read_scan(file, units=unit)


def read_frames(path: Path, fps: float | None, units: str | float, times: ArrayLike | None) -> Sequence:
    """The recording of a folder of numbered meshes, or of a pattern in one."""
    files = in_order(path, one_of(path, listed(path, SUFFIXES), "numbered meshes"), fps, times)
    return recorded(str(path), files, mesh_file, units)


def recorded(
    name: str, files: Files, reader: Reader, units: str | float | Unit, notes: tuple[str, ...] = ()
) -> Sequence:
    """The recording of files that are there. Its first usable frame settles the unit; it has one topology when the
    first two and the last usable frames have the same triangles: a frame with others is then lost.

    Raises `ScanError` when no frame can be used.
    """
    some = _usable(name, files, reader, units)
    first = next(some)
    unit = settled(first, units)
    others = [second for second in (next(some, None), _last(files, reader, unit)) if second is not None]
    same = bool(len(first.faces)) and len(others) == 2 and all(_alike(first, other) for other in others)
    ticks = files.clock

    def frames(start: int, stopped: threading.Event) -> Iterator[Frame]:
        for k in range(start, len(ticks)):
            if stopped.is_set():
                return
            number, path = int(ticks.numbers[k]), files.paths[k]
            reason = ticks.lost.get(k) or (f"{name}: frame {number} is missing" if path is None else None)
            yield frame_of(number, float(ticks.times_s[k]), path, reader, unit, first if same else None, reason)

    def read(start: int) -> Iterator[Frame]:
        return ahead(lambda stopped: frames(start, stopped))

    return Sequence(name, ticks.fps, read, ticks.times_s, same, (unit.note, *ticks.notes, *notes))


def settled(scan: FaceScan, units: str | float | Unit) -> Unit:
    """The unit of a recording whose first usable frame is `scan`, read in `units`: its note begins with the unit."""
    if isinstance(units, Unit):
        return units
    return Unit(to_millimetres(scan.name, scan.vertices, scan.units_note.partition(":")[0]).factor, scan.units_note)


def frame_of(
    number: int, time_s: float, path: Path | None, reader: Reader, unit: Unit, like: FaceScan | None, reason: str | None
) -> Frame:
    """One frame, read now; lost for `reason`, if it can't be read, or its triangles are not those of `like`."""
    if reason is None and path is not None:
        try:
            scan = reader(path, unit)
            if like is None:
                return Frame(number, time_s, scan)
            if _alike(like, scan):  # one array for all: whoever follows the frames sees at once that it is the same
                return Frame(number, time_s, scan.replace(faces=like.faces))
            reason = (
                f"{path}: {len(scan.vertices):,} vertices and {len(scan.faces):,} triangles, not those of the "
                f"recording's mesh, which has {len(like.vertices):,} and {len(like.faces):,}"
            )
        except Face3DError as error:
            reason = str(error)
    return Frame(number, time_s, None, reason)


def _alike(a: FaceScan, b: FaceScan) -> bool:
    return len(a.vertices) == len(b.vertices) and np.array_equal(a.faces, b.faces)


def _usable(name: str, files: Files, reader: Reader, units: str | float | Unit) -> Iterator[FaceScan]:
    """Frames that can be read, in order, the first of them in `units`, the others in its unit."""
    wanted: str | float | Unit = units
    reason, found = None, False
    for k, path in enumerate(files.paths):
        if path is None or k in files.clock.lost:
            continue
        try:
            scan = reader(path, wanted)
        except Face3DError as error:
            reason = reason or str(error)
            continue
        wanted = settled(scan, units)
        found = True
        yield scan
    if not found:
        raise ScanError(
            f"{name}: none of its {len(files.paths)} frames can be used; the first: {reason or 'is missing'}"
        )


def _last(files: Files, reader: Reader, unit: Unit) -> FaceScan | None:
    """The last frame that can be read."""
    for path in reversed(files.paths):
        if path is not None:
            try:
                return reader(path, unit)
            except Face3DError:
                continue
    return None
