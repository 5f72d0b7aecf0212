"""Markers: C3D as another program writes it, trajectories as FaceMoCap's, tables; coefficients of Live Link Face."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import face3d
from face3d.errors import Face3DError, ScanError, SchemaError

NAMES = ("ch_left", "LMC", "Ca02", "forehead")


def ways(frames: int = 40, seed: int = 0) -> np.ndarray:
    """(T, 4, 3) mm: a face's size apart, moving, the second marker hidden for a while."""
    rng = np.random.default_rng(seed)
    points = np.array([[30.0, -60, 90], [-30, -60, 90], [15, 0, 80], [0, 60, 90]]) + rng.normal(0, 1, (frames, 4, 3))
    points[5:9, 1] = np.nan
    return points


def write_c3d(file: Path, points: np.ndarray, unit: str = "mm", rate: float = 120.0) -> Path:
    ezc3d = pytest.importorskip("ezc3d")
    out = ezc3d.c3d()
    out["parameters"]["POINT"]["RATE"]["value"] = [rate]
    out["parameters"]["POINT"]["LABELS"]["value"] = tuple(f"Bob:{n}" for n in NAMES)
    out["parameters"]["POINT"]["UNITS"]["value"] = [unit]
    data = np.ones((4, points.shape[1], len(points)))
    data[:3] = points.transpose(2, 1, 0)
    out["data"]["points"] = data
    out.write(str(file))
    return file


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1.0), ("m", 1000.0)])
def test_c3d_of_another_program(tmp_path: Path, unit: str, factor: float) -> None:
    points = ways()
    markers = face3d.read_markers(write_c3d(tmp_path / "smile.c3d", points / factor, unit))
    assert markers.names == NAMES and markers.fps == 120 and len(markers) == 40
    np.testing.assert_allclose(markers.points, points, atol=1e-3)
    np.testing.assert_array_equal(markers.seen, np.isfinite(points[..., 0]))
    np.testing.assert_allclose(markers.times_s, np.arange(40) / 120)
    assert dict(markers.landmarks) == {"ch_left": "ch_left"}
    given = face3d.read_markers(tmp_path / "smile.c3d", {"LMC": "ch_right", "Ca02": "en_right"})
    assert dict(given.landmarks) == {"ch_left": "ch_left", "ch_right": "LMC", "en_right": "Ca02"}
    np.testing.assert_allclose(given.point("ch_right"), points[:, 1], atol=1e-3)
    with pytest.raises(SchemaError, match="no marker 'LCM'"):
        face3d.read_markers(tmp_path / "smile.c3d", {"LCM": "ch_right"})
    with pytest.raises(SchemaError, match="'mouth' is no landmark"):
        face3d.read_markers(tmp_path / "smile.c3d", {"LMC": "mouth"})
    with pytest.raises(ScanError, match="no marker or landmark 'g'"):
        given.point("g")


def by_hand(points: np.ndarray, kind: str) -> bytes:
    """The same recording as a laboratory's own program writes it: integers, or DEC's and SGI's numbers."""
    big = ">" if kind == "SGI" else "<"
    processor = {"integers": 84, "floats": 84, "DEC": 85, "SGI": 86}[kind]
    scale = 0.01 if kind == "integers" else -0.01

    def floats(values: np.ndarray | float) -> bytes:
        if kind != "DEC":
            return np.asarray(values, big + "f4").tobytes()
        words = (np.atleast_1d(np.asarray(values, "<f4")) * np.float32(4)).view("<u2").reshape(-1, 2)
        return np.ascontiguousarray(words[:, ::-1]).tobytes()

    def parameter(label: str, kind: int, dims: list[int], data: bytes, last: bool = False) -> bytes:
        body = struct.pack("bB", kind, len(dims)) + bytes(dims) + data + b"\0"
        return (
            struct.pack("bb", len(label), 1)
            + label.encode()
            + struct.pack(big + "h", 0 if last else len(body) + 2)
            + body
        )

    header = bytearray(512)
    header[0:2] = bytes([2, 0x50])
    struct.pack_into(big + "5H", header, 2, points.shape[1], 0, 1, len(points), 0)
    header[12:16], header[20:24] = floats(scale), floats(120.0)
    struct.pack_into(big + "H", header, 16, 3)
    group = struct.pack("bb", 5, -1) + b"POINT" + struct.pack(big + "h", 3) + b"\0"
    labels = "".join(n.ljust(10) for n in NAMES).encode()
    block = bytes([1, 0x50, 1, processor]) + group + parameter("LABELS", -1, [10, len(NAMES)], labels)
    block += parameter("UNITS", -1, [2], b"mm", last=True)
    filled = np.concatenate([np.nan_to_num(points), np.where(np.isnan(points[..., :1]), -1.0, 0.0)], axis=2)
    if kind == "integers":
        filled[..., :3] /= scale
        body = np.rint(filled).astype(big + "i2").tobytes()
    else:
        body = floats(filled)
    return bytes(header) + block.ljust(512, b"\0") + body


