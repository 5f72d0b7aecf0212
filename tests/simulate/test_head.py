"""The head model: exact symmetry, one mesh for every shape, movements that stay on their side."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from face3d.simulate import HeadModel
from face3d.simulate.head import reflected

SETS = ("a", "b")
LEVELS = ("base", "fine")


@pytest.fixture(params=[(m, level) for m in SETS for level in LEVELS], ids="-".join)
def model(request: pytest.FixtureRequest) -> HeadModel:
    return HeadModel.load(*request.param)


def test_pairing_is_an_involution_that_maps_the_mesh_onto_itself(model: HeadModel) -> None:
    n = len(model.vertices)
    assert np.array_equal(model.opposite[model.opposite], np.arange(n))
    assert np.array_equal(reflected(model.vertices, model.opposite), model.vertices)
    faces = {tuple(np.roll(f, -int(np.argmin(f)))) for f in model.faces}
    mirror = {tuple(np.roll(f, -int(np.argmin(f)))) for f in model.opposite[model.faces][:, ::-1]}
    assert faces == mirror


def test_midline_is_in_the_plane(model: HeadModel) -> None:
    middle = model.opposite == np.arange(len(model.vertices))
    assert middle.sum() > 50
    assert np.abs(model.vertices[middle, 0]).max() == 0
    assert np.abs(model.identity[:, middle, 0]).max() == 0


def test_right_movements_are_the_mirror_image_of_the_left(model: HeadModel) -> None:
    assert np.array_equal(reflected(model.left, model.opposite), model.right)
    assert np.allclose(reflected(model.identity, model.opposite), model.identity, atol=0)
    assert np.allclose(reflected(model.asymmetry, model.opposite), -model.asymmetry, atol=1e-12)


def test_swapping_sides_mirrors_the_face(model: HeadModel) -> None:
    rng = np.random.default_rng(3)
    identity, odd = rng.normal(size=len(model.identity)), 0.3 * rng.normal(size=len(model.asymmetry))
    left, right = rng.uniform(0, 1, (2, len(model.units))) * 0.4
    one = model.shape(identity, odd, left, right)
    other = model.shape(identity, -odd, right, left)
    assert np.abs(reflected(one, model.opposite) - other).max() < 1e-9


def test_origin_is_between_the_inner_eye_corners(model: HeadModel) -> None:
    rng = np.random.default_rng(4)
    for _ in range(3):
        points = model.landmark_points(model.shape(identity=rng.normal(size=len(model.identity))))
        middle = (points["en_left"] + points["en_right"]) / 2
        # Stored displacements are rounded to 0.005 mm: a few dozen components move the origin by hundredths at most.
        assert np.abs(middle).max() < 0.1


def test_left_is_the_subjects_left(model: HeadModel) -> None:
    points = model.landmark_points(model.vertices)
    assert all(points[n][0] > 5 for n in points if n.endswith("_left"))
    assert points["prn"][2] > 20
    assert points["g"][1] > 0 > points["gn"][1]


def test_survives_pickling() -> None:
    model = HeadModel.load()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(
        again.shape(left=np.ones(len(model.units)) * 0.2), model.shape(left=np.ones(len(model.units)) * 0.2)
    )
    assert not again.vertices.flags.writeable


def test_fine_level_is_dense_as_a_scan() -> None:
    assert len(HeadModel.load(level="fine").vertices) >= 15_000
