"""Asymmetry through anatomical correspondence: a place on the face against the same place on the other side.

The template laid on a face knows each vertex's counterpart. What is left between it and its relabelled mirror image
(Claes 2011) in the face's symmetry plane is the asymmetry: vectors, so that movement along the surface counts, which
the surface distance does not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import RegistrationError
from face3d.geometry.mesh import lengths, scan_normals, vertex_normals
from face3d.geometry.rays import RayScene
from face3d.scan import FaceScan, Floats
from face3d.template.fit import TemplateFit
from face3d.values import Value

#: Share of the template that must be supported on both sides: below it there is nothing to compare.
LEAST_BOTH = 0.1
#: mm: an input vertex further from the fitted template, or further beyond the edge of an eye's or the mouth's slit, is
#: not on it. Beyond the outer rim (hairline, temples, jaw) skin takes on the rim's asymmetry this far.
OFF_SURFACE, BEYOND_SLIT, BEYOND_RIM = 4.0, 1.5, 15.0
_CHUNK = 200_000  # vertices at once

#: mm: what is more uncertain than this is not known.
UNKNOWN = 3.0

#: Why an input vertex has no asymmetry; the index is the code.
REASONS = (
    "measured",
    "outside the template: neck, ear, hair, eyeball, mouth cavity",
    "the scan does not support the fit here or on the other side, or does not show how far skin slid",
    "the fit was rejected",
    "removed by cleaning",
)
MEASURED, OUTSIDE, UNSUPPORTED, REJECTED, CLEANED = range(5)


@dataclass(frozen=True, eq=False, repr=False)
class AsymmetryMap(Value):
    """Asymmetry at the N vertices of the template, in the canonical head frame, mm.

    `vectors_mm` (N, 3): from the mirrored opposite place to this one: lateral (to the left), vertical, depth; NaN where
    either place is not supported by the scan. At a vertex and its opposite the magnitude is the same. `normal_mm` (N,)
    the part along the surface's normal (signed), `tangential_mm` (N,) the size of the rest.
    """

    fit: TemplateFit
    vectors_mm: Floats
    normal_mm: Floats
    tangential_mm: Floats

    @property
    def magnitude_mm(self) -> Floats:
        """(N,) length of the vectors."""
        return np.linalg.norm(self.vectors_mm, axis=1)


def asymmetry_map(fit: TemplateFit) -> AsymmetryMap:
    """The asymmetry of a fitted face about x = 0 of the fit's head frame: put it in the frame of the face's symmetry
    plane (`template.midplane`) first.

    Raises `RegistrationError` when less than a tenth of the face has both sides.
    """
    t = fit.template
    both = fit.both
    if both.mean() < LEAST_BOTH:
        raise RegistrationError(
            f"only {both.mean():.0%} of the template is supported by the scan on both sides, {LEAST_BOTH:.0%} are "
            "needed: there is nothing to compare"
        )
    vectors = fit.vertices_mm - t.reflected(fit.vertices_mm)
    vectors[~both | (fit.sd_mm > UNKNOWN)] = np.nan
    normals = vertex_normals(fit.vertices_mm, t.faces)
    along = np.einsum("ni,ni->n", vectors, normals)
    across = np.linalg.norm(vectors - along[:, None] * normals, axis=1)
    return AsymmetryMap(fit, vectors, along, across)


def carried(
    fit: TemplateFit, scan: FaceScan, values: ArrayLike, normals: Floats | None = None
) -> tuple[Floats, np.ndarray]:
    """Values (N, ...) at the template's vertices as values (V, ...) at the scan's, and the codes (V,) of `REASONS`.

    Each scan vertex takes the value at the closest point of the fitted template; NaN where it is not on it. `normals`
    (V, 3): the scan's own, where they are known.
    """
    t = fit.template
    inner = np.asarray(values, np.float64)
    known = np.asarray(np.isfinite(inner.reshape(len(inner), -1)).all(axis=1))
    filled = np.where(known.reshape(-1, *[1] * (inner.ndim - 1)), inner, 0.0)
    # About the head frame's own origin.
    scene, own = RayScene(fit.vertices_mm, t.faces, middle=np.zeros(3)), vertex_normals(fit.vertices_mm, t.faces)
    normals = scan_normals(scan) if normals is None else normals
    turn = fit.to_head.rotation.as_matrix()
    out = np.empty((len(scan.vertices), *inner.shape[1:]))
    code = np.empty(len(out), np.uint8)
    for part in (slice(k, k + _CHUNK) for k in range(0, len(out), _CHUNK)):
        points = scan.vertices[part] @ turn.T + fit.to_head.translation
        at, face, share = scene.closest(points)
        corners = t.faces[face]
        facing = np.einsum("vk,vki->vi", share, own[corners])
        facing /= np.maximum(lengths(facing), 1e-12)[:, None]
        apart = points - at
        height = np.einsum("vi,vi->v", apart, facing)
        beside = lengths(apart - height[:, None] * facing)
        turned = np.einsum("vi,vi->v", normals[part] @ turn.T, facing)
        at_rim = (t.rim[corners] * share).sum(axis=1) > 0.98
        beyond = np.where(t.outer_rim[corners].all(axis=1), BEYOND_RIM, BEYOND_SLIT)
        # Skin that bends away beyond the rim may lie as far off its tangent plane as beside it.
        off = np.maximum(OFF_SURFACE, at_rim * np.minimum(beside, beyond))
        outside = (np.abs(height) > off) | (at_rim & (beside > beyond)) | (turned < 0)
        share = share * known[corners]
        total = share.sum(axis=1)
        code[part] = np.where(outside, OUTSIDE, np.where(total < 0.5, UNSUPPORTED, MEASURED))
        share /= np.maximum(total, 1e-12)[:, None]
        out[part] = np.einsum("vk,vk...->v...", share, filled[corners])
    out[code != MEASURED] = np.nan
    return out, code


@dataclass(frozen=True, eq=False, repr=False)
class Components(Value):
    """Asymmetry of a sample of S people at the template's N vertices (Ekrami 2018; Palmer and Strobeck 1986).

    `directional_mm` (N, 3): the sample's mean vector, what all have in common; `fluctuating_mm` (N,): RMS of what is
    left of each person; `total_mm` (N,) RMS of all; `p` (N,): how often a mean vector as long arises when each
    person's vectors are mirrored or not at random.
    """

    directional_mm: Floats
    fluctuating_mm: Floats
    total_mm: Floats
    p: Floats
    people: int


def components(maps: Sequence[AsymmetryMap], rng: np.random.Generator, permutations: int = 499) -> Components:
    """Directional and fluctuating asymmetry over a sample; NaN where fewer than three people are measured."""
    sample = np.array([m.vectors_mm for m in maps])
    known = np.asarray(np.isfinite(sample).all(axis=2))
    count = known.sum(axis=0)
    filled = np.where(known[:, :, None], sample, 0.0)
    few = count < 3
    mean = filled.sum(axis=0) / np.maximum(count, 1)[:, None]
    rest = np.where(known[:, :, None], sample - mean, 0.0)
    fluctuating = np.sqrt((rest**2).sum(axis=(0, 2)) / np.maximum(count - 1, 1))
    total = np.sqrt((filled**2).sum(axis=(0, 2)) / np.maximum(count, 1))
    length = np.linalg.norm(mean, axis=1)
    more = np.ones(len(length))
    for _ in range(permutations):
        sign = rng.choice([-1.0, 1.0], size=len(sample))
        turned = np.tensordot(sign, filled, axes=1) / np.maximum(count, 1)[:, None]
        more += np.linalg.norm(turned, axis=1) >= length - 1e-12
    p = more / (permutations + 1)
    for array in (mean, fluctuating, total, p):
        array[few] = np.nan
    return Components(mean, fluctuating, total, p, len(maps))
