"""Processes that a test began, told by a mark in their environment, where /proc can be looked at."""

from __future__ import annotations

from pathlib import Path


def marked(mark: str) -> list[int]:
    """Processes with this mark in their environment."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                alive = "\nState:\tZ" not in (place / "status").read_text()
                if alive and mark.encode() in (place / "environ").read_bytes():
                    found.append(int(place.name))
            except OSError:
                continue
    return found