@pytest.mark.parametrize("kind", ["integers", "floats", "DEC", "SGI"])
def test_c3d_of_every_processor(tmp_path: Path, kind: str) -> None:
    points = ways()
    (tmp_path / "smile.c3d").write_bytes(by_hand(points, kind))
    markers = face3d.read_markers(tmp_path / "smile.c3d")
    assert markers.names == NAMES and markers.fps == 120
    np.testing.assert_allclose(markers.points, points, atol=0.0051 if kind == "integers" else 1e-4)


def test_a_cut_c3d_gives_its_whole_frames(tmp_path: Path) -> None:
    data = by_hand(ways(), "floats")
    file = tmp_path / "smile.c3d"
    file.write_bytes(data[:-100])
    markers = face3d.read_markers(file)
    assert len(markers) == 38 and any("40 frames are declared, 38 whole" in n for n in markers.notes)
    for size in (1, 100, 511, 513, 700, 1024, 1040):
        file.write_bytes(data[:size])
        with pytest.raises(ScanError, match=r"smile.c3d"):
            face3d.read_markers(file)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1100), st.integers(0, 255)), max_size=12))
def test_no_damage_of_a_c3d_is_a_defect(tmp_path_factory, changes: list[tuple[int, int]]) -> None:
    data = bytearray(by_hand(ways(), "floats"))
    for at, value in changes:
        data[at] = value
    file = tmp_path_factory.mktemp("c3d") / "x.c3d"
    file.write_bytes(data)
    try:
        markers = face3d.read_markers(file)
        assert markers.points.shape == (len(markers), len(markers.names), 3)
    except Face3DError as error:
        assert "\n" not in str(error) and len(str(error)) < 1500


def trajectories(points: np.ndarray, names: tuple[str, ...], named: bool = True) -> str:
    """As Vicon writes them, and FaceMoCap's are: five rows of header, frame and sub-frame, gaps empty."""
    head = ["Trajectories", "100", ",," + ",,,".join(f"P1:{n}" for n in names) + ",,"]
    head += ["Frame,Sub Frame" + ",X,Y,Z" * len(names), "," + ",mm,mm,mm" * len(names)]
    if not named:
        head = ["x"] * 5
    rows = [
        f"{k + 1},0," + ",".join("" if np.isnan(v) else f"{v:.4f}" for v in frame.ravel())
        for k, frame in enumerate(points)
    ]
    return "\n".join(head + rows) + "\n"


def test_trajectories_of_facemocap(tmp_path: Path) -> None:
    names = ("Ca01", "Ca02", "Ca03", "Ca04", "C01", "C02", "F1")
    rng = np.random.default_rng(2)
    points = rng.uniform(-90, 90, (7, 3)) + rng.normal(0, 1, (30, 7, 3))
    points[3:5, 2] = np.nan
    file = tmp_path / "smile.csv"
    file.write_text(trajectories(points, names))
    markers = face3d.read_markers(file)
    assert markers.names == names and markers.fps == 100
    np.testing.assert_allclose(markers.points, points, atol=1e-4)
    assert markers.landmarks["ex_right"] == "Ca01" and markers.landmarks["ch_left"] == "C02"
    assert set(markers.landmarks) == {"ex_right", "en_right", "en_left", "ex_left", "ch_right", "ch_left"}
    file.write_text(trajectories(points, names, named=False))
    with pytest.raises(SchemaError, match="fps=60"):
        face3d.read_markers(file)
    unnamed = face3d.read_markers(file, fps=100)
    assert unnamed.names == tuple("1234567") and not unnamed.landmarks
    np.testing.assert_allclose(unnamed.points, points, atol=1e-4)
    dropped = trajectories(points, names).splitlines()
    del dropped[10:12]
    file.write_text("\n".join(dropped))
    gap = face3d.read_markers(file)
    assert (
        len(gap) == 28 and np.diff(gap.times_s).max() == pytest.approx(0.03) and any("missing" in n for n in gap.notes)
    )


