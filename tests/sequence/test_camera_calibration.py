"""A rig from pictures of a board whose geometry is known."""

import json

import numpy as np
import pytest
from PIL import Image

from face3d.errors import ScanError, SchemaError
from face3d.io.calibration import Camera, centre, read_calibration, write_calibration
from face3d.sequence.boards import Board
from face3d.sequence.calibration import calibrate, pods_of
from face3d.sequence.rectify import Rectified, triangulated
from sequence.rigs import BOARD, board_rig, board_views


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("boards")
    for name, pictures in board_views(BOARD, board_rig(), 9).items():
        (place / name).mkdir()
        for k, picture in enumerate(pictures):
            Image.fromarray(picture).save(place / name / f"{k:02d}.png")
    return place


def test_a_rig_is_calibrated_from_pictures_of_a_board(folder, tmp_path):
    true = board_rig()
    found = calibrate(folder, BOARD)
    assert found.pods == (("left", "right"),) and found.views == 9
    assert 0.0 < found.reprojection_px < 0.2  # camera noise of 2 grey levels on corners of 40 pixels
    between = found.cameras["right"].pose.inv().translation
    expected = (true["right"].pose * true["left"].pose.inv()).inv().translation
    # Nine small pictures: the baseline to 1 %, the focal length to 2 %; with a clinic's pictures ten times better.
    assert abs(np.linalg.norm(between) / np.linalg.norm(expected) - 1) < 0.01
    for name, camera in found.cameras.items():
        assert abs(camera.matrix[0, 0] / true[name].matrix[0, 0] - 1) < 0.02
    # What counts: points before the cameras come out where they are, but for the rig's frame.
    points = np.random.default_rng(0).uniform(-70, 70, (40, 3))
    pixels = [seen(true[name], points) for name in ("left", "right")]
    back, miss = triangulated(found.cameras["left"], found.cameras["right"], *pixels)
    error = np.linalg.norm(back - true["left"].pose.apply(points), axis=1)
    distances = np.linalg.norm(np.diff(back, axis=0), axis=1) - np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert np.median(np.abs(distances)) < 0.4 and np.median(error) < 4.0 and np.median(miss) < 0.3

    again = read_calibration(write_calibration(tmp_path / "calibration.json", found))
    assert np.allclose(again.cameras["right"].matrix, found.cameras["right"].matrix)
    assert np.allclose(centre(again.cameras["right"]), centre(found.cameras["right"]))


def seen(camera: Camera, points: np.ndarray) -> np.ndarray:
    import cv2

    at = np.ascontiguousarray(camera.pose.apply(points))
    return cv2.projectPoints(at[:, None], np.zeros(3), np.zeros(3), camera.matrix, camera.distortion)[0][:, 0]


def test_a_chessboard_is_found_the_same_way_round_however_it_is_held():
    board = Board("chessboard", 8, 5, 30.0)
    picture = board_views(board, {"one": board_rig()["left"]}, 1)["one"][0]
    ids, pixels = board.find(picture)
    turned_ids, turned = board.find(np.ascontiguousarray(picture[::-1, ::-1]))
    assert ids.tolist() == turned_ids.tolist() == list(range(28))
    assert np.abs(turned - (np.array([399, 519]) - pixels)).max() < 0.3


@pytest.mark.parametrize("turns", [(-8.0, 8.0), (8.0, -8.0)])
def test_rectified_rows_are_the_same(turns):
    cameras = board_rig(turns)
    pod = Rectified.of(cameras["left"], cameras["right"], np.zeros(3), 150.0)
    assert pod.swapped is (turns[0] > 0)  # a camera on the subject's left stands on the rig's right
    points = np.random.default_rng(1).uniform(-60, 60, (50, 3))
    shade = np.random.default_rng(2).uniform(0, 255, (520, 400, 3)).astype(np.uint8)
    assert pod.pictures(shade, shade)[0].shape == (pod.height, pod.width, 3)
    at = pod.pose.apply(points)
    column = at @ pod.matrix.T
    left = column[:, 0] / column[:, 2]
    right = pod.matrix[0, 0] * (at[:, 0] - pod.baseline_mm) / at[:, 2] + pod.matrix[0, 2] - pod.offset
    assert np.allclose(left - right, pod.disparity(at[:, 2]))
    assert np.allclose(pod.depth_mm(left - right), at[:, 2])
    assert abs(float(pod.disparity(pod.pose.apply(np.zeros((1, 3)))[:, 2])[0])) < 1e-9


