"""A scan cleaned, its landmarks found, its head turned to the front: where every measurement of a scan begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import RigidTransform

from face3d.geometry.clean import Cleaned, clean
from face3d.geometry.mesh import scan_normals
from face3d.geometry.superimpose import Superimposition, superimpose_mirror
from face3d.landmarking.detect import POINTS, Detection
from face3d.landmarking.given import among_themselves
from face3d.landmarking.pose import refined_frame
from face3d.landmarking.scene import face_of
from face3d.landmarking.size import size_notes
from face3d.scan import FaceScan
from face3d.values import Value


@dataclass(frozen=True, eq=False, repr=False)
class Placed(Value):
    """`cleaned` the scan without what is no skin, and the way back; `found` its landmarks, in scan coordinates, mm;
    `laid` how the mirror image was laid over it, and `head` scan coordinates -> canonical head frame by that symmetry:
    None where no symmetry was asked for."""

    cleaned: Cleaned
    found: Detection
    laid: Superimposition | None = None
    head: RigidTransform | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done on the way that a reader of the numbers should know."""
        return (*self.cleaned.notes, *self.found.notes)

    def superimposed(self) -> Placed:
        """The same with the head frame fixed by the mirror symmetry of the face.

        Raises `RegistrationError` when the mirror image cannot be laid over it.
        """
        laid = superimpose_mirror(self.cleaned.thin.scan, self.found.frame)
        head = refined_frame(self.found.frame, self.found.landmarks, laid.plane.normal, laid.plane.point)
        return replace(self, laid=laid, head=head)


def placed(scan: FaceScan, debug_picture: Path | None = None) -> Placed:
    """A scan cleaned, with its landmarks; those that it carries win. What shows more than a head is cropped to it.

    Raises `ScanError` when nothing measurable is left after cleaning or nobody has a face of that size, `LandmarkError`
    when the landmarks that it carries cannot be right, `NoFaceError` when no face is found and no landmarks are given;
    a picture of where it was looked for is then written to `debug_picture`, where that is given.
    """
    cleaned, found = _found(clean(scan), debug_picture)
    notes = size_notes(scan.name, found.landmarks, scan.units_note)
    return Placed(cleaned, replace(found, notes=(*found.notes, *notes)))


def _found(cleaned: Cleaned, debug_picture: Path | None) -> tuple[Cleaned, Detection]:
    scan = cleaned.scan
    try:
        return face_of(cleaned, debug_picture)
    except ModuleNotFoundError as error:  # a light install measures with the landmarks that it is given
        if (error.name or "").partition(".")[0] != "mediapipe" or not scan.landmarks:
            raise
        given = dict(scan.landmarks)
        notes = ["MediaPipe is not installed: only the landmarks given by hand were used"]
        notes += among_themselves(scan.name, given, scan.vertices, scan_normals(scan))
        return cleaned, Detection(
            given,
            dict.fromkeys(given, 1.0),
            np.full((POINTS, 3), np.nan),
            np.zeros(POINTS),
            RigidTransform.identity(),
            0,
            tuple(notes),
        )
