"""What several tests share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial import Delaunay
from scipy.spatial.transform import RigidTransform

from face3d.geometry.distance import mirror_distance
from face3d.geometry.mesh import vertex_areas
from face3d.geometry.superimpose import Superimposition, SymmetryPlane
from face3d.landmarking.pose import average_landmarks
from face3d.measuring.analysis import Analysis
from face3d.measuring.regions import landmark_regions
from face3d.scan import FaceScan
from face3d.template.midplane import Midplane
from pages import Opened

#: How the reason of a skipped test begins that reads real scans.
NO_SCANS = "no folder of test scans"
#: Height (mm) of the bump on the left cheek of `dome`, against a right cheek that has none.
BUMP = 3.0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many tests had no real scans to read: a run without them must not look like one with them."""
    missed = sum(NO_SCANS in str(report.longrepr) for report in terminalreporter.stats.get("skipped", []))
    if missed:
        tests = f"{missed} test{'s' if missed > 1 else ''} on real scans"
        terminalreporter.write_line(f"{tests} skipped: no folder shared/ beside the checkout", yellow=True, bold=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test scans beside the checkout; tests that need it are skipped where it is not."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"{NO_SCANS} at {folder}")
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium without a window, drawing by software; tests of pages are skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pages are not looked at in a browser")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium: pages are not looked at in a browser (tools/system_libraries.sh installs it)")
    # Without a user of its own, as in a container, Chromium has no sandbox.
    arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    contexts = []

    def open_(html: str, width: int = 1280, height: int = 800, script: str = "") -> Opened:
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        made = Opened(context.new_page())
        made.page.set_default_timeout(120_000)
        made.page.on("console", lambda message: made.said.append(message.text))
        made.page.on("pageerror", lambda error: made.said.append(str(error)))
        made.page.on("request", lambda request: made.asked.append(request.url))
        if script:
            made.page.add_init_script(script)
        made.page.goto(file.as_uri())
        made.asked.remove(file.as_uri())
        return made

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def dome() -> Analysis:
    """A dome in the place of a face, exactly symmetric but for a bump of `BUMP` mm on the left cheek, and measured:
    the symmetry plane, the pose and the landmarks are given, not found."""
    x, y = np.meshgrid(np.arange(-78.0, 79.0, 3.0), np.arange(-112.0, 78.0, 3.0))
    flat = np.column_stack([x.ravel(), y.ravel()])
    flat = flat[(flat[:, 0] / 80) ** 2 + ((flat[:, 1] + 20) / 98) ** 2 < 1]
    height = 30.0 - 0.003 * flat[:, 0] ** 2 - 0.003 * (flat[:, 1] + 20) ** 2
    height += BUMP * np.exp(-(((flat[:, 0] - 45) / 10) ** 2 + ((flat[:, 1] + 35) / 10) ** 2))
    faces = Delaunay(flat).simplices
    # Delaunay's triangles run counter-clockwise seen from +z: outside is the front.
    scan = FaceScan(
        np.column_stack([flat, height]), faces, average_landmarks(), name="dome.ply", units_note="mm: given"
    )
    identity = RigidTransform.identity()
    plane = SymmetryPlane(np.array([1.0, 0.0, 0.0]), np.zeros(3))
    laid = Superimposition(plane, identity, scan.vertices, np.ones(len(flat)), 0.01, 0.15, 1.0, 0.9, 0.01)
    return Analysis(
        scan,
        scan.landmarks,
        dict.fromkeys(scan.landmarks, 1.0),
        identity,
        laid,
        Midplane(plane, plane),
        mirror_distance(scan, plane),
        tuple(landmark_regions(scan.vertices, scan.landmarks)),
        vertex_areas(scan),
        ("made by hand",),
    )
