"""`face3d sequence` on markers, which need no tracking, and what it refuses."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "sequence"))
from planted import planted, smile

from face3d.cli import run


@pytest.fixture(scope="module")
def markers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smile whose right side is late, recorded by markers, in a laboratory's coordinates, while the head sways."""
    recorded = planted([smile(late=0.1)], 4.5, 100, noise=0.03)
    sway = 8.0 * np.sin(2 * np.pi * 0.4 * recorded.times_s)[:, None, None] * np.array([1.0, 0.5, 0.2])
    points = (recorded.points + sway)[..., [2, 0, 1]] + [100.0, 900.0, 1200.0]  # z up, x forward
    columns = {"time": recorded.times_s}
    for k, name in enumerate(recorded.names):
        columns |= {f"{name}_{axis}": points[:, k, i] for i, axis in enumerate("xyz")}
    file = tmp_path_factory.mktemp("markers") / "smile.csv"
    pd.DataFrame(columns).to_csv(file, index=False)
    return file


def test_markers_are_measured(markers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sequence", str(markers), "--out", str(tmp_path / "out"), "--expression", "open_smile"]) == 0
    assert "report: " in capsys.readouterr().out
    said = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert said["tracking"] is None
    (movement,) = said["movements"]
    value = {(r["measure"], r["place"], r["side"]): r["value"] for r in movement["readings"]}
    assert value["excursion", "ch", "left"] == pytest.approx(10.0, abs=0.3)
    assert value["excursion", "ch", "right"] == pytest.approx(10.0, abs=0.3)
    assert value["onset_lag", "face", "both"] == pytest.approx(-0.1, abs=0.015)
    assert not (tmp_path / "out" / ".tracking").exists()


def test_what_it_refuses(markers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sequence", str(markers), "--expression", "grin"]) == 2
    assert "--expression grin: not known" in capsys.readouterr().err
    assert run(["sequence", str(tmp_path / "nothing")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
