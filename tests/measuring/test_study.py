"""Studies: one tidy table, failures kept as rows."""

from pathlib import Path

import pandas as pd

from face3d.errors import ScanError
from face3d.exam import Exam
from face3d.measuring.definitions import Measure
from face3d.measuring.exam_measures import Measures
from face3d.measuring.study import study_table, write_table


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
