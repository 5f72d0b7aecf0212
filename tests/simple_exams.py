"""Exams made in a moment: two movement units of the template, weaker on one side by a known share."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from face3d.grading.example import MOVEMENTS, POINTS, SCANS, Example, Labels
from face3d.grading.grid import MARKS, Grid, grid_of
from face3d.template.template import FaceTemplate

#: expression -> unit that makes it, on the template's left and right
UNITS = dict.fromkeys(MOVEMENTS, "mouthSmile") | {"brow_raise": "browInnerUp", "snarl": "noseSneer"}


@lru_cache(maxsize=1)
def grid() -> Grid:
    return grid_of(FaceTemplate.load())


@lru_cache(maxsize=1)
def _parts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each expression what the left and right unit do: at the grid's nodes, at landmarks, on all vertices."""
    template = FaceTemplate.load()
    units = [template.units.index(UNITS[name]) for name in MOVEMENTS]
    sides = np.stack([template.left[units], template.right[units]], axis=1)  # (E, 2, V, 3)
    nodes = np.stack([[grid().means(s) for s in pair] for pair in sides])
    marks = np.array(
        [
            [[weights @ side[ids] for ids, weights in (template.landmarks[m] for m in MARKS)] for side in pair]
            for pair in sides
        ]
    )
    return nodes, marks, sides


def simple_exam(number: int, side: str = "left", function: float = 0.5, noise: float = 0.05) -> Example:
    """Subject `number`; `function` 0..1 of all regions is left on the affected `side`."""
    rng = np.random.default_rng(number)
    template = FaceTemplate.load()
    nodes, marks, whole = _parts()
    share = np.array([function if side == "left" else 1.0, function if side == "right" else 1.0])
    strength = rng.uniform(0.7, 1.3, len(MOVEMENTS))[:, None] * share
    moves = np.einsum("es,esnk->enk", strength, nodes) + rng.normal(0, noise, (len(MOVEMENTS), len(grid().nodes), 3))
    mark_moves = np.einsum("es,eslk->elk", strength, marks) + rng.normal(0, noise, (len(MOVEMENTS), len(MARKS), 3))
    units = np.zeros((len(SCANS), len(template.units), 2))
    for k, name in enumerate(MOVEMENTS):
        units[1 + k, template.units.index(UNITS[name])] = strength[k]
    chosen = rng.choice(len(template.vertices), POINTS)
    faces = template.vertices + np.concatenate(
        [np.zeros((1, *template.vertices.shape)), np.einsum("es,esnk->enk", strength, whole)]
    )
    points = np.concatenate([faces[:, chosen], np.tile([0.0, 0.0, 1.0], (len(SCANS), POINTS, 1))], axis=2)
    at = template.landmark_points(template.vertices)
    lost = 0.0 if side == "none" else 1.0 - function
    grade = 1 + sum(lost > cut for cut in (0.03, 0.25, 0.5, 0.75, 0.97))
    labels = Labels(
        grade,
        side,
        lost,
        (1.0 - lost,) * 5,
        (0.0, 0.0, 0.0),
        (1 + 4 * (1 - lost),) * 5,
        (0.0,) * 5,
        20 * (1 + 4 * (1 - lost)),
    )
    example = Example(
        grid().positions,
        np.tile([0.0, 0.0, 1.0], (len(grid().nodes), 1)),
        moves,
        np.array([at[m] for m in MARKS]),
        mark_moves,
        units,
        np.full_like(units, 0.05),
        np.zeros((len(SCANS), 6)),
        points,
        {},
        labels,
        {"subject": f"s{number:03d}"},
    )
    return replace(example, **{k: getattr(example, k).astype(np.float32) for k in ("moves", "mark_moves", "points")})


def simple_exams(count: int, first: int = 0) -> list[Example]:
    """Sides and functions in turn."""
    sides, functions = ("left", "right", "none"), (0.0, 0.2, 0.4, 0.6, 0.8, 0.9)
    return [simple_exam(first + k, sides[k % 3], functions[k // 3 % 6]) for k in range(count)]
