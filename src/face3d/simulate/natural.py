"""How unlike the two sides of healthy faces are: over the whole face, and at each pair of landmarks that is published.

A healthy face's asymmetry is drawn so that both hold: left-right differences at landmarks have the published spread and
stay within the published extremes, and what the landmarks leave open is scaled to the whole face's published RMS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from face3d.landmarks import code_of
from face3d.scan import Floats
from face3d.simulate.head import HeadModel, reflected

#: Whole-face mirrored surface RMS of healthy people, mm: mean, SD. Adults: Taylor 2014 (10.1597/13-353), n = 350.
#: Children of 4 to 12: Cappella, n = 135, thirds 0.30 to 0.51.
NATURAL_ADULT, NATURAL_CHILD = (0.625, 0.16), (0.41, 0.10)
#: The mirrored closest-point distance as a share of the asymmetry's normal part below; measured with
#: `face3d.analyze` on 30 drawn heads (SD 0.09).
SURFACE_SHARE = 0.98

Points = Mapping[str, Floats]


@dataclass(frozen=True)
class Difference:
    """A left-right difference of healthy people: `of` reads it, mm, off landmarks (linearly: off displacements too);
    drawn with `sd` mm and never beyond `most`. `published` in words, with its source."""

    of: Callable[[Points], float]
    sd: float
    most: float
    published: str


def _up(name: str) -> Callable[[Points], float]:
    return lambda p: float(p[f"{name}_left"][1] - p[f"{name}_right"][1])


def _out(name: str) -> Callable[[Points], float]:
    return lambda p: float(p[f"{name}_left"][0] + p[f"{name}_right"][0])


def _over_eye(name: str) -> Callable[[Points], float]:
    return lambda p: _up(name)(p) - (_up("en")(p) + _up("ex")(p)) / 2


#: Left minus right. An SD is that of a half-normal whose mean (or share beyond a limit) is the published one, or less
#: where the published people were patients, which bounds healthy ones from above.
DIFFERENCES: Mapping[str, Difference] = MappingProxyType(
    {
        "fissure height": Difference(
            lambda p: _up("ps")(p) - _up("pi")(p),
            0.53,
            2.1,
            "5.7 % 1 mm or more, largest 2.1 mm: Lam 1995, Am J Ophthalmol 120:518, n = 88",
        ),
        "upper lid height": Difference(
            _over_eye("ps"),
            0.5,
            1.8,
            "mean |d| 0.55 mm (0.45 to 0.65), before blepharoplasty: 10.1186/s40463-014-0036-4",
        ),
        "inner canthus height": Difference(
            _up("en"), 1.3, 3.5, "mean |d| 1.14 ± 1.07 mm: Lee 2020 (10.5125/jkaoms.2020.46.6.379), n = 76"
        ),
        "outer canthus height": Difference(
            _up("ex"), 1.3, 4.0, "mean |d| 2.03 ± 1.64 mm, of surgical patients: Lee 2020, n = 76; see the mouth's line"
        ),
        "brow height": Difference(
            _over_eye("sci"),
            1.5,
            4.5,
            "mean |d| 1.77 mm (1.47 to 2.07), before blepharoplasty: 10.1186/s40463-014-0036-4",
        ),
        "ala height": Difference(
            _up("al"),
            0.9,
            2.8,
            "24 % dislocated, by 1.0 to 1.5 mm: morphometry of the soft nose, n = 156 healthy adults",
        ),
        "mouth corner height": Difference(
            _up("ch"),
            0.92,
            2.8,
            "with the outer canthi: lines 0.2 ± 1.4 and 0.3 ± 1.3° apart (PMID 17954309, n = 1282)",
        ),
        "mouth corner distance": Difference(
            _out("ch"),
            1.15,
            3.2,
            "with its height: |d| 2.2 ± 1.7° (Klimach 2020, 10.1080/2000656X.2020.1838915, n = 104)",
        ),
    }
)


def natural_surface_rms(model: HeadModel, asymmetry: ArrayLike) -> float:
    """Whole-face mirrored surface RMS, mm, that an asymmetry makes, from its part along the surface's normals."""
    odd = np.tensordot(np.asarray(asymmetry, np.float64), model.asymmetry[: len(np.asarray(asymmetry))], axes=1)
    apart = odd - reflected(odd, model.opposite)
    a, b, c = (model.vertices[model.faces[:, k]] for k in range(3))
    cross = np.cross(b - a, c - a)
    normal, area = np.zeros_like(model.vertices), np.zeros(len(model.vertices))
    for k in range(3):
        np.add.at(normal, model.faces[:, k], cross)
        np.add.at(area, model.faces[:, k], np.linalg.norm(cross, axis=1))
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    for name, weight in model.regions.items():
        if code_of(name) in ("neck", "ear", "scalp", "mouth_inside", "eyeball"):
            area = area * (1 - weight)
    along = (apart * normal).sum(axis=1)
    return SURFACE_SHARE * float(np.sqrt(area @ along**2 / area.sum()))


def draw_asymmetry(
    rng: np.random.Generator, model: HeadModel, years: float, natural_rms: float | None = None
) -> Floats:
    """Coefficients (M,) of a healthy person's natural asymmetry. Its surface RMS is drawn by age, or `natural_rms` mm,
    to which all of it is scaled down where landmarks alone would exceed it."""
    mean, sd = NATURAL_ADULT if years >= 16 else NATURAL_CHILD
    wanted = max(0.25, float(rng.normal(mean, sd))) if natural_rms is None else natural_rms
    free = rng.normal(size=len(model.asymmetry))
    at = _landmark_differences(model)
    if at is None:
        per_unit = natural_surface_rms(model, free)
        return free * (wanted / per_unit if per_unit > 0 else 0.0)
    drawn = np.array([_bounded(rng, d.sd, d.most) for d in DIFFERENCES.values()]) * mean / NATURAL_ADULT[0]
    back = np.linalg.pinv(at)
    held, free = back @ drawn, free - back @ (at @ free)
    least = natural_surface_rms(model, held)
    if least >= wanted:
        return held * (wanted / least)
    # |held + x free| = wanted, the RMS being a norm that comes from a product.
    open_, both = natural_surface_rms(model, free), natural_surface_rms(model, held + free)
    along = (both**2 - least**2 - open_**2) / 2
    x = (-along + np.sqrt(along**2 + open_**2 * (wanted**2 - least**2))) / open_**2
    return held + x * free


@lru_cache(maxsize=4)  # the embedded sets
def _landmark_differences(model: HeadModel) -> Floats | None:
    """(len(DIFFERENCES), M) mm per unit of each asymmetry; None for a model that lacks landmarks, or asymmetries to
    have each difference by itself (a laboratory's own)."""
    if len(model.asymmetry) < 3 * len(DIFFERENCES):
        return None
    moved = [model.landmark_points(odd) for odd in model.asymmetry]
    try:
        return np.array([[d.of(points) for points in moved] for d in DIFFERENCES.values()])
    except KeyError:
        return None


def _bounded(rng: np.random.Generator, sd: float, most: float) -> float:
    """N(0, sd) drawn again until it is within `most`."""
    while abs(value := float(rng.normal(0.0, sd))) > most:
        pass
    return value
