"""To and from trimesh and pyvista: the same vertices in the same order, with colours, results and landmarks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import face3d
from face3d.errors import ScanError
from face3d.measuring.analysis import Analysis
from face3d.scan import FaceScan

trimesh = pytest.importorskip("trimesh")
pyvista = pytest.importorskip("pyvista")


@pytest.fixture
def soup() -> FaceScan:
    """A scan that libraries like to tidy up: doubled vertices, an unused one, a triangle without area."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(-90, 90, (60, 3)), [[0.0, 0.0, 0.0]]])
    points[30:40] = points[:10]
    faces = np.concatenate([rng.permutation(60).reshape(-1, 3), [[0, 30, 1]]])
    colors = rng.integers(0, 256, (61, 3), np.uint8)
    results = {
        "asymmetry_mm": np.where(np.arange(61) % 7, rng.normal(size=61), np.nan),
        "way": rng.normal(size=(61, 3)),
    }
    return FaceScan(points, faces, {"prn": points[3]}, colors, name="soup", units_note="mm: as given", values=results)


@pytest.mark.parametrize("there, back", [("to_trimesh", "from_trimesh"), ("to_pyvista", "from_pyvista")])
def test_there_and_back_loses_nothing(soup: FaceScan, there: str, back: str) -> None:
    again = getattr(face3d, back)(getattr(face3d, there)(soup), units="mm")
    assert np.array_equal(again.vertices, soup.vertices) and np.array_equal(again.faces, soup.faces)
    assert again.colors is not None and np.array_equal(again.colors, soup.colors)
    assert np.array_equal(again.landmarks["prn"], soup.landmarks["prn"])
    assert set(again.values) == set(soup.values)
    for name, values in soup.values.items():
        assert np.array_equal(again.values[name], values, equal_nan=True)


@pytest.mark.parametrize("there, back", [("to_trimesh", "from_trimesh"), ("to_pyvista", "from_pyvista")])
def test_clouds_too(soup: FaceScan, there: str, back: str) -> None:
    cloud = FaceScan(soup.vertices, colors=soup.colors)
    again = getattr(face3d, back)(getattr(face3d, there)(cloud), units="mm")
    assert np.array_equal(again.vertices, cloud.vertices) and not len(again.faces)
    assert again.colors is not None and np.array_equal(again.colors, cloud.colors)


def test_results_of_an_analysis_go_along(dome: Analysis) -> None:
    mesh: Any = face3d.to_trimesh(dome)  # a mesh or a cloud; here a mesh
    poly = face3d.to_pyvista(dome)
    for name, values in dome.vertex_results.items():
        assert np.array_equal(mesh.vertex_attributes[name], values, equal_nan=True)
        assert np.array_equal(np.asarray(poly.point_data[name]), values, equal_nan=True)


def test_units_are_said_or_found(soup: FaceScan) -> None:
    metres = trimesh.Trimesh(soup.vertices / 1000.0, soup.faces, process=False)
    assert np.allclose(face3d.from_trimesh(metres).vertices, soup.vertices)  # by the size of a head
    metres.units = "inches"
    assert np.allclose(face3d.from_trimesh(metres).vertices, 25.4 * soup.vertices / 1000.0)  # the mesh says it
    assert np.allclose(face3d.from_trimesh(metres, units="m").vertices, soup.vertices)  # the caller knows better
    assert np.allclose(face3d.from_pyvista(pyvista.PolyData(soup.vertices / 10.0), units="cm").vertices, soup.vertices)


def test_polygons_become_triangles_and_what_is_no_surface_is_named(soup: FaceScan) -> None:
    square = pyvista.PolyData(np.array([[0, 0, 0], [90, 0, 0], [90, 90, 0], [0, 90, 0]], float), [4, 0, 1, 2, 3])
    scan = face3d.from_pyvista(square, units="mm")
    assert len(scan.vertices) == 4 and len(scan.faces) == 2
    with pytest.raises(ScanError, match="extract_surface"):
        face3d.from_pyvista(pyvista.ImageData(dimensions=(3, 3, 3)))  # type: ignore[arg-type]
    with pytest.raises(ScanError, match="to_geometry"):
        face3d.from_trimesh(trimesh.Scene())  # type: ignore[arg-type]


def test_values_of_other_vertices_do_not_stay(soup: FaceScan) -> None:
    assert not soup.replace(vertices=soup.vertices[:60], faces=soup.faces[:-1], colors=None).values
    assert set(soup.replace(name="other").values) == set(soup.values)
    with pytest.raises(ScanError, match="shape"):
        FaceScan(soup.vertices, values={"short": np.zeros(3)})
