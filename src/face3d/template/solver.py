"""Gauss-Newton steps of the template fit; see `face3d.template.fit` for what is estimated and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.geometry.elements import Surfels
from face3d.geometry.mesh import vertex_normals
from face3d.geometry.rigid import laid_on
from face3d.geometry.skin_tone import ToneField
from face3d.scan import Floats, Ints
from face3d.template.basis import Basis, Level, Sparse, displaced
from face3d.template.marks import Marks, mark_moves
from face3d.template.template import FaceTemplate
from face3d.values import Value, locked

# Numbers in this file were chosen on simulated faces of other people, shapes and movements than any published figure,
# and on another artist's head in expressions that no unit of the template makes.
#: mm: scale of the robust weights (Geman-McClure) of distances in the first, in the last coarse and in the fine steps.
SCALES = (6.0, 1.5, 1.2)
#: mm: what a distance to the scan is uncertain by: noise, and relief below the template's resolution; in the coarse
#: steps, from where landmarks alone have put the face, it begins with the first number. Else a lower lip pairs with
#: the skin of the upper one.
DISTANCE_SD = (2.0, 0.25)
#: Beyond so many SD landmarks are believed less, in the first coarse and from the last coarse step on.
MARK_KERNELS = (12.0, 3.0)
#: Steps on landmarks alone, coarse ones (few smooth modes of the remainder) and fine ones.
MARK_STEPS, COARSE_STEPS, FINE_STEPS = 3, 6, 3
#: The sparse prior on fields d (mm) weighs d^2 / (scale |d|^(2 - SPARSE_POWER)), where 1 would be the L1 norm; below 0
#: small ones are held and large ones are free. The corner of |d| at 0 shrinks from the first number to the second (mm)
#: over the steps, so that nothing is held before it had a chance to move. Scales of what differs between the sides,
#: and of what of a movement the units do not explain.
SPARSE_POWER, SPARSE_CORNERS = -1.0, (3.0, 0.15)
DIFFERING_SCALE, SHARED_SCALE = 45.0, 2.2
#: What tone is uncertain by, as a share of how much it varies over this face's skin (1.48 times its median deviation):
#: between the sides, where nothing is symmetric but brows and lips; and in the same person from scan to scan, of
#: colour and of relief. Beyond the last number of times that, a difference is believed less.
TONE_SIDES, TONE_SELF, RELIEF_SELF, TONE_SCALE = 1.8, 2.0, 1.0, 6.0
#: mm: nearer to the edge of lids, lips and nostrils, what lies behind them mixes with the tone.
TONE_RIM = 5.0
#: Where lips part, curl and press, their relief is the expression's, not the person's.
SOFT = ("upper_lip", "lower_lip", "commissure", "chin")
#: The weight of a normal grows from 0 to 1 between these cosines.
COSINES = (0.4, 0.8)
#: mm: a scan element this far beside a template vertex, along the surface, lies across a rim or a gap.
BESIDE = 3.0
#: mm that a fully opposite normal is worth when the corresponding scan element is sought.
NORMAL_MM = 4.0
#: What errors are larger by than the estimate thinks, whose distances are no independent measurements: RMS over 16
#: faces of four kinds 1.9 to 2.4; after a rest scan 1.7, where a mouth opens wide more.
UNTOLD = 2.1
#: A unit's intensity below 0 is no movement of that muscle: its prior standard deviation there.
NEGATIVE_SD = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class SkinTone(Value):
    """What shows of a person's skin at the template's vertices, NaN where it does not: `relief` (N,), how far it
    stands out of its surroundings (mm), and `tone` (N,), how dark it is beside them; None without colours."""

    relief: Floats
    tone: Floats | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Trace(Value):
    """A field of the skin that a step goes by: its `share` (N,) 0..1 of belief at the template's vertices, the person's
    own at rest (`same`, (N,)) with its `sd`, and where the sides are `alike` (N,) 0..1."""

    field: ToneField
    share: Floats
    same: Floats | None
    sd: float
    alike: Floats | None


@dataclass(frozen=True)
class Step:
    """What one step believes: `scale` and `sd` of distances (mm; infinite: none), `kernel` of landmarks in SD (0: no
    landmarks), `corner` of the sparse priors (mm)."""

    scale: float
    sd: float
    kernel: float
    corner: float
    fine: bool


def _steps(moving: bool) -> list[Step]:
    """All steps of a fit; `moving`: from the same person's rest scan on, where landmarks tell by how much they moved.

    Without one a landmark's place is only about the template's, and leans to symmetry: no fine step listens to it.
    """
    coarse = MARK_STEPS + COARSE_STEPS
    steps = coarse + FINE_STEPS
    scales = np.r_[np.geomspace(SCALES[0], SCALES[1], coarse), np.full(FINE_STEPS, SCALES[2])]
    sds = np.r_[
        np.full(MARK_STEPS, np.inf), np.geomspace(*DISTANCE_SD, COARSE_STEPS), np.full(FINE_STEPS, DISTANCE_SD[1])
    ]
    kernels = np.r_[np.geomspace(*MARK_KERNELS, coarse), np.full(FINE_STEPS, MARK_KERNELS[1] if moving else 0.0)]
    corners = np.geomspace(*SPARSE_CORNERS, steps)
    fine = np.arange(steps) >= coarse
    rows = zip(scales.tolist(), sds.tolist(), kernels.tolist(), corners.tolist(), fine.tolist(), strict=True)
    return [Step(*row) for row in rows]


class Solver:
    """The state of one fit: `shape` (N, 3) mm in the head frame, `pose` scan -> head frame, `estimate` (P,)."""

    def __init__(
        self,
        t: FaceTemplate,
        basis: Basis,
        surfels: Surfels,
        marks: Marks,
        base: Floats,
        prior: Floats,
        rest: SkinTone | None = None,
    ) -> None:
        """`base` (N, 3): the shape at estimate 0; `prior` (P, P) the precision of the estimate; `rest`: the same
        person's skin, where `base` is that person's face at rest."""
        self.t, self.basis, self.surfels, self.marks, self.base, self.prior = t, basis, surfels, marks, base, prior
        self.rest = rest
        self.estimate = np.zeros(basis.ends[-1])
        self.relief = np.zeros(len(base))
        self.shape = base
        self.unit_sd, self.sd = np.zeros(0), np.zeros(0)
        self.marks_at_start = marks.on(base)
        self.pose = _robustly_laid_on(marks.points, self.marks_at_start, marks.sd**-2)
        self.mark_columns = mark_moves(t, rest is not None)[marks.index]

    def run(self) -> None:
        """All steps."""
        factor = np.zeros((0, 0))
        for step in _steps(self.rest is not None):
            factor = self._step(step)
            if step.fine:
                self._learn_relief(vertex_normals(self.shape, self.t.faces))
        self.unit_sd, self.sd = self._uncertainty(factor)

    def _uncertainty(self, factor: Floats) -> tuple[Floats, Floats]:
        """Posterior standard deviations: of the units' intensities, left and right; and (N,) mm of each vertex'
        movement from rest, or without a rest scan of its difference from the mirrored other side (all three directions
        together). Of the estimate's own noise and priors; what it does not know of itself is in UNTOLD."""
        b, lower = self.basis, factor.astype(np.float32)
        units = np.arange(b.ends[1], b.ends[3])
        one = np.zeros((len(units), len(lower)), np.float32)
        one[np.arange(len(units)), units] = 1.0
        moves = b.probe.columns
        if self.rest is None:
            moves = moves - moves[b.probe.opposite] * np.array([-1.0, 1.0, 1.0], np.float32)[:, None]
        count = moves.shape[2]
        places = np.zeros((3 * len(moves), len(lower)), np.float32)
        places[:, :count] = moves.reshape(-1, count)
        half = solve_triangular(lower, np.concatenate([one, places]).T, lower=True, check_finite=False)
        variance = np.einsum("pk,pk->k", half, half).astype(np.float64)
        sd = np.sqrt(variance[len(units) :].reshape(-1, 3).sum(axis=1))
        return np.sqrt(variance[: len(units)]), UNTOLD * (b.probe.spread @ sd)

    def _step(self, step: Step) -> Floats:
        """One Gauss-Newton step; the lower Cholesky factor of its normal equations."""
        b = self.basis
        level = b.fine if step.fine else b.coarse
        count = len(level.use)
        matrix, gradient = np.zeros((count + 6, count + 6)), np.zeros(count + 6)
        if np.isfinite(step.sd):
            here = self.shape[level.rows]
            facing = vertex_normals(self.shape, self.t.faces)[level.rows]
            point, normal, weight, distance, near = self.pairs(here, facing, step.scale)
            rows = _rows(level, normal, point)
            _add(matrix, gradient, rows, distance, np.sqrt(weight) / step.sd)
            for field in self._fields(step.fine):
                self._add_tone(matrix, gradient, level, field, here, point, weight, near)
        if step.kernel:
            self._add_marks(matrix, gradient, step.kernel, level.use)
        theta = self.estimate[level.use]
        prior = self.prior[np.ix_(level.use, level.use)]
        units = np.arange(b.ends[1], b.ends[3])
        negative = units[theta[units] < 0]
        prior[negative, negative] += NEGATIVE_SD**-2
        self._add_sparse(prior, level, b.differing, DIFFERING_SCALE, step.corner)
        if self.rest is not None:
            self._add_sparse(prior, level, b.shared, SHARED_SCALE, step.corner)
        matrix[:count, :count] += prior
        gradient[:count] += prior @ theta
        matrix[count:, count:] += 1e-6 * np.eye(6)
        factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        change = cho_solve(factor, -gradient, check_finite=False)
        self.estimate[level.use] += change[:count]
        turn = RigidTransform.from_components(change[count + 3 :], Rotation.from_rotvec(change[count : count + 3]))
        self.pose = turn * self.pose
        smooth = self.base + displaced(self.t, b, self.estimate)
        self.shape = smooth + self.relief[:, None] * vertex_normals(smooth, self.t.faces)
        return factor[0]

    def pairs(self, here: Floats, normals: Floats, scale: float) -> tuple[Floats, Floats, Floats, Floats, Ints]:
        """For template points (n, 3): scan point, scan normal, weight, signed distance outside the scan (n,), and the
        scan's element."""
        turn = self.pose.rotation
        query, facing = self.pose.inv().apply(here), turn.inv().apply(normals)
        far, near = self.surfels.tree.query(query, k=4)
        near = np.minimum(near, len(self.surfels.points) - 1)
        other = ((self.surfels.normals[near] - facing[:, None]) ** 2).sum(axis=2)
        best = near[np.arange(len(near)), (far**2 + NORMAL_MM**2 * other).argmin(axis=1)]
        apart, normal = query - self.surfels.points[best], self.surfels.normals[best]
        distance = np.einsum("ni,ni->n", apart, normal)
        beside = np.linalg.norm(apart - distance[:, None] * normal, axis=1)
        cosine = np.einsum("ni,ni->n", normal, facing)
        weight = np.clip((cosine - COSINES[0]) / (COSINES[1] - COSINES[0]), 0.0, 1.0)
        weight *= (beside < BESIDE) * (np.abs(distance) < 4.0 * scale + 3.0) / (1.0 + (distance / scale) ** 2) ** 2
        return self.pose.apply(self.surfels.points[best]), turn.apply(normal), weight, distance, best

    def _fields(self, fine: bool) -> Iterator[Trace]:
        """What of the skin shows where it slides."""
        skin = shaded(self.t)
        if self.surfels.tone_fields is not None:
            same = None if self.rest is None else self.rest.tone
            yield Trace(self.surfels.tone_fields[fine], skin, same, TONE_SELF, _alike(self.t))
        if self.rest is not None:
            yield Trace(self.surfels.relief_fields[fine], skin * _firm(self.t), self.rest.relief, RELIEF_SELF, None)

    def _add_tone(
        self,
        matrix: Floats,
        gradient: Floats,
        level: Level,
        trace: Trace,
        here: Floats,
        point: Floats,
        weight: Floats,
        near: Ints,
    ) -> None:
        """Rows that lay places of the same tone or relief on each other: those of the two sides and, where the person's
        skin is known from a scan at rest, those of the two scans."""
        use = np.flatnonzero(weight * trace.share[level.rows] > 0.05)
        ids, near = level.rows[use], near[use]
        slope = self.pose.rotation.apply(trace.field.slopes[near])
        tone = trace.field.values[near] + np.einsum("ni,ni->n", here[use] - point[use], slope)
        rows = _rows(level, slope, point[use], use)
        trust = np.sqrt(weight[use])
        varies = max(1.48 * float(np.median(np.abs(tone - np.median(tone)))), 1e-3) if len(use) else 1.0
        if trace.same is not None:
            off = tone - trace.same[ids]
            known = np.isfinite(off)
            sd = trace.sd * varies
            off = np.where(known, off, 0.0)
            _add(matrix, gradient, rows, off, trust * known / (1.0 + (off / (TONE_SCALE * sd)) ** 2) / sd)
        if trace.alike is None:
            return
        at = np.full(len(self.t.vertices), -1)
        at[ids] = np.arange(len(use))
        other = at[self.t.opposite[ids]]
        left = np.flatnonzero((other > np.arange(len(use))) & (trace.alike[ids] > 0.0))
        right = other[left]
        off, sd = tone[left] - tone[right], TONE_SIDES * varies
        share = trust[left] * trust[right] * np.sqrt(trace.alike[ids[left]])
        _add(matrix, gradient, rows[left] - rows[right], off, share / (1.0 + (off / (TONE_SCALE * sd)) ** 2) / sd)

    def skin_at(self, shape: Floats, weight: Floats, near: Ints) -> SkinTone:
        """What the scan's skin shows at the template's vertices, NaN where it does not show; `weight` and `near` of
        `pairs` there."""
        apart = self.pose.inv().apply(shape) - self.surfels.points[near]
        shown = (weight > 0.3) & (shaded(self.t) > 0)
        tone = None
        if self.surfels.tone_fields is not None:
            tone = np.where(shown, self.surfels.tone_fields[1].at(near, apart), np.nan)
        return SkinTone(np.where(shown, self.surfels.relief_fields[1].at(near, apart), np.nan), tone)

    def _add_marks(self, matrix: Floats, gradient: Floats, kernel: float, use: Ints) -> None:
        seen, here = self.pose.apply(self.marks.points), self.marks.on(self.shape)
        apart = here - seen
        # A detector that sees half of a raised brow is off by as much more as the brow is raised.
        sd = np.hypot(self.marks.sd, self.marks.growing * np.linalg.norm(here - self.marks_at_start, axis=1))
        root = 1.0 / sd / (1.0 + ((apart / (kernel * sd[:, None])) ** 2).sum(axis=1))
        count = len(use)
        rows = np.zeros((len(sd), 3, count + 6), np.float32)
        rows[:, :, :count] = self.mark_columns if count == self.mark_columns.shape[2] else self.mark_columns[:, :, use]
        for k in range(3):
            rows[:, k, count : count + 3] = -np.cross(seen, np.eye(3)[k])
            rows[:, k, count + 3 + k] = -1.0
        _add(matrix, gradient, rows.reshape(-1, count + 6), apart.ravel(), np.repeat(root, 3))

    def _add_sparse(self, prior: Floats, level: Level, sparse: Sparse, scale: float, corner: float) -> None:
        """A sparse prior, re-weighted at the present estimate (Candes 2008)."""
        to = level.where[sparse.use[sparse.use < len(level.where)]]
        here = np.flatnonzero(to >= 0)
        fields = sparse.fields if len(here) == len(sparse.use) else sparse.fields[:, :, here]
        field = fields @ self.estimate[sparse.use[here]].astype(np.float32)
        size = np.sqrt((field**2).sum(axis=1) + corner**2)
        weight = sparse.weight / (scale * size ** (2.0 - SPARSE_POWER))
        rows = (fields * np.sqrt(weight).astype(np.float32)[:, None, None]).reshape(-1, len(here))
        prior[np.ix_(to[here], to[here])] += rows.T @ rows

    def _learn_relief(self, normals: Floats) -> None:
        """Move the relief that both sides share to what the scan shows of it, on average over the sides."""
        t = self.t
        _, _, weight, distance, _ = self.pairs(self.shape, normals, SCALES[2])
        weight = weight * ~t.rim
        total, share = -weight * distance, weight
        total, share = total + total[t.opposite], share + share[t.opposite]
        change = (t.mean @ total) / (t.mean @ share + 0.1)
        self.relief = self.relief + change
        self.shape = self.shape + change[:, None] * normals


