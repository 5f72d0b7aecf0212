"""What landmark files of every kind have in common: text and lines, numbers as people write them, units of length."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from face3d.errors import LandmarkError

#: More points than any template has.
MAX_POINTS = 20_000

Row = tuple[str | None, Sequence[Any] | None]


@dataclass(frozen=True)
class Rows:
    """What a landmark file says, before names and numbers are checked.

    `rows` (name or None, coordinates as they stand or None for a point that was not placed), in LPS where the file
    names a frame; `unit` the unit of length that the file names, if it does; `sure` is False where a program writes
    that unit whatever the scan is in; `notes` what was left out.
    """

    rows: list[Row]
    unit: str | None = None
    sure: bool = True
    notes: tuple[str, ...] = ()


def text_of(where: str, raw: bytes) -> str:
    """The text in UTF-8, UTF-16 or UTF-32, else in Windows' western code page, as Excel writes CSV.

    Raises `LandmarkError` when the bytes are no text.
    """
    even, odd = raw[0::2].count(0), raw[1::2].count(0)
    if raw[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        encodings = ("utf-32",)
    elif raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ("utf-16",)
    elif max(even, odd) > len(raw) / 4 and not min(even, odd):  # UTF-16 without its mark
        encodings = ("utf-16-le" if odd else "utf-16-be",)
    else:
        encodings = ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = raw.decode(encoding).rstrip("\0\x1a")
        except UnicodeDecodeError:
            continue
        if not re.search(r"[\0-\x08\x0e-\x1b\x7f]", text):  # of control characters, only blanks and separators
            return text
    raise LandmarkError(f"{where}: is no text file, as landmark files are")


def lines_of(text: str) -> list[str]:
    """The lines. They end where the file's line ends stand and nowhere else: str.splitlines() would also break them
    at form feeds, separators and carriage returns, which programs leave within fields."""
    text = text.replace("\r\n", "\n")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return text.replace("\r", " ").split("\n")


# What stands where a point was not placed: nothing, R's and Python's words, Excel's errors, a dash.
_MISSING = {
    "",
    "na",
    "n/a",
    "#na",
    "#n/a",
    "#n/d",
    "#nv",
    "#n/v",
    "<na>",
    "nan",
    "none",
    "null",
    "missing",
    ".",
    "-",
    "--",
    "n.a.",
    "n.d.",
    "k.a.",
    "\u2013",
    "\u2014",
    "?",
}
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*|,[0-9]+)?|[.,][0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)


def number(value: Any) -> float:
    """A coordinate, with a decimal point or comma; NaN where it says that there is none. `ValueError` for others."""
    if not isinstance(value, str):
        if isinstance(value, bool):
            raise ValueError("a truth value")
        return float(value)
    word = value.strip().replace("\u2212", "-")
    if word.lower() in _MISSING:
        return float("nan")
    if not _NUMBER.fullmatch(word):
        raise ValueError(word)
    return float(word.replace(",", "."))


def is_number(value: str) -> bool:
    """Whether `number` takes it."""
    try:
        number(value)
    except ValueError:
        return False
    return True


def split_row(words: Sequence[str]) -> Row:
    """A row of words as a name, if one stands before the numbers, and the numbers."""
    first = next((i for i, word in enumerate(words) if is_number(word)), len(words))
    if first == 0 and len(words) == 4:  # a number as a name
        first = 1
    return " ".join(words[:first]) or None, words[first:]


_MILLIMETRES: Mapping[str, float] = {
    "mm": 1.0,
    "millimeter": 1.0,
    "millimetre": 1.0,
    "cm": 10.0,
    "centimeter": 10.0,
    "centimetre": 10.0,
    "dm": 100.0,
    "m": 1000.0,
    "meter": 1000.0,
    "metre": 1000.0,
    "um": 1e-3,
    "\u00b5m": 1e-3,
    "\u03bcm": 1e-3,
    "micrometer": 1e-3,
    "micrometre": 1e-3,
    "micron": 1e-3,
    "nm": 1e-6,
    "in": 25.4,
    "inch": 25.4,
    "inche": 25.4,
    "[in_i]": 25.4,
}


def millimetres(unit: str) -> float | None:
    """Millimetres in one of a unit of length, in its short or long name; None for what is no such unit."""
    word = unit.strip().lower()
    return _MILLIMETRES.get(word) or _MILLIMETRES.get(word.removesuffix("s"))
