"""Facts of scans with known facts."""

import json

import numpy as np
import pytest

from face3d.io.info import info
from face3d.scan import FaceScan

TRIANGLE = np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0]])


def test_two_triangles_apart_and_a_loose_vertex() -> None:
    vertices = np.vstack([TRIANGLE, TRIANGLE + np.array([100, 0, 7]), [[0, 0, 50]]])
    facts = info(FaceScan(vertices, np.array([[0, 1, 2], [3, 4, 5]]), {"prn": np.array([1.0, 2, 3])}, name="two.ply"))
    assert (facts.vertices, facts.faces, facts.parts, facts.unreferenced) == (7, 2, 2, 1)
    assert facts.extent_mm == (103.0, 4.0, 50.0)
    assert facts.spacing_mm == 4.0
    assert facts.landmarks == ("prn",)
    assert "1 vertices belong to no triangle" in facts.to_text()
    assert json.loads(facts.to_json())["parts"] == 2


def test_a_point_cloud() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(5) * 2.0] * 3), axis=-1).reshape(-1, 3)
    facts = info(FaceScan(grid))
    assert (facts.faces, facts.parts) == (0, 0)
    assert facts.spacing_mm == pytest.approx(2.0)
    assert "a point cloud" in facts.to_text()


def test_one_point_has_no_spacing() -> None:
    facts = info(FaceScan(np.zeros((1, 3)), np.empty((0, 3), np.int64)))
    assert "nan" not in facts.to_text()
    assert json.loads(facts.to_json())["spacing_mm"] is None
