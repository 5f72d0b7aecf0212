"""Kinematics of planted points: ways, times, lags and blinks come back; what was not recorded is NaN and says why."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from face3d.errors import ScanError
from face3d.sequence.kinematics import kinematics
from face3d.sequence.points import Trajectories
from planted import NAMES, planted, smile


@pytest.mark.parametrize("fps", [30, 60, 120])
def test_a_smile_comes_back(fps: int) -> None:
    k = kinematics(planted([smile(late=0.1, slow=1.4, weak=0.7)], 4.5, fps, noise=0.05, seed=fps))
    assert len(k.movements) == 1
    s = k.movements[0].segment
    for found, true in ((s.begin, 1.0), (s.arrived, 1.8), (s.leaves, 2.5), (s.end, 3.4)):
        assert found == pytest.approx(true, abs=0.08)
    assert k.value("excursion", "ch", "left") == pytest.approx(10.0, abs=0.15)
    assert k.value("peak", "ch", "left") == pytest.approx(10.0, abs=0.5)
    assert k.value("excursion", "ch", "right") == pytest.approx(7.0, abs=0.15)
    assert k.value("onset_lag", "face") == pytest.approx(-0.1, abs=1.5 / fps)  # the right side is late
    assert k.value("time_to_peak", "face", "left") == pytest.approx(0.5, abs=2 / fps)
    assert k.value("time_to_peak", "face", "right") == pytest.approx(0.7, abs=2.5 / fps)
    # The fastest moment of a minimum-jerk course: 15/8 of its mean speed.
    assert k.value("peak_velocity", "ch", "left") == pytest.approx(1.875 * 10 / 0.5, rel=0.06)
    assert k.value("path", "ch", "left") == pytest.approx(10.0, abs=0.5)
    assert k.value("range", "ch", "left") == pytest.approx(10.0, abs=0.6)


def test_of_a_side_that_hardly_moves_no_lag_is_told() -> None:
    k = kinematics(planted([smile(late=0.1, weak=0.3)], 4.5, 60, noise=0.05))
    assert np.isnan(k.value("onset_lag", "face")) and np.isnan(k.value("onset_lag", "ch"))
    (why,) = {r.status for r in k.readings if (r.measure, r.place) == ("onset_lag", "face")}
    assert why == "a side moved less than 5 mm"
    assert np.isfinite(k.value("time_to_peak", "ch", "right"))


def test_both_parts_of_a_one_sided_smile_are_halves() -> None:
    k = kinematics(planted([smile(weak=0.0)], 4.5, 60))
    assert k.value("symmetric", "mouth") == pytest.approx(5.0, abs=0.1)
    assert k.value("asymmetric", "mouth") == pytest.approx(5.0, abs=0.1)
    both = kinematics(planted([smile()], 4.5, 60))
    assert both.value("asymmetric", "mouth") == pytest.approx(0.0, abs=0.01)
    assert both.value("symmetric", "mouth") == pytest.approx(10.0, abs=0.1)


def test_in_a_mirror_sides_swap() -> None:
    one = planted([smile(late=0.1, weak=0.6)], 4.5, 60, noise=0.1)
    swap = [NAMES.index(n.replace("left", "?").replace("right", "left").replace("?", "right")) for n in NAMES]
    a, b = kinematics(one), kinematics(replace(one, points=one.points[:, swap] * (-1, 1, 1)))
    other = {"left": "right", "right": "left", "both": "both"}
    for r in a.readings:
        sign = -1 if r.measure.endswith("lag") and r.measure != "locked_lag" else 1
        value = b.value(r.measure, r.place, other[r.side], r.movement)
        assert value == pytest.approx(sign * r.value, abs=1e-6, nan_ok=True), r


def test_blinks_are_counted_on_each_side_with_their_completeness() -> None:
    begins = [0.6, 1.7, 2.3, 4.0, 6.1]
    k = kinematics(planted([], 8.0, 60, noise=0.12, blinks=begins, closing={"left": 1.0, "right": 0.4}))
    assert [b.time_s for b in k.lids.blinks] == pytest.approx([b + 0.1 for b in begins], abs=0.04)
    assert k.value("blink_completeness", "eye", "left", 0) == pytest.approx(1.0, abs=0.05)
    assert k.value("blink_completeness", "eye", "right", 0) == pytest.approx(0.4, abs=0.05)
    assert k.value("blinks_complete", "eye", "right", 0) == 0.0
    rate = next(r for r in k.readings if r.measure == "blink_rate")
    assert np.isnan(rate.value)
    assert rate.status == "the eye was open for 8 s; a rate needs 30 s"
    longer = kinematics(planted([], 40.0, 60, noise=0.12, blinks=begins))
    assert longer.value("blink_rate", "eye", "left", 0) == pytest.approx(60 * 5 / 40, rel=0.02)
    # A lid of 10 mm that falls in 0.1 s: 15/8 of 100 mm/s; the filter takes some of it.
    assert k.value("blink_speed", "eye", "left", 0) == pytest.approx(187.5, rel=0.12)
    assert not k.movements  # a blink is no expression
    assert len(k.blinks) == 10


@pytest.mark.parametrize("fps", [30, 60])
def test_noise_that_lasts_over_frames_makes_no_blinks(fps: int) -> None:
    begins = [3.2, 6.0, 9.1, 12.5, 15.0, 18.0]
    # One side palsied: its lids hardly fall; smiles between, in which openings dip by noise alone.
    made = planted(
        [smile(start=1.0), smile(start=10.0)], 20.0, fps, 0.05, begins, {"left": 1.0, "right": 0.2}, seed=fps
    )
    rng, points = np.random.default_rng(fps), made.points.copy()
    for side in ("left", "right"):
        wander = rng.standard_normal(len(points))
        for k in range(1, len(wander)):
            wander[k] = 0.6 * wander[k - 1] + 0.8 * wander[k]
        points[:, NAMES.index(f"ps_{side}"), 1] += 0.45 * wander  # mm
    k = kinematics(replace(made, points=points))
    assert [b.time_s for b in k.lids.blinks] == pytest.approx([b + 0.1 for b in begins], abs=0.05)
    assert all("left" in b.by for b in k.lids.blinks)
    assert k.value("blink_completeness", "eye", "left", 0) == pytest.approx(1.0, abs=0.1)
    assert k.value("blink_completeness", "eye", "right", 0) == pytest.approx(0.2, abs=0.1)


def test_a_closure_that_is_held_is_an_expression_and_no_blink() -> None:
    plan = smile()
    shut = replace(plan, ways={"ps": (0, -10.0, 0)})
    k = kinematics(planted([shut], 4.5, 60, noise=0.12, blinks=[3.9]), expression="gentle_eye_closure")
    assert [m.segment.lead for m in k.movements] == ["lids"]
    assert k.value("closure", "eye", "left", "gentle_eye_closure") == pytest.approx(1.0, abs=0.03)
    assert len(k.lids.blinks) == 1
    assert k.lids.watched_s["left"] < 3.4  # nobody can blink with closed eyes


def test_closing_speed_is_left_out_where_frames_are_too_few() -> None:
    k = kinematics(planted([], 6.0, 30, noise=0.05, blinks=[1.0, 2.5]))
    assert len(k.lids.blinks) == 2
    row = next(r for r in k.readings if r.measure == "blink_speed" and r.side == "left")
    assert np.isnan(row.value)
    assert "50 frames a second" in row.status


def test_short_gaps_are_bridged_and_long_ones_are_nan_with_a_reason() -> None:
    whole = planted([smile()], 4.5, 60, noise=0.05)
    a = kinematics(whole)

    def gone(*frames: slice) -> Trajectories:
        points = whole.points.copy()
        for f in frames:
            points[f] = np.nan
        return replace(whole, points=points, lost={f.start: "no surface was recorded" for f in frames})

    short = kinematics(gone(slice(70, 76), slice(120, 124)))  # 0.1 s in the onset, 4 frames in the hold
    assert short.value("excursion", "ch", "left") == pytest.approx(a.value("excursion", "ch", "left"), abs=0.1)
    assert short.value("onset_lag", "face") == pytest.approx(a.value("onset_lag", "face"), abs=0.01)
    assert short.lost.sum() == 10
    assert any("2 gaps" in n and "bridged" in n for n in short.notes)
    assert any("no surface was recorded" in n for n in short.notes)
    long = kinematics(gone(slice(65, 80)))  # 0.25 s of the onset
    assert long.value("excursion", "ch", "left") == pytest.approx(a.value("excursion", "ch", "left"), abs=0.1)
    for name in ("path", "time_to_peak", "peak_velocity", "peak", "smoothness"):
        assert np.isnan(long.value(name, "ch", "left")), name
    row = next(r for r in long.readings if r.measure == "peak" and r.place == "ch")
    assert "frames lost from" in row.status
    assert np.isfinite(long.value("return_velocity", "ch", "left"))


def test_nothing_recorded_and_a_still_face_make_no_numbers() -> None:
    still = kinematics(planted([], 3.0, 60, noise=0.1))
    assert not still.movements
    assert any("no movement was found" in n for n in still.notes)
    empty = planted([], 3.0, 60)
    nothing = kinematics(replace(empty, points=np.full_like(empty.points, np.nan)))
    assert not nothing.movements
    assert nothing.lost.all()
    rate = next(r for r in nothing.readings if r.measure == "blink_rate")
    assert np.isnan(rate.value)
    assert rate.status == "lids were not seen"


def test_a_recording_that_is_cut_in_a_movement_says_so() -> None:
    whole = planted([smile()], 4.5, 60, noise=0.1)
    assert not any("from rest" in n for n in kinematics(whole).notes)
    cut = replace(whole, times_s=whole.times_s[:120], points=whole.points[:120])  # ends while the smile is held
    assert any(n.startswith("it ends 10.") and "record from rest to rest" in n for n in kinematics(cut).notes)


def test_time_must_run_forward_and_there_must_be_some() -> None:
    one = planted([smile()], 4.5, 60)
    times = one.times_s.copy()
    times[100] = times[98]
    with pytest.raises(ScanError, match=r"planted: frame 100 .*time must run forward"):
        kinematics(replace(one, times_s=times))
    with pytest.raises(ScanError, match="5 frames; movement needs 8"):
        kinematics(Trajectories("short", one.times_s[:5], one.names, one.points[:5]))


def test_uneven_frames_are_laid_on_an_even_clock() -> None:
    whole = planted([smile(late=0.1)], 4.5, 120)
    rng = np.random.default_rng(5)
    kept = np.sort(rng.choice(np.arange(1, 539), 300, replace=False))
    some = Trajectories("uneven", whole.times_s[kept], whole.names, whole.points[kept])
    k = kinematics(some)
    assert any("unevenly" in n for n in k.notes)
    assert k.value("excursion", "ch", "left") == pytest.approx(10.0, abs=0.1)
    assert k.value("onset_lag", "face") == pytest.approx(-0.1, abs=0.02)


def test_fatigue_is_the_slope_over_repeats() -> None:
    plans = [smile(start=1.0 + 3.5 * n, size=10.0 - n) for n in range(4)]
    k = kinematics(planted(plans, 15.0, 60, noise=0.05), expression="open_smile")
    assert [m.expression for m in k.movements] == ["open_smile"] * 4
    # One millimetre less each time, of 8.5 in the mean.
    assert k.value("fatigue", "ch excursion", "left", 0) == pytest.approx(-100 / 8.5, abs=0.5)


def test_what_moves_along_unasked_is_seen_to_be_locked() -> None:
    asked = smile()
    along = replace(asked, ways={"ch": (6.0, 8.0, 0), "sci": (0, 2.5, 0)}, share={"left": 1.0, "right": 1.0})
    left = replace(along, ways={"sci": (0, 2.5, 0)}, share={"left": 0.0, "right": 1.0})
    brow = replace(asked, ways={"sci": (0, 8.0, 0)}, left=replace(asked.left, start=5.0))
    brow = replace(brow, right=brow.left)
    raw = planted([smile(), left, brow], 9.0, 60, noise=0.05)
    names = iter(["open_smile", "brow_raise"])
    k = kinematics(raw)
    named = replace(k, movements=tuple(replace(m, expression=next(names)) for m in k.movements))
    assert [m.expression for m in named.movements] == ["open_smile", "brow_raise"]
    from face3d.sequence.filtering import Clock
    from face3d.sequence.unasked import unasked_readings

    clock = Clock(0.0, k.fps, len(k.times_s))
    done = [(m.at, m.segment) for m in named.movements]
    rows = list(unasked_readings(done, clock, k.names, k.away_mm, k.lids, {"left": 10.0, "right": 10.0}, k.cutoff_hz))
    value = {(r.measure, r.place, r.side): r.value for r in rows if r.movement == 1}
    assert value["unasked", "brow", "right"] == pytest.approx(2.5 / 8, abs=0.03)
    assert value["unasked", "brow", "left"] == pytest.approx(0.0, abs=0.03)
    assert value["locked", "brow", "right"] > 0.97
    assert abs(value["locked_lag", "brow", "right"]) < 0.05
    assert np.isnan(value["locked", "brow", "left"])


def test_tables_and_pickles() -> None:
    k = kinematics(planted([smile()], 4.5, 60, blinks=[0.4]))
    assert len(k.frames) == len(k.times_s) == 270
    assert set(k.frames["phase"]) == {"rest", "onset", "apex", "offset"}
    assert np.nanmax(np.asarray(k.frames["ch_left_mm"])) == pytest.approx(10.0, abs=0.1)
    assert list(k.table.columns[:6]) == ["movement", "expression", "measure", "place", "side", "value"]
    assert (np.asarray(k.table["cutoff_hz"]) > 0).all()
    again = pickle.loads(pickle.dumps(k))
    assert again.table.equals(k.table)
    assert not again.away_mm.flags.writeable
    with pytest.raises(KeyError):
        k.value("excursion", "nowhere", "left")


def test_a_gap_while_it_is_held_leaves_one_movement() -> None:
    whole = planted([smile()], 4.5, 60, noise=0.05)
    points = whole.points.copy()
    points[100:130] = np.nan  # half a second of the hold
    k = kinematics(replace(whole, points=points))
    assert len(k.movements) == 1
    s = k.movements[0].segment
    assert [s.begin, s.arrived, s.leaves, s.end] == pytest.approx([1.0, 1.5, 2.5, 3.1], abs=0.05)
    points[95:142] = np.nan  # nearly all of it: what happened there nobody knows
    assert len(kinematics(replace(whole, points=points)).movements) == 2
