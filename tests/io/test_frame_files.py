"""Numbered meshes: in order, in one unit, at their times; what is missing or broken is lost with a reason."""

import gc
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_frames import dome, write_frames

import face3d
from face3d.errors import Face3DError, ScanError, SchemaError
from face3d.io import write_scan
from face3d.io.frame_numbers import MOST_MISSING
from face3d.io.prefetch import DEPTH, ahead
from face3d.io.sequence_clock import clock


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".stl", ".glb", ".off", ".npz"])
def test_frames_of_each_format_in_order(tmp_path: Path, suffix: str) -> None:
    sequence = face3d.read_sequence(write_frames(tmp_path / "a", 5, suffix), fps=50)
    frames = list(sequence)
    assert len(sequence) == 5 and sequence.fps == 50 and sequence.same_topology
    np.testing.assert_allclose(sequence.times_s, np.arange(5) / 50)
    for k, frame in enumerate(frames):
        assert (frame.number, frame.time_s, frame.reason) == (k, k / 50, None)
        assert frame.scan is not None
        assert frame.scan.vertices[:, 2].max() == pytest.approx(dome(k).vertices[:, 2].max(), abs=1e-4)
        assert frame.scan.faces is frames[0].scan.faces  # one array: who follows the frames sees that it is the same
    assert [f.number for f in sequence.read(3)] == [3, 4]
    assert [f.number for f in sequence] == [0, 1, 2, 3, 4]  # as often as one iterates


def test_a_missing_number_is_a_lost_frame_and_a_broken_file_too(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "a", 8)
    (folder / "frame_0002.ply").unlink()
    (folder / "frame_0004.ply").write_bytes(b"")
    whole = (folder / "frame_0005.ply").read_bytes()
    (folder / "frame_0005.ply").write_bytes(whole[: len(whole) // 2])
    (folder / "frame_0006.ply").write_text("not a mesh at all")
    (folder / ".hidden_0003.ply").write_text("macOS")
    (folder / "notes.txt").write_text("smile")
    sequence = face3d.read_sequence(folder, fps=60)
    frames = list(sequence)
    assert [f.number for f in frames] == list(range(8))
    assert [f.number for f in frames if f.lost] == [2, 4, 5, 6]
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(8) / 60)
    assert "missing" in frames[2].reason and "empty" in frames[4].reason and "cut short" in frames[5].reason
    assert all("\n" not in f.reason and len(f.reason) < 500 for f in frames if f.lost)
    assert frames[7].scan.vertices[:, 2].max() == pytest.approx(dome(7).vertices[:, 2].max())
    assert any("missing" in note for note in sequence.notes)


def test_a_long_gap_is_a_pause_not_a_flood_of_lost_frames(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "a", 3)
    write_scan(folder / "frame_900000000.ply", dome(9))
    sequence = face3d.read_sequence(folder, fps=10)
    assert [f.number for f in sequence] == [0, 1, 2, 900_000_000]
    assert sequence.times_s[-1] == pytest.approx(9e7) and any("pause" in n for n in sequence.notes)
    assert MOST_MISSING < 1000


def test_every_second_number_is_a_step_and_no_gap(tmp_path: Path) -> None:
    sequence = face3d.read_sequence(write_frames(tmp_path / "a", 4, first=10, step=2), fps=30)
    assert [f.number for f in sequence] == [10, 12, 14, 16] and not any(f.lost for f in sequence)
    np.testing.assert_allclose(sequence.times_s, np.arange(4) / 30)


def test_one_unit_for_all_frames(tmp_path: Path) -> None:
    """A frame of which only a corner was seen would be inferred as centimetres by itself."""
    folder = tmp_path / "a"
    folder.mkdir()
    for k in range(4):
        scan = dome(k)
        if k == 2:
            scan = scan.replace(vertices=scan.vertices * 0.12)
        write_scan(folder / f"{k}.ply", scan)
    sequence = face3d.read_sequence(folder, fps=60)
    sizes = [np.ptp(f.scan.vertices[:, 1]) for f in sequence]
    np.testing.assert_allclose(sizes, [200, 200, 24, 200], atol=1e-3)
    assert "mm" in sequence.notes[0] and "inferred" in sequence.notes[0]
    metres = face3d.read_sequence(folder, fps=60, units="m")
    assert np.ptp(next(iter(metres)).scan.vertices[:, 1]) == pytest.approx(200_000)


def test_frames_with_triangles_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for k, points in enumerate((12, 13, 12, 14)):
        write_scan(folder / f"{k}.ply", dome(k, points))
    sequence = face3d.read_sequence(folder, fps=60)
    assert not sequence.same_topology and not any(f.lost for f in sequence)


def test_another_mesh_in_a_fixed_topology_is_lost(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "a", 6)
    write_scan(folder / "frame_0003.ply", dome(3, 9))
    sequence = face3d.read_sequence(folder, fps=60)
    lost = [f for f in sequence if f.lost]
    assert sequence.same_topology and [f.number for f in lost] == [3]
    assert "81 vertices" in lost[0].reason and "144" in lost[0].reason


def test_points_without_coordinates_are_kept_and_frames_without_any_lost(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "a", 4)
    text = (folder / "frame_0001.ply").with_suffix(".obj")
    write_scan(text, dome(1))
    lines = ["v nan nan nan" if line.startswith("v ") else line for line in text.read_text().splitlines()]
    text.unlink()
    (folder / "frame_0001.ply").write_text("\n".join(lines))  # OBJ by its content
    frames = list(face3d.read_sequence(folder, fps=60))
    assert [f.number for f in frames if f.lost] == [1]


def test_refusals_are_one_line(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "a", 3)
    with pytest.raises(SchemaError, match="fps=60"):
        face3d.read_sequence(folder)
    for wrong in (0, -1, float("nan"), float("inf"), 1e9, "60", True):
        with pytest.raises(SchemaError, match="fps is"):
            face3d.read_sequence(folder, fps=wrong)
    write_frames(folder, 3, ".obj")
    with pytest.raises(ScanError, match=r"2 recordings in one folder: frame_\*.obj \(3\), frame_\*.ply \(3\)"):
        face3d.read_sequence(folder, fps=60)
    assert len(face3d.read_sequence(folder / "frame_*.obj", fps=60)) == 3
    with pytest.raises(ScanError, match="both frame 1"):
        write_scan(folder / "frame_1.ply", dome())
        face3d.read_sequence(folder / "frame_*.ply", fps=60)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScanError, match="numbered"):
        face3d.read_sequence(tmp_path / "empty", fps=60)
    with pytest.raises(ScanError, match="no such"):
        face3d.read_sequence(tmp_path / "not there", fps=60)
    with pytest.raises(ScanError, match="one scan"):
        face3d.read_sequence(folder / "frame_0001.obj", fps=60)
    broken = tmp_path / "broken"
    broken.mkdir()
    for k in range(3):
        (broken / f"{k}.ply").write_text("ply")
    with pytest.raises(ScanError, match="none of its 3 frames"):
        face3d.read_sequence(broken, fps=60)


