"""Asymmetry through correspondence, against planted displacements on the template itself: no fit is involved."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import RegistrationError
from face3d.scan import FaceScan, Floats
from face3d.template.asymmetry import MEASURED, OUTSIDE, UNSUPPORTED, asymmetry_map, carried, components
from face3d.template.fit import TemplateFit
from face3d.template.template import FaceTemplate

POSE = RigidTransform.from_components([30.0, -10.0, 400.0], Rotation.from_euler("yxz", [10, -5, 8], degrees=True))


@pytest.fixture(scope="module")
def template() -> FaceTemplate:
    return FaceTemplate.load("a")


def fitted(t: FaceTemplate, vertices: Floats, valid: np.ndarray | None = None) -> TemplateFit:
    n, u = len(t.vertices), len(t.units)
    zero = np.zeros(u)
    return TemplateFit(
        t,
        vertices,
        POSE.inv(),
        np.ones(n, bool) if valid is None else valid,
        np.zeros(n),
        zero,
        zero,
        zero,
        zero,
        np.zeros(len(t.identity)),
        False,
        np.zeros(n),
    )


def smile(t: FaceTemplate, left: float, right: float) -> Floats:
    k = t.units.index("mouthSmile")
    return t.vertices + left * t.left[k] + right * t.right[k]


def test_a_symmetric_face_has_none(template: FaceTemplate) -> None:
    assert asymmetry_map(fitted(template, smile(template, 0.7, 0.7))).magnitude_mm.max() < 1e-4


def test_a_planted_difference_is_found_with_its_direction(template: FaceTemplate) -> None:
    vertices = smile(template, 0.9, 0.2)
    truth = vertices - template.reflected(vertices)
    found = asymmetry_map(fitted(template, vertices))
    assert np.abs(found.vectors_mm - truth).max() < 1e-9
    corner = template.regions["commissure_left"] > 0.8
    assert found.vectors_mm[corner, 1].mean() > 2.0  # the left corner is the higher one


def test_magnitude_is_the_same_at_opposite_places(template: FaceTemplate) -> None:
    found = asymmetry_map(fitted(template, smile(template, 1.0, 0.1)))
    assert np.abs(found.magnitude_mm - found.magnitude_mm[template.opposite]).max() < 1e-9
    parts = np.sqrt(found.normal_mm**2 + found.tangential_mm**2)
    assert np.allclose(parts, found.magnitude_mm)


def test_it_is_about_the_plane_of_the_frame(template: FaceTemplate) -> None:
    fit = fitted(template, smile(template, 1.0, 0.1))
    aside = RigidTransform.from_translation([0.5, 0.0, 0.0])
    found = asymmetry_map(fit.in_frame(aside * fit.to_head))
    midline = template.opposite == np.arange(len(template.vertices))
    at = midline & (template.vertices[:, 1] > 30)  # the smile does not reach it
    assert np.allclose(found.vectors_mm[at], [1.0, 0.0, 0.0], atol=0.05)


def test_places_without_support_are_not_invented(template: FaceTemplate) -> None:
    valid = template.regions["cheek_left"] < 0.5
    found = asymmetry_map(fitted(template, smile(template, 1.0, 0.1), valid))
    assert np.isnan(found.magnitude_mm[~valid]).all() and np.isnan(found.magnitude_mm[template.opposite[~valid]]).all()
    assert np.isfinite(found.magnitude_mm[valid & valid[template.opposite]]).all()
    with pytest.raises(RegistrationError, match="nothing to compare"):
        asymmetry_map(fitted(template, template.vertices, template.vertices[:, 0] > 0))


def test_carried_to_the_vertices_of_a_scan(template: FaceTemplate) -> None:
    vertices = smile(template, 1.0, 0.1)
    valid = template.regions["chin_right"] < 0.5
    fit = fitted(template, vertices, valid)
    found = asymmetry_map(fit)
    # The scan: face centres of the template, and far points.
    centres = vertices[template.faces].mean(axis=1)
    scan = FaceScan(np.vstack([POSE.apply(vertices), POSE.apply(centres), [[0.0, 0.0, 0.0]]]), template.faces)
    values, code = carried(fit, scan, found.vectors_mm)
    assert code[-1] == OUTSIDE and np.isnan(values[-1]).all()
    at = code[: len(vertices)] == MEASURED
    assert np.abs(values[: len(vertices)][at] - found.vectors_mm[at]).max() < 1e-3
    assert (code[: len(vertices)][template.regions["chin_right"] > 0.9] == UNSUPPORTED).mean() > 0.9


def test_directional_and_fluctuating_parts_of_a_sample(template: FaceTemplate) -> None:
    rng = np.random.default_rng(8)
    k = template.units.index("browInnerUp")
    shared = 0.4 * (template.left[k] - template.right[k])
    maps = []
    for _ in range(20):
        own = np.tensordot(0.3 * rng.normal(size=len(template.asymmetry)), template.asymmetry, axes=1)
        maps.append(asymmetry_map(fitted(template, template.vertices + (shared + own) / 2)))
    found = components(maps, rng, 199)
    brow = np.linalg.norm(shared, axis=1) > 1.2
    still = template.regions["chin_left"] > 0.9
    assert np.abs(found.directional_mm[brow] - shared[brow]).mean() < 0.4
    assert np.median(found.p[brow]) < 0.05 < np.median(found.p[still])
    assert found.people == 20 and np.nanmin(found.total_mm) >= 0
