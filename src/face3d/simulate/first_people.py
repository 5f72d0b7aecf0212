"""The first people, drawn as `face3d-bench-v1` was: kept so that its results stay comparable, and for nothing else.

What is wrong with them is mended in `draw`: eyes that differ by more than healthy ones do, branches that are one
number, no level at a grade's border, lids that all fall alike, brow raises that end at the brow. The demo is one of
them.
"""

from __future__ import annotations

import numpy as np

from face3d.exam import EXPRESSIONS
from face3d.landmarks import SIDES
from face3d.simulate.expressions import BRANCHES, DRIVEN_BY
from face3d.simulate.head import HeadModel
from face3d.simulate.identity import draw_identity
from face3d.simulate.natural import NATURAL_ADULT, natural_surface_rms
from face3d.simulate.palsy_units import with_palsy_units
from face3d.simulate.patients import Patient, State, Synkinesis, closing_intensities
from face3d.simulate.truth import Raters, movement_function

#: Mean of brow and mouth function of each House-Brackmann grade II..VI (House's bands).
LEVELS = {2: (0.77, 0.95), 3: (0.52, 0.74), 4: (0.27, 0.49), 5: (0.05, 0.24), 6: (0.0, 0.015)}
#: Log of left over right: dynamic symmetry of healthy people is 91 +- 6 % (brow, smile): a mean |log| of 0.09.
HABIT_SD = 0.11
#: A person's amplitude by part of the face, and by unit within it; effort by expression. SD of the logarithm: smile
#: excursion 9.28 +- 2.83 mm, brow 10.57 +- 2.51 (n = 12), less the repeat error within a session.
PART_SD, UNIT_SD, EFFORT_SD = 0.2, 0.1, 0.06

#: Their raters agreed too well: Sunnybrook ICC 0.97, House-Brackmann plain kappa 0.58.
FIRST_RATERS = Raters(0.16, 0.08, 0.0, 0.4)


def first_healthy(rng: np.random.Generator, model: HeadModel) -> Patient:
    """Somebody without palsy, of 18 to 85 years."""
    model = with_palsy_units(model)
    years = float(np.clip(18 + rng.gamma(3.0, 11.0), 18, 85))
    male = float(rng.random() < 0.5)
    identity = draw_identity(rng, model, years, male)
    parts = {part: float(np.exp(rng.normal(0, PART_SD))) for part in ("temporal", "zygomatic", "buccal", "marginal")}
    parts["cervical"] = parts["marginal"]
    style = {}
    for unit in model.units:
        own = float(np.exp(rng.normal(0, UNIT_SD)))
        branch = DRIVEN_BY.get(unit)
        style[unit] = 1.0 if branch is None else float(np.clip(parts[branch[0]] * own, 0.55, 1.6))
    for unit in ("eyeBlink", "eye-closure"):
        style[unit] = 1.0
    wanted = max(0.25, rng.normal(*NATURAL_ADULT))
    asymmetry = rng.normal(size=len(model.asymmetry))
    per_unit = natural_surface_rms(model, asymmetry)
    asymmetry = asymmetry * (wanted / per_unit if per_unit > 0 else 0.0)
    return Patient(
        model,
        identity,
        asymmetry,
        years=years,
        male=male,
        style=style,
        habit={part: float(rng.normal(0, HABIT_SD)) for part in ("brow", "eye", "mouth")},
        effort={name: float(np.exp(rng.normal(0, EFFORT_SD))) for name in EXPRESSIONS if name != "rest"},
        closing=closing_intensities(model, identity, asymmetry),
    )


def first_patient(rng: np.random.Generator, model: HeadModel) -> Patient:
    """Somebody with a unilateral facial palsy of a House-Brackmann grade 2..6, or healthy (1), all drawn."""
    person = first_healthy(rng, model)
    grade = int(rng.integers(1, 7))
    side = str(rng.choice(SIDES))
    state: State = "recovered" if grade in (2, 3, 4, 5) and rng.random() < (0.5 if grade < 5 else 0.2) else "onset"
    if grade == 1:
        return person
    low, high = LEVELS[grade]
    level = float(rng.uniform(low, high))
    patient = person.replace(side=side, state=state, **_palsy(rng, level, state, person.years))
    return _set_level(patient, (low, high), level)


def _palsy(rng: np.random.Generator, level: float, state: str, years: float) -> dict:
    """Branch functions around a level, and what goes with the state."""
    spread = 0.35 * level * (1 - level)
    branches = {b: float(np.clip(level + spread * rng.normal(), 0, 1)) for b in BRANCHES}
    lost = 1 - level
    # Tone is lost with movement; lax old skin hangs more.
    age = float(np.interp(years, [10, 30, 80], [0.5, 0.75, 1.15]))
    drawn: dict = {"branches": branches, "droop": float(np.clip(age * rng.uniform(0.75, 1.15) * lost**0.7, 0, 1.3))}
    drawn["overaction"] = float(np.clip(rng.normal(0.08, 0.06), 0, 0.25) * lost)
    if state == "recovered":
        # Synkinesis is worst where regrowth was partial: III and IV.
        worst = 4 * level * (1 - level)
        strength = np.clip(worst * rng.uniform(0.3, 1.0, 4) * rng.choice([0.5, 1.0]), 0, 1)
        drawn["synkinesis"] = Synkinesis(*(float(s) for s in strength))
        drawn["contracture"] = float(np.clip(worst * rng.uniform(0.1, 0.9), 0, 1))
        drawn["droop"] *= 0.35
    return drawn


def _set_level(patient: Patient, band: tuple[float, float], level: float) -> Patient:
    """Temporal and mouth branches moved until the mean of brow and mouth function on the face itself is the level."""
    for _ in range(6):
        function = movement_function(patient, ("brow", "mouth"))
        got = (function["brow"] + function["mouth"]) / 2
        if band[0] <= got <= band[1] and abs(got - level) < 0.04:
            break
        moved = {
            b: float(np.clip(f + (level - got) * (0.5 if b == "cervical" else 1.0), 0, 1))
            for b, f in patient.branches.items()
        }
        patient = patient.replace(branches=moved)
    return patient
