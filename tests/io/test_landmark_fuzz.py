"""Damaged landmark files: whatever the damage, there come points out of it or a `LandmarkError`, in little time."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_fuzz import mutated

from face3d.errors import LandmarkError
from face3d.io import read_landmarks, write_landmarks
from face3d.landmarks import NAMES


def seeds(folder: Path) -> dict[str, bytes]:
    """A small valid file of every format and of the main dialects, by its ending."""
    rng = np.random.default_rng(0)
    marks = {name: rng.normal(size=3).round(3) * 50 for name in [*NAMES[:6], "en_left", "en_right", "mole"]}
    kinds = (".mrk.json", ".json", ".fcsv", ".pp", ".pts", ".tps", ".ljson", ".csv")
    out = {kind: write_landmarks(folder / f"seed{kind}", marks).read_bytes() for kind in kinds}
    rows = [(name, *(f"{v:.2f}" for v in point)) for name, point in marks.items()]
    out["_de.csv"] = "\n".join(["name;x (cm);y (cm);z (cm)", *(";".join(r).replace(".", ",") for r in rows)]).encode()
    out["_r.txt"] = "\n".join(['"X" "Y" "Z"', *(" ".join(r) for r in rows), "sn NA NA NA"]).encode("utf-16")
    out["_braces.pts"] = ("version: 1\nn_points: 9\n{\n" + "\n".join(map(" ".join, rows)) + "\n}\n").encode()
    out["_cr.fcsv"] = out[".fcsv"].replace(b",,\n", b",,\r,2,0\n")
    out["_lists.json"] = out[".json"].replace(
        b'"markups": [',
        b'"markups": [{"type": "Curve"}, {"coordinateUnits": ["m", "UCUM"], "coordinateSystem": "RAS"},',
    )
    np.save(folder / "seed.npy", rng.normal(size=(9, 3)))
    out[".npy"] = (folder / "seed.npy").read_bytes()
    return out


def check_damaged(folder: Path, each: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    refused = []
    for kind, data in seeds(folder).items():
        names = [f"n{i}" for i in range(8)] + ["prn"] if kind in (".tps", ".npy") else None
        path = folder / f"a{kind}"
        path.write_bytes(data)
        assert len(read_landmarks(path, names)) == 9
        for i in range(each):
            path.write_bytes(damaged := mutated(data, rng))
            start = time.process_time()
            try:
                found = read_landmarks(path, names)
                assert found and all(p.shape == (3,) and np.isfinite(p).all() for p in found.values()), damaged
                "".join(found).encode()
                refused.append(False)
            except LandmarkError as error:
                assert str(error).startswith(str(path)) and len(str(error)) < 1000 and "\n" not in str(error), error
                refused.append(True)
            assert time.process_time() - start < 1.0, (kind, i)
    assert 0.2 < np.mean(refused) < 0.95


def test_damaged_files(tmp_path):
    check_damaged(tmp_path, each=60, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_damaged_files_wide(tmp_path, seed):
    check_damaged(tmp_path, each=1500, seed=seed)


_CHILD = """
import resource, sys
import numpy, scipy.spatial, face3d.io
from face3d.errors import LandmarkError
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for path in sys.argv[1:]:
    try:
        face3d.io.read_landmarks(path)
    except LandmarkError as error:
        print("refused", len(str(error)) < 1000)
"""


def test_files_made_to_take_all_memory(tmp_path):
    """As large as is read, and full of what takes most room once it is parsed: told apart within 1 GB."""
    mega = 1 << 20
    cases = {
        "list.json": b"[" + b"[]," * (8 * mega // 3 - 2) + b"1]",
        "markups.json": b'{"markups":[' + b"{}," * (8 * mega // 3 - 20) + b"{}]}",
        "points.json": b'{"markups":[{"controlPoints":[' + b"{}," * (8 * mega // 3 - 20) + b"{}]}]}",
        "deep.pp": b"<a>" * (2 * mega // 7) + b"</a>" * (2 * mega // 7),
        "flat.pp": b"<a>" + b"<point/>" * (2 * mega // 8 - 2) + b"</a>",
        "wide.csv": b"1," * (mega - 1),
        "quotes.csv": b'"' * (2 * mega - 1),
        "lines.csv": b"1\n" * (mega - 1),
        "cells.csv": (b"1," * 199 + b"1\n") * (2 * mega // 400),
        "words.txt": b"a " * (mega - 1),
        "points.pts": b"prn 1 2 3\n" * (2 * mega // 10),
        "large.csv": b" " * (2 * mega + 1),
        "shape.npy": b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 3), }\n"
        + b" " * 99,
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *(str(tmp_path / name) for name in cases)], capture_output=True, text=True
    )
    assert done.stdout.split("\n") == ["refused True"] * len(cases) + [""], done.stderr[-2000:]