def test_points_come_back_from_their_pixels():
    cameras = board_rig()
    points = np.random.default_rng(1).uniform(-60, 60, (50, 3))
    back, miss = triangulated(*cameras.values(), *[seen(c, points) for c in cameras.values()])
    assert np.abs(back - points).max() < 1e-3 and miss.max() < 1e-3


def test_what_cannot_be_calibrated_is_refused_in_a_line(tmp_path, folder):
    with pytest.raises(ScanError, match="no such folder"):
        calibrate(tmp_path / "nothing", BOARD)
    (tmp_path / "left").mkdir()
    Image.fromarray(np.full((60, 60, 3), 90, np.uint8)).save(tmp_path / "left" / "a.png")
    with pytest.raises(ScanError, match=r"pictures of 1 camera; stereo needs two"):
        calibrate(tmp_path, BOARD)
    (tmp_path / "right").mkdir()
    Image.fromarray(np.full((60, 60, 3), 90, np.uint8)).save(tmp_path / "right" / "a.png")
    with pytest.raises(SchemaError, match=r"camera 'left': a charuco .* found in 0 of its 1 pictures"):
        calibrate(tmp_path, BOARD)
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / "left" / "b.png")
    with pytest.raises(ScanError, match=r"b\.png: 80 x 60 pixels, the camera's other pictures have 60 x 60"):
        calibrate(tmp_path, BOARD)
    with pytest.raises(SchemaError, match=r"found in \d of its 9 pictures"):
        calibrate(folder, Board("chessboard", 10, 7, 30.0))
    with pytest.raises(SchemaError, match="turned by half"):
        Board("chessboard", 9, 7)
    with pytest.raises(SchemaError, match="no dictionary"):
        Board(dictionary="9X9")
    with pytest.raises(SchemaError, match="'c' has no partner"):
        pods_of(["a_left", "a_right", "c"])


def test_pictures_of_other_instants_are_noticed(folder, tmp_path):
    for side in ("left", "right"):
        (tmp_path / side).mkdir()
        for k in range(9):
            source = folder / side / f"{k if side == 'left' else (k + 1) % 9:02d}.png"
            (tmp_path / side / f"{k}.png").write_bytes(source.read_bytes())
    with pytest.raises(SchemaError, match="at the same instant"):
        calibrate(tmp_path, BOARD)


def test_a_calibration_that_no_rig_has_is_refused(tmp_path):
    from face3d.io.calibration import Calibration

    file = write_calibration(tmp_path / "c.json", Calibration(board_rig(), (("left", "right"),)))
    good = json.loads(file.read_text())
    assert read_calibration(file).cameras["left"].width == 400

    def with_(change):
        entry = json.loads(json.dumps(good))
        change(entry)
        file.write_text(json.dumps(entry))
        with pytest.raises((SchemaError, ScanError)) as caught:
            read_calibration(file)
        assert str(file) in str(caught.value) and "\n" not in str(caught.value)
        return str(caught.value)

    def put(*path):
        def change(entry):
            for key in path[:-2]:
                entry = entry[key]
            entry[path[-2]] = path[-1]

        return change

    assert "fx is 1 pixels" in with_(put("cameras", "left", "K", 0, 0, 1.0))
    assert "no rotation" in with_(put("cameras", "left", "R", [[1, 0, 0], [0, 1, 0], [0, 0, -1]]))
    assert "its centre" in with_(put("cameras", "left", "K", 0, 2, 4000.0))
    assert "which is no camera" in with_(put("pods", [["left", "middle"]]))
    assert "mm apart" in with_(lambda e: e["cameras"].update(right=e["cameras"]["left"]))
    assert "in millimetres?" in with_(put("cameras", "right", "t", [9e6, 0, 0]))
    assert "distortion has 3 numbers" in with_(put("cameras", "left", "distortion", [0, 0, 0]))
    assert "units" in with_(put("units", "cm"))
    assert "cameras" in with_(lambda e: e["cameras"].pop("right"))
    file.write_text("{")
    with pytest.raises(SchemaError, match="calibrate"):
        read_calibration(file)


def test_the_schema_is_that_of_the_code():
    import pathlib

    from face3d.io.calibration import CalibrationFile

    schema = pathlib.Path(__file__).parents[2] / "data_schemas" / "calibration.schema.json"
    assert json.loads(schema.read_text("utf-8")) == CalibrationFile.model_json_schema(), "run tools/export_schemas.py"
