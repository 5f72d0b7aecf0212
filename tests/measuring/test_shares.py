"""Planted shares come out: dead sides 0, healthy ones 1, half ones a half; under noise, dragged along, mirrored."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.measuring.exam_measures import Measures, measure_movements
from face3d.measuring.ratios import closure_ratio
from face3d.measuring.shares import (
    PASSIVE_FALL,
    Floor,
    closing_sd,
    passive_patterns,
    path_share,
    share_of,
    without_noise,
    worked,
)
from face3d.measuring.sides import paired
from face3d.simulate.head import HeadModel, reflected
from face3d.template.movement import movements
from palsy import units

MODEL = HeadModel.load()
#: Functional region -> expression that shows it.
SHOWN = {"brow": "brow_raise", "midface": "snarl", "mouth": "open_smile", "lower_lip": "lower_lip_depression"}


def planted(expression: str, share: float, passive: str = "", mm: float = 0.0) -> np.ndarray:
    """(V, 3) mm: the left side moves by `share` of the right, exactly mirrored; `passive` region's patterns drag it by
    `mm` each. The midline belongs to both, half and half."""
    one = np.tensordot(units(MODEL, expression), MODEL.right, axes=1)
    one *= np.clip(0.5 - MODEL.vertices[:, :1] / 2.0, 0, 1)
    out = one + share * reflected(one, MODEL.opposite)
    if passive:
        here = np.clip(MODEL.vertices[:, :1] / 2.0, 0, 1)
        out = out + mm * (1 - share) * here * passive_patterns(MODEL, passive, MODEL.vertices).sum(axis=0)
    return out


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0, 1.2])
@pytest.mark.parametrize("region", list(SHOWN))
def test_planted_shares_come_out_whatever_is_dragged(region: str, share: float) -> None:
    for mm in (0.0, 1.5):
        pair = paired(MODEL, planted(SHOWN[region], share, region, mm), region)
        assert pair is not None
        found = pair.share("left")
        # Nothing is random: what is left is the smallest prior that keeps the sums solvable.
        assert found.value == pytest.approx(share, abs=0.005)
        if mm and share < 1 and len(pair.patterns):
            assert found.passive == pytest.approx(np.full(len(pair.patterns), mm * (1 - share)), abs=0.05)


@pytest.mark.parametrize("region", ["mouth", "lower_lip", "midface"])
def test_plain_projection_would_have_been_wrong(region: str) -> None:
    """The same dead side along the healthy path alone, without what is passive: biased by far more than allowed."""
    pair = paired(MODEL, planted(SHOWN[region], 0.0, region, 1.5), region)
    assert pair is not None
    plain = share_of(pair.left, pair.right, pair.weight, pair.patterns[:0], pair.floor).value
    assert abs(plain) > 0.05 > 10 * abs(pair.share("left").value)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("region", list(SHOWN))
def test_noise_leaves_the_mean_alone_and_the_uncertainty_holds_it(region: str, share: float) -> None:
    """Both sides off by 0.5 mm RMS, the whole region alike: the worst kind, which no averaging over places removes."""
    rng, floor, count = np.random.default_rng(3), Floor(0.5, 1.0), 300
    clean = paired(MODEL, planted(SHOWN[region], share), region, floor)
    assert clean is not None
    found = []
    for _ in range(count):
        a, h = (side + rng.normal(0, 0.5 / math.sqrt(3), 3) for side in (clean.left, clean.right))
        found.append(share_of(a, h, clean.weight, clean.patterns, floor))
    values = np.array([f.value for f in found])
    sure = np.mean([f.sd for f in found])
    # 0.03 of bias are allowed, of which three standard errors of 300 draws are chance.
    assert values.mean() == pytest.approx(share, abs=0.03 + 3 * values.std() / math.sqrt(count))
    # The uncertainty also holds what might have been dragged, which nothing was here: of the nose in three directions.
    assert 0.7 < sure / values.std() < 3.5


def test_a_length_has_a_bias_that_a_path_has_not() -> None:
    """A dead mouth corner in 0.6 mm of noise: its length never falls to 0, its path does in the mean."""
    rng, healthy, floor = np.random.default_rng(5), np.array([6.0, 7.0, -3.0]), Floor(0.6, 1.0)
    dead = rng.normal(0, 0.6 / math.sqrt(3), (4000, 3))
    shares = [path_share(d, healthy, np.zeros(3), floor)[0] for d in dead]
    assert abs(np.mean(shares)) < 0.003  # three standard errors
    assert np.linalg.norm(dead, axis=1).mean() / np.linalg.norm(healthy) > 0.05
    left = [without_noise(float(np.linalg.norm(d + healthy)), floor) for d in dead]
    assert np.mean(left) == pytest.approx(np.linalg.norm(healthy), abs=0.02)
    assert without_noise(0.4, floor) == 0.0
    assert math.isnan(without_noise(math.nan, floor))


def measured(rest: np.ndarray, moved: dict[str, np.ndarray], side: str) -> Measures:
    """Of vertices with 0.2 mm of noise along each axis, at each by itself."""
    floors = {region: Floor(0.2 * math.sqrt(3), 60.0) for region in SHOWN}
    return measure_movements(rest, movements(rest, moved, MODEL)[0], MODEL, side, floors=floors)


def test_shares_of_exams_with_head_motion_and_noise_are_those_planted() -> None:
    """Whole exams of vertices, each expression in a pose of its own, 0.2 mm of noise at every vertex."""
    rng, rest = np.random.default_rng(7), MODEL.vertices
    for share in (0.0, 0.5, 1.0):
        moved = {}
        for region, e in SHOWN.items():
            pose = RigidTransform.from_components(rng.normal(size=3) * 5, Rotation.from_rotvec(rng.normal(size=3) / 10))
            moved[e] = pose.apply(rest + planted(e, share, region, 1.0)) + rng.normal(0, 0.2, rest.shape)
        m = measured(rest, moved, "left")
        for region in SHOWN:
            # Alignment on what the drag itself moves adds some hundredths.
            assert m.region_function[region] == pytest.approx(share, abs=0.04), region
        assert m.severity == pytest.approx(1 - share, abs=0.02)
        for name, e in (("commissure_excursion", "open_smile"), ("brow_raise", "brow_raise")):
            assert m.value(f"{name}_ratio", e) == pytest.approx(share, abs=0.05)
        mirrored = {e: reflected(v, MODEL.opposite) for e, v in moved.items()}
        n = measured(reflected(rest, MODEL.opposite), mirrored, "right")
        assert dict(n.region_function) == pytest.approx(dict(m.region_function), abs=1e-6, nan_ok=True)


def test_lids_that_only_fall_do_not_work() -> None:
    assert [worked(c) for c in (-0.1, 0.0, PASSIVE_FALL, 1.0)] == [-0.1, 0.0, 0.0, 1.0]
    assert worked(PASSIVE_FALL + (1 - PASSIVE_FALL) / 2) == pytest.approx(0.5)
    fallen = closure_ratio({"left": 0.2, "right": 0.98}, "left", 0.03)
    assert fallen.value == 0.0
    assert fallen.sd > 0.05  # nobody knows how far below the most a lid falls
    assert closing_sd(0.98, 0.98, 0.03) < fallen.sd
    # A healthy eye of which the fit lost the lid: a share of it would be 3.
    lost = closure_ratio({"left": 0.95, "right": 0.45}, "left", 0.03)
    assert math.isnan(lost.value) and "are needed" in lost.why
    assert closure_ratio({"left": 0.9, "right": 1.0}, "none", 0.0).value == pytest.approx(worked(0.9))
    assert "not seen" in closure_ratio({"left": math.nan, "right": 1.0}, "left", 0.0).why
