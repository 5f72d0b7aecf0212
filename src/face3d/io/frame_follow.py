"""A recording that is still being written, followed: frames as soon as they are whole on disk."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from face3d.errors import ScanError, SchemaError
from face3d.io.frame_files import Reader, frame_of, settled
from face3d.io.frame_numbers import MOST_MISSING, number_of
from face3d.io.prefetch import ahead
from face3d.io.sequence import Frame, Sequence
from face3d.io.sequence_clock import rate
from face3d.io.units import Unit

#: A file of this name in the folder says that no more frames come.
STOP = "sequence.stop"
# A frame is to be on the screen 150 ms after it is on disk: looking for it may take a small part of that.
_POLL_S = 0.01
# A text that was cut between two lines may still be a mesh, a smaller one: it must have rested for longer than others,
# which say how much belongs to them.
_REST_S, _TEXT, _TEXT_REST_S = 0.01, (".obj", ".xyz", ".asc"), 0.08
# A file that is not whole is looked at again as long as it grows, and this long after it stopped growing.
_PATIENCE_S = 0.5
# A frame whose number is not there although later ones are: this long it may still be on its way.
_LATE_S = 0.5
# Folders of many frames are not listed at each look; the next number is asked for by its name.
_LIST_S = 0.1


def follow_frames(
    path: Path, fps: float | None, units: str | float | Unit, idle_s: float, reader: Reader, suffixes: tuple[str, ...]
) -> Sequence:
    """The recording that grows in a folder, its last run of digits in a file's name being the frame's number.

    It ends when nothing new came for `idle_s` seconds, or on a file `sequence.stop`. Raises `SchemaError` without
    `fps`: while frames arrive, only a rate tells when they were taken.
    """
    if fps is None:
        raise SchemaError(f"{path}: to follow a recording its rate is needed: fps=60 (--fps 60)")
    if not idle_s > 0:
        raise SchemaError(f"{path}: idle_s is {idle_s!r}; expected seconds above 0")
    fps = rate(str(path), fps)
    if not path.is_dir():
        raise ScanError(f"{path}: there is no such folder; make it before frames are written to it")

    def frames(start: int, stopped: threading.Event) -> Iterator[Frame]:
        unit: Unit | None = None
        first = None
        for k, (number, file) in enumerate(_arriving(path, suffixes, idle_s, stopped)):
            first = number if first is None else first
            at = (number - first) / fps
            if unit is not None and k < start:
                continue
            if file is None:
                frame = Frame(number, at, None, f"{path}: frame {number} is missing: later ones came without it")
            else:
                frame = _whole(number, at, file, reader, units if unit is None else unit, stopped)
            if unit is None and frame.scan is not None:
                unit = settled(frame.scan, units)
            if k >= start:
                yield frame

    return Sequence(str(path), fps, lambda start: ahead(lambda stopped: frames(start, stopped)))


def _whole(
    number: int, at: float, file: Path, reader: Reader, unit: str | float | Unit, stopped: threading.Event
) -> Frame:
    """The frame once its file is whole: it has stopped growing and can be read, or can't long after it stopped."""
    size, since = _size(file), time.monotonic() - _rested(file)
    rest = _TEXT_REST_S if file.name.lower().endswith(_TEXT) else _REST_S
    while not stopped.is_set():
        now = _size(file)
        if now != size:
            size, since = now, time.monotonic()
        if time.monotonic() - since < rest:
            stopped.wait(_POLL_S)
            continue
        frame = frame_of(number, at, file, reader, unit, None, None)
        if (not frame.lost and _size(file) == size) or time.monotonic() - since > _PATIENCE_S:
            return frame
        stopped.wait(_POLL_S)
    return Frame(number, at, None, f"{file}: not read: nobody waits for it any more")


def _arriving(
    folder: Path, suffixes: tuple[str, ...], idle_s: float, stopped: threading.Event
) -> Iterator[tuple[int, Path | None]]:
    """Numbers and files, rising, as they appear; None for a number that later ones overtook."""
    known: dict[int, Path] = {}
    before = None  # the number and the file that came last
    heard, listed, ended = time.monotonic(), 0.0, False
    overtaken = 0  # numbers below have been waited for long enough
    while not stopped.is_set():
        wanted = None if before is None else before[0] + 1
        file = None if wanted is None else known.pop(wanted, None)
        if file is None and before is not None and not known:
            file = _beside(before[1], before[0] + 1)
        now = time.monotonic()
        if file is None and now - listed >= _LIST_S:
            ended = (folder / STOP).exists()  # asked first: what was written before it is then in the list
            known, listed = _listed(folder, suffixes, -1 if before is None else before[0]), now
        if file is None and known:
            nearest = min(known)
            if wanted is None or nearest == wanted:
                wanted, file = nearest, known.pop(nearest)
            elif ended or wanted < overtaken or now - heard > _LATE_S:  # far behind the others, it is a pause
                overtaken = nearest
                wanted = nearest if nearest - wanted > MOST_MISSING else wanted
                file = known.pop(wanted, None)
            else:
                stopped.wait(_POLL_S)
                continue
        elif file is None:
            if ended or now - heard > idle_s:
                return
            stopped.wait(_POLL_S)
            continue
        assert wanted is not None
        before = wanted, file or before[1]  # type: ignore[index]
        yield wanted, file
        heard = time.monotonic()


def _listed(folder: Path, suffixes: tuple[str, ...], last: int) -> dict[int, Path]:
    """The frames after the `last` one."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name.removesuffix(".gz")
            if entry.name.startswith(".") or not name.lower().endswith(suffixes):
                continue
            number = number_of(name.rpartition(".")[0])
            if number is not None and number > last:
                found[number] = folder / entry.name
    return found


def _beside(file: Path, number: int) -> Path | None:
    """The file that is named as `file` but for its number, if it is there."""
    stem, dot, suffix = file.name.removesuffix(".gz").rpartition(".")
    found = list(re.finditer(r"\d+", stem))[-1]
    name = f"{stem[: found.start()]}{number:0{len(found[0])}d}{stem[found.end() :]}{dot}{suffix}"
    other = file.with_name(name + (".gz" if file.name.endswith(".gz") else ""))
    return other if other.is_file() else None


def _rested(file: Path) -> float:
    """Seconds since a file was written to, by the clock of its disk; 0 for what lies in the future."""
    try:
        return max(time.time() - file.stat().st_mtime, 0.0)
    except OSError:
        return 0.0


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1
