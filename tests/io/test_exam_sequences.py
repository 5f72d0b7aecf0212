"""Recordings of an examination: from the manifest to frames, and what the checks say of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_frames import dome, pc2, shapes, write_depth, write_frames

from face3d import cli
from face3d.errors import SchemaError
from face3d.io import write_scan
from face3d.io.exam import read_exam
from face3d.io.recordings import is_recording
from face3d.io.validate import validate


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    write_scan(tmp_path / "rest.ply", dome())
    write_frames(tmp_path / "smile", 5)
    (tmp_path / "smile" / "frame_0002.ply").write_text("broken")
    (tmp_path / "brows.pc2").write_bytes(pc2(shapes(4)))
    write_scan(tmp_path / "face.obj", dome())
    rows = "\n".join(f"{k / 50},{k},0,0,100,0,0" for k in range(9))
    (tmp_path / "snarl.csv").write_text(f"time,left_x,left_y,left_z,right_x,right_y,right_z\n{rows}")
    manifest = {
        "subject": "p017",
        "units": "mm",
        "scans": {"rest": "rest.ply"},
        "sequences": {
            "open_smile": {"path": "smile", "fps": 50},
            "brow_raise": {"path": "brows.pc2", "base": "face.obj", "fps": 25},
            "snarl": {"path": "snarl.csv", "units": "mm", "markers": {"left": "ch_left", "right": "ch_right"}},
            "cheek_puff": "rest.ply",
        },
    }
    (tmp_path / "exam.json").write_text(json.dumps(manifest))
    return tmp_path


def test_sequences_of_a_manifest(exam: Path) -> None:
    found = read_exam(exam).sequences
    smile = found["open_smile"].read()
    assert smile.fps == 50 and [f.lost for f in smile] == [False, False, True, False, False]
    brows = found["brow_raise"].read()
    assert brows.fps == 25 and len(brows) == 4
    np.testing.assert_array_equal(next(iter(brows)).scan.faces, dome().faces)
    markers = found["snarl"].read_markers()  # type: ignore[attr-defined]
    np.testing.assert_allclose(markers.point("ch_left")[:, 0], np.arange(9))


def test_the_check_says_what_each_holds(exam: Path) -> None:
    (verdict,) = validate(exam)
    said = {
        e: [f for f in verdict.findings if f.expression == e]
        for e in ("open_smile", "brow_raise", "snarl", "cheek_puff")
    }
    assert verdict.measurable  # a recording at fault keeps no scan from being measured
    facts, doubts = said["open_smile"]
    assert "5 frames, 1 of them lost, 0.08 s at 50 a second; 144 vertices, one topology" in facts.text
    assert doubts.kind == "doubt" and "frame 2" in doubts.text
    assert "4 frames, 0.12 s at 25 a second" in said["brow_raise"][0].text
    assert "2 markers, seen 100 % of the time; 2 are landmarks" in said["snarl"][0].text
    assert said["cheek_puff"][0].kind == "doubt" and "one scan, no recording" in said["cheek_puff"][0].text


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"path": "smile", "fps": 0}, "sequences.open_smile"),
        ({"path": "nowhere"}, "does not exist"),
        ({"path": "../smile"}, "lies outside|does not exist"),
        ({"path": "brows.pc2", "base": "../face.obj"}, "sequences.open_smile.base"),
        ({"path": "snarl.csv", "markers": {"left": "mouth"}}, "is no landmark"),
    ],
)
def test_entries_at_fault_are_named(exam: Path, entry: dict, said: str) -> None:
    manifest = json.loads((exam / "exam.json").read_text())
    (exam / "exam.json").write_text(json.dumps({**manifest, "sequences": {"open_smile": entry}}))
    with pytest.raises(SchemaError, match=said):
        read_exam(exam)


def test_info_of_recordings(exam: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["info", str(exam / "smile"), "--fps", "50"]) == 0
    text = capsys.readouterr().out
    assert "5 frames, 1 of them lost" in text and "lost: frame 2" in text and "note: mm: inferred" in text
    assert cli.run(["info", str(exam / "brows.pc2"), "--fps", "25", "--base", str(exam / "face.obj"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 4
    assert cli.run(["info", str(exam / "snarl.csv")]) == 0
    assert "2 markers" in capsys.readouterr().out
    assert cli.run(["info", str(exam / "smile")]) == 2
    assert "--fps 60" in capsys.readouterr().err
    (exam / "take.mkv").write_bytes(b"\x1a\x45\xdf\xa3")
    assert cli.run(["info", str(exam / "take.mkv")]) == 2
    assert "azure_kinect_mkv_reader" in capsys.readouterr().err


def test_what_is_a_recording_and_what_a_scan(exam: Path, tmp_path: Path) -> None:
    np.savez(exam / "take.npz", vertices=shapes(3), faces=dome().faces)
    write_scan(exam / "scan.npz", dome())
    (exam / "cloud.csv").write_text("x,y,z\n1,2,3\n4,5,6\n7,8,9\n")
    write_depth(exam / "depths")
    (exam / "exams").mkdir()
    for name in ("rest.ply", "open_smile.ply"):
        write_scan(exam / "exams" / name, dome())
    recordings = ("smile", "brows.pc2", "snarl.csv", "take.npz", "depths", "depths/depth")
    assert all(is_recording(exam / name) for name in recordings)
    assert not any(
        is_recording(exam / name) for name in (".", "scan.npz", "cloud.csv", "rest.ply", "face.obj", "exams")
    )
