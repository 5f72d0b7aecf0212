"""Truth: the published rules on exact movement; grades that were asked for; raters as unreliable as people."""

from __future__ import annotations

import numpy as np
import pytest

from face3d.reference.scales import REGIONS
from face3d.simulate import HeadModel, Patient, draw_patient, healthy, truth_of, with_palsy
from face3d.simulate.head import reflected
from face3d.simulate.truth import asymmetry_vectors, movement_function, rated


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return HeadModel.load("a")


@pytest.fixture(scope="module")
def person(model: HeadModel) -> Patient:
    return healthy(model)


def test_health_is_grade_one_everywhere(person: Patient) -> None:
    truth = truth_of(person)
    assert truth.house_brackmann == truth.scales.descriptive == 1
    assert truth.scales.fngs2 is not None
    assert truth.scales.fngs2.grade == 1
    assert truth.scales.sunnybrook is not None
    assert truth.scales.sunnybrook.composite == 100
    assert all(truth.region_function[r] == 1.0 for r in REGIONS)
    assert truth.severity == 0


def test_complete_palsy_is_grade_six(person: Patient) -> None:
    truth = truth_of(with_palsy(person, "left", 0.0, droop=1.0))
    assert truth.house_brackmann == 6
    assert truth.scales.sunnybrook is not None
    assert truth.scales.sunnybrook.composite == 0
    assert truth.severity > 0.97


def test_function_follows_the_nerve(person: Patient) -> None:
    found = [movement_function(with_palsy(person, "right", f, droop=0.0), ("brow", "mouth")) for f in (0.3, 0.6, 0.9)]
    # A brow's movement is its muscles'; the mouth is also dragged over by the other side, so it shows less than it has.
    assert np.allclose([f["brow"] for f in found], [0.3, 0.6, 0.9], atol=0.05)
    mouth = [f["mouth"] for f in found]
    assert np.all(np.diff(mouth) > 0.15)
    assert mouth[0] <= 0.3
    assert abs(mouth[2] - 0.9) < 0.1


@pytest.mark.parametrize("grade", [2, 3, 4, 5, 6])
def test_the_grade_asked_for_comes_out(model: HeadModel, grade: int) -> None:
    for seed in (1, 2):
        patient = draw_patient(np.random.default_rng([grade, seed]), model, grade)
        function = movement_function(patient, ("brow", "mouth"))
        lost = 1 - (function["brow"] + function["mouth"]) / 2
        assert truth_of(patient).house_brackmann == grade, (seed, lost)


def test_truth_does_not_know_left_from_right(model: HeadModel) -> None:
    patient = draw_patient(np.random.default_rng(8), model, grade=4, side="left")
    one, two = truth_of(patient), truth_of(patient.mirrored())
    assert (one.side, two.side) == ("left", "right")
    for region in REGIONS:
        assert abs(one.region_function[region] - two.region_function[region]) < 1e-9
    assert one.scales.sunnybrook == two.scales.sunnybrook
    assert one.house_brackmann == two.house_brackmann


def test_asymmetry_vectors_are_each_others_mirror_image(model: HeadModel) -> None:
    patient = draw_patient(np.random.default_rng(8), model, grade=4)
    apart = asymmetry_vectors(patient.model, patient.vertices("open_smile"))
    assert np.allclose(reflected(apart, model.opposite), -apart, atol=1e-12)
    assert np.linalg.norm(apart, axis=1).max() > 3.0


def test_raters_agree_as_published(model: HeadModel) -> None:
    truths = [truth_of(draw_patient(np.random.default_rng([50, k]), model, 1 + k % 6)) for k in range(18)]
    rng = np.random.default_rng(0)
    pairs = np.array([[rated(t, rng).sunnybrook.composite for _ in range(2)] for t in truths for _ in range(6)], float)
    # ICC(1,1) from the mean squares between and within patients.
    between = 2 * pairs.mean(axis=1).var(ddof=1)
    within = ((pairs[:, 0] - pairs[:, 1]) ** 2).mean() / 2
    icc = (between - within) / (between + within)
    # Published 0.89 to 0.93; the mix of patients here is wider than a clinic's, so the upper side is open a little.
    assert 0.86 < icc < 0.985
    grades = np.array([[rated(t, rng).house_brackmann for _ in range(2)] for t in truths for _ in range(6)])
    same = (grades[:, 0] == grades[:, 1]).mean()
    assert 0.45 < same < 0.85
    assert np.abs(grades[:, 0] - grades[:, 1]).max() <= 3
