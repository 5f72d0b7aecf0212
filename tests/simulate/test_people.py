"""The second people: as uneven as healthy ones, ill as patients are, the same in another take, treated when asked."""

from __future__ import annotations

import json

import numpy as np
import pytest

import face3d
from face3d.exam import EXPRESSIONS
from face3d.landmarks import SIDES
from face3d.measuring.readings import fissure
from face3d.simulate import (
    HeadModel,
    Patient,
    Synkinesis,
    draw_healthy,
    draw_patient,
    healthy,
    retaken,
    truth_of,
    with_palsy,
)
from face3d.simulate.benchmark import truth_table, write_benchmark
from face3d.simulate.definition import Definition
from face3d.simulate.head import reflected
from face3d.simulate.identity import ANCESTRIES
from face3d.simulate.lifelike import UNITS, lifelike
from face3d.simulate.natural import DIFFERENCES, draw_asymmetry, natural_surface_rms
from face3d.simulate.palsies import LEVELS, PATTERNS, Nerve
from face3d.simulate.patients import Lids, expression_intensities
from face3d.simulate.subjects import Subject
from face3d.simulate.truth import movement_function
from face3d.simulate.waters import with_waters_muscles


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return HeadModel.load("a")


@pytest.fixture(scope="module")
def person(model: HeadModel) -> Patient:
    return healthy(model)


def _moved(patient: Patient, expression: str) -> np.ndarray:
    return patient.vertices(expression) - patient.vertices("rest")


def _level(patient: Patient) -> float:
    function = movement_function(patient, ("brow", "mouth"))
    return (function["brow"] + function["mouth"]) / 2


# ------------------------------------------------------------------ healthy sides


def test_each_pair_of_landmarks_differs_as_published_and_never_more(model: HeadModel) -> None:
    odd = [draw_asymmetry(np.random.default_rng([41, k]), model, 40.0) for k in range(150)]
    at = [model.landmark_points(np.tensordot(z, model.asymmetry, axes=1)) for z in odd]
    for name, known in DIFFERENCES.items():
        found = np.array([known.of(points) for points in at])
        assert np.abs(found).max() <= known.most + 1e-9, name
        # Of 150 an SD is known within 6 % (1 SE); what is cut off at the most takes 1 to 4 % of it.
        assert 0.78 * known.sd < found.std() < 1.2 * known.sd, name
    rms = [natural_surface_rms(model, z) for z in odd]
    assert 0.58 < np.mean(rms) < 0.67


def test_eyes_of_healthy_people_differ_as_little_as_eyes_do(model: HeadModel) -> None:
    # Lam 1995: 5 of 88 by 1 mm or more, none by more than 2.1. The first people: 61 to 65 of 100.
    apart = []
    for k in range(40):
        drawn = draw_healthy(np.random.default_rng([42, k]), model)
        marks = drawn.model.landmark_points(drawn.vertices("rest"))
        apart.append(fissure(marks, marks, "left") - fissure(marks, marks, "right"))
    assert np.abs(apart).max() < 2.1
    assert (np.abs(apart) >= 1.0).mean() < 0.2
    assert np.std(apart) > 0.3


def test_no_asymmetry_is_none_and_a_laboratorys_few_asymmetries_are_scaled(model: HeadModel) -> None:
    assert not draw_asymmetry(np.random.default_rng(0), model, 40.0, natural_rms=0.0).any()
    few = model.__class__(
        **{**{f: getattr(model, f) for f in model.__dataclass_fields__}, "asymmetry": model.asymmetry[:3]}
    )
    drawn = draw_asymmetry(np.random.default_rng(0), few, 40.0, natural_rms=0.5)
    assert natural_surface_rms(few, drawn) == pytest.approx(0.5)