def test_a_column_a_coordinate(tmp_path: Path) -> None:
    points = ways()
    head = "time," + ",".join(f"{n}_{axis}" for n in NAMES for axis in "xyz")
    rows = [
        f"{k / 50:.3f}," + ",".join("" if np.isnan(v) else f"{v:.4f}" for v in f.ravel()) for k, f in enumerate(points)
    ]
    file = tmp_path / "take.csv"
    file.write_text("\n".join([head, *rows]))
    markers = face3d.read_markers(file)
    assert markers.names == NAMES and markers.fps == pytest.approx(50)
    np.testing.assert_allclose(markers.points, points, atol=1e-4)
    file.write_text("\n".join([head, *rows, "0.9,1,2,three"]))
    with pytest.raises(ScanError, match="row 42: 'three'"):
        face3d.read_markers(file)
    for text in ("", "a,b\n", "Trajectories\n100\n", "hello"):
        file.write_text(text)
        with pytest.raises(ScanError, match=r"take.csv"):
            face3d.read_markers(file)


def live_link(rows: int = 130, fps: int = 60, start: int = 14 * 3600 + 52) -> list[str]:
    head = "Timecode,BlendShapeCount,EyeBlinkLeft,EyeBlinkRight,JawOpen,HeadYaw"
    out = [head]
    for k in range(rows):
        second, frame = divmod(k, fps)
        s = (start + second) % 86400
        code = f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}:{frame:02d}.250"
        out.append(f"{code},61,{k / 1000:.4f},{k / 2000:.4f},0.1,-0.2")
    return out


@pytest.mark.parametrize(("fps", "start"), [(60, 14 * 3600 + 52), (30, 1), (60, 86_399)])
def test_live_link_face(tmp_path: Path, fps: int, start: int) -> None:
    file = tmp_path / "take_iPhone.csv"
    lines = live_link(fps=fps, start=start)
    lines[6] = lines[6].split(",")[0] + ",0"  # the app saw no face
    lines[9] = lines[9][:30]
    file.write_text("\n".join(lines))
    found = face3d.read_live_link(file)
    assert found.fps == fps and len(found) == 130
    np.testing.assert_allclose(found.times_s, np.arange(130) / fps, atol=1e-9)
    assert np.flatnonzero(found.lost).tolist() == [5, 8] and np.isnan(found.blinks[[5, 8]]).all()
    np.testing.assert_allclose(found.blinks[100], [0.1, 0.05])
    np.testing.assert_allclose(found.of("EyeBlink", "right")[100], 0.05)
    with pytest.raises(ScanError, match="no coefficient"):
        found.of("EyeBlink")
    with pytest.raises(ScanError, match="read_live_link"):
        face3d.read_sequence(file, fps=60)


def test_live_link_tables_that_say_too_little(tmp_path: Path) -> None:
    file = tmp_path / "take.csv"
    file.write_text("\n".join(live_link(20)))
    with pytest.raises(SchemaError, match="fps=60"):
        face3d.read_live_link(file)
    assert face3d.read_live_link(file, fps=60).times_s[-1] == pytest.approx(19 / 60)
    for text in ("", "a,b,c\n1,2,3", live_link()[0], live_link()[0] + "\nnever,61,1,2,3,4"):
        file.write_text(text)
        with pytest.raises(ScanError, match=r"take.csv"):
            face3d.read_live_link(file)
