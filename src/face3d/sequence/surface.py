"""One frame's surface as tracking sees it: cells of a grid in about the head's own frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform

from face3d.geometry.elements import Surfels, grid_cells
from face3d.geometry.mesh import at_corners, doubled_areas, lengths
from face3d.geometry.skin_tone import vertex_tone
from face3d.scan import FaceScan, Floats
from face3d.values import Value

#: mm: edge of a cell, and how far around the face a frame is looked at.
CELL, MARGIN = 2.5, 15.0
#: A cell whose triangles face apart (length of the summed normal over their area) is a fold or an edge.
COHERENT = 0.6
#: A mesh whose triangles are larger than the cells is filled; below this number of vertices that costs little.
COARSE = 4000


@dataclass(frozen=True, eq=False, repr=False)
class FrameSurface(Value):
    """`points`, unit `normals` (n, 3) mm in the frame that `pose` takes scan coordinates to; `tone` (n,) log of green,
    or None."""

    points: Floats
    normals: Floats
    tree: KDTree
    pose: RigidTransform
    tone: Floats | None = None

    def turned(self) -> FrameSurface:
        """The same with its outside where its inside was."""
        return replace(self, normals=-self.normals)

    @classmethod
    def of(cls, scan: FaceScan, pose: RigidTransform, low: Floats, high: Floats) -> FrameSurface | None:
        """What of a scan lies within the box from `low` to `high` (3,) mm; None where there is hardly anything.

        The grid lies in the head's frame: what is seen does not depend on how the scanner stands, and a mirrored scan
        gives the mirrored cells.
        """
        v = scan.vertices @ pose.rotation.as_matrix().T + pose.translation
        inside = ((v > low - MARGIN) & (v < high + MARGIN)).all(axis=1)
        if inside.sum() < 300:
            return None
        number = np.cumsum(inside) - 1
        faces, v = number[scan.faces[inside[scan.faces].all(axis=1)]], v[inside]
        if not len(faces) or len(v) < COARSE:
            colors = None if scan.colors is None else scan.colors[inside]
            rough = Surfels.of(FaceScan(v, faces, colors=colors, name=scan.name), CELL)
            return cls(rough.points, rough.normals, rough.tree, pose, rough.tone)
        cell, count = grid_cells(v, CELL)
        around = at_corners(faces, doubled_areas(v, faces), len(v))
        total = np.bincount(cell, lengths(around), count)
        normal = np.stack([np.bincount(cell, around[:, k], count) for k in range(3)], axis=1)
        many = np.bincount(cell, minlength=count)
        points = np.stack([np.bincount(cell, v[:, k], count) for k in range(3)], axis=1) / many[:, None]
        length = lengths(normal)
        good = length > np.maximum(COHERENT * total, 1e-9)
        points, normal = points[good], normal[good] / length[good, None]
        if len(points) < 300:
            return None
        tone = vertex_tone(scan)
        if tone is not None:
            tone = (np.bincount(cell, tone[inside], count) / many)[good]
        return cls(points, normal, KDTree(points, balanced_tree=False, compact_nodes=False), pose, tone)
