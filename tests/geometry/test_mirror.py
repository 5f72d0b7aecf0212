"""Mirroring is reflect + relabel + invert winding, its own inverse, in any plane."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from face3d.geometry.mirror import mirrored, reflect
from face3d.scan import FaceScan

# A tetrahedron, wound counter-clockwise seen from outside: its signed volume is +1/6.
SCAN = FaceScan(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]],
    [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]],
    {"en_left": [1, 0, 0], "prn": [0, 0, 1]},
)
unit = st.floats(-1, 1, allow_nan=False)


def volume(scan: FaceScan) -> float:
    return float(np.linalg.det(scan.vertices[scan.faces]).sum() / 6)


def test_mirror_across_x_relabels_and_keeps_outside_outside():
    image = mirrored(SCAN)
    assert np.array_equal(image.vertices, SCAN.vertices * [-1, 1, 1])
    assert set(image.landmarks) == {"en_right", "prn"}
    assert np.array_equal(image.landmarks["en_right"], [-1, 0, 0])
    assert np.isclose(volume(SCAN), 1 / 6) and np.isclose(volume(image), 1 / 6)


@given(normal=st.tuples(unit, unit, unit).filter(lambda n: np.linalg.norm(n) > 0.1), point=st.tuples(unit, unit, unit))
def test_twice_in_any_plane_is_the_identity_and_distances_are_kept(normal, point):
    image = mirrored(SCAN, normal, point)
    twice = mirrored(image, normal, point)
    assert np.abs(twice.vertices - SCAN.vertices).max() < 1e-12
    assert twice.landmarks.keys() == SCAN.landmarks.keys() and np.array_equal(twice.faces, SCAN.faces)

    def edges(scan):
        return np.linalg.norm(scan.vertices[:, None] - scan.vertices[None], axis=-1)

    assert np.abs(edges(image) - edges(SCAN)).max() < 1e-12
    middle = (reflect(SCAN.vertices, normal, point) + SCAN.vertices) / 2 - point
    assert np.abs(middle @ np.asarray(normal)).max() < 1e-12
