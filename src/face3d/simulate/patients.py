"""Simulated people: who they are, what their facial nerve still does, and how they look in each expression.

A patient is a value: the same patient gives the same face. What the nerve does is given branch by branch; rest and the
expressions of the protocol follow from it. Sizes without a source are ours, chosen so that healthy people reach
published excursions (tools/amplitudes.py) and the grades look as clinicians describe them (tools/gallery.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from face3d.landmarks import SIDES, other_side
from face3d.scan import Floats
from face3d.simulate.expressions import BRANCHES, CLOSING, DRIVEN_BY, SYNKINETIC, recipes_for
from face3d.simulate.head import HeadModel
from face3d.simulate.palsy_units import with_palsy_units
from face3d.values import Value, locked

State = Literal["healthy", "onset", "recovered", "reanimated", "botulinum"]


@dataclass(frozen=True)
class Synkinesis:
    """Strength 0..1 of what joins in unasked on the affected side after aberrant regrowth: `ocular` the eye closes with
    the mouth, `oral` the mouth moves with the eye, `mentalis` the chin, `platysmal` the neck and mouth corner."""

    ocular: float = 0.0
    oral: float = 0.0
    mentalis: float = 0.0
    platysmal: float = 0.0


@dataclass(frozen=True, eq=False, repr=False)
class Patient(Value):
    """One person at one visit. `model` has the palsy's units (`with_palsy_units`).

    `identity` (K,), `asymmetry` (M,) coefficients; `side` "left", "right" or "none" (healthy); `branches` branch ->
    share of function left on that side, 0..1; `droop` and `contracture` of the resting face, 0..1; `overaction` of the
    healthy side, share; `style` unit -> factor, the person's own way of moving; `habit` region -> log of left over
    right, as healthy people have it; `effort` expression -> factor; `closing` (left, right) intensity at which the lids
    meet; `graft` 0..1 what a transplanted muscle lifts; `relaxed` 0..1 effect of botulinum toxin.
    """

    model: HeadModel
    identity: Floats
    asymmetry: Floats
    side: str = "none"
    branches: Mapping[str, float] = field(default_factory=dict)
    state: State = "healthy"
    droop: float = 0.0
    contracture: float = 0.0
    synkinesis: Synkinesis = Synkinesis()
    overaction: float = 0.0
    style: Mapping[str, float] = field(default_factory=dict)
    habit: Mapping[str, float] = field(default_factory=dict)
    effort: Mapping[str, float] = field(default_factory=dict)
    closing: tuple[float, float] = (1.0, 1.0)
    graft: float = 0.0
    relaxed: float = 0.0
    years: float = 40.0
    male: float = 0.5

    def __post_init__(self) -> None:
        if self.side not in (*SIDES, "none"):
            raise ValueError(f"side {self.side!r}; expected left, right or none")
        for name in ("identity", "asymmetry"):
            object.__setattr__(self, name, locked(getattr(self, name)))
        ill = self.side != "none"
        full: dict[str, float] = {b: float(self.branches.get(b, 1.0)) if ill else 1.0 for b in BRANCHES}
        for branch, value in full.items():
            if not 0 <= value <= 1:
                raise ValueError(f"branch {branch} = {value}; expected a share of function, 0 to 1")
        object.__setattr__(self, "branches", MappingProxyType(full))
        for name in ("style", "habit", "effort"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def replace(self, **changes: Any) -> Patient:
        """The same person with the named fields changed."""
        return replace(self, **changes)

    def vertices(self, expression: str = "rest", share: float = 1.0) -> Floats:
        """The face (V, 3) in an expression of the protocol, mm, canonical head frame; `share` of the way from rest."""
        left, right = expression_intensities(self, expression)
        if share != 1.0:
            still = expression_intensities(self, "rest")
            left, right = (s + share * (a - s) for s, a in zip(still, (left, right), strict=True))
        return self.model.shape(self.identity, self.asymmetry, left, right)

    def function(self, unit: str) -> float:
        """Share of its movement that the affected side's `unit` has left; 1 for units of no facial muscle."""
        driving = DRIVEN_BY.get(unit, ())
        return float(np.mean([self.branches[b] for b in driving])) if driving else 1.0

    def mirrored(self) -> Patient:
        """The person's mirror image: sides swap in all that has one."""
        other = other_side(self.side) if self.side in SIDES else self.side
        return self.replace(
            asymmetry=-self.asymmetry,
            side=other,
            habit={k: -v for k, v in self.habit.items()},
            closing=self.closing[::-1],
        )


