"""Tables that people write: lists of a study, groups, filled-in forms."""

from __future__ import annotations

import csv
from pathlib import Path


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """Rows of a CSV, column -> text, "" where nothing stands.

    Columns may be parted by commas, by semicolons as spreadsheets of half of Europe do, or by tabs, whichever the first
    line has most of. Bytes that are no UTF-8 stay what they were (surrogateescape). Raises OSError, ValueError.
    """
    with Path(path).open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        parted = max(",;\t", key=text.readline(1 << 20).count)
        text.seek(0)
        try:
            return [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(text, delimiter=parted)]
        except csv.Error as error:
            raise ValueError(str(error)) from None
