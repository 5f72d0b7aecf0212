"""Tone against painted planes: a stripe is where it is, exposure and soft light drop out; the fit carries it."""

from __future__ import annotations

import numpy as np
import pytest

from face3d.geometry.elements import Surfels
from face3d.geometry.skin_tone import vertex_tone
from face3d.scan import FaceScan, Texture
from face3d.simulate import HeadModel, draw_skin, scan_face
from face3d.template.fit import fit_template


def plane(gain: float = 1.0, light: float = 0.0) -> FaceScan:
    """An 80 mm square in 1 mm triangles with a dark stripe, 8 mm wide, soft-edged, along y at x = 40 mm."""
    n = 81
    x, y = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    k = np.arange(n * n).reshape(n, n)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    dark = 0.6 / (1 + np.exp((np.abs(x.ravel() - 40.0) - 4.0) / 0.6))
    grey = 180.0 * gain * (1 - dark) * (1 + light * (x.ravel() - 40.0) / 40.0)
    colors = np.repeat(np.rint(grey)[:, None], 3, axis=1).astype(np.uint8)
    vertices = np.column_stack([x.ravel(), y.ravel(), 0 * x.ravel()]).astype(np.float64)
    return FaceScan(vertices, np.vstack([np.c_[a, b, c], np.c_[a, c, d]]), colors=colors)


def test_a_stripe_is_dark_and_its_edges_slope() -> None:
    surfels = Surfels.of(plane())
    assert surfels.tone_fields is not None
    fine = surfels.tone_fields[1]
    x = surfels.points[:, 0]
    inside, beside = np.abs(x - 40) < 2, np.abs(np.abs(x - 40) - 12) < 2
    assert fine.values[beside].mean() - fine.values[inside].mean() > 0.4  # log of 0.4 is -0.9, blurred by 2.5 mm
    left, right = np.abs(x - 36) < 1.5, np.abs(x - 44) < 1.5
    assert fine.slopes[left, 0].mean() < -0.05 and fine.slopes[right, 0].mean() > 0.05
    assert np.abs(fine.slopes[:, 1:]).mean() < 0.01
    # A step along the slope is foretold.
    near = surfels.tree.query(surfels.points[left] + (1.0, 0, 0))[1]
    apart = surfels.points[near] - surfels.points[left]
    assert np.abs(fine.at(np.flatnonzero(left), apart) - fine.values[near]).mean() < 0.05


@pytest.mark.parametrize(("gain", "light"), [(0.7, 0.0), (1.0, 0.3)])
def test_exposure_and_soft_light_drop_out(gain: float, light: float) -> None:
    one, other = (Surfels.of(scan).tone_fields for scan in (plane(), plane(gain, light)))
    assert one is not None and other is not None
    inner = np.abs(Surfels.of(plane()).points[:, :2] - 40).max(axis=1) < 25
    assert np.abs(one[1].values - other[1].values)[inner].max() < 0.04


def test_a_texture_counts_as_colours_and_nothing_as_none() -> None:
    scan = plane()
    image = np.zeros((2, 2, 3), np.uint8)
    image[:, :, 1] = [[100, 100], [200, 200]]  # the upper row is dark
    uv = np.full((len(scan.faces), 3, 2), 0.1)
    bare = scan.replace(colors=None)
    assert vertex_tone(bare) is None and Surfels.of(bare).tone_fields is None
    tone = vertex_tone(bare.replace(texture=Texture(image, uv)))
    assert tone is not None and np.allclose(tone, np.log(200.0))


@pytest.mark.slow
def test_colours_show_a_brow_that_slid() -> None:
    head = HeadModel.load("b", "fine")
    rng = np.random.default_rng(5)
    left = np.zeros(len(head.units))
    left[head.unit_index("eyebrows-up")[0]] = 0.9
    shape = head.shape(None, None, left, np.zeros(len(left)))
    scan = scan_face(head, shape, rng, points=15_000, skin=draw_skin(head, rng), pose=False).scan
    marks = {k: p + rng.normal(size=3) for k, p in head.landmark_points(shape).items()}
    brow = head.landmark_points(shape)["sci_left"][1] - head.landmark_points(shape)["sci_right"][1]
    apart = {}
    for name, one in (("colour", scan), ("grey", scan.replace(colors=None))):
        fit = fit_template(one, marks)
        points = fit.template.landmark_points(fit.vertices_mm)
        apart[name] = abs(points["sci_left"][1] - points["sci_right"][1] - brow)
        assert fit.skin is not None and (fit.skin.tone is None) == (name == "grey")
    assert apart["colour"] < max(0.8 * apart["grey"], 1.0)
