"""Two visits of a study: agreement and group change recover what was planted, as pingouin and statsmodels have it."""

import math

import numpy as np
import pandas as pd
import pingouin
import pytest

from face3d.errors import SchemaError
from face3d.measuring.two_visits import ADJUSTED, AGREEMENT, CHANGE, adjusted_change, agreement_table, group_change
from planted_visits import directions, planted


def test_agreement_recovers_the_planted_error() -> None:
    table = agreement_table(planted(), "a", "b")
    assert list(table.columns) == AGREEMENT
    assert len(table) == 2
    for row in table.to_dict("records"):
        assert row["n"] == 60
        # 60 pairs: the standard error of an SD is 9 %.
        assert row["sem"] == pytest.approx(0.5, rel=0.25)
        # sqrt(2) times Student's t of 59 degrees of freedom, 2.0010.
        assert row["mdc95"] == pytest.approx(2.8299 * row["sem"], rel=1e-3)
        assert row["icc21"] == pytest.approx(4 / 4.25, abs=0.05)
        assert "2 raters" in row["icc21_note"]
        assert row["limit_low"] < 0 < row["limit_high"]
        assert row["bias_low"] < 0 < row["bias_high"]
    with pytest.raises(SchemaError, match=r"'x'.*a, b, c"):
        agreement_table(planted(5), "a", "x")
    with pytest.raises(SchemaError, match="none with a label"):
        agreement_table(planted(5).assign(visit=""), "a", "b")
    with pytest.raises(SchemaError, match="twice"):
        agreement_table(planted(5), "a", "a")


def test_agreement_of_directions_goes_the_short_way_round() -> None:
    (row,) = agreement_table(directions(), "a", "b").to_dict("records")
    assert row["sem"] == pytest.approx(1.0, rel=0.25)
    assert row["tem"] == pytest.approx(1.0, rel=0.25)
    assert row["icc21"] == pytest.approx(64 / 65, abs=0.02)
    assert abs(row["bias"]) < 0.7
    assert row["limit_high"] - row["limit_low"] == pytest.approx(2 * 1.96 * math.sqrt(2), rel=0.25)


def test_group_change_covers_the_planted_change() -> None:
    table = group_change(planted(), "a", "c")
    assert list(table.columns) == CHANGE
    for row in table.to_dict("records"):
        assert row["change_low"] < 2.0 < row["change_high"]
        assert row["srm"] == pytest.approx(2.0 / (0.5 * math.sqrt(2)), rel=0.3)
        assert row["srm_low"] < 2.0 / (0.5 * math.sqrt(2)) < row["srm_high"]
        assert row["p_holm"] < 1e-6
    (turn,) = group_change(directions(), "a", "c").to_dict("records")
    assert turn["change"] == pytest.approx(20, abs=1)
    assert abs(abs(turn["before"]) - 180) < 5
    assert turn["after"] == pytest.approx(-160, abs=5)


def test_group_change_is_the_paired_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pingouin.options, "round.column.CI95", 9)  # 2 as it comes
    table = planted(12, change=0.2)
    wide = table.loc[table["side"] == "left"].pivot(index="subject", columns="visit", values="value")
    theirs = pingouin.ttest(wide["c"], wide["a"], paired=True).iloc[0]
    ours = next(row for row in group_change(table, "a", "c").to_dict("records") if row["side"] == "left")
    assert ours["p"] == pytest.approx(theirs["p_val"], rel=1e-9)
    interval = next(v for k, v in theirs.items() if str(k).startswith("CI95"))
    assert (ours["change_low"], ours["change_high"]) == pytest.approx(tuple(interval), abs=1e-8)
    assert ours["srm"] == pytest.approx(theirs["T"] / math.sqrt(12), rel=1e-9)


def test_of_many_measures_of_an_unchanged_group_none_is_called() -> None:
    rng = np.random.default_rng(11)
    one = planted(15)
    many = pd.concat([one.assign(region=f"r{k}", value=rng.normal(8, 2, len(one))) for k in range(100)])
    table = group_change(many, "a", "b")
    assert len(table) == 200
    assert 2 <= np.sum(table["p"].to_numpy() < 0.05) <= 20  # one in twenty by chance
    assert min(table["p_holm"]) > 0.05
    assert min(table["p_fdr"]) > 0.05


