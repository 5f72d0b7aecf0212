"""Triangles wound against their neighbours are found, whatever share of a surface they are."""

import numpy as np
import pytest

from analytic_face import face
from face3d.geometry.winding import against, outward
from face3d.scan import Floats, Ints


def vectors(vertices: Floats, faces: Ints) -> Floats:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def turned(faces: Ints, which: np.ndarray) -> Ints:
    return np.where(which[:, None], faces[:, ::-1], faces)


def found(vertices: Floats, faces: Ints) -> np.ndarray:
    return against(vertices, faces, vectors(vertices, faces))


@pytest.fixture(scope="module")
def skin() -> tuple[Floats, Ints]:
    scan = face(0, count=4000)
    assert not found(scan.vertices, scan.faces).any()
    return scan.vertices, scan.faces


@pytest.mark.parametrize("share", [0.001, 0.1, 0.33, 0.5, 0.7])
def test_any_share_of_triangles(skin: tuple[Floats, Ints], share: float):
    vertices, faces = skin
    which = np.random.default_rng(1).random(len(faces)) < share
    wrong = found(vertices, turned(faces, which))
    # The majority is right; near one half it is what faces outwards.
    assert np.array_equal(wrong, which if share < 0.6 else ~which)


def test_one_side_of_the_face(skin: tuple[Floats, Ints]):
    """A half that was mirrored by a modelling program: its triangles agree with each other, not with the other half."""
    vertices, faces = skin
    left = vertices[faces].mean(axis=1)[:, 0] > 0
    assert np.array_equal(found(vertices, turned(faces, left)), left)


def test_separate_parts_keep_their_own_majority(skin: tuple[Floats, Ints]):
    """A small hollow beside the face (the inside of a mouth) faces its own middle, and stays so."""
    vertices, faces = skin
    hollow, n = vertices * [0.1, 0.1, -0.1] + [0, -60, 0], len(vertices)  # mirrored in z: wound to its inside
    both, triangles = np.concatenate([vertices, hollow]), np.concatenate([faces, faces + n])
    which = np.random.default_rng(2).random(len(triangles)) < 0.1
    assert np.array_equal(found(both, turned(triangles, which)), which)


def test_what_no_winding_can_satisfy_keeps_its_seam():
    """A Moebius strip, and a face with a twisted strip from lip to lip: no region is turned for their sake."""
    n = 60
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    rim = [np.stack([(50 + s * np.cos(t / 2)) * np.cos(t), (50 + s * np.cos(t / 2)) * np.sin(t), s * np.sin(t / 2)], 1)
           for s in (-10.0, 10.0)]  # fmt: skip
    k = np.arange(n - 1)
    strip = np.concatenate([np.stack([k, k + 1, k + n], 1), np.stack([k + 1, k + 1 + n, k + n], 1)])
    twist = [[n - 1, n, 2 * n - 1], [n, 0, 2 * n - 1]]  # the last joins the first turned over
    vertices, faces = np.concatenate(rim), np.concatenate([strip, twist])
    assert found(vertices, faces).sum() <= len(twist)


def test_a_dome_faces_outwards_and_a_wall_nowhere(skin: tuple[Floats, Ints]):
    vertices, faces = skin
    vector, one = vectors(vertices, faces), np.zeros(len(faces), np.int64)
    assert outward(vertices, faces, vector, one)[0] > 0.5 > -0.5 > outward(vertices, faces, -vector, one)[0]
    wall = vertices * [8, 8, 0.0] - [0, 0, 900.0]  # it faces the camera, as it should
    both, n = np.concatenate([vertices, wall]), len(vertices)
    triangles = np.concatenate([faces, faces + n])
    part = np.repeat([0, 1], len(faces))
    assert outward(both, triangles, vectors(both, triangles), part)[0] > 0.1
