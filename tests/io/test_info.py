"""Facts of scans with known facts."""

import json
from pathlib import Path

import numpy as np
import pytest

from face3d import cli
from face3d.errors import ScanError
from face3d.io import read_scan
from face3d.io.info import info, read_for_info
from face3d.scan import FaceScan

TRIANGLE = np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0]])


def test_two_triangles_apart_and_a_loose_vertex() -> None:
    vertices = np.vstack([TRIANGLE, TRIANGLE + np.array([100, 0, 7]), [[0, 0, 50]]])
    facts = info(FaceScan(vertices, np.array([[0, 1, 2], [3, 4, 5]]), {"prn": np.array([1.0, 2, 3])}, name="two.ply"))
    assert (facts.vertices, facts.faces, facts.parts, facts.unreferenced) == (7, 2, 2, 1)
    assert facts.extent_mm == (103.0, 4.0, 50.0)
    assert facts.spacing_mm == 4.0
    assert facts.landmarks == ("prn",)
    assert "1 vertices belong to no triangle" in facts.to_text()
    assert json.loads(facts.to_json())["parts"] == 2


def test_a_point_cloud() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(5) * 2.0] * 3), axis=-1).reshape(-1, 3)
    facts = info(FaceScan(grid))
    assert (facts.faces, facts.parts) == (0, 0)
    assert facts.spacing_mm == pytest.approx(2.0)
    assert "a point cloud" in facts.to_text()


def test_one_point_has_no_spacing() -> None:
    facts = info(FaceScan(np.zeros((1, 3)), np.empty((0, 3), np.int64)))
    assert "nan" not in facts.to_text()
    assert json.loads(facts.to_json())["spacing_mm"] is None


TEXTURED = (
    "mtllib {}\nv 0 0 0\nv 150 0 0\nv 150 200 0\nv 0 200 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3 4/4\nf 1 2\n"
)


def textured(folder: Path, library: str = "a.mtl", picture: str = "a.png") -> Path:
    """A square with a texture: its library and its picture are only there under these names."""
    from PIL import Image

    (folder / "a.mtl").write_text(f"newmtl a\nmap_Kd {picture}\n")
    Image.new("RGB", (4, 4)).save(folder / "a.png")
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "a.obj").write_text(TEXTURED.format(library))
    return folder / "a.obj"


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ({"library": "lost.mtl"}, "lost.mtl: there is no such file"),
        ({"picture": "lost.png"}, "lost.png: there is no such file"),
        ({"picture": "broken.png"}, "is no PNG, JPEG"),
        ({"picture": "../a.png"}, "leads out of the scan's folder"),
        ({"library": "C:\\scans\\a.mtl"}, "is no plain file name"),
    ],
)
def test_a_texture_that_is_missing_is_said_and_the_rest_is_shown(tmp_path, capsys, names, why):
    path = textured(tmp_path, **names)
    assert len(read_scan(path).vertices) == 4  # as `analyze` reads it
    with pytest.raises(ScanError, match=r"texture|library|no such file"):
        read_scan(path, texture=True)
    facts = info(read_for_info(path))
    assert (facts.vertices, facts.faces, facts.texture) == (4, 2, False)
    assert [note.startswith("the texture is missing") and why in note for note in facts.notes] == [False, True]
    assert cli.run(["info", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "texture: no" in shown and why in shown and "1 faces of 1 or 2 corners" in shown
    assert cli.run(["info", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == list(facts.notes)


def test_a_texture_that_is_there(tmp_path):
    facts = info(read_for_info(textured(tmp_path)))
    assert facts.texture and len(facts.notes) == 1
    (tmp_path / "a.obj").write_text(TEXTURED.format("a.mtl").replace("2/2", "9/2"))
    with pytest.raises(ScanError, match="refers to vertex 9"):
        read_for_info(tmp_path / "a.obj")


def test_units_by_name_and_by_number(tmp_path, capsys):
    path = textured(tmp_path)
    for options, width in (
        (["--units", "in"], 3810),
        (["--units", "cm"], 1500),
        (["--scale", "0.5"], 75),
        (["--units", "0.5"], 75),
        ([], 150),
    ):
        assert cli.run(["info", str(path), "--json", *options]) == 0
        assert json.loads(capsys.readouterr().out)["extent_mm"][0] == pytest.approx(width)
    for options in (
        ["--scale", "25.4", "--units", "in"],
        ["--scale", "0"],
        ["--scale", "-1"],
        ["--units", "ell"],
        ["--scale", "nan"],
    ):
        assert cli.run(["info", str(path), *options]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
