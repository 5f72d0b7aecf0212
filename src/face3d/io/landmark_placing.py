"""Landmarks laid on the scan that they belong to: in its unit, and on its skin."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import KDTree

from face3d.errors import LandmarkError
from face3d.io.landmark_files import Marks
from face3d.landmarks import NAMES, code_of
from face3d.scan import Floats, Ints

# A landmark lies on the skin: placed by hand, detected, or moved by 2 mm of noise, half of a set lie within 0.9 mm of
# the surface and three quarters within 1.4 (four faces). Of a set 15 mm off along the skin, the hardest case, they lie
# within 2.1 and 4.8, in the frame of RAS within 8 and 10. Holes take a few points: half and three quarters decide.
HALF_WITHIN_MM, MOST_WITHIN_MM = 2.0, 4.0
#: A single point farther off than this lies over a hole, or is wrong: it is named.
SINGLE_WITHIN_MM = 5.0
# Scans are often cropped short of these, so that they lie off them rightly.
_CROPPED = {"tr", "t", "go", "zy", "ft"}
# Far below what infants have, so that a set has shrunk: centimetres or metres taken as millimetres.
_SMALLEST_SET_MM = 5.0
_LEAST_WIDTHS_MM = {"en": 10.0, "ex": 40.0, "ch": 12.0}
_FARTHEST_MM = 1e9  # beyond it, differences lose their meaning
_EXACT_BEYOND_MM = 1.0  # closer than this to a vertex, a point need not be compared with triangles


def placed(
    name: str, vertices: Floats, faces: Ints, marks: Marks, unit_mm: float
) -> tuple[dict[str, Floats], tuple[str, ...]]:
    """name -> (3,) mm on the scan `name` (vertices (V, 3) mm, NaN rows unseen; faces (F, 3)), and notes.

    `unit_mm`: how many millimetres one of the scan file's unit has. Where `marks` leave open which unit they are in,
    the one in which they lie on the skin is taken. Raises `LandmarkError` when they do not belong to this scan: another
    scan's, another frame or unit, an origin elsewhere. Single points off the skin are left to the notes.
    """
    points = {key: np.asarray(point, np.float64) for key, point in marks.points.items()}
    for key, point in points.items():
        if point.shape != (3,) or not np.isfinite(point).all():
            raise LandmarkError(f"{name}: landmark {key[:40]!r} is {point.tolist()}; expected three finite numbers")
    if not points:
        return {}, marks.notes
    known = [key for key in points if key in NAMES]  # nothing is measured with the others
    skin = _Skin(vertices, faces)
    readings: dict[float, tuple[Floats, str | None]] = {}
    for unit in marks.units:
        factor = unit_mm if unit == "scan" else 1.0
        at = np.array([points[key] for key in known]) * factor
        readings.setdefault(factor, (distance := skin.distance(at), skin.misfit(known, at, distance)))
    fitting = [factor for factor, (_, misfit) in readings.items() if misfit is None]
    if not fitting:
        factor, (_, misfit) = next(iter(readings.items()))
        raise LandmarkError(f"{name}: {misfit}{skin.remedy(known, np.array([points[k] for k in known]) * factor)}")
    # Both can fit only where the origin lies on the skin and one of them has shrunk to it.
    spread = np.ptp([points[key] for key in known], axis=0).max()
    factor = max(fitting, key=lambda f: f * spread)
    notes = list(marks.notes)
    if factor != next(iter(readings)):
        notes.append("landmarks: said to be in mm, but taken in the scan file's unit, in which they lie on the skin")
    distance = readings[factor][0]
    off = [f"{key} {d:.0f} mm" for key, d in zip(known, distance, strict=True) if d > SINGLE_WITHIN_MM + skin.spacing]
    if off:
        notes.append(f"landmarks off the skin, over a hole or wrong: {', '.join(off)}")
    return {key: point * factor for key, point in points.items()}, tuple(notes)


class _Skin:
    """The scan's surface, for distances of a few points to it."""

    def __init__(self, vertices: Floats, faces: Ints) -> None:
        used = np.isfinite(vertices).all(axis=1)
        if len(faces):  # stray points are no skin
            of_faces = np.zeros(len(vertices), bool)
            of_faces[faces] = True
            used &= of_faces
        self.vertices, self.faces = vertices, faces
        self.tree = KDTree(vertices[used], balanced_tree=False, compact_nodes=False)
        #: Between points of a cloud; a surface has no gaps.
        self.spacing = 0.0
        if not len(faces) and self.tree.n > 1:
            some = self.tree.data[:: max(1, self.tree.n // 1000)]
            self.spacing = float(np.median(self.tree.query(some, 2)[0][:, 1]))

    def to_vertices(self, points: Floats) -> Floats:
        """(N,) mm from each point to the nearest vertex of the surface."""
        return np.asarray(self.tree.query(np.clip(points, -_FARTHEST_MM, _FARTHEST_MM))[0], np.float64)

    def distance(self, points: Floats) -> Floats:
        """(N,) mm from each point to the surface, of a cloud to its nearest point."""
        distance = self.to_vertices(points)
        far = np.flatnonzero(distance > _EXACT_BEYOND_MM)
        if len(self.faces) and len(far):
            corners = [self.vertices[self.faces[:, i]] for i in range(3)]
            centre = (corners[0] + corners[1] + corners[2]) / 3
            radius = np.max([np.linalg.norm(c - centre, axis=1) for c in corners], axis=0)
            for i in far:  # only triangles that reach nearer than the nearest vertex can be nearer
                near = np.flatnonzero(np.linalg.norm(centre - points[i], axis=1) - radius <= distance[i])
                distance[i] = _to_triangles(points[i], *(c[near] for c in corners)).min(initial=distance[i])
        return distance

    def misfit(self, names: list[str], points: Floats, distance: Floats) -> str | None:
        """Why points at these distances do not belong to this scan; None when they do."""
        inner = np.array([code_of(name) not in _CROPPED for name in names])
        counted = distance[inner] if inner.any() else distance
        half, most = np.quantile(counted, [0.5, 0.75])
        limit = np.array([HALF_WITHIN_MM, MOST_WITHIN_MM]) + self.spacing
        if half > limit[0] or most > limit[1]:
            return (
                f"the landmarks do not lie on the scan: half of them are {half:.3g} mm off the skin or more, a quarter "
                f"{most:.3g} or more; at most {limit[0]:.3g} and {limit[1]:.3g} are taken: another scan's, another "
                "unit or origin, or RAS for LPS?"
            )
        size = np.ptp(points, axis=0).max()
        if len(points) >= 3 and size < _SMALLEST_SET_MM:
            return f"all {len(points)} landmarks lie within {size:.2g} mm of each other: another unit?"
        at = dict(zip(names, points, strict=True))
        for code, least in _LEAST_WIDTHS_MM.items():
            if {f"{code}_left", f"{code}_right"} <= set(at):
                width = np.linalg.norm(at[f"{code}_left"] - at[f"{code}_right"])
                if width < least:
                    return f"{code}_left and {code}_right are {width:.2g} mm apart, at least {least:g}: another unit?"
        return None

    def remedy(self, names: list[str], points: Floats) -> str:
        """What would lay the points on the scan, in words; empty when nothing simple does."""
        changes: Mapping[str, ArrayLike] = {
            "With x and y negated (RAS for LPS)": [-1.0, -1.0, 1.0],
            **{f"Made {factor:g} times as large": factor for factor in (1000.0, 10.0, 0.1, 0.001)},
        }
        for what, factor in changes.items():
            moved = points * factor
            if len(points) >= 3 and self.misfit(names, moved, self.to_vertices(moved)) is None:
                return f" {what} they do lie on it"
        return ""


def _to_triangles(point: Floats, a: Floats, b: Floats, c: Floats) -> Floats:
    """(F,) distance from one point to each triangle."""
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    pairs = ((a, b), (b, c), (c, a))
    # Over the triangle where it lies inside of all three sides.
    inside = (length > 0) & np.all([(np.cross(v - u, point - u) * normal).sum(axis=1) >= 0 for u, v in pairs], axis=0)
    height = np.abs(((point - a) * normal).sum(axis=1)) / np.where(length > 0, length, 1.0)
    return np.where(inside, height, np.min([_to_edges(point, u, v) for u, v in pairs], axis=0))


def _to_edges(point: Floats, u: Floats, v: Floats) -> Floats:
    along = v - u
    square = (along**2).sum(axis=1)
    t = np.clip(((point - u) * along).sum(axis=1) / np.where(square > 0, square, 1.0), 0.0, 1.0)
    return np.linalg.norm(u + t[:, None] * along - point, axis=1)
