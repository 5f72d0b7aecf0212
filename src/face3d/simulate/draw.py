"""Drawing people and patients at random, so that healthy ones are as asymmetric as people are, and grades come out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from face3d.landmarks import SIDES, code_of
from face3d.scan import Floats
from face3d.simulate.expressions import BRANCHES, DRIVEN_BY
from face3d.simulate.head import HeadModel, reflected
from face3d.simulate.palsy_units import with_palsy_units
from face3d.simulate.patients import Patient, State, Synkinesis, closing_intensities, expression_intensities

#: Whole-face mirrored surface RMS of healthy people, mm: mean, SD. Adults: Taylor 2014 (10.1597/13-353), n = 350.
#: Children of 4 to 12: Cappella, n = 135, thirds 0.30 to 0.51.
NATURAL_ADULT, NATURAL_CHILD = (0.625, 0.16), (0.41, 0.10)
#: The mirrored closest-point distance as a share of the asymmetry's normal part below; measured with
#: `face3d.analyze` on 30 drawn heads (SD 0.09).
SURFACE_SHARE = 0.98
#: Mean of brow and mouth function of each House-Brackmann grade II..VI (House's bands).
LEVELS = {2: (0.77, 0.95), 3: (0.52, 0.74), 4: (0.27, 0.49), 5: (0.05, 0.24), 6: (0.0, 0.015)}
#: Log of left over right: dynamic symmetry of healthy people is 91 +- 6 % (brow, smile): a mean |log| of 0.09.
HABIT_SD = 0.11
#: A person's amplitude by part of the face, and by unit within it; effort by expression. SD of the logarithm: smile
#: excursion 9.28 +- 2.83 mm, brow 10.57 +- 2.51 (n = 12), less the repeat error within a session.
PART_SD, UNIT_SD, EFFORT_SD = 0.2, 0.1, 0.06


def draw_healthy(
    rng: np.random.Generator, model: HeadModel, years: float | None = None, natural_rms: float | None = None
) -> Patient:
    """Somebody without palsy. `years` of age, drawn from 18 to 85 if not given (5 and up if given); `natural_rms` mm,
    the whole-face mirrored surface distance that the person's natural asymmetry makes, drawn by age if not given."""
    model = with_palsy_units(model)
    years = float(np.clip(18 + rng.gamma(3.0, 11.0), 18, 85)) if years is None else float(years)
    male = float(rng.random() < 0.5)
    identity = draw_identity(rng, model, years, male)
    # Children's faces move over shorter ways: by their size.
    size = float(np.interp(years, [5, 18], [0.8, 1.0]))
    parts = {part: float(np.exp(rng.normal(0, PART_SD))) for part in ("temporal", "zygomatic", "buccal", "marginal")}
    parts["cervical"] = parts["marginal"]
    style = {}
    for unit in model.units:
        own = float(np.exp(rng.normal(0, UNIT_SD)))
        branch = DRIVEN_BY.get(unit)
        style[unit] = 1.0 if branch is None else size * float(np.clip(parts[branch[0]] * own, 0.55, 1.6))
    for unit in ("eyeBlink", "eye-closure"):
        style[unit] = 1.0
    mean, sd = NATURAL_ADULT if years >= 16 else NATURAL_CHILD
    wanted = max(0.25, rng.normal(mean, sd)) if natural_rms is None else natural_rms
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
        effort={name: float(np.exp(rng.normal(0, EFFORT_SD))) for name in _EXPRESSIONS},
        closing=closing_intensities(model, identity, asymmetry),
    )


_EXPRESSIONS = (
    "brow_raise",
    "gentle_eye_closure",
    "tight_eye_closure",
    "closed_smile",
    "open_smile",
    "snarl",
    "lip_pucker",
    "lower_lip_depression",
    "cheek_puff",
)


def draw_identity(rng: np.random.Generator, model: HeadModel, years: float, male: float) -> Floats:
    """Identity coefficients (K,) of a person of `years` and sex (0 female, 1 male), of any ancestry and build."""
    if model.traits is None:
        return np.clip(rng.normal(size=len(model.identity)), -2.5, 2.5)
    african, asian, _ = rng.dirichlet([0.6, 0.6, 0.6])
    known = {
        "child": np.clip((25 - years) / 20, 0, 1),
        "old": np.clip((years - 25) / 60, 0, 1),
        "male": male,
        "african": african,
        "asian": asian,
        **dict.fromkeys(("muscle", "weight"), 0.5),
    }
    for name in ("muscle", "weight"):
        known[name] = float(np.clip(0.5 + 0.15 * rng.normal(), 0, 1))
    mean = np.r_[1.0, [known[name] for name in model.traits.names]] @ model.traits.effect
    return mean + model.traits.residual * np.clip(rng.normal(size=len(mean)), -2.2, 2.2)


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


def draw_patient(
    rng: np.random.Generator,
    model: HeadModel,
    grade: int | None = None,
    side: str | None = None,
    state: State | None = None,
    years: float | None = None,
) -> Patient:
    """Somebody with a unilateral facial palsy of House-Brackmann `grade` 2..6 (1: healthy), all drawn if not given.

    `state` "onset" (flaccid) or "recovered" (regrown with synkinesis and contracture; grades II to V). The grade is the
    one by House's measured rule on the face that comes out; see `face3d.simulate.truth`.
    """
    person = draw_healthy(rng, model, years)
    grade = int(rng.integers(1, 7)) if grade is None else grade
    if grade not in (1, *LEVELS):
        raise ValueError(f"grade {grade}; expected 1 to 6")
    side = str(rng.choice(SIDES)) if side is None else side
    if state is None:
        state = "recovered" if grade in (2, 3, 4, 5) and rng.random() < (0.5 if grade < 5 else 0.2) else "onset"
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
    from face3d.simulate.truth import movement_function

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


__all__ = ["draw_healthy", "draw_identity", "draw_patient", "expression_intensities", "natural_surface_rms", "treated"]
