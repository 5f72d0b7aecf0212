"""From one frame to the next: a few Gauss-Newton steps on point-to-plane distances, from where the face should be now.

What is estimated is the whole movement from rest, under the same prior in every frame, not a step from the frame
before: errors of one frame are not handed on, so nothing adds up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.geometry.mesh import cross, vertex_normals
from face3d.geometry.rigid import align
from face3d.scan import FaceScan, Floats
from face3d.sequence.space import Space
from face3d.sequence.state import State
from face3d.sequence.surface import FrameSurface
from face3d.sequence.tone import Tone
from face3d.sequence.wide_eyes import WideEyes
from face3d.template.solver import BESIDE, COSINES, NORMAL_MM
from face3d.values import Value

#: Steps a frame, and the scale of the robust weights (mm; Geman-McClure) in each.
SCALES = (2.0, 1.2)
#: mm: what a distance is uncertain by at least, and so many times what distances usually are: their errors, relief and
#: a scanner's, go together over centimetres, so each says little by itself.
DISTANCE_SD, SD_TIMES = 0.8, 6.0
#: How firmly what is expected of a frame is held (1/SD2).
FIRMNESS = 8.0
#: Places on what stands still that a frame must show, for the head's own motion to be known.
LEAST_STILL = 20


@dataclass(frozen=True, eq=False, repr=False)
class Followed(Value):
    """A frame's result: `state`; `vertices` (N, 3) mm in the rest face's head frame and scan coordinates `to_head`
    there; `valid` (N,); `residual` mm, median distance where valid; `share` of the face that the frame shows;
    `unlike` mm, median by which parts over bone stand off where the person has them."""

    state: State
    vertices: Floats
    to_head: RigidTransform
    valid: np.ndarray
    residual: float
    share: float
    unlike: float


class Follower:
    """Follows the face that is `rest` (N, 3) mm at rest, in its head frame, and was seen where `valid` (N,)."""

    def __init__(self, space: Space, rest: Floats, valid: np.ndarray) -> None:
        self.space, self.rest = space, rest
        self.still = space.stable * valid[space.rows]
        self._normals = vertex_normals(rest, space.template.faces)[space.rows]
        self.low, self.high = rest.min(axis=0), rest.max(axis=0)
        self.tone: Tone | None = None
        self._eyes = WideEyes(space, rest)
        self._inward: bool | None = None  # how the recording's triangles are wound, once a face was seen

    def follow(self, scan: FaceScan, before: State) -> Followed | None:
        """The face on `scan`, starting from where `before` expects it; None where there is no surface."""
        expected = before.next()
        surface = FrameSurface.of(scan, expected.pose, self.low, self.high)
        if surface is None:
            return None
        if self._inward is None:
            self._inward = self._faces_inwards(surface, self.rest + expected.moved)
        surface = surface.turned() if self._inward else surface
        found = self._fitted(surface, before)
        wide = self._eyes.among(found.state.moved) if found is not None else ()
        other = self._fitted(surface, self._eyes.as_at_rest(before, wide)) if wide else None
        if found is None or other is None:
            return found
        return min(found, other, key=lambda one: self._lids_off(surface, one.state))

    def _fitted(self, surface: FrameSurface, before: State) -> Followed | None:
        s, expected = self.space, before.next()
        base, shape = self.rest[s.rows], self.rest + expected.moved
        every = vertex_normals(shape, s.template.faces)
        facing = every[s.rows]
        noise = before.noise or surface_noise(surface, shape[s.rows])
        sd = max(DISTANCE_SD, SD_TIMES * noise)
        tone = None if self.tone is None or surface.tone is None else self.tone
        off, trust = (np.zeros(0), np.zeros(0)) if tone is None else tone.off(surface, shape)
        estimate, pose = expected.estimate, RigidTransform.identity()  # pose: the surface's frame -> head frame
        point = normal = weight = distance = here = np.zeros(0)
        for scale in SCALES:
            here = base + self._moved(estimate)
            point, normal, weight, distance = pairs(surface, pose, here, facing, scale)
            matrix, gradient = _normal_equations(s.here, normal, point, distance, np.sqrt(weight) / sd)
            if tone is not None:
                k = tone.rows
                slid = np.einsum("ni,ni->n", tone.slopes, pose.inv().apply(here[k]) - shape[s.rows[k]])
                root = trust * np.sqrt(weight[k])
                more, pull = _normal_equations(s.here[k], tone.slopes, here[k], off + slid, root)
                matrix, gradient = matrix + more, gradient + pull
            change = self._solved(matrix, gradient, estimate, expected.estimate)
            estimate = estimate + change[:-6]
            step = RigidTransform.from_components(change[-3:], Rotation.from_rotvec(change[-6:-3]))
            pose = step * pose
            point, normal = step.apply(point), step.rotation.apply(normal)
        moved = s.displaced(estimate)
        distance = np.einsum("ni,ni->n", base + moved[s.rows] - point, normal)
        total, share = s.spread @ (-weight * distance), s.spread @ weight
        fitted = self.rest + moved + (total / (share + 0.1))[:, None] * every
        good = weight > 0.1
        if (self.still * weight > 0.01).sum() < LEAST_STILL:
            return None
        residual = float(np.median(np.abs(distance[good]))) if good.any() else np.inf
        seen = float((s.area * weight).sum() / s.area.sum())
        back, _ = align(fitted[s.rows], base, self.still * weight, rounds=4)
        whole = pose * surface.pose
        lately = 0.9 * noise + 0.1 * residual if good.any() else noise
        state = State(
            estimate,
            moved,
            whole,
            estimate - before.estimate,
            moved - before.moved,
            whole * before.pose.inv(),
            lately,
        )
        laid = back.apply(fitted)
        unlike = self.unlike(laid[s.rows] - base, weight > 0.1)
        return Followed(state, laid, back * whole, share > 0.1, residual, seen, unlike)

    def _lids_off(self, surface: FrameSurface, state: State) -> float:
        """How badly the lids explain a surface, by the same measure for all states: what lies off it, and how unlikely
        the movement is."""
        rows, shape = self.space.rows, self.rest + state.moved
        facing = vertex_normals(shape, self.space.template.faces)[rows]
        weight = pairs(surface, state.pose * surface.pose.inv(), shape[rows], facing, SCALES[-1])[2]
        sd = max(DISTANCE_SD, SD_TIMES * state.noise) / SCALES[-1]
        return float((1 - np.sqrt(weight[self._eyes.lids])).sum() / sd**2 + state.estimate @ state.estimate)

    def unlike(self, moved: Floats, seen: np.ndarray) -> float:
        """mm by which rows over bone that are `seen` (n,) stand off where this person has them (median), when rows have
        `moved` (n, 3) in the head frame; 0 where too few are seen."""
        k = self.space.firm & seen
        if k.sum() < 0.3 * self.space.firm.sum():
            return 0.0
        return float(np.median(np.abs(np.einsum("ni,ni->n", moved[k], self._normals[k]))))

    def learn_tone(self, scan: FaceScan, found: Followed) -> None:
        """Takes the skin's tone from a frame on which the face is known."""
        surface = FrameSurface.of(scan, found.to_head, self.low, self.high)
        if surface is not None and surface.tone is not None:
            self.tone = Tone.of(self.space, self.rest, found.vertices, surface)

    def _faces_inwards(self, surface: FrameSurface, shape: Floats) -> bool:
        rows = self.space.rows
        facing = vertex_normals(shape, self.space.template.faces)[rows]
        near = np.minimum(surface.tree.query(shape[rows])[1], len(surface.points) - 1)
        return bool(np.median(np.einsum("ni,ni->n", surface.normals[near], facing)) < -0.3)

    def _moved(self, estimate: Floats) -> Floats:
        """(n, 3) mm by which an estimate moves the rows."""
        count = len(estimate)
        return (self.space.here.reshape(-1, count) @ estimate.astype(np.float32)).reshape(-1, 3).astype(np.float64)

    def _solved(self, matrix: Floats, gradient: Floats, estimate: Floats, expected: Floats) -> Floats:
        """The step (K + 6,) of the estimate and the pose, with the priors added."""
        count = len(estimate)
        at = np.arange(count)
        matrix[at, at] += 1.0 + FIRMNESS
        gradient[:count] += estimate + FIRMNESS * (estimate - expected)
        matrix[count:, count:] += 1e-6 * np.eye(6)
        return cho_solve(cho_factor(matrix, overwrite_a=True, check_finite=False), -gradient, check_finite=False)


def _normal_equations(
    columns: np.ndarray, along: Floats, point: Floats, off: Floats, root: Floats
) -> tuple[Floats, Floats]:
    """Matrix (K + 6, K + 6) and gradient of rows that see places move `along` (n, 3), and the frame at `point`, with
    residuals `off` and roots of weights `root` (n,)."""
    count = columns.shape[2]
    rows = np.empty((len(columns), count + 6), np.float32)
    along = along * root[:, None]
    np.matmul(along.astype(np.float32)[:, None], columns, out=rows[:, None, :count])
    rows[:, count : count + 3] = -cross(point, along)
    rows[:, count + 3 :] = -along
    return (rows.T @ rows).astype(np.float64), (rows.T @ (off * root).astype(np.float32)).astype(np.float64)


def surface_noise(surface: FrameSurface, here: Floats) -> float:
    """mm: what distances are in a frame that is looked at for the first time."""
    near = surface.tree.query(here)[1]
    near = near[near < len(surface.points)]
    return float(
        np.median(np.abs(np.einsum("ni,ni->n", here[: len(near)] - surface.points[near], surface.normals[near])))
    )


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
