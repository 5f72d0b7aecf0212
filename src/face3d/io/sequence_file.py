"""One recording of an exam that lies on disk, read when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from face3d.io.markers import Markers, read_markers
from face3d.io.sequence import Sequence
from face3d.io.sequence_read import read_sequence


@dataclass(frozen=True)
class SequenceFile:
    """A recorded movement: `path` as `read_sequence` takes it, or of markers; `fps` frames a second, or None where the
    files say it; `units` as in `read_sequence`; `base` the mesh that bare vertices belong to; `markers` marker name ->
    landmark code, of a recording of markers."""

    path: Path
    fps: float | None = None
    units: str = "auto"
    base: Path | None = None
    markers: Mapping[str, str] | None = None

    @property
    def of_markers(self) -> bool:
        """Whether it holds markers, for `read_markers`, and no surfaces."""
        return self.markers is not None or self.path.suffix.lower() == ".c3d"

    def read(self) -> Sequence:
        """The recording, its frames still on disk. Raises `ScanError` or `SchemaError` as `read_sequence` does."""
        return read_sequence(self.path, self.fps, self.units, base=self.base)

    def read_markers(self) -> Markers:
        """Its markers. Raises `ScanError` or `SchemaError` as `read_markers` does."""
        return read_markers(self.path, self.markers, self.fps, self.units)
