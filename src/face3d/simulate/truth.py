"""What is true of a simulated patient: function, grades by the published rules, plane, asymmetry at every vertex.

The rules are those that measurements go through (`measuring.exam_measures`, `reference.scales`), applied to the exact
movement of the exact surface in the exact head frame. What a clinician would have written down is `rated`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.spatial.transform import RigidTransform

from face3d.landmarking.pose import head_frame, refined_frame
from face3d.landmarks import SIDES
from face3d.measuring.exam_measures import Measures, measure_movements
from face3d.measuring.protocol import FULL
from face3d.measuring.scale_estimates import Estimates, estimate_scales, rules
from face3d.measuring.sides import paired
from face3d.reference.scales import REGIONS, Sunnybrook
from face3d.scan import Floats
from face3d.simulate.expressions import recipes_for
from face3d.simulate.head import HeadModel, reflected
from face3d.simulate.patients import Patient, expression_intensities
from face3d.template.movement import Movement
from face3d.values import Value


@dataclass(frozen=True, eq=False, repr=False)
class Truth(Value):
    """All that is known of one simulated exam.

    `measures` every measure without error; `scales` the scales by rule; `region_function` brow, eye, midface, mouth,
    lower_lip -> share of the healthy side's movement, 0..1 (1 for healthy people, NaN where both sides are ill);
    `branches` what the nerve does;
    `intensities` expression -> (left (U,), right (U,)) unit intensities; `severity` 0..1, House's lost share.
    The true symmetry plane is x = 0 of the canonical head frame: `plane_normal`, `plane_point`.
    """

    side: str
    state: str
    branches: Mapping[str, float]
    region_function: Mapping[str, float]
    measures: Measures
    scales: Estimates
    intensities: Mapping[str, tuple[Floats, Floats]]
    plane_normal: tuple[float, float, float] = (1.0, 0.0, 0.0)
    plane_point: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def house_brackmann(self) -> int:
        """House-Brackmann by movement, 1..6; the descriptive grade is `scales.descriptive`. ValueError for a palsy of
        both sides: there is no healthy one to compare with."""
        if self.scales.house_brackmann is None:  # nothing else is unmeasured here
            raise ValueError("both sides are affected: there is no healthy side, and no grade by it")
        return self.scales.house_brackmann

    @property
    def severity(self) -> float:
        """Lost share of the movement of brow and commissure, 0..1: the mean of both."""
        return 1.0 - (self.region_function["brow"] + self.region_function["mouth"]) / 2


def true_movement(patient: Patient, expression: str, rest: Floats | None = None) -> Movement:
    """The movement from rest to an expression in the canonical head frame, where the head does not move."""
    rest = patient.vertices("rest") if rest is None else rest
    moved = patient.vertices(expression) - rest
    return Movement(expression, moved, ("canonical head frame",), 0.0, RigidTransform.identity())


def true_measures(
    model: HeadModel, rest: Floats, expressions: Mapping[str, Floats], side: str, subject: str = ""
) -> Measures:
    """Every measure of an exact face: `rest` and `expressions` (V, 3) mm in the model's coordinates, head at rest.

    Directions are those of the canonical head frame as landmarks define it, here the true ones: the model's own axes
    are pitched against it by 6 degrees. The symmetry plane is x = 0 in both.
    """
    marks = model.landmark_points(rest)
    frame = refined_frame(head_frame(marks), marks, (1.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    there = frame.apply(rest)
    movements = {
        name: Movement(name, frame.apply(v) - there, ("canonical head frame",), 0.0, RigidTransform.identity())
        for name, v in expressions.items()
    }
    return measure_movements(there, movements, model, side, subject, "true", sure=True)


#: Share of `droopFold` from which on a fold is altered, and effaced; below 0 it is deepened, altered too. Ours: the
#: Sunnybrook form says "less pronounced", "absent", "more pronounced".
FOLD_ALTERED, FOLD_ABSENT = 0.25, 0.75


def fold_item(patient: Patient, intensities: tuple[Floats, Floats]) -> int:
    """Sunnybrook's nasolabial item 0..2 by what flattens or deepens the fold at rest. The heads' own folds are too
    shallow to be measured, so it is taken from what was done to them."""
    if patient.side not in SIDES:
        return 0
    effaced = float(intensities[SIDES.index(patient.side)][patient.model.units.index("droopFold")])
    return 2 if effaced >= FOLD_ABSENT else int(abs(effaced) >= FOLD_ALTERED)


def truth_of(patient: Patient, cuts: Mapping[str, Mapping[str, Any]] | None = None) -> Truth:
    """The truth about a patient's examination with every expression of the protocol. `cuts`: rules of the scales, by
    default today's (`measuring.scale_estimates.rules`)."""
    names = [name for name in recipes_for(patient.model) if name != "rest"]
    faces = {name: patient.vertices(name) for name in names}
    found = true_measures(patient.model, patient.vertices("rest"), faces, patient.side)
    healthy = patient.side not in SIDES
    # Of what is true of somebody, as of what graders say, function is 0..1; what is measured is not cut off.
    function = {r: 1.0 if healthy else float(np.clip(found.region_function[r], 0, 1)) for r in REGIONS}
    at_rest = expression_intensities(patient, "rest")
    return Truth(
        side=patient.side,
        state=patient.state,
        branches=patient.branches,
        region_function=MappingProxyType(function),
        measures=found,
        scales=estimate_scales(found, cuts or rules(exact=True), fold_item(patient, at_rest)),
        intensities=MappingProxyType({"rest": at_rest, **{n: expression_intensities(patient, n) for n in names}}),
    )


