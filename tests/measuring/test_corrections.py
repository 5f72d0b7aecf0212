"""Gains change each part by its factor, keep mirror symmetry, and leave alone what they do not know."""

from dataclasses import replace

import numpy as np
import pytest

from face3d.measuring.corrections import MISTAKEN_MM, Gain, anchored, anchors, gains, restored, tip_points
from face3d.measuring.sides import paired
from face3d.simulate.head import HeadModel, reflected
from face3d.template.movement import movement
from palsy import face

MODEL = HeadModel.load()


def smile(function: float = 0.4):
    rest, moved = face(MODEL, np.random.default_rng(1), function)
    return rest, moved["open_smile"], movement("open_smile", rest, moved["open_smile"], MODEL)


def test_unit_gains_change_nothing() -> None:
    _, _, m = smile()
    same = restored(m, MODEL, {"mouth": Gain(1.0, 1.0)})
    assert np.abs(same.displacement - m.displacement).max() < 1e-12


def test_a_loss_of_known_size_is_put_back() -> None:
    """A fit that keeps 60 % of the difference between the sides in the mouth: its ratio is wrong, and right again
    after.
    """
    _, _, m = smile(0.4)
    lossy = restored(m, MODEL, {"mouth": Gain(1.0, 0.6)})
    back = restored(lossy, MODEL, {"mouth": Gain(1.0, 1 / 0.6)})
    shares = [paired(MODEL, x.displacement, "mouth").share("left").value for x in (m, lossy, back)]  # type: ignore[union-attr]
    assert shares[0] == pytest.approx(0.4, abs=0.03)
    assert shares[1] > 0.55
    # Exact where the region's weight is 1; at its fading edge two factors do not quite cancel.
    assert shares[2] == pytest.approx(shares[0], abs=0.02)
    brow = [paired(MODEL, x.displacement, "brow") for x in (m, back)]
    assert np.abs(brow[0].left - brow[1].left).max() < 1e-9  # type: ignore[union-attr]


def test_mirror_image_gives_mirror_image() -> None:
    rest, moved, m = smile()
    factors = {"mouth": Gain(1.1, 1.5), "brow": Gain(1.2, 2.0)}
    flipped = movement("open_smile", reflected(rest, MODEL.opposite), reflected(moved, MODEL.opposite), MODEL)
    one, other = (restored(x, MODEL, factors).displacement for x in (m, flipped))
    assert np.abs(reflected(one, MODEL.opposite) - other).max() < 1e-6


def test_one_sided_skin_stays_as_it_is() -> None:
    rest, moved, _ = smile()
    moved = moved.copy()
    moved[MODEL.regions["commissure_right"] > 0] = np.nan
    m = movement("open_smile", rest, moved, MODEL)
    out = restored(m, MODEL, {"mouth": Gain(1.0, 2.0)}).displacement
    seen = np.asarray(np.isfinite(m.displacement).all(axis=1))
    assert np.isfinite(out[seen]).all()
    alone = seen & ~seen[MODEL.opposite]
    assert (out[alone] == m.displacement[alone]).all()


def test_skin_slides_to_where_a_landmark_was_seen() -> None:
    rest, moved, m = smile(1.0)
    at_rest, seen = MODEL.landmark_points(rest), MODEL.landmark_points(moved)
    lossy = replace(m, displacement=0.6 * m.displacement)
    # A detector that puts every landmark 2 mm too high, at rest and in the smile alike: only movement may count.
    too_high = np.array([0.0, 2.0, 0.0])
    high_rest, high_smile = ({k: v + too_high for k, v in marks.items()} for marks in (at_rest, seen))
    back = anchored(lossy, rest, MODEL, high_rest, high_smile, {"ch": 1.0})
    true, before, after = (MODEL.landmark_points(x.displacement)["ch_left"] for x in (m, lossy, back))
    # The path's part along the surface comes back; what lifts off it (a fifth of this smile) does not.
    assert np.linalg.norm(after - true) < 0.5 * np.linalg.norm(before - true)
    far = MODEL.regions["forehead_left"] > 0.5
    assert np.abs(back.displacement - lossy.displacement)[far].max() < 1e-6
    none = anchored(lossy, rest, MODEL, high_rest, high_smile, {})
    assert np.abs(none.displacement - lossy.displacement).max() < 1e-12


def test_learned_gains_are_sane() -> None:
    for region, gain in gains().items():
        assert 1.0 <= gain.shared <= 2.0, region
        assert 1.0 <= gain.differing <= 2.0, region
    assert all(0 < weight <= 1 for weight in anchors().values())


def test_a_tip_moves_by_its_factor_and_nothing_else_does() -> None:
    rest, _, m = smile(1.0)
    at_rest = MODEL.landmark_points(rest)
    found = tip_points(m, at_rest, MODEL, {"ch": 1.2})
    shift = MODEL.landmark_points(m.displacement)["ch_left"]
    assert set(found) == {"ch_left", "ch_right"}
    assert found["ch_left"] - at_rest["ch_left"] == pytest.approx(1.2 * shift)
    assert tip_points(m, at_rest, MODEL, {}) == {}


def test_a_landmark_mistaken_for_something_else_moves_no_skin() -> None:
    rest, moved, m = smile(1.0)
    at_rest, seen = MODEL.landmark_points(rest), MODEL.landmark_points(moved)
    seen["ch_left"] = seen["ch_left"] + (0.0, MISTAKEN_MM + 2.0, 0.0)
    out = anchored(m, rest, MODEL, at_rest, seen, {"ch": 0.5})
    left = MODEL.vertices[:, 0] > 20
    assert np.abs(out.displacement - m.displacement)[left].max() < 0.1
