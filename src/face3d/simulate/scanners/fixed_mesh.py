"""A face tracker's mesh, as ARKit gives it: the same 1,220 vertices in every frame, smoothed by its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.spatial.transform import RigidTransform

from face3d.geometry.mesh import vertex_normals
from face3d.scan import FaceScan, Floats, Ints
from face3d.simulate.scanners.chart import Chart
from face3d.simulate.scanners.noise import smooth_field
from face3d.simulate.scanners.resample import Samples, blue_noise, compact, triangulate
from face3d.simulate.scanners.simulated import SimulatedScan, random_pose
from face3d.values import Value

VERTICES = 1220  # Apple's ARFaceGeometry
# Smartphones measure faces to 0.46-1.4 mm (Quinzi 2022, doi:10.3390/children9091390). That the most of it stays from
# frame to frame (the tracker's idea of the face) and a tenth trembles is our choice.
BIAS_MM, BIAS_LENGTH_MM, JITTER_MM = 0.8, 20.0, 0.1


@dataclass(frozen=True, eq=False, repr=False)
class FixedMesh(Value):
    """A tracker's topology on a face model: `samples` of the model's surface, `faces` (T, 3), `smooth` (N, N), the
    tracker's low resolution, and `home` (N, 3) mm, the vertices on the mean face: its error about a face belongs to the
    vertex, not to where that is now. Number and density are ARKit's, the layout is not."""

    samples: Samples
    faces: Ints
    smooth: sp.csr_array
    home: Floats
    model_faces: Ints

    @classmethod
    def of(
        cls, vertices: ArrayLike, faces: ArrayLike, landmarks: Mapping[str, ArrayLike], rng: np.random.Generator
    ) -> FixedMesh:
        """The tracker's mesh on the model's mean face, mm, head frame: from brow to chin, in front of the ears."""
        v, f = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
        chart = Chart.of(v, f)
        mark = {k: np.asarray(p, np.float64) for k, p in landmarks.items()}
        top = 0.5 * (mark["tr"][1] + mark["g"][1])
        back = np.mean([mark["t_left"][2], mark["t_right"][2]]) + 15.0
        p = v[f[chart.inside]].mean(axis=1)
        front = chart.inside[(p[:, 1] < top) & (p[:, 1] > mark["gn"][1] - 5.0) & (p[:, 2] > back)]
        # A few too many, then the surplus goes from the end of the shuffled order: exactly as many as the tracker has.
        drawn, spacing = blue_noise(v, f, front, round(1.05 * VERTICES), rng)
        drawn = drawn.take(np.arange(min(len(drawn.face), VERTICES)))
        points = drawn.at(v, f)
        tri = triangulate(chart, drawn, points, longest_edge=3.5 * spacing)
        tri, used = compact(tri, np.ones(len(points), bool))
        drawn = drawn.take(used)
        n = len(used)
        rows, cols = tri[:, [0, 1, 2, 1, 2, 0]].ravel(), tri[:, [1, 2, 0, 0, 1, 2]].ravel()
        near = sp.csr_array((np.ones(len(rows)), (rows, cols)), shape=(n, n))
        near.data[:] = 1.0
        mean = sp.diags_array(1.0 / near.sum(axis=1)) @ near
        return cls(drawn, tri, sp.csr_array(0.6 * sp.eye_array(n) + 0.4 * mean), points[used], f)

    def scan(
        self,
        vertices: ArrayLike,
        rng: np.random.Generator,
        *,
        bias_seed: int = 0,
        pose: bool | RigidTransform = True,
        landmarks: Mapping[str, ArrayLike] | None = None,
    ) -> SimulatedScan:
        """One frame of the face `vertices` (V, 3) mm. `bias_seed` is the person's: the tracker's error about a face
        stays from frame to frame. Coordinates come back in mm; `in_metres` gives what the tracker writes."""
        v = np.asarray(vertices, np.float64)
        clean = self.samples.at(v, self.model_faces)
        seen = self.smooth @ clean
        own = np.random.default_rng(bias_seed)
        error = BIAS_MM * smooth_field(self.home, BIAS_LENGTH_MM, own) + JITTER_MM * rng.normal(size=len(clean))
        points = seen + error[:, None] * vertex_normals(seen, self.faces)
        result = SimulatedScan(
            FaceScan(points, self.faces, name="fixed mesh", units_note="simulated in millimetres"),
            self.model_faces,
            self.samples.face,
            self.samples.weights,
            RigidTransform.identity(),
            {k: np.asarray(p, np.float64) for k, p in (landmarks or {}).items()},
        )
        if isinstance(pose, RigidTransform):
            return result.moved(pose)
        return result.moved(random_pose(rng)) if pose else result


def in_metres(points: ArrayLike) -> Floats:
    """Millimetres as the tracker's metres."""
    return np.asarray(points, np.float64) / 1000.0
