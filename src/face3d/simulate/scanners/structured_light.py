"""A handheld structured-light scanner (Artec Eva, M4D): a denser mesh, ripples of the stripe pattern, slow drift."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import RigidTransform

from face3d.geometry.mesh import vertex_normals
from face3d.simulate.scanners.chart import Chart
from face3d.simulate.scanners.noise import smooth_field
from face3d.simulate.scanners.simulated import SimulatedScan, random_pose
from face3d.simulate.scanners.stereophotogrammetry import scan_stereophotogrammetry
from face3d.simulate.skin import Skin

# Two Artec Eva scans differ by 0.08 mm RMS on a mannequin, 0.20 mm on people (Schipper 2024, Scientific Reports 14),
# M4D scans by 0.50 mm (Knoops 2017, doi:10.1016/j.bjps.2016.12.015): one scan's error is that over sqrt(2). The parts
# below add up to 0.21 mm, between the two; the ripple stands for phase error when the face moves, the drift for the
# fusion of frames taken over seconds.
WHITE_MM, CORRELATED_MM, RIPPLE_MM, DRIFT_MM = 0.04, 0.08, 0.06, 0.18
RIPPLE_PERIOD_MM, DRIFT_LENGTH_MM = 3.5, 50.0


def scan_structured_light(
    vertices: ArrayLike,
    faces: ArrayLike,
    rng: np.random.Generator,
    *,
    points: int = 40_000,
    pose: bool | RigidTransform = True,
    crop: str = "face",
    holes: bool = True,
    landmarks: Mapping[str, ArrayLike] | None = None,
    skin: Skin | None = None,
    skin_vertices: ArrayLike | None = None,
    chart: Chart | None = None,
) -> SimulatedScan:
    """One scan; arguments as in `scan_stereophotogrammetry`, the errors those of a pattern projector moved by hand."""
    base = scan_stereophotogrammetry(
        vertices,
        faces,
        rng,
        points=points,
        noise_mm=(WHITE_MM, CORRELATED_MM),
        pose=False,
        crop=crop,
        holes=holes,
        landmarks=landmarks,
        skin=skin,
        skin_vertices=skin_vertices,
        chart=chart,
    )
    p = base.scan.vertices
    stripes = np.sin(2 * np.pi * (p @ [0.1, 1.0, 0.1]) / RIPPLE_PERIOD_MM + rng.uniform(0, 2 * np.pi)) * np.sqrt(2)
    error = RIPPLE_MM * stripes + DRIFT_MM * smooth_field(p, DRIFT_LENGTH_MM, rng)
    moved = p + error[:, None] * vertex_normals(p, base.scan.faces)
    result = base.replace(scan=base.scan.replace(vertices=moved, name="structured light"))
    if isinstance(pose, RigidTransform):
        return result.moved(pose)
    return result.moved(random_pose(rng)) if pose else result
