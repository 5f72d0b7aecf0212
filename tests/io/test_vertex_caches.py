"""Vertices of one mesh over time: PC2, MDD, .npy and .npz; cut, hostile and without their mesh."""

import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_frames import dome, mdd, pc2, shapes

import face3d
from face3d.errors import Face3DError, ScanError, SchemaError
from face3d.io import write_scan

SHAPES = shapes(6)


def written(folder: Path, kind: str) -> Path:
    """The six shapes in a file of a kind, in metres, with what it needs beside it."""
    file, metres = folder / f"take.{kind}", SHAPES / 1000
    if kind in ("pc2", "mdd", "npy"):
        write_scan(folder / "take.obj", dome())
    if kind == "pc2":
        file.write_bytes(pc2(metres))
    elif kind == "mdd":
        file.write_bytes(mdd(metres, 2.0 + np.arange(6) / 50))
    elif kind == "npy":
        np.save(file, metres)
    else:
        np.savez_compressed(file, vertices=metres, faces=dome().faces, fps=50.0)
    return file


@pytest.mark.parametrize("kind", ["pc2", "mdd", "npy", "npz"])
def test_what_was_written_is_read(tmp_path: Path, kind: str) -> None:
    fps = 50.0 if kind in ("pc2", "npy") else None
    sequence = face3d.read_sequence(written(tmp_path, kind), fps)
    assert sequence.same_topology and sequence.fps == pytest.approx(50) and len(sequence) == 6
    np.testing.assert_allclose(sequence.times_s, np.arange(6) / 50, atol=1e-6)
    frames = list(sequence)
    for k, frame in enumerate(frames):
        np.testing.assert_allclose(frame.scan.vertices, SHAPES[k], atol=1e-3)
        np.testing.assert_array_equal(frame.scan.faces, dome().faces)
        assert frame.scan.faces is frames[0].scan.faces
    assert [f.number for f in sequence.read(4)] == [4, 5]
    np.testing.assert_allclose(next(sequence.read(4)).scan.vertices, SHAPES[4], atol=1e-3)
    if fps:
        with pytest.raises(SchemaError, match="fps=60"):
            face3d.read_sequence(tmp_path / f"take.{kind}")


@pytest.mark.parametrize("kind", ["pc2", "mdd", "npy"])
def test_a_cut_file_gives_its_whole_frames(tmp_path: Path, kind: str) -> None:
    file = written(tmp_path, kind)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) - SHAPES[0].nbytes - 7])
    sequence = face3d.read_sequence(file, 50)
    assert len(list(sequence)) == len(sequence) == 4
    assert any("6" in note and "4 whole ones" in note for note in sequence.notes)
    file.write_bytes(data[:150])
    with pytest.raises(ScanError, match="cut short"):
        face3d.read_sequence(file, 50)


def test_a_cut_or_damaged_archive(tmp_path: Path) -> None:
    file = written(tmp_path, "npz")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(ScanError, match="cut short"):
        face3d.read_sequence(file, 50)
    with zipfile.ZipFile(file, "w") as archive:  # stored: bytes in the middle can be changed
        archive.writestr("faces.npy", npy(dome().faces))
        archive.writestr("vertices.npy", npy(SHAPES))
    data = bytearray(file.read_bytes())
    data[-SHAPES[0].nbytes] ^= 0x40
    file.write_bytes(data)
    frames = list(face3d.read_sequence(file, 50))
    assert [f.lost for f in frames][:4] == [False] * 4 and frames[-1].lost and "damaged" in frames[-1].reason


def npy(array: np.ndarray) -> bytes:
    import io

    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["pc2", "mdd", "npy", "npz"])
def test_frames_of_nan_are_lost_and_single_points_are_not(tmp_path: Path, kind: str) -> None:
    global SHAPES
    whole = SHAPES
    changed = whole.copy()
    changed[0] = np.nan  # the unit is then settled by the next frame
    changed[2] = np.inf
    changed[3, 5, 1] = np.nan
    changed[4] = 0.0
    SHAPES = changed
    try:
        file = written(tmp_path, kind)
    finally:
        SHAPES = whole
    frames = list(face3d.read_sequence(file, 50))
    assert [f.number for f in frames if f.lost] == [0, 2, 3, 4]
    assert all(f.reason and "\n" not in f.reason for f in frames if f.lost)
    np.testing.assert_allclose(frames[5].scan.vertices, whole[5], atol=1e-3)


