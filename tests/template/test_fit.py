"""The fit against faces whose every vertex is known; on other topologies and movements in `benchmarks/asymmetry.py`."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import RegistrationError
from face3d.geometry.mirror import mirrored
from face3d.geometry.rigid import laid_on
from face3d.scan import FaceScan, Floats
from face3d.simulate.head import HeadModel
from face3d.template.action_units import action_units
from face3d.template.asymmetry import asymmetry_map, carried
from face3d.template.fit import TemplateFit, fit_template
from face3d.template.quality import fit_quality
from face3d.template.template import FaceTemplate

POSE = RigidTransform.from_components([25.0, 10.0, -300.0], Rotation.from_euler("yxz", [12, -6, 5], degrees=True))


@functools.cache
def person(
    seed: int, left: float, right: float, unit: str = "mouthSmile", noise: float = 0.2
) -> tuple[FaceScan, Floats, dict[str, Floats]]:
    """A posed and noisy scan, its true asymmetry per vertex, and landmarks that are 1 mm off."""
    head = HeadModel.load("a", "fine")
    rng = np.random.default_rng(seed)
    k = head.unit_index(unit)
    sides = np.zeros((2, len(head.units)))
    sides[0, k], sides[1, k] = left, right
    shape = head.shape(0.7 * rng.normal(size=len(head.identity)), None, *sides)
    truth = shape - (shape[head.opposite] * (-1, 1, 1))
    marks = {name: POSE.apply(p + rng.normal(size=3)) for name, p in head.landmark_points(shape).items()}
    scan = FaceScan(POSE.apply(shape + noise * rng.normal(size=shape.shape)), head.faces, name="simulated")
    return scan, truth, marks


@functools.cache
def fitted(seed: int, left: float, right: float, unit: str = "mouthSmile") -> TemplateFit:
    scan, _, marks = person(seed, left, right, unit)
    return fit_template(scan, marks, movement="a")


def test_the_template_lies_on_the_scan() -> None:
    fit = fitted(1, 0.8, 0.1)
    assert fit.valid.mean() > 0.9
    assert np.nanmedian(np.abs(fit.residual_mm)) < 0.2  # noise 0.2 mm, averaged over neighbours
    assert fit_quality(fit).light == "green"


def test_a_one_sided_smile_is_measured_where_it_is() -> None:
    scan, truth, _ = person(1, 0.8, 0.1)
    fit = fitted(1, 0.8, 0.1)
    values, code = carried(fit, scan, asymmetry_map(fit).vectors_mm)
    ok = code == 0
    found, true = np.linalg.norm(values, axis=1)[ok], np.linalg.norm(truth, axis=1)[ok]
    assert np.abs(found - true).mean() < 0.7
    assert np.corrcoef(found, true)[0, 1] > 0.95
    assert found[true > 2].mean() / true[true > 2].mean() > 0.8


def test_a_symmetric_smile_stays_symmetric() -> None:
    assert np.nanmean(asymmetry_map(fitted(2, 0.7, 0.7)).magnitude_mm) < 0.25


def test_each_side_has_its_own_units() -> None:
    table = action_units(fitted(1, 0.8, 0.1)).set_index("unit")
    assert table.loc["mouthSmile", "left"] > 0.55 and table.loc["mouthSmile", "right"] < 0.3
    assert np.all(table["left_se"] > 0) and table.loc["mouthSmile", "ratio"] < 0.5


def test_the_mirrored_scan_gives_the_mirrored_fit() -> None:
    scan, _, marks = person(1, 0.8, 0.1)
    flipped = mirrored(scan.replace(landmarks=marks))
    fit, other = fitted(1, 0.8, 0.1), fit_template(flipped, flipped.landmarks, movement="a")
    back = other.template.reflected(other.vertices_mm)
    # Not to the last bit: the scan's cells lie elsewhere in the mirror. The frames differ by a rigid motion.
    back = laid_on(back, fit.vertices_mm, fit.template.area).apply(back)
    assert np.median(np.linalg.norm(back - fit.vertices_mm, axis=1)) < 0.4
    one, two = asymmetry_map(fit).magnitude_mm, asymmetry_map(other).magnitude_mm
    assert np.nanmean(np.abs(one - two)) < 0.25
    assert np.abs(other.left - fit.right).max() < 0.2


def test_a_rest_scan_anchors_the_movement() -> None:
    rest_scan, _, rest_marks = person(4, 0.0, 0.0)
    scan, _, marks = person(4, 0.9, 0.3)
    rest = fit_template(rest_scan, rest_marks, movement="a")
    fit = fit_template(scan, marks, rest=rest)
    assert fit.relative
    table = action_units(fit).set_index("unit")
    assert abs(table.loc["mouthSmile", "left"] - 0.9) < 0.25 and abs(table.loc["mouthSmile", "right"] - 0.3) < 0.2
    assert table.drop(index="mouthSmile")[["left", "right"]].to_numpy().mean() < 0.08


def test_a_hole_is_not_filled() -> None:
    scan, _, marks = person(1, 0.8, 0.1)
    head = HeadModel.load("a", "fine")
    hole = head.regions["cheek_left"] > 0.3
    holed = scan.replace(faces=scan.faces[~hole[scan.faces].any(axis=1)])
    keep = np.unique(holed.faces)
    holed = FaceScan(holed.vertices[keep], np.searchsorted(keep, holed.faces))
    fit = fit_template(holed, marks, movement="a")
    cheek = fit.template.regions["cheek_left"] > 0.95
    assert fit.valid[cheek].mean() < 0.35
    assert fit.valid[fit.template.opposite[cheek]].mean() > 0.8


def test_nonsense_is_rejected() -> None:
    rng = np.random.default_rng(0)
    _, _, marks = person(1, 0.8, 0.1)
    ball = rng.normal(size=(4000, 3))
    ball = POSE.apply(60 * ball / np.linalg.norm(ball, axis=1, keepdims=True) - (0, 30, 50))
    assert fit_quality(fit_template(FaceScan(ball), marks, movement="a")).light == "red"
    with pytest.raises(RegistrationError, match="at least 4"):
        fit_template(FaceScan(ball, name="ball"), {"prn": ball[0]}, movement="a")


def test_repeats_to_the_last_bit() -> None:
    scan, _, marks = person(2, 0.7, 0.7)
    assert np.array_equal(fit_template(scan, marks, movement="a").vertices_mm, fitted(2, 0.7, 0.7).vertices_mm)
    assert isinstance(fitted(2, 0.7, 0.7).template, FaceTemplate)
