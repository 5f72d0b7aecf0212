"""A file appears whole or not at all, and writing one changes nothing else in the process."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from face3d.errors import ScanError
from face3d.io.write import write_bytes


def test_files_have_the_permissions_of_the_process(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert write_bytes(tmp_path / "a", b"x").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_threads_that_write_at_once_never_touch_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask belongs to the whole process"))
    threads = [threading.Thread(target=write_bytes, args=(tmp_path / "same", bytes([k]) * 1000)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    data = (tmp_path / "same").read_bytes()
    assert len(data) == 1000 and len(set(data)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["same"]


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    assert write_bytes(tmp_path / ("n" * 251 + ".ply"), b"x").is_file()


def test_what_was_there_stays_when_writing_fails(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ScanError, match="cannot be written"):
        write_bytes(tmp_path / "out", b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