#: part of the face -> expressions in which it works, and how hard 0..1: what can set off synkinesis elsewhere
ACTIVE: Mapping[str, Mapping[str, float]] = {
    "eye": {"gentle_eye_closure": 0.6, "tight_eye_closure": 1.0},
    "mouth": {
        "closed_smile": 0.7,
        "open_smile": 1.0,
        "snarl": 0.6,
        "lip_pucker": 0.9,
        "lower_lip_depression": 0.6,
        "cheek_puff": 0.5,
    },
    "brow": {"brow_raise": 1.0},
}
#: Units in which the healthy side draws the mouth over when the other does not answer.
PULLING = (
    "mouthSmile",
    "mouthStretch",
    "mouthUpperUp",
    "mouthLowerDown",
    "mouthDimple",
    "mouth-corner-puller",
    "mouth-upward-retraction",
    "mouth-depression-retraction",
    "mouth-retraction",
)
#: At full one-sided activity the mouth moves this share of `pullMouth`.
PULLED = 0.42
#: Lids close a little without the nerve: the levator lets go, the lid falls (passive closure); with effort complete
#: closure is reached at half function. Share of closure = passive + slope x function, at most 1.
CLOSURE: Mapping[str, tuple[float, float]] = {"gentle_eye_closure": (0.18, 1.15), "tight_eye_closure": (0.22, 1.5)}
HABIT_REGION: Mapping[str, str] = {
    "temporal": "brow",
    "zygomatic": "eye",
    "buccal": "mouth",
    "marginal": "mouth",
    "cervical": "mouth",
}


def expression_intensities(patient: Patient, expression: str) -> tuple[Floats, Floats]:
    """Unit intensities (U,) of the left and right side, of `patient.model.units`, in an expression of the protocol."""
    model = patient.model
    recipes = recipes_for(model)
    if expression not in recipes:
        raise ValueError(f"expression {expression!r}; known are {', '.join(recipes)}")
    number = {unit: k for k, unit in enumerate(model.units)}
    sides = {side: np.zeros(len(model.units)) for side in SIDES}
    ill = patient.side if patient.side in SIDES else None
    well = other_side(ill) if ill is not None else None
    effort = patient.effort.get(expression, 1.0)
    for unit, strength in recipes[expression].items():
        asked = strength * patient.style.get(unit, 1.0) * (1.0 if unit in CLOSING else effort)
        driven = DRIVEN_BY.get(unit, ())
        lean = patient.habit.get(HABIT_REGION[driven[0]], 0.0) if driven and unit not in CLOSING else 0.0
        for k, side in enumerate(SIDES):
            value = asked * float(np.exp((0.5 - k) * lean))
            if unit in CLOSING:
                value *= patient.closing[k]
            if side == ill:
                value *= _left_over(patient, unit, expression)
            elif side == well and driven and unit not in CLOSING:
                value *= (1.0 + patient.overaction) * (1.0 - patient.relaxed * _toxin(driven))
            sides[side][number[unit]] = value
    if ill is not None and well is not None:
        weak, strong = sides[ill], sides[well]
        _add_synkinesis(patient, weak, expression, number, SIDES.index(ill))
        _add_rest(patient, weak, number, SIDES.index(ill))
        at = [number[u] for u in PULLING if u in number]
        lift = patient.graft * max(ACTIVE["mouth"].get(expression, 0.0) - 0.2, 0.0)
        weak[number["graftSmile"]] += lift
        uneven = np.clip(strong[at].sum() - weak[at].sum() - 0.5 * lift, 0.0, 1.2)
        weak[number["pullMouth"]] += PULLED * uneven
        weak[number["pullNose"]] += 0.3 * PULLED * uneven
    return sides["left"], sides["right"]


def _toxin(driven: tuple[str, ...]) -> float:
    """Botulinum toxin goes into the healthy side's mouth elevators, depressors and frontalis, not into the eyelid."""
    return 0.0 if driven == ("zygomatic",) else 1.0


def _left_over(patient: Patient, unit: str, expression: str) -> float:
    f = patient.function(unit)
    if unit in CLOSING:
        passive, slope = CLOSURE.get(expression, (0.0, 1.0))
        return min(1.0, passive + slope * f)
    return f


