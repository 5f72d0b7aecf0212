"""Depth pictures: where each pixel lies in space, in every convention of intrinsics; what does not fit is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_frames import CAMERA, write_depth
from PIL import Image, ImageFile

import face3d
from face3d.errors import ScanError, SchemaError
from face3d.io.depth_camera import read_camera
from face3d.simulate.head import HeadModel
from face3d.simulate.scanners import scan_depth_camera

MATRIX = [[100.0, 0, 31.5], [0, 100.0, 23.5], [0, 0, 1]]
SIZE = {"width": 64, "height": 48}


@pytest.mark.parametrize(
    "camera",
    [
        {**SIZE, "fx": 100.0, "fy": 100.0, "ppx": 31.5, "ppy": 23.5, "depth_scale": 0.0001, "coeffs": [0, 0, 0, 0, 0]},
        {
            **SIZE,
            "intrinsic_matrix": np.array(MATRIX).T.ravel().tolist(),
            "depth_scale": 10_000.0,
        },  # open3d, by columns
        {"depth_intrinsics": {**SIZE, "fx": 100.0, "fy": 100.0, "cx": 31.5, "cy": 23.5}, "depth_unit_mm": 0.1},
        {"K": np.array(MATRIX).T.ravel().tolist(), "w": 64, "h": 48, "depth_unit_mm": 0.1},  # Record3D
        {
            **SIZE,  # Apple: of the full sensor, 10 times as many pixels
            "intrinsicMatrix": [[1000.0, 0, 0], [0, 1000.0, 0], [319.5, 239.5, 1]],
            "intrinsicMatrixReferenceDimensions": {"width": 640, "height": 480},
            "depth_unit_mm": 0.1,
        },
    ],
    ids=["RealSense", "open3d", "nested", "Record3D", "TrueDepth"],
)
def test_pixels_lie_where_the_camera_saw_them(tmp_path: Path, camera: dict) -> None:
    sequence = face3d.read_sequence(write_depth(tmp_path / "take", camera=camera), fps=30)
    for k, frame in enumerate(sequence):
        points = frame.scan.vertices
        np.testing.assert_allclose(points[:, 2], -(400.0 - k), atol=1e-3)
        shift = 0.05 if "intrinsicMatrix" in camera else 1e-6
        np.testing.assert_allclose(
            points[0, :2], (400 - k) * np.array([(12 - 31.5), -(8 - 23.5)]) / 100, atol=4 * shift
        )
        assert len(points) == 32 * 40 and len(frame.scan.faces) == 2 * 31 * 39
        a, b, c = (points[frame.scan.faces[:, i]] for i in range(3))
        assert (np.cross(b - a, c - a)[:, 2] > 0).all()  # counter-clockwise seen by the camera
        assert "0.1 mm" in frame.scan.units_note


def test_a_simulated_head_is_where_its_simulator_put_it(tmp_path: Path) -> None:
    model = HeadModel.load()
    seen = scan_depth_camera(model.vertices, model.faces, np.random.default_rng(3), noise=False)
    (tmp_path / "depth").mkdir()
    seen.write(tmp_path / "depth", "0001")
    (tmp_path / "depth" / "0001.json").rename(tmp_path / "camera.json")
    scan = next(iter(face3d.read_sequence(tmp_path, fps=30))).scan
    truth = seen.scan().scan
    np.testing.assert_allclose(scan.vertices * [1, -1, -1], truth.vertices, atol=1e-3)
    assert len(scan.faces) == len(truth.faces)


def test_surfaces_are_cut_where_depth_jumps_and_the_room_is_left_out(tmp_path: Path) -> None:
    folder = write_depth(tmp_path / "take", 1)
    depth = np.full((48, 64), 30_000, np.uint16)  # a wall, 3 m away
    depth[10:20, 10:20], depth[10:20, 20:30] = 4000, 4200  # a step of 20 mm
    Image.fromarray(depth).save(folder / "depth" / "000000.png")
    scan = next(iter(face3d.read_sequence(folder, fps=30))).scan
    assert len(scan.vertices) == 200 and len(scan.faces) == 2 * 2 * 81


def test_colours_lie_on_their_pixels(tmp_path: Path) -> None:
    folder = write_depth(tmp_path / "take", 3)
    (folder / "color").mkdir()
    color = np.zeros((48, 64, 3), np.uint8)
    color[..., 0], color[..., 1] = np.arange(64), np.arange(48)[:, None]
    Image.fromarray(color).save(folder / "color" / "000000.png")
    (folder / "color" / "000001.png").write_bytes(b"broken")
    Image.fromarray(color[::2, ::2]).save(folder / "color" / "000002.png")
    frames = list(face3d.read_sequence(folder, fps=30))
    np.testing.assert_array_equal(frames[0].scan.colors[[0, -1]], [[12, 8, 0], [51, 39, 0]])
    assert not frames[1].lost and frames[1].scan.colors is None and frames[2].scan.colors is None


def test_eight_bits_and_broken_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as WeasyPrint leaves it behind
    folder = write_depth(tmp_path / "take", 5)
    Image.fromarray(np.full((48, 64), 200, np.uint8)).save(folder / "depth" / "000001.png")
    data = (folder / "depth" / "000002.png").read_bytes()
    (folder / "depth" / "000002.png").write_bytes(data[: len(data) // 2])
    Image.fromarray(np.zeros((48, 64), np.uint16)).save(folder / "depth" / "000003.png")
    frames = list(face3d.read_sequence(folder, fps=30))
    assert [f.number for f in frames if f.lost] == [1, 2, 3]
    said = [f.reason or "" for f in frames]
    assert "8 bits" in said[1] and "damaged" in said[2] and "nothing is seen" in said[3]
    for k in range(5):
        Image.fromarray(np.full((48, 64, 3), 200, np.uint8)).save(folder / "depth" / f"{k:06d}.png")
    with pytest.raises(ScanError, match="16 in one channel"):
        face3d.read_sequence(folder, fps=30)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": 640, "height": 480, "cx": 315.0, "cy": 235.0, "fx": 1000.0, "fy": 1000.0}, "64 x 48 pixels"),
        ({"fx": 1.9}, "fx is 1.9"),
        ({"fx": 5000.0}, "fx is 5000"),
        ({"fy": -100.0}, "fy is -100"),
        ({"fx": "100"}, "fx is '100'"),
        ({"fx": float("nan")}, "fx is nan"),
        ({"cx": 500.0}, "lies outside"),
        ({"fx": 40.0, "fy": 120.0}, "not of one camera"),
        ({"depth_unit_mm": 100.0}, "makes a step 100 mm"),
        ({"coeffs": [0.1, -0.2, 0, 0, 0]}, "distortion"),
        ({"intrinsic_matrix": [1, 2, 3]}, "3 x 3"),
        ({"intrinsic_matrix": list(range(9))}, "is no camera's"),
    ],
)
def test_intrinsics_that_do_not_fit_are_refused(tmp_path: Path, changes: dict, said: str) -> None:
    folder = write_depth(tmp_path / "take", 2, **changes)
    with pytest.raises(ScanError, match=said) as refused:
        face3d.read_sequence(folder, fps=30)
    assert "\n" not in str(refused.value)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.sampled_from(["width", "height", "fx"]), inner),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from([*CAMERA, "K", "coeffs", "depth_scale", "intrinsicMatrixReferenceDimensions"]), ANY)
)
def test_any_intrinsics_are_a_camera_or_one_line(tmp_path_factory, changes: dict) -> None:
    file = tmp_path_factory.mktemp("any") / "camera.json"
    file.write_text(json.dumps({**CAMERA, **changes}))
    try:
        camera = read_camera(file)
        assert camera.fx > 0 and camera.unit.factor > 0
    except ScanError as error:
        assert str(file) in str(error) and "\n" not in str(error)


def test_what_is_not_said_is_asked_for(tmp_path: Path) -> None:
    bare = {key: value for key, value in CAMERA.items() if key != "depth_unit_mm"}
    folder = write_depth(tmp_path / "take", 2, camera=bare)
    with pytest.raises(ScanError, match="depth_unit_mm"):
        face3d.read_sequence(folder, fps=30)
    assert next(iter(face3d.read_sequence(folder, fps=30, units=0.1))).scan.vertices[0, 2] == pytest.approx(-400)
    (folder / "camera.json").write_text(json.dumps({**CAMERA, "fps": 30}))
    assert face3d.read_sequence(folder).fps == 30
    (folder / "camera.json").write_text(json.dumps(CAMERA))
    with pytest.raises(SchemaError, match="fps=60"):
        face3d.read_sequence(folder)
    (folder / "camera.json").unlink()
    with pytest.raises(ScanError, match=r"camera.json with fx"):
        face3d.read_sequence(folder, fps=30)