def movement_function(patient: Patient, regions: Iterable[str]) -> dict[str, float]:
    """Function 0..1 of some of brow, midface, mouth, lower_lip, as in `truth_of`, from their own expressions only."""
    rest = patient.vertices("rest")
    moved: dict[str, Movement] = {}
    out = {}
    for region in regions:
        shares = []
        for name in FULL[region]:
            moved[name] = moved.get(name) or true_movement(patient, name, rest)
            pair = paired(patient.model, moved[name].displacement, region)
            shares.append(pair.share(patient.side).value if pair is not None and patient.side in SIDES else 1.0)
        out[region] = float(np.clip(np.mean(shares), 0, 1))
    return out


def asymmetry_vectors(model: HeadModel, vertices: Floats) -> Floats:
    """(V, 3) mm: from each vertex's mirrored opposite to the vertex, in the canonical frame; nothing is aligned.

    At a vertex and at its opposite the vectors are each other's mirror image with the sign changed.
    """
    return vertices - reflected(vertices, model.opposite)


@dataclass(frozen=True)
class Raters:
    """How unlike raters are. Sunnybrook: `item_off`, `rest_off` the chance of an item's being one step off either way;
    `lean` SD by which a rater sees all voluntary movement better or worse, in steps of an item. House-Brackmann:
    `grade_sd` of a step, in grades."""

    item_off: float
    rest_off: float
    lean: float
    grade_sd: float


#: Two raters agree as published: Sunnybrook's composite with an ICC of 0.89 to 0.93 (10.1002/lary.20868; 0.85 among 31
#: raters, Cabrol 2021), House-Brackmann on 44 to 50 % of grades (Coulson 2005, Kanerva 2006), plain kappa 0.40 to 0.54.
RATERS = Raters(0.16, 0.12, 0.35, 0.48)


@dataclass(frozen=True)
class Rating:
    """What one human rater wrote down."""

    house_brackmann: int
    sunnybrook: Sunnybrook


def rated(truth: Truth, rng: np.random.Generator, raters: Raters = RATERS) -> Rating:
    """A rater's grades of a patient whose truth is known: the truth with a human's unreliability."""
    level = truth.house_brackmann if truth.side in SIDES else 1
    # Where in its grade the patient lies: near a border raters differ more.
    within = np.clip(1 + 5 * truth.severity - level, -0.5, 0.5) if truth.side in SIDES else 0.0
    # A healthy face is doubted half as much.
    sd = raters.grade_sd * (0.5 if level == 1 and raters.lean else 1.0)
    grade = int(np.clip(np.rint(level + 0.8 * within + sd * rng.normal()), 1, 6))
    own = truth.scales.sunnybrook
    assert own is not None
    item, rest = raters.item_off, raters.rest_off
    lean = raters.lean * float(rng.normal()) if raters.lean and truth.side in SIDES else 0.0
    return Rating(
        grade,
        replace(
            own,
            eye=_off(rng, own.eye, 0, 1, rest),
            mouth=_off(rng, own.mouth, 0, 1, rest),
            nasolabial=_off(rng, own.nasolabial or 0, 0, 2, rest),
            voluntary=tuple(_off(rng, v, 1, 5, item, lean) for v in own.voluntary),
            synkinesis=tuple(_off(rng, s, 0, 3, item) for s in own.synkinesis),
        ),
    )


def _off(rng: np.random.Generator, value: int, low: int, high: int, chance: float, lean: float = 0.0) -> int:
    step = int(rng.choice([-1, 0, 1], p=[chance, 1 - 2 * chance, chance]))
    # A lean of half a step moves half of the items.
    leaning = int(np.floor(lean + rng.random())) if lean else 0
    return int(np.clip(value + step + leaning, low, high))
