"""What clinicians ask of lids, lips and philtrum: planted millimetres and degrees come back."""

import math
from dataclasses import replace

import numpy as np
import pytest

from face3d.measuring.exam_measures import measure_vertices
from face3d.measuring.face_pattern import face_pattern
from face3d.measuring.lids_and_lips import TEETH
from face3d.simulate.head import HeadModel
from face3d.template.template import FaceTemplate
from palsy import face

MODEL = HeadModel.load()


@pytest.fixture(scope="module")
def rest() -> np.ndarray:
    return face(MODEL, np.random.default_rng(1), posed=False)[0]


def shifted(rest: np.ndarray, region: str, by: tuple[float, float, float]) -> np.ndarray:
    return rest + MODEL.regions[region][:, None] * np.asarray(by)


def test_margins_add_up_to_the_fissure_and_a_hanging_lid_shows(rest: np.ndarray) -> None:
    m = measure_vertices(rest, {}, MODEL)
    for side in ("left", "right"):
        upper, lower = m.value("mrd1", "rest", side), m.value("mrd2", "rest", side)
        assert upper > 0 and lower > 0
        assert upper + lower == pytest.approx(m.value("fissure_height", "rest", side), abs=0.4)  # not quite upright
    marks, moved = MODEL.landmark_points(rest), rest.copy()
    near = np.linalg.norm(rest - marks["ps_left"], axis=1) < 3.0
    moved[near] += [0, -2.0, 0]
    n = measure_vertices(moved, {}, MODEL)
    assert n.value("mrd1", "rest", "left") == pytest.approx(m.value("mrd1", "rest", "left") - 2.0, abs=0.05)
    assert n.value("mrd2", "rest", "left") == pytest.approx(m.value("mrd2", "rest", "left"), abs=0.05)
    assert n.value("mrd1", "rest", "right") == pytest.approx(m.value("mrd1", "rest", "right"), abs=1e-9)


def test_the_mouth_is_canted_by_a_hanging_corner(rest: np.ndarray) -> None:
    m = measure_vertices(shifted(rest, "commissure_left", (0, -3.0, 0)), {}, MODEL)
    marks = MODEL.landmark_points(rest)
    width = marks["ch_left"][0] - marks["ch_right"][0]
    assert m.value("commissure_cant", "rest") == pytest.approx(-math.degrees(math.atan2(3.0, width)), abs=0.1)
    assert measure_vertices(rest, {}, MODEL).value("commissure_cant", "rest") == pytest.approx(0, abs=1e-6)


def test_a_philtrum_that_is_pulled_over_is_off_by_as_much(rest: np.ndarray) -> None:
    lip = MODEL.regions["upper_lip_left"] + MODEL.regions["upper_lip_right"]
    pulled = rest + lip[:, None] * np.array([-3.0, 0, 0])
    at = MODEL.landmark_points(np.stack([lip] * 3, axis=1))
    m = measure_vertices(pulled, {}, MODEL)
    assert at["ls"][0] > 0.9
    assert m.value("philtrum_deviation", "rest") == pytest.approx(-3.0 * (at["ls"][0] - at["sn"][0]), abs=0.01)


@pytest.mark.parametrize("anatomy", [MODEL, FaceTemplate.load()], ids=["head model", "template"])
def test_lips_that_part_leave_a_gap(anatomy) -> None:
    neutral = np.asarray(anatomy.vertices, np.float64)
    upper, lower = (
        anatomy.regions[f"{lip}_left"] + anatomy.regions[f"{lip}_right"] for lip in ("upper_lip", "lower_lip")
    )
    below = (lower > upper)[:, None]
    open_mouth = neutral + below * np.array([0, -4.0, 0])
    closed, parted = (measure_vertices(v, {}, anatomy) for v in (neutral, open_mouth))
    for side in ("both", "left", "right"):
        assert closed.value("lip_gap", "rest", side) == 0
        assert parted.value("lip_gap", "rest", side) == pytest.approx(4.0, abs=0.1)
    half = neutral + (below & (neutral[:, :1] > 2.0)) * np.array([0, -3.0, 0])
    one = measure_vertices(half, {}, anatomy)
    assert one.value("lip_gap", "rest", "left") == pytest.approx(3.0, abs=0.1)
    assert one.value("lip_gap", "rest", "right") < 0.1


def test_teeth_are_never_measured_and_the_row_says_why() -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.5)
    m = measure_vertices(rest, moved, MODEL)
    rows = [r for r in m.rows if r.measure == "dental_show"]
    assert len(rows) == 4 and all(math.isnan(r.value) and r.status == TEETH for r in rows)


def test_the_way_sideward_is_part_of_the_excursion() -> None:
    rest, moved = face(MODEL, np.random.default_rng(1), 1.0, posed=False)
    m = measure_vertices(rest, moved, MODEL)
    before, after = MODEL.landmark_points(rest), MODEL.landmark_points(moved["open_smile"])
    for side, out in (("left", 1), ("right", -1)):
        aside = out * (after[f"ch_{side}"] - before[f"ch_{side}"])[0]
        assert m.value("commissure_lateral", "open_smile", side) == pytest.approx(aside, abs=0.1)
        assert 0 < aside < m.value("commissure_excursion", "open_smile", side)
    assert m.value("commissure_angle_difference", "open_smile") == pytest.approx(0, abs=0.5)


def with_error(m, size: float):
    return replace(m, rows=tuple(replace(r, uncertainty=size) for r in m.rows))


def test_a_spared_brow_is_a_pattern_with_an_interval() -> None:
    rest, whole = face(MODEL, np.random.default_rng(2), 1.0, posed=False)
    _, weak = face(MODEL, np.random.default_rng(2), 0.3, posed=False)
    spared = measure_vertices(rest, weak | {"brow_raise": whole["brow_raise"]}, MODEL, "left")
    p = face_pattern(with_error(spared, 0.08))
    assert p.difference == pytest.approx(0.7, abs=0.15)  # the mouth is dragged over: it shows less than it has
    assert p.high - p.difference == pytest.approx(1.96 * 0.08 * math.sqrt(1 + 1 / 3), rel=1e-6)
    assert p.low > 0 and "upper face moves better" in p.text and "no diagnosis" in p.text
    lost = measure_vertices(rest, whole | {"brow_raise": weak["brow_raise"]}, MODEL, "left")
    assert "lower face moves better" in face_pattern(with_error(lost, 0.08)).text
    same = face_pattern(with_error(measure_vertices(rest, weak, MODEL, "left"), 0.08))
    assert same.low < 0 < same.high and "don't differ" in same.text


def test_a_pattern_needs_a_side_and_movements() -> None:
    rest, moved = face(MODEL, np.random.default_rng(2), 0.3)
    for side in ("none", "both"):
        assert math.isnan(face_pattern(measure_vertices(rest, moved, MODEL, side)).difference)
    bare = measure_vertices(rest, {"open_smile": moved["open_smile"]}, MODEL, "left")
    assert "brow" in face_pattern(bare).text