def test_what_is_missing_is_left_out_and_what_is_there_twice_is_refused() -> None:
    table = planted(8)
    table.loc[(table["visit"] == "b") & (table["subject"] == "s0"), "value"] = np.nan
    assert set(agreement_table(table, "a", "b")["n"]) == {7}
    nothing = agreement_table(table.loc[table["subject"].isin(["s1", "s2"])], "a", "b")
    assert list(nothing.columns) == AGREEMENT
    assert nothing.empty
    assert list(group_change(table.loc[table["subject"] == "s1"], "a", "b").columns) == CHANGE
    still = table.loc[table["visit"] == "a"]
    same = group_change(pd.concat([still, still.assign(visit="b")]), "a", "b").to_dict("records")[0]
    assert same["change"] == 0
    assert math.isnan(same["p"])
    with pytest.raises(SchemaError, match=r"s0.*'a'.*measured twice"):
        agreement_table(pd.concat([table, table.head(1)]), "a", "b")


def trial(effect: float, seed: int = 0, each: int = 30) -> tuple[pd.DataFrame, dict[str, str]]:
    """People chosen for a low first measurement, so that both groups rise without any effect; `effect` on one."""
    rng = np.random.default_rng(seed)
    true = rng.normal(8, 2, 10 * each)
    first = true + rng.normal(0, 1.5, len(true))
    chosen = np.argsort(first)[: 2 * each]
    group = {f"s{i}": ("treated" if k % 2 else "waiting") for k, i in enumerate(rng.permutation(chosen))}
    more = {"waiting": 0.0, "treated": effect}
    rows = []
    for i in chosen:
        later = true[i] + rng.normal(0, 1.5) + more[group[f"s{i}"]]
        for visit, value in (("a", first[i]), ("b", later)):
            rows.append({"subject": f"s{i}", "visit": visit, "value": value, "side": "left"})
    what = {"measure": "brow_raise", "expression": "brow_raise", "region": "brow", "unit": "mm"}
    return pd.DataFrame(rows).assign(**what), group


def test_adjusted_change_is_an_analysis_of_covariance() -> None:
    table, group = trial(1.5)
    (row,) = adjusted_change(table, "a", "b", group, "waiting").to_dict("records")
    wide = table.pivot(index="subject", columns="visit", values="value").reset_index()
    wide["group"] = wide["subject"].map(group)
    theirs = pingouin.ancova(wide, dv="b", between="group", covar="a").set_index("Source")
    p = next(theirs.loc["group", c] for c in ("p_unc", "p-unc") if c in theirs)
    assert row["p"] == pytest.approx(p, rel=1e-6)
    assert (row["n"], row["n_control"], row["group"]) == (30, 30, "treated")
    assert row["low"] < 1.5 < row["high"] and row["p"] < 0.05


def test_rising_towards_the_mean_is_no_effect() -> None:
    called = {"adjusted": 0, "alone": 0}
    for seed in range(60):
        table, group = trial(0.0, seed)
        called["adjusted"] += adjusted_change(table, "a", "b", group, "waiting")["p"].item() < 0.05
        called["alone"] += group_change(table, "a", "b")["p"].item() < 0.05
    assert called["alone"] > 50  # without a control group they all seem to improve
    assert called["adjusted"] <= 8  # 3 are expected by chance, 8 and more happen in one of 100 such studies


@pytest.mark.slow
def test_the_adjusted_difference_holds_95_percent() -> None:
    held = []
    for seed in range(2000):
        table, group = trial(1.0, seed, each=5)
        row = adjusted_change(table, "a", "b", group, "waiting").iloc[0]
        held.append(row["low"] <= 1.0 <= row["high"])
    assert 0.93 <= np.mean(held) <= 0.97


def test_groups_that_there_are_not_are_refused() -> None:
    table, group = trial(0.0)
    with pytest.raises(SchemaError, match=r"'placebo'.*treated, waiting"):
        adjusted_change(table, "a", "b", group, "placebo")
    with pytest.raises(SchemaError, match="waiting"):
        adjusted_change(table, "a", "b", {s: g for s, g in group.items() if g == "waiting"}, "waiting")
    few = {s: g for k, (s, g) in enumerate(group.items()) if g == "waiting" or k < 5}
    nothing = adjusted_change(table, "a", "b", few, "waiting")
    assert list(nothing.columns) == ADJUSTED and nothing.empty
