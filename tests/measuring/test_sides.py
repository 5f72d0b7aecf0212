"""A given side against what was measured: right sides are believed, clearly wrong ones never end in a grade."""

import math
from dataclasses import replace

import numpy as np
import pytest

from face3d.measuring.exam_measures import Measures, measure_vertices
from face3d.measuring.scale_estimates import estimate_scales
from face3d.measuring.smile_thirds import outcome, third_rows
from face3d.simulate.head import HeadModel
from palsy import face

MODEL = HeadModel.load()


def given(side: str | None, function: float, ill: str = "left") -> Measures:
    rest, moved = face(MODEL, np.random.default_rng(1), function, ill)
    m = measure_vertices(rest, moved, MODEL, side, "p")
    return replace(m, rows=(*m.rows, *third_rows(m.movements["open_smile"], rest, MODEL)))


@pytest.mark.parametrize(("wrong", "ill"), [("right", "left"), ("left", "right")])
@pytest.mark.parametrize("function", [0.0, 0.3, 0.6, 0.8])
def test_the_other_side_is_contradicted_and_nothing_is_graded(wrong: str, ill: str, function: float) -> None:
    m = given(wrong, function, ill)
    assert m.affected_side == wrong
    assert m.contradiction.startswith(f"the affected side is given as {wrong}, but the {ill} side moves")
    assert m.notes[0].lower().startswith(m.contradiction)
    e = estimate_scales(m)
    assert (e.house_brackmann, e.points, e.descriptive, e.sunnybrook, e.fngs2) == (None,) * 5
    assert math.isnan(e.eface.balance)
    assert len(e.missing) == 1
    assert m.contradiction in e.missing[0]
    assert "House-Brackmann" in e.missing[0]
    assert all(math.isnan(v) for v in (*m.region_function.values(), m.severity))
    assert dict(m.synkinesis) == {}
    sided = [r for r in m.rows if r.measure in ("function", "synkinesis", "severity", "overaction")]
    assert sided
    assert all(math.isnan(r.value) and r.status == m.contradiction for r in sided)
    assert outcome(m) == ()
    # What each side does for itself is as true as before.
    assert m.value("commissure_excursion", "open_smile", ill) == given(ill, function, ill).value(
        "commissure_excursion", "open_smile", ill
    )


@pytest.mark.parametrize("ill", ["left", "right"])
def test_none_on_a_clear_palsy_is_contradicted(ill: str) -> None:
    m = given("none", 0.4, ill)
    percent = int(m.contradiction.split(" moves ")[1].split(" %")[0])
    assert percent == pytest.approx(60, abs=8)
    assert m.contradiction.startswith(f"the affected side is given as none, but the {ill} side moves {percent} % less")
    assert estimate_scales(m).house_brackmann is None
    # smaller / larger says by itself how much is lost, whichever side is meant
    assert m.severity == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize(
    ("side", "function"),
    [
        ("left", 0.0),
        ("left", 0.5),
        ("left", 1.0),
        ("right", 1.0),
        ("none", 1.0),
        ("none", 0.9),
        ("right", 0.95),
        (None, 0.3),
    ],
)
def test_what_may_be_is_believed(side: str | None, function: float) -> None:
    m = given(side, function)
    assert m.contradiction == ""
    assert estimate_scales(m).house_brackmann is not None
    assert not any("affected side" in note for note in m.notes)


def test_one_fit_that_failed_contradicts_nobody() -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.7, "left")
    smile = face(MODEL, np.random.default_rng(1), 0.0, "right")[1]["open_smile"]
    failed = {"brow_raise": moved["brow_raise"], "open_smile": smile}
    assert measure_vertices(rest, failed, MODEL, None).affected_side == "right"  # by what was measured
    m = measure_vertices(rest, failed, MODEL, "left")
    assert m.contradiction == ""
    assert m.notes[0].startswith("The affected side is given as left, but the right side moves")
    assert m.region_function["brow"] == pytest.approx(0.7, abs=0.05)


def test_a_single_movement_must_be_much_weaker() -> None:
    for function, expected in ((0.7, False), (0.2, True)):
        rest, moved = face(MODEL, np.random.default_rng(1), function, "left")
        m = measure_vertices(rest, {"brow_raise": moved["brow_raise"]}, MODEL, "right")
        assert (m.contradiction != "") == expected
