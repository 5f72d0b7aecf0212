"""The light of a fit against faults planted in a fit that has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform

from face3d.scan import Floats
from face3d.template.fit import TemplateFit
from face3d.template.quality import fit_quality, slits
from face3d.template.template import FaceTemplate


@pytest.fixture(scope="module")
def fit() -> TemplateFit:
    t = FaceTemplate.load("a")
    n, zero = len(t.vertices), np.zeros(len(t.units))
    return TemplateFit(
        t,
        t.vertices,
        RigidTransform.identity(),
        np.ones(n, bool),
        np.full(n, 0.1),
        zero,
        zero,
        zero,
        zero,
        np.zeros(len(t.identity)),
        False,
        np.zeros(n),
    )


def moved(fit: TemplateFit, unit: str, amount: float) -> Floats:
    k = fit.template.units.index(unit)
    return fit.vertices_mm + amount * (fit.template.left[k] + fit.template.right[k])


def test_a_perfect_fit_is_green(fit: TemplateFit) -> None:
    found = fit_quality(fit)
    assert found.light == "green" and not found.reasons
    assert found.residual_mm == pytest.approx(0.1) and found.uncovered == 0 and found.flipped == 0


def test_slits_are_the_mouth_and_the_eyes(fit: TemplateFit) -> None:
    t = fit.template
    assert len(slits(t)) == 3
    for upper, lower in slits(t):
        up, down = t.vertices[upper], t.vertices[lower]
        assert (up[:, 1] > down[:, 1] - 0.1).all()  # the resting mouth is closed
        assert np.abs(up[:, 0] - down[:, 0]).max() < 3.0  # they face each other
    centres = sorted(float(t.vertices[np.r_[pair], 0].mean()) for pair in slits(t))
    assert centres[0] < -25 < 25 < centres[2] and abs(centres[1]) < 1.0


@pytest.mark.parametrize(("unit", "amount"), [("eyeBlink", 1.0), ("jawOpen", 0.8), ("mouthSmile", 1.0)])
def test_movement_is_no_fault(fit: TemplateFit, unit: str, amount: float) -> None:
    assert fit_quality(replace(fit, vertices_mm=moved(fit, unit, amount))).crossed_mm < 1.5


@pytest.mark.parametrize(("shift", "light"), [(4.0, "amber"), (8.0, "amber")])
def test_a_lip_that_slipped_onto_the_other_is_seen(fit: TemplateFit, shift: float, light: str) -> None:
    t = fit.template
    edge = slits(t)[int(np.argmin([abs(t.vertices[upper, 0].mean()) for upper, _ in slits(t)]))][0]
    near = KDTree(t.vertices[edge]).query(t.vertices)[0]
    lip = np.exp(-((near / 4.0) ** 2)) * (t.vertices[:, 1] >= t.vertices[edge, 1].min())
    vertices = fit.vertices_mm - shift * lip[:, None] * (0.0, 1.0, 0.0)
    found = fit_quality(replace(fit, vertices_mm=vertices))
    assert found.crossed_mm == pytest.approx(shift - 1.3, abs=0.5)  # the resting lips are 1.3 mm apart
    assert found.light == light and any("slipped" in reason for reason in found.reasons)


def test_a_fold_is_seen(fit: TemplateFit) -> None:
    t = fit.template
    cheek = t.regions["cheek_left"] > 0.5
    v = np.array(fit.vertices_mm)
    v[cheek] = 2 * v[cheek].mean(axis=0) - v[cheek]  # turned about its middle
    found = fit_quality(replace(fit, vertices_mm=v))
    assert found.flipped > fit_quality(fit).flipped + 0.003 and found.stretched > 0.003


def test_a_far_or_bare_fit_is_red(fit: TemplateFit) -> None:
    far = fit_quality(replace(fit, residual_mm=np.full(len(fit.valid), 2.0)))
    assert far.light == "red" and "median distance" in far.reasons[0]
    bare = fit_quality(replace(fit, valid=np.arange(len(fit.valid)) < 100))
    assert bare.light == "red" and any("support" in reason for reason in bare.reasons)
    nothing = fit_quality(replace(fit, valid=np.zeros(len(fit.valid), bool)))
    assert nothing.light == "red" and nothing.residual_mm == np.inf