@pytest.mark.parametrize(
    ("suffix", "way"),
    [(".tsb", "OBJ or PLY"), (".bag", "16-bit PNG"), (".mkv", "azure_kinect_mkv_reader"), (".abc", "PointCache2"),
     (".c3d", "read_markers"), (".avi", "video"), (".mp4", "video"), (".fbx", "OBJ"), (".usdz", "OBJ")],
)  # fmt: off
def test_closed_formats_name_the_export(tmp_path: Path, suffix: str, way: str) -> None:
    file = tmp_path / f"take{suffix}"
    file.write_bytes(b"\0" * 100)
    with pytest.raises(ScanError, match=way) as refused:
        face3d.read_sequence(file, fps=60)
    assert str(file) in str(refused.value) and "\n" not in str(refused.value)


def stamped(tmp_path: Path, text: str, count: int = 20, fps: float | None = None) -> face3d.Sequence:
    folder = write_frames(tmp_path / "a", count)
    (folder / "timestamps.csv").write_text(text)
    return face3d.read_sequence(folder, fps=fps)


def test_time_stamps_beside_the_frames(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.03, 20))
    sequence = stamped(tmp_path, "frame,time_ms\n" + "".join(f"{k},{1000 * t:.4f}\n" for k, t in enumerate(times)))
    np.testing.assert_allclose(sequence.times_s, times - times[0], atol=1e-6)
    assert sequence.fps == pytest.approx(1 / np.median(np.diff(times)), rel=1e-3)
    np.testing.assert_allclose([f.time_s for f in sequence], sequence.times_s)
    given = face3d.read_sequence(tmp_path / "a", fps=25)
    assert given.fps == 25 and any("own times" in note for note in given.notes)  # obeyed, but not silently


