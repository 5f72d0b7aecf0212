"""Drawing people and patients at random, so that healthy ones are as asymmetric as people are, and grades come out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from face3d.exam import EXPRESSIONS
from face3d.landmarks import SIDES
from face3d.simulate.expressions import CLOSING, DRIVEN_BY
from face3d.simulate.head import HeadModel
from face3d.simulate.identity import draw_ancestry, draw_identity
from face3d.simulate.lifelike import lifelike
from face3d.simulate.natural import draw_asymmetry, natural_surface_rms
from face3d.simulate.palsies import COMPLETE, LEVELS, PATTERNS, SEEN, Nerve, at_level, draw_palsy, draw_pattern
from face3d.simulate.patients import Patient, State, closing_intensities, expression_intensities

#: Log of left over right: dynamic symmetry of healthy people is 91 +- 6 % (brow, smile): a mean |log| of 0.09.
HABIT_SD = 0.11
#: A person's amplitude by part of the face, and by unit within it. SD of the logarithm: smile excursion 9.28 +- 2.83
#: mm, brow 10.57 +- 2.51 (n = 12), less the repeat error within a session and the difference of the sexes.
PART_SD, UNIT_SD = 0.19, 0.1
#: Men's movements are larger by 15 % (Giovanoli 2003, 10.1016/S0007-1226(03)00277-7, n = 24). Of age nothing is made
#: in adults: Giovanoli found the largest movements in the oldest, Sforza 2010 (10.1016/j.ijom.2010.05.011) no effect.
MALE_FACTOR = 1.15
#: One take against another: SD of the logarithm of an expression's strength, and of left over right in it. Repeated
#: smiles differ by 1.3 to 1.5 mm at 95 % (an SD of 5 %), sides less.
EFFORT_SD, TAKE_LEAN_SD = 0.06, 0.03
#: How far the jaw opens, mm at the lower lip: median and SD of the logarithm (ours); `JAW_FULL_MM` at intensity 1.
JAW_MM, JAW_FULL_MM, JAW_MOST_MM = {"open_smile": (3.0, 0.6), "lower_lip_depression": (0.8, 0.6)}, 31.0, 14.0
#: How far it swings aside, mm at the chin, SD (ours).
SWING_MM = {"open_smile": 0.6, "lower_lip_depression": 0.8, "lip_pucker": 0.5, "cheek_puff": 0.4}


def draw_healthy(
    rng: np.random.Generator, model: HeadModel, years: float | None = None, natural_rms: float | None = None
) -> Patient:
    """Somebody without palsy. `years` of age, drawn from 18 to 85 if not given (5 and up if given); `natural_rms` mm,
    the whole-face mirrored surface distance that the person's natural asymmetry makes, drawn by age if not given."""
    model = lifelike(model)
    years = float(np.clip(18 + rng.gamma(3.0, 11.0), 18, 85)) if years is None else float(years)
    male = float(rng.random() < 0.5)
    ancestry = draw_ancestry(rng) if model.traits is not None else {}
    identity = draw_identity(rng, model, years, male, ancestry)
    # Children's faces move over shorter ways: by their size.
    size = float(np.interp(years, [5, 18], [0.8, 1.0])) * MALE_FACTOR ** (male - 0.5)
    parts = {part: float(np.exp(rng.normal(0, PART_SD))) for part in ("temporal", "zygomatic", "buccal", "marginal")}
    parts["cervical"] = parts["marginal"]
    style = {}
    for unit in model.units:
        own = float(np.exp(rng.normal(0, UNIT_SD)))
        branch = DRIVEN_BY.get(unit)
        style[unit] = 1.0 if branch is None else size * float(np.clip(parts[branch[0]] * own, 0.55, 1.6))
    style.update(dict.fromkeys(CLOSING, 1.0))
    asymmetry = draw_asymmetry(rng, model, years, natural_rms)
    person = Patient(
        model,
        identity,
        asymmetry,
        years=years,
        male=male,
        ancestry=ancestry,
        style=style,
        manner=_manner(rng),
        habit={part: float(rng.normal(0, HABIT_SD)) for part in ("brow", "eye", "mouth")},
        closing=closing_intensities(model, identity, asymmetry),
    )
    return person.replace(effort=_effort(rng))


def _effort(rng: np.random.Generator) -> dict[str, float]:
    return {name: float(np.exp(rng.normal(0, EFFORT_SD))) for name in EXPRESSIONS if name != "rest"}


