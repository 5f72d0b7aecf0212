"""Markers on a face, followed by a motion-capture system: points over time, named, some of them landmarks."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from face3d.errors import ScanError, SchemaError
from face3d.io import guard
from face3d.io.c3d import read_c3d
from face3d.io.marker_tables import Table, read_marker_table
from face3d.io.sequence_clock import clock
from face3d.io.units import MILLIMETRES, to_millimetres
from face3d.landmarks import NAMES
from face3d.scan import Floats
from face3d.values import Value, locked

#: Markers that stand at a landmark: FaceMoCap's labels (Amiens; as in its published code's table of labels). Markers
#: that are named by our codes are landmarks as well; all others are so only when the caller says it.
FACEMOCAP: Mapping[str, str] = MappingProxyType(
    {
        "Ca01": "ex_right",
        "Ca02": "en_right",
        "Ca03": "en_left",
        "Ca04": "ex_left",
        "C01": "ch_right",
        "C02": "ch_left",
        "G0": "n",
        "Pps01": "ps_right",
        "Pps02": "ps_left",
        "Lc2": "pi_right",
        "Lc5": "pi_left",
    }
)


@dataclass(frozen=True, eq=False, repr=False)
class Markers(Value):
    """`names` (M,) of the markers; `times_s` (T,) since the first frame; `points` (T, M, 3) mm in the laboratory's own
    coordinates, NaN where a marker was hidden; `landmarks` landmark code -> marker name; `fps`; `notes`."""

    name: str
    names: tuple[str, ...]
    times_s: Floats
    points: Floats
    fps: float
    landmarks: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "times_s", locked(self.times_s))
        object.__setattr__(self, "points", locked(self.points))
        if self.points.shape != (len(self.times_s), len(self.names), 3):
            raise ScanError(
                f"{self.name}: points have shape {self.points.shape}; expected "
                f"({len(self.times_s)}, {len(self.names)}, 3)"
            )
        for code, marker in self.landmarks.items():
            if code not in NAMES or marker not in self.names:
                what = f"{code!r} is no landmark" if code not in NAMES else f"there is no marker {marker!r}"
                raise SchemaError(f"{self.name}: {what}; markers are {', '.join(self.names)[:300]}")
        super().__post_init__()

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(T, M) where a marker was seen."""
        return np.asarray(np.isfinite(self.points).all(axis=-1))

    def point(self, name: str) -> Floats:
        """(T, 3) mm, the way of a marker, or of a landmark code. Raises `ScanError` when there is none."""
        marker = self.landmarks.get(name, name)
        if marker not in self.names:
            raise ScanError(f"{self.name}: no marker or landmark {name!r}; there are {', '.join(self.names)[:300]}")
        return self.points[:, self.names.index(marker)]


def read_markers(
    path: str | os.PathLike[str],
    landmarks: Mapping[str, str] | None = None,
    fps: float | None = None,
    units: str | float = "auto",
) -> Markers:
    """Markers from a C3D file, or a table: Vicon's trajectories (.csv; FaceMoCap's are such), or a column for each
    coordinate (time, LMC_x, LMC_y, LMC_z, ...).

    `landmarks` marker name -> landmark code (`face3d.landmarks`), beside those that are named so already and
    `FACEMOCAP`'s. `fps` wins over the file's rate. `units` "auto" takes the file's own unit, else infers it from the
    size. Raises `ScanError` when it can't be read, `SchemaError` for unknown names or where no rate is known.
    """
    file = Path(path)
    name = str(file)
    data = guard.read_bytes(file)
    if data[1:2] == b"\x50" and file.suffix.lower() != ".csv":
        found = read_c3d(name, data)
        table = Table(found.labels, found.points, None, found.rate, found.unit, found.notes)
    else:
        table = read_marker_table(name, data)
    said = table.rate if table.rate is not None and table.rate > 0 else None
    ticks = clock(name, len(table.points), fps, table.times, said=said)
    points = table.points.copy()
    if ticks.lost:
        points[list(ticks.lost)] = np.nan  # at no time that is known, they are nowhere
    wanted = table.unit.lower() if units == "auto" and table.unit.lower() in MILLIMETRES else units
    seen = points[np.isfinite(points).all(axis=-1)]
    if not len(seen):
        raise ScanError(f"{file}: no marker is seen in any of its {len(points)} frames")
    unit = to_millimetres(name, _middle(points), wanted)
    points *= unit.factor
    notes = (unit.note, *table.notes, *ticks.notes)
    return Markers(name, table.names, ticks.times_s, points, ticks.fps, _landmarks(name, table.names, landmarks), notes)


def _middle(points: Floats) -> Floats:
    """The markers of the frame in which most are seen."""
    seen = np.asarray(np.isfinite(points).all(axis=-1))
    best = int(np.argmax(seen.sum(axis=1)))
    return points[best][seen[best]]


def _landmarks(name: str, markers: tuple[str, ...], given: Mapping[str, str] | None) -> dict[str, str]:
    """landmark code -> marker: as given, named by our codes, or FaceMoCap's where its labels are."""
    for marker, code in (given or {}).items():
        if marker not in markers or code not in NAMES:
            what = f"no marker {marker!r}" if marker not in markers else f"{code!r} is no landmark of face3d.landmarks"
            raise SchemaError(f"{name}: landmarks: {what}; markers are {', '.join(markers)[:300]}")
    codes = {code.lower(): code for code in NAMES}
    own = {codes[key]: marker for marker in markers if (key := _plain(marker)) in codes}
    theirs = {code: marker for marker, code in FACEMOCAP.items() if marker in markers}
    mine = {code: marker for marker, code in (given or {}).items()}
    if len(mine) != len(given or {}):
        raise SchemaError(f"{name}: landmarks: two markers are given for one landmark")
    # Two of FaceMoCap's labels tell it; one may be a chance.
    return {**(theirs if len(theirs) > 3 else {}), **own, **mine}


def _plain(marker: str) -> str:
    return re.sub(r"[ .-]+", "_", marker).lower()
