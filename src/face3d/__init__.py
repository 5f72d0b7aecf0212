"""face3d: 3D analysis of faces with facial paralysis. For research use only; not a medical device.

Public names are imported when first used, so that `import face3d` stays light.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

#: public name -> module that defines it. No module may have a public name: once imported, it would hide the function.
_PUBLIC = {
    "FaceScan": "face3d.scan",
    "read_scan": "face3d.io",
    "write_scan": "face3d.io",
    "analyze": "face3d.measuring.analysis",
    "Analysis": "face3d.measuring.analysis",
    "Exam": "face3d.exam",
    "read_exam": "face3d.io.exam",
    "measure": "face3d.measuring.examination",
    "compare": "face3d.measuring.comparison",
    "grade": "face3d.grading.grades",
    "Grade": "face3d.grading.grades",
    "explain": "face3d.grading.explanation",
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
