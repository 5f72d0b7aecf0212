"""A recording's numbers frame by frame, and its blinks, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from face3d.landmarks import SIDES
from face3d.scan import Floats
from face3d.sequence.blinks import Lids
from face3d.sequence.filtering import rate_of_change
from face3d.sequence.segmentation import PHASES, Segment

if TYPE_CHECKING:
    import pandas as pd


def frame_table(
    times: Floats,
    fps: float,
    lost: np.ndarray,
    names: tuple[str, ...],
    away: Floats,
    done: Sequence[tuple[int, Segment]],
    lids: Lids,
    parts: Mapping[str, Mapping[str, Floats]],
) -> pd.DataFrame:
    """One row an instant; see `kinematics.Kinematics.frames`."""
    import pandas as pd

    number, phase = phases(times, done)
    columns: dict[str, object] = {"time_s": times, "lost": lost, "movement": number, "phase": phase}
    speed = np.linalg.norm(rate_of_change(away, fps), axis=2)
    for k, name in enumerate(names):
        columns[f"{name}_mm"] = np.linalg.norm(away[:, k], axis=1)
        columns[f"{name}_mm_s"] = speed[:, k]
    for side in SIDES:
        columns[f"eye_{side}_opening_mm"] = lids.opening_mm[side]
        columns[f"eye_{side}_aspect_ratio"] = lids.aspect_ratio[side]
    columns["blinking"] = lids.blinking
    for part, regions in parts.items():
        for region, values in regions.items():
            columns[f"{region}_{part}_mm"] = values
    return pd.DataFrame(columns)


def phases(times: Floats, done: Sequence[tuple[int, Segment]]) -> tuple[np.ndarray, np.ndarray]:
    """(T,) number of the movement, 0 at rest, and (T,) its phase, of `PHASES`. Where a border is not known a movement
    has only the phases between those that are."""
    number, phase = np.zeros(len(times), int), np.full(len(times), PHASES[0], object)
    for k, s in done:
        borders = [s.begin, s.arrived, s.leaves, s.end]
        if not np.isfinite(s.begin):
            borders[0] = float(times[s.start])
        if not np.isfinite(s.end):
            borders[3] = float(times[min(s.stop, len(times)) - 1])
        inside = (times >= borders[0]) & (times <= borders[3])
        number[inside], phase[inside] = k, PHASES[2]
        if np.isfinite(s.arrived):
            phase[inside & (times < s.arrived)] = PHASES[1]
        if np.isfinite(s.leaves):
            phase[inside & (times > s.leaves)] = PHASES[3]
    return number, phase


def blink_table(lids: Lids) -> pd.DataFrame:
    """One row a blink and side."""
    import pandas as pd

    rows = [
        (b.time_s, side, b.completeness[side], b.speed_mm_s[side], side in b.by) for b in lids.blinks for side in SIDES
    ]
    return pd.DataFrame(rows, columns=["time_s", "side", "completeness", "speed_mm_s", "counted"])
