"""A recording that is still being written is drawn as it moves, and never falls behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import face3d
from face3d import cli
from face3d.errors import ScanError
from face3d.io.prefetch import newest
from face3d.scan import FaceScan
from face3d.simulate import HeadModel, draw_healthy, scan_face
from face3d.simulate.patients import expression_intensities
from face3d.viewing.live import Live

FRAMES = 6


@pytest.fixture(scope="module")
def smiling() -> list[FaceScan]:
    """A face at rest that comes to smile, scan by scan."""
    rng = np.random.default_rng(3)
    person = draw_healthy(rng, HeadModel.load("a", "fine"))
    rest, smile = (np.array(expression_intensities(person, e)) for e in ("rest", "open_smile"))
    scans = []
    for k in range(FRAMES):
        left, right = rest + (smile - rest) * k / (FRAMES - 1)
        shape = person.model.shape(person.identity, person.asymmetry, left, right)
        scans.append(scan_face(person.model, shape, rng, points=6000).scan)
    return scans


def test_what_is_recorded_is_drawn_while_it_is(smiling: list[FaceScan], tmp_path: Path) -> None:
    face3d.write_scan(tmp_path / "0000.ply", smiling[0])
    live = Live(face3d.read_sequence(tmp_path, fps=10, follow=True, idle_s=300), smiling[0], off_screen=True)
    frames = iter(live)
    pictures, moved = [], []
    for k, scan in enumerate(smiling):
        if k:
            face3d.write_scan(tmp_path / f"{k:04d}.ply", scan)
        frame = next(frames)
        assert frame.number == k and not frame.lost
        pictures.append(live.window.plotter.screenshot(return_img=True).astype(float))
        moved.append(float(np.nanmax(live.window.meshes[1]["shown"])))
    (tmp_path / "sequence.stop").touch()
    assert next(frames, None) is None
    assert moved[0] < 2.0 < 5.0 < moved[-1]  # a smile moves the mouth's corners by about a centimetre
    half = pictures[0].shape[1] // 2
    changed = np.abs(pictures[-1] - pictures[0]).max(axis=2) > 20
    assert changed[:, half:].sum() > 20 * max(changed[80:, :half].sum(), 10)  # rest stands still beside it


def test_a_lost_frame_says_so_and_the_next_is_drawn(smiling: list[FaceScan], tmp_path: Path) -> None:
    face3d.write_scan(tmp_path / "0000.ply", smiling[0])
    (tmp_path / "0001.ply").write_bytes(b"ply\nno mesh")
    face3d.write_scan(tmp_path / "0002.ply", smiling[-1])
    (tmp_path / "sequence.stop").touch()
    live = Live(face3d.read_sequence(tmp_path, fps=10, follow=True, idle_s=300), smiling[0], off_screen=True)
    assert not list(live)[-1].lost


def test_what_was_overtaken_is_left_out() -> None:
    def make() -> Iterator[int]:
        for k in range(100):
            yield k
            time.sleep(0.002)

    seen = []
    for k in newest(make):
        seen.append(k)
        time.sleep(0.02)
    assert seen == sorted(seen) and len(seen) < 50 and seen[-1] == 99


def test_its_error_comes_after_what_was_before_it_and_a_taker_may_leave() -> None:
    left = threading.Event()

    def make() -> Iterator[int]:
        try:
            yield 1
            time.sleep(0.05)
            raise ScanError("broken")
        finally:
            left.set()

    taken = newest(make)
    assert next(taken) == 1
    with pytest.raises(ScanError, match="broken"):
        next(taken)
    assert left.wait(1.0)

    def endless() -> Iterator[int]:
        left.clear()
        try:
            while True:
                yield 0
                time.sleep(0.005)
        finally:
            left.set()

    taken = newest(endless)
    next(taken)
    taken.close()  # type: ignore[attr-defined]
    assert left.wait(1.0)


def test_the_command_draws_the_last_frame(smiling: list[FaceScan], tmp_path: Path, capsys) -> None:
    for k in (0, FRAMES - 1):
        face3d.write_scan(tmp_path / f"{k:04d}.ply", smiling[k])
    face3d.write_scan(tmp_path / "rest.ply", smiling[0])
    frames = tmp_path / "frames"
    frames.mkdir()
    face3d.write_scan(frames / "0000.ply", smiling[-1])
    (frames / "sequence.stop").touch()
    said = ["--follow", "--fps", "10", "--rest", str(tmp_path / "rest.ply"), "--picture", str(tmp_path / "a.png")]
    assert cli.run(["view", str(frames), *said]) == 0
    assert "frames drawn: 1" in capsys.readouterr().out and (tmp_path / "a.png").stat().st_size > 10_000
