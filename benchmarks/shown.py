"""Tables of benchmarks: Markdown, so that they are read in a terminal while they grow, and on a page as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Shown:
    """A table that is printed line by line. Titles are unique within a benchmark, first cells within a table: a figure
    is found again by them (`tools/bench.py`)."""

    def __init__(self, title: str, *columns: str) -> None:
        print(f"\n**{title}**\n")
        self._widths = [max(len(c), 24 if k == 0 else 6) for k, c in enumerate(columns)]
        self.row(*columns)
        print("|" + "|".join("-" * (w + 2) for w in self._widths) + "|", flush=True)

    def row(self, *cells: object) -> None:
        """One line."""
        filled = [*cells, *[""] * (len(self._widths) - len(cells))]
        text = (str(c).replace("|", "/").replace("\n", " ").ljust(w) for c, w in zip(filled, self._widths, strict=True))
        print("| " + " | ".join(text) + " |", flush=True)


def number(value: float, digits: int = 2) -> str:
    """With so many digits; "-" where nothing is known."""
    return f"{value + 0.0:.{digits}f}" if np.isfinite(value) else "-"


def numbers(values: Sequence[float], digits: int = 2) -> list[str]:
    """Each so."""
    return [number(v, digits) for v in values]
