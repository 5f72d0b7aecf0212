"""Doubts: what is unlike the exams that were learned on is said, with value and limit."""

from dataclasses import replace

import numpy as np
import pytest

from face3d.learn.doubts import Usual, certain_doubts
from face3d.learn.examples import MOVEMENTS, POINTS, SCANS, Example
from face3d.learn.grid import MARKS, Grid, grid_of
from face3d.template import FaceTemplate

GRID: Grid = grid_of(FaceTemplate.load())


def exam(rng: np.random.Generator, amplitude: float = 1.0, size: float = 1.0) -> Example:
    """A made-up exam: every movement is one smooth field of its own, the right side a little smaller."""
    fields = np.random.default_rng(0).normal(size=(len(MOVEMENTS), 1, 3)) * 4.0
    at = GRID.positions * size
    reach = np.where(GRID.positions[:, :1] < 0, rng.uniform(0.5, 1.0), 1.0)
    moves = amplitude * rng.uniform(0.8, 1.2) * fields * reach + 0.1 * rng.normal(size=(len(MOVEMENTS), len(at), 3))
    template = FaceTemplate.load()
    at_marks = template.landmark_points(template.vertices)
    marks = size * np.array([at_marks[name] for name in MARKS]) + 0.3 * rng.normal(size=(len(MARKS), 3))
    quality = rng.uniform(0.8, 1.2, size=(len(SCANS), 6)) * [0.1, 0.4, 0.05, 0.001, 1.0, 0.001]
    count = len(template.units)
    return Example(
        at, at, moves, marks, np.zeros((len(MOVEMENTS), len(MARKS), 3)), np.zeros((len(SCANS), count, 2)),
        np.ones((len(SCANS), count, 2)), quality, np.zeros((len(SCANS), POINTS, 6), np.float16), {},
    )  # fmt: skip


@pytest.fixture(scope="module")
def usual() -> Usual:
    rng = np.random.default_rng(1)
    return Usual.of([exam(rng) for _ in range(60)], GRID)


def test_an_exam_like_those_learned_on_raises_none(usual: Usual) -> None:
    rng = np.random.default_rng(2)
    assert [usual.doubts(exam(rng), GRID) for _ in range(5)] == [[]] * 5


def test_a_face_that_moves_on_neither_side(usual: Usual) -> None:
    said = " ".join(usual.doubts(exam(np.random.default_rng(3), amplitude=0.2), GRID))
    assert "bilateral palsy" in said
    assert "commissure, open smile" in said


@pytest.mark.parametrize(("size", "words"), [(0.6, "a child, or a wrong unit"), (2.0, "usual up to")])
def test_a_head_of_another_size(usual: Usual, size: float, words: str) -> None:
    assert words in " ".join(usual.doubts(exam(np.random.default_rng(4), size=size), GRID))


def test_a_bad_fit(usual: Usual) -> None:
    e = exam(np.random.default_rng(5))
    quality = e.quality.copy()
    quality[3, 1] = 3.0
    assert "95th percentile of the distance, mm (movements): 3.00" in " ".join(
        usual.doubts(replace(e, quality=quality), GRID)
    )


def test_movement_unlike_any(usual: Usual) -> None:
    e = exam(np.random.default_rng(6))
    assert "unlike any" in " ".join(usual.doubts(replace(e, moves=e.moves[::-1].copy()), GRID))


def test_what_is_missing_or_swapped() -> None:
    e = exam(np.random.default_rng(7))
    assert certain_doubts(e, {}) == []
    assert "no smile" in certain_doubts(e.without(["open_smile", "closed_smile"]), {})[0]
    assert certain_doubts(e.without(["open_smile"]), {}) == []
    swapped = certain_doubts(e, {"snarl": ("brow_raise", 0.99), "open_smile": ("closed_smile", 0.99)})
    assert len(swapped) == 1
    assert "snarl looks like brow_raise (99%)" in swapped[0]
    assert certain_doubts(e, {"snarl": ("brow_raise", 0.5)}) == []


def test_children_and_both_sides() -> None:
    e = exam(np.random.default_rng(8))
    assert "7 years old" in certain_doubts(replace(e, facts={"age_years": 7}), {})[0]
    assert "both sides" in certain_doubts(replace(e, facts={"affected_side": "both"}), {})[0]
