"""Tracking that is stopped goes on, and ends with the same bytes; what is stored is what was tracked."""

import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from stored_stub import FRAMES, RUN, Stub

from face3d.errors import ScanError
from face3d.sequence.stored import PART, stored_tracking
from face3d.sequence.tracked_files import STEP_MM, read_tracked


class Stopped(Exception):
    pass


def run(folder: Path, stop: int | None = None, of: dict = RUN) -> tuple[Stub, bytes]:
    def step(done: int) -> None:
        if done == stop:
            raise Stopped

    stub = Stub()
    stored_tracking(folder, stub, of, step).write(folder / "whole")
    return stub, (folder / "whole").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return run(tmp_path_factory.mktemp("whole") / "parts")[1]


def test_what_is_stored_is_what_was_tracked(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "tracked.npz").write_bytes(whole)
    back, frames = read_tracked(tmp_path / "tracked.npz"), list(Stub().after(None))
    assert len(back) == FRAMES
    assert back.name == "stub"
    assert back.notes == ("a stub", "said while tracking")
    for k, frame in enumerate(frames):
        assert back.lost[k] == frame.lost
        assert np.array_equal(back.valid[k], frame.valid)
        if not frame.lost:
            assert np.abs(back.vertices_mm[k] - frame.vertices_mm).max() < STEP_MM
    assert back.reasons[5] == "no surface was recorded"
    assert back.drift_mm[130] == pytest.approx(0.26)  # came in with frame 160
    assert back.drift_mm[FRAMES - 5] == 0.25  # was still being fitted at the end
    assert np.isfinite(back.drift_mm).sum() == 5


def test_a_run_stopped_anywhere_goes_on_and_ends_with_the_same_bytes(whole: bytes, tmp_path: Path) -> None:
    for stop in (1, PART, PART + 30, 300, FRAMES):
        with pytest.raises(Stopped):
            run(tmp_path / "parts", stop)
    stub, again = run(tmp_path / "parts")
    assert again == whole
    assert stub.made < FRAMES / 2  # the first parts were there
    stub, again = run(tmp_path / "parts")
    assert again == whole
    assert stub.made == 0  # all was there


def test_parts_of_another_run_are_of_no_use(whole: bytes, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(tmp_path / "parts", 300, {"frames": "others"})
    stub, again = run(tmp_path / "parts")
    assert again == whole
    assert stub.made == FRAMES


def test_memory_grows_by_points_alone_not_by_vertices(tmp_path: Path) -> None:
    def peak(frames: int) -> int:
        tracemalloc.start()
        stored = stored_tracking(tmp_path / f"{frames}", Stub(frames=frames), RUN)
        stored.write(tmp_path / f"{frames}.npz")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(stored.lost) == frames
        return most

    peak(PART + 1)  # what is made once
    few, many = 2 * PART, 5 * PART
    a_frame = (peak(many) - peak(few)) / (many - few)
    assert a_frame < 12_000  # bytes: a frame's vertices are 50,000, its steps 25,000


def test_single_frames_are_read_back(tmp_path: Path) -> None:
    stored, frames = stored_tracking(tmp_path / "parts", Stub(), RUN), list(Stub().after(None))
    asked = [PART - 2, PART + 1, 5, PART, FRAMES - 1]
    vertices, valid = stored.some(asked)
    for k, at, seen in zip(asked, vertices, valid, strict=True):
        assert frames[k].lost == np.isnan(at).any()
        assert np.array_equal(seen, frames[k].valid)
        if not frames[k].lost:
            assert np.abs(at - frames[k].vertices_mm).max() < STEP_MM


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(whole: bytes, tmp_path: Path) -> None:
    script = Path(__file__).with_name("stored_stub.py")
    rng, kills = np.random.default_rng(1), 0
    while not (tmp_path / "tracked.npz").exists():
        job = subprocess.Popen([sys.executable, str(script), str(tmp_path)])
        began = time.monotonic()
        limit = rng.uniform(0.5, 4.0) if kills < 6 else 600.0
        while job.poll() is None and time.monotonic() - began < limit:
            time.sleep(0.01)
        if job.poll() is None:
            job.kill()
            kills += 1
        job.wait()
    assert kills
    assert (tmp_path / "tracked.npz").read_bytes() == whole


def test_what_is_no_tracked_recording_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tracked.npz"
    file.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ScanError, match=r"tracked\.npz: cannot be read"):
        read_tracked(file)
    np.savez(file, vertices=np.zeros((2, 3)))
    with pytest.raises(ScanError, match=r"tracked\.npz: is no tracked recording: it lacks "):
        read_tracked(file)
