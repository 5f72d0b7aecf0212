"""What a recording's folder holds: numbers against the schema, tables, curves, a page that opens offline."""

import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

from face3d.errors import OutputError
from face3d.report.folder import FILES
from face3d.report.sequence_outputs import left_behind, write_sequence
from face3d.report.sequence_result import SequenceResult
from face3d.sequence.kinematics import Kinematics, kinematics
from planted import planted, smile

SCHEMA = Path(__file__).parents[2] / "data_schemas" / "sequence_result.schema.json"


@pytest.fixture(scope="module")
def found() -> Kinematics:
    points = planted([smile(late=0.1, weak=0.75), smile(start=4.5, weak=0.4)], 8.0, 60, noise=0.05, blinks=[0.4])
    gone = points.points.copy()
    gone[300:330] = float("nan")  # half a second while the second smile is held
    return kinematics(type(points)(points.name, points.times_s, points.names, gone), "open_smile")


def test_the_schema_is_current() -> None:
    current = SequenceResult.model_json_schema(mode="serialization")
    assert json.loads(SCHEMA.read_text("utf-8")) == current, "run: python tools/export_schemas.py"


def test_a_folder_of_results(found: Kinematics, tmp_path: Path) -> None:
    result = write_sequence(found, tmp_path)
    there = {f.name for f in tmp_path.iterdir()}
    # Points, no regions; and no PDF was asked for.
    assert there == set(FILES["sequence"]) - {"tracked.npz", "anomaly.csv", "report.pdf"}
    stored = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    jsonschema.validate(stored, json.loads(SCHEMA.read_text("utf-8")))
    assert stored["lost_frames"] == 30
    (gap,) = stored["gaps"]
    assert (gap["first_s"], gap["frames"], gap["bridged"]) == (5.0, 30, False)
    assert [m["expression"] for m in stored["movements"]] == ["open_smile"] * 2
    table = pd.read_csv(tmp_path / "kinematics.csv")
    assert len(table) == len(found.readings)
    known, ok = np.isfinite(np.asarray(table["value"], float)), np.asarray(table["status"]) == "ok"
    assert (known == ok).all()
    assert pd.read_parquet(tmp_path / "kinematics.parquet").equals(found.table)
    assert len(pd.read_csv(tmp_path / "frames.csv")) == 480
    assert (tmp_path / "movement.svg").read_text("utf-8").startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    page = (tmp_path / "report.html").read_text("utf-8")
    assert not re.search(r'(?:src|href)="(?!data:)', page)  # opens offline
    for words in ("the patient’s right side", "8 Hz", "30 of 480 frames are lost", "For research use only"):
        assert words in page, words
    assert "right begins 100 ms later" in re.sub(r"\b(9\d|10\d) ms", "100 ms", result.to_text())
    assert result.to_text().count("ms later") == 1  # of the second, whose right side goes 4 mm, it is not known well
    assert "a side moved less than 5 mm" in page


def test_the_same_result_has_the_same_bytes_and_another_is_refused(found: Kinematics, tmp_path: Path) -> None:
    write_sequence(found, tmp_path)
    before = {f.name: f.read_bytes() for f in tmp_path.iterdir()}
    (tmp_path / ".face3d-old").mkdir()
    left_behind(tmp_path)
    write_sequence(found, tmp_path)
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == before
    other = kinematics(planted([], 2.0, 60))
    object.__setattr__(other, "name", "other")
    with pytest.raises(
        OutputError, match="holds the result of the sequence planted, this one is of the sequence other"
    ):
        write_sequence(other, tmp_path)