def test_men_move_more_and_ancestry_is_a_fact(model: HeadModel) -> None:
    drawn = [draw_healthy(np.random.default_rng([43, k]), model, years=40.0) for k in range(80)]
    way = np.array([p.style["mouthSmile"] for p in drawn])
    male = np.array([p.male > 0.5 for p in drawn])
    # Giovanoli 2003: 15 % between the sexes; between people of one sex 20 %, so of 80 the ratio is known within 5 %.
    assert 1.0 < way[male].mean() / way[~male].mean() < 1.3
    for p in drawn:
        assert set(p.ancestry) == set(ANCESTRIES)
        assert sum(p.ancestry.values()) == pytest.approx(1.0)


# ------------------------------------------------------------------ movement


@pytest.mark.parametrize("kind", ["a", "b", "waters"])
def test_a_raised_brow_takes_the_forehead_along(kind: str) -> None:
    base = HeadModel.load("b" if kind == "b" else "a")
    if kind == "waters":
        base = with_waters_muscles(base, np.random.default_rng(3))
    whole = lifelike(base)
    assert lifelike(whole) is whole
    assert whole.units[-len(UNITS) :] == UNITS
    assert np.array_equal(reflected(whole.left, whole.opposite), whole.right)
    raised = _moved(healthy(base), "brow_raise")[:, 1]
    v = whole.vertices
    front = (np.abs(v[:, 0]) < 45) & (v[:, 2] > -30)
    band = {
        low: raised[front & (v[:, 1] >= low) & (v[:, 1] < low + 10)].mean() / raised.max() for low in (20, 30, 40, 65)
    }
    # Another artist's: 71, 48, 16 % at 20, 30 and 40 mm above the eye; ours were 54, 20 and 3. Above 61 % of the
    # forehead's height (y = 57) skin comes down in all of 27 people (Cotofana 2020).
    assert band[20] > 0.45
    assert band[30] > 0.3
    assert 0.1 < band[40] < band[30]
    assert -0.35 < band[65] < -0.03


def test_skin_of_the_forehead_slides_over_the_skull(person: Patient) -> None:
    from scipy.interpolate import LinearNDInterpolator

    rest, raised = person.vertices("rest"), person.vertices("brow_raise")
    front = (np.abs(rest[:, 0]) < 60) & (rest[:, 1] > 10) & (rest[:, 2] > -45)
    high = (np.abs(rest[:, 0]) < 35) & (rest[:, 1] > 38) & (rest[:, 1] < 75) & (rest[:, 2] > -30)
    depth = LinearNDInterpolator(rest[front, :2], rest[front, 2])
    assert np.nanmax(np.abs(depth(raised[high, :2]) - raised[high, 2])) < 1.0


def test_jaws_open_and_swing_and_are_a_persons_own(model: HeadModel) -> None:
    opened, aside = [], []
    for k in range(25):
        drawn = draw_healthy(np.random.default_rng([44, k]), model, natural_rms=0.0)
        for name in ("open_smile", "lower_lip_depression"):
            chin = model.landmark_points(_moved(drawn, name))
            opened.append(-chin["gn"][1])
            aside.append(chin["gn"][0])
    assert np.mean(opened) > 1.0
    assert 0.2 < np.std(aside) < 3.0


# ------------------------------------------------------------------ palsies


@pytest.mark.parametrize("grade", [2, 3, 4, 5, 6])
def test_grades_asked_for_come_out_wherever_in_the_band(model: HeadModel, grade: int) -> None:
    low, high = LEVELS[grade]
    for k in range(6):
        assert low <= _level(draw_patient(np.random.default_rng([45, grade, k]), model, grade, pattern="whole")) <= high


def test_levels_leave_no_gap_at_the_borders(model: HeadModel) -> None:
    levels = np.array([_level(draw_patient(np.random.default_rng([46, k]), model, 4)) for k in range(40)])
    # Uniform over a quarter: of 40 four lie within 0.0125 of either border; the first people had none within 0.01.
    assert (np.abs(levels[:, None] - LEVELS[4]).min(axis=1) < 0.0125).any()


def test_branches_go_their_own_ways() -> None:
    rng = np.random.default_rng(47)
    drawn = [Nerve(rng, 3, "onset", "whole").branches(float(rng.normal())) for _ in range(400)]
    shares = np.array([[b["temporal"], b["buccal"], b["marginal"]] for b in drawn])
    r = np.asarray(np.corrcoef(shares, rowvar=False))[np.triu_indices(3, 1)]
    assert np.all((r > 0.3) & (r < 0.65))


