"""One call for all scanners: a shape of a head model, scanned."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from face3d.simulate.head import HeadModel
from face3d.simulate.scanners.chart import Chart
from face3d.simulate.scanners.depth_camera import scan_depth_camera
from face3d.simulate.scanners.fixed_mesh import FixedMesh
from face3d.simulate.scanners.simulated import SimulatedScan
from face3d.simulate.scanners.stereophotogrammetry import scan_stereophotogrammetry
from face3d.simulate.scanners.structured_light import scan_structured_light
from face3d.simulate.skin import Skin

SCANNERS = ("stereophotogrammetry", "structured_light", "depth_camera", "fixed_mesh")


def scan_face(
    head: HeadModel,
    vertices: ArrayLike,
    rng: np.random.Generator,
    scanner: str = "stereophotogrammetry",
    *,
    skin: Skin | None = None,
    **options: Any,
) -> SimulatedScan:
    """`vertices` (V, 3) mm, a shape of `head`, as `scanner` sees it; true landmarks and truth maps come along.

    `options` go to the scanner: points, noise_mm, pose, crop, holes (surface scanners), camera, distance_mm (depth
    camera), bias_seed (fixed mesh). `skin` (surface scanners) is painted to `head.vertices`, so that one material point
    has one colour whatever the person's shape or expression. Raises `ValueError` for an unknown scanner.
    """
    v = np.asarray(vertices, np.float64)
    marks = head.landmark_points(v)
    if scanner in ("stereophotogrammetry", "structured_light"):
        scan = scan_stereophotogrammetry if scanner == "stereophotogrammetry" else scan_structured_light
        return scan(
            v, head.faces, rng, landmarks=marks, skin=skin, skin_vertices=head.vertices, chart=_chart(head), **options
        )
    if scanner == "depth_camera":
        return scan_depth_camera(v, head.faces, rng, landmarks=marks, **options).scan()
    if scanner == "fixed_mesh":
        return _fixed_mesh(head).scan(v, rng, landmarks=marks, **options)
    raise ValueError(f"scanner is {scanner!r}; expected one of {', '.join(SCANNERS)}")


def draw_skin(head: HeadModel, rng: np.random.Generator) -> Skin:
    """A person's skin on `head`, for `scan_face` and the stereo rig."""
    v = head.vertices
    return Skin.draw(rng, head.landmark_points(v), np.array([v.min(axis=0), v.max(axis=0)]))


# A head model is compared by identity: its chart is made once.
@lru_cache(maxsize=4)
def _chart(head: HeadModel) -> Chart:
    return Chart.of(head.vertices, head.faces)


@lru_cache(maxsize=4)
def _fixed_mesh(head: HeadModel) -> FixedMesh:
    return FixedMesh.of(head.vertices, head.faces, head.landmark_points(head.vertices), np.random.default_rng(1220))
