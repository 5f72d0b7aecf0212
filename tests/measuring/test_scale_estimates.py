"""Scale estimates of planted weakness: right grade in the middle of the bands, never a guess where a movement is
missing.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from face3d.measuring.exam_measures import measure_vertices
from face3d.measuring.scale_estimates import LABEL, estimate_scales, rules
from face3d.simulate.head import HeadModel
from palsy import face

MODEL = HeadModel.load()


@pytest.mark.parametrize(
    ("function", "grade", "points"), [(1.0, 1, 8), (0.85, 2, 6), (0.63, 3, 6), (0.38, 4, 4), (0.0, 6, 0)]
)
def test_grade_of_planted_function(function: float, grade: int, points: int) -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), function, "right")
    e = estimate_scales(measure_vertices(rest, moved, MODEL))
    assert e.house_brackmann == grade
    assert e.points is not None
    assert abs(e.points - points) <= 1  # quarters: a ratio of 0.63 lies on the border of 2 and 3
    assert e.label == LABEL
    assert e.regional is not None
    assert abs(e.regional - grade) <= 1  # the two rules of the scale differ by design
    assert e.sunnybrook is not None
    if function == 1.0:
        assert e.sunnybrook.composite == 100
        assert e.eface.balance > 98
        assert e.fngs2 is not None
        assert e.fngs2.grade == 1
    if function == 0.0:
        assert e.sunnybrook.scores.voluntary == 20
        assert e.eface.commissure_smile < 3


def test_scales_fall_with_function() -> None:
    composites = []
    for function in (1.0, 0.75, 0.5, 0.2, 0.0):
        rest, moved = face(MODEL, np.random.default_rng(2), function)
        e = estimate_scales(measure_vertices(rest, moved, MODEL))
        assert e.sunnybrook is not None
        composites.append(e.sunnybrook.composite)
    assert composites == sorted(composites, reverse=True)
    assert composites[0] - composites[-1] >= 70


def test_synkinesis_lowers_the_composite_and_its_item() -> None:
    values = []
    for strength in (0.0, 0.5):
        rest, moved = face(MODEL, np.random.default_rng(3), 0.6, synkinesis=strength)
        e = estimate_scales(measure_vertices(rest, moved, MODEL))
        assert e.sunnybrook is not None
        values.append((e.sunnybrook.scores.synkinesis, e.eface.ocular_synkinesis))
    assert values[1][0] >= values[0][0] + 3
    assert values[1][1] < values[0][1] - 25


def test_missing_movements_are_named_not_guessed() -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.5)
    e = estimate_scales(measure_vertices(rest, {"open_smile": moved["open_smile"]}, MODEL))
    assert e.house_brackmann is e.sunnybrook is e.fngs2 is e.regional is None
    assert len(e.missing) == 3
    assert "brow" in " ".join(e.missing)
    assert math.isnan(e.eface.brow_raise)
    assert e.eface.commissure_smile == pytest.approx(50, abs=5)


def test_every_rule_says_where_it_comes_from() -> None:
    for exact in (False, True):
        for name, rule in rules(exact).items():
            assert rule["origin"] in ("published", "own", "learned"), name
            assert rule["source"]


def test_truth_is_graded_by_words_and_measured_movement_by_what_was_learned() -> None:
    learned = {name for name, rule in rules().items() if rule["origin"] == "learned"}
    assert rules().keys() == rules(exact=True).keys()
    assert learned == {name for name, rule in rules().items() if rule != rules(exact=True)[name]}
    rest, moved = face(MODEL, np.random.default_rng(3), 0.85)
    measures = measure_vertices(rest, moved, MODEL)
    by_words, as_measured = (
        estimate_scales(measures, rules(exact=True)).sunnybrook,
        estimate_scales(measures).sunnybrook,
    )
    assert by_words is not None and as_measured is not None
    # Muscles that act by 85 % of the other side's: nearly complete by the form's words, complete for scans.
    assert 4 in by_words.voluntary and set(as_measured.voluntary) == {5}


@pytest.mark.parametrize(
    ("brow", "mouth", "unsure", "grade"),
    [
        (-0.05, 0.05, 0.0, 6),  # what errors carry below 0 counts in the mean: no movement
        (-0.2, -0.1, 0.0, 6),
        (0.04, 0.05, 0.05, 5),  # their mean 0.045 is known to 0.035: a trace
        (0.04, 0.05, 0.08, 6),  # to 0.057: not to be told from none
        (0.02, 0.03, 0.0, 6),  # within the rule's own tolerance
        (0.30, 0.24, 9.0, 4),  # no uncertainty makes a weak side a dead one
        (1.3, 0.8, 0.0, 2),  # a brow that moves more does not make up for the mouth
    ],
)
def test_none_is_what_cannot_be_told_from_none(brow: float, mouth: float, unsure: float, grade: int) -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.5)
    m = measure_vertices(rest, moved, MODEL, "left")
    shares = {**m.region_function, "brow": brow, "mouth": mouth}
    rows = [
        replace(r, value=shares[r.region], uncertainty=unsure)
        if (r.measure, r.expression) == ("function", "all") and r.region in shares
        else r
        for r in m.rows
    ]
    assert estimate_scales(replace(m, rows=tuple(rows), region_function=shares)).house_brackmann == grade
