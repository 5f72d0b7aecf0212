"""What a facial palsy does to a person, drawn: which branches, how far they have recovered and how wrongly regrown.

Frequencies with a source are "Frequency and location of synkineses in patients with peripheral facial nerve paresis"
(103 patients, abstract read: mouth corner in brow lift 89 %, in closure 85 %, eye in pucker 82 %, brow in any 17 %) and
"Paradoxical frontalis activation" (10.1097/prs.0000000000004057: 27 % of moderate and severe). The others are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import ndtr

from face3d.simulate.expressions import BRANCHES
from face3d.simulate.patients import Lids, Patient, Synkinesis

#: Mean of brow and mouth function of each House-Brackmann grade II..VI: House's bands, borders included.
LEVELS = {2: (0.75, 0.97), 3: (0.50, 0.75), 4: (0.25, 0.50), 5: (0.03, 0.25), 6: (0.0, 0.03)}
#: Lesions: pattern -> the branches that it takes. "central" (above the nucleus) spares the brow, whose nucleus both
#: hemispheres drive, and all but spares the eye; a branch alone is lost to a knife or a lymph node.
PATTERNS: Mapping[str, tuple[str, ...]] = {
    "whole": BRANCHES,
    "central": ("zygomatic", "buccal", "marginal", "cervical"),
    "temporal": ("temporal",),
    "marginal": ("marginal", "cervical"),
}
#: grade -> how often a pattern is seen in it (ours); others cannot be of that grade by brow and mouth.
SEEN: Mapping[int, Mapping[str, float]] = {
    2: {"central": 0.07, "temporal": 0.05, "marginal": 0.08},
    3: {"central": 0.08, "temporal": 0.05},
}
#: Branches scatter about the whole nerve by this much, in SD of the probit of function: branches of a mixed clinic then
#: correlate by 0.5 (tools/palsies.py measures it). In VI there is next to nothing that could scatter.
BRANCH_SD, BRANCH_SD_COMPLETE = 1.1, 0.3
#: The zygomatic branch, with most nerves to spare, keeps nearer to the whole.
OWN: Mapping[str, float] = {"zygomatic": 0.35}
#: After regrowth eye and cheek come back best, brow and lower lip worst: shift of the probit of function (ours).
REGROWS: Mapping[str, float] = {"temporal": -0.4, "zygomatic": 0.1, "buccal": 0.1, "marginal": -0.3, "cervical": -0.2}
#: A central palsy leaves the eye nearly whole: shift of the probit.
CENTRAL_EYE = 1.2
#: Half of all grades VI have no movement at all left.
COMPLETE = 0.5


def draw_pattern(rng: np.random.Generator, grade: int) -> str:
    """A lesion's pattern that a grade can have."""
    chance, u = 0.0, float(rng.random())
    for pattern, share in SEEN.get(grade, {}).items():
        chance += share
        if u < chance:
            return pattern
    return "whole"


class Nerve:
    """A nerve's branches as a function of its whole state: `scatter` branch -> the probit by which it differs."""

    def __init__(self, rng: np.random.Generator, grade: int, state: str, pattern: str) -> None:
        sd = BRANCH_SD_COMPLETE if grade == 6 else BRANCH_SD
        regrown = REGROWS if state == "recovered" else {}
        self.scatter = {b: sd * OWN.get(b, 1.0) * float(rng.normal()) + regrown.get(b, 0.0) for b in BRANCHES}
        if pattern == "central":
            self.scatter["zygomatic"] += CENTRAL_EYE
        self.taken = PATTERNS[pattern]

    def branches(self, whole: float) -> dict[str, float]:
        """Branch -> share of function, 0..1, at the probit `whole` of the nerve's state."""
        return {b: float(ndtr(whole + self.scatter[b])) if b in self.taken else 1.0 for b in BRANCHES}


def draw_palsy(rng: np.random.Generator, level: float, state: str, years: float) -> dict[str, Any]:
    """What goes with a palsy that leaves the share `level`: fields of a `Patient`, all but side and branches."""
    lost = 1 - level
    # Tone is lost with movement; lax old skin hangs more.
    age = float(np.interp(years, [10, 30, 80], [0.5, 0.75, 1.15]))
    drawn: dict[str, Any] = {
        "droop": float(np.clip(age * rng.uniform(0.75, 1.15) * lost**0.7, 0, 1.3)),
        "overaction": float(np.clip(rng.normal(0.08, 0.06), 0, 0.25) * lost),
        "lids": draw_lids(rng, years),
    }
    if state == "recovered":
        # Synkinesis is worst where regrowth was partial: III and IV.
        worst = 4 * level * (1 - level)
        drawn["synkinesis"] = draw_synkinesis(rng, worst)
        # Half of those who regrew wrongly are drawn up at rest, four in ten move the healthy side too much.
        drawn["contracture"] = float(rng.random() < 0.5) * float(np.clip(worst * rng.uniform(0.2, 1.0), 0, 1))
        drawn["overaction"] += float(rng.random() < 0.4) * float(rng.uniform(0.05, 0.25))
        drawn["droop"] *= 0.35
    return drawn


