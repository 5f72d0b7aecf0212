"""Surface distance against shapes whose distances are known in closed form."""

import numpy as np
import pytest

from analytic_face import face
from face3d.geometry.distance import AWAY, CLEANED, FAR, MEASURED, RIM, mirror_distance, surface_distance
from face3d.geometry.mesh import rim_edges, vertex_areas, vertex_normals
from face3d.geometry.mirror import mirrored
from face3d.geometry.superimpose import SymmetryPlane
from face3d.scan import FaceScan

X = SymmetryPlane(np.array([1.0, 0.0, 0.0]), np.zeros(3))


def sheet(x0=0.0, x1=40.0, step=2.0, z=0.0):
    """A level square sheet facing +z."""
    x, y = np.meshgrid(np.arange(x0, x1 + step / 2, step), np.arange(0.0, 40.1, step), indexing="ij")
    rows, columns = x.shape
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    faces = np.concatenate(
        [np.c_[corner, corner + columns, corner + columns + 1], np.c_[corner, corner + columns + 1, corner + 1]]
    )
    return FaceScan(np.c_[x.ravel(), y.ravel(), np.full(x.size, z)], faces)


def sphere(radius, n=60):
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 2 * n + 1)[:-1], np.linspace(0, np.pi, n + 1)[1:-1], indexing="ij")
    points = radius * np.c_[(np.cos(u) * np.sin(v)).ravel(), (np.sin(u) * np.sin(v)).ravel(), np.cos(v).ravel()]
    rows, columns = u.shape
    i, j = (a.ravel() for a in np.meshgrid(np.arange(rows), np.arange(columns - 1), indexing="ij"))
    a, b = i * columns + j, (i + 1) % rows * columns + j
    faces = np.concatenate([np.c_[a, a + 1, b + 1], np.c_[a, b + 1, b]])
    top, bottom, ring = len(points), len(points) + 1, np.arange(rows)
    ahead = (ring + 1) % rows
    caps = [
        np.c_[np.full(rows, top), ring * columns, ahead * columns],
        np.c_[np.full(rows, bottom), ahead * columns + columns - 1, ring * columns + columns - 1],
    ]
    return FaceScan(np.vstack([points, [[0, 0, radius], [0, 0, -radius]]]), np.concatenate([faces, *caps]))


def test_height_over_a_sheet_with_its_sign():
    above = np.array([[20.3, 19.1, 1.25], [11.7, 30.9, -2.5]])
    found = surface_distance(above, sheet())
    np.testing.assert_allclose(found.signed_mm, [1.25, -2.5], atol=1e-5)
    np.testing.assert_allclose(found.distance_mm, [1.25, 2.5], atol=1e-5)
    assert (found.reason == MEASURED).all()


def test_concentric_spheres():
    inner, outer = sphere(40.0), sphere(43.0)
    # Triangles cut the corners of the sphere: sagitta of a 2.1 mm edge at 40 mm is 0.02 mm.
    np.testing.assert_allclose(surface_distance(outer.vertices, inner).signed_mm, 3.0, atol=0.05)
    np.testing.assert_allclose(surface_distance(inner.vertices, outer).signed_mm, -3.0, atol=0.05)


def test_beyond_the_rim_is_not_measured():
    points = np.array([[50.0, 20.0, 1.0], [40.5, 20.0, 0.0], [20.0, 20.0, 1.0]])
    found = surface_distance(points, sheet())
    assert found.reason.tolist() == [RIM, MEASURED, MEASURED]  # half an edge (1 mm) beyond counts as on it
    assert np.isnan(found.distance_mm[0]) and np.isnan(found.signed_mm[0])


def test_too_far_or_facing_away_is_not_measured():
    points = np.array([[20.0, 20.0, 30.0], [20.0, 20.0, 1.0]])
    assert surface_distance(points, sheet()).reason.tolist() == [FAR, MEASURED]
    backwards = np.tile([0.0, 0.0, -1.0], (2, 1))
    assert surface_distance(points, sheet(), backwards).reason.tolist() == [AWAY, AWAY]


