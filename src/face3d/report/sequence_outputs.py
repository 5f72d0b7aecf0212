"""What `face3d sequence` leaves behind: a folder of one recording's results, whole or not at all."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from face3d.errors import LandmarkError, MissingExtraError
from face3d.extras import require
from face3d.io.write import write_bytes
from face3d.report.curves import WIDE, eyes_over_time, movement_over_time, standalone
from face3d.report.folder import (
    ANOMALY,
    EYE_CURVES,
    FRAMES,
    FRAMES_PARQUET,
    KINEMATICS,
    KINEMATICS_PARQUET,
    MOVEMENT_CURVES,
    REPORT,
    SUMMARY,
    TRACKED,
    Thing,
    filled,
)
from face3d.report.movement_pictures import frame_pictures
from face3d.report.pictures import drawn
from face3d.report.scenes import recording_scene
from face3d.report.sequence_page import sequence_page
from face3d.report.sequence_result import SequenceResult, sequence_result
from face3d.sequence.stored import Stored

if TYPE_CHECKING:
    import pandas as pd

    from face3d.grading.grades import Grade
    from face3d.grading.temporal import Anomaly
    from face3d.sequence.kinematics import Kinematics
    from face3d.sequence.tracked import Tracked

#: Digits behind the point in CSV: a tenth of a micrometre, a tenth of a millisecond.
_DIGITS = "%.4f"


def write_sequence(k: Kinematics, folder: Path, tracked: Tracked | Stored | None = None) -> SequenceResult:
    """Writes summary.json, kinematics and frames as CSV and, where pyarrow is installed, Parquet, the curves, the
    report, tracked.npz of what was `tracked` in parts, and where torch is installed and regions are known the anomaly
    over time. Raises `OutputError` when the folder cannot be written, or holds another result."""
    result = sequence_result(k, tracked, None if tracked is None else known_grade(tracked, k))
    tables = {(KINEMATICS, KINEMATICS_PARQUET): k.table, (FRAMES, FRAMES_PARQUET): k.frames}
    eyes, unlike = eyes_over_time(k), known_anomaly(k)
    largest = sorted(k.movements, key=lambda m: -m.size)
    scene = None if tracked is None else recording_scene(tracked, [m.apex_frame for m in largest])
    pictures = drawn(lambda: [] if scene is None else frame_pictures(scene))
    with filled(folder, Thing("sequence", k.name)) as aside:
        for (csv, parquet), table in tables.items():
            write_bytes(aside / csv, kinematics_csv(table).encode())
            if (packed := _parquet(table)) is not None:
                write_bytes(aside / parquet, packed)
        write_bytes(aside / MOVEMENT_CURVES, standalone(movement_over_time(k), *WIDE).encode())
        if eyes is not None:
            write_bytes(aside / EYE_CURVES, standalone(eyes, *WIDE).encode())
        if isinstance(tracked, Stored):
            tracked.write(aside / TRACKED)
        if unlike is not None:
            write_bytes(aside / ANOMALY, kinematics_csv(unlike.table).encode())
        write_bytes(aside / REPORT, sequence_page(result, k, unlike, scene, pictures).encode())
        write_bytes(aside / SUMMARY, result.to_json().encode())
    return result


def known_anomaly(k: Kinematics) -> Anomaly | None:
    """How unlike healthy movement it is; None where torch is not installed, where points are markers, and where nothing
    can be said."""
    from face3d.grading.temporal import anomaly

    try:
        found = anomaly(k)
    except (MissingExtraError, LandmarkError):
        return None
    return None if found.note else found


def kinematics_csv(table: pd.DataFrame) -> str:
    """A table over time as it is written."""
    return table.to_csv(index=False, float_format=_DIGITS)


def known_grade(tracked: Tracked | Stored, k: Kinematics) -> Grade | None:
    """The session's grade; None where torch is not installed, and where too few expressions were made."""
    from face3d.grading.in_time import grade_of_session

    try:
        return grade_of_session(tracked, k)
    except MissingExtraError:
        return None


def _parquet(table: pd.DataFrame) -> bytes | None:
    """None where pyarrow is not installed: the CSV says the same."""
    try:
        require("pyarrow")
    except MissingExtraError:
        return None
    out = io.BytesIO()
    table.to_parquet(out, index=False)
    return out.getvalue()


def left_behind(folder: Path) -> None:
    """Removes what a run that was killed while writing left aside in a folder."""
    for old in folder.glob(".face3d-*"):
        shutil.rmtree(old, ignore_errors=True)
