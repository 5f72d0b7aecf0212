"""Doubts: what is unlike the exams that were learned on is said, with value and limit."""

from dataclasses import replace

import pytest

from face3d.grading.doubts import Usual, certain_doubts
from face3d.grading.example import Example
from simple_exams import grid, simple_exam

GRID = grid()


def exam(number: int, amplitude: float = 1.0, size: float = 1.0) -> Example:
    """Subject `number`, whose left side has a tenth to nine tenths of its movement, all of it scaled."""
    e = simple_exam(number, "left", 0.1 + 0.8 * (number * 0.618 % 1))
    return replace(e, moves=amplitude * e.moves, marks=size * e.marks)


@pytest.fixture(scope="module")
def usual() -> Usual:
    return Usual.of([exam(number) for number in range(60)], GRID)


def test_an_exam_like_those_learned_on_raises_none(usual: Usual) -> None:
    assert [usual.doubts(exam(number), GRID) for number in range(100, 105)] == [[]] * 5


def test_a_face_that_moves_on_neither_side(usual: Usual) -> None:
    said = " ".join(usual.doubts(exam(203, amplitude=0.2), GRID))
    assert "bilateral palsy" in said
    assert "commissure, open smile" in said


@pytest.mark.parametrize(("size", "words"), [(0.6, "a child, or a wrong unit"), (2.0, "usual up to")])
def test_a_head_of_another_size(usual: Usual, size: float, words: str) -> None:
    assert words in " ".join(usual.doubts(exam(204, size=size), GRID))


def test_a_bad_fit(usual: Usual) -> None:
    e = exam(205)
    quality = e.quality.copy()
    quality[3, 1] = 3.0
    assert "95th percentile of the distance, mm (movements): 3.00" in " ".join(
        usual.doubts(replace(e, quality=quality), GRID)
    )


def test_movement_unlike_any(usual: Usual) -> None:
    e = exam(206)
    assert "unlike any" in " ".join(usual.doubts(replace(e, moves=e.moves[::-1].copy()), GRID))


def test_what_is_missing_or_swapped() -> None:
    e = exam(207)
    assert certain_doubts(e, {}) == []
    assert "no smile" in certain_doubts(e.without(["open_smile", "closed_smile"]), {})[0]
    assert certain_doubts(e.without(["open_smile"]), {}) == []
    assert "no brow raise" in certain_doubts(e.without(["brow_raise"]), {})[0]
    swapped = certain_doubts(e, {"snarl": ("brow_raise", 0.99), "open_smile": ("closed_smile", 0.99)})
    assert len(swapped) == 1
    assert "snarl looks like brow_raise (99%)" in swapped[0]
    assert certain_doubts(e, {"snarl": ("brow_raise", 0.5)}) == []


def test_children_and_both_sides() -> None:
    e = exam(208)
    assert "7 years old" in certain_doubts(replace(e, facts={"age_years": 7}), {})[0]
    assert "both sides" in certain_doubts(replace(e, facts={"affected_side": "both"}), {})[0]
