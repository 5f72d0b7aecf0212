"""REDCap: dictionary and data by the rules that its import checks."""

import csv
import inspect
import re
from pathlib import Path

import pandas as pd
import pytest

from face3d import cli
from face3d.export.redcap import COLUMNS, DATA, DICTIONARY, LONGEST, field_name, write_redcap
from face3d.report.exam_row import exam_row
from planted_results import measures

#: What REDCap takes: types of fields, and validations of text by what they match.
TYPES = {"text", "notes", "radio", "dropdown", "yesno"}
VALID = {
    "number": r"[-+]?\d*\.?\d+([eE][-+]?\d+)?",
    "integer": r"[-+]?\d+",
    "date_ymd": r"\d{4}-\d\d-\d\d",
    "": r"(?s).*",
}
EXAM = {
    "date": "2026-01-15",
    "affected_side": "left",
    "side_source": "measured",
    "rule_house_brackmann_by_movement": 4.0,
    "rule_house_brackmann_descriptive": "",
    "rule_sunnybrook_low": 35,
    "rule_sunnybrook_high": 45,
    "rule_fngs2": 4,
    "rule_severity": 0.71,
    "network_house_brackmann_by_movement": 4,
    "network_confidence": 0.92,
    "network_severity": 6.6e-05,
    "network_sunnybrook": 40.2,
    "network_side": "left",
    "network_abstained": True,
    "clinician_house_brackmann": 5,
    "clinician_sunnybrook": "",
    "expressions": 10,
    "stable_rms_mm": 0.78,
    "notes": 'one, "two"\nthree',
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables as `face3d batch` writes them: two visits of one subject, one of another, and an exam that failed."""
    folder = tmp_path_factory.mktemp("study")
    visits = [("p1", "pre"), ("p1", "post"), ("p2", "pre")]
    pd.DataFrame([{"subject": s, "visit": v, **EXAM} for s, v in visits]).to_csv(folder / "exams.csv", index=False)
    tables = [measures(s, v, 0.4 if v == "pre" else 0.8).table for s, v in visits]
    failed = {"subject": "p3", "visit": "pre", "measure": "exam", "expression": "all", "region": "face", "side": "both"}
    pd.concat([*tables, pd.DataFrame([failed])]).to_csv(folder / "measures.csv", index=False)
    return folder


def test_what_is_written_can_be_imported(study: Path, tmp_path: Path) -> None:
    counts = write_redcap(study, tmp_path)
    with (tmp_path / DICTIONARY).open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    assert tuple(header) == COLUMNS and len(COLUMNS) == 18
    fields = [dict(zip(header, line, strict=True)) for line in lines]
    names = [f["Variable / Field Name"] for f in fields]
    assert len(set(names)) == len(names) == counts["fields"] > 200
    for f in fields:
        assert re.fullmatch(r"[a-z]([a-z0-9]|_(?!_))*", f["Variable / Field Name"]), f
        assert len(f["Variable / Field Name"]) <= LONGEST
        assert f["Field Type"] in TYPES and f["Field Label"] and re.fullmatch("[a-z][a-z0-9_]*", f["Form Name"])
        assert f["Text Validation Type OR Show Slider Number"] in VALID
        assert (f["Field Type"] in ("radio", "dropdown")) == bool(f["Choices, Calculations, OR Slider Labels"])
    forms = [f["Form Name"] for f in fields]
    assert names[0] == "record_id" and forms == sorted(forms, key=forms.index)  # forms stand together
    assert {f["Variable / Field Name"] for f in fields if f["Identifier?"] == "y"} == {
        "record_id",
        "visit",
        "exam_date",
        "exam_notes",
    }

    with (tmp_path / DATA).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_name = {f["Variable / Field Name"]: f for f in fields}
    own = {"redcap_repeat_instrument", "redcap_repeat_instance", "face3d_exam_complete"}
    assert set(rows[0]) == set(names) | own and next(iter(rows[0])) == "record_id"
    assert [(r["record_id"], r["redcap_repeat_instance"]) for r in rows] == [("p1", "1"), ("p1", "2"), ("p2", "1")]
    assert {r["redcap_repeat_instrument"] for r in rows} == {"face3d_exam"}
    for row in rows:
        for name, value in row.items():
            if name in own or not value:
                continue
            field = by_name[name]
            choices = field["Choices, Calculations, OR Slider Labels"]
            if choices:
                assert value in {c.split(",")[0].strip() for c in choices.split("|")}, (name, value)
            elif field["Field Type"] == "yesno":
                assert value in "01"
            else:
                assert re.fullmatch(VALID[field["Text Validation Type OR Show Slider Number"]], value), (name, value)
    assert (rows[0]["rule_hb_movement"], rows[0]["network_abstained"], rows[0]["exam_notes"]) == (
        "4",
        "1",
        EXAM["notes"],
    )


def test_values_are_those_of_the_study(study: Path, tmp_path: Path) -> None:
    write_redcap(study, tmp_path)
    name = field_name("commissure_excursion", "open_smile", "mouth", "left")
    data = pd.read_csv(tmp_path / DATA)
    wanted = [measures(function=f) for f in (0.4, 0.8, 0.4)]
    assert data[name].tolist() == pytest.approx([m.value("commissure_excursion", "open_smile", "left") for m in wanted])


def test_names_stay_from_study_to_study() -> None:
    # Written down once: a field that changes its name would be another field in a project that is running.
    assert field_name("commissure_excursion", "open_smile", "mouth", "left") == "commissure_e_osm_l_a5e52d"


def test_every_column_of_a_study_has_its_field(study: Path) -> None:
    columns = re.findall(r'^        "(\w+)":', inspect.getsource(exam_row), re.MULTILINE)
    assert columns == list(pd.read_csv(study / "exams.csv").columns)


def test_a_folder_without_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["export", str(tmp_path), "--redcap", str(tmp_path / "out")]) == 2
    assert "give the folder of face3d batch --out" in capsys.readouterr().err
    (tmp_path / "exams.csv").write_text("subject,visit\n")
    assert cli.run(["export", str(tmp_path), "--redcap", str(tmp_path / "out")]) == 2
    assert "are missing" in capsys.readouterr().err and not (tmp_path / "out").exists()
