"""Zip files whose directory lies: said to be damaged, not taken for a disk that failed."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from face3d.app.unpack import Room, unpack
from face3d.errors import ScanError


@pytest.mark.parametrize("shift", [1, 5, 60])
def test_a_directory_that_says_a_file_begins_before_the_archive(tmp_path: Path, shift: int) -> None:
    archive, target = tmp_path / "p1.zip", tmp_path / "laid"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("rest.ply", "ply\n")
    target.mkdir()
    unpack(archive, target, Room())
    assert (target / "rest.ply").read_text() == "ply\n"
    data = bytearray(archive.read_bytes())
    at = len(data) - 22 + 16  # where the end of a zip file tells its directory's place
    struct.pack_into("<I", data, at, struct.unpack_from("<I", data, at)[0] + shift)
    archive.write_bytes(data)
    (target / "rest.ply").unlink()
    with pytest.raises(ScanError, match=r"p1\.zip: a damaged zip file|p1\.zip: not a zip file"):
        unpack(archive, target, Room())
