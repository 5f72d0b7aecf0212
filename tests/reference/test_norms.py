"""Reference values: complete, sourced, and never compared across methods."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from face3d.errors import SchemaError
from face3d.reference.norms import (
    MIRROR_RMS,
    OUR_METHOD,
    Norm,
    against,
    find_norms,
    load_norms,
    methods,
    norms_from,
    write_norms,
)


def test_shipped_norms_are_complete() -> None:
    norms = load_norms()
    assert len(norms) > 15
    for norm in norms:
        assert norm.source
        assert norm.population
        assert norm.method in methods() or norm.method == "clinical scale"
        assert str(norm)


def test_taylor_gives_z_only_for_his_method() -> None:
    (taylor,) = find_norms("surface_rms", "rest", "face")
    assert (taylor.mean, taylor.sd, taylor.n) == (0.6253, 0.16, 350)
    same = against(0.6253 + 2 * 0.16, taylor, MIRROR_RMS)
    assert same.z == pytest.approx(2)
    assert same.percentile == pytest.approx(97.67, abs=0.01)  # 97.725 if his 350 people were everybody
    other = against(0.9, taylor, OUR_METHOD)
    assert other.z is other.percentile is None
    assert "another method" in other.reason
    assert against(math.nan, taylor, MIRROR_RMS).reason == "not measured"


def test_perception_and_repeatability_are_kept_apart() -> None:
    assert [n.mean for n in find_norms("commissure", kind="perception")] == [3]
    assert not find_norms("commissure")
    assert find_norms("mdc95", "open_smile", kind="repeatability")[0].mean == 1.3


def test_own_norms_count_people_and_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    people = rng.normal(10, 2, 120)
    rows = [
        {
            "subject": f"s{i}",
            "side": side,
            "measure": "brow_raise",
            "expression": "brow_raise",
            "region": "brow",
            "value": v,
            "unit": "mm",
        }
        for i, v in enumerate(people)
        for side in ("left", "right")
    ]
    rows += [{**rows[0], "measure": "rare"}, {**rows[0], "value": math.nan}]
    norm, right = norms_from(pd.DataFrame(rows), "healthy adults", "own laboratory")
    assert (norm.side, right.side) == ("left", "right")
    assert find_norms("brow_raise", side="right", norms=(norm, right)) == (right,)
    assert norm.n == 120
    assert norm.mean == pytest.approx(people.mean())
    assert norm.sd == pytest.approx(people.std(ddof=1))
    # Of 120 people the third lowest is about where one of forty further people lies below.
    assert (norm.low, norm.high) == pytest.approx(np.sort(people)[[2, -3]].tolist(), abs=0.15)
    write_norms(tmp_path / "own.json", [norm])
    assert load_norms(tmp_path / "own.json") == (norm,)
    assert against(norm.mean + norm.sd, norm, OUR_METHOD).z == pytest.approx(1)  # type: ignore[operator]


def measured(values: np.ndarray, measure: str = "brow_raise", region: str = "brow", unit: str = "mm") -> pd.DataFrame:
    """A study of people, `values` (people, sides)."""
    rows = [
        {
            "subject": f"s{i}",
            "visit": "",
            "measure": measure,
            "expression": "brow_raise",
            "region": region,
            "side": ("left", "right")[side],
            "value": value,
            "unit": unit,
        }
        for (i, side), value in np.ndenumerate(values)
    ]
    return pd.DataFrame(rows)


def studies(values: np.ndarray) -> tuple[Norm, ...]:
    """The norms of many studies at once, `values` (studies, people, sides): each as a region of its own."""
    region, person, side = (axis.ravel() for axis in np.indices(values.shape))
    table = pd.DataFrame(
        {
            "subject": person,
            "side": np.array(["left", "right"])[side],
            "measure": "m",
            "expression": "e",
            "unit": "mm",
            "region": region,
            "value": values.ravel(),
        }
    )
    return norms_from(table, "p", "s")


def test_regions_are_not_pooled() -> None:
    rng = np.random.default_rng(0)
    table = pd.concat(
        [
            measured(rng.normal(mean, 0.2, (20, 1)), "displacement", region)
            for region, mean in (("brow", 9.0), ("chin", 0.5))
        ]
    )
    found = {n.region: n for n in norms_from(table, "p", "s")}
    assert found["brow"].mean == pytest.approx(9.0, abs=0.15)
    assert found["chin"].mean == pytest.approx(0.5, abs=0.15)
    assert find_norms("displacement", "brow_raise", "chin", norms=tuple(found.values())) == (found["chin"],)
    with pytest.raises(SchemaError, match="region"):
        norms_from(table.drop(columns="region"), "p", "s")


def test_angles_are_averaged_on_their_circle() -> None:
    values = (180 + np.random.default_rng(1).normal(0, 8, (30, 1)) + 180) % 360 - 180
    (norm,) = norms_from(measured(values, "commissure_angle_frontal", "mouth", "deg"), "p", "s")
    assert norm.mean is not None and norm.sd is not None and norm.low is not None and norm.high is not None
    assert abs(abs(norm.mean) - 180) < 5
    assert norm.sd == pytest.approx(8, rel=0.3)
    assert norm.low < norm.mean < norm.high < norm.low + 50
    assert against(-170, norm, OUR_METHOD).z == pytest.approx((10 - (norm.mean % 360 - 180)) / norm.sd)


def test_one_healthy_side_in_twenty_is_unusual_not_one_in_ten() -> None:
    # Averaging both sides of a person first would give an SD of 0.87 and call 9 % of sides.
    rng = np.random.default_rng(2)

    def faces(n: int) -> np.ndarray:
        return np.sqrt(0.5) * (rng.normal(size=(n, 1)) + rng.normal(size=(n, 2)))

    called = []
    for norm in studies(10 + faces(100 * 40).reshape(100, 40, 2)):
        called += [abs(against(10 + v, norm, OUR_METHOD).z or 0) > 1.96 for v in faces(50)[:, 0]]
    assert np.mean(called) == pytest.approx(0.055, abs=0.012)  # SD from 40 people is itself uncertain


def test_sides_that_differ_are_not_pooled() -> None:
    table = measured(np.random.default_rng(0).normal([10.0, 8.0], 1.0, (40, 2)))
    left, right = norms_from(table, "p", "s")
    assert (left.mean, right.mean) == pytest.approx((10, 8), abs=0.5)
    assert left.sd == pytest.approx(1, rel=0.3)  # pooled it would be 1.4


def test_too_few_people_and_ill_ones_are_refused() -> None:
    table = measured(np.random.default_rng(0).normal(10, 1, (19, 2)))
    with pytest.raises(SchemaError, match="19 people; norms take 20"):
        norms_from(table, "p", "s")
    table = measured(np.random.default_rng(0).normal(10, 1, (20, 2)))
    loss = measured(np.full((20, 1), 0.04), "severity", "face", "1").assign(expression="all", side="both")
    assert len(norms_from(pd.concat([table, loss]), "p", "s")) == 2
    loss.loc[loss["subject"] == "s7", "value"] = 0.6
    with pytest.raises(SchemaError, match=r"not healthy: s7 \(60%\)"):
        norms_from(pd.concat([table, loss]), "p", "s")


@pytest.mark.parametrize("people", [20, 40, 119, 120])
def test_the_range_holds_19_of_20_further_people(people: int) -> None:
    rng, held, below = np.random.default_rng(3), [], []
    for norm in studies(rng.normal(size=(400, people, 1))):
        assert norm.low is not None and norm.high is not None
        new = rng.normal(size=40)
        held.append(np.mean((new > norm.low) & (new < norm.high)))
        below += [against(v, norm, OUR_METHOD).percentile or 0 for v in new[:5]]
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)
    assert np.mean(np.array(below) < 5) == pytest.approx(0.05, abs=0.012)


def test_the_range_follows_a_skewed_measure() -> None:
    rng, held = np.random.default_rng(4), []
    for norm in studies(rng.exponential(size=(200, 120, 1))):
        assert norm.low is not None and norm.high is not None and norm.low > 0
        new = rng.exponential(size=50)
        held.append(np.mean((new > norm.low) & (new < norm.high)))
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "not a file of norms"),
        ("[]", "not a file of norms"),
        ('{"entries": 3}', "not a list"),
        (json.dumps({"entries": [{"measure": "x"}]}), r"entries\[0\]"),
        (
            json.dumps(
                {
                    "entries": [
                        {
                            "measure": "x",
                            "unit": "mm",
                            "method": "m",
                            "population": "p",
                            "source": "s",
                            "mean": 1,
                            "sd": -1,
                        }
                    ]
                }
            ),
            r"entries\[0\].*sd",
        ),
    ],
)
def test_faulty_files_name_the_entry(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "n.json").write_text(text)
    with pytest.raises(SchemaError, match=match):
        load_norms(tmp_path / "n.json")


def test_a_norm_needs_a_value() -> None:
    with pytest.raises(ValueError, match="neither"):
        Norm("x", "mm", "m", "p", "s")
    with pytest.raises(SchemaError, match="subject"):
        norms_from(pd.DataFrame({"measure": []}), "p", "s")
