"""Are two scans of one person? What lies close over bone hardly changes with expression, palsy or years.

Within an exam each expression is laid on its scan from the rest scan of the same person on. Another person's lies apart
from it where nothing moves: forehead, temples, root of the nose. Between
visits, of which only numbers are kept, seven distances between points over bone are compared; surgery on nerves and
muscles does not change them, growth and surgery on bone do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face3d.errors import RegistrationError
from face3d.geometry.mesh import vertex_normals
from face3d.geometry.rigid import align
from face3d.landmarks import SIDES
from face3d.scan import Floats
from face3d.template.anatomy import Anatomy
from face3d.template.stable import region_weights

if TYPE_CHECKING:
    from face3d.template.fit import TemplateFit

#: Where skin lies on bone.
FIRM = ("forehead", "temple", "nose_root")
#: Less of the firm parts (share of their area in both scans) says nothing, and of a region no centre is known from less
#: than the second number.
LEAST_SHARE, LEAST_OF_REGION = 0.15, 0.9
#: mm: a template that lies this far off the scan says nothing about the person.
MOST_RESIDUAL = 0.5
#: mm that firm parts of two scans of one person in an exam usually lie apart (median), and from so many times that on
#: they are two people's: 72 expressions of 12 people on four kinds of head lay at most 0.31 mm apart, 34 of 36 pairs of
#: two people at least 0.58.
USUAL_MM, OTHERS = 0.15, 3.0

#: name -> points between which it is measured, of both sides and averaged where a point has sides, or across the face;
#: and what it differs by, mm SD, between two visits of one person.
DISTANCES: Mapping[str, tuple[str, str, float]] = {
    "temple to temple": ("temple", "temple", 0.80),
    "frontotemporale to frontotemporale": ("ft", "ft", 1.15),
    "nasion to inner eye corner": ("n", "en", 0.70),
    "nasion to subnasale": ("n", "sn", 0.75),
    "nose tip to inner eye corner": ("prn", "en", 0.85),
    "nose tip to subnasale": ("prn", "sn", 0.60),
    "temple to subnasale": ("temple", "sn", 1.20),
}
#: Root mean square of differences, in units of the usual one, from which on two visits may be, and must be taken to be,
#: two people's; and how many distances it takes to say so.
DOUBTFUL, REFUSED, LEAST_DISTANCES = 2.0, 3.0, 5


#: How the note of a scan begins that is not the person's.
LEFT_OUT = "LEFT OUT"


class AnotherPersonError(RegistrationError):
    """A scan that is not of the person of the rest scan."""


@dataclass(frozen=True)
class Likeness:
    """How two scans of an exam fit each other: `apart_mm`, the median distance of their surfaces on the firm parts."""

    apart_mm: float

    @property
    def unlike(self) -> float:
        """How many times as unlike as two scans of one person usually are."""
        return self.apart_mm / USUAL_MM


def likeness(rest: TemplateFit, fit: TemplateFit) -> Likeness | None:
    """How like the person of `rest` the face of `fit` is, which was laid on its scan from `rest` on; None where too
    little of the firm parts was seen, or the template does not lie on the scan."""
    t = rest.template
    whole = region_weights(t, FIRM) * t.area * ~t.rim
    weight = whole * rest.valid * fit.valid
    if weight.sum() < LEAST_SHARE * whole.sum() or np.nanmedian(np.abs(fit.residual_mm)) > MOST_RESIDUAL:
        return None
    # Another size is another question, with its own answer (`landmarking.size`).
    shape = fit.vertices_mm * (_spread(rest.vertices_mm, weight) / _spread(fit.vertices_mm, weight))
    laid, _ = align(shape, rest.vertices_mm, weight / weight.max())
    along = vertex_normals(rest.vertices_mm, t.faces)
    apart = np.abs(np.einsum("ni,ni->n", laid.apply(shape) - rest.vertices_mm, along))
    return Likeness(_weighted_median(apart, weight))


def _spread(points: Floats, weight: Floats) -> float:
    """mm, root mean square from the weighted centre."""
    share = weight / weight.sum()
    return float(np.sqrt(share @ ((points - share @ points) ** 2).sum(axis=1)))


def _weighted_median(values: Floats, weight: Floats) -> float:
    order = np.argsort(values)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][np.searchsorted(share, 0.5)])


def same_person(rest: TemplateFit, fit: TemplateFit, name: str) -> None:
    """Raises `AnotherPersonError` where the face of `fit`, of the scan called `name`, is clearly not that of `rest`."""
    found = likeness(rest, fit)
    if found is not None and found.unlike >= OTHERS:
        raise AnotherPersonError(
            f"{name}: not the person of the rest scan: {found.unlike:.1f} times as unlike as two scans of one person "
            f"(limit {OTHERS:g}; forehead, temples and root of the nose {found.apart_mm:.1f} mm apart); put this "
            "person's own scan there"
        )


def signature(vertices: Floats, anatomy: Anatomy) -> dict[str, float]:
    """Name -> distance (mm, to half a millimetre) between points over bone of a face at rest (N, 3), as in `DISTANCES`;
    NaN where a point was not seen."""
    points = dict(anatomy.landmark_points(vertices))
    for side in SIDES:
        points[f"temple_{side}"] = _centre(vertices, anatomy.regions.get(f"temple_{side}"))
    return {name: np.round(2 * _distance(points, a, b)) / 2 for name, (a, b, _) in DISTANCES.items()}


def _centre(vertices: Floats, weight: Floats | None) -> Floats:
    seen = np.isfinite(vertices).all(axis=1)
    if weight is None or weight[seen].sum() < LEAST_OF_REGION * weight.sum():
        return np.full(3, np.nan)
    return weight[seen] @ vertices[seen] / weight[seen].sum()


def _distance(points: Mapping[str, Floats], a: str, b: str) -> float:
    """Across the face where both are the same point, else the mean over the sides that the points have."""
    if a == b:
        pairs = [(f"{a}_left", f"{a}_right")]
    else:
        pairs = [(a if a in points else f"{a}_{s}", b if b in points else f"{b}_{s}") for s in SIDES]
    return float(np.mean([np.linalg.norm(points[p] - points[q]) for p, q in pairs]))


def unlike(first: Mapping[str, float], other: Mapping[str, float]) -> tuple[float, str]:
    """How unlike two signatures are (root mean square, in units of what one person's usually differ by) and where the
    most; NaN where fewer than `LEAST_DISTANCES` are known of both."""
    apart = {
        name: abs(first[name] - other[name]) / usual
        for name, (_, _, usual) in DISTANCES.items()
        if math.isfinite(first.get(name, math.nan) - other.get(name, math.nan))
    }
    if len(apart) < LEAST_DISTANCES:
        return math.nan, f"{len(apart)} distances over bone are known of both, {LEAST_DISTANCES} are needed"
    most = sorted(apart, key=lambda name: -apart[name])[:3]
    where = ", ".join(f"{name} {first[name]:g} and {other[name]:g} mm" for name in most)
    return math.sqrt(sum(v * v for v in apart.values()) / len(apart)), where
