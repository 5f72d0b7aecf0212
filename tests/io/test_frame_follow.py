"""A folder that is still being written: every frame, in order, whole, soon after it is on disk."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from made_frames import dome, write_depth

import face3d
from face3d.errors import ScanError, SchemaError
from face3d.io import write_scan
from face3d.io.frame_follow import STOP


def meanwhile(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def bytes_of(folder: Path, k: int) -> bytes:
    write_scan(folder.parent / "one.ply", dome(k))
    return (folder.parent / "one.ply").read_bytes()


def test_frames_come_as_they_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "live"
    folder.mkdir()
    whole = [bytes_of(folder, k) for k in range(8)]
    ready: dict[int, float] = {}

    def capture() -> None:
        for k, data in enumerate(whole):
            with (folder / f"frame_{k:04d}.ply").open("wb") as file:  # in two pieces, as a slow disk writes
                file.write(data[: len(data) // 2])
                file.flush()
                time.sleep(0.06)
                file.write(data[len(data) // 2 :])
            ready[k] = time.monotonic()
        (folder / STOP).touch()

    sequence = face3d.read_sequence(folder, fps=20, follow=True)
    with pytest.raises(TypeError, match="still being written"):
        len(sequence)
    thread = meanwhile(capture)
    late = []
    for k, frame in enumerate(sequence):
        late.append(time.monotonic() - ready.get(k, time.monotonic()))
        assert (frame.number, frame.lost, frame.time_s) == (k, False, k / 20), frame.reason
    thread.join()
    assert len(late) == 8
    assert sorted(late)[4] < 0.15  # on the screen 150 ms after it is on disk; the median, for machines under load
    assert [f.number for f in face3d.read_sequence(folder, fps=20, follow=True)] == list(range(8))


def test_what_never_becomes_whole_is_lost_and_what_never_comes_too(tmp_path: Path) -> None:
    folder = tmp_path / "live"
    folder.mkdir()
    for k in (5, 6, 8, 9):
        (folder / f"frame_{k:04d}.ply").write_bytes(bytes_of(folder, k))
    (folder / "frame_0006.ply").write_bytes(bytes_of(folder, 6)[:-40])
    (folder / STOP).touch()
    frames = list(face3d.read_sequence(folder, fps=20, follow=True))
    assert [(f.number, f.lost) for f in frames] == [(5, False), (6, True), (7, True), (8, False), (9, False)]
    assert "cut short" in frames[1].reason and "later ones came" in frames[2].reason
    assert [f.time_s for f in frames] == [0, 0.05, 0.1, 0.15, 0.2]
    assert [f.number for f in face3d.read_sequence(folder, fps=20, follow=True).read(3)] == [8, 9]


def test_many_missing_frames_are_waited_for_once(tmp_path: Path) -> None:
    write_scan(tmp_path / "frame_0000.ply", dome())
    write_scan(tmp_path / "frame_0040.ply", dome())
    begun = time.monotonic()
    frames = list(face3d.read_sequence(tmp_path, fps=20, follow=True, idle_s=0.5))
    assert [f.number for f in frames if f.lost] == list(range(1, 40)) and len(frames) == 41
    assert time.monotonic() - begun < 10  # 39 times half a second would be 20


def test_a_text_that_stops_between_lines_is_not_taken_for_whole(tmp_path: Path) -> None:
    folder = tmp_path / "live"
    folder.mkdir()
    write_scan(tmp_path / "one.obj", dome())
    lines = (tmp_path / "one.obj").read_text().splitlines(keepends=True)

    def capture() -> None:
        with (folder / "0001.obj").open("w") as file:
            file.writelines(lines[:-50])
            file.flush()
            time.sleep(0.04)
            file.writelines(lines[-50:])
        (folder / STOP).touch()

    thread = meanwhile(capture)
    (frame,) = face3d.read_sequence(folder, fps=20, follow=True)
    thread.join()
    assert len(frame.scan.faces) == len(dome().faces)


def test_it_ends_when_nothing_comes(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert list(face3d.read_sequence(tmp_path, fps=20, follow=True, idle_s=0.3)) == []
    assert 0.3 <= time.monotonic() - begun < 5


def test_who_stops_looking_stops_the_reading(tmp_path: Path) -> None:
    write_scan(tmp_path / "0.ply", dome())
    frames = iter(face3d.read_sequence(tmp_path, fps=20, follow=True, idle_s=60))
    assert next(frames).number == 0
    frames.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 5
    while any(t.name == "face3d frames" for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_depth_pictures_are_followed_too(tmp_path: Path) -> None:
    folder = write_depth(tmp_path / "take", 4)
    (folder / "depth" / STOP).touch()
    frames = list(face3d.read_sequence(folder, fps=30, follow=True))
    assert [f.number for f in frames] == [0, 1, 2, 3] and not any(f.lost for f in frames)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="fps=60"):
        face3d.read_sequence(tmp_path, follow=True)
    with pytest.raises(SchemaError, match="idle_s"):
        face3d.read_sequence(tmp_path, fps=60, follow=True, idle_s=0)
    with pytest.raises(ScanError, match="no such folder"):
        face3d.read_sequence(tmp_path / "not*", fps=60, follow=True)
    with pytest.raises(SchemaError, match="folder"):
        face3d.read_sequence(tmp_path / "x.pc2", fps=60, follow=True)
