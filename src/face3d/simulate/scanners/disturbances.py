"""What goes wrong with scans in practice, done to a simulated one: crops, holes, one ear more, outliers, hair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from face3d.geometry.mesh import vertex_normals
from face3d.scan import Floats
from face3d.simulate.scanners.noise import smooth_field
from face3d.simulate.scanners.simulated import SimulatedScan


def kept(scan: SimulatedScan, keep: NDArray[np.bool_]) -> SimulatedScan:
    """The scan without the vertices that are not in `keep` (V,), and without their faces; truth goes along."""
    number = np.where(keep, np.cumsum(keep) - 1, -1)
    faces = scan.scan.faces[keep[scan.scan.faces].all(axis=1)]
    colors = None if scan.scan.colors is None else scan.scan.colors[keep]
    part = scan.scan.replace(vertices=scan.scan.vertices[keep], faces=number[faces], colors=colors)
    return scan.replace(scan=part, face=scan.face[keep], weights=scan.weights[keep])


def one_sided_crop(scan: SimulatedScan, side: str, beyond_mm: float = 25.0) -> SimulatedScan:
    """Everything beyond `beyond_mm` to one side of the midline is missing."""
    return kept(scan, _sign(side) * _in_head(scan)[:, 0] < beyond_mm)


def ear_and_neck(scan: SimulatedScan, side: str, behind_mm: float, below_mm: float) -> SimulatedScan:
    """Ear and neck are there on one side only: on the other, nothing lies behind or below these coordinates, mm, head
    frame. For scans with `crop="bust"`."""
    p = _in_head(scan)
    return kept(scan, (_sign(side) * p[:, 0] > 0) | ((p[:, 2] > behind_mm) & (p[:, 1] > below_mm)))


def cheek_hole(scan: SimulatedScan, side: str, share: float = 0.2) -> SimulatedScan:
    """A round hole in one cheek that takes `share` of all vertices."""
    p = _in_head(scan)
    low, high = np.quantile(p, 0.02, axis=0), np.quantile(p, 0.98, axis=0)
    # The cheek: at half the height between mouth and eye, halfway out.
    centre = np.array([_sign(side) * 0.5 * max(high[0], -low[0]), -0.3 * max(-low[1], 60.0)])
    distance = np.linalg.norm(p[:, :2] - centre, axis=1)
    distance[_sign(side) * p[:, 0] < 3.0] = np.inf
    return kept(scan, distance > np.partition(distance, int(share * len(p)))[int(share * len(p))])


def outliers(scan: SimulatedScan, rng: np.random.Generator, share: float = 0.01) -> SimulatedScan:
    """`share` of the vertices thrown 5 to 60 mm off in any direction; they carry no truth any more."""
    count = round(share * len(scan.face))
    which = rng.choice(len(scan.face), count, replace=False)
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    vertices, face, weights = scan.scan.vertices.copy(), scan.face.copy(), scan.weights.copy()
    vertices[which] += direction * rng.uniform(5.0, 60.0, (count, 1))
    face[which], weights[which] = -1, np.nan
    return scan.replace(scan=scan.scan.replace(vertices=vertices), face=face, weights=weights)


def hair(scan: SimulatedScan, rng: np.random.Generator) -> SimulatedScan:
    """Hair from the trichion and the temples up and back: a rough surface some millimetres above the skin, a third of
    it not measured. Needs the landmarks tr and ft; hair carries no truth."""
    p = _in_head(scan)
    marks = {k: scan.pose.inv().apply(v) for k, v in scan.landmarks.items()}
    top, temple = marks["tr"], 0.5 * (marks["ft_left"][1:] + marks["ft_right"][1:])
    width = 0.5 * (marks["ft_left"][0] - marks["ft_right"][0])
    line = top[1] - (top[1] - temple[0]) * np.minimum(np.abs(p[:, 0]) / width, 1.0) ** 2
    behind = temple[1] - 12.0
    ragged = 4.0 * smooth_field(p, 6.0, rng)
    hairy = ((p[:, 1] > line + ragged) & (p[:, 2] > behind)) | (
        (p[:, 2] <= behind + ragged) & (p[:, 1] > temple[0] - 25)
    )
    depth = 6.0 + 3.0 * smooth_field(p, 12.0, rng) + 1.5 * smooth_field(p, 2.0, rng)
    normal = vertex_normals(scan.scan.vertices, scan.scan.faces)
    vertices = scan.scan.vertices + np.where(hairy, np.maximum(depth, 0.5), 0.0)[:, None] * normal
    lost = hairy & (ndtr(smooth_field(p, 5.0, rng)) < 0.33)
    face, weights = np.where(hairy, -1, scan.face), np.where(hairy[:, None], np.nan, scan.weights)
    return kept(scan.replace(scan=scan.scan.replace(vertices=vertices), face=face, weights=weights), ~lost)


def _in_head(scan: SimulatedScan) -> Floats:
    return scan.pose.inv().apply(scan.scan.vertices)


def _sign(side: str) -> float:
    if side not in ("left", "right"):
        raise ValueError(f"side is {side!r}; expected 'left' or 'right'")
    return 1.0 if side == "left" else -1.0