def test_isolated_lesions_spare_what_they_do_not_take(model: HeadModel) -> None:
    for pattern, taken in PATTERNS.items():
        drawn = draw_patient(np.random.default_rng(5), model, None if pattern == "marginal" else 3, pattern=pattern)
        assert drawn.pattern == pattern
        for branch, function in drawn.branches.items():
            assert (function < 1.0) == (branch in taken), (pattern, branch)
    central = draw_patient(np.random.default_rng(6), model, 3, pattern="central")
    function = truth_of(central).region_function
    # Healthy sides differ by 9 %, and may lean either way.
    assert function["brow"] > 0.75
    assert function["mouth"] < function["brow"] - 0.2
    with pytest.raises(ValueError, match="brow or mouth"):
        draw_patient(np.random.default_rng(5), model, 5, pattern="central")


def test_both_sides_can_be_ill(model: HeadModel) -> None:
    ill = draw_patient(np.random.default_rng(7), model, 4, side="both")
    assert dict(ill.branches) != dict(ill.branches_right)
    well = healthy(model)
    for side in SIDES:
        mark = f"sci_{side}"
        ways = [model.landmark_points(_moved(p, "brow_raise"))[mark][1] for p in (ill, well)]
        assert ways[0] < 0.8 * ways[1], side
    truth = truth_of(ill)
    assert truth.side == "both"
    with pytest.raises(ValueError, match="no healthy side"):
        _ = truth.house_brackmann
    for name in EXPRESSIONS:
        there = reflected(ill.vertices(name), model.opposite)
        assert np.abs(ill.mirrored().vertices(name) - there).max() < 1e-9, name


def test_lids_fall_by_the_person_and_meet_with_effort_by_function(person: Patient) -> None:
    def gap(function: float, expression: str, **lids: float) -> float:
        ill = with_palsy(person, "left", {"zygomatic": function, "temporal": function}, droop=0.0, lids=Lids(**lids))
        rest, shut = (ill.model.landmark_points(ill.vertices(e)) for e in ("rest", expression))
        return fissure(shut, rest, "left")

    none, all_ = (gap(0.0, "gentle_eye_closure", fall=f) for f in (0.0, 1.0))
    assert all_ < none - 1.0
    assert none == pytest.approx(gap(0.0, "tight_eye_closure", fall=0.0), abs=1.5)
    assert gap(0.0, "gentle_eye_closure", fall=1.0, bell=0.5) > all_ + 0.5
    usual = {"fall": 0.5, "gentle": 1.05, "tight": 1.25, "steep": 1.4, "temporal": 0.3, "bell": 0.3}
    assert gap(0.8, "tight_eye_closure", **usual) < 1.0  # III closes with effort
    assert gap(0.4, "tight_eye_closure", **usual) > 1.0  # IV doesn't
    spared = with_palsy(person, "left", {"zygomatic": 0.0}, droop=0.0, lids=Lids(temporal=0.4))
    assert spared.function("eyeBlink") == pytest.approx(0.4)


def test_the_affected_eye_is_the_wider_one_in_acute_palsy(model: HeadModel) -> None:
    wider = []
    for k in range(24):
        ill = draw_patient(np.random.default_rng([48, k]), model, 5 + k % 2, state="onset", pattern="whole")
        marks = ill.model.landmark_points(ill.vertices("rest"))
        well = "left" if ill.side == "right" else "right"
        wider.append(fissure(marks, marks, ill.side) - fissure(marks, marks, well))
    assert np.mean(np.array(wider) > 0) > 0.8  # the first people's: 0.68
    assert np.mean(wider) > 0.8


