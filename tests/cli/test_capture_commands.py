"""Commands that make scans of recordings: what they write, and how they refuse."""

import json

import numpy as np
import pytest
from PIL import Image

from face3d.cli import run
from face3d.io import read_scan
from face3d.io.calibration import write_calibration
from face3d.io.depth_image import read_depth_images
from face3d.simulate.scanners import KINECT_V1
from sequence.rigs import BOARD, board_rig, board_views, shot
from sequence.turning import half, turning


def test_calibrate_writes_a_calibration(tmp_path, capsys):
    for name, pictures in board_views(BOARD, board_rig(), 7).items():
        (tmp_path / name).mkdir()
        for k, picture in enumerate(pictures):
            Image.fromarray(picture).save(tmp_path / name / f"{k}.png")
    out = tmp_path / "rig.json"
    board = ["--columns", "6", "--rows", "9", "--square", "30", "--out", str(out)]
    assert run(["calibrate", str(tmp_path), *board, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["views"] == 7 and max(said["reprojection_px"].values()) < 0.2
    assert set(json.loads(out.read_text())["cameras"]) == {"left", "right"}
    assert run(["calibrate", str(tmp_path / "nothing"), *board]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_reconstruct_writes_a_scan_and_what_was_done(tmp_path, capsys):
    truth = shot()
    rig = write_calibration(tmp_path / "rig.json", truth.calibration)
    for name, picture in truth.pictures.items():
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    pair = [str(tmp_path / "left.png"), str(tmp_path / "right.png")]
    out = tmp_path / "out"
    assert run(["reconstruct", *pair, "--calibration", str(rig), "--out", str(out)]) == 0
    scan = read_scan(out / "reconstruction.ply", "mm")
    assert b"property double sd_mm" in (out / "reconstruction.ply").read_bytes()[:1000]
    facts = json.loads((out / "reconstruction.json").read_text())
    assert len(scan.vertices) == facts["vertices"] > 10_000 and scan.colors is not None
    capsys.readouterr()
    for arguments, said in (
        (pair[:1], "1 picture for a calibration of 2 cameras"),
        ([str(out)], "no picture called left.png"),
        ([pair[0], str(tmp_path / "none.png")], "none.png: there is no such file"),
        ([pair[0], str(rig)], "is no PNG, JPEG, BMP or TIFF picture"),
    ):
        assert run(["reconstruct", *arguments, "--calibration", str(rig), "--out", str(out)]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert run(["reconstruct", *pair, "--calibration", pair[0], "--out", str(out)]) == 2
    assert "face3d calibrate" in capsys.readouterr().err


def recording(folder, frames):
    (folder / "depth").mkdir(parents=True)
    at = frames[0].intrinsics
    note = {k: getattr(at, k) for k in ("fx", "fy", "cx", "cy", "width", "height")} | {"depth_unit_mm": 1.0}
    (folder / "camera.json").write_text(json.dumps(note))
    for k, frame in enumerate(frames):
        steps = np.nan_to_num(frame.depth_mm).astype(np.uint16)
        Image.fromarray(steps).save(folder / "depth" / f"{k:04d}.png")


def test_fuse_writes_a_scan_at_rest(tmp_path, capsys):
    frames, *_ = turning(camera=half(KINECT_V1))
    recording(tmp_path / "turn", frames[:6])
    (tmp_path / "turn" / "depth" / "0006.png").write_bytes(b"torn")
    read, lost = read_depth_images(tmp_path / "turn")
    assert np.array_equal(read[2].depth_mm, frames[2].depth_mm) and set(lost) == {"0006.png"}
    assert run(["fuse", str(tmp_path / "turn"), "--out", str(tmp_path / "out"), "--json"]) == 0
    facts = json.loads((tmp_path / "out" / "fuse.json").read_text())
    assert facts["frames_used"] == 6 and list(facts["frames_left_out"]) == ["0006.png"]
    assert len(read_scan(tmp_path / "out" / "rest.ply", "mm").vertices) == facts["vertices"]
    capsys.readouterr()
    assert run(["fuse", str(tmp_path / "out"), "--out", str(tmp_path / "out")]) == 2
    assert "is no recording of a depth camera" in capsys.readouterr().err


def test_video_refuses_what_is_none(tmp_path, capsys):
    (tmp_path / "a.mp4").write_bytes(b"no video at all")
    for file, said in (("a.mp4", "is no video that can be read"), ("b.mp4", "there is no such file")):
        assert run(["video", str(tmp_path / file), "--out", str(tmp_path / "out")]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", ["calibrate", "reconstruct", "fuse", "video"])
def test_help_says_what_it_writes(command, capsys):
    assert run([command, "--help"]) == 0
    assert "--out" in capsys.readouterr().out
