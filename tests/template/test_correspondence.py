"""A rejected fit has no numbers, and the light says why."""

from __future__ import annotations

import numpy as np

from face3d.scan import FaceScan
from face3d.template.asymmetry import CLEANED, REJECTED
from face3d.template.correspondence import correspond
from face3d.template.fit import fit_template
from face3d.template.quality import fit_quality
from face3d.template.template import FaceTemplate


def test_a_ball_is_rejected_with_reasons_and_nan() -> None:
    template = FaceTemplate.load()
    rng = np.random.default_rng(0)
    ball = rng.normal(size=(4000, 3))
    ball = 60 * ball / np.linalg.norm(ball, axis=1, keepdims=True) - (0, 30, 50)
    marks = template.landmark_points(template.vertices)
    fit = fit_template(FaceScan(ball), marks)
    found = correspond(FaceScan(ball), fit, fit_quality(fit))
    assert found.quality.light == "red" and found.quality.reasons and found.map is None
    assert np.isnan(found.asymmetry_mm).all() and (found.reason == REJECTED).all()
    assert found.action_units[["left", "right", "ratio"]].isna().all(axis=None)
    assert set(found.action_units["unit"]) == set(FaceTemplate.load("a").units)
    spread = found.spread(np.r_[np.arange(10), -1])
    assert len(spread.asymmetry_mm) == 11 and spread.reason[-1] == CLEANED
