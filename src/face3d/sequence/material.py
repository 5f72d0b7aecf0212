"""Recordings whose mesh keeps its vertices from frame to frame: where on it each place of the template lies.

Once the face is known on one frame, every other is a look-up: nothing is sought, and nothing slides but what the mesh
itself lets slide, which frames that are fitted anew show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d.geometry.mesh import cross, edges_from_first, lengths
from face3d.geometry.rays import RayScene
from face3d.geometry.rigid import align
from face3d.scan import FaceScan, Floats, Ints
from face3d.sequence.follow import LEAST_STILL, Followed, Follower
from face3d.sequence.space import Projection, Space
from face3d.sequence.state import State
from face3d.values import Value

#: mm: a place further off the mesh is not on it.
NEAR = 2.0
#: Rounds of averaging over neighbours of what the smooth movements leave: a scanner's noise from vertex to vertex.
SMOOTHING = 2


@dataclass(frozen=True, eq=False, repr=False)
class Material(Value):
    """`count` vertices of the mesh; for each of the template's places its triangle's `corners` (N, 3), their `weights`
    (N, 3), and its `height` (N,) mm above it; `on` (N,) bool: on the mesh; `smooth` finds the smooth movements
    that a look-up shows."""

    count: int
    corners: Ints
    weights: Floats
    height: Floats
    on: np.ndarray
    smooth: Projection

    @classmethod
    def of(cls, space: Space, scan: FaceScan, found: Followed) -> Material:
        """The template's places on the mesh of a frame on which the face is known."""
        places = found.to_head.inv().apply(found.vertices)
        finite = scan.faces[np.isfinite(scan.vertices[scan.faces]).all(axis=(1, 2))]
        hit = RayScene(np.nan_to_num(scan.vertices), finite).closest(places)
        corners = finite[hit.faces]
        middle, normal = _above(scan.vertices, corners, hit.weights)
        apart = places - middle
        height = np.einsum("ni,ni->n", apart, normal)
        on = found.valid & (lengths(apart) < NEAR)
        smooth = Projection(space, on[space.rows].astype(np.float64))
        return cls(len(scan.vertices), corners, hit.weights, height, on, smooth)

    def follow(self, scan: FaceScan, follower: Follower, before: State) -> Followed | None:
        """The face on another frame; None where the mesh is another one, or shows too little."""
        if len(scan.vertices) != self.count:
            return None
        s = follower.space
        middle, normal = _above(scan.vertices, self.corners, self.weights)
        places = middle + self.height[:, None] * normal
        on = self.on & np.isfinite(places).all(axis=1)
        rows = s.rows[on[s.rows]]
        still = follower.still * on[s.rows]
        if (still > 0.01).sum() < LEAST_STILL:
            return None
        pose, _ = align(places[rows], follower.rest[rows], still[on[s.rows]], rounds=8)
        moved = np.where(on[:, None], pose.apply(np.where(on[:, None], places, 0.0)) - follower.rest, before.moved)
        estimate = self.smooth.estimate(moved[s.rows])
        smooth = s.displaced(estimate)
        left = np.where(on[:, None], moved - smooth, 0.0)
        residual = float(np.median(lengths(left[on])))
        for _ in range(SMOOTHING):
            left = s.template.mean @ left
        share = float(s.template.area[on].sum() / s.template.area.sum())
        state = State(
            estimate,
            smooth,
            pose,
            estimate - before.estimate,
            smooth - before.moved,
            pose * before.pose.inv(),
            before.noise,
        )
        unlike = follower.unlike(smooth[s.rows], on[s.rows])
        return Followed(state, follower.rest + smooth + left, pose, on, residual, share, unlike)


def _above(vertices: Floats, corners: Ints, weights: Floats) -> tuple[Floats, Floats]:
    """Points (N, 3) in triangles and the unit normals of these."""
    one, two = edges_from_first(vertices, corners)
    normal = cross(one, two)
    normal /= np.maximum(lengths(normal), 1e-12)[:, None]
    return vertices[corners[:, 0]] + weights[:, 1:2] * one + weights[:, 2:] * two, normal
