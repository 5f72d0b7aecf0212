"""Standard error and detectable change: from people, whatever the sides of one face have in common."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from face3d.errors import SchemaError
from face3d.reference.agreement import detectable_change
from face3d.reference.repeatability import load_repeatability, repeatability_from, write_repeatability
from planted_visits import directions, planted


def test_round_trip(tmp_path: Path) -> None:
    found = repeatability_from(planted(), "made up")
    assert [(r.measure, r.region, r.n) for r in found] == [("brow_raise", "brow", 60)]
    assert found[0].sem == pytest.approx(0.5, rel=0.2)
    assert found[0].mdc95 == pytest.approx(detectable_change(found[0].sem, 60), rel=1e-4)
    write_repeatability(tmp_path / "r.json", found)
    assert load_repeatability(tmp_path / "r.json")["brow_raise", "brow_raise", "brow"] == found[0]
    (tmp_path / "r.json").write_text('{"entries": [{"measure": "x"}]}')
    with pytest.raises(SchemaError, match=r"entries\[0\]"):
        load_repeatability(tmp_path / "r.json")


def test_directions_go_the_short_way_round() -> None:
    (found,) = repeatability_from(directions(), "made up")
    assert found.sem == pytest.approx(1.0, rel=0.25)
    assert found.icc == pytest.approx(64 / 65, abs=0.02)


def test_a_side_that_repeats_the_other_adds_nothing() -> None:
    one = planted(12)
    one = one.loc[one["side"] == "left"]
    both = pd.concat([one, one.assign(side="right")])
    (alone,), (twice,) = repeatability_from(one, "x"), repeatability_from(both, "x")
    assert (alone.sem, alone.mdc95, alone.n) == (twice.sem, twice.mdc95, twice.n)


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_one_unchanged_side_in_twenty_is_called_whatever_both_sides_share(shared: float) -> None:
    """`shared` correlation of both sides' errors in one scan."""
    rng, called, people = np.random.default_rng(6), [], 10
    keys = planted(people)
    keys = keys.loc[keys["visit"] != "c"].sort_values(by=["subject", "visit", "side"])
    for _ in range(400):
        common = np.repeat(rng.normal(size=2 * people), 2)
        value = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.normal(size=4 * people)
        (found,) = repeatability_from(keys.assign(value=value), "x")
        called.append(np.mean(np.abs(rng.normal(size=50) * np.sqrt(2)) > found.mdc95))
    # Where both sides say more than one would, counting people is cautious: t of 9 instead of 18 degrees of freedom,
    # and an SEM larger by the root of 19 / 18.
    expected = 0.05 if shared else 2 * t.sf(t.ppf(0.975, 9) * np.sqrt(19 / 18), 18)
    assert np.mean(called) == pytest.approx(expected, abs=0.006)


def test_fewer_than_ten_people_give_nothing_however_many_sides() -> None:
    assert not repeatability_from(planted(9), "x")
    assert repeatability_from(planted(10), "x")


def test_shipped_values_count_people() -> None:
    for (measure, *_), one in load_repeatability().items():
        people = int(one.source.split()[0])
        assert 10 <= one.n <= people, measure
        assert one.mdc95 == pytest.approx(detectable_change(one.sem, one.n), rel=2e-3), measure