def test_brows_join_in_and_mouths_join_a_raised_brow(person: Patient) -> None:
    def unasked(expression: str, region: str, **synkinesis: float) -> float:
        ill = with_palsy(person, "left", 0.7, state="recovered", droop=0.0, synkinesis=Synkinesis(**synkinesis))
        return truth_of(ill).measures.synkinesis[expression, region]

    assert unasked("open_smile", "brow", frontal=0.8) > 0.2
    assert unasked("gentle_eye_closure", "brow", paradoxical=0.8) > 0.15
    assert abs(unasked("gentle_eye_closure", "brow")) < 0.05
    assert unasked("brow_raise", "mouth", oral=0.8, raised=0.9) > 1.5 * unasked("brow_raise", "mouth", oral=0.8)


def test_depressors_work_against_a_smile(person: Patient) -> None:
    ways = []
    for antagonist in (0.0, 0.8):
        ill = with_palsy(
            person, "left", 0.8, state="recovered", droop=0.0, synkinesis=Synkinesis(antagonist=antagonist)
        )
        ways.append(ill.model.landmark_points(_moved(ill, "open_smile"))["ch_left"][1])
    assert ways[1] < ways[0] - 0.5


# ------------------------------------------------------------------ takes, treatments, benchmarks


def test_another_take_is_the_same_person_doing_it_a_little_differently(model: HeadModel) -> None:
    first = draw_patient(np.random.default_rng(9), model, 3)
    takes = [retaken(first, np.random.default_rng([49, k])) for k in range(12)]
    assert all(np.array_equal(t.vertices("rest"), first.vertices("rest")) for t in takes)
    well = "left" if first.side == "right" else "right"
    ways = [np.linalg.norm(model.landmark_points(_moved(t, "open_smile"))[f"ch_{well}"]) for t in takes]
    # 6 % in effort and 1.5 % in the side: of 12 takes between a half and twice that.
    assert 0.03 < np.std(ways) / np.mean(ways) < 0.12


def test_a_treatment_gives_before_and_after(tmp_path) -> None:
    definition = Definition(seed=3, subjects=1, points=300, treatment="reanimation")
    [folder] = write_benchmark(tmp_path, definition)
    exams = {visit: face3d.read_exam(folder / visit) for visit in ("before", "after")}
    assert {exam.visit for exam in exams.values()} == {"before", "after"}
    assert {exam.subject for exam in exams.values()} == {"p0000"}
    rows = list(truth_table(definition))
    assert [row["visit"] for row in rows] == ["before", "after"]
    assert rows[0]["house_brackmann"] in (5, 6)
    assert rows[1]["function_mouth"] > rows[0]["function_mouth"] + 0.1
    told = json.loads((folder / "after" / "truth.json").read_text())
    assert told["state"] == "reanimated"
    before, after = (Subject(definition, 0, visit).patient for visit in ("before", "after"))
    assert np.array_equal(before.identity, after.identity)


def test_the_command_line_treats(tmp_path, capsys) -> None:
    from face3d.cli import run

    arguments = ["simulate", "--out", str(tmp_path / "t"), "--subjects", "1", "--points", "300", "--json"]
    assert run([*arguments, "--treatment", "botulinum"]) == 0
    assert (tmp_path / "t" / "p0000" / "after" / "exam.json").is_file()
    assert (tmp_path / "t" / "truth.csv").read_text().count("\n") == 3
    capsys.readouterr()
    assert run([*arguments, "--treatment", "prayer"]) == 2
    assert "prayer" in capsys.readouterr().err


def test_what_says_nothing_of_its_people_has_the_first() -> None:
    old = json.loads(Definition.frozen("face3d-bench-v1").to_json())
    assert not {"people", "treatment"} & old.keys()
    assert Definition.of(old).people == 1
    assert Definition.of(json.loads(Definition().to_json())) == Definition()
    first = Subject(Definition(seed=1, people=1), 0)
    assert "pattern" not in first.row()
    assert UNITS[0] not in first.model.units


def test_intensities_stay_finite_and_nothing_moves_at_rest_in_health(model: HeadModel) -> None:
    drawn = draw_healthy(np.random.default_rng(50), model)
    assert not np.any(expression_intensities(drawn, "rest"))
    for name in EXPRESSIONS:
        assert np.isfinite(expression_intensities(drawn, name)).all()
