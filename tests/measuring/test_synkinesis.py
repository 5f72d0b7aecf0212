"""Unasked movement where scans have holes: the same share over what both movements show, or no value and the reason."""

import math
from typing import Any

import numpy as np
import pytest

from face3d.measuring.exam_measures import Measures, measure_vertices
from face3d.measuring.scale_estimates import estimate_scales
from face3d.simulate.head import HeadModel
from palsy import face

MODEL = HeadModel.load()
CORNER = MODEL.regions["commissure_left"] + MODEL.regions["commissure_right"]
CLOSING = ("gentle_eye_closure", "mouth")


def measured(hidden: dict[str, Any] | None = None, leave_out: tuple[str, ...] = ()) -> Measures:
    """A palsy of the left side with synkinesis; `hidden` expression -> vertices, a mask or numbers, that were not
    seen."""
    rest, moved = face(MODEL, np.random.default_rng(3), 0.6, synkinesis=0.5)
    moved = {e: v.copy() for e, v in moved.items() if e not in leave_out}
    for e, unseen in (hidden or {}).items():
        moved[e][unseen] = np.nan
    return measure_vertices(rest, moved, MODEL, "left")


WHOLE = measured()


def status(m: Measures, pair: tuple[str, str]) -> str:
    return next(r.status for r in m.rows if (r.measure, r.expression, r.region) == ("synkinesis", *pair))


def test_one_vertex_that_was_not_seen_changes_next_to_nothing() -> None:
    assert WHOLE.synkinesis[CLOSING] > 0.3
    for e in ("open_smile", "gentle_eye_closure"):
        m = measured({e: np.array([int(np.argmax(CORNER))])})
        assert m.synkinesis == pytest.approx(dict(WHOLE.synkinesis), abs=0.01, nan_ok=True)
        assert estimate_scales(m).sunnybrook == estimate_scales(WHOLE).sunnybrook


def test_different_holes_of_the_same_size_are_not_laid_on_each_other() -> None:
    places = np.flatnonzero(CORNER > 0.3)
    m = measured({"open_smile": places[:20], "gentle_eye_closure": places[-20:]})
    assert m.synkinesis[CLOSING] == pytest.approx(WHOLE.synkinesis[CLOSING], abs=0.01)


def test_what_was_hidden_has_no_value_and_is_not_none_to_the_estimates() -> None:
    m = measured({"gentle_eye_closure": CORNER > 0})
    assert math.isnan(m.synkinesis[CLOSING])
    assert "under half of the region" in status(m, CLOSING)
    assert m.synkinesis["open_smile", "eye"] == pytest.approx(WHOLE.synkinesis["open_smile", "eye"])
    e, whole = estimate_scales(m), estimate_scales(WHOLE)
    assert whole.sunnybrook is not None and whole.fngs2 is not None and whole.descriptive is not None
    assert e.sunnybrook is e.fngs2 is e.descriptive is None
    assert sum("synkinesis not measured: mouth in gentle_eye_closure" in reason for reason in e.missing) == 3
    assert math.isnan(e.eface.midfacial_synkinesis) and math.isfinite(whole.eface.midfacial_synkinesis)
    assert e.house_brackmann == whole.house_brackmann  # House's measured rule asks for brow and mouth only


def test_parts_that_hardly_overlap_are_not_compared() -> None:
    across = np.abs(MODEL.vertices[:, 0])
    medial, lateral = np.quantile(across[CORNER > 0.3], [0.35, 0.65])
    m = measured(
        {"open_smile": (CORNER > 0) & (across > lateral), "gentle_eye_closure": (CORNER > 0) & (across < medial)}
    )
    assert math.isnan(m.synkinesis[CLOSING])
    assert "both in it and in open_smile" in status(m, CLOSING)


def test_a_full_movement_that_is_missing_is_named() -> None:
    m = measured(leave_out=("snarl", "lip_pucker", "lower_lip_depression", "closed_smile"))
    pair = ("brow_raise", "midface")
    assert math.isnan(m.synkinesis[pair])
    assert status(m, pair) == "its full movement was not measured; needs snarl"
    assert m.synkinesis[CLOSING] == pytest.approx(WHOLE.synkinesis[CLOSING])
    # The signs of the House-Brackmann table ask for no snarl.
    assert estimate_scales(m).descriptive == estimate_scales(WHOLE).descriptive


def test_company_of_what_was_not_seen_is_unknown() -> None:
    brows = MODEL.regions["brow_left"] + MODEL.regions["brow_right"]
    m = measured({"brow_raise": brows > 0})
    assert math.isnan(m.synkinesis["brow_raise", "mouth"])
    assert "brow" in status(m, ("brow_raise", "mouth"))


def test_an_eye_without_a_closure_to_compare_with_says_so() -> None:
    m = measured(leave_out=("gentle_eye_closure",))
    assert math.isnan(m.synkinesis["open_smile", "eye"])
    assert "gentle_eye_closure or tight_eye_closure" in status(m, ("open_smile", "eye"))


def test_every_recorded_pair_has_a_row() -> None:
    rows = {(r.expression, r.region): r for r in WHOLE.rows if r.measure == "synkinesis"}
    assert rows.keys() == WHOLE.synkinesis.keys()
    assert {e for e, _ in rows} == set(WHOLE.movements)
    for pair, one in rows.items():
        assert math.isnan(one.value) == (one.status != "ok"), pair
