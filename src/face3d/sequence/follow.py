"""From one frame to the next: a few Gauss-Newton steps on point-to-plane distances, from where the face should be now.

What is estimated is the whole movement from rest, under the same prior in every frame, not a step from the frame
before: errors of one frame are not handed on, so nothing adds up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.geometry.mesh import vertex_normals
from face3d.geometry.rigid import align
from face3d.scan import FaceScan, Floats
from face3d.sequence.space import Space
from face3d.sequence.surface import FrameSurface
from face3d.template.solver import BESIDE, COSINES, NORMAL_MM
from face3d.values import Value

#: Steps a frame, and the scale of the robust weights (mm; Geman-McClure) in each.
SCALES = (2.0, 1.2)
#: mm: what a distance is uncertain by at least.
DISTANCE_SD = 0.25
#: Share of the last step's movement that is expected again, and how firmly the expectation is held (1/SD2).
DAMPING, FIRMNESS = 0.8, 4.0


@dataclass(frozen=True, eq=False, repr=False)
class State(Value):
    """Where the face is: `estimate` (K,) of the movement from rest, `pose` scan coordinates -> its head frame, and how
    both changed since the frame before."""

    estimate: Floats
    pose: RigidTransform
    step: Floats
    turn: RigidTransform

    @classmethod
    def at(cls, estimate: Floats, pose: RigidTransform) -> State:
        """Standing still."""
        return cls(estimate, pose, np.zeros_like(estimate), RigidTransform.identity())

    def next(self) -> State:
        """Where it should be in the next frame."""
        half = RigidTransform.from_components(
            DAMPING * self.turn.translation, Rotation.from_rotvec(DAMPING * self.turn.rotation.as_rotvec())
        )
        return replace(self, estimate=self.estimate + DAMPING * self.step, pose=half * self.pose)


@dataclass(frozen=True, eq=False, repr=False)
class Followed(Value):
    """A frame's result: `state`; `vertices` (N, 3) mm in the rest face's head frame and scan coordinates `to_head`
    there; `valid` (N,); `residual` mm, median distance where valid; `share` of the face that the frame shows;
    `still` mm RMS that is left on what stands still."""

    state: State
    vertices: Floats
    to_head: RigidTransform
    valid: np.ndarray
    residual: float
    share: float
    still: float


class Follower:
    """Follows the face that is `rest` (N, 3) mm at rest, in its head frame."""

    def __init__(self, space: Space, rest: Floats, valid: np.ndarray) -> None:
        self.space, self.rest = space, rest
        self.known = valid[space.rows].astype(np.float64)
        self.low, self.high = rest.min(axis=0), rest.max(axis=0)

    def follow(self, scan: FaceScan, before: State) -> Followed | None:
        """The face on `scan`, starting from where `before` expects it; None where there is no surface."""
        s, expected = self.space, before.next()
        surface = FrameSurface.of(scan, expected.pose, self.low, self.high)
        if surface is None:
            return None
        base = self.rest[s.rows]
        normals = vertex_normals(self.rest + s.displaced(expected.estimate), s.template.faces)[s.rows]
        estimate, pose = expected.estimate, RigidTransform.identity()  # pose: the surface's frame -> head frame
        count = len(estimate)
        for scale in SCALES:
            here = base + np.einsum("nik,k->ni", s.here, estimate.astype(np.float32), optimize=True)
            point, normal, weight, distance = pairs(surface, pose, here, normals, scale)
            rows = np.empty((len(here), count + 6), np.float32)
            np.matmul(normal.astype(np.float32)[:, None], s.here, out=rows[:, None, :count])
            rows[:, count : count + 3] = -np.cross(point, normal)
            rows[:, count + 3 :] = -normal
            root = (np.sqrt(weight) / DISTANCE_SD).astype(np.float32)
            rows *= root[:, None]
            matrix = (rows.T @ rows).astype(np.float64)
            gradient = (rows.T @ (distance * root).astype(np.float32)).astype(np.float64)
            at = np.arange(count)
            matrix[at, at] += 1.0 + FIRMNESS
            gradient[:count] += estimate + FIRMNESS * (estimate - expected.estimate)
            matrix[count:, count:] += 1e-6 * np.eye(6)
            change = cho_solve(cho_factor(matrix, overwrite_a=True, check_finite=False), -gradient, check_finite=False)
            estimate = estimate + change[:count]
            turn = Rotation.from_rotvec(change[count : count + 3])
            pose = RigidTransform.from_components(change[count + 3 :], turn) * pose
        return self._finished(surface, State(estimate, pose, before.estimate, before.pose))

    def _finished(self, surface: FrameSurface, found: State) -> Followed:
        s = self.space
        shape = self.rest + s.displaced(found.estimate)
        normals = vertex_normals(shape, s.template.faces)
        _, _, weight, distance = pairs(surface, found.pose, shape[s.rows], normals[s.rows], SCALES[-1])
        total, share = s.spread @ (-weight * distance), s.spread @ weight
        shape = shape + (total / (share + 0.1))[:, None] * normals
        good = weight > 0.1
        residual = float(np.median(np.abs(distance[good]))) if good.any() else np.inf
        seen = float((s.area * weight).sum() / s.area.sum())
        back, still = align(shape[s.rows], self.rest[s.rows], s.stable * self.known * weight, rounds=4)
        whole = found.pose * surface.pose
        last, before = found.step, found.turn
        state = State(found.estimate, whole, found.estimate - last, whole * before.inv())
        return Followed(state, back.apply(shape), back * whole, share > 0.1, residual, seen, still)


def pairs(
    surface: FrameSurface, pose: RigidTransform, here: Floats, normals: Floats, scale: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """For places (n, 3) in the head frame: the frame's point and normal there, weight, and signed distance outside it;
    as the template fit's, but all in the head frame."""
    turn = pose.rotation.as_matrix()
    query, facing = (here - pose.translation) @ turn, normals @ turn
    far, near = surface.tree.query(query, k=3)
    near = np.minimum(near, len(surface.points) - 1)
    other = ((surface.normals[near] - facing[:, None]) ** 2).sum(axis=2)
    best = near[np.arange(len(near)), (far**2 + NORMAL_MM**2 * other).argmin(axis=1)]
    point, normal = surface.points[best], surface.normals[best]
    apart = query - point
    distance = np.einsum("ni,ni->n", apart, normal)
    beside = np.sqrt(np.maximum(np.einsum("ni,ni->n", apart, apart) - distance**2, 0.0))
    cosine = np.einsum("ni,ni->n", normal, facing)
    weight = np.clip((cosine - COSINES[0]) / (COSINES[1] - COSINES[0]), 0.0, 1.0)
    weight *= (beside < BESIDE + 1.0) * (np.abs(distance) < 4.0 * scale + 3.0) / (1.0 + (distance / scale) ** 2) ** 2
    return point @ turn.T + pose.translation, normal @ turn.T, weight, distance
