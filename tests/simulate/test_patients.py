"""Patients: what their nerve does is what their face shows, and nothing else is asymmetric."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from face3d.exam import EXPRESSIONS
from face3d.simulate import HeadModel, Patient, Synkinesis, draw_healthy, draw_patient, healthy, treated, with_palsy
from face3d.simulate.expressions import EXCURSION, RECIPES_A, RECIPES_B, recipes_for
from face3d.simulate.head import reflected
from face3d.simulate.natural import NATURAL_ADULT, natural_surface_rms
from face3d.simulate.palsy_units import UNITS, with_palsy_units
from face3d.simulate.patients import expression_intensities
from face3d.simulate.truth import asymmetry_vectors


@pytest.fixture(scope="module", params=["a", "b"])
def model(request: pytest.FixtureRequest) -> HeadModel:
    return HeadModel.load(request.param)


@pytest.fixture(scope="module")
def person(model: HeadModel) -> Patient:
    return healthy(model)


def _way(patient: Patient, mark: str, expression: str) -> np.ndarray:
    points = [patient.model.landmark_points(patient.vertices(e))[mark] for e in ("rest", expression)]
    return points[1] - points[0]


def test_recipes_are_the_protocol(model: HeadModel) -> None:
    assert set(RECIPES_A) == set(RECIPES_B) == set(EXPRESSIONS)
    assert all(recipes_for(model)[name] for name in EXPRESSIONS if name != "rest")


@pytest.mark.parametrize("name", list(EXCURSION))
def test_healthy_people_reach_published_excursions(person: Patient, name: str) -> None:
    mark, way = EXCURSION[name]
    for side in ("left", "right"):
        # Lids and jaw add a little to what the recipe was scaled to.
        assert abs(np.linalg.norm(_way(person, f"{mark}_{side}", name)) - way) < 0.3


def test_palsy_units_are_added_once_and_mirror_each_other(model: HeadModel) -> None:
    more = with_palsy_units(model)
    assert more.units == (*model.units, *UNITS)
    assert with_palsy_units(more) is more
    assert np.array_equal(reflected(more.left, more.opposite), more.right)


def test_full_function_and_no_natural_asymmetry_is_exactly_symmetric(person: Patient) -> None:
    for name in EXPRESSIONS:
        assert np.abs(asymmetry_vectors(person.model, person.vertices(name))).max() < 1e-9, name


def test_full_function_of_an_affected_side_is_health(person: Patient) -> None:
    whole = with_palsy(person, "left", 1.0)
    for name in ("rest", "open_smile", "gentle_eye_closure"):
        assert np.abs(whole.vertices(name) - person.vertices(name)).max() < 1e-9


def test_swapping_the_side_gives_the_mirror_image(model: HeadModel) -> None:
    patient = draw_patient(np.random.default_rng(5), model, grade=4, side="left", state="recovered")
    other = patient.mirrored()
    assert other.side == "right"
    for name in EXPRESSIONS:
        there = reflected(patient.vertices(name), model.opposite)
        assert np.abs(other.vertices(name) - there).max() < 1e-9, name


def test_each_branch_is_felt_where_it_runs(person: Patient) -> None:
    for branch, mark, name in (
        ("temporal", "sci_left", "brow_raise"),
        ("zygomatic", "ps_left", "tight_eye_closure"),
        ("buccal", "al_left", "snarl"),
    ):
        ill = with_palsy(person, "left", {branch: 0.0}, droop=0.0)
        before = float(np.linalg.norm(_way(person, mark, name)))
        assert np.linalg.norm(_way(ill, mark, name)) < 0.5 * before, branch
        well = mark.replace("left", "right")
        # Skin near the midline goes with both sides.
        assert np.allclose(_way(ill, well, name), _way(person, well, name), atol=1.0), branch


def test_more_function_moves_more(person: Patient) -> None:
    ways = [
        float(
            np.dot(_way(with_palsy(person, "left", f), "ch_left", "open_smile"), _way(person, "ch_left", "open_smile"))
        )
        for f in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert np.all(np.diff(ways) > 0)


def test_complete_palsy_droops_and_stares(person: Patient) -> None:
    ill = with_palsy(person, "left", 0.0, droop=1.0)
    before, after = (p.model.landmark_points(p.vertices("rest")) for p in (person, ill))
    assert after["sci_left"][1] < before["sci_left"][1] - 2.0  # brow ptosis
    assert after["ch_left"][1] < before["ch_left"][1] - 2.0  # the mouth's corner hangs
    assert after["ls"][0] < -1.0  # pulled to the healthy, right side
    opening = [m["ps_left"][1] - m["pi_left"][1] for m in (before, after)]
    assert opening[1] > opening[0] + 1.0  # wide fissure
    assert abs(after["sci_right"][1] - before["sci_right"][1]) < 0.1


def test_the_healthy_side_draws_the_mouth_over(person: Patient) -> None:
    ill = with_palsy(person, "left", 0.0, droop=0.0)
    assert _way(ill, "ls", "open_smile")[0] < -1.0
    assert abs(_way(person, "ls", "open_smile")[0]) < 1e-9


def test_synkinesis_closes_the_eye_with_the_mouth(person: Patient) -> None:
    def narrowing(patient: Patient, side: str) -> float:
        at = {e: patient.model.landmark_points(patient.vertices(e)) for e in ("rest", "lip_pucker")}
        opening = {e: m[f"ps_{side}"][1] - m[f"pi_{side}"][1] for e, m in at.items()}
        return 1 - opening["lip_pucker"] / opening["rest"]

    ill = with_palsy(person, "left", 0.6, state="recovered", droop=0.0, synkinesis=Synkinesis(ocular=0.8))
    assert narrowing(ill, "left") > 0.25
    assert abs(narrowing(ill, "right")) < 0.05


def test_contracture_raises_what_palsy_lets_hang(person: Patient) -> None:
    ill = with_palsy(person, "left", 0.6, state="recovered", droop=0.0, contracture=1.0)
    before, after = (p.model.landmark_points(p.vertices("rest")) for p in (person, ill))
    assert after["ch_left"][1] > before["ch_left"][1] + 0.5
    assert after["ps_left"][1] - after["pi_left"][1] < before["ps_left"][1] - before["pi_left"][1]


def test_treatment_gives_back_symmetry(model: HeadModel) -> None:
    rng = np.random.default_rng(9)
    ill = draw_patient(rng, model, grade=6, side="right")
    grafted = treated(ill, "reanimation", rng)
    lift = _way(grafted, "ch_right", "open_smile")[1] - _way(ill, "ch_right", "open_smile")[1]
    assert 1.0 < lift < 12.0
    toxin = treated(ill, "botulinum", rng)
    # A commissure's movement on the healthy side is what is weakened.
    ways = [np.linalg.norm(_way(p, "ch_left", "open_smile")) for p in (ill, toxin)]
    assert ways[1] < 0.85 * ways[0]
    with pytest.raises(ValueError, match="healthy"):
        treated(healthy(model), "botulinum", rng)


def test_every_eye_of_healthy_people_closes(model: HeadModel) -> None:
    for seed in range(6):
        person = draw_healthy(np.random.default_rng([31, seed]), model)
        points = person.model.landmark_points(person.vertices("gentle_eye_closure"))
        for side in ("left", "right"):
            # Markers slide past each other along the closed lids: up to a few tenths of a millimetre either way.
            assert abs(points[f"ps_{side}"][1] - points[f"pi_{side}"][1]) < 1.0


def test_natural_asymmetry_is_of_the_published_size(model: HeadModel) -> None:
    sizes = [
        natural_surface_rms(p.model, p.asymmetry)
        for p in (draw_healthy(np.random.default_rng([77, k]), model) for k in range(40))
    ]
    # Standard errors of mean and SD of 40 draws: 0.025 and 0.018 mm; three of each.
    assert abs(np.mean(sizes) - NATURAL_ADULT[0]) < 0.075
    assert abs(np.std(sizes) - NATURAL_ADULT[1]) < 0.055
    child = draw_healthy(np.random.default_rng(1), model, years=8.0, natural_rms=0.4)
    assert abs(natural_surface_rms(child.model, child.asymmetry) - 0.4) < 1e-9


def test_drawing_is_deterministic_and_survives_pickling(model: HeadModel) -> None:
    one, two = (draw_patient(np.random.default_rng(12), model) for _ in range(2))
    assert np.array_equal(one.vertices("snarl"), two.vertices("snarl"))
    again = pickle.loads(pickle.dumps(one))
    assert np.array_equal(again.vertices("snarl"), one.vertices("snarl"))


def test_intensities_explain_the_face(model: HeadModel) -> None:
    patient = draw_patient(np.random.default_rng(2), model, grade=3)
    left, right = expression_intensities(patient, "open_smile")
    shape = patient.model.shape(patient.identity, patient.asymmetry, left, right)
    assert np.array_equal(shape, patient.vertices("open_smile"))


def test_what_cannot_be_says_so(model: HeadModel) -> None:
    with pytest.raises(ValueError, match="side"):
        Patient(with_palsy_units(model), np.zeros(2), np.zeros(2), side="up")
    with pytest.raises(ValueError, match="branch"):
        with_palsy(healthy(model), "left", 1.5)
    with pytest.raises(ValueError, match="expression"):
        healthy(model).vertices("yawn")
    with pytest.raises(ValueError, match="grade"):
        draw_patient(np.random.default_rng(0), model, grade=7)