@pytest.mark.parametrize("form", ["number and seconds", "seconds", "names"])
def test_forms_of_time_stamps(tmp_path: Path, form: str) -> None:
    left = {"number and seconds": "{k},", "seconds": "", "names": "frame_{k:04d}.ply;"}[form]
    text = "".join(f"{left.format(k=k)}{7.5 + k / 40:.4f}\n" for k in range(20))
    sequence = stamped(tmp_path, text if form != "names" else f"file;timestamp\n{text}")
    np.testing.assert_allclose(sequence.times_s, np.arange(20) / 40, atol=1e-9)
    (tmp_path / "a" / "frame_0004.ply").unlink()
    if form != "seconds":  # a missing frame has its time all the same
        np.testing.assert_allclose(face3d.read_sequence(tmp_path / "a").times_s, np.arange(20) / 40, atol=1e-9)


def test_stamps_that_run_backwards_lose_their_frames_only(tmp_path: Path) -> None:
    times = np.arange(20) / 60
    times[7], times[12], times[15] = 0.01, 500.0, np.nan
    ticks = clock("take", 40, None, np.concatenate([times, 20 / 60 + np.arange(20) / 60]))
    assert sorted(ticks.lost) == [7, 12, 15]
    assert (np.diff(ticks.times_s) > 0).all()
    np.testing.assert_allclose(ticks.times_s, np.arange(40) / 60, atol=1e-9)
    folder = write_frames(tmp_path / "b", 40)
    lost = [f for f in face3d.read_sequence(folder, times_s=np.r_[times, 1 / 3 + np.arange(20) / 60]) if f.lost]
    assert [f.number for f in lost] == [7, 12, 15] and "out of order" in lost[0].reason


def test_a_clock_that_is_wrong_throughout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"run backwards.*fps=60"):
        stamped(tmp_path, "".join(f"{k},{-k}\n" for k in range(20)))
    with pytest.raises(SchemaError, match="3 times for 20 frames"):
        face3d.read_sequence(tmp_path / "a", times_s=[0, 1, 2])
    assert len(face3d.read_sequence(tmp_path / "a", fps=60)) == 20


def test_names_that_are_seconds_are_time_stamps(tmp_path: Path) -> None:
    for k in range(4):
        write_scan(tmp_path / f"1305031102.{160 + 33 * k:03d}407.ply", dome(k))
    sequence = face3d.read_sequence(tmp_path)
    np.testing.assert_allclose(sequence.times_s, 0.033 * np.arange(4), atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=60))
def test_no_times_make_a_clock_run_backwards(times: list[float]) -> None:
    try:
        ticks = clock("take", len(times), None, times)
    except SchemaError as error:
        assert "\n" not in str(error)
        return
    assert np.isfinite(ticks.times_s).all() and (np.diff(ticks.times_s) >= 0).all()
    kept = np.setdiff1d(np.arange(len(times)), list(ticks.lost))
    assert (np.diff(ticks.times_s[kept]) > 0).all()


def test_memory_is_that_of_a_few_frames(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for k in range(60):
        write_scan(folder / f"{k}.ply", dome(k, 60))
    one = dome(0, 60)
    size = one.vertices.nbytes + one.faces.nbytes
    sequence = face3d.read_sequence(folder, fps=60)
    list(sequence.read(55))
    gc.collect()
    tracemalloc.start()
    for _ in sequence:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (DEPTH + 6) * 2.5 * size, (peak, size)  # 60 frames would be 60 sizes


def test_reading_ahead_is_bounded_ordered_and_ends_with_its_reader() -> None:
    made = []

    def make(stopped: threading.Event):
        for k in range(1000):
            made.append(k)
            yield k

    taken = ahead(make)
    assert [next(taken) for _ in range(3)] == [0, 1, 2]
    threading.Event().wait(0.3)
    assert len(made) <= 3 + DEPTH + 1
    taken.close()  # type: ignore[attr-defined]
    threading.Event().wait(0.3)
    assert not any(t.name == "face3d frames" and t.is_alive() for t in threading.enumerate())

    def fails(stopped: threading.Event):
        yield 1
        raise Face3DError("broken off")

    taken = ahead(fails)
    assert next(taken) == 1
    with pytest.raises(Face3DError, match="broken off"):
        next(taken)
