"""What is found in a study: folders, manifests, patterns; odd names, loops, closed doors."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from batch_items import study_of, work

from face3d.batch.discover import discover
from face3d.batch.item import Item
from face3d.batch.study import run_study
from face3d.errors import SchemaError


def file_at(path: Path, text: str = "ok 1") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(study: Path | str) -> list[tuple[str, str]]:
    return [(item.kind, item.name) for item in discover(str(study)).items]


def test_exams_and_scans_of_a_folder_each_once(tmp_path: Path) -> None:
    study = tmp_path / "study"
    file_at(study / "sub-02" / "ses-pre" / "face" / "rest.ply")
    file_at(study / "sub-02" / "ses-pre" / "face" / "snarl.obj.gz")
    file_at(study / "p10" / "post" / "rest.ply")
    file_at(study / "p10" / "pre" / "exam.json", '{"subject": "p10", "scans": {"rest": "raw/r.ply"}}')
    file_at(study / "p10" / "pre" / "raw" / "r.ply")
    file_at(study / "scans" / "two.ply")
    file_at(study / "scans" / "two.mrk.json")
    file_at(study / "scans" / "._two.ply")
    file_at(study / "scans" / "notes.txt")
    (study / "scans" / "again").symlink_to(study)
    file_at(study / "results" / "two.ply" / "asymmetry.ply")
    (study / "results" / ".face3d-batch").mkdir()
    file_at(study / "scans" / "analyzed" / "asymmetry.ply")
    found = discover(str(study)).items
    assert [(i.kind, i.name) for i in found] == [
        ("exam", "p10/pre"),
        ("exam", "p10/post"),
        ("scan", "scans/two.ply"),
        ("exam", "sub-02/ses-pre/face"),
    ]
    inputs = {i.name: i.inputs for i in found}
    assert inputs["p10/pre"] == ("p10/pre/exam.json", "p10/pre/raw/r.ply")
    assert inputs["sub-02/ses-pre/face"] == ("sub-02/ses-pre/face/rest.ply", "sub-02/ses-pre/face/snarl.obj.gz")
    assert inputs["scans/two.ply"] == ("scans/two.ply", "scans/two.mrk.json")
    # An exam itself is a study of one, called as its folder is.
    (one,) = discover(str(study / "p10" / "post")).items
    assert (one.name, one.root) == ("post", str(study / "p10"))


def test_names_of_folders_are_the_items_own(tmp_path: Path) -> None:
    def folder(name: str) -> str:
        return Item("scan", str(tmp_path), name, (name,)).folder

    assert folder("sub-p017/ses-pre/face") == "sub-p017__ses-pre__face" and folder("p_001/a.ply") == "p_001__a.ply"
    odd = [
        "a__b",
        "a/b",
        "a_/b",
        "a/_b",
        ".face3d-batch",
        "..",
        "a b",
        "a/b/",
        "é",
        "x" * 300,
        "x" * 301,
        "tables.json/",
    ]
    assert len({folder(name) for name in odd}) == len(odd)
    for name in odd:
        made = folder(name)
        assert len(made) < 140 and "/" not in made and made[0] not in "._" and made.isascii()


def test_odd_names_loops_and_closed_doors_lose_nothing(tmp_path: Path) -> None:
    study, out = study_of(tmp_path / "study", "ok 0"), tmp_path / "out"
    bytes_name = os.fsdecode(b"caf\xe9.ply")
    file_at(study / bytes_name, "ok 1")
    deep = study / ("d" * 130) / ("e" * 130)
    file_at(deep / "far.ply", "ok 2")
    (study / "loop").symlink_to(study)
    (study / "one").mkdir()
    (study / "one" / "two").symlink_to(study / "one")
    (study / "nowhere.ply").symlink_to(study / "gone")
    closed = study / "shut"
    file_at(closed / "in.ply", "ok 3")
    closed.chmod(0)
    found = discover(str(study))
    closed.chmod(0o700)
    done = run_study(found, str(out), lambda tasks: map(work, tasks))
    table = pd.read_csv(out / "regions.csv")
    assert sorted(table["rms"].tolist()) == ([0, 1, 2] if found.unread else [0, 1, 2, 3])  # root opens every door
    assert "caf\\xe9.ply" in table["scan"].tolist()
    said = {row["item"]: row["status"] for row in done["failed"]}
    assert said.pop("nowhere.ply") == "vanished"
    assert said == ({"shut": "unread"} if found.unread else {})


def test_a_manifest_names_what_lies_below_its_folder(tmp_path: Path) -> None:
    study = study_of(tmp_path / "study", "ok 1", "ok 2")
    file_at(tmp_path / "secret.ply")
    file_at(study / "p1" / "rest.ply")
    table = pd.DataFrame({"path": ["s001.ply", "p1/", "gone.ply"], "subject": ["a", "b", None], "more": [1, 2, 3]})
    table.to_csv(study / "m.csv", index=False)
    table.to_parquet(study / "m.parquet")
    for manifest in ("m.csv", "m.parquet"):
        items = discover(str(study / manifest)).items
        assert [(i.kind, i.name, i.fact("subject")) for i in items] == [
            ("scan", "s001.ply", "a"),
            ("exam", "p1", "b"),
            ("scan", "gone.ply", None),
        ]
    for row, words in (
        ("../secret.ply", r"row 2: '\.\./secret\.ply' leads out"),
        (f"{tmp_path}/secret.ply", "leads out"),
        ("link.ply", "leads out"),
        ("a\0b.ply", r"leads out|not a manifest"),
        ("", r"no path|no column"),
    ):
        if not (study / "link.ply").is_symlink():
            (study / "link.ply").symlink_to(tmp_path / "secret.ply")
        (study / "bad.csv").write_text(f"path,subject\n{row},x\n")
        with pytest.raises(SchemaError, match=words):
            discover(str(study / "bad.csv"))
    (study / "bad.csv").write_text("path,landmarks\ns000.ply,../secret.ply\n")
    with pytest.raises(SchemaError, match="leads out"):
        discover(str(study / "bad.csv"))
    (study / "bad.csv").write_text("path\ns000.ply\n./s000.ply\n")
    with pytest.raises(SchemaError, match=r"row 3: s000\.ply stands in row 2"):
        discover(str(study / "bad.csv"))
    for text in ("measure,value\nm,1\n", 'measure,"a\nb"\nm,1\n'):
        (study / "bad.csv").write_text(text)
        with pytest.raises(SchemaError, match="no column path") as refused:
            discover(str(study / "bad.csv"))
        assert "\n" not in str(refused.value)


def test_a_pattern_and_nothing_at_all(tmp_path: Path) -> None:
    study = study_of(tmp_path / "study", "ok 1", "ok 2", "ok 3")
    file_at(study / "p1" / "rest.ply")
    assert names(f"{study}/s00[12].ply") == [("scan", "s001.ply"), ("scan", "s002.ply")]
    assert names(f"{study}/p*") == [("exam", "p1")]
    assert names(f"{tmp_path}/*/") == [("exam", "study/p1"), *(("scan", f"study/s00{k}.ply") for k in range(3))]
    for nothing in (f"{study}/*.stl", str(tmp_path / "gone"), str(study / "s000.ply")):
        with pytest.raises(SchemaError):
            discover(nothing)
