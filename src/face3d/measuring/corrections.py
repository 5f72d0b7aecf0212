"""Movement with its lost share put back: landmarks have their say, then learned gains.

Where skin slides under a smooth surface, a scan holds little evidence of it, and a template fit answers with its
prior: less movement, and above all less difference between the sides, than there was. How much is lost on average,
region by region, was learned on simulated training subjects (`tools/learn_corrections.py`; `data/movement_gains.json`)
and is put back here. The factors are those of the least mean error, movements of every author counting alike; what
cannot be known stays out.

Lids have two witnesses: where the fitted template has their edges, and where the detector saw them. A lid's edge is a
thin roll of skin beside a ball, and a template now and then settles on the wrong one of its slopes: 3 mm off at rest,
and on an open eye where it is closed. A detector is off by less, but never quite right. Where both agree they are
averaged; where they are further apart than either's usual error, the detector is believed. Of an eye that was asked to
close it is whoever sees it closed more: both err by taking another fold for the upper lid's edge, which is always the
higher one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np

from face3d.geometry.mesh import vertex_normals
from face3d.landmarks import SIDES, code_of
from face3d.measuring.protocol import FUNCTIONAL
from face3d.measuring.readings import fissure
from face3d.scan import Floats
from face3d.template.anatomy import Anatomy
from face3d.template.movement import Movement


@dataclass(frozen=True)
class Gain:
    """Of one functional region: factors of the part that both sides share and of the part by which they differ."""

    shared: float
    differing: float


#: mm: how far around a landmark skin follows it; the corner of the mouth and what is attached to it.
FOLLOWS_MM = 10.0
#: A landmark that the detector saw this far (mm) from where the fit moved it was taken for something else.
MISTAKEN_MM = 12.0


Points = Mapping[str, Floats]

#: Expressions that ask the eyes to close.
CLOSING = ("gentle_eye_closure", "tight_eye_closure")
#: mm between the two openings of an eye from which on the fit is taken to have settled on a wrong edge: four times the
#: usual difference of the two.
APART_MM = 2.5


@dataclass(frozen=True)
class Lids:
    """`share` of the detector where both agree, 0..1; `edge_mm`: how much wider than it is an eye looks to both,
    because scanning and fitting round off the lids' edges."""

    share: float
    edge_mm: float


@cache
def _learned() -> dict[str, dict]:
    file = files("face3d").joinpath("data/movement_gains.json")
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def gains() -> Mapping[str, Gain]:
    """Functional region -> gain, as learned; empty where none were."""
    return {region: Gain(**values) for region, values in _learned().get("gains", {}).items()}


def anchors() -> Mapping[str, float]:
    """Landmark (without its side) -> weight of its detected movement against the fitted one, 0..1, as learned."""
    return _learned().get("anchors", {})


def tips() -> Mapping[str, float]:
    """Landmark (without its side) -> factor of its own movement, 1 or more, after its region's gain, as learned: a
    smooth fit rounds off the place that moves the most."""
    return _learned().get("tips", {})


def tip_points(
    moved: Movement, at_rest: Mapping[str, Floats], anatomy: Anatomy, by: Mapping[str, float] | None = None
) -> dict[str, Floats]:
    """name -> (3,): where the landmarks that have a factor are in the expression, in the frame of `at_rest`."""
    factors = tips() if by is None else by
    shift = anatomy.landmark_points(moved.displacement)
    codes = {name: code_of(name) for name in shift}
    return {n: at_rest[n] + factors[code] * shift[n] for n, code in codes.items() if code in factors}


def lids() -> Lids | None:
    """How the two witnesses of the lids are weighed, as learned; None where it was not."""
    return Lids(**_learned()["lids"]) if "lids" in _learned() else None


def anchored(
    moved: Movement,
    rest: Floats,
    anatomy: Anatomy,
    marks_at_rest: Mapping[str, Floats],
    marks: Mapping[str, Floats],
    by: Mapping[str, float] | None = None,
) -> Movement:
    """The movement with skin around some landmarks slid toward where these were detected.

    `marks_at_rest`, `marks` name -> (3,) mm as detected at rest and in the expression, in the frames that `rest` (N,
    3) and the expression's own vertices came in. Only how a landmark moved counts, not where a detector puts it. Skin
    slides along the surface; it is not lifted.
    """
    weights = anchors() if by is None else by
    fitted = anatomy.landmark_points(moved.displacement)
    home = anatomy.landmark_points(anatomy.vertices)
    shift = np.zeros_like(moved.displacement)
    normal = np.nan_to_num(vertex_normals(rest + moved.displacement, anatomy.faces))
    for name, point in marks.items():
        weight = weights.get(code_of(name), 0.0)
        if not weight or name not in marks_at_rest or name not in fitted or not np.isfinite(fitted[name]).all():
            continue
        apart = weight * (moved.to_rest.apply(point) - marks_at_rest[name] - fitted[name])
        if np.linalg.norm(apart) > weight * MISTAKEN_MM:
            continue
        near = np.exp(-0.5 * ((anatomy.vertices - home[name]) ** 2).sum(axis=1) / FOLLOWS_MM**2)
        # One broad normal: those of single vertices turn about in the corner's crease.
        up = near @ normal
        up = up / max(float(np.linalg.norm(up)), 1e-12)
        shift += near[:, None] * (apart - (apart @ up) * up)
    return replace(moved, displacement=moved.displacement + shift)