def draw_synkinesis(rng: np.random.Generator, worst: float) -> Synkinesis:
    """What joins in; `worst` 0..1 how wrongly the nerve has regrown. One in ten moves all of the side at once."""
    mass = bool(rng.random() < 0.1)
    overall = float(rng.choice([0.6, 1.0]))

    def drawn(share: float, least: float = 0.45, most: float = overall) -> float:
        there, strength = bool(rng.random() < share) or mass, float(rng.uniform(least, 1.0)) * most
        return float(np.clip(worst * (max(strength, 0.7) if mass else strength), 0, 1)) if there else 0.0

    return Synkinesis(
        oral=drawn(0.92),
        ocular=drawn(0.92),
        mentalis=drawn(0.6),
        platysmal=drawn(0.5),
        # Counted are brows that are seen to join in, and those of who moves all at once: so these are rarer, not faint.
        frontal=drawn(0.1, 0.8, 1.0),
        paradoxical=drawn(0.2, 0.8, 1.2),
        antagonist=drawn(0.5),
        raised=float(rng.uniform(0.8, 1.0)),
    )


def draw_lids(rng: np.random.Generator, years: float) -> Lids:
    """The affected lids of a person: from none to all of the usual passive fall; with effort they meet from three
    quarters of function on; an eye that turns up holds the lid in most people; old lower lids hang."""
    return Lids(
        fall=float(rng.uniform(0.0, 1.0)),
        gentle=float(rng.uniform(1.0, 1.1)),
        tight=float(rng.uniform(1.15, 1.35)),
        steep=float(rng.uniform(1.4, 1.6)),
        temporal=float(rng.uniform(0.1, 0.3)),
        bell=float(rng.random() < 0.85) * float(rng.uniform(0.1, 0.5)),
        laxity=float(np.interp(years, [20, 50, 80], [0.65, 0.95, 1.6]) * rng.uniform(0.85, 1.15)),
    )


def at_level(patient: Patient, nerve: Nerve, level: float, band: tuple[float, float]) -> Patient:
    """The patient with the state of the nerve at which the mean of brow and mouth function, on the face itself, is
    `level`: within 0.002 and `band`, where the pattern can reach it. What joins in unasked, what the healthy side does
    too much, and what is moved without the nerve, is made weaker until it leaves that much."""
    from face3d.simulate.truth import movement_function

    def made(whole: float) -> tuple[Patient, float]:
        candidate = patient.replace(branches=nerve.branches(whole))
        function = movement_function(candidate, ("brow", "mouth"))
        return candidate, (function["brow"] + function["mouth"]) / 2 - level

    low, high = -5.0, 5.0
    below, above = -level, 1.0 - level
    found = made(-np.inf if level == 0.0 else 0.0)
    for _ in range(14 if level else 0):
        at = low + (high - low) * float(np.clip(-below / max(above - below, 1e-9), 0.1, 0.9))
        found = made(at)
        if abs(found[1]) < 0.002 and band[0] < level + found[1] < band[1]:
            break
        if found[1] < 0:
            low, below = at, found[1]
        else:
            high, above = at, found[1]
    if level + found[1] > band[1]:
        # A jaw that opens moves the still mouth too: such people open it less.
        opened = max((max(map(abs, both)) for own in patient.manner.values() for both in own.values()), default=0.0)
        if opened > 0.005:
            less = {e: {u: (0.6 * a, 0.6 * b) for u, (a, b) in own.items()} for e, own in patient.manner.items()}
            return at_level(patient.replace(manner=less), nerve, level, band)
    joined = {name: 0.6 * value for name, value in vars(patient.synkinesis).items() if name != "raised"}
    uneven = [*joined.values(), patient.overaction, *map(abs, patient.habit.values())]
    if found[1] < -0.002 and max(uneven) > 0.02:
        gentler = patient.replace(
            synkinesis=replace(patient.synkinesis, **joined),
            contracture=0.6 * patient.contracture,
            overaction=0.6 * patient.overaction,
            habit={part: 0.8 * lean for part, lean in patient.habit.items()},
        )
        return at_level(gentler, nerve, level, band)
    return found[0]
