"""Without names: whatever is planted in scans, exams and results, nothing of it is found in what is written."""

import base64
import json
import re
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from face3d import cli
from face3d.errors import SchemaError
from face3d.exam import EXPRESSIONS
from face3d.export.deidentified import write_deidentified
from face3d.export.neutral import neutral
from face3d.io import read_scan, write_scan
from face3d.io.exam import read_exam
from face3d.measuring.analysis import Analysis
from face3d.report.faces import read_faces
from face3d.report.outputs import write_outputs
from face3d.report.reading import read_map, read_measures
from face3d.scan import FaceScan
from face3d.template.template import FaceTemplate
from planted_results import exam_result, faces, measures

#: Whatever could tell who somebody is, each word of its own.
PLANTED = ("Zebulon", "Quimby", "19470131", "1947-01-31", "Whittlesey", "Vectra-XT-9981", "DrGrumbleweed", "MRN55512")


def found(folder: Path) -> list[str]:
    """Which planted words stand anywhere: in names of files, and in bytes, packed or not."""
    text = b""
    for file in folder.rglob("*"):
        text += str(file.relative_to(folder)).encode() + b"\n"
        if file.is_file():
            content = file.read_bytes()
            text += content + content.decode("utf-16", errors="ignore").encode() + content.decode("latin1").encode()
            text += b"".join(base64.b64decode(b) for b in re.findall(rb"base64,([A-Za-z0-9+/=]+)", content))
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as packed:
                    text += b"".join(n.encode() + packed.read(n) for n in packed.namelist())
                    text += b"".join(_unicode(packed.read(n)) for n in packed.namelist())
    return [word for word in PLANTED if word.casefold().encode() in text.lower()]


def _unicode(content: bytes) -> bytes:
    """Text of an array of numpy as it can be searched."""
    return content.replace(b"\0", b"")


