"""DICOM: conformant by two other programs, the bytes come back, and nothing of a result's own names goes along."""

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from face3d import cli
from face3d.errors import SchemaError
from face3d.export.dicom import Document, encapsulated, read_tags, write_dicom
from face3d.io import read_scan
from planted_results import exam_result, faces

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("weasyprint")
TAGS = {
    "PatientID": "4711",
    "PatientName": "Müller^Jané",
    "PatientBirthDate": "19700131",
    "PatientSex": "F",
    "StudyDate": "20261101",
    "StudyTime": "101500",
    "StudyID": "S1",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    result = exam_result(tmp_path_factory.mktemp("result") / "r", subject="zebedee", visit="quux")
    return result, write_dicom(result, result.parent / "dicom", TAGS)


def test_bytes_come_back_and_tags_are_those_given(written: tuple[Path, list[Path]]) -> None:
    _, files = written
    assert [f.name for f in files] == [
        "report.dcm",
        "rest.stl.dcm",
        "rest.obj.dcm",
        "open_smile.stl.dcm",
        "open_smile.obj.dcm",
    ]
    ids, studies, frames = set(), set(), set()
    for file in files:
        ds = pydicom.dcmread(file)  # refuses what is no DICOM file
        pydicom.dataset.validate_file_meta(ds.file_meta)
        assert {k: str(ds[k].value) for k in TAGS} == TAGS
        ids.add(ds.SOPInstanceUID)
        studies.add(ds.StudyInstanceUID)
        frames.add(ds.get("FrameOfReferenceUID"))
        content = ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength]
        if file.name == "report.dcm":
            assert content.startswith(b"%PDF-") and ds.BurnedInAnnotation == "YES"
            continue
        assert b"zebedee" not in file.read_bytes() and b"quux" not in file.read_bytes()
        assert ds.MeasurementUnitsCodeSequence[0].CodeValue == "mm"
        expression, kind, _ = file.name.split(".")
        (file.parent / f"back.{kind}").write_bytes(content)
        back = read_scan(file.parent / f"back.{kind}", units="mm")
        (file.parent / f"back.{kind}").unlink()
        wanted, triangles = faces().whole(expression)[0], faces().template.faces
        assert np.abs(back.vertices[back.faces] - wanted[triangles]).max() < 0.02  # faces.npz keeps hundredths of mm
    assert len(ids) == len(files) and len(studies) == 1 and len(frames) == 2  # None of the PDF


def test_the_same_again_is_the_same(written: tuple[Path, list[Path]], tmp_path: Path) -> None:
    result, files = written
    for first, second in zip(files, write_dicom(result, tmp_path, TAGS), strict=True):
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("program", ["dcmdump", "dciodvfy"])
def test_another_program_finds_no_fault(written: tuple[Path, list[Path]], program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program}: conformance is not checked by another program (dcmtk, dicom3tools)")
    for file in written[1]:
        done = subprocess.run([program, file], capture_output=True, text=True, errors="replace", check=False)
        said = done.stdout + done.stderr
        if program == "dciodvfy" and "Information Object Not found" in said:
            continue  # this version of it does not know Encapsulated OBJ
        assert done.returncode == 0, said
        assert "Error" not in said and "not present in standard DICOM IOD" not in said, said
        assert program == "dcmdump" or "Encapsulated" in said


def test_tags_of_a_file_and_of_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "tags.json"
    file.write_text(json.dumps({"PatientID": "1", "StudyID": "7"}))
    assert read_tags(file, ["PatientID=2"]) == {"PatientID": "2", "StudyID": "7"}
    for given, words in (
        (["PatientName=Doe^Jane"], "no PatientID"),
        (["PatientID"], "KEYWORD=VALUE"),
        (["Weight=7"], "not one that can be given"),
    ):
        with pytest.raises(SchemaError, match=words):
            read_tags(None, given)
    for text, words in (("[]", "holds a JSON list"), ("{", "no JSON"), ('{"PatientID": 7}', "is no text")):
        file.write_text(text)
        with pytest.raises(SchemaError, match=words):
            read_tags(file)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientBirthDate", "31.1.1970"),
        ("PatientSex", "female person"),
        ("StudyInstanceUID", "1.2.x"),
        ("StudyTime", "25:00"),
        ("PatientID", "4" * 65),
    ],
)
def test_values_that_the_standard_forbids(keyword: str, value: str) -> None:
    document = Document("report", "Report", ("1.2.840.10008.5.1.4.1.1.104.1", "application/pdf", "DOC", 1), b"%PDF-1.7")
    with pytest.raises(SchemaError, match=keyword):
        encapsulated(document, {"PatientID": "1", keyword: value}, 1)
    assert pydicom.dcmread(io.BytesIO(encapsulated(document, {"PatientID": "1"}, 1))).PatientName == ""


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = str(exam_result(tmp_path / "r"))
    assert cli.run(["export", result, "--tag", "PatientID=1"]) == 2
    assert "export into what?" in capsys.readouterr().err
    assert cli.run(["export", result, "--pdf", "--tag", "PatientID=1"]) == 2
    assert "give --dicom DIR too" in capsys.readouterr().err
    assert cli.run(["export", result, "--dicom", str(tmp_path / "d")]) == 2
    assert "no PatientID" in capsys.readouterr().err and not (tmp_path / "d").exists()
    assert cli.run(["export", result, "--dicom", str(tmp_path / "d"), "--tag", "PatientID=1"]) == 0
    assert "dicom: 5 files" in capsys.readouterr().out
