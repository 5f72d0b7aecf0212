"""Optional packages: a light install reads and measures; what needs more says which extra brings it."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Mapping
from types import ModuleType

from face3d.errors import MissingExtraError

#: extra -> (what it is for, the modules that it brings), as in pyproject.toml.
EXTRAS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "measure": ("distances and the pictures of the report", ("open3d",)),
    "detect": ("finding landmarks without a click", ("mediapipe", "open3d")),
    "sequence": ("stereo pairs, depth cameras and videos", ("cv2", "mediapipe", "open3d")),
    "view": ("windows, and scans in pyvista and trimesh", ("pyvista", "trimesh")),
    "notebook": ("views in notebooks that PyVista draws", ("pyvista", "trame_pyvista", "ipywidgets")),
    "batch": ("many exams, and their Parquet tables", ("pebble", "pyarrow")),
    "app": ("the app in a browser", ("fastapi", "uvicorn", "python_multipart", "pebble", "pyarrow")),
    "cluster": ("many machines, and files in stores", ("dask_jobqueue", "distributed", "fsspec", "s3fs")),
    "pdf": ("reports as PDF", ("weasyprint",)),
    "dicom": ("results as DICOM", ("pydicom",)),
    "grade": ("grading by networks, and its explanation", ("torch", "captum")),
    "learn": ("training graders", ("torch", "captum", "torch_geometric", "sklearn", "onnx", "onnxscript")),
}


def extra_of(module: str) -> str | None:
    """The extra that brings `module` (a top-level import name), or None."""
    return next((extra for extra, (_, modules) in EXTRAS.items() if module in modules), None)


def install_line(extra: str) -> str:
    """The line that installs an extra into the environment that face3d runs in, from where face3d itself came."""
    origin = json.loads(importlib.metadata.distribution("face3d").read_text("direct_url.json") or "{}")
    source = origin.get("url", "").removeprefix("file://") if "dir_info" in origin else ""
    editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
    return f"{sys.executable} -m pip install {editable}'{source or 'face3d'}[{extra}]'"


def missing(module: str) -> MissingExtraError:
    """The error to raise when `module`, part of an extra, is not installed."""
    extra = extra_of(module)
    if extra is None:
        raise KeyError(f"{module} belongs to no extra of face3d")
    use, _ = EXTRAS[extra]
    said = f"the package {module!r} is not installed; it is needed for {use}: {install_line(extra)}"
    return MissingExtraError(said, name=module)


def require(module: str) -> ModuleType:
    """The optional package, imported; raises `MissingExtraError` (an ImportError too) that names the extra."""
    # In a notebook open3d would announce, and start, a web server of its own when it is imported.
    os.environ.setdefault("OPEN3D_DISABLE_WEB_VISUALIZER", "true")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:  # it is there, but something that it needs is not: that error says more
            raise
        raise missing(module) from error
