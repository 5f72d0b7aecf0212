"""OFF as other programs write it."""

import pytest
from sheet_files import FACES, OFF, check, save

from face3d.errors import ScanError
from face3d.io import read_scan


def test_off_comments_and_small_faces(tmp_path):
    check(save(tmp_path, "a.off", OFF.replace(" 0\n", " 0 # counts\n", 1)))
    check(save(tmp_path, "a.off", OFF.replace("OFF\n", "OFF # made by hand\n# more\n").replace("\n3 ", " # row\n3 ")))
    text = OFF.replace(f"63 {len(FACES)} 0", f"63 {len(FACES) + 2} 0") + "2 0 1\n1 4\n"
    check(save(tmp_path, "a.off", text), "2 faces of 1 or 2 corners")
    with pytest.raises(ScanError, match="lines follow"):
        read_scan(save(tmp_path, "a.off", OFF.replace(f"63 {len(FACES)} 0", f"63 {len(FACES) + 1} 0")))
