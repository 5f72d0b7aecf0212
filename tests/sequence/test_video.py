"""Videos of a simulated face whose right side is weak: which side moves, what is left out, and what is never said."""

import json
import math

import cv2
import numpy as np
import pytest

from face3d.errors import ScanError
from face3d.sequence.video import COLUMNS, VideoMeasures, head_pose, measure_video
from face3d.simulate.draw import draw_healthy
from face3d.simulate.head import HeadModel
from face3d.simulate.patients import with_palsy
from face3d.simulate.scanners import draw_skin
from face3d.simulate.scanners.pinhole import Pinhole, facing
from face3d.simulate.scanners.stereo_rig import photograph

OPTICS = Pinhole(240, 320, 600.0, 600.0, 119.5, 159.5)
FPS = 10.0


@pytest.fixture(scope="module")
def pictures():
    """Expression -> picture of somebody whose right side hardly moves."""
    rng = np.random.default_rng(3)
    person = with_palsy(draw_healthy(rng, HeadModel.load()), "right", 0.1)
    head, rest = person.model, person.vertices("rest")
    skin = draw_skin(head, rng)
    camera = facing(700.0, np.array([0.0, np.median(rest[:, 1]), rest[:, 2].max() - 40.0]))
    return {
        name: photograph(
            person.vertices(name), head.faces, camera, OPTICS, rng, skin=skin, skin_vertices=head.vertices
        )[0]
        for name in ("rest", "open_smile", "gentle_eye_closure", "brow_raise")
    }


def film(file, frames, code: str = "MJPG", fps: float = FPS):
    height, width = frames[0].shape[:2]
    video = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*code), fps, (width, height))
    for frame in frames:
        video.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    video.release()
    return file


def course(pictures) -> list[np.ndarray]:
    """Rest, smile, rest, a closure of 0.2 s, rest, brows, and then what cannot be used."""
    rest = pictures["rest"]
    small = np.full_like(rest, 25)
    small[100:196, 80:152] = cv2.resize(rest, (72, 96), interpolation=cv2.INTER_AREA)
    out = [rest] * 7 + [pictures["open_smile"]] * 4 + [rest] * 3
    out += [pictures["gentle_eye_closure"]] * 2 + [rest] * 4 + [pictures["brow_raise"]] * 3 + [rest] * 2
    return out + [cv2.GaussianBlur(rest, (0, 0), 3.0)] * 2 + [np.full_like(rest, 25)] + [small]


@pytest.fixture(scope="module")
def measured(pictures, tmp_path_factory) -> VideoMeasures:
    return measure_video(film(tmp_path_factory.mktemp("video") / "a.avi", course(pictures)))


def test_the_side_that_moves_is_the_one_that_moved(measured):
    summary = measured.summary()
    smile, brow = summary["smile"], summary["brow"]
    assert smile["peak"]["left"] > 0.1 and smile["ratio"] < 0.5
    assert brow["peak"]["left"] > 1.5 * brow["peak"]["right"] and brow["ratio"] < 0.7
    eyes = summary["eyes"]
    assert eyes["left"]["narrowest"] < 0.5 * eyes["left"]["open"]
    assert eyes["right"]["narrowest"] > eyes["left"]["narrowest"] + 0.05  # the weak lid stays open


def test_a_closure_of_a_fifth_of_a_second_is_a_blink_of_the_side_that_closed(measured):
    assert np.allclose(measured.blinks["left"], [1.4], atol=0.11)
    assert len(measured.blinks["right"]) == 0


def test_frames_that_cannot_be_used_say_why_and_hold_no_numbers(measured):
    frames = measured.frames
    assert list(frames.columns) == list(COLUMNS) and len(frames) == 29
    assert frames["used"].sum() == 25 and (frames.loc[frames["used"], "reason"] == "").all()
    reasons = frames["reason"].to_list()
    assert (
        reasons[25:27] == ["blurred"] * 2 and reasons[27] == "no face" and reasons[28] in ("face too small", "no face")
    )
    numbers = frames.loc[~frames["used"], [c for c in COLUMNS if c.startswith(("eye", "brow", "smile"))]]
    assert numbers.isna().all().all()


def test_a_mirrored_video_exchanges_the_sides(pictures, measured, tmp_path):
    mirrored = [np.ascontiguousarray(p[:, ::-1]) for p in course(pictures)[:12]]
    other = measure_video(film(tmp_path / "m.avi", mirrored)).summary()["smile"]["peak"]
    assert other["right"] > 2 * other["left"]


def test_nothing_is_said_in_millimetres(measured, tmp_path):
    measured.write(tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    text = (tmp_path / "video.csv").read_text()
    assert text.startswith("# 2.5D estimate") and "not millimetres" in summary["kind"] and len(summary["limits"]) == 3
    assert not any(column.endswith("_mm") for column in text.splitlines()[1].split(","))
    assert summary["frames"] == 29 and sum(summary["left_out"].values()) == 4


def test_the_heads_turn_is_read_from_the_points():
    from scipy.spatial.transform import Rotation

    from face3d.landmarking.face_landmarker import model_facts

    model = model_facts()[1]
    for turn, expected in (((15, 0, 0), (15, 0, 0)), ((0, -12, 0), (0, 12, 0)), ((0, 0, 20), (0, 0, -20))):
        seen = Rotation.from_euler("yxz", turn, degrees=True).apply(model)  # yaw to +x, the subject's left
        points = np.zeros((478, 2))
        points[: len(model)] = seen[:, :2] * [2.0, -2.0] + 200.0
        assert np.allclose(head_pose(points), expected, atol=0.01)


def test_what_is_no_usable_video_is_refused_in_a_line(pictures, tmp_path):
    rest = pictures["rest"]
    with pytest.raises(ScanError, match=r"0 of 6 frames can be used, at least 5 must \(no face: 6\)"):
        measure_video(film(tmp_path / "dark.avi", [np.zeros_like(rest)] * 6))
    with pytest.raises(ScanError, match="there is no such file"):
        measure_video(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ScanError, match="is no video that can be read"):
        measure_video(tmp_path / "text.mp4")
    good = film(tmp_path / "good.avi", [rest] * 5)
    for fps in (0.0, -1.0, math.nan, 1e6):
        with pytest.raises(ScanError, match="--fps"):
            measure_video(good, fps)
