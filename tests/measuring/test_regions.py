"""Regions lie where their names say, and their statistics are those of known fields."""

import numpy as np
import pytest

from analytic_face import face
from face3d.geometry.mesh import vertex_areas
from face3d.landmarking.pose import average_landmarks
from face3d.measuring.regions import SUBUNITS, completed, landmark_regions, region_table, statistics

SCAN = face(0, count=8000)
REGIONS = landmark_regions(SCAN.vertices, SCAN.landmarks)
BY_NAME = {(r.name, r.side, r.definition): r.weight for r in REGIONS}


def at(mask):
    return SCAN.vertices[mask].mean(axis=0)


def test_every_subunit_is_there_on_both_sides_and_they_do_not_overlap():
    total = np.zeros(len(SCAN.vertices))
    for name in SUBUNITS:
        for side in ("left", "right"):
            mask = BY_NAME[name, side, "subunit"]
            assert mask.sum() > 20, (name, side)
            total += mask
    np.testing.assert_array_equal(total, BY_NAME["face", "both", "face"].astype(float))


@pytest.mark.parametrize(
    ("name", "mark"),
    [("brow", "sci"), ("commissure", "ch"), ("upper_lid", "ps"), ("lower_lid", "pi")],
)
@pytest.mark.parametrize("side", ["left", "right"])
def test_landmark_lies_in_its_region(name, mark, side):
    nearest = np.argmin(np.linalg.norm(SCAN.vertices - SCAN.landmarks[f"{mark}_{side}"], axis=1))
    assert BY_NAME[name, side, "subunit"][nearest]


def test_regions_follow_each_side_s_own_landmarks():
    drooped = face(1, count=8000, palsy=9.0)
    masks = {(r.name, r.side): r.weight for r in landmark_regions(drooped.vertices, drooped.landmarks)}
    fall = drooped.landmarks["ch_right"][1] - drooped.landmarks["ch_left"][1]
    assert fall > 5.0
    left, right = (drooped.vertices[masks["commissure", side]].mean(axis=0)[1] for side in ("left", "right"))
    assert right - left == pytest.approx(fall, abs=2.5)  # the whole disc, not its centre


def test_thirds_are_ordered_and_each_definition_covers_the_face_once():
    for definition in ("trigeminal third", "horizontal third"):
        parts = [BY_NAME[f"{name} third", "both", definition] for name in ("upper", "middle", "lower")]
        np.testing.assert_array_equal(np.sum(parts, axis=0), BY_NAME["face", "both", "face"])
        heights = [at(part)[1] for part in parts]
        assert heights[0] > heights[1] > heights[2]
        left, right = (BY_NAME["upper third", side, definition] for side in ("left", "right"))
        np.testing.assert_array_equal(left | right, parts[0])
    # Not interchangeable: between glabella and the eyes, one says middle and the other upper.
    assert (
        BY_NAME["upper third", "both", "trigeminal third"] & BY_NAME["middle third", "both", "horizontal third"]
    ).any()


def test_sides_are_the_subjects():
    assert at(BY_NAME["cheek", "left", "subunit"])[0] > 20 and at(BY_NAME["cheek", "right", "subunit"])[0] < -20


def test_missing_landmarks_come_from_the_other_side_then_from_the_average_face():
    average = average_landmarks()
    given = {k: 1.1 * p for k, p in average.items() if k.endswith("_left") or k == "prn"}
    marks = completed(given)
    assert set(marks) == set(average)
    np.testing.assert_allclose(marks["ch_right"], 1.1 * average["ch_right"], atol=1e-9)
    np.testing.assert_allclose(marks["gn"], 1.1 * average["gn"], atol=1e-6)


def test_statistics_are_area_weighted():
    found = statistics(np.array([1.0, 3.0, np.nan]), np.array([3.0, 1.0, 4.0]), np.ones(3, bool))
    assert found.mean == pytest.approx(1.5)
    assert found.rms == pytest.approx(np.sqrt((3 * 1 + 1 * 9) / 4))
    assert (found.max, found.coverage, found.area_mm2) == (3.0, 0.5, 4.0)


def test_p95_of_a_uniform_field():
    found = statistics(np.linspace(0, 1, 10001), np.ones(10001), np.ones(10001, bool))
    assert found.p95 == pytest.approx(0.95, abs=1e-3)


def test_signed_values_are_measured_by_their_size():
    found = statistics(np.array([-2.0, 2.0]), np.ones(2), np.ones(2, bool))
    assert (found.mean, found.rms) == (2.0, 2.0)


def test_nothing_measured_is_nan_never_zero():
    found = statistics(np.full(3, np.nan), np.ones(3), np.ones(3, bool))
    assert np.isnan([found.mean, found.rms, found.p95, found.max]).all() and found.coverage == 0.0


def test_table_names_region_side_definition_and_distance():
    distance = np.full(len(SCAN.vertices), 0.6253 + 0.16)
    table = region_table(distance, vertex_areas(SCAN), REGIONS, "surface distance").set_index(
        ["region", "side", "definition"]
    )
    whole = table.loc[("face", "both", "face")]
    assert whole["z"] == pytest.approx(1.0) and "Taylor 2014" in whole["reference"] and whole["coverage"] > 0.99
    assert np.all(table["z"].drop(("face", "both", "face")).isna())
    assert np.all(table["distance"] == "surface distance")
    np.testing.assert_allclose(table["rms"].astype(float), 0.7853)


def test_no_norm_for_another_distance():
    table = region_table(np.ones(len(SCAN.vertices)), vertex_areas(SCAN), REGIONS, "asymmetry")
    assert np.all(table["z"].isna()) and np.all(table["reference_range"] == "")


def test_a_half_that_was_not_scanned_is_not_covered():
    half = face(2, keep=lambda x, y: x > -10.0)
    regions = landmark_regions(half.vertices, half.landmarks)
    table = region_table(np.ones(len(half.vertices)), vertex_areas(half), regions, "surface distance").set_index(
        ["region", "side", "definition"]
    )
    assert table.loc[("cheek", "left", "subunit"), "coverage"] > 0.99
    gone = table.loc[("cheek", "right", "subunit")]
    assert gone["coverage"] < 0.05 and table.loc[("face", "both", "face"), "coverage"] < 0.7
