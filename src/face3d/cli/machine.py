"""What this machine lacks, and the exact line that mends it.

Everything native is tried in a child process: VTK without EGL kills the process that draws with it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from face3d.extras import EXTRAS, install_line
from face3d.viewing.probe import in_child
from face3d.viewing.window import DRAWS

#: Libraries that Python packages load from the system -> the Debian package that brings each.
SYSTEM_LIBRARIES: Mapping[str, str] = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLESv2.so.2": "libgles2",
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libgomp.so.1": "libgomp1",
    "libglib-2.0.so.0": "libglib2.0-0",
}

#: What is tried for a package of an extra; prints nothing when all is well.
_PROBES: Mapping[str, str] = {
    "open3d": """
import numpy, open3d
scene = open3d.t.geometry.RaycastingScene()
scene.add_triangles(numpy.eye(3, dtype=numpy.float32), numpy.array([[0, 1, 2]], numpy.uint32))
hit = scene.cast_rays(open3d.core.Tensor([[1, 1, 1, -1, -1, -1]], dtype=open3d.core.float32))["t_hit"].numpy()
assert numpy.isfinite(hit).all(), "a ray missed the triangle before it"
""",
    "mediapipe": """
import importlib.resources, mediapipe, numpy
from mediapipe.tasks.python import BaseOptions, vision
weights = importlib.resources.files("face3d").joinpath("data/face_landmarker_v2.task").read_bytes()
options = vision.FaceLandmarkerOptions(base_options=BaseOptions(model_asset_buffer=weights))
with vision.FaceLandmarker.create_from_options(options) as landmarker:
    landmarker.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, numpy.zeros((64, 64, 3), numpy.uint8)))
""",
    "pyvista": DRAWS,
    "weasyprint": """
import weasyprint
assert weasyprint.HTML(string="<p>a page</p>").write_pdf().startswith(b"%PDF-")
""",
}

#: Debian packages that a package of an extra needs besides.
_NEEDS: Mapping[str, tuple[str, ...]] = {"weasyprint": ("libpango-1.0-0", "libpangoft2-1.0-0", "fonts-liberation")}

_PROCESSORS = Path("/sys/devices/system/cpu/possible")


@dataclass(frozen=True)
class Check:
    """One thing looked at. `state`: "ok", "missing" (must be mended) or "absent" (optional, not installed)."""

    name: str
    state: str
    detail: str
    mend: str = ""


def apt_line(packages: Sequence[str]) -> str:
    """The line that installs Debian packages."""
    return f"sudo apt-get update && sudo apt-get install --yes --no-install-recommends {' '.join(packages)}"


def examine() -> list[Check]:
    """Every check, in the order in which they should be mended."""
    installed = [module for module in _PROBES if importlib.util.find_spec(module)]
    with ThreadPoolExecutor(2) as pool:
        probes = dict(zip(installed, pool.map(lambda module: in_child(_PROBES[module]), installed), strict=True))
    found = [_python(), *_libraries(needed=bool(installed)), *_kernel(), *_packages()]
    return [*found, *(_probed(module, error) for module, error in probes.items())]


def as_json(checks: Sequence[Check]) -> str:
    """The checks as a JSON list."""
    return json.dumps([asdict(check) for check in checks], indent=2)


def as_text(checks: Sequence[Check]) -> str:
    """A line for each check, and below each that can be mended the line that does it."""
    mark = {"ok": "ok      ", "missing": "MISSING ", "absent": "-       "}
    lines = []
    for check in checks:
        lines.append(f"{mark[check.state]}{check.name}: {check.detail}")
        if check.mend:
            lines.append(f"          mend: {check.mend}")
    return "\n".join(lines)


def _python() -> Check:
    return Check("Python", "ok", f"{platform.python_version()} at {sys.executable}")


def _libraries(needed: bool) -> list[Check]:
    lacking = [name for name in SYSTEM_LIBRARIES if in_child(f"import ctypes; ctypes.CDLL({name!r})")]
    if not lacking:
        return [Check("system libraries", "ok", "all found")]
    state = "missing" if needed else "absent"
    packages = [SYSTEM_LIBRARIES[name] for name in lacking]
    return [Check("system libraries", state, f"not found: {', '.join(lacking)}", apt_line(packages))]


def _kernel() -> list[Check]:
    """MediaPipe counts processors through /sys, which a bare chroot lacks, and aborts without it."""
    if sys.platform != "linux" or _PROCESSORS.exists():
        return []
    return [Check("/sys", "missing", f"{_PROCESSORS} is not there", "sudo mount -t sysfs sysfs /sys")]


def _packages() -> list[Check]:
    checks = []
    for extra, (use, modules) in EXTRAS.items():
        lacking = [module for module in modules if importlib.util.find_spec(module) is None]
        if not lacking:
            checks.append(Check(f"extra {extra}", "ok", f"installed ({use})"))
        else:
            checks.append(Check(f"extra {extra}", "absent", f"no {', '.join(lacking)} ({use})", install_line(extra)))
    return checks


def _probed(module: str, error: str) -> Check:
    if not error:
        return Check(module, "ok", f"{importlib.metadata.version(module)} works")
    mend = apt_line(sorted({*SYSTEM_LIBRARIES.values(), *_NEEDS.get(module, ())}))
    return Check(module, "missing", error, f"{mend}; if it stays so: pip install --force-reinstall {module}")
