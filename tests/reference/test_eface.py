"""The eFACE: items fold about 100, dynamic ones count twice, a total takes all of them."""

import math
from dataclasses import fields

import pytest

from face3d.reference.eface import BIPOLAR, DYNAMIC, STATIC, SYNKINESIS, EfaceItems
from face3d.reference.stennert import MOTOR, REST, Stennert


def all_items(**changes: float) -> EfaceItems:
    return EfaceItems(**{f.name: 100.0 for f in fields(EfaceItems)} | changes)


def test_every_item_belongs_to_one_score() -> None:
    assert sorted((*STATIC, *DYNAMIC, *SYNKINESIS)) == sorted(f.name for f in fields(EfaceItems))
    assert set(STATIC) <= BIPOLAR and not BIPOLAR & set(SYNKINESIS)


def test_scores_are_means_and_the_total_counts_movement_twice() -> None:
    assert all_items().scores == (100, 100, 100, 100)
    assert all_items(fissure_rest=60).scores.static == all_items(fissure_rest=140).scores.static == 90
    # 4 + 2 x 7 + 4 = 22 parts: an item of movement takes two of them, any other one.
    assert all_items(brow_raise=0).scores.total == pytest.approx(100 - 2 * 100 / 22)
    assert all_items(ocular_synkinesis=0).scores.total == pytest.approx(100 - 100 / 22)
    assert all_items(commissure_rest=0).scores.total == pytest.approx(100 - 100 / 22)


def test_a_score_without_one_of_its_items_is_none() -> None:
    scores = all_items(platysmal_synkinesis=math.nan).scores
    assert math.isnan(scores.synkinesis) and math.isnan(scores.total)
    assert (scores.static, scores.dynamic) == (100, 100)


def test_balance_is_the_weighted_mean_of_what_was_judged() -> None:
    assert EfaceItems(brow_rest=120, brow_raise=60).balance == pytest.approx((80 + 2 * 60) / 3)
    assert math.isnan(EfaceItems().balance)
    with pytest.raises(ValueError, match="brow_raise"):
        EfaceItems(brow_raise=150)


def test_stennert_is_a_range_until_all_signs_are_judged() -> None:
    assert Stennert().rest == (0, 4) and Stennert().motor == (0, 6)
    assert Stennert(**dict.fromkeys((*REST, *MOTOR), True)).rest == (4, 4)
    assert Stennert(**dict.fromkeys((*REST, *MOTOR), False)).motor == (0, 0)
    assert Stennert(fissure_difference=True, ectropion=False).rest == (1, 3)
