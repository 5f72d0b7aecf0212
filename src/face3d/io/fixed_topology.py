"""Recordings whose frames are the vertices of one mesh: only vertices are read and looked at, frame by frame."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from face3d.errors import Face3DError, ScanError
from face3d.io.prefetch import ahead
from face3d.io.read import MAX_COORDINATE_MM, read_scan
from face3d.io.sequence import Frame, Sequence
from face3d.io.sequence_clock import Clock
from face3d.io.units import Unit, to_millimetres
from face3d.scan import FaceScan, Ints
from face3d.values import locked

#: A frame's vertices (V, 3) in the file's unit, or why it has none.
Raw = NDArray[Any] | Face3DError
MESH_SUFFIXES = (".obj", ".ply", ".glb", ".gltf", ".off", ".vtp", ".vtk", ".npz")


@dataclass(frozen=True, eq=False)
class Base:
    """What all frames share: `count` vertices, `faces` (F, 3), `colors` (V, 3) or None."""

    count: int
    faces: Ints
    colors: NDArray[np.uint8] | None = None


def base_of(file: Path, base: str | Path | FaceScan | None) -> Base | None:
    """The mesh that a file of bare vertices belongs to: `base` as given, else the mesh beside it that bears its name or
    is the only one there; None when there is none. Raises `ScanError` when it cannot be read."""
    if base is None:
        beside = sorted(p for p in file.parent.iterdir() if p.suffix.lower() in MESH_SUFFIXES and p != file)
        named = [p for p in beside if p.stem == file.stem]
        if len(named) != 1 and len(beside) != 1:
            return None
        base = named[0] if len(named) == 1 else beside[0]
    mesh = base if isinstance(base, FaceScan) else read_scan(base, units=1.0)
    if not len(mesh.faces):
        raise ScanError(f"{base}: has no triangles; the mesh that the frames of {file.name} belong to is needed")
    return Base(len(mesh.vertices), mesh.faces, mesh.colors)


def needed_base(file: Path, base: str | Path | FaceScan | None, count: int) -> Base:
    """`base_of`, which must be there and have `count` vertices. Raises `ScanError` that says what to give."""
    mesh = base_of(file, base)
    if mesh is None:
        raise ScanError(
            f"{file}: holds vertices alone; give the mesh that they belong to: base=FILE, or put it beside as "
            f"{file.stem}.obj"
        )
    if mesh.count != count:
        raise ScanError(
            f"{file}: has {count} vertices a frame, its base mesh {mesh.count}: give the mesh it was made from"
        )
    return mesh


def recording(
    name: str,
    clock: Clock,
    base: Base,
    vertices: Callable[[int], Iterator[Raw]],
    units: str | float,
    notes: tuple[str, ...] = (),
) -> Sequence:
    """The recording whose frames from the k-th on `vertices(k)` yields. Its unit is settled by the first usable frame.

    Raises `ScanError` when there is none, or its size fits no unit.
    """
    unit = _unit(name, base, vertices, units)
    faces = locked(base.faces, np.int64)

    def frames(start: int) -> Iterator[Frame]:
        with closing(cast(Any, vertices(start))) as raw:
            for k, got in zip(range(start, len(clock)), raw, strict=False):
                number, time = int(clock.numbers[k]), float(clock.times_s[k])
                scan = clock.lost[k] if k in clock.lost else _scan(f"{name}: frame {number}", got, base, faces, unit)
                lost = isinstance(scan, str)
                yield Frame(number, time, None if lost else scan, scan if lost else None)

    def read(start: int) -> Iterator[Frame]:
        return ahead(lambda stopped: _until(stopped, frames(start)))

    return Sequence(name, clock.fps, read, clock.times_s, True, (unit.note, *clock.notes, *notes))


def _until(stopped: threading.Event, frames: Iterator[Frame]) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        if stopped.is_set():
            return


def _scan(where: str, got: Raw, base: Base, faces: Ints, unit: Unit) -> FaceScan | str:
    """The frame as a scan, or why it is lost."""
    if isinstance(got, Face3DError):
        return str(got)
    points = _usable(where, got, base)
    if isinstance(points, str):
        return points
    points = points * unit.factor if unit.factor != 1.0 else points
    points.setflags(write=False)
    if not np.nanmax(np.abs(points)) < MAX_COORDINATE_MM:
        return (
            f"{where}: lies {np.nanmax(np.abs(points)):.3g} mm from the origin; at most {MAX_COORDINATE_MM:.0f} is read"
        )
    try:
        return FaceScan(points, faces, colors=base.colors, name=where, units_note=unit.note)
    except ScanError as error:
        return str(error)


def _usable(where: str, got: NDArray[Any], base: Base) -> NDArray[np.float64] | str:
    if got.shape != (base.count, 3):
        return f"{where}: has {len(got)} vertices; the recording's mesh has {base.count}"
    with np.errstate(invalid="ignore"):  # a signalling NaN is NaN
        points = np.array(got, np.float64)  # float32 of a file becomes ours: nobody else holds it
    if not np.isfinite(points).all(axis=1).any():
        return f"{where}: none of its {base.count} vertices has coordinates"
    if (points[0] == points[-1]).all() and (points == points[0]).all():  # as some trackers write what they lost
        return f"{where}: all its vertices lie at {points[0].tolist()}: nothing was tracked"
    return points


def _unit(name: str, base: Base, vertices: Callable[[int], Iterator[Raw]], units: str | float) -> Unit:
    """By the first frame that can be used and whose size fits a unit."""
    reason = ""
    with closing(cast(Any, vertices(0))) as frames:
        for k, got in enumerate(frames):
            where = f"{name}: frame {k}"
            points = str(got) if isinstance(got, Face3DError) else _usable(where, got, base)
            if not isinstance(points, str):
                try:
                    unit = to_millimetres(name, points[np.isfinite(points).all(axis=1)], units)
                    points = _scan(where, got, base, base.faces, unit)
                    if not isinstance(points, str):
                        return unit
                except ScanError as error:
                    points = str(error)
            reason = reason or points
    raise ScanError(f"{name}: no frame can be used; the first: {reason or 'it has none'}")
