"""A folder of results holds one result, whole: never a mixture of two people, visits or runs.

A new result is written aside and takes the place of an earlier one of the same thing file by file at the end; what that
one left besides is removed. A folder that holds the result of anything else is refused before anything is written.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from face3d.errors import OutputError, ScanError

RESULT, REGIONS, MESH, REPORT = "result.json", "regions.csv", "asymmetry.ply", "report.html"
MEASURES, CHANGES, THIRDS, EVALUATION = "measures.csv", "changes.csv", "thirds.csv", "evaluation.json"
FACES, REPORT_PDF = "faces.npz", "report.pdf"
SUMMARY, KINEMATICS, KINEMATICS_PARQUET = "summary.json", "kinematics.csv", "kinematics.parquet"
FRAMES, FRAMES_PARQUET, TRACKED = "frames.csv", "frames.parquet", "tracked.npz"
MOVEMENT_CURVES, EYE_CURVES, ANOMALY = "movement.svg", "eyes.svg", "anomaly.csv"

#: What is written of each kind of thing. The first file says whose it is, and appears last.
FILES: Mapping[str, tuple[str, ...]] = {
    "scan": (RESULT, REGIONS, MESH, REPORT, REPORT_PDF),
    "exam": (RESULT, MEASURES, THIRDS, FACES, REPORT, REPORT_PDF),
    "comparison": (RESULT, CHANGES, REPORT, REPORT_PDF),
    "evaluation": (EVALUATION, REPORT),
    "sequence": (
        SUMMARY,
        KINEMATICS,
        KINEMATICS_PARQUET,
        FRAMES,
        FRAMES_PARQUET,
        TRACKED,
        ANOMALY,
        MOVEMENT_CURVES,
        EYE_CURVES,
        REPORT,
        REPORT_PDF,
    ),
}
#: Files that not every result of a kind has -> how ours begin, of this and of earlier versions.
_BEGIN: Mapping[str, tuple[str, ...]] = {
    THIRDS: ("subject,visit,expression,third,", "expression,third,"),
    ANOMALY: ("time_s,anomaly_left,",),
    FACES: ("PK",),
    REPORT_PDF: ("%PDF-",),
}


@dataclass(frozen=True)
class Thing:
    """What a result is of: its `kind` (of `FILES`) and `name`, of a scan or of a subject and visit."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


def free_for(folder: Path, thing: Thing) -> None:
    """Raises `OutputError` where `folder` holds the result of another thing, or files of such names by others."""
    found = _held(folder)
    there = [name for name in FILES[thing.kind] if (folder / name).exists()]
    way_out = "give another folder with --out, or move away what is in this one"
    if found is not None and found != thing:
        raise OutputError(f"{folder}: holds the result of the {found}, this one is of the {thing}; {way_out}")
    if found is None and there:
        raise OutputError(f"{folder}: {', '.join(there)} there already, of no result of the {thing}; {way_out}")


@contextmanager
def filled(folder: Path, thing: Thing) -> Iterator[Path]:
    """A folder to write a result's files into; on leaving it they appear in `folder`, made when it is not there.

    Until then an earlier result of the same thing stays as it is; afterwards nothing of it is left. Raises
    `OutputError` as `free_for` does, and when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}; give another folder with --out") from None
    free_for(folder, thing)
    try:
        with tempfile.TemporaryDirectory(prefix=".face3d-", dir=folder) as aside:
            yield Path(aside)
            first, *others = FILES[thing.kind]
            written = [name for name in (*others, first) if (Path(aside) / name).exists()]
            for name in written:
                os.replace(Path(aside) / name, folder / name)
            for name in set(FILES[thing.kind]) - set(written):
                if _ours(folder / name):
                    (folder / name).unlink()
    except ScanError as error:
        raise OutputError(f"{error}; give another folder with --out") from None
    except OSError as error:
        where = error.filename2 or error.filename or folder
        raise OutputError(f"{where}: cannot be written: {error.strerror}; give another folder with --out") from None


def _held(folder: Path) -> Thing | None:
    """What the result in a folder is of; None where there is none that face3d wrote."""
    for file in (RESULT, EVALUATION, SUMMARY):
        try:
            stored = json.loads((folder / file).read_text(encoding="utf-8"))
            if file == EVALUATION and {"figures", "confusion"} <= stored.keys():
                return Thing("evaluation", "")
            if "face3d_version" in stored:
                if file == SUMMARY:
                    return Thing("sequence", stored["sequence"])
                if "scan" in stored:
                    return Thing("scan", stored["scan"]["name"])
                if "changes" in stored:
                    return Thing("comparison", compared(stored["subject"], stored["baseline"], stored["visits"]))
                return Thing("exam", examined(stored["subject"], stored["visit"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return None


def examined(subject: str, visit: str | None) -> str:
    """What an exam is called: its subject and visit."""
    return f"{subject}/{visit}" if visit else subject


def compared(subject: str, baseline: str, visits: list[str] | tuple[str, ...]) -> str:
    """What a comparison is called: its subject and visits."""
    return f"{subject} ({baseline} to {', '.join(visits)})"


def _ours(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8", errors="replace") as text:
            return text.readline(1000).startswith(_BEGIN.get(file.name, ()))
    except OSError:
        return False
