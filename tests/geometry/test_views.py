"""Rendering by ray casting, against a sphere and a plane, whose pictures are known."""

import numpy as np
import pytest

from face3d.errors import ScanError
from face3d.geometry.views import Surface, View, blurred, bridged, lifted, looking, mended, shaded, smoothed

RADIUS = 60.0


def sphere(rings: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """A latitude-longitude sphere about (10, -20, 30), outside counter-clockwise."""
    lat, lon = np.meshgrid(np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, 2 * rings), indexing="ij")
    v = np.stack([np.sin(lat) * np.cos(lon), np.cos(lat), np.sin(lat) * np.sin(lon)], axis=-1)
    i = np.arange(v[..., 0].size).reshape(lat.shape)
    a, b, c, d = i[:-1, :-1].ravel(), i[1:, :-1].ravel(), i[1:, 1:].ravel(), i[:-1, 1:].ravel()
    return RADIUS * v.reshape(-1, 3) + [10, -20, 30], np.concatenate([np.stack([a, c, b], 1), np.stack([a, d, c], 1)])


def view(size: tuple[int, int] = (128, 96)) -> View:
    return looking([0.3, 0.2, 1.0], [0, 1, 0], [10, -20, 30], 140.0, size)


def test_sphere_has_the_depth_normals_and_outline_of_a_sphere():
    surface = Surface(*sphere())
    seen, v = surface.see(view()), view()
    away = np.linalg.norm(v.grid() - v.centre, axis=-1)
    inside = away < 0.9 * RADIUS
    # The facets' sagitta: 60 mm x (1 - cos(half of 2.3 degrees)) = 0.012 mm straight on, 1 / cos of that at a slant.
    assert np.abs(seen.depth - np.sqrt(np.maximum(RADIUS**2 - away**2, 0)))[inside].max() < 0.06
    assert not np.isfinite(seen.depth[away > RADIUS]).any() and (seen.faces[away > RADIUS] == -1).all()
    radial = (seen.points - v.centre) / np.linalg.norm(seen.points - v.centre, axis=-1, keepdims=True)
    assert ((seen.normals * radial).sum(axis=-1)[inside] > np.cos(np.radians(1.5))).all()
    assert not seen.inside.any()


def test_pixels_and_grid_are_inverse():
    v = view()
    y, x = np.mgrid[: v.size[1], : v.size[0]]
    assert np.allclose(v.pixels(v.grid()), np.stack([x, y], axis=-1), atol=1e-9)


def test_lifted_points_lie_under_their_pixels():
    surface, v = Surface(*sphere()), view()
    pixels = np.array([[60.3, 40.7], [70.0, 50.0], [1.0, 1.0], [-5.0, 50.0]])
    points = lifted(pixels, surface.see(v))
    assert np.allclose(v.pixels(points[:2]), pixels[:2], atol=1e-6)
    assert np.abs(np.linalg.norm(points[:2] - v.centre, axis=1) - RADIUS).max() < 0.05
    assert np.isnan(points[2:]).all()


def test_a_shell_from_behind_is_inside_and_dark():
    vertices, faces = sphere()
    surface, v = Surface(vertices, faces[:, ::-1]), view()
    seen = surface.see(v)
    assert seen.inside[np.isfinite(seen.depth)].all()
    bright = shaded(Surface(vertices, faces).see(v), v)
    assert shaded(seen, v).max() < 0.2 * bright.max()
    assert np.isnan(lifted(np.array([[64.0, 48.0]]), seen)).all()


def test_brightest_where_the_lamp_shines():
    v = view()
    picture = shaded(Surface(*sphere()).see(v), v, light=(1.0, 0.0, 1.0))[..., 0]
    assert picture[48, 100] > picture[48, 28] + 50


def test_vertex_values_are_interpolated():
    vertices, faces = sphere()
    surface = Surface(vertices, faces)
    seen = surface.see(view())
    hit = np.isfinite(seen.depth)
    assert np.allclose(surface.interpolate(seen, vertices)[hit], seen.points[hit], atol=1e-3)  # single-precision rays


def test_blurring_takes_noise_off_the_shading_only():
    vertices, faces = sphere()
    noisy = vertices + np.random.default_rng(0).normal(0, 0.2, vertices.shape)
    clean, seen = Surface(vertices, faces).see(view()), Surface(noisy, faces).see(view())
    soft = blurred(seen, view(), 4.0)
    middle = np.s_[24:72, 40:88]
    off = [np.abs(shaded(s, view())[middle].astype(float) - shaded(clean, view())[middle]).mean() for s in (seen, soft)]
    assert off[1] < 0.5 * off[0]
    assert np.array_equal(soft.points, seen.points, equal_nan=True)


def test_smoothing_keeps_a_plane_and_unknown_pixels():
    y, x = np.mgrid[:60, :60].astype(float)
    plane = 2.0 * x - y
    plane[10:14, 10:14] = np.nan
    out = smoothed(plane, 2.0)
    assert np.isnan(out[10:14, 10:14]).all() and np.isfinite(out).sum() == np.isfinite(plane).sum()
    assert np.allclose(out[25:40, 25:40], plane[25:40, 25:40], atol=1e-9)


def test_holes_are_bridged_and_edges_are_not():
    y, x = np.mgrid[:80, :80].astype(float)
    plane = 0.5 * x + 0.2 * y
    holed = plane.copy()
    holed[38:43, 38:43] = np.nan
    holed[:, 70:] = np.nan
    out = bridged(holed, 6.0)
    assert (
        np.abs(out[38:43, 38:43] - plane[38:43, 38:43]).max() < 1.3
    )  # what a plane rises over one sigma: one-sided means
    assert np.isnan(out[:, 72:]).all()  # half the smaller Gaussian's sigma may be gained
    assert np.array_equal(out[np.isfinite(holed)], holed[np.isfinite(holed)])


def test_a_holed_sphere_is_mended():
    vertices, faces = sphere()
    v = view()
    whole = Surface(vertices, faces).see(v)
    toward = (vertices - v.centre) @ v.axes[2] / RADIUS
    holed = Surface(vertices, faces[(toward[faces] < 0.9985).all(axis=1)])  # 3.3 mm in radius
    seen = holed.see(v)
    # The far wall shows through the hole as an inside; a scan is open there.
    front = Surface(vertices, faces[((toward[faces] < 0.9985) & (toward[faces] > 0)).all(axis=1)]).see(v)
    assert seen.inside.any() and not front.inside.any()
    again = mended(front, v)
    near = np.linalg.norm(v.grid() - v.centre, axis=-1) < 6.0
    hole = near & ~np.isfinite(front.depth) & np.isfinite(again.depth)
    assert hole.sum() > 20
    assert np.abs(again.depth - whole.depth)[hole].max() < 0.8  # a mean over 6 mm lies 6^2 / 60 = 0.6 mm deep


def test_no_faces_is_an_error():
    with pytest.raises(ScanError, match="no faces"):
        Surface(np.zeros((3, 3)), np.empty((0, 3), int))
    with pytest.raises(ScanError, match="parallel"):
        looking([0, 1, 0], [0, 2, 0], [0, 0, 0], 10.0)
