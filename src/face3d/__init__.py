"""face3d: 3D analysis of faces with facial paralysis. For research use only; not a medical device.

Public names are imported when first used, so that `import face3d` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from face3d import errors as errors
    from face3d.exam import Exam as Exam
    from face3d.grading.examination import Examination as Examination
    from face3d.grading.examination import examine as examine
    from face3d.grading.examination import explain as explain
    from face3d.grading.examination import grade as grade
    from face3d.grading.grades import Grade as Grade
    from face3d.grading.recorded import kinematics as kinematics
    from face3d.grading.temporal import Anomaly as Anomaly
    from face3d.grading.temporal import anomaly as anomaly
    from face3d.io import read_scan as read_scan
    from face3d.io import write_scan as write_scan
    from face3d.io.exam import read_exam as read_exam
    from face3d.io.interop import from_pyvista as from_pyvista
    from face3d.io.interop import from_trimesh as from_trimesh
    from face3d.io.interop import to_pyvista as to_pyvista
    from face3d.io.interop import to_trimesh as to_trimesh
    from face3d.io.live_link import read_live_link as read_live_link
    from face3d.io.markers import Markers as Markers
    from face3d.io.markers import read_markers as read_markers
    from face3d.io.sequence import Sequence as Sequence
    from face3d.io.sequence_read import read_sequence as read_sequence
    from face3d.measuring.analysis import Analysis as Analysis
    from face3d.measuring.analysis import analyze as analyze
    from face3d.measuring.comparison import compare as compare
    from face3d.measuring.exam_measures import Measures as Measures
    from face3d.measuring.examination import measure as measure
    from face3d.scan import FaceScan as FaceScan
    from face3d.sequence.calibration import calibrate as calibrate
    from face3d.sequence.fusion import fuse as fuse
    from face3d.sequence.kinematics import Kinematics as Kinematics
    from face3d.sequence.stereo import reconstruct as reconstruct
    from face3d.sequence.track import track as track
    from face3d.sequence.video import measure_video as measure_video
    from face3d.template.exam_fit import FittedExam as FittedExam
    from face3d.template.exam_fit import fit as fit
    from face3d.viewing.notebook import view as view

__version__ = "0.5.0"

#: public name -> module that defines it. No module may have a public name: once imported, it would hide the function.
_PUBLIC = {
    "FaceScan": "face3d.scan",
    "read_scan": "face3d.io",
    "write_scan": "face3d.io",
    "to_trimesh": "face3d.io.interop",
    "from_trimesh": "face3d.io.interop",
    "to_pyvista": "face3d.io.interop",
    "from_pyvista": "face3d.io.interop",
    "read_sequence": "face3d.io.sequence_read",
    "Sequence": "face3d.io.sequence",
    "read_markers": "face3d.io.markers",
    "Markers": "face3d.io.markers",
    "read_live_link": "face3d.io.live_link",
    "analyze": "face3d.measuring.analysis",
    "Analysis": "face3d.measuring.analysis",
    "Exam": "face3d.exam",
    "read_exam": "face3d.io.exam",
    "fit": "face3d.template.exam_fit",
    "FittedExam": "face3d.template.exam_fit",
    "examine": "face3d.grading.examination",
    "Examination": "face3d.grading.examination",
    "measure": "face3d.measuring.examination",
    "Measures": "face3d.measuring.exam_measures",
    "compare": "face3d.measuring.comparison",
    "grade": "face3d.grading.examination",
    "Grade": "face3d.grading.grades",
    "explain": "face3d.grading.examination",
    "kinematics": "face3d.grading.recorded",
    "Kinematics": "face3d.sequence.kinematics",
    "anomaly": "face3d.grading.temporal",
    "Anomaly": "face3d.grading.temporal",
    "track": "face3d.sequence.track",
    "calibrate": "face3d.sequence.calibration",
    "reconstruct": "face3d.sequence.stereo",
    "fuse": "face3d.sequence.fusion",
    "measure_video": "face3d.sequence.video",
    "view": "face3d.viewing.notebook",
}

__all__ = ["__version__", "errors", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    if name == "errors":
        return importlib.import_module("face3d.errors")
    raise AttributeError(f"module 'face3d' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
