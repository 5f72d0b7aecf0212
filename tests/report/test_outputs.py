"""The four files: complete, in the input's order, whole or not there."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from face3d.errors import OutputError
from face3d.measuring.analysis import Analysis
from face3d.report.outputs import write_outputs
from face3d.report.scan_result import result_of

FILES = {"asymmetry.ply", "result.json", "regions.csv", "report.html"}


def ply_table(path: Path) -> tuple[list[str], np.ndarray]:
    """Property names and values of a binary PLY whose vertex properties are all doubles."""
    data = path.read_bytes()
    head, body = data.split(b"end_header\n", 1)
    names = [line.split()[2] for line in head.decode().splitlines() if line.startswith("property double")]
    count = int(next(line.split()[2] for line in head.decode().splitlines() if line.startswith("element vertex")))
    return names, np.frombuffer(body, "<f8", count * len(names)).reshape(count, len(names))


@pytest.fixture(scope="module")
def folder(dome: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "made" / "anew"
    write_outputs(dome, out)
    return out


def test_all_four_and_nothing_else(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES


def test_the_mesh_has_the_inputs_vertices_in_the_head_frame(dome: Analysis, folder: Path) -> None:
    names, table = ply_table(folder / "asymmetry.ply")
    assert names == [
        "x",
        "y",
        "z",
        "asymmetry_mm",
        "asymmetry_sd_mm",
        "surface_distance_mm",
        "signed_surface_distance_mm",
    ]
    assert np.array_equal(table[:, :3], dome.head.apply(dome.scan.vertices))
    assert np.array_equal(table[:, 5], dome.surface_distance_mm, equal_nan=True)
    assert np.isnan(table[:, 3]).all()  # the dome was not measured through the template


def test_the_table_and_the_result_agree(dome: Analysis, folder: Path) -> None:
    table = pd.read_csv(folder / "regions.csv")
    regions = json.loads((folder / "result.json").read_text("utf-8"))["surface_distance"]["regions"]
    assert len(table) == len(regions)
    assert np.allclose(table["rms"], [np.nan if r["rms"] is None else r["rms"] for r in regions], equal_nan=True)
    assert json.loads(result_of(dome).to_json()) == json.loads((folder / "result.json").read_text("utf-8"))


def test_writing_twice_gives_the_same_bytes(dome: Analysis, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_outputs(dome, folder)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_that_cannot_be_made(dome: Analysis, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"file/out.*--out"):
        write_outputs(dome, tmp_path / "file" / "out")


def test_without_open3d_the_report_says_which_extra_draws(
    dome: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)  # what an import of it then does: ModuleNotFoundError
    write_outputs(dome, tmp_path)
    assert "[measure]" in (tmp_path / "report.html").read_text("utf-8")


def test_a_cloud_too_sparse_to_draw(dome: Analysis, tmp_path: Path) -> None:
    from dataclasses import replace

    few = slice(0, 300)
    sparse = replace(
        dome,
        scan=dome.scan.replace(vertices=dome.scan.vertices[few], faces=np.empty((0, 3), np.int64)),
        surface=type(dome.surface)(
            dome.surface.distance_mm[few], dome.surface.signed_mm[few], dome.surface.reason[few]
        ),
        area_mm2=np.ones(300),
        face_regions=tuple(type(r)(r.name, r.side, r.definition, r.weight[few]) for r in dome.face_regions),
    )
    write_outputs(sparse, tmp_path)
    assert "too sparse" in (tmp_path / "report.html").read_text("utf-8")
