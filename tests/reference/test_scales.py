"""Scales against their published rules; every grade's border is checked on both sides."""

import math

import pytest

from face3d.reference.scales import (
    FNGS2,
    HouseBands,
    HouseBrackmannSigns,
    Sunnybrook,
    eye_sign,
    fngs_item,
    house_brackmann_from_movement,
    house_brackmann_from_points,
    house_brackmann_signs,
    house_points_absolute,
    house_points_relative,
    severity,
    synkinesis_item,
    voluntary_item,
    weighted_function,
)


@pytest.mark.parametrize(
    ("share", "grade"),
    list(
        zip(
            (1.0, 0.97, 0.96, 0.76, 0.75, 0.51, 0.50, 0.26, 0.25, 0.04, 0.03, 0.0),
            (1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6),
            strict=True,
        )
    ),
)
def test_bands_of_the_measured_rule(share: float, grade: int) -> None:
    assert house_brackmann_from_movement(share, share) == grade


def test_measured_rule_takes_the_mean_and_caps_at_one() -> None:
    assert house_brackmann_from_movement(1.0, 0.0) == 4
    assert house_brackmann_from_movement(1.7, 1.0) == 1  # an overacting side is no better than a healthy one
    assert severity(0.5, 1.0) == pytest.approx(0.25)


def test_literal_bands_can_be_asked_for() -> None:
    literal = HouseBands(normal=1.0, severe=0.0)
    assert house_brackmann_from_movement(0.99, 0.99, literal) == 2
    assert house_brackmann_from_movement(0.01, 0.01, literal) == 5
    with pytest.raises(ValueError, match="must fall"):
        HouseBands(mild=0.4)


def test_points_are_nearest_quarters_and_map_as_published() -> None:
    assert house_points_relative(1, 1) == 8
    assert house_points_relative(0.5, 0.25) == 3
    assert house_points_relative(0.88, 0.86) == 7
    assert [house_brackmann_from_points(p) for p in range(9)] == [6, 5, 5, 4, 4, 3, 3, 2, 1]


@pytest.mark.parametrize("bad", [math.nan, -0.1, math.inf])
def test_a_missing_ratio_is_never_a_grade(bad: float) -> None:
    with pytest.raises(ValueError, match="brow ratio"):
        house_brackmann_from_movement(bad, 0.5)


def test_published_rows_give_their_own_grade() -> None:
    rows = [
        HouseBrackmannSigns(),
        HouseBrackmannSigns("normal", "moderate", "complete", "slight_asymmetry", "slight"),
        HouseBrackmannSigns("normal", "slight", "effort", "slightly_weak", "noticeable"),
        HouseBrackmannSigns("normal", "none", "incomplete", "asymmetric", "disfiguring"),
        HouseBrackmannSigns("asymmetric", "none", "incomplete", "slight", "none"),
        HouseBrackmannSigns("asymmetric", "none", "none", "none", "none"),
    ]
    assert [r.grade for r in rows] == [1, 2, 3, 4, 5, 6]


def test_absolute_points_are_whole_quarters_of_a_centimetre() -> None:
    assert house_points_absolute(10.0, 10.0) == 8
    assert house_points_absolute(30.0, 2.4) == 4
    assert house_points_absolute(7.49, 2.5) == 3
    assert house_points_absolute(-3.0, -1.0) == 0  # a corner that is dragged to the other side moves by nothing
    # A small healthy mouth: all of the other side's movement, but not all of the points.
    assert (house_points_relative(1, 1), house_points_absolute(9.0, 7.0)) == (8, 5)
    with pytest.raises(ValueError, match="commissure"):
        house_points_absolute(5.0, math.nan)


def test_one_still_region_alone_is_not_total_palsy() -> None:
    assert HouseBrackmannSigns(mouth="none").grade == 5
    assert HouseBrackmannSigns(brow="none").grade == 4


def test_asymmetry_at_rest_is_a_sign_of_five_only_with_poor_movement() -> None:
    assert HouseBrackmannSigns(rest="asymmetric").grade == 1
    assert HouseBrackmannSigns("asymmetric", "slight", "effort", "slightly_weak", "slight").grade == 3
    assert HouseBrackmannSigns("asymmetric", "none", "incomplete", "asymmetric", "none").grade == 5


def test_signs_from_ratios_follow_the_words() -> None:
    signs = house_brackmann_signs(brow=0.3, eye="effort", mouth=0.6, synkinesis=0.25)
    assert (signs.brow, signs.eye, signs.mouth, signs.secondary) == ("slight", "effort", "slightly_weak", "noticeable")
    assert signs.grade == 3
    assert house_brackmann_signs(1, "normal", 1).grade == 1
    assert house_brackmann_signs(0, "none", 0, rest="asymmetric").grade == 6
    assert house_brackmann_signs(1, "normal", 1, contracture=True).grade == 3
    assert house_brackmann_signs(1, "normal", 1, synkinesis=0.5, contracture=True).secondary == "disfiguring"
    with pytest.raises(ValueError, match="brow"):
        HouseBrackmannSigns(brow="weak")


