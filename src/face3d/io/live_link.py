"""Live Link Face: what Epic's phone app writes beside its video, ARKit's movement coefficients a frame.

Coefficients are a tracker's opinion, 0 to 1, not millimetres: they are never mixed with what surfaces show.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError, SchemaError
from face3d.io import guard
from face3d.io.marker_tables import table_rows
from face3d.io.sequence_clock import clock, rate
from face3d.landmarks import SIDES
from face3d.scan import Floats
from face3d.values import Value, locked

#: Frames a second that time codes count.
_RATES = (24, 25, 30, 48, 50, 60)
_CODE = re.compile(r"(\d+):(\d+):(\d+)[:;](\d+)(\.\d+)?")
_DAY = 86_400.0


@dataclass(frozen=True, eq=False, repr=False)
class Coefficients(Value):
    """`names` (C,) as the file has them ("EyeBlinkLeft"); `values` (T, C), 0 to 1, angles of head and eyes as they are,
    NaN where `lost` (T,): the app saw no face; `times_s` (T,) since the first frame; `timecodes` (T,); `fps`."""

    name: str
    names: tuple[str, ...]
    values: Floats
    times_s: Floats
    timecodes: tuple[str, ...]
    lost: NDArray[np.bool_]
    fps: float
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "lost", locked(self.lost, bool))
        super().__post_init__()

    def __len__(self) -> int:
        return len(self.times_s)

    def of(self, movement: str, side: str | None = None) -> Floats:
        """(T,) one coefficient: "JawOpen", or "EyeBlink" of the subject's own `side`. Raises `ScanError` for others."""
        if side is not None and side not in SIDES:
            raise ScanError(f"{self.name}: side is {side!r}; expected left or right")
        wanted = f"{movement}{side or ''}".lower()
        at = next((i for i, name in enumerate(self.names) if name.lower() == wanted), None)
        if at is None:
            raise ScanError(
                f"{self.name}: no coefficient {movement!r} {side or ''}; there are {', '.join(self.names)[:300]}"
            )
        return self.values[:, at]

    @property
    def blinks(self) -> Floats:
        """(T, 2) how far the left and the right eye are closed, 0 to 1."""
        return np.column_stack([self.of("EyeBlink", side) for side in SIDES])


def read_live_link(path: str | os.PathLike[str], fps: float | None = None) -> Coefficients:
    """The coefficients of a take: Timecode, BlendShapeCount, then a column a coefficient.

    The rate is told by the frames that time codes count up to within a second; a take shorter than that needs `fps`.
    Raises `ScanError` when it is no such table, `SchemaError` where no rate is known.
    """
    file = Path(path)
    name = str(file)
    rows = [row for row in table_rows(name, guard.read_bytes(file)) if any(row)]
    head = [word.strip() for word in rows[0]] if rows else []
    if len(head) < 3 or [h.lower() for h in head[:2]] != ["timecode", "blendshapecount"]:
        raise ScanError(
            f"{file}: no table of Live Link Face: it begins {', '.join(head)[:60]!r}, not Timecode, BlendShapeCount"
        )
    body = rows[1:]
    if not body:
        raise ScanError(f"{file}: holds no frames")
    values = np.full((len(body), len(head) - 2), np.nan)
    codes, lost, short = [], np.zeros(len(body), bool), 0
    for i, row in enumerate(body):
        codes.append(row[0].strip())
        try:
            numbers = [float(word) for word in row[2:]]
            lost[i] = len(numbers) != values.shape[1] or float(row[1]) == 0 or not np.isfinite(numbers).all()
        except (ValueError, IndexError):
            numbers, lost[i] = [], True
        short += bool(numbers) and len(numbers) != values.shape[1]
        if not lost[i]:
            values[i] = numbers
    counts, ticks = _frames(codes)
    if not ticks.any():
        raise ScanError(f"{file}: no row begins with a time code; the first with {codes[0][:40]!r}")
    known = _rate(name, counts) if fps is None else rate(name, fps)
    times = counts[:, 0] + (counts[:, 1] + counts[:, 2]) / known
    times = np.where(ticks, times, np.nan)
    told = times[ticks]
    times[ticks] = told + _DAY * np.cumsum(np.diff(told, prepend=told[:1]) < -_DAY / 2)  # past midnight
    beats = clock(name, len(times), None, times)
    lost[list(beats.lost)] = True
    values[lost] = np.nan
    notes = [*beats.notes, f"{known:g} frames a second: " + ("as given" if fps is not None else "by its time codes")]
    if lost.any():
        notes.append(f"{int(lost.sum()):,} of {len(lost):,} frames are lost: no face was seen, or the row is damaged")
    if short:
        notes.append(f"{short} rows are cut short")
    return Coefficients(name, tuple(head[2:]), values, beats.times_s, tuple(codes), lost, known, tuple(notes))


def _frames(codes: list[str]) -> tuple[Floats, NDArray[np.bool_]]:
    """(T, 3) of each time code its seconds, frame and part of a frame; (T,) which are time codes at all."""
    out, fine = np.zeros((len(codes), 3)), np.zeros(len(codes), bool)
    for i, code in enumerate(codes):
        if found := _CODE.fullmatch(code):
            hours, minutes, seconds, frame, part = found.groups()
            out[i] = 3600 * int(hours) + 60 * int(minutes) + int(seconds), int(frame), float(part or 0)
            fine[i] = True
    return out, fine


def _rate(name: str, counts: Floats) -> float:
    """How many frames a second the codes count, told by the largest number of a second that is there as a whole."""
    whole = len(np.unique(counts[:, 0])) > 2
    found = next((r for r in _RATES if r > counts[:, 1].max()), None)
    if not whole or found is None:
        raise SchemaError(f"{name}: its time codes don't show how many frames a second there are; give it: fps=60")
    return float(found)
