"""Simulated people: who they are, what their facial nerve still does, and how they look in each expression.

A patient is a value: the same patient gives the same face. What the nerve does is given branch by branch; rest and the
expressions of the protocol follow from it. Sizes without a source are ours, chosen so that healthy people reach
published excursions (tools/amplitudes.py) and the grades look as clinicians describe them (tools/palsies.py,
tools/gallery.py). The defaults of what a patient may differ in are those of the first people (`first_people`).
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
from face3d.values import Value, locked

State = Literal["healthy", "onset", "recovered", "reanimated", "botulinum"]


@dataclass(frozen=True)
class Synkinesis:
    """Strength 0..1 of what joins in unasked on the affected side after aberrant regrowth: `ocular` the eye closes with
    the mouth, `oral` the mouth moves with the eye, `mentalis` the chin, `platysmal` the neck and mouth corner,
    `frontal` the brow rises with the mouth, `paradoxical` with the eye's closure, `antagonist` the mouth's depressors
    work against its elevators. `raised`: how strongly, 0..1, a raised brow sets off what a mouth or an eye does."""

    ocular: float = 0.0
    oral: float = 0.0
    mentalis: float = 0.0
    platysmal: float = 0.0
    frontal: float = 0.0
    paradoxical: float = 0.0
    antagonist: float = 0.0
    raised: float = 0.4


@dataclass(frozen=True)
class Lids:
    """How the affected lids close: passive fall x `fall` + slope x function ^ `steep`, at most 1 (`PASSIVE`; slopes
    `gentle`, `tight`). `temporal` the share of the orbicularis that the temporal branch drives; `bell` 0..1 how far the
    eye that turns up in the attempt (Bell's phenomenon) keeps the upper lid from falling; `laxity` of the lower lid, by
    which a fissure widens that has lost its tone."""

    fall: float = 1.0
    gentle: float = 1.15
    tight: float = 1.5
    steep: float = 1.0
    temporal: float = 0.0
    bell: float = 0.0
    laxity: float = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class Patient(Value):
    """One person at one visit. `model` has the palsy's units (`with_palsy_units`).

    `identity` (K,), `asymmetry` (M,) coefficients; `side` "left", "right", "both" or "none" (healthy); `branches`
    branch -> share of function left on that side, 0..1 (of both: on the left, `branches_right` on the right);
    `pattern` of the lesion (`palsies.PATTERNS`); `droop` and `contracture` of the resting face, 0..1; `overaction` of
    the healthy side, share; `style` unit -> factor, the person's own way of moving; `manner` expression -> unit ->
    (left, right) intensity that this person adds to it; `habit` region -> log of left over right, as healthy people
    have it; `effort` expression -> factor; `closing` (left, right) intensity at which the lids meet; `graft` 0..1 what
    a transplanted muscle lifts; `relaxed` 0..1 effect of botulinum toxin; `ancestry` name -> share, empty: unknown.
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
    lids: Lids = Lids()
    pattern: str = "whole"
    branches_right: Mapping[str, float] = field(default_factory=dict)
    style: Mapping[str, float] = field(default_factory=dict)
    manner: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    habit: Mapping[str, float] = field(default_factory=dict)
    effort: Mapping[str, float] = field(default_factory=dict)
    closing: tuple[float, float] = (1.0, 1.0)
    graft: float = 0.0
    relaxed: float = 0.0
    years: float = 40.0
    male: float = 0.5
    ancestry: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.side not in (*SIDES, "both", "none"):
            raise ValueError(f"side {self.side!r}; expected left, right, both or none")
        for name in ("identity", "asymmetry"):
            object.__setattr__(self, name, locked(getattr(self, name)))
        for name, ill in (("branches", self.side != "none"), ("branches_right", self.side == "both")):
            given = getattr(self, name)
            full: dict[str, float] = {b: float(given.get(b, 1.0)) if ill else 1.0 for b in BRANCHES}
            for branch, value in full.items():
                if not 0 <= value <= 1:
                    raise ValueError(f"branch {branch} = {value}; expected a share of function, 0 to 1")
            object.__setattr__(self, name, MappingProxyType(full))
        for name in ("style", "habit", "effort", "ancestry", "manner"):
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

    def nerve(self, side: str) -> Mapping[str, float]:
        """What the nerve of an affected side does: branch -> share of function."""
        return self.branches_right if self.side == "both" and side == "right" else self.branches

    def function(self, unit: str, side: str | None = None) -> float:
        """Share of its movement that the affected side's `unit` has left; 1 for units of no facial muscle."""
        driving, nerve = DRIVEN_BY.get(unit, ()), self.nerve(side or self.side)
        if unit in CLOSING:
            t = self.lids.temporal
            return (1.0 - t) * nerve["zygomatic"] + t * nerve["temporal"]
        return float(np.mean([nerve[b] for b in driving])) if driving else 1.0

    def mirrored(self) -> Patient:
        """The person's mirror image: sides swap in all that has one."""
        other = other_side(self.side) if self.side in SIDES else self.side
        both = {"branches": self.branches_right, "branches_right": self.branches} if self.side == "both" else {}
        return self.replace(
            **both,
            asymmetry=-self.asymmetry,
            side=other,
            manner={e: {u: (r, le) for u, (le, r) in own.items()} for e, own in self.manner.items()},
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
#: Lids close a little without the nerve: the levator lets go, the lid falls (passive closure): share of closure, by
#: which `Lids` begin.
PASSIVE: Mapping[str, float] = {"gentle_eye_closure": 0.18, "tight_eye_closure": 0.22}
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
    ill = [side for side in SIDES if patient.side in (side, "both")]
    effort = patient.effort.get(expression, 1.0)
    manner = patient.manner.get(expression, {})
    for unit in (*recipes[expression], *(u for u in manner if u in number and u not in recipes[expression])):
        strength, own = recipes[expression].get(unit, 0.0), manner.get(unit, (0.0, 0.0))
        asked = strength * patient.style.get(unit, 1.0) * (1.0 if unit in CLOSING else effort)
        driven = DRIVEN_BY.get(unit, ())
        lean = patient.habit.get(HABIT_REGION[driven[0]], 0.0) if driven and unit not in CLOSING else 0.0
        for k, side in enumerate(SIDES):
            value = asked * float(np.exp((0.5 - k) * lean)) + own[k]
            if unit in CLOSING:
                value *= patient.closing[k]
            if side in ill:
                value *= _left_over(patient, unit, expression, side)
            elif ill and driven and unit not in CLOSING:
                value *= (1.0 + patient.overaction) * (1.0 - patient.relaxed * _toxin(driven))
            sides[side][number[unit]] = value
    for side in ill:
        weak, strong, k = sides[side], sides[other_side(side)], SIDES.index(side)
        _add_synkinesis(patient, weak, expression, number, k)
        _add_rest(patient, weak, number, k)
        if len(ill) == 2:
            continue  # neither side draws the mouth over
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


def _left_over(patient: Patient, unit: str, expression: str, side: str) -> float:
    f, lids = patient.function(unit, side), patient.lids
    if unit in CLOSING:
        slope = {"gentle_eye_closure": lids.gentle, "tight_eye_closure": lids.tight}.get(expression, 1.0)
        passive = PASSIVE.get(expression, 0.0) * lids.fall * (1.0 - lids.bell * (1.0 - f))
        return min(1.0, passive + slope * f**lids.steep)
    return f


def _add_synkinesis(patient: Patient, weak: Floats, expression: str, number: dict[str, int], k: int) -> None:
    s = patient.synkinesis
    eye, mouth, brow = (ACTIVE[part].get(expression, 0.0) for part in ("eye", "mouth", "brow"))
    tamed = 1.0 - 0.7 * patient.relaxed
    joined = {
        "ocular": s.ocular * max(mouth, s.raised * brow),
        "oral": s.oral * max(eye, s.raised * brow),
        "mentalis": s.mentalis * max(mouth, 0.6 * eye),
        "platysmal": s.platysmal * max(mouth, 0.5 * eye),
        "frontal": max(s.frontal * mouth, s.paradoxical * eye),
        "antagonist": s.antagonist * mouth,
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
    b, d, c = patient.nerve(SIDES[k]), patient.droop, patient.contracture * (1.0 - 0.4 * patient.relaxed)
    mouth = 1.0 - (b["buccal"] + b["marginal"]) / 2
    rest = {
        "droopBrow": d * (1 - b["temporal"]) - 0.15 * c,
        "wideFissure": d * (1 - b["zygomatic"]) * patient.lids.laxity,
        "droopFold": d * (1 - b["buccal"]) - 0.7 * c,
        "droopCommissure": d * mouth - 0.35 * c,
        "pullMouth": 0.6 * d * mouth - 0.25 * c,
        "pullNose": 0.8 * d * (1 - b["buccal"]),
        "platysmaBand": 0.25 * c,
    }
    lifted = patient.graft * 0.5
    rest["droopCommissure"] -= min(lifted, max(rest["droopCommissure"], 0.0))
    rest["pullMouth"] *= 1.0 - lifted
    if patient.side == "both":
        rest["pullMouth"] = rest["pullNose"] = 0.0
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
    from face3d.simulate.lifelike import lifelike

    model = lifelike(model)
    coefficients = np.zeros(len(model.identity))
    if identity is not None:
        coefficients[: len(np.asarray(identity))] = identity
    odd = np.zeros(len(model.asymmetry))
    return Patient(model, coefficients, odd, closing=closing_intensities(model, coefficients, odd))
