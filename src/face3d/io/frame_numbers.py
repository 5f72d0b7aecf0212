"""Which files of a folder are the frames of a recording, in which order, and which are missing between them."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import ScanError
from face3d.io import guard
from face3d.io.sequence_clock import Clock, clock, stride
from face3d.scan import Floats

#: Numbers that are missing in a row are frames that were lost; more of them are a pause, in which nothing was recorded.
MOST_MISSING = 100
# A stem that is seconds since 1970, as of TUM's recordings and many a script, is a time stamp and no number.
_STAMP = re.compile(r"\d{9,}\.\d+")
_GAP = "\0"  # where digits stood in a name
TIMES = re.compile(r"(?:.*[_-])?(?:timestamps?|times)\.(?:csv|tsv|txt)", re.IGNORECASE)
_TIMES_BYTES = 64 << 20
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, eq=False)
class Files:
    """`paths` of the frames, in order, None where one is missing; their `clock`."""

    paths: tuple[Path | None, ...]
    clock: Clock


def number_of(stem: str) -> int | None:
    """The frame's number that a name ends with."""
    found = re.findall(r"\d+", stem)
    return int(found[-1]) if found and len(found[-1]) < 18 else None


def listed(path: Path, suffixes: tuple[str, ...]) -> dict[str, list[Path]]:
    """The files of a folder, or of a pattern in it ("left_*.ply"), by what their names have in common but the number.

    The number of a frame is the last run of digits that differs between files. Raises `ScanError` for a folder that is
    not there.
    """
    folder, pattern = (path.parent, path.name) if "*" in path.name else (path, "*")
    if not folder.is_dir():
        raise ScanError(f"{folder}: there is no such folder")
    alike: dict[tuple[str, str], list[tuple[list[str], Path]]] = defaultdict(list)
    for file in folder.glob(pattern):
        name = file.name.lower().removesuffix(".gz")
        if name.startswith(".") or not name.endswith(suffixes):
            continue
        stem, _, suffix = name.rpartition(".")
        digits = [stem] if _STAMP.fullmatch(stem) else re.findall(r"\d+", stem)
        if digits:
            key = _GAP if _STAMP.fullmatch(stem) else re.sub(r"\d+", _GAP, stem)
            alike[key, suffix].append((digits, file))
    groups: dict[str, list[Path]] = defaultdict(list)
    for (key, suffix), files in alike.items():
        at = _differing([digits for digits, _ in files])
        for digits, file in files:
            shown = [*digits[:at], "*", *digits[at + 1 :], ""]
            text = "".join(part + number for part, number in zip(key.split(_GAP), shown, strict=True))
            groups[f"{text}.{suffix}"].append(file)
    return groups


def _differing(names: list[list[str]]) -> int:
    """Which run of digits is the frame's number: the last one that differs between names, else the last."""
    count = len(names[0])
    return next((i for i in range(count - 1, -1, -1) if len({digits[i] for digits in names}) > 1), count - 1)


def one_of(path: Path, groups: dict[str, list[Path]], what: str) -> list[Path]:
    """The files of the one recording that there is. Raises `ScanError` when there are none, or several."""
    many = {key: files for key, files in groups.items() if len(files) > 1} or groups
    if len(many) == 1:
        return next(iter(many.values()))
    if not many:
        raise ScanError(f"{path}: no {what} in it; frames are files with numbers, such as frame_0001.ply")
    said = ", ".join(f"{key} ({len(files)})" for key, files in sorted(many.items())[:4])
    raise ScanError(f"{path}: {len(many)} recordings in one folder: {said}; give one of them: {path / sorted(many)[0]}")