def _manner(rng: np.random.Generator) -> Mapping[str, Mapping[str, tuple[float, float]]]:
    """What a person adds to the recipes: a jaw that opens and swings, lips that part over the teeth, antagonists that
    work against what is asked. Units of either set; a model takes those that it has."""
    found: dict[str, dict[str, tuple[float, float]]] = {name: {} for name in EXPRESSIONS}

    def add(name: str, share: float, *units: str) -> None:
        found[name] |= dict.fromkeys(units, (share, share))

    for name, (median, sd) in JAW_MM.items():
        opened = min(median * float(np.exp(rng.normal(0, sd))), JAW_MOST_MM)
        add(name, opened / JAW_FULL_MM, "jawOpen", "mouth-open")
    for name, sd in SWING_MM.items():
        aside = float(rng.normal(0, sd))
        found[name]["jawSwing"] = (aside, -aside)
    parted = float(rng.uniform(0.0, 0.3))
    add("open_smile", parted, "mouthUpperUp", "mouthLowerDown", "mouth-parling")
    add("snarl", float(rng.uniform(0.0, 0.15)), "mouthLowerDown", "mouth-parling")
    add("open_smile", float(rng.uniform(0.0, 0.1)), "mouthFrown", "mouth-depression")
    add("brow_raise", float(rng.uniform(0.0, 0.08)), "browDown", "eyebrows-down")
    return found


def draw_patient(
    rng: np.random.Generator,
    model: HeadModel,
    grade: int | None = None,
    side: str | None = None,
    state: State | None = None,
    years: float | None = None,
    pattern: str | None = None,
) -> Patient:
    """Somebody with a facial palsy of House-Brackmann `grade` 2..6 (1: healthy), all drawn if not given.

    `side` "left", "right", or "both" (never drawn; there is no grade by a healthy side then). `state` "onset" (flaccid)
    or "recovered" (regrown with synkinesis and contracture; grades II to V). `pattern` of `palsies.PATTERNS`: the whole
    nerve, or isolated. The grade is the one by House's measured rule on the face that comes out; see
    `face3d.simulate.truth`. An isolated marginal lesion has whatever grade it has: I or II.
    """
    person = draw_healthy(rng, model, years)
    if grade is None:
        grade = int(rng.integers(1, 7)) if pattern in (None, "whole") else int(rng.integers(2, 4))
    if grade not in (1, *LEVELS):
        raise ValueError(f"grade {grade}; expected 1 to 6")
    if pattern not in (None, *PATTERNS):
        raise ValueError(f"pattern {pattern!r}; known are {', '.join(PATTERNS)}")
    if pattern not in (None, "whole", "marginal") and pattern not in SEEN.get(grade, {}):
        raise ValueError(f"pattern {pattern!r} cannot be of grade {grade}; it leaves brow or mouth whole: 2 or 3")
    side = str(rng.choice(SIDES)) if side is None else side
    pattern = draw_pattern(rng, grade) if pattern is None else pattern
    if state is None:
        regrown = grade in (2, 3, 4, 5) and rng.random() < (0.5 if grade < 5 else 0.2)
        state = "recovered" if regrown and pattern == "whole" else "onset"
    if grade == 1:
        return person
    level = 0.0 if grade == 6 and rng.random() < COMPLETE else float(rng.uniform(*LEVELS[grade]))
    ill = person.replace(side=side, state=state, pattern=pattern, **draw_palsy(rng, level, state, person.years))
    nerve = Nerve(rng, grade, state, pattern)
    if pattern == "marginal":
        return ill.replace(branches=nerve.branches(float(rng.uniform(-2.5, 0.0))))
    if side == "both":
        sides = [
            at_level(ill.replace(side=s), n, level, LEVELS[grade])
            for s, n in zip(SIDES, (nerve, Nerve(rng, grade, state, pattern)), strict=True)
        ]
        return ill.replace(branches=sides[0].branches, branches_right=sides[1].branches)
    return at_level(ill, nerve, level, LEVELS[grade])


def retaken(patient: Patient, rng: np.random.Generator) -> Patient:
    """The same person in another take of the same visit: each expression done a little differently, nothing changed."""
    lean = {part: value + float(rng.normal(0, TAKE_LEAN_SD)) for part, value in patient.habit.items()}
    return patient.replace(effort=_effort(rng), habit=lean)


def treated(patient: Patient, treatment: str, rng: np.random.Generator) -> Patient:
    """The same patient after `treatment`: "reanimation" (a gracilis graft lifts the mouth's corner, 8 mm on average at
    full, along its own line) or "botulinum" (toxin into the healthy side and against synkinesis)."""
    if patient.side not in SIDES:
        raise ValueError("a healthy person has nothing to treat; draw a patient with a grade of 2 to 6")
    if treatment == "reanimation":
        return patient.replace(state="reanimated", graft=float(np.clip(rng.normal(0.85, 0.25), 0.3, 1.4)))
    if treatment == "botulinum":
        return patient.replace(state="botulinum", relaxed=float(rng.uniform(0.3, 0.6)), overaction=0.0)
    raise ValueError(f"treatment {treatment!r}; known are reanimation, botulinum")


__all__ = [
    "draw_healthy",
    "draw_identity",
    "draw_patient",
    "expression_intensities",
    "natural_surface_rms",
    "retaken",
    "treated",
]
