"""Studies: one tidy table, failures kept as rows."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from face3d.errors import ScanError, SchemaError
from face3d.exam import Exam
from face3d.measuring.definitions import Measure
from face3d.measuring.exam_measures import Measures
from face3d.measuring.study import read_table, study_table, write_table
from face3d.measuring.two_visits import agreement_table
from face3d.reference.repeatability import repeatability_from


def test_study_goes_on_after_a_faulty_exam(tmp_path: Path) -> None:
    for name in ("p1", "p2", "p3"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rest.ply").write_bytes(b"ply\n")
        text = f'{{"subject": "{name}", "visit": "v", "scans": {{"rest": "rest.ply"}}}}'
        (tmp_path / name / "exam.json").write_text(text)
    (tmp_path / "p2" / "exam.json").write_text("{")

    def measuring(exam: Exam) -> Measures:
        if exam.subject == "p3":
            raise ScanError("p3: no face in it")
        return Measures(
            exam.subject, exam.visit, (Measure("severity", "all", "face", "both", 0.5, "1"),), "left", "given", {}, {}
        )

    heard = []
    table = study_table(tmp_path, measuring, lambda *a: heard.append(a))
    assert list(table["subject"]) == ["p1", "p2", "p3"]
    assert table["value"].notna().tolist() == [True, False, False]
    assert "not JSON" in table["status"][1]
    assert "no face" in table["status"][2]
    assert heard[-1][:2] == (3, 3)
    csv, parquet = write_table(table, tmp_path / "out")
    pd.testing.assert_frame_equal(pd.read_parquet(parquet), table)
    assert len(pd.read_csv(csv)) == 3


def measured_nothing(exam: Exam) -> Measures:
    row = Measure("severity", "all", "face", "both", 0.5, "1")
    return Measures(exam.subject, exam.visit, (row,), "left", "given", {}, {})


def exam_at(folder: Path, **manifest: str) -> None:
    folder.mkdir(parents=True)
    (folder / "rest.ply").write_bytes(b"ply\n")
    (folder / "exam.json").write_text(json.dumps({"scans": {"rest": "rest.ply"}} | manifest))


def test_visits_of_a_study_follow_in_time(tmp_path: Path) -> None:
    for visit in ("10", "2", "1"):
        exam_at(tmp_path / f"p1_{visit}", subject="p1", visit=visit)
    for visit, date in (("a", "2024-03-01"), ("b", "2024-01-01"), ("c", "2024-02-01")):
        exam_at(tmp_path / f"p2_{visit}", subject="p2", visit=visit, date=date)
    for visit in ("post", "pre"):
        exam_at(tmp_path / "p3" / visit, subject="p3")
    table = study_table(tmp_path, measured_nothing)
    names = [f"{s}/{v}" for s, v in zip(table["subject"], table["visit"], strict=True)]
    assert names == ["p1/1", "p1/2", "p1/10", "p2/b", "p2/c", "p2/a", "p3/pre", "p3/post"]


def test_two_exams_of_one_visit_are_not_averaged(tmp_path: Path) -> None:
    exam_at(tmp_path / "first", subject="p1")
    exam_at(tmp_path / "second", subject="p1")
    table = study_table(tmp_path, measured_nothing)
    assert table["value"].notna().tolist() == [True, False]
    assert f"{tmp_path / 'first'} is p1 too" in table["status"][1]


def test_names_in_tables_stay_text(tmp_path: Path) -> None:
    names = [("001", "01"), ("1", "1"), ("NA", ""), ("nan", "None"), ("1e3", "2024-01-01")]
    row = {"measure": "m", "expression": "rest", "region": "eye", "side": "left", "value": 1.5, "unit": "1"}
    table = pd.DataFrame([{"subject": s, "visit": v, **row, "uncertainty": math.nan} for s, v in names])
    for path in (*write_table(table, tmp_path / "own"), tmp_path / "own"):
        found = read_table(path)
        assert list(zip(found["subject"], found["visit"], strict=True)) == names
        assert found["value"].tolist() == [1.5] * len(names)
        assert np.all(found["uncertainty"].isna())


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    header = "subject,visit,measure,expression,region,side,unit,value\n"
    (tmp_path / "a.csv").write_text(header + '1,,m,rest,eye,left,mm,2.5\n1,,m,rest,eye,right,mm,"2,5"\n')
    with pytest.raises(SchemaError, match=r"a\.csv: value is '2,5' in line 3; expected a number"):
        read_table(tmp_path / "a.csv")
    with pytest.raises(SchemaError, match=r"gone\.csv: No such file"):
        read_table(tmp_path / "gone.csv")
    with pytest.raises(SchemaError, match=r"no measures\.csv in it; `face3d study"):
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
