"""Movement against healthy movement: a planted weak side is found, healthy people are quiet, mirrors swap the sides."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from face3d.errors import LandmarkError, WeightsError  # noqa: E402
from face3d.grading.temporal import AGAINST, HYPER, HYPO, Anomaly, judged, load, named, outside, shipped  # noqa: E402
from face3d.grading.ways import MADE, PLACES, RATE_HZ, ways_of  # noqa: E402
from face3d.landmarks import SIDES, opposite_name  # noqa: E402
from face3d.scan import Floats  # noqa: E402
from face3d.simulate.motion import minimum_jerk  # noqa: E402

NAMES = tuple(f"{p}_{s}" for p in PLACES for s in SIDES)
HOLD = 24


def session(shares: dict[str, float] | None = None) -> tuple[Floats, Floats]:
    """Times and ways (T, M, 3) of somebody who moves as healthy people do in the mean of the envelope, each expression
    once; `shares` place_side -> what is left of its movement."""
    network = shipped()
    toward, low, high = (getattr(network, n).double().numpy() for n in ("toward", "low", "high"))
    course = np.r_[np.zeros(10), minimum_jerk(np.linspace(0, 1, 9)), np.ones(HOLD), minimum_jerk(np.linspace(1, 0, 9))]
    parts = []
    for e in range(len(MADE)):
        way = toward[e] * ((low[e] + high[e]) / 2)[:, None]
        both = np.stack([way, way * (-1, 1, 1)], axis=1).reshape(len(NAMES), 3)
        parts.append(course[:, None, None] * both)
    away = np.concatenate(parts)
    for name, share in (shares or {}).items():
        away[:, NAMES.index(name)] *= share
    away += 0.02 * np.random.default_rng(0).standard_normal(away.shape)
    return np.arange(len(away)) / RATE_HZ, away


def seen(times: Floats, away: Floats) -> Anomaly:
    network = shipped()
    t, ways = ways_of(NAMES, times, away)
    apexes = [(e + 1, name, 52 * e + 20 + HOLD // 2) for e, name in enumerate(MADE)]
    out = outside(network, NAMES, away, apexes)
    return judged(t, ways, network.predict(ways), network.limits.double().numpy(), float(network.spread), out)


def mirrored(away: Floats) -> Floats:
    return away[:, [NAMES.index(opposite_name(n)) for n in NAMES]] * (-1, 1, 1)


def weak(side: str, share: float = 0.2) -> dict[str, float]:
    return {f"{p}_{side}": share for p in ("upper_lip", "commissure", "nasolabial", "nose")}


def test_the_healthy_are_quiet():
    one = seen(*session())
    assert one.total < 1
    assert one.weakest is None
    assert not one.strange
    assert np.nanmax(np.abs(one.missing)) < 0.25


@pytest.mark.parametrize("side", SIDES)
def test_a_planted_weak_side_is_found(side: str):
    one = seen(*session(weak(side)))
    assert one.total > 1
    assert one.weakest is not None
    assert one.weakest[1] == side
    assert one.weakest[0] in ("upper_lip", "commissure", "nasolabial", "nose")
    assert {(s.side, s.name) for s in one.strange} == {(side, HYPO)}


def test_a_side_that_is_still_misses_nearly_all():
    one = seen(*session({f"{p}_left": 0.1 for p in PLACES}))
    assert np.nanmedian(one.missing[:, 0]) == pytest.approx(0.9, abs=0.1)
    assert np.nanmin(one.missing_se) > 0


def test_a_mirrored_recording_has_its_sides_swapped():
    times, away = session(weak("left", 0.4))
    one, two = seen(times, away), seen(times, mirrored(away))
    for name in ("score", "short", "missing", "missing_se", "by_place"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name)[..., ::-1], rtol=1e-4, atol=1e-5)
    assert one.weakest is not None
    assert two.weakest == (one.weakest[0], "right")
    swap = {"left": "right", "right": "left"}
    assert {(s.movement, s.place, swap[s.side], s.name) for s in one.strange} == {
        (s.movement, s.place, s.side, s.name) for s in two.strange
    }


def test_it_is_the_same_every_time_and_at_every_rate():
    times, away = session(weak("right"))
    one, two = seen(times, away), seen(times, away)
    np.testing.assert_array_equal(one.score, two.score)
    fine = np.arange(4 * len(times) - 3) / (4 * RATE_HZ)
    between = np.stack([np.interp(fine, times, c) for c in away.reshape(len(times), -1).T], axis=1)
    t, ways = ways_of(NAMES, fine, between.reshape(len(fine), *away.shape[1:]))
    network = shipped()
    quick = judged(t, ways, network.predict(ways), network.limits.double().numpy(), float(network.spread))
    assert quick.weakest is not None
    assert quick.weakest[1] == "right"
    assert quick.total == pytest.approx(one.total, rel=0.15)


def test_a_gap_is_unknown_and_nothing_else():
    times, away = session()
    away[100:110] = np.nan
    one = seen(times, away)
    assert np.isnan(one.score[100:110]).all()
    assert np.isfinite(one.score[:90]).all()
    assert np.isfinite(one.score[120:]).all()
    assert one.total < 1


def test_a_still_face_says_so_and_no_number():
    times, away = session()
    one = seen(times, 0.001 * away)
    assert "neither side moves" in one.note
    assert np.isnan(one.total)
    assert one.weakest is None
    assert np.isnan(one.by_place).all()


def test_three_names():
    assert named(1.0, 1.1, 2.0, 6.0) == HYPO
    assert named(-1.0, 1.1, 2.0, 6.0) == AGAINST
    assert named(5.0, 7.0, 2.0, 6.0) == HYPER
    assert named(4.0, 4.0, 2.0, 6.0) == ""
    assert named(-0.3, 0.4, -0.5, 1.0) == ""


def test_markers_have_no_regions():
    with pytest.raises(LandmarkError, match="no regions forehead"):
        ways_of(("ch_left", "ch_right"), np.arange(30) / 15, np.zeros((30, 2, 3)))


def test_weights_are_taken_strictly(tmp_path: Path):
    data = Path(__file__).parents[2] / "src/face3d/data"
    for suffix in ("safetensors", "json"):
        shutil.copy(data / f"temporal.{suffix}", tmp_path)
    file, card = tmp_path / "temporal.safetensors", tmp_path / "temporal.json"
    assert torch.equal(load(file).limits, shipped().limits)
    note = json.loads(card.read_text())
    card.write_text(json.dumps({**note, "architecture": "correspondence"}))
    with pytest.raises(WeightsError, match="healthy_motion"):
        load(file)
    card.write_text(json.dumps({**note, "size": {**note["size"], "width": 8}}))
    with pytest.raises(WeightsError, match="does not fit"):
        load(file)
    card.write_text(json.dumps(note))
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    with pytest.raises(WeightsError, match="SHA-256"):
        load(file)


def test_the_table_has_a_row_an_instant():
    times, away = session(weak("left"))
    one = seen(times, away)
    table = one.table
    assert len(table) == len(one.times_s)
    assert np.nanmax(table["anomaly_left"].to_numpy()) > 1
    lip = one.by_place[PLACES.index("upper_lip"), 0]
    assert np.nanquantile(table["anomaly_upper_lip_left"], 0.95) == pytest.approx(lip)
