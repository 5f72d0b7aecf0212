"""Gauss-Newton steps of the template fit; see `face3d.template.fit` for what is estimated and why."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.geometry.elements import Surfels
from face3d.geometry.mesh import vertex_normals
from face3d.geometry.rigid import laid_on
from face3d.scan import Floats, Ints
from face3d.template.basis import Basis, displaced
from face3d.template.marks import Marks
from face3d.template.template import FaceTemplate
from face3d.values import locked

# Numbers in this file were chosen on simulated faces of other people, shapes and movements than any published figure.
#: Steps without and with the smooth remainder.
COARSE_STEPS, FINE_STEPS = 7, 5
#: mm: scale of the robust weights (Geman-McClure) in the first, in the last coarse and in the fine steps.
SCALES = (6.0, 1.5, 1.2)
#: mm: what a distance to the scan is uncertain by: noise, and relief below the template's resolution.
DISTANCE_SD = 0.25
#: The sparse prior on differences d (mm) between the sides weighs d^2 / (SPARSE_SCALE |d|^(2 - SPARSE_POWER)), where
#: 1 would be the L1 norm; below 0 small differences are held and large ones are free. The corner of |d| at 0 shrinks
#: from the first number to the second (mm) over the steps, so that nothing is held before it had a chance to move.
SPARSE_SCALE, SPARSE_POWER, SPARSE_CORNERS = 200.0, -1.0, (3.0, 0.15)
#: What tone is uncertain by, as a share of how much it varies over this face's skin (1.48 times its median deviation):
#: between the sides, where nothing is symmetric but brows and lips; and in the same person from scan to scan. Beyond
#: the third number of times that, a difference is believed less.
TONE_SIDES, TONE_SELF, TONE_SCALE = 1.8, 2.0, 6.0
#: mm: nearer to the edge of lids, lips and nostrils, what lies behind them mixes with the tone.
TONE_RIM = 5.0
#: The weight of a normal grows from 0 to 1 between these cosines.
COSINES = (0.4, 0.8)
#: mm: a scan element this far beside a template vertex, along the surface, lies across a rim or a gap.
BESIDE = 3.0
#: mm that a fully opposite normal is worth when the corresponding scan element is sought.
NORMAL_MM = 4.0
#: A unit's intensity below 0 is no movement of that muscle: its prior standard deviation there.
NEGATIVE_SD = 0.1


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
        tone: Floats | None = None,
    ) -> None:
        """`base` (N, 3): the shape at estimate 0; `prior` (P, P) the precision of the estimate; `tone` (N,) of the same
        person's skin, NaN where unknown."""
        self.t, self.basis, self.surfels, self.marks, self.base, self.prior = t, basis, surfels, marks, base, prior
        self.estimate = np.zeros(basis.ends[-1])
        self.relief = np.zeros(len(base))
        self.shape = base
        self.covariance = np.zeros((0, 0))
        self.tone = tone
        self.shaded = _shaded(t)[basis.rows]
        self.alike = _alike(t)[basis.rows]
        self.pose = _robustly_laid_on(marks.points, marks.on(base), marks.sd**-2)
        coarse = basis.coarse
        at = np.concatenate([f[:, marks.ids] for f in (t.identity, t.asymmetry, t.left, t.right)])
        self.mark_columns = np.einsum("lk,plki->lip", marks.weights, at)[:, :, :coarse]

    def run(self) -> None:
        """All steps."""
        scales = np.r_[np.geomspace(SCALES[0], SCALES[1], COARSE_STEPS), np.full(FINE_STEPS, SCALES[2])]
        corners = np.geomspace(*SPARSE_CORNERS, len(scales))
        for step, (scale, corner) in enumerate(zip(scales, corners, strict=True)):
            fine = step >= COARSE_STEPS
            self._step(
                float(scale), float(corner), fine, 1.0 if step < COARSE_STEPS / 2 else 0.5, step == len(scales) - 1
            )
            normals = vertex_normals(self.shape, self.t.faces)
            if fine:
                self._learn_relief(normals)

    def _step(self, scale: float, corner: float, fine: bool, marks: float, last: bool) -> None:
        b = self.basis
        count = b.ends[-1] if fine else b.coarse
        here = self.shape[b.rows]
        point, normal, weight, distance, near = self.pairs(
            here, vertex_normals(self.shape, self.t.faces)[b.rows], scale
        )
        root = (np.sqrt(weight) / DISTANCE_SD).astype(np.float32)
        rows = np.empty((len(here), count + 6), np.float32)
        rows[:, :count] = np.einsum("ni,nip->np", normal.astype(np.float32), b.columns[:, :, :count])
        rows[:, count : count + 3] = -np.cross(point, normal)
        rows[:, count + 3 :] = -normal
        rows *= root[:, None]
        matrix = (rows.T @ rows).astype(np.float64)
        gradient = (rows.T @ (distance * root).astype(np.float32)).astype(np.float64)
        if not fine:
            self._add_marks(matrix, gradient, marks)
        if self.surfels.tone_fields is not None:
            self._add_tone(matrix, gradient, here, point, weight, near, fine)
        theta = self.estimate[:count]
        prior = self.prior[:count, :count].copy()
        units = np.arange(b.ends[1], b.ends[3])
        negative = units[theta[units] < 0]
        prior[negative, negative] += NEGATIVE_SD**-2
        self._add_sparse(prior, count, corner)
        matrix[:count, :count] += prior
        gradient[:count] += prior @ theta
        matrix[count:, count:] += 1e-6 * np.eye(6)
        factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        change = cho_solve(factor, -gradient, check_finite=False)
        self.estimate[:count] += change[:count]
        turn = RigidTransform.from_components(change[count + 3 :], Rotation.from_rotvec(change[count : count + 3]))
        self.pose = turn * self.pose
        smooth = self.base + displaced(self.t, b, self.estimate[:count])
        self.shape = smooth + self.relief[:, None] * vertex_normals(smooth, self.t.faces)
        if last:
            some = np.zeros((count + 6, len(units)))
            some[units, np.arange(len(units))] = 1.0
            self.covariance = cho_solve(factor, some, check_finite=False)[units]

    def pairs(self, here: Floats, normals: Floats, scale: float) -> tuple[Floats, Floats, Floats, Floats, Ints]:
        """For template points (n, 3): scan point, scan normal, weight, signed distance outside the scan (n,), and the
        scan's element."""
        turn = self.pose.rotation
        query, facing = self.pose.inv().apply(here), turn.inv().apply(normals)
        far, near = self.surfels.tree.query(query, k=6)
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

    def _add_tone(
        self, matrix: Floats, gradient: Floats, here: Floats, point: Floats, weight: Floats, near: Ints, fine: bool
    ) -> None:
        """Rows that lay places of the same tone on each other: those of the two sides and, where the person's skin is
        known from a scan at rest, those of the two scans."""
        fields = self.surfels.tone_fields
        assert fields is not None
        b, count, field = self.basis, matrix.shape[1] - 6, fields[fine]
        use = np.flatnonzero(weight * self.shaded > 0.05)
        point, near = point[use], near[use]
        slope = self.pose.rotation.apply(field.slopes[near])
        tone = field.values[near] + np.einsum("ni,ni->n", here[use] - point, slope)
        rows = np.empty((len(use), count + 6), np.float32)
        rows[:, :count] = np.einsum("ni,nip->np", slope.astype(np.float32), b.columns[use, :, :count])
        rows[:, count : count + 3] = -np.cross(point, slope)
        rows[:, count + 3 :] = -slope
        trust = weight[use]
        varies = max(1.48 * float(np.median(np.abs(tone - np.median(tone)))), 1e-3) if len(use) else 1.0
        if self.tone is not None:
            off = tone - self.tone[b.rows[use]]
            _add(
                matrix,
                gradient,
                rows,
                np.where(np.isfinite(off), off, 0.0),
                trust * np.isfinite(off),
                TONE_SELF * varies,
            )
        at = np.full(len(self.t.vertices), -1)
        at[b.rows[use]] = np.arange(len(use))
        other = at[self.t.opposite[b.rows[use]]]
        left = np.flatnonzero((other > np.arange(len(use))) & (self.alike[use] > 0.0))
        right = other[left]
        _add(
            matrix,
            gradient,
            rows[left] - rows[right],
            tone[left] - tone[right],
            trust[left] * trust[right] * self.alike[use[left]],
            TONE_SIDES * varies,
        )

    def tone_at(self, shape: Floats) -> Floats | None:
        """Tone (N,) of the scan's skin at the template's vertices, NaN where it does not show; None without colours."""
        if self.surfels.tone_fields is None:
            return None
        _, _, weight, _, near = self.pairs(shape, vertex_normals(shape, self.t.faces), SCALES[2])
        apart = self.pose.inv().apply(shape) - self.surfels.points[near]
        tone = self.surfels.tone_fields[1].at(near, apart)
        return np.where((weight > 0.3) & (_shaded(self.t) > 0), tone, np.nan)

    def _add_marks(self, matrix: Floats, gradient: Floats, factor: float) -> None:
        seen = self.pose.apply(self.marks.points)
        apart = self.marks.on(self.shape) - seen
        sd = self.marks.sd
        root = factor / sd / (1.0 + ((apart / (3.0 * sd[:, None])) ** 2).sum(axis=1))
        rows = np.zeros((len(sd), 3, matrix.shape[1]))
        count = matrix.shape[1] - 6
        rows[:, :, :count] = self.mark_columns
        for k in range(3):
            rows[:, k, count : count + 3] = -np.cross(seen, np.eye(3)[k])
            rows[:, k, count + 3 + k] = -1.0
        flat = (rows * root[:, None, None]).reshape(-1, matrix.shape[1])
        matrix += flat.T @ flat
        gradient += flat.T @ (apart * root[:, None]).ravel()

    def _add_sparse(self, prior: Floats, count: int, corner: float) -> None:
        """The sparse prior on what differs between the sides, re-weighted at the present estimate (Candes 2008)."""
        use = self.basis.odd < count
        columns, odd = self.basis.nodes[:, :, use], self.basis.odd[use]
        field = columns @ self.estimate[odd].astype(np.float32)
        size = np.sqrt((field**2).sum(axis=1) + corner**2)
        weight = self.basis.node_weights / (SPARSE_SCALE * size ** (2.0 - SPARSE_POWER))
        rows = (columns * np.sqrt(weight)[:, None, None]).reshape(-1, len(odd))
        prior[np.ix_(odd, odd)] += rows.T @ rows

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


def _add(matrix: Floats, gradient: Floats, rows: np.ndarray, off: Floats, trust: Floats, sd: float) -> None:
    """Tone rows (n, P) with residuals `off` (n,) into the normal equations, robustly."""
    root = (np.sqrt(trust) / (1.0 + (off / (TONE_SCALE * sd)) ** 2) / sd).astype(np.float32)
    rows = rows * root[:, None]
    matrix += rows.T @ rows
    gradient += rows.T @ (off * root).astype(np.float32)


@lru_cache(maxsize=3)
def _shaded(t: FaceTemplate) -> Floats:
    """(N,) 1 where tone is skin's own: away from lids, and from the edges of lips, nostrils and the template."""
    lids = sum(t.regions[f"{part}_{side}"] for part in ("upper_lid", "lower_lid") for side in ("left", "right"))
    far = KDTree(t.vertices[t.rim]).query(t.vertices)[0] > TONE_RIM
    return locked(far & (lids < 0.5))


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
