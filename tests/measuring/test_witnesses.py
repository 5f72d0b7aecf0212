"""Lids: agreeing witnesses are averaged, of two that contradict each other the detector is believed."""

import numpy as np
import pytest

from face3d.measuring.corrections import Lids, lid_points, lids_mistaken
from face3d.measuring.examination import measure_fits
from face3d.simulate.head import HeadModel
from face3d.template.movement import movements
from palsy import face


def eye(above: float, below: float = 0.0, side: str = "left") -> dict[str, np.ndarray]:
    x = 30.0 if side == "left" else -30.0
    return {f"ps_{side}": np.array([x, above, 0.0]), f"pi_{side}": np.array([x, below, 0.0])}


def gap(points: dict[str, np.ndarray], side: str = "left") -> float:
    return float((points[f"ps_{side}"] - points[f"pi_{side}"])[1])


def test_witnesses_that_agree_are_averaged_less_the_rounded_edge() -> None:
    found = lid_points(eye(10.0), eye(11.0), eye(10.0), Lids(0.25, 0.5))
    assert gap(found) == pytest.approx(10.25 - 0.5)
    assert found["pi_left"] == pytest.approx([30.0, 0.0, 0.0])


def test_a_fit_that_settled_on_a_wrong_edge_is_not_believed() -> None:
    assert gap(lid_points(eye(12.0), eye(0.5), eye(10.0), Lids(0.25, 0.5))) == pytest.approx(0.0)
    assert gap(lid_points(eye(13.0), eye(9.0), eye(13.0), Lids(0.25, 0.0))) == pytest.approx(9.0)


def test_of_a_closing_eye_whoever_sees_it_closed_more_is_believed() -> None:
    lids = Lids(0.5, 0.0)
    assert gap(lid_points(eye(0.2), eye(8.0), eye(10.0), lids, closing=True)) == pytest.approx(0.2)
    assert gap(lid_points(eye(8.0), eye(0.5), eye(10.0), lids, closing=True)) == pytest.approx(0.5)
    assert gap(lid_points(eye(7.0), eye(8.0), eye(10.0), lids, closing=True)) == pytest.approx(7.5)


def test_overlapping_lids_are_closed_not_less() -> None:
    assert gap(lid_points(eye(-3.0), eye(1.0), eye(10.0), Lids(0.5, 0.0))) == pytest.approx(0.5)


def test_what_nobody_saw_is_absent() -> None:
    assert lid_points(eye(10.0), {}, eye(10.0), Lids(0.5, 0.0)) == {}
    unseen = {**eye(10.0), "ps_left": np.full(3, np.nan)}
    assert lid_points(unseen, eye(10.0), eye(10.0), Lids(0.5, 0.0)) == {}
    both = {**eye(10.0), **eye(9.0, side="right")}
    assert set(lid_points(both, eye(9.0, side="right"), both, Lids(0.5, 0.0))) == {"ps_right", "pi_right"}


def test_an_eye_that_effort_opens_was_mistaken() -> None:
    gentle, tight = {**eye(1.5), **eye(5.0, side="right")}, {**eye(12.0), **eye(7.0, side="right")}
    opening = {**eye(11.0), **eye(11.0, side="right")}
    found = lids_mistaken({"gentle_eye_closure": gentle, "tight_eye_closure": tight}, opening)
    assert set(found) == {"left"} and "12.0 mm open, but 1.5 mm" in found["left"]
    assert not lids_mistaken({"tight_eye_closure": tight}, opening)  # nothing to hold it against


def test_what_was_mistaken_is_not_measured() -> None:
    """The left eye closes gently; what stands for its tight closure is the open eye."""
    model = HeadModel.load()
    rest, moved = face(model, np.random.default_rng(1), 1.0, posed=False)
    shut = moved["gentle_eye_closure"]
    tight = np.where(model.vertices[:, :1] > 0, rest, shut)
    moves, _ = movements(rest, {"gentle_eye_closure": shut, "tight_eye_closure": tight}, model)
    seen = {e: model.landmark_points(v) for e, v in (("rest", rest), ("gentle_eye_closure", shut))}
    marks = {**seen, "tight_eye_closure": model.landmark_points(tight)}
    m = measure_fits(rest, moves, model, "none", marks=marks)
    rows = {(r.expression, r.side): r for r in m.rows if r.measure == "closure_gap"}
    doubted = rows["tight_eye_closure", "left"]
    assert np.isnan(doubted.value) and "reads" in doubted.status and doubted.status in m.notes
    assert rows["gentle_eye_closure", "left"].value < 1.5 and rows["tight_eye_closure", "right"].value < 1.5