def test_huge_declared_caches_take_no_memory(tmp_path: Path) -> None:
    write_scan(tmp_path / "take.obj", dome())
    file = tmp_path / "take.pc2"
    file.write_bytes(pc2(SHAPES, samples=2**31 - 1))
    assert len(face3d.read_sequence(file, 60)) == 6
    for points in (2**31 - 1, 3_000_000):
        file.write_bytes(pc2(SHAPES, points=points))
        with pytest.raises(ScanError, match=r"declared|at most"):
            face3d.read_sequence(file, 60)
    file.write_bytes(pc2(SHAPES, samples=-5))
    with pytest.raises(ScanError, match="-5 frames"):
        face3d.read_sequence(file, 60)
    other = tmp_path / "take.mdd"
    other.write_bytes(struct.pack(">ii", 2**31 - 1, 2**31 - 1) + b"\0" * 1000)
    with pytest.raises(ScanError, match=r"take.mdd"):
        face3d.read_sequence(other, 60)
    array = npy(SHAPES).replace(b"(6, 144, 3)", b"(999999999, 144, 3)")
    array = array[:8] + struct.pack("<H", struct.unpack("<H", array[8:10])[0] + 8) + array[10:]
    (tmp_path / "take.npy").write_bytes(array)
    assert len(face3d.read_sequence(tmp_path / "take.npy", 60)) == 6
    bomb = tmp_path / "bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vertices.npy", npy(np.zeros((3000, 1000, 3))))
    with pytest.raises(ScanError, match="nothing was tracked"):
        face3d.read_sequence(bomb, 60)


def test_the_mesh_must_be_the_caches_own(tmp_path: Path) -> None:
    file = tmp_path / "smile.pc2"
    file.write_bytes(pc2(SHAPES))
    with pytest.raises(ScanError, match="base=FILE"):
        face3d.read_sequence(file, 60)
    write_scan(tmp_path / "face.obj", dome(0, 9))
    with pytest.raises(ScanError, match="144 vertices a frame, its base mesh 81"):
        face3d.read_sequence(file, 60)  # the only mesh beside it
    write_scan(tmp_path / "other.obj", dome())
    with pytest.raises(ScanError, match="base=FILE"):
        face3d.read_sequence(file, 60)  # which of two?
    assert len(face3d.read_sequence(file, 60, base=tmp_path / "other.obj")) == 6
    assert len(face3d.read_sequence(file, 60, base=dome())) == 6
    write_scan(tmp_path / "smile.obj", dome())
    assert len(face3d.read_sequence(file, 60)) == 6  # bears its name


def test_arrays_of_other_shapes_are_refused(tmp_path: Path) -> None:
    for name, array in {
        "flat": SHAPES.reshape(6, -1),
        "4d": SHAPES[None],
        "text": np.array(["a"]),
        "none": SHAPES[:0],
    }.items():
        np.save(tmp_path / f"{name}.npy", array)
        with pytest.raises(ScanError, match=name):
            face3d.read_sequence(tmp_path / f"{name}.npy", 60)
    np.save(tmp_path / "f.npy", np.asfortranarray(SHAPES))
    with pytest.raises(ScanError, match="ascontiguousarray"):
        face3d.read_sequence(tmp_path / "f.npy", 60)
    np.save(tmp_path / "pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ScanError, match="never Python objects"):
        face3d.read_sequence(tmp_path / "pickle.npy", 60)
    np.savez(tmp_path / "x.npz", other=SHAPES)
    with pytest.raises(ScanError, match=r"no array 'vertices'"):
        face3d.read_sequence(tmp_path / "x.npz", 60)
    np.savez(tmp_path / "y.npz", vertices=SHAPES, faces=[[0, 1, 999]])
    with pytest.raises(ScanError, match="faces"):
        face3d.read_sequence(tmp_path / "y.npz", 60)


def test_arrays_without_triangles_are_clouds(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", vertices=SHAPES, times_s=np.arange(6) / 25)
    sequence = face3d.read_sequence(tmp_path / "x.npz")
    assert sequence.fps == pytest.approx(25) and not len(next(iter(sequence)).scan.faces)
    assert any("point clouds" in note for note in sequence.notes)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["pc2", "mdd", "npy", "npz", "json", "jsonl", "csv"]), st.booleans())
