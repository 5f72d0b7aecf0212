"""Recorded movements: surfaces in time, read one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from face3d.scan import FaceScan, Floats
from face3d.values import Value, locked


@dataclass(frozen=True, eq=False, repr=False)
class Frame(Value):
    """One instant of a recording. `number` as the recording counts it; `time_s` since the first frame; `scan` what was
    recorded, mm, or None where it is lost, with the `reason`."""

    number: int
    time_s: float
    scan: FaceScan | None
    reason: str | None = None

    @property
    def lost(self) -> bool:
        """There is no usable surface at this instant."""
        return self.scan is None


@dataclass(frozen=True, eq=False, repr=False)
class Sequence(Value):
    """A recording of one face. Iterating reads its frames in order, one at a time, as often as one iterates.

    `read` start -> frames from the start-th on; `times_s` (T,) seconds of its frames since the first, lost ones
    included, or None while it is still being written; `fps` frames a second, nominal; `same_topology`: each frame has
    the vertices and triangles of the first; `notes` what the reader thought worth saying.
    """

    name: str
    fps: float
    read: Callable[[int], Iterator[Frame]]
    times_s: Floats | None = None
    same_topology: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.times_s is not None:
            object.__setattr__(self, "times_s", locked(self.times_s))

    def __iter__(self) -> Iterator[Frame]:
        return self.read(0)

    def __len__(self) -> int:
        if self.times_s is None:
            raise TypeError(f"{self.name} is still being written: how many frames it has is not known yet")
        return len(self.times_s)

    @classmethod
    def of(cls, scans: Iterable[FaceScan | None], fps: float, name: str = "sequence", **facts: Any) -> Sequence:
        """A recording of scans in memory, None where one was lost."""
        kept = tuple(scans)

        def read(start: int) -> Iterator[Frame]:
            for k in range(start, len(kept)):
                yield Frame(k, k / fps, kept[k], None if kept[k] is not None else "no surface was recorded")

        return cls(name, fps, read, locked([k / fps for k in range(len(kept))]), **facts)