def _add_synkinesis(patient: Patient, weak: Floats, expression: str, number: dict[str, int], k: int) -> None:
    s = patient.synkinesis
    eye, mouth, brow = (ACTIVE[part].get(expression, 0.0) for part in ("eye", "mouth", "brow"))
    tamed = 1.0 - 0.7 * patient.relaxed
    joined = {
        "ocular": s.ocular * max(mouth, 0.4 * brow),
        "oral": s.oral * max(eye, 0.4 * brow),
        "mentalis": s.mentalis * max(mouth, 0.6 * eye),
        "platysmal": s.platysmal * max(mouth, 0.5 * eye),
    }
    for part, amount in joined.items():
        for unit, share in SYNKINETIC[part].items():
            if amount and unit in number:
                most = patient.closing[k] if unit in CLOSING else 1.0
                weak[number[unit]] = max(
                    weak[number[unit]], min(weak[number[unit]] + tamed * amount * share * most, most)
                )


def _add_rest(patient: Patient, weak: Floats, number: dict[str, int], k: int) -> None:
    """The affected side at rest: what hangs for want of tone, what is drawn up for too much of it."""
    b, d, c = patient.branches, patient.droop, patient.contracture * (1.0 - 0.4 * patient.relaxed)
    mouth = 1.0 - (b["buccal"] + b["marginal"]) / 2
    rest = {
        "droopBrow": d * (1 - b["temporal"]) - 0.15 * c,
        "wideFissure": d * (1 - b["zygomatic"]),
        "droopFold": d * (1 - b["buccal"]) - 0.7 * c,
        "droopCommissure": d * mouth - 0.35 * c,
        "pullMouth": 0.6 * d * mouth - 0.25 * c,
        "pullNose": 0.8 * d * (1 - b["buccal"]),
        "platysmaBand": 0.25 * c,
    }
    lifted = patient.graft * 0.5
    rest["droopCommissure"] -= min(lifted, max(rest["droopCommissure"], 0.0))
    rest["pullMouth"] *= 1.0 - lifted
    for unit, value in rest.items():
        weak[number[unit]] += value
    for unit in CLOSING:
        if unit in number:
            weak[number[unit]] = max(weak[number[unit]], 0.16 * c * patient.closing[k])
    for unit, value in (("cheekSquint", 0.25), ("eyeSquint", 0.2)):
        if unit in number:
            weak[number[unit]] = max(weak[number[unit]], value * c)


def closing_intensities(model: HeadModel, identity: ArrayLike, asymmetry: ArrayLike) -> tuple[float, float]:
    """The intensity of left and right closure at which this head's lids meet all along; 1 for models without eyes."""
    from face3d.simulate.lids import CLOSED_GAP, openings

    unit = next((u for u in CLOSING if u in model.units), None)
    if model.eyes is None or unit is None:
        return 1.0, 1.0
    k = model.units.index(unit)
    rest = model.shape(identity, asymmetry)
    found = []
    for side, move in enumerate((model.left[k], model.right[k])):
        edges = model.eyes.edges[side]
        at, to = rest[edges.ravel()], move[edges.ravel()]
        local = np.arange(edges.size).reshape(edges.shape)
        steps = np.linspace(0.4, 2.5, 43)
        # Next to the corners the source's lids touch early or never, and nothing is seen there.
        gaps = [float(openings(at + s * to, local)[3:-3].max()) for s in steps]
        closed = [s for s, gap in zip(steps, gaps, strict=True) if gap <= CLOSED_GAP + 0.15]
        found.append(float(closed[0]) if closed else float(steps[int(np.argmin(gaps))]))
    return found[0], found[1]


def with_palsy(patient: Patient, side: str, branches: Mapping[str, float] | float, **changes: Any) -> Patient:
    """The same person with a palsy of `side`: function left by branch, or one share for all; other fields by name."""
    each = dict.fromkeys(BRANCHES, branches) if isinstance(branches, (int, float)) else dict(branches)
    return patient.replace(side=side, branches=each, **({"state": "onset", "droop": 0.8} | changes))


def healthy(model: HeadModel, identity: ArrayLike | None = None) -> Patient:
    """Somebody without any asymmetry or palsy, who does what is asked exactly as the recipes say."""
    model = with_palsy_units(model)
    coefficients = np.zeros(len(model.identity))
    if identity is not None:
        coefficients[: len(np.asarray(identity))] = identity
    odd = np.zeros(len(model.asymmetry))
    return Patient(model, coefficients, odd, closing=closing_intensities(model, coefficients, odd))
