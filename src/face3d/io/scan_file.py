"""One scan of an exam that lies on disk, read when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from face3d.io.read import read_scan
from face3d.scan import FaceScan


@dataclass(frozen=True)
class ScanFile:
    """One scan of an exam that lies on disk. `units` as in `read_scan`; `landmarks` a landmark file of its own."""

    path: Path
    units: str = "auto"
    landmarks: Path | None = None

    def read(self, texture: bool = False) -> FaceScan:
        """The scan, in mm. Raises `ScanError` or `LandmarkError` that name the file."""
        return read_scan(self.path, units=self.units, landmarks=self.landmarks, texture=texture)
