"""A scan with no more vertices than are needed to look at it and to superimpose it, and the way back to all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d.geometry.elements import grid_cells
from face3d.geometry.skin_tone import vertex_tone
from face3d.geometry.weld import first_of_equal
from face3d.scan import FaceScan, Floats, Ints
from face3d.values import Value

#: Scans of fewer vertices stay as they are. Of 50,000 on (0.9 mm apart on a face) landmarks and planes gain nothing.
MOST = 100_000
#: mm. Detector and landmark network look at pictures of 0.8 to 1 mm a pixel; the surface in a cell of this size leaves
#: its mean by 0.01 mm where it is as round as a nostril's wing.
CELL = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class Thinned(Value):
    """`scan` with one vertex, their mean, for all that lie in a cell; `of` (V,) which one stands for each vertex of the
    scan before, None where the scan is as it was."""

    scan: FaceScan
    of: Ints | None = None


def thinned(scan: FaceScan) -> Thinned:
    """The scan, thinned where it is a mesh of more than `MOST` vertices in cells of `CELL` mm."""
    if len(scan.vertices) <= MOST or not len(scan.faces):
        return Thinned(scan)
    of, count = grid_cells(scan.vertices - scan.vertices.min(axis=0), CELL)
    if count > 0.7 * len(scan.vertices):  # a body's, say, whose vertices are further apart
        return Thinned(scan)
    share = 1.0 / np.bincount(of, minlength=count)

    def mean(values: Floats) -> Floats:
        return np.bincount(of, values, count) * share

    vertices = np.stack([mean(scan.vertices[:, k]) for k in range(3)], axis=1)
    faces = np.take(of, scan.faces)
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    faces = faces[first_of_equal(np.sort(faces, axis=1)) == np.arange(len(faces))]
    tone = vertex_tone(scan)
    colors = None
    if tone is not None:  # green is all that is asked of colour
        colors = np.repeat(np.rint(mean(np.exp(tone))).astype(np.uint8)[:, None], 3, axis=1)
    return Thinned(scan.replace(vertices=vertices, faces=faces, colors=colors, texture=None), of)
