"""A stereophotogrammetry scanner (3dMDface, Vectra): a dense mesh of everything that its camera pods see at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import RigidTransform

from face3d.errors import ScanError
from face3d.geometry.mesh import vertex_normals
from face3d.scan import FaceScan, Floats
from face3d.simulate.scanners.chart import Chart
from face3d.simulate.scanners.noise import smooth_field
from face3d.simulate.scanners.resample import blue_noise, compact, filled, strewn, triangulate
from face3d.simulate.scanners.simulated import SimulatedScan, random_pose
from face3d.simulate.scanners.visibility import cosine_to_cameras, unmeasured
from face3d.simulate.skin import Skin

# Noise along the normal, mm (standard deviation). Published: 3dMD 0.2 mm mean error (0.1-0.5; Luebbers 2010,
# doi:10.1097/SCS.0b013e3181d841f7); two 3dMD scans differ by 0.07 mm RMS on a mannequin and 0.23 mm on people (Schipper
# 2024, Scientific Reports 14); stationary devices 0.09-0.86 mm over 23 studies (Quinzi 2022,
# doi:10.3390/children9091390). They do not split white from correlated error: matching windows and smoothing leave most
# of it correlated over some millimetres; the split and the length are our choice.
WHITE_MM = 0.08
CORRELATED_MM = 0.18
CORRELATION_LENGTH_MM = 6.0

# Two pods left and right of the midline, slightly below it, and one in front: ear to ear, under nose and chin.
_AZIMUTHS_DEGREES = (-55.0, -30.0, 0.0, 30.0, 55.0)
_ELEVATIONS_DEGREES = (-12.0, 8.0, -20.0, 8.0, -12.0)
_DISTANCE_MM = 1000.0


def scan_stereophotogrammetry(
    vertices: ArrayLike,
    faces: ArrayLike,
    rng: np.random.Generator,
    *,
    points: int = 20_000,
    noise_mm: tuple[float, float] = (WHITE_MM, CORRELATED_MM),
    pose: bool | RigidTransform = True,
    crop: str = "face",
    holes: bool = True,
    landmarks: Mapping[str, ArrayLike] | None = None,
    skin: Skin | None = None,
    skin_vertices: ArrayLike | None = None,
    chart: Chart | None = None,
) -> SimulatedScan:
    """One scan of a face model's surface `vertices` (V, 3), `faces` (F, 3), mm, canonical head frame, +z to the front.

    `points` about as many scan vertices (within 5 %; holes come off), in a triangulation of their own. `noise_mm`
    standard deviation of the white and of the correlated part along the normal at frontal incidence. `pose` True: a
    random one; False: the model's frame; or the transform itself. `crop` "face": hairline to neck, in front of the
    ears, edges different in each scan; "bust": all that the cameras see. `holes`: lashes, brows and nostrils fail as
    stereo does. `landmarks` the model's points by name: they place holes and crop, and their true positions come back.
    `skin` gives vertex colours, drawn at `skin_vertices` (V, 3): the model's shape to which the skin is painted, the
    same for all expressions, so that colour moves with the skin. `chart`: `Chart.of` this topology, if scans are many.
    """
    v, f = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    marks = {name: np.asarray(point, np.float64) for name, point in (landmarks or {}).items()}
    chart = Chart.of(v, f) if chart is None else chart
    cameras = _cameras()

    # Where on the model the scanner may find anything: faces turned to a camera, inside the crop. A few probes tell
    # what part of that it finds, so that as many vertices come out as were asked for.
    normal = vertex_normals(v, f)
    turned = (np.einsum("vd,vcd->vc", normal, cameras - v[:, None]) > 0).any(axis=1)
    cut = _crop(v, marks, crop, rng)
    allowed = chart.inside[(turned & (cut > -3.0))[f[chart.inside]].any(axis=1)]
    probe, _ = strewn(v, f, allowed, 1500, rng)
    found = cosine_to_cameras(probe.at(v, f), probe.at(normal, f), v, f, cameras).max(axis=1) > 0
    share = float((found & (probe.at(cut, f) > 0)).mean())
    if share < 0.05:
        raise ScanError(f"the cameras see {share:.0%} of the model; it must face +z, in millimetres, about its origin")

    samples, spacing = blue_noise(v, f, allowed, round(points / share), rng)
    clean = samples.at(v, f)
    tri = triangulate(chart, samples, clean, longest_edge=2.5 * spacing)
    normals = vertex_normals(clean, tri)
    cosine = cosine_to_cameras(clean, normals, v, f, cameras).max(axis=1)
    keep = filled(tri, cosine > 0) & (samples.at(cut, f) > 0)
    if holes:
        keep &= ~unmeasured(clean, marks, rng)
    tri, used = compact(tri, keep)
    samples, clean, normals, cosine = samples.take(used), clean[used], normals[used], cosine[used]

    # Depth error shows along the normal, and grows where the surface is seen at a slant.
    error = noise_mm[0] * rng.normal(size=len(clean)) + noise_mm[1] * smooth_field(clean, CORRELATION_LENGTH_MM, rng)
    scanned = clean + (error / np.sqrt(np.maximum(cosine, 0.25)))[:, None] * normals
    colors = None
    if skin is not None:
        where = samples.at(v if skin_vertices is None else np.asarray(skin_vertices, np.float64), f)
        colors = skin.colors(where, rng)

    result = SimulatedScan(
        FaceScan(scanned, tri, colors=colors, name="stereophotogrammetry", units_note="simulated in millimetres"),
        f,
        samples.face,
        samples.weights,
        RigidTransform.identity(),
        marks,
    )
    if isinstance(pose, RigidTransform):
        return result.moved(pose)
    return result.moved(random_pose(rng)) if pose else result


def _cameras() -> Floats:
    azimuth, elevation = np.radians(_AZIMUTHS_DEGREES), np.radians(_ELEVATIONS_DEGREES)
    return _DISTANCE_MM * np.column_stack(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    )


def _crop(v: Floats, marks: Mapping[str, Floats], crop: str, rng: np.random.Generator) -> Floats:
    """Signed distance (V,) mm of each model vertex to the cropping surfaces, positive inside."""
    if crop == "bust":
        return np.full(len(v), np.inf)
    if crop != "face":
        raise ValueError(f"crop is {crop!r}; expected 'face' or 'bust'")
    low, high = v.min(axis=0), v.max(axis=0)
    # Without landmarks: proportions of an adult face about the model's own extent.
    top = marks["tr"][1] if "tr" in marks else high[1] - 0.15 * (high[1] - low[1])
    bottom = marks["gn"][1] if "gn" in marks else low[1] + 0.15 * (high[1] - low[1])
    back = np.mean([marks[t][2] for t in ("t_left", "t_right")]) if "t_left" in marks else high[2] - 105.0
    planes = []
    for point, inward in (
        ((0, top, 0), (0, -1, 0)),
        ((0, bottom - 18, 0), (0, 1, 0.25)),
        ((0, 0, back + 6), (0, 0, 1)),
    ):
        tilt = np.asarray(inward, np.float64) + rng.normal(0.0, 0.08, 3)
        planes.append((v - np.asarray(point) - rng.normal(0.0, 3.0, 3)) @ (tilt / np.linalg.norm(tilt)))
    return np.min(planes, axis=0)
