"""The one symmetry plane that a face is measured about, from two kinds of evidence, and how far they lie apart.

Closest points of the surface and its mirror image find the plane sharply where most of a face agrees with itself: to
some hundredths of a degree in an otherwise symmetric palsied face. Where no half of it agrees (natural asymmetry, hair,
one side cropped away) they settle on what happens to lie close, up to a degree off. Corresponding places of both sides
do not depend on what lies close, but a fitted template slides along the skin, most on the forehead. Their errors are
of one size there and differ in kind: halfway between them is about as near to the truth as the better of the two, and
which that is nobody knows beforehand. Where one side is cropped away, the surface has little to lie on; the fitted
face goes on there as the seen half and people's shapes have it, and its two sides decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d.geometry.mesh import vertex_normals
from face3d.geometry.superimpose import FLOOR as SHARP
from face3d.geometry.superimpose import Superimposition, SymmetryPlane
from face3d.scan import Floats
from face3d.template.asymmetry import LEAST_BOTH
from face3d.template.fit import TemplateFit
from face3d.values import Value

#: Beyond this (degrees, mm) from the plane that is used, what either kind of evidence says alone is said loudly.
DOUBT_DEG, DOUBT_MM = 1.0, 1.0
#: Corresponding places count up to half where the surface agrees with its mirror image less sharply than noise allows,
#: half from DULL mm on above that; and alone, those that the scan does not show included, where no more than LEAST of
#: the surface has a counterpart, not MOST. (10 naturally asymmetric faces cropped 15 to 30 mm past the midline: both
#: halves at most 0.5 degrees and 0.6 mm off, halfway to the surface 1.1 and 1.2.)
HALF, DULL, LEAST, MOST = 0.5, 0.35, 0.6, 0.9
#: A difference counts by as much as the surface some 10 mm around could show it (`AROUND` steps of averaging over
#: neighbours), since along smooth skin the fit slides; but by at least this much, for landmarks and relief carry along.
AROUND, LEAST_SEEN = 8, 0.015
#: mm. The weights' scale (1.5 times the median) does not fall below this: what a fit of a symmetric face leaves.
FLOOR = 0.1


@dataclass(frozen=True, eq=False)
class Midplane(Value):
    """`plane` the symmetry plane of a face; `surface` that of its surface alone, `corresponding` that of corresponding
    places alone, None where the template could not be laid on it; all in scan coordinates, mm. `share` 0..1 how much
    the latter counted in `plane`, and `why`. `surface_off`, `corresponding_off`: how far they lie from `plane`, in
    degrees and, at most along the midline that the scan shows, mm; NaN where there is none."""

    plane: SymmetryPlane
    surface: SymmetryPlane
    corresponding: SymmetryPlane | None = None
    share: float = 0.0
    why: str = "there is no template fit to go by"
    surface_off: tuple[float, float] = (0.0, 0.0)
    corresponding_off: tuple[float, float] = (np.nan, np.nan)

    @property
    def doubt(self) -> str:
        """What a reader must know where the two kinds of evidence do not agree on the plane; empty where they do."""
        (turned, beside), (own_turned, own_beside) = self.surface_off, self.corresponding_off
        if not (max(turned, own_turned) > DOUBT_DEG or max(beside, own_beside) > DOUBT_MM):
            return ""
        return (
            "THE SYMMETRY PLANE IS IN DOUBT, and with it every distance: the surface alone puts it "
            f"{turned:.1f} degrees and {beside:.1f} mm off the one that is used, corresponding places of both sides "
            f"alone {own_turned:.1f} degrees and {own_beside:.1f} mm; these counted {self.share:.0%}, since {self.why}"
        )


def midplane(laid: Superimposition, fit: TemplateFit | None) -> Midplane:
    """The plane from the superimposed surface and, unless it is None, a fit of the same scan that may be believed."""
    if fit is None or fit.both.mean() < LEAST_BOTH:
        return Midplane(laid.plane, laid.plane)
    back = fit.to_head.inv()
    midline = back.apply(fit.vertices_mm[_midline(fit)])
    share, unseen, why = _share(laid)
    surface, own = laid.plane, corresponding_plane(fit, unseen).moved(back)
    normal = (1.0 - share) * surface.normal + share * own.normal
    normal = normal / np.linalg.norm(normal)
    middle = midline.mean(axis=0)
    height = (1.0 - share) * surface.height(middle) + share * own.height(middle)
    plane = SymmetryPlane(normal, middle - height * normal)
    surface_off, own_off = (
        (p.angle_to(plane), float(np.abs(p.height(midline) - plane.height(midline)).max())) for p in (surface, own)
    )
    return Midplane(plane, surface, own, share, why, surface_off, own_off)


def _midline(fit: TemplateFit) -> np.ndarray:
    """(N,) bool: the midline of the face where the scan shows it, all of it where it shows none."""
    every = fit.template.opposite == np.arange(len(fit.valid))
    shown = every & fit.valid
    return shown if shown.any() else every


def _share(laid: Superimposition) -> tuple[float, float, str]:
    """How much corresponding places count beside a surface that lies so on its mirror image, how much those among them
    that the scan does not show, and why."""
    dull, narrow = (laid.scale_mm - SHARP) / DULL, (MOST - laid.overlap) / (MOST - LEAST)
    if max(dull, narrow) <= 0:
        return 0.0, 0.0, "the surface agrees with its mirror image as sharply as noise allows"
    unseen = min(max(narrow, 0.0), 1.0)
    why = (
        f"only {laid.overlap:.0%} of the surface has a counterpart on the other side"
        if narrow > HALF * dull
        else f"the best half of the surface agrees with its mirror image to {laid.rms_mm:.2f} mm only"
    )
    return max(HALF * min(max(dull, 0.0), 1.0), unseen), unseen, why


def corresponding_plane(fit: TemplateFit, unseen: float = 0.0) -> SymmetryPlane:
    """The plane in which each place of a fitted face best mirrors the same place of the other side, in the fit's head
    frame, which must be its own within some degrees. Robust (Geman-McClure weights), and alike for either side. Places
    that the scan does not show on both sides count by `unseen`, 0..1."""
    t = fit.template
    here, there = fit.vertices_mm, fit.vertices_mm[t.opposite]
    both, seen = np.where(fit.both, 1.0, unseen), _seen(fit)
    normal, point = np.array([1.0, 0.0, 0.0]), here[both > 0].mean(axis=0) * (0.0, 1.0, 1.0)
    for _ in range(50):
        height = (there - point) @ normal
        apart = there - 2.0 * height[:, None] * normal - here
        pull = (seen @ apart[:, :, None])[:, :, 0]
        distance = np.sqrt(np.einsum("ni,ni->n", apart, pull))
        scale = max(FLOOR, 1.5 * float(np.median(distance[both > 0])))
        weight = both * t.area / (1.0 + (distance / scale) ** 2) ** 2
        axes = np.linalg.svd(normal[None])[2][1:]
        slope = np.empty((len(here), 3, 3))  # of `apart` by turning the normal towards either axis, and by shifting
        slope[..., :2] = -2.0 * (normal[:, None] * ((there - point) @ axes.T)[:, None] + height[:, None, None] * axes.T)
        slope[..., 2] = 2.0 * normal
        weighted = (weight[:, None, None] * slope).reshape(-1, 3)
        matrix = weighted.T @ (seen @ slope).reshape(-1, 3)
        step = -np.linalg.solve(matrix, weighted.T @ pull.reshape(-1))
        normal, point = normal + step[:2] @ axes, point + step[2] * normal
        normal = normal / np.linalg.norm(normal)
        if np.abs(step * (60.0, 60.0, 1.0)).max() < 1e-4:  # mm, at the face's edge
            break
    return SymmetryPlane(normal, point)


def _seen(fit: TemplateFit) -> Floats:
    """(N, 3, 3): share of a small displacement that the surface around each vertex shows; alike on both sides."""
    t = fit.template
    normals = vertex_normals(fit.vertices_mm, t.faces)
    normals = normals + t.reflected(normals)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    seen = (normals[:, :, None] * normals[:, None]).reshape(-1, 9)
    for _ in range(AROUND):
        seen = t.mean @ seen
    return seen.reshape(-1, 3, 3) + LEAST_SEEN * np.eye(3)
