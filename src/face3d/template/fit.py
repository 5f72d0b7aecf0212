"""The template laid on a scan: pose, shape, each side's movement, and what remains, from one regularised estimate.

The unknown face is the template plus identity (symmetric), natural asymmetry, the movement units of the left and of
the right side, and a smooth remainder, itself split into a part that both sides share and one that differs between
them (a Gaussian process in the smoothest functions on the template, as in Luethi 2018). All have Gaussian priors and
are found together by Gauss-Newton steps on point-to-plane distances with robust weights. From the same person's rest
scan on, that face is where it starts, and movement alone is unknown. What makes the correspondence anatomical:
- landmarks alone begin, so that no lower lip lands on the upper one, and distances are believed by and by; from a rest
  scan on, landmarks count to the end by what their ways from there are uncertain by, and the units need not explain
  all: the shared remainder is held by a prior that is sparse in space, so free where units fail;
- where the scan has colours, places of the same tone are laid on each other (side on side, and on the rest scan of the
  same person), and places of the same relief on the rest scan's;
- the person's own relief (brow ridge, lids, lips, folds) is learnt while fitting as a shift along the normal that both
  sides share: it belongs to the skin, so the skin of both sides must carry it along;
- the prior on what differs between the sides is sparse in space (re-weighted, as Candes 2008): no asymmetry without
  evidence, and little shrinkage where there is evidence.
Mirroring the scan mirrors the fit: nothing in it knows left from right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import RigidTransform

from face3d.errors import RegistrationError
from face3d.geometry.elements import Surfels
from face3d.geometry.mesh import vertex_normals
from face3d.scan import FaceScan, Floats
from face3d.template.basis import basis_of
from face3d.template.marks import Marks
from face3d.template.solver import SCALES, SkinTone, Solver
from face3d.template.template import FaceTemplate
from face3d.threads import one_blas_thread
from face3d.values import Value, locked

#: With a rest scan of the same person, how freely the face may move otherwise than by the units, as precision of the
#: shared and of the differing remainder; the sparse priors hold these where units do.
REMAINDER_PRECISION = (0.25, 0.41)
#: Steps of averaging over neighbours that what remains to the scan goes through before it is added to the shape.
FINISH = 3
#: A half face in cells of the surfels' size has some thousands.
LEAST_SURFELS = 300


@dataclass(frozen=True, eq=False, repr=False)
class TemplateFit(Value):
    """The template in correspondence with a scan.

    `vertices_mm` (N, 3) in the canonical head frame; `to_head` scan coordinates -> that frame; `valid` (N,) bool: the
    scan supports the vertex; `residual_mm` (N,) signed distance outside the scan, NaN where not valid;
    `left`, `right` (U,) intensities of the template's units with standard errors `left_se`, `right_se`, relative to
    the rest scan where one was given (`relative`), else to the average face; `identity` (K,) in SD, 0 where relative;
    `sd_mm` (N,) what the movement of each vertex from rest, without a rest scan its difference from the mirrored other
    side, is uncertain by, all three directions together; `skin` what shows of it where it slides.
    """

    template: FaceTemplate
    vertices_mm: Floats
    to_head: RigidTransform
    valid: np.ndarray
    residual_mm: Floats
    left: Floats
    right: Floats
    left_se: Floats
    right_se: Floats
    identity: Floats
    relative: bool
    sd_mm: Floats
    skin: SkinTone | None = None

    def __post_init__(self) -> None:
        for name in ("vertices_mm", "residual_mm", "left", "right", "left_se", "right_se", "identity", "sd_mm"):
            object.__setattr__(self, name, locked(getattr(self, name)))
        object.__setattr__(self, "valid", locked(self.valid, bool))

    @property
    def both(self) -> np.ndarray:
        """(N,) bool: the scan supports the vertex and its opposite."""
        return self.valid & self.valid[self.template.opposite]

    def in_frame(self, to_head: RigidTransform) -> TemplateFit:
        """The same fit in another head frame; `to_head` takes scan coordinates there."""
        same = {f.name: getattr(self, f.name) for f in fields(self)}
        step = to_head * self.to_head.inv()
        return TemplateFit(**{**same, "vertices_mm": step.apply(self.vertices_mm), "to_head": to_head})


def fit_template(
    scan: FaceScan | Surfels,
    landmarks: Mapping[str, ArrayLike],
    confidence: Mapping[str, float] | None = None,
    dense: ArrayLike | None = None,
    rest: TemplateFit | None = None,
    movement: str = "a",
) -> TemplateFit:
    """Lay the template on `scan`, or on its surface elements where they were made before.

    `landmarks` name -> (3,) and `dense` (478, 3; NaN where unknown) in scan coordinates, mm; `confidence` name -> 0..1.
    `rest`: the fit of the same person's rest scan; shape is then taken from it and movement is relative to it.
    `movement`: whose movement units, see `FaceTemplate.load`. Deterministic. Raises `RegistrationError` when there are
    too few landmarks to start from.
    """
    template = rest.template if rest is not None else FaceTemplate.load(movement)
    basis = basis_of(template, moving=rest is not None)
    marks = Marks.of(template, landmarks, confidence, dense, scan.name, rest is not None)
    base, prior = template.vertices, basis.prior
    if rest is not None:
        base, prior = rest.vertices_mm, prior.copy()
        for start, end, precision in zip(basis.ends[3:], basis.ends[4:], REMAINDER_PRECISION, strict=False):
            part = np.arange(start, end)
            prior[part, part] = precision
    surfels = scan if isinstance(scan, Surfels) else Surfels.of(scan)
    if len(surfels.points) < LEAST_SURFELS:
        raise RegistrationError(
            f"{scan.name}: {len(surfels.points)} surface elements with a normal, {LEAST_SURFELS} are needed to lay a "
            "face on them; the scan is too small or broken, or its unit is wrong"
        )
    solver = Solver(template, basis, surfels, marks, base, prior, None if rest is None else rest.skin)
    with one_blas_thread():
        solver.run()
    shape = solver.shape
    normals = vertex_normals(shape, template.faces)
    _, _, weight, distance, _ = solver.pairs(shape, normals, SCALES[2])
    total, share = -weight * distance * ~template.rim, weight * ~template.rim
    for _ in range(FINISH):
        total, share = template.mean @ total, template.mean @ share
    shape = shape + (total / (share + 0.1))[:, None] * normals
    _, _, weight, distance, near = solver.pairs(shape, vertex_normals(shape, template.faces), SCALES[2])
    valid = weight > 0.1
    identity, _, left, right, _, _ = basis.split(solver.estimate)
    se = solver.unit_sd
    return TemplateFit(
        template,
        shape,
        solver.pose,
        valid,
        np.where(valid, distance, np.nan),
        left,
        right,
        se[: len(left)],
        se[len(left) :],
        identity if rest is None else np.zeros(len(template.identity)),
        rest is not None,
        solver.sd,
        solver.skin_at(shape, weight, near),
    )
