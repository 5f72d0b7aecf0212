"""The scheme: every pair has both sides, and relabelling is an involution."""

import pytest

from face3d.landmarks import MIDLINE, NAMES, PAIRED, SIDES, code_of, opposite_name, other_side, relabelled


def test_relabelling_twice_changes_nothing_and_pairs_are_complete():
    assert len(NAMES) == len(set(NAMES)) == len(MIDLINE) + 2 * len(PAIRED)
    assert all(opposite_name(opposite_name(name)) == name and opposite_name(name) in NAMES for name in NAMES)
    assert {name for name in NAMES if opposite_name(name) == name} == set(MIDLINE)
    assert relabelled({"en_left": 1, "en_right": 2, "prn": 3}) == {"en_right": 1, "en_left": 2, "prn": 3}


def test_sides_and_codes_make_up_the_names():
    assert {side: other_side(side) for side in SIDES} == {"left": "right", "right": "left"}
    for neither in ("none", "both", "", "Left"):
        with pytest.raises(ValueError):
            other_side(neither)
    assert {name for name in NAMES if code_of(name) == name} == set(MIDLINE)
    assert [
        f"{code_of(name)}_{other_side(side)}" for code in PAIRED for side in SIDES for name in [f"{code}_{side}"]
    ] == [opposite_name(f"{code}_{side}") for code in PAIRED for side in SIDES]
    assert [code_of(name) for name in ("upper_lip_left", "prn", "left", "en")] == ["upper_lip", "prn", "left", "en"]
