"""Measures against planted truth on faces in exact correspondence: what is tested is measuring, not fitting."""

import math

import numpy as np
import pytest

from face3d.measuring.definitions import DEFINITIONS
from face3d.measuring.exam_measures import measure_vertices
from face3d.measuring.ratios import RATIOS
from face3d.measuring.readings import LEAST_FOR_ANGLE
from face3d.measuring.shares import worked
from face3d.reference.scales import REGIONS
from face3d.simulate.head import HeadModel, reflected
from palsy import ASKED, face

MODEL = HeadModel.load()
#: Measures that are left minus right, or positive to the left.
SIGNED = (
    "rest_difference",
    "midline_deviation",
    "commissure_cant",
    "commissure_angle_difference",
    "philtrum_deviation",
)


def measured(function: float, seed: int = 0, affected: str = "left", **more):
    rest, moved = face(MODEL, np.random.default_rng(seed), function, affected, **more)
    return rest, moved, measure_vertices(rest, moved, MODEL)


@pytest.mark.parametrize("function", [0.0, 0.4, 0.8])
def test_millimetres_are_those_of_the_planted_movement(function: float) -> None:
    seed = 3
    rest, still = face(MODEL, np.random.default_rng(seed), function, natural_asymmetry=0.3, posed=False)
    m = measure_vertices(rest, still, MODEL)
    at_rest = MODEL.landmark_points(rest)
    for side, out in (("left", 1), ("right", -1)):
        marks = {e: MODEL.landmark_points(v) for e, v in still.items()}
        smile = marks["open_smile"][f"ch_{side}"] - at_rest[f"ch_{side}"]
        # Same vertices: what differs is the alignment, some hundredths of a millimetre.
        assert m.value("commissure_excursion", "open_smile", side) == pytest.approx(np.linalg.norm(smile), abs=0.1)
        angle = m.value("commissure_angle_frontal", "open_smile", side)
        if np.linalg.norm(smile) > LEAST_FOR_ANGLE + 0.1:
            assert angle == pytest.approx(math.degrees(math.atan2(smile[1], out * smile[0])), abs=1.0)
            assert 0 < angle < 90
        elif np.linalg.norm(smile) < LEAST_FOR_ANGLE - 0.1:
            assert math.isnan(angle)
        brow = marks["brow_raise"][f"sci_{side}"] - at_rest[f"sci_{side}"]
        assert m.value("brow_raise", "brow_raise", side) == pytest.approx(brow[1], abs=0.1)
        opening = np.linalg.norm(at_rest[f"ps_{side}"] - at_rest[f"pi_{side}"])
        assert m.value("fissure_height", "rest", side) == pytest.approx(opening, abs=1e-9)
        pucker = marks["lip_pucker"][f"ch_{side}"] - at_rest[f"ch_{side}"]
        assert m.value("pucker", "lip_pucker", side) == pytest.approx(-out * pucker[0], abs=0.1)


@pytest.mark.parametrize(("function", "affected"), [(0.05, "left"), (0.3, "right"), (0.6, "left"), (0.85, "right")])
def test_function_and_side(function: float, affected: str) -> None:
    rest, moved, m = measured(function, 5, affected, natural_asymmetry=0.3)
    assert m.affected_side == affected
    assert m.side_source == "measured"
    for region in ("brow", "mouth"):
        assert m.region_function[region] == pytest.approx(function, abs=0.04)
    # Lids slide over the ball, and fall by themselves: what they close is not quite their muscle's share. Closed by how
    # much, upright, mm:
    opened, closed = MODEL.landmark_points(rest), MODEL.landmark_points(moved["gentle_eye_closure"])
    gaps = {s: [np.linalg.norm(p[f"ps_{s}"] - p[f"pi_{s}"]) for p in (opened, closed)] for s in ("left", "right")}
    closes = {s: (wide - gap) / wide for s, (wide, gap) in gaps.items()}
    share = worked(closes[affected]) / worked(closes["right" if affected == "left" else "left"])
    assert m.region_function["eye"] == pytest.approx(share, abs=0.12)  # lids that meet are 1 mm apart there
    assert m.severity == pytest.approx(1 - function, abs=0.04)
    assert m.value("commissure_excursion_ratio", "open_smile") == pytest.approx(function, abs=0.05)
    assert m.value("brow_raise_ratio", "brow_raise") == pytest.approx(function, abs=0.05)


