"""The template is exactly symmetric, and what hangs on it is too."""

from __future__ import annotations

import numpy as np
import pytest

from face3d.landmarks import opposite_name
from face3d.template.template import FaceTemplate


@pytest.fixture(scope="module")
def template() -> FaceTemplate:
    return FaceTemplate.load()


def test_opposite_is_an_involution_and_the_mirror_image_is_the_template(template: FaceTemplate) -> None:
    assert np.array_equal(template.opposite[template.opposite], np.arange(len(template.vertices)))
    assert np.array_equal(template.reflected(template.vertices), template.vertices)


def test_faces_map_to_faces_in_the_mirror(template: FaceTemplate) -> None:
    own = {tuple(sorted(f)) for f in template.faces.tolist()}
    assert {tuple(sorted(f)) for f in template.opposite[template.faces].tolist()} == own


def test_size_is_that_of_a_face(template: FaceTemplate) -> None:
    assert 5000 <= len(template.vertices) <= 8500
    width, height, _ = np.ptp(template.vertices, axis=0)
    assert 120 < width < 175 and 160 < height < 230


def test_bases_have_their_parity(template: FaceTemplate) -> None:
    assert np.array_equal(template.reflected(template.identity), template.identity)
    assert np.array_equal(template.reflected(template.asymmetry), -template.asymmetry)
    assert np.array_equal(template.reflected(template.left), template.right)
    assert np.array_equal(template.even[template.opposite], template.even)
    assert np.array_equal(template.odd[template.opposite], -template.odd)


def test_modes_are_orthonormal_over_the_area(template: FaceTemplate) -> None:
    gram = template.even[:, :40].T @ (template.area[:, None] * template.even[:, :40])
    # Stored in half precision (3 digits); the template's area is rounded with it.
    assert np.abs(gram - np.eye(40)).max() < 0.02


def test_left_units_move_the_left_side(template: FaceTemplate) -> None:
    side = template.vertices[:, 0] > 12
    for name, move, whole in zip(template.units, template.left, template.whole, strict=True):
        size = np.linalg.norm(move, axis=1)
        if not whole and "Side" not in name:
            assert size[side].sum() > 2 * size[side[template.opposite]].sum(), name


def test_landmarks_pair_up(template: FaceTemplate) -> None:
    points = template.landmark_points(template.vertices)
    assert {"en_left", "ex_right", "ch_left", "prn"} <= set(points)
    for name, point in points.items():
        assert np.abs(points[opposite_name(name)] * (-1, 1, 1) - point).max() < 2.0, name


def test_movements_of_one_author_only() -> None:
    assert not any("-" in name for name in FaceTemplate.load("a").units)
    assert all("-" in name or name.islower() for name in FaceTemplate.load("b").units)
    with pytest.raises(ValueError, match="movement is 'c'"):
        FaceTemplate.load("c")
