"""The tidy table of a study: names stay text, and what is no table is named."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from face3d.errors import SchemaError
from face3d.measuring.study import groups_of, is_table, read_table
from face3d.measuring.two_visits import agreement_table
from face3d.reference.repeatability import repeatability_from


def test_names_in_tables_stay_text(tmp_path: Path) -> None:
    names = [("001", "01"), ("1", "1"), ("NA", ""), ("nan", "None"), ("1e3", "2024-01-01")]
    row = {"measure": "m", "expression": "rest", "region": "eye", "side": "left", "value": 1.5, "unit": "1"}
    table = pd.DataFrame([{"subject": s, "visit": v, **row, "uncertainty": math.nan} for s, v in names])
    own = tmp_path / "own"
    (own / "measures.parquet").mkdir(parents=True)
    table.to_csv(own / "measures.csv", index=False)
    table.to_parquet(own / "measures.parquet" / "part-00000.parquet", index=False)
    for path in (own / "measures.csv", own / "measures.parquet", own):
        assert is_table(path)
        found = read_table(path)
        assert list(zip(found["subject"], found["visit"], strict=True)) == names
        assert found["value"].tolist() == [1.5] * len(names)
        assert np.all(found["uncertainty"].isna())


def test_repeats_of_a_movement_are_averaged_and_groups_are_read(tmp_path: Path) -> None:
    what = {"recording": "r", "subject": "1", "visit": "a", "measure": "peak", "region": "ch", "side": "left"}
    rows = [(1, "smile", 4.0), (2, "smile", 6.0), (3, "", 9.0), (0, "", 12.0), (4, "smile", math.nan)]
    table = pd.DataFrame([{**what, "movement": m, "expression": e, "value": v, "unit": "mm"} for m, e, v in rows])
    table.assign(arm="01", side_of=["", "x", "", "", ""]).to_csv(tmp_path / "kinematics.csv", index=False)
    found = read_table(tmp_path)
    assert dict(zip(found["expression"], found["value"], strict=True)) == {"smile": 5.0, "recording": 12.0}
    assert groups_of(found, "arm") == {"1": "01"}
    with pytest.raises(SchemaError, match=r"no column 'group' .*there are arm"):
        groups_of(found, "group")
    two = pd.DataFrame({"subject": ["a", "a", "b"], "arm": ["x", "y", ""]})
    with pytest.raises(SchemaError, match="subject a has two values of 'arm'"):
        groups_of(two, "arm")
    assert groups_of(two.iloc[1:], "arm") == {"a": "y"}


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    header = "subject,visit,measure,expression,region,side,unit,value\n"
    (tmp_path / "a.csv").write_text(header + '1,,m,rest,eye,left,mm,2.5\n1,,m,rest,eye,right,mm,"2,5"\n')
    with pytest.raises(SchemaError, match=r"a\.csv: value is '2,5' in line 3; expected a number"):
        read_table(tmp_path / "a.csv")
    with pytest.raises(SchemaError, match=r"gone\.csv: No such file"):
        read_table(tmp_path / "gone.csv")
    with pytest.raises(SchemaError, match=r"no measures\.csv in it; `face3d batch"):
        read_table(tmp_path)


def test_the_first_two_visits_are_first_in_time() -> None:
    rng = np.random.default_rng(0)
    rows = [
        {
            "subject": f"s{s}",
            "visit": v,
            "measure": "brow_raise",
            "expression": "brow_raise",
            "region": "brow",
            "side": "left",
            "value": true + more + rng.normal(0, 0.1),
            "unit": "mm",
        }
        for s, true in enumerate(rng.normal(10, 2, 30))
        for v, more in (("10", 20.0), ("1", 0.0), ("2", 0.0))
    ]
    (found,) = repeatability_from(pd.DataFrame(rows), "us")
    assert found.sem == pytest.approx(0.1, rel=0.3)
    with pytest.raises(SchemaError, match=r"there are 1, 2, 10$"):
        agreement_table(pd.DataFrame(rows), "1", "3")
