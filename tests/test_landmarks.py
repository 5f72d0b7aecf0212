"""The scheme: every pair has both sides, and relabelling is an involution."""

from face3d.landmarks import MIDLINE, NAMES, PAIRED, opposite_name, relabelled


def test_relabelling_twice_changes_nothing_and_pairs_are_complete():
    assert len(NAMES) == len(set(NAMES)) == len(MIDLINE) + 2 * len(PAIRED)
    assert all(opposite_name(opposite_name(name)) == name and opposite_name(name) in NAMES for name in NAMES)
    assert {name for name in NAMES if opposite_name(name) == name} == set(MIDLINE)
    assert relabelled({"en_left": 1, "en_right": 2, "prn": 3}) == {"en_right": 1, "en_left": 2, "prn": 3}
