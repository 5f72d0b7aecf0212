"""Tables that people write: parted as their spreadsheet does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from face3d.batch.discover import discover
from face3d.io.hand_table import read_rows


@pytest.mark.parametrize("parted", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_columns_are_parted_as_the_first_line_says(tmp_path: Path, parted: str, mark: bytes) -> None:
    file = tmp_path / "STUDY.CSV"
    lines = [["path", "subject", "arm"], ["a.ply", "001", '"one, two; three"'], ["b.ply", "002"]]
    file.write_bytes(mark + "\r\n".join(parted.join(line) for line in lines).encode())
    for name in ("a.ply", "b.ply"):
        (tmp_path / name).touch()
    assert read_rows(file) == [
        {"path": "a.ply", "subject": "001", "arm": "one, two; three"},
        {"path": "b.ply", "subject": "002", "arm": ""},
    ]
    found = discover(str(file)).items
    assert [(i.name, i.fact("subject"), dict(i.groups)["arm"]) for i in found] == [
        ("a.ply", "001", "one, two; three"),
        ("b.ply", "002", ""),
    ]


def test_what_is_no_text_is_a_value_error(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"path\n" + b"x" * 200_000 + b"\n")
    with pytest.raises(ValueError, match="field limit"):
        read_rows(tmp_path / "x.csv")