def test_the_healthy_side_pulls_the_mouth_over() -> None:
    pulled = [measured(f, 5, "right")[2].value("overaction", "open_smile", "left") for f in (0.9, 0.5, 0.0)]
    assert 0 < pulled[0] < pulled[1] < pulled[2]
    assert not [r for r in measured(1.0)[2].rows if r.measure == "overaction"]  # none affected: none healthier


def test_healthy_face_has_no_affected_side_and_full_closure() -> None:
    _, _, m = measured(1.0, 2)
    assert m.affected_side == "none"
    assert m.severity < 0.02
    assert all(m.region_function[r] > 0.95 for r in REGIONS)
    for side in ("left", "right"):
        assert m.value("closure", "gentle_eye_closure", side) > 0.9
        assert m.value("closure_gap", "gentle_eye_closure", side) < 1.0
    assert m.value("resting_asymmetry", "rest", region="commissure") < 0.05


def test_sides_swap_with_the_mirror() -> None:
    rest, moved, m = measured(0.4, 8, "left", natural_asymmetry=0.3, synkinesis=0.3)
    flipped = {e: reflected(v, MODEL.opposite) for e, v in moved.items()}
    n = measure_vertices(reflected(rest, MODEL.opposite), flipped, MODEL)
    assert (m.affected_side, n.affected_side) == ("left", "right")
    values = {(r.measure, r.expression, r.region, r.side): r.value for r in n.rows}
    swap = {"left": "right", "right": "left", "both": "both"}
    for r in m.rows:
        other = values[r.measure, r.expression, r.region, swap[r.side]]
        sign = -1 if r.measure in SIGNED else 1
        assert other == pytest.approx(sign * r.value, abs=1e-6, nan_ok=True), r


def test_planted_droop_is_found_at_rest_and_nowhere_else() -> None:
    rest, _ = face(MODEL, np.random.default_rng(1))
    weight = MODEL.regions["commissure_left"][:, None]
    drooped = rest + weight * [0, -4.0, 0]
    m = measure_vertices(drooped, {}, MODEL)
    # The corner itself lies inside the region, with full weight.
    assert m.value("rest_difference", "rest", region="commissure") == pytest.approx(-4.0, abs=0.1)
    assert m.value("rest_difference", "rest", region="brow") == pytest.approx(0, abs=0.02)
    assert m.value("resting_asymmetry", "rest", region="commissure") > 2
    assert m.value("resting_asymmetry", "rest", region="brow") < 0.05


def test_synkinesis_is_found_where_it_was_planted() -> None:
    _, _, clean = measured(0.6, 4)
    _, _, ill = measured(0.6, 4, synkinesis=0.4)
    for key in (("open_smile", "eye"), ("gentle_eye_closure", "mouth")):
        assert abs(clean.synkinesis[key]) < 0.05
        assert ill.synkinesis[key] == pytest.approx(0.4, abs=0.12)
    assert abs(ill.synkinesis["brow_raise", "mouth"]) < 0.05
    # Full strength but unasked movement: the side shows by its synkinesis.
    _, _, strong = measured(1.0, 4, "right", synkinesis=0.4)
    assert strong.affected_side == "right"


def test_what_cannot_be_measured_says_why() -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.0)
    rest = rest.copy()
    rest[MODEL.regions["brow_left"] > 0] = np.nan
    m = measure_vertices(rest, {"brow_raise": moved["brow_raise"]}, MODEL, affected_side="left")
    assert m.side_source == "given"
    assert math.isnan(m.region_function["brow"])
    assert math.isnan(m.severity)
    for r in m.rows:
        assert math.isnan(r.value) == (r.status != "ok")
    still = measure_vertices(moved["open_smile"], {"open_smile": moved["open_smile"]}, MODEL, affected_side="left")
    assert math.isnan(still.value("commissure_excursion_ratio", "open_smile"))
    with pytest.raises(KeyError):
        still.value("brow_raise", "brow_raise", "left")


def test_table_is_tidy_and_defined() -> None:
    _, _, m = measured(0.5)
    table = m.table
    assert list(table.columns[:4]) == ["subject", "visit", "measure", "expression"]
    assert not table.duplicated(["measure", "expression", "region", "side"]).any()
    for name in set(table["measure"]):
        assert name in DEFINITIONS or name.removesuffix("_ratio") in RATIOS
    assert set(table["expression"]) == {"rest", "all", *ASKED}