def glb(scan: FaceScan) -> bytes:
    """A binary glTF whose every place for free words is used."""
    points, triangles = scan.vertices.astype("<f4").tobytes(), scan.faces.astype("<u4").tobytes()
    said = {"patient": "Zebulon Quimby", "mrn": "MRN55512"}
    document = {
        "asset": {"version": "2.0", "generator": "Vectra-XT-9981", "copyright": "Whittlesey", "extras": said},
        "extras": said,
        "scenes": [{"nodes": [0], "name": "Quimby"}],
        "nodes": [{"mesh": 0, "name": "Zebulon", "extras": said}],
        "meshes": [{"name": "Quimby 19470131", "primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "buffers": [{"byteLength": len(points) + len(triangles)}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": len(points)},
            {"buffer": 0, "byteOffset": len(points), "byteLength": len(triangles)},
        ],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": 5126,
                "count": len(scan.vertices),
                "type": "VEC3",
                "min": scan.vertices.min(axis=0).tolist(),
                "max": scan.vertices.max(axis=0).tolist(),
            },
            {"bufferView": 1, "componentType": 5125, "count": scan.faces.size, "type": "SCALAR"},
        ],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    body = points + triangles
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(body), 0x004E4942) + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exam in five formats, with planted words in each place that its files have for them."""
    folder = tmp_path_factory.mktemp("Whittlesey") / "Quimby_Zebulon" / "1947-01-31"
    folder.mkdir(parents=True)
    t = FaceTemplate.load()
    skin = np.tile(np.array([[200, 150, 120]], np.uint8), (len(t.vertices), 1))
    scan = FaceScan(t.vertices, t.faces, colors=skin)
    write_scan(folder / "Quimby_rest.ply", scan)
    ply = (folder / "Quimby_rest.ply").read_bytes()
    comments = b"comment Zebulon Quimby, born 19470131\nobj_info MRN55512 Vectra-XT-9981\nelement vertex"
    (folder / "Quimby_rest.ply").write_bytes(ply.replace(b"element vertex", comments, 1))
    lines = ["# Zebulon Quimby", "mtllib Quimby.mtl", "o Quimby", "g Whittlesey", "usemtl Zebulon_skin", "vt 0.5 0.5"]
    lines += [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in t.vertices]
    lines += [f"f {a + 1}/1 {b + 1}/1 {c + 1}/1" for a, b, c in t.faces]
    (folder / "smile.obj").write_text("\n".join(lines))
    (folder / "Quimby.mtl").write_text("# MRN55512\nnewmtl Zebulon_skin\nmap_Kd Quimby.jpg\n")
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = "Zebulon Quimby MRN55512", "DrGrumbleweed"
    Image.new("RGB", (8, 8), (9, 90, 200)).save(folder / "Quimby.jpg", exif=exif)
    (folder / "snarl.glb").write_bytes(glb(scan))
    write_scan(folder / "brow.npz", scan.replace(name="Zebulon Quimby", notes=("MRN55512",)))
    (folder / "marks.csv").write_text(
        "name,x,y,z\n" + "".join(f"{k},{','.join(map(str, p))}\n" for k, p in t.landmark_points(t.vertices).items())
    )
    frames = folder / "Quimby frames"
    frames.mkdir()
    for k in range(3):
        (frames / f"Quimby_{k}.ply").write_bytes((folder / "Quimby_rest.ply").read_bytes())
    manifest = {
        "subject": "Zebulon Quimby",
        "visit": "Whittlesey 1947-01-31",
        "date": "1947-01-31",
        "device": "Vectra-XT-9981",
        "protocol": "DrGrumbleweed's",
        "units": "mm",
        "affected_side": "left",
        "scans": {
            "rest": "Quimby_rest.ply",
            "open_smile": "smile.obj",
            "snarl": "snarl.glb",
            "brow_raise": "brow.npz",
        },
        "landmarks": {"rest": "marks.csv"},
        "sequences": {"open_smile": {"path": "Quimby frames", "fps": 30}},
        "grades": {"house_brackmann": "IV", "rater": "DrGrumbleweed"},
        "clinical": {"age_years": 93.7, "cause": "operated on by DrGrumbleweed", "mrn": "MRN55512"},
        "questionnaires": {"face_total": 55},
        "comment": "MRN55512",
    }
    (folder / "exam.json").write_text(json.dumps(manifest))
    return folder


def test_the_search_finds_what_is_there(exam: Path) -> None:
    assert found(exam) == list(PLANTED)


def test_an_exam_keeps_its_numbers_and_loses_its_names(exam: Path, tmp_path: Path) -> None:
    kept = write_deidentified(exam, tmp_path / "out", "s001")
    assert found(tmp_path) == []
    assert set((tmp_path / "out").rglob("*.*")) == set(kept.files)
    read = read_exam(tmp_path / "out")
    assert (read.subject, read.visit, read.date, read.device, read.affected_side) == ("s001", None, None, None, "left")
    assert read.expressions == tuple(e for e in EXPRESSIONS if e in ("rest", "open_smile", "snarl", "brow_raise"))
    assert read.grades.house_brackmann == 4 and read.grades.rater is None
    assert read.clinical == {"age_years": 90.0} and read.questionnaires.face_total == 55
    t = FaceTemplate.load()
    for expression in read.expressions:
        scan = read.scan(expression, texture=True)
        assert scan.colors is None and scan.texture is None
        assert np.abs(scan.vertices - t.vertices).max() < 1e-4 and len(scan.faces) == len(t.faces)
    assert set(read.scan("rest").landmarks) == set(t.landmark_points(t.vertices))
    assert len(read.sequences["open_smile"].read()) == 3


def test_on_the_template_nothing_of_the_shape_is_left(exam: Path, tmp_path: Path) -> None:
    kept = write_deidentified(exam, tmp_path / "out", template=True)
    assert found(tmp_path) == [] and any("recording" in what for what in kept.left_out)
    rest = read_scan(tmp_path / "out" / "rest.ply", units="mm")
    t = FaceTemplate.load()
    both_halves = rest.vertices + rest.vertices[t.opposite] * [-1.0, 1.0, 1.0]
    assert np.abs(both_halves - 2.0 * t.vertices).max() < 1e-9


def test_neutral_keeps_asymmetry_and_movement() -> None:
    own, other = faces(1), faces(2)
    made = neutral(own)
    t = own.template

    def differs(points: np.ndarray) -> np.ndarray:
        return points - points[t.opposite] * [-1.0, 1.0, 1.0]

    np.testing.assert_allclose(differs(made.rest), differs(own.rest), atol=1e-9)
    assert np.array_equal(np.isnan(made.rest), np.isnan(own.rest) | np.isnan(own.rest[t.opposite]))
    assert np.array_equal(made.displacements["open_smile"], own.displacements["open_smile"])
    assert not made.marks
    # Two people's faces differ by much, what is made of them only by how unlike their halves are.
    assert np.nanmax(np.abs(own.rest - other.rest)) > 3.0 > 20 * np.nanmax(np.abs(made.rest - neutral(other).rest))


@pytest.mark.parametrize("template", [False, True])
def test_a_result_keeps_its_numbers_and_loses_its_names(tmp_path: Path, template: bool) -> None:
    source = exam_result(tmp_path / "in", "Zebulon Quimby", "Whittlesey 1947-01-31")
    stored = json.loads((source / "result.json").read_text())
    stored |= {"date": "1947-01-31", "device": "Vectra-XT-9981", "notes": ["Quimby/rest.ply: MRN55512"]}
    stored["clinician"]["rater"] = "DrGrumbleweed"
    stored["measures"][3]["status"] = "/data/Quimby/rest.ply: cannot be read"
    stored["identity"] = {"eye corners": 31.5}
    (source / "result.json").write_text(json.dumps(stored))
    write_deidentified(source, tmp_path / "out", "s001", template)
    assert found(source) and found(tmp_path / "out") == []
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == sorted(f.name for f in source.iterdir())
    again, before = read_measures(tmp_path / "out"), read_measures(source)
    assert again.subject == "s001" and [r.value for r in again.rows] == pytest.approx(
        [r.value for r in before.rows], nan_ok=True
    )
    assert (tmp_path / "out" / "report.html").read_text().count("s001") >= 1
    own, shown = read_faces(source / "faces.npz"), read_faces(tmp_path / "out" / "faces.npz")
    assert np.array_equal(own.rest, shown.rest, equal_nan=True) is not template


def test_a_scan(exam: Path, tmp_path: Path) -> None:
    write_deidentified(exam / "Quimby_rest.ply", tmp_path / "scan")
    assert found(tmp_path) == [] and (tmp_path / "scan" / "scan.ply").is_file()


def test_the_result_of_a_scan(dome: Analysis, tmp_path: Path) -> None:
    colours = np.zeros((len(dome.scan.vertices), 3), np.uint8)
    named = dome.scan.replace(name="Zebulon Quimby", units_note="mm: Quimby.ply says so", colors=colours)
    source = tmp_path / "in"
    write_outputs(replace(dome, scan=named), source)
    write_deidentified(source, tmp_path / "out", "s001")
    assert "Quimby" in found(source) and found(tmp_path / "out") == []
    (before, values), (after, kept) = (read_map(f / "asymmetry.ply") for f in (source, tmp_path / "out"))
    assert before.colors is not None and after.colors is None
    assert np.array_equal(before.vertices, after.vertices)
    assert {"asymmetry_mm", "surface_distance_mm"} < set(values) == set(kept)
    for name in values:
        assert np.array_equal(values[name], kept[name], equal_nan=True)
    assert set(pd.read_csv(tmp_path / "out" / "regions.csv")["subject"]) == {"s001"}
    with pytest.raises(SchemaError, match="no face on the template"):
        write_deidentified(source, tmp_path / "neutral", template=True)


def test_the_tables_of_a_study(tmp_path: Path) -> None:
    source, visits = tmp_path / "in", [("Zebulon", "1947-01-31"), ("Zebulon", "Whittlesey"), ("Quimby", "")]
    source.mkdir()
    own = {"date": "1947-01-31", "affected_side": "left", "rule_fngs2": 4, "notes": "MRN55512"}
    exams = pd.DataFrame([{"subject": s, "visit": v, **own} for s, v in visits])
    exams.to_csv(source / "exams.csv", index=False)
    tables = [measures(s, v).table for s, v in visits]
    tables[0].loc[5, "status"] = "/data/Quimby/rest.ply: cut short"
    failed = {"subject": "DrGrumbleweed", "visit": "", "measure": "exam", "status": "Vectra-XT-9981"}
    pd.concat([*tables, pd.DataFrame([failed])]).to_csv(source / "measures.csv", index=False)
    kept = write_deidentified(source, tmp_path / "out", "s")
    assert len(found(source)) > 4 and found(tmp_path / "out") == []
    assert "1 exams that failed" in kept.left_out
    rows = pd.read_csv(tmp_path / "out" / "measures.csv")
    whose = [("s-001", 1), ("s-001", 2), ("s-002", 1)]
    assert list(dict.fromkeys(zip(rows["subject"], rows["visit"], strict=True))) == whose
    assert rows["value"].tolist() == pytest.approx(pd.concat(tables)["value"].tolist(), nan_ok=True)
    shown = pd.read_csv(tmp_path / "out" / "exams.csv")
    assert list(zip(shown["subject"], shown["visit"], strict=True)) == whose and set(shown["rule_fngs2"]) == {4}


def test_what_is_refused(exam: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    for arguments, words in (
        ([str(exam), "--deidentify", str(tmp_path / "full")], "not empty"),
        ([str(exam), "--deidentify", str(tmp_path / "new"), "--label", "Zebulon Q."], "letters, digits"),
    ):
        assert cli.run(["export", *arguments]) == 2
        assert words in capsys.readouterr().err