def restored(moved: Movement, anatomy: Anatomy, by: Mapping[str, Gain] | None = None) -> Movement:
    """The movement with each region's gains applied, fading into its surroundings as the regions do.

    Vertices whose counterpart was not seen stay as they are. A movement and its mirror image give mirror images.
    """
    factors = gains() if by is None else by
    d = moved.displacement
    mirror = d[anatomy.opposite] * (-1.0, 1.0, 1.0)
    shared, differing = np.ones(len(d)), np.ones(len(d))
    for region, gain in factors.items():
        weight = _weight(anatomy, region)
        shared += weight * (gain.shared - 1.0)
        differing += weight * (gain.differing - 1.0)
    out = shared[:, None] * (d + mirror) / 2 + differing[:, None] * (d - mirror) / 2
    return replace(moved, displacement=np.where(np.isfinite(mirror), out, d))


def _weight(anatomy: Anatomy, region: str) -> Floats:
    total = np.zeros(len(anatomy.vertices))
    for name in FUNCTIONAL[region]:
        for side in SIDES:
            total += anatomy.regions.get(f"{name}_{side}", 0.0)
    return np.clip((total + total[anatomy.opposite]) / 2, 0.0, 1.0)


def lid_points(
    fitted: Points, detected: Points, opening: Points, lids: Lids, closing: bool = False
) -> dict[str, Floats]:
    """name -> (3,): the upper and lower lids' middles (ps, pi) as far as both witnesses know them.

    `fitted`, `detected`: landmarks in one frame; `opening`: landmarks at rest, whose ps - pi says which way the eye
    opens; `closing`: the eye was asked to close. Sides that the detector did not see, or the fit has not, are absent.
    """
    out: dict[str, Floats] = {}
    for side in SIDES:
        above, below = f"ps_{side}", f"pi_{side}"
        known = all(n in points for n in (above, below) for points in (fitted, detected, opening))
        if not known or not all(np.isfinite(p[n]).all() for p in (fitted, detected) for n in (above, below)):
            continue
        way = opening[above] - opening[below]
        way = way / max(float(np.linalg.norm(way)), 1e-9)
        gaps = [max(float((p[above] - p[below]) @ way), 0.0) for p in (fitted, detected)]
        share = lids.share
        if abs(gaps[0] - gaps[1]) > APART_MM:
            share = 0.0 if closing and gaps[0] < gaps[1] else 1.0
        out[above], out[below] = (fitted[n] + share * (detected[n] - fitted[n]) for n in (above, below))
        # Gaps are averaged, not only points: lids that overlap in one witness's eyes are closed, not less than that.
        wanted = (1 - share) * gaps[0] + share * gaps[1] - lids.edge_mm
        out[above] = out[above] + (wanted - float((out[above] - out[below]) @ way)) * way
    return out


def lids_mistaken(known: Mapping[str, Points], opening: Points) -> dict[str, str]:
    """Side -> why its lids in tight closure are not believed: they are further open than when it closed gently, by more
    than witnesses usually differ, which effort does to nobody. Another fold was taken for a lid's edge then, on faces
    without colours above all. `known` expression -> landmarks, `opening` those at rest."""
    gentle, tight = (known.get(e, {}) for e in CLOSING)
    out = {}
    for side in SIDES:
        if all(f"{lid}_{side}" in points for lid in ("ps", "pi") for points in (gentle, tight, opening)):
            gaps = [fissure(points, opening, side) for points in (gentle, tight)]
            if gaps[1] - gaps[0] > APART_MM:
                out[side] = (
                    f"tight_eye_closure, {side} eye: reads {gaps[1]:.1f} mm open, but {gaps[0]:.1f} mm when closed "
                    "gently; another fold was taken for a lid's edge, so it is not measured"
                )
    return out
