"""Naming of expressions: what must hold of any weights, and what the shipped ones reach."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import WeightsError
from face3d.grading import naming
from face3d.grading.example import MOVEMENTS, POINTS, SCANS, Example, mirrored
from face3d.grading.grid import MARKS, Grid, grid_of
from face3d.grading.naming import Namer, assigned, expressions_shown, shape_of
from face3d.template.template import FaceTemplate


@pytest.fixture(scope="module")
def template() -> FaceTemplate:
    return FaceTemplate.load()


@pytest.fixture(scope="module")
def grid(template: FaceTemplate) -> Grid:
    return grid_of(template)


#: expression -> movement units by part of their names, of the ARKit-named set
_MOVED = {
    "brow_raise": ("browOuterUp", "browInnerUp"),
    "gentle_eye_closure": ("eyeBlink",),
    "tight_eye_closure": ("eyeBlink", "eyeSquint", "cheekSquint"),
    "closed_smile": ("mouthSmile",),
    "open_smile": ("mouthSmile", "mouthUpperUp"),
    "snarl": ("noseSneer",),
    "lip_pucker": ("mouthPucker",),
    "lower_lip_depression": ("mouthLowerDown", "mouthStretch"),
    "cheek_puff": ("cheekPuff",),
}


def patient(template: FaceTemplate, grid: Grid, ill: float = 1.0, seed: int = 0) -> Example:
    """An exam whose right side keeps the share `ill` of its movement; 0.2 mm of noise at the nodes."""
    rng = np.random.default_rng(seed)
    moves = np.zeros((len(MOVEMENTS), len(template.vertices), 3))
    for k, name in enumerate(MOVEMENTS):
        for u, unit in enumerate(template.units):
            if any(unit.lower().startswith(part.lower()) for part in _MOVED[name]):
                moves[k] += template.left[u] + ill * template.right[u]
    at_nodes = np.stack([grid.means(m) for m in moves]) + rng.normal(0, 0.2, (9, len(grid.nodes), 3))
    n, marks = len(grid.nodes), len(MARKS)
    return Example(
        grid.positions,
        np.zeros((n, 3)),
        at_nodes,
        np.zeros((marks, 3)),
        np.zeros((9, marks, 3)),
        np.zeros((10, 4, 2)),
        np.zeros((10, 4, 2)),
        np.zeros((10, 6)),
        np.zeros((10, POINTS, 6)),
        {},
    )


def swapped(e: Example, a: int, b: int) -> Example:
    at = np.concatenate([e.rest[None], e.rest[None] + e.moves])
    at[[a, b]] = at[[b, a]]
    return replace(e, rest=at[0], moves=at[1:] - at[0])


@pytest.fixture(scope="module")
def namer(template: FaceTemplate, grid: Grid) -> Namer:
    """Nearest mean shape of these very patients: knows them, so that only the reasoning is tested."""
    e = patient(template, grid)
    still = np.zeros((1, 3 * (grid.pairs + len(grid.nodes) - 2 * grid.pairs)))
    shapes = np.concatenate([still, shape_of(e.rest, e.rest + e.moves, grid)])
    return Namer(40 * shapes.T, -20 * (shapes**2).sum(axis=1))


def test_shape_does_not_see_the_heads_motion_nor_the_side(template: FaceTemplate, grid: Grid) -> None:
    e = patient(template, grid, 0.2)
    there = e.rest + e.moves
    shape = shape_of(e.rest, there, grid)
    turned = RigidTransform.from_components([5.0, -3.0, 9.0], Rotation.from_euler("xyz", [9, -7, 4], degrees=True))
    again = shape_of(e.rest, turned.apply(there.reshape(-1, 3)).reshape(there.shape), grid)
    assert np.abs(again - shape).max() < 1e-9
    m = mirrored(e, grid)
    assert np.abs(shape_of(m.rest, m.rest + m.moves, grid) - shape).max() < 1e-9
    assert np.abs(shape_of(e.rest, e.rest, grid)).max() < 1e-9


def test_what_was_not_seen_counts_as_no_movement(template: FaceTemplate, grid: Grid) -> None:
    e = patient(template, grid)
    there = e.rest + e.moves[0]
    there[-5:] = np.nan
    shape = shape_of(e.rest, there, grid).reshape(-1, 3)
    assert np.isfinite(shape).all() and not shape[-5:].any() and shape[:-5].any()


def test_scans_are_named_and_swaps_seen(template: FaceTemplate, grid: Grid, namer: Namer) -> None:
    e = patient(template, grid, seed=1)
    found = expressions_shown(e, namer)
    assert all(looks == label and p > 0.9 for label, (looks, p) in found.items()) and tuple(found) == SCANS
    found = expressions_shown(swapped(e, 1, 6), namer)
    assert found["brow_raise"][0] == "snarl" and found["snarl"][0] == "brow_raise"
    found = expressions_shown(swapped(e, 0, 5), namer)  # movements all go the wrong way, and the rest scan smiles
    assert found["rest"][0] == "open_smile" and found["open_smile"][0] == "rest" and found["rest"][1] > 0.9
    assert found["brow_raise"][0] == "brow_raise"


def test_scans_that_nobody_named_are_assigned(template: FaceTemplate, grid: Grid, namer: Namer) -> None:
    e = patient(template, grid, 0.5, seed=2)
    order = np.random.default_rng(0).permutation(10)
    at = np.concatenate([e.rest[None], e.rest[None] + e.moves])[order]
    shuffled = replace(e, rest=at[0], moves=at[1:] - at[0])
    assert assigned(shuffled, namer) == {SCANS[k]: SCANS[int(true)] for k, true in enumerate(order)}


def test_scans_that_are_not_there_are_not_named(template: FaceTemplate, grid: Grid, namer: Namer) -> None:
    e = patient(template, grid).without(["snarl", "cheek_puff"])
    assert set(expressions_shown(e, namer)) == set(SCANS) - {"snarl", "cheek_puff"}
    assert set(assigned(e, namer)) == set(expressions_shown(e, namer))


def test_shipped_weights_name_movements_of_the_template(template: FaceTemplate, grid: Grid) -> None:
    """Full movements of the units, healthy and half palsied; degrees of one movement count as the same."""
    degree = {"tight_eye_closure": "gentle_eye_closure", "closed_smile": "open_smile"}
    for ill in (1.0, 0.1):
        found = expressions_shown(patient(template, grid, ill))
        right = [degree.get(label, label) == degree.get(looks, looks) for label, (looks, _) in found.items()]
        assert sum(right) >= 9


def test_altered_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda text: {"sha256": "0" * 64})
    with pytest.raises(WeightsError, match=r"naming\.npz"):
        naming.shipped_namer.__wrapped__()
