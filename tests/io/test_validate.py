"""Verdicts on exams: what is there, what is missing, and each fault with its way out."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from face3d.errors import SchemaError
from face3d.exam import EXPRESSIONS
from face3d.io import write_scan
from face3d.io.validate import Verdict, as_json, as_text, validate
from face3d.scan import FaceScan


def head(seed: int = 0, size: float = 180.0) -> FaceScan:
    """An ellipsoid of points as long as a face."""
    points = np.random.default_rng(seed).standard_normal((600, 3))
    return FaceScan(size / 2 * points / np.linalg.norm(points, axis=1, keepdims=True) * [0.7, 1.0, 0.6])


def exam(folder: Path, *expressions: str, size: float = 180.0, **manifest: object) -> Path:
    folder.mkdir(parents=True)
    for seed, name in enumerate(expressions):
        write_scan(folder / f"{name}.ply", head(seed, size))
    scans = {name: f"{name}.ply" for name in expressions}
    (folder / "exam.json").write_text(json.dumps({"subject": "p1", "units": "mm", "scans": scans} | manifest))
    return folder


def only(path: Path) -> Verdict:
    (verdict,) = validate(path)
    return verdict


def faults(path: Path) -> dict[str | None, str]:
    return {f.expression: f.text for f in only(path).faults}


def test_a_whole_exam_and_one_with_gaps(tmp_path: Path) -> None:
    whole = only(exam(tmp_path / "whole", *EXPRESSIONS))
    assert (whole.measurable, whole.faults, whole.missing) == (True, (), ())
    assert as_text((whole,)).startswith("p1: 10 of 10 expressions; can be measured\n  rest: 600 vertices")
    some = only(exam(tmp_path / "some", "rest", "open_smile", visit="pre"))
    assert some.missing == tuple(e for e in EXPRESSIONS if e not in ("rest", "open_smile"))
    first, second, *_ = some.to_text().splitlines()
    assert first == "p1/pre: 2 of 10 expressions; can be measured"
    assert second.startswith("  missing: brow_raise, gentle_eye_closure")
    assert json.loads(as_json((some,)))[0]["present"] == ["rest", "open_smile"]


def test_a_misspelt_expression_and_all_other_faults_at_once(tmp_path: Path) -> None:
    folder = exam(tmp_path / "p1", "rest", "open_smyle", clinical={"age_years": "thirty"}, date="31.12.2024")
    (folder / "rest.ply").write_bytes(b"ply\nnonsense")
    verdict = only(folder)
    assert not verdict.measurable
    text = verdict.to_text()
    assert "p1: 1 of 10 expressions; can't be measured as it is" in text
    for words in ("did you mean 'open_smile'?", "a number of years", 'write "2024-12-31"', "rest.ply"):
        assert words in text
    assert len(verdict.faults) == 4


@pytest.mark.parametrize(
    ("given", "size", "right"),
    [
        ("cm", 180.0, "mm"),
        ("m", 180.0, "mm"),
        ("mm", 18.0, "cm"),
        ("mm", 0.18, "m"),
        ("cm", 0.18, "m"),
        ("m", 18.0, "cm"),
        ("mm", 7.1, "in"),
    ],
)
def test_sizes_against_the_unit(tmp_path: Path, given: str, size: float, right: str) -> None:
    told = faults(exam(tmp_path / "p1", "rest", "snarl", size=size, units=given))
    assert set(told) == {"rest", "snarl"}
    for text in told.values():
        assert f'write "units": "{right}"' in text
        assert f"read in {given} as given" in text
        assert f"this would have 178 mm in {right}" in text or f"this would have 179 mm in {right}" in text


def test_sizes_that_are_right_or_fit_nothing(tmp_path: Path) -> None:
    for units, size in (("mm", 180.0), ("cm", 18.0), ("m", 0.18), ("auto", 18.0)):
        assert not faults(exam(tmp_path / units, "rest", size=size, units=units))
    verdict = only(exam(tmp_path / "small", "rest", size=82.5))
    assert verdict.measurable
    assert any(f.kind == "doubt" and "no unit makes it one" in f.text for f in verdict.findings)


def test_one_unit_of_its_own_may_be_wrong(tmp_path: Path) -> None:
    folder = exam(tmp_path / "p1", "rest", "snarl")
    scans = {"rest": "rest.ply", "snarl": {"path": "snarl.ply", "units": "cm"}}
    (folder / "exam.json").write_text(json.dumps({"subject": "p1", "units": "mm", "scans": scans}))
    verdict = only(folder)
    assert [f.expression for f in verdict.faults] == ["snarl"]
    assert verdict.measurable
    assert "can be measured without snarl" in verdict.to_text()


@pytest.mark.parametrize("way", ["path", "copy", "link", "gzip", "other format", "text"])
def test_one_file_under_two_names(tmp_path: Path, way: str) -> None:
    folder = exam(tmp_path / "p1", "rest", "open_smile")
    name = {"path": "rest.ply", "gzip": "snarl.ply.gz", "other format": "snarl.off", "text": "snarl.obj"}
    twin = folder / name.get(way, "snarl.ply")
    data = (folder / "rest.ply").read_bytes()
    if way == "copy":
        twin.write_bytes(data)
    elif way == "link":
        twin.symlink_to("rest.ply")
    elif way == "gzip":
        twin.write_bytes(gzip.compress(data))
    elif way == "other format":
        write_scan(twin, head(0))
    elif way == "text":
        twin.write_text("".join(f"v {x:.3f} {y:.3f} {z:.3f}\n" for x, y, z in head(0).vertices))
    scans = {"rest": "rest.ply", "open_smile": "open_smile.ply", "snarl": twin.name}
    (folder / "exam.json").write_text(json.dumps({"subject": "p1", "units": "mm", "scans": scans}))
    told = faults(folder)
    assert list(told) == ["snarl"]
    assert f"the same scan as rest (rest.ply and {twin.name})" in told["snarl"]


def test_missing_files_and_scans_that_cannot_be_read(tmp_path: Path) -> None:
    folder = exam(tmp_path / "p1", "rest", "open_smile", "snarl")
    (folder / "snarl.ply").unlink()
    (folder / "open_smile.ply").write_bytes((folder / "open_smile.ply").read_bytes()[:-100])
    verdict = only(folder)
    told = {f.expression: f.text for f in verdict.faults}
    assert set(told) == {"open_smile", "snarl"}
    assert "'snarl.ply' does not exist" in told["snarl"]
    assert "open_smile.ply" in told["open_smile"]
    assert not verdict.measurable  # reading stops at a file that is not there
    assert verdict.present == ("rest", "open_smile")


def test_subject_and_date_in_doubt(tmp_path: Path) -> None:
    verdict = only(exam(tmp_path / "sub-p2" / "ses-pre", "rest", date="2999-01-01"))
    doubts = [f.text for f in verdict.findings if f.kind == "doubt"]
    assert verdict.measurable
    assert any("named sub-p2; is it the same person?" in d for d in doubts)
    assert "date: 2999-01-01 is still to come" in doubts


def test_a_folder_without_manifest(tmp_path: Path) -> None:
    for seed, name in enumerate(("p1_rest.ply", "p1_open_smyle.ply")):
        write_scan(tmp_path / name, head(seed))
    verdict = only(tmp_path)
    assert verdict.measurable
    assert any("p1_open_smyle.ply" in f.text and "did you mean 'open_smile'?" in f.text for f in verdict.findings)
    (tmp_path / "p1_rest.ply").rename(tmp_path / "p1_snarl.ply")
    assert not only(tmp_path).measurable
    assert "name a file rest.ply" in only(tmp_path).faults[0].text


def test_a_study_with_one_visit_twice_and_one_exam_that_is_none(tmp_path: Path) -> None:
    exam(tmp_path / "a", "rest")
    exam(tmp_path / "b", "rest")
    exam(tmp_path / "bob" / "pre", "rest", subject="bob")
    exam(tmp_path / "bob" / "post", "rest", subject="bob")
    exam(tmp_path / "c", "rest")
    (tmp_path / "c" / "exam.json").write_text("{")
    verdicts = validate(tmp_path)
    assert [v.exam for v in verdicts] == ["p1", "p1", "bob/pre", "bob/post", str(tmp_path / "c")]
    assert [v.measurable for v in verdicts] == [True, False, True, True, False]
    assert "is p1 too; give each exam a subject or visit of its own" in verdicts[1].faults[0].text
    assert as_text(verdicts).endswith("5 examinations: 3 can be measured, 2 can't as they are")


def test_what_is_no_exam_raises(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="expected a study"):
        validate(tmp_path)
    (tmp_path / "exam.json").write_text("{")
    with pytest.raises(SchemaError, match="not JSON"):
        validate(tmp_path)