def in_order(
    path: Path, files: list[Path], fps: float | None, times: ArrayLike | None, said: float | None = None
) -> Files:
    """The frames and their times. Raises `ScanError` for two of one number, `SchemaError` where time is unknown."""
    name = str(path)
    if all(_STAMP.fullmatch(_stem(f)) for f in files):
        ordered = sorted(files, key=lambda f: float(_stem(f)))
        stamps = np.array([float(_stem(f)) for f in ordered])
        return Files(tuple(ordered), clock(name, len(ordered), fps, stamps if times is None else times))
    numbered: dict[int, Path] = {}
    names = [re.findall(r"\d+", _stem(file)) for file in files]
    at = _differing(names)
    for file, digits in zip(files, names, strict=True):
        number = int(digits[at][:18])
        if number in numbered:
            raise ScanError(
                f"{path}: {numbered[number].name} and {file.name} are both frame {number}; take one of them out"
            )
        numbered[number] = file
    numbers = np.array(sorted(numbered))
    step = stride(numbers)
    gaps = [(a, b) for a, b in pairwise(numbers.tolist()) if b - a > step]
    pauses = [(a, b) for a, b in gaps if (b - a) // step > MOST_MISSING]
    missing = [n for a, b in gaps if (a, b) not in pauses for n in range(a + step, b, step)]
    every = np.array(sorted([*numbers.tolist(), *missing]))
    stamps = _stamps(path if path.is_dir() else path.parent, numbers, every) if times is None else times
    if times is not None and len(missing) and np.size(times) == len(numbers):
        stamps = np.interp(every, numbers, np.asarray(times, np.float64))
    ticks = clock(name, len(every), fps, stamps, every, said)
    notes = list(ticks.notes)
    if missing:
        notes.append(f"{len(missing)} frames are missing (first: number {missing[0]}) and are lost")
    notes += [f"no frames between numbers {a} and {b}: a pause" for a, b in pauses[:5]]
    ticks = Clock(ticks.numbers, ticks.times_s, ticks.fps, ticks.lost, tuple(notes))
    return Files(tuple(numbered.get(int(n)) for n in every), ticks)


def _stem(file: Path) -> str:
    name = file.name.removesuffix(".gz")
    return name[: name.rindex(".")]


def _stamps(folder: Path, numbers: np.ndarray, every: np.ndarray) -> Floats | None:
    """The time of each frame of `every`, seconds, from the folder's file of time stamps; None where there is none."""
    found = sorted(f for f in folder.iterdir() if TIMES.fullmatch(f.name))
    if not found:
        return None
    file = found[0]
    text = guard.read_bytes(file, _TIMES_BYTES).decode("utf-8", "replace")
    rows = [re.split(r"[,;\t ]+", line.strip()) for line in text.splitlines() if line.strip() and line[0] != "#"]
    head = [word.lower() for word in rows[0]] if rows and _number(rows[0][0]) is None else []
    rows = rows[1:] if head else rows
    if not rows:
        raise ScanError(f"{file}: holds no time stamps; a line a frame: its number and seconds")
    column = next((i for i, word in enumerate(head) if "time" in word or "stamp" in word), min(len(rows[0]), 2) - 1)
    said = head[column] if column < len(head) else ""
    unit = next((f for u, f in _UNITS.items() if re.search(rf"[_\[( ]{u}[\])]?$", said)), 1.0)
    seconds = [_number(row[column]) if column < len(row) else None for row in rows]
    times = np.array([np.nan if s is None else s * unit for s in seconds])
    if column == 0:
        if len(times) != len(numbers):
            raise ScanError(
                f"{file}: {len(times)} time stamps for {len(numbers)} frames; a line a frame, or number and time"
            )
        known = dict(zip(numbers.tolist(), times.tolist(), strict=True))
    else:
        known = {_count(row[0]): time for row, time in zip(rows, times.tolist(), strict=True)}
    there = np.array([known.get(n, np.nan) for n in numbers.tolist()])
    fine = np.isfinite(there)
    if not fine.any():
        raise ScanError(f"{file}: none of its numbers is one of the frames {numbers[0]} to {numbers[-1]}")
    out = np.interp(every, numbers[fine], there[fine])
    return np.where(np.isin(every, numbers[~fine]), np.nan, out)


def _count(word: str) -> int | None:
    """A frame's number, as such or at the end of its file's name."""
    value = _number(word)
    return number_of(Path(word).stem) if value is None else int(value) if abs(value) < 2**62 else None


def _number(word: str) -> float | None:
    try:
        return float(word.strip('"'))
    except ValueError:
        return None