def _rows(level: Level, along: Floats, point: Floats, use: Ints | None = None) -> np.ndarray:
    """(n, P' + 6) float32: what each unknown moves the template's places by `along` (n, 3), and the scan at `point`."""
    columns = level.columns if use is None else level.columns[use]
    count = columns.shape[2]
    rows = np.empty((len(columns), count + 6), np.float32)
    np.matmul(along.astype(np.float32)[:, None], columns, out=rows[:, None, :count])
    rows[:, count : count + 3] = -np.cross(point, along)
    rows[:, count + 3 :] = -along
    return rows


def _add(matrix: Floats, gradient: Floats, rows: np.ndarray, off: Floats, root: Floats) -> None:
    """Rows (n, P) with residuals `off` (n,) and roots of their weights (n,) into the normal equations."""
    share = root.astype(np.float32)
    rows = rows * share[:, None]
    matrix += rows.T @ rows
    gradient += rows.T @ (off * share).astype(np.float32)


@lru_cache(maxsize=3)
def shaded(t: FaceTemplate) -> Floats:
    """(N,) 1 where tone is skin's own: away from lids, and from the edges of lips, nostrils and the template."""
    lids = sum(t.regions[f"{part}_{side}"] for part in ("upper_lid", "lower_lid") for side in ("left", "right"))
    far = KDTree(t.vertices[t.rim]).query(t.vertices)[0] > TONE_RIM
    return locked(far & (lids < 0.5))


@lru_cache(maxsize=3)
def _firm(t: FaceTemplate) -> Floats:
    """(N,) 0..1 where the skin's relief stays with the person."""
    return locked(np.clip(1.0 - sum(t.regions[f"{p}_{s}"] for p in SOFT for s in ("left", "right")), 0.0, 1.0))


@lru_cache(maxsize=3)
def _alike(t: FaceTemplate) -> Floats:
    """(N,) 0..1 where the two sides' skin looks alike: brows and lips, with the skin along their borders."""
    weight = sum(t.regions[f"{p}_{s}"] for p in ("brow", "upper_lip", "lower_lip") for s in ("left", "right"))
    return locked(np.clip(weight, 0.0, 1.0))


def _robustly_laid_on(moving: Floats, fixed: Floats, weight: Floats) -> RigidTransform:
    """The same where some of the pairs are wrong; 10 mm is what faces and expressions differ by."""
    share = weight
    for _ in range(10):
        pose = laid_on(moving, fixed, share)
        share = weight / (1.0 + (((pose.apply(moving) - fixed) / 10.0) ** 2).sum(axis=1)) ** 2
    return pose