@pytest.mark.parametrize(
    ("share", "gentle", "tight", "word"),
    [
        (1.0, 0.0, 0.0, "normal"),
        (0.9, 0.4, 0.2, "complete"),
        (0.9, 3.0, 0.9, "effort"),
        (0.9, 3.0, 1.1, "incomplete"),  # nine tenths of the fissure close, and the eye is open
        (0.02, 9.0, 9.0, "none"),
        (1.0, 0.0, math.nan, "normal"),  # what closes gently needs no effort
    ],
)
def test_closing_an_eye_is_judged_by_what_stays_open(share: float, gentle: float, tight: float, word: str) -> None:
    assert eye_sign(share, gentle, tight) == word


@pytest.mark.parametrize(("gentle", "tight"), [(3.0, math.nan), (math.nan, math.nan), (math.nan, 0.0)])
def test_what_decides_about_an_eye_is_not_guessed(gentle: float, tight: float) -> None:
    with pytest.raises(ValueError, match="not measured"):
        eye_sign(0.8, gentle, tight)


def test_sunnybrook_ends() -> None:
    assert Sunnybrook(0, 0, 0, (5,) * 5).composite == 100
    assert Sunnybrook(1, 2, 1, (1,) * 5).composite == 0  # complete flaccid palsy
    worst = Sunnybrook(1, 2, 1, (1,) * 5, (3,) * 5)
    assert (worst.scores.resting, worst.scores.voluntary, worst.scores.synkinesis, worst.composite) == (20, 20, 15, -15)


def test_sunnybrook_worked_case() -> None:
    # 4 x (3+4+3+2+3) - 5 x (1+1+0) - (0+1+2+0+1)
    assert Sunnybrook(1, 1, 0, (3, 4, 3, 2, 3), (0, 1, 2, 0, 1)).composite == 60 - 10 - 4


@pytest.mark.parametrize(
    "items", [{"eye": 2}, {"voluntary": (0, 5, 5, 5, 5)}, {"synkinesis": (4, 0, 0, 0, 0)}, {"voluntary": (5, 5)}]
)
def test_sunnybrook_refuses_impossible_items(items: dict) -> None:
    with pytest.raises(ValueError, match="Sunnybrook"):
        Sunnybrook(**{"eye": 0, "nasolabial": 0, "mouth": 0, "voluntary": (5,) * 5} | items)


def test_items_fall_with_function() -> None:
    assert [voluntary_item(r) for r in (1, 0.9, 0.89, 0.64, 0.34, 0.04, 0)] == [5, 5, 4, 3, 2, 1, 1]
    assert [synkinesis_item(s) for s in (0, 0.07, 0.1, 0.3, 0.9)] == [0, 0, 1, 2, 3]
    assert [fngs_item(r) for r in (1, 0.8, 0.6, 0.4, 0.1, 0)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("items", "grade"),
    [
        ((1, 1, 1, 1), 1),
        ((2, 1, 1, 1), 2),
        ((3, 2, 2, 2), 2),
        ((3, 3, 2, 2), 3),
        ((4, 4, 3, 3), 3),
        ((4, 4, 4, 3), 4),
        ((5, 5, 5, 4), 4),
        ((5, 5, 5, 5), 5),
        ((6, 6, 6, 5), 5),
        ((6, 6, 6, 6), 6),
    ],
)
def test_fngs_totals(items: tuple, grade: int) -> None:
    assert FNGS2(*items).grade == grade


def test_fngs_counts_secondary_movement() -> None:
    assert FNGS2(1, 1, 1, 1, 3).total == 7
    assert FNGS2(6, 6, 6, 6, 3).grade == 6
    with pytest.raises(ValueError, match="secondary"):
        FNGS2(1, 1, 1, 1, 4)


def test_a_fold_that_nobody_judged_leaves_a_range() -> None:
    unjudged = Sunnybrook(1, None, 1, (1,) * 5)
    assert math.isnan(unjudged.composite) and math.isnan(unjudged.scores.resting)
    assert unjudged.scores.voluntary == 20
    assert unjudged.composite_range == (0, 10)
    assert Sunnybrook(1, 2, 1, (1,) * 5).composite_range == (0, 0)
    with pytest.raises(ValueError, match="nasolabial"):
        Sunnybrook(1, 3, 1, (1,) * 5)


def test_weighted_function() -> None:
    assert weighted_function(1, 0, 0) == pytest.approx(0.5)
    assert weighted_function(0.2, 0.5, 1.0) == pytest.approx(0.45)