def test_any_bytes_are_frames_or_one_line(tmp_path_factory, data: bytes, kind: str, begun: bool) -> None:
    folder = tmp_path_factory.mktemp("any")
    start = {"pc2": pc2(SHAPES)[:32], "mdd": mdd(SHAPES, np.arange(6.0))[:20], "npy": npy(SHAPES)[:128]}
    file = folder / f"x.{kind}"
    file.write_bytes((start.get(kind, b"") if begun else b"") + data)
    try:
        for frame in face3d.read_sequence(file, 60, base=dome()):
            assert frame.lost == (frame.scan is None)
    except Face3DError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000


ARKIT = [{"timestamp": 5.0 + k / 60, "vertices": (shape / 1000).tolist()} for k, shape in enumerate(SHAPES)]


@pytest.mark.parametrize(
    "form", ["document", "list", "lines", "columns", "flat", "points", "folder", "csv", "csv with header"]
)
def test_frames_of_arkit(tmp_path: Path, form: str) -> None:
    flat = [{**f, "vertices": np.ravel(f["vertices"]).tolist()} for f in ARKIT]
    points = [{**f, "vertices": [dict(zip("xyz", v, strict=True)) for v in f["vertices"]]} for f in ARKIT]
    faces = dome().faces
    file, base = tmp_path / "take.json", dome()
    if form == "folder":
        file = tmp_path / "take"
        file.mkdir()
        for k, frame in enumerate(ARKIT):
            (file / f"face_{k}.json").write_text(json.dumps(frame))
    elif form == "columns":  # everything along, with triangles of its own
        data = {"vertices": [f["vertices"] for f in ARKIT], "timestamps": [f["timestamp"] for f in ARKIT]}
        file.write_text(json.dumps({**data, "triangle_indices": faces.ravel().tolist()}))
        base = None
    elif form.startswith("csv"):
        file = tmp_path / "take.csv"
        rows = [",".join(map(repr, [f["timestamp"], *f["vertices"]])) for f in flat]
        file.write_text(
            "\n".join((["time," + ",".join(f"v{i}" for i in range(432))] if "header" in form else []) + rows)
        )
    elif form == "lines":
        file = tmp_path / "take.jsonl"
        file.write_text("\n".join(json.dumps(f) for f in ARKIT))
    else:
        frames = {"document": {"frames": ARKIT}, "list": ARKIT, "flat": {"frames": flat}, "points": points}[form]
        file.write_text(json.dumps(frames))
    sequence = face3d.read_sequence(file, base=base)
    assert sequence.fps == pytest.approx(60, rel=1e-4) and sequence.same_topology
    for k, frame in enumerate(sequence):
        np.testing.assert_allclose(frame.scan.vertices, SHAPES[k], atol=1e-3)
        np.testing.assert_array_equal(frame.scan.faces, faces)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(
            st.sampled_from(["vertices", "frames", "timestamp", "timestamps", "faces", "fps", "x"]), inner
        )
    ),
    max_leaves=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON, st.booleans())
def test_any_json_is_frames_or_one_line(tmp_path_factory, value: object, inside: bool) -> None:
    file = tmp_path_factory.mktemp("any") / "x.json"
    file.write_text(
        json.dumps({"vertices": [ARKIT[0]["vertices"]], "faces": [0, 1, 2], "timestamps": value})
        if inside
        else json.dumps(value)
    )
    try:
        list(face3d.read_sequence(file, None if inside else 60, base=dome()))
    except Face3DError as error:
        assert "\n" not in str(error) and len(str(error)) < 1500


def test_damaged_frames_of_arkit_are_lost(tmp_path: Path) -> None:
    lines = [json.dumps(f) for f in ARKIT]
    lines[1] = lines[1][:100]
    lines[2] = json.dumps({"timestamp": ARKIT[2]["timestamp"]})
    lines[3] = json.dumps({**ARKIT[3], "vertices": ARKIT[3]["vertices"][:50]})
    (tmp_path / "take.jsonl").write_text("\n".join(lines))
    frames = list(face3d.read_sequence(tmp_path / "take.jsonl", 60, base=dome()))
    assert [f.number for f in frames if f.lost] == [1, 2, 3]
    assert "50 vertices" in frames[3].reason
    (tmp_path / "take.json").write_text(json.dumps(ARKIT)[:-500])
    with pytest.raises(ScanError, match="jsonl"):
        face3d.read_sequence(tmp_path / "take.json", 60, base=dome())