def test_seams_and_loose_triangles_have_no_inner_rim():
    whole = sheet()
    loose = FaceScan(whole.vertices[whole.faces.ravel()], np.arange(whole.faces.size).reshape(-1, 3))
    assert rim_edges(whole.vertices, whole.faces).sum() == rim_edges(loose.vertices, loose.faces).sum() == 4 * 20
    assert surface_distance(np.array([[20.0, 20.0, 1.0]]), loose).reason[0] == MEASURED


def test_symmetric_face_lies_on_its_mirror_image():
    found = mirror_distance(face(0, count=6000), X)
    inner = np.isfinite(found.distance_mm)
    assert inner.mean() > 0.95
    # Two triangulations of one surface: 2 mm edges over the nose's ridge (radius about 3 mm) differ by tenths.
    assert np.quantile(found.distance_mm[inner], 0.95) < 0.1


def test_a_one_sided_step_is_found_with_opposite_signs():
    """A sheet whose left half stands 2 mm higher: +2 there, -2 on the other half."""
    left, right = sheet(2.0, 42.0, z=2.0), sheet(-42.0, -2.0, z=0.0)
    both = FaceScan(
        np.vstack([left.vertices, right.vertices]), np.vstack([left.faces, right.faces + len(left.vertices)])
    )
    signed = mirror_distance(both, X).signed_mm
    np.testing.assert_allclose(signed[: len(left.vertices)], 2.0, atol=1e-5)
    np.testing.assert_allclose(signed[len(left.vertices) :], -2.0, atol=1e-5)


def test_mirror_image_has_the_same_magnitudes():
    scan = face(1, count=5000, palsy=6.0)
    here, there = mirror_distance(scan, X), mirror_distance(mirrored(scan), X)
    np.testing.assert_allclose(here.distance_mm, there.distance_mm, atol=1e-4)


def test_planted_droop_is_found_where_it_is_and_nowhere_else():
    scan = face(2, count=9000, palsy=6.0)
    distance = mirror_distance(scan, X).distance_mm
    x, y = np.abs(scan.vertices[:, 0]), scan.vertices[:, 1]
    mouth = np.hypot(x - 25, y + 68) < 8
    away = (np.hypot(x - 25, y + 68) > 40) & (np.hypot(x - 38, y - 22) > 34) & np.isfinite(distance)
    # The closest point sees what leaves the surface, about half of a displacement that is mostly along it.
    assert np.nanmedian(distance[mouth]) > 1.5
    assert np.quantile(distance[away], 0.95) < 0.1


def test_coordinates_far_from_the_origin_cost_no_accuracy():
    points = np.array([[20.3, 19.1, 1.25]])
    far = sheet().replace(vertices=sheet().vertices + 1e5)
    assert surface_distance(points + 1e5, far).signed_mm[0] == pytest.approx(1.25, abs=1e-4)


def test_point_cloud_measures_to_its_tangent_planes():
    grid = sheet(0.0, 40.0, 1.0)
    bent = FaceScan(grid.vertices + np.c_[np.zeros((len(grid.vertices), 2)), -0.01 * (grid.vertices[:, 0] - 20) ** 2])
    found = surface_distance(np.array([[20.3, 19.1, 1.25], [60.0, 20.0, 0.0]]), bent)
    assert found.signed_mm[0] == pytest.approx(1.25, abs=0.02)
    assert found.reason[1] == RIM


def test_spread_marks_what_cleaning_removed():
    found = surface_distance(np.array([[20.0, 20.0, 1.0]]), sheet()).spread(np.array([-1, -1, 0, -1, 0]))
    assert found.reason.tolist() == [CLEANED, CLEANED, MEASURED, CLEANED, MEASURED]
    assert np.isnan(found.distance_mm).tolist() == [True, True, False, True, False]


def test_areas_add_up():
    assert vertex_areas(sheet()).sum() == pytest.approx(1600.0)


def test_normals_of_a_triangle_and_of_an_unused_vertex():
    n = vertex_normals(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]], float), np.array([[0, 1, 2]]))
    assert np.allclose(n, [[0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0]])


def test_normals_weigh_triangles_by_area():
    corner = np.array([[0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0, 1]], float)  # areas 1.5 and 0.5, normals z and x
    n = vertex_normals(corner, np.array([[0, 1, 2], [0, 2, 3]]))
    assert np.allclose(n[0], np.array([1, 0, 3]) / np.sqrt(10))
