"""What the base dependencies alone must do; `tools/light_install.sh` runs this in an environment that has no others."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import numpy as np

import face3d
from face3d import cli
from face3d.errors import MissingExtraError
from face3d.exam import EXPRESSIONS
from face3d.extras import EXTRAS


def grid() -> face3d.FaceScan:
    """A domed sheet of 160 x 200 mm: a surface, no face."""
    x, y = np.meshgrid(np.linspace(-80, 80, 20), np.linspace(-100, 100, 24))
    k = np.arange(20 * 24).reshape(24, 20)
    a, b, c, d = (part.ravel() for part in (k[:-1, :-1], k[:-1, 1:], k[1:, 1:], k[1:, :-1]))
    points = np.column_stack([x.ravel(), y.ravel(), -(x.ravel() ** 2) / 200])
    return face3d.FaceScan(points, np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])]))


def main() -> None:
    heavy = {module for _, modules in EXTRAS.values() for module in modules}
    there = sorted(module for module in heavy if importlib.util.find_spec(module))
    assert not there, f"not a light install: {there}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scan = grid()
        for k, expression in enumerate(EXPRESSIONS):  # no two alike: one scan under two names is a fault
            there = scan.vertices + [0.0, 0.0, float(k)] * (scan.vertices[:, :1] > 0)
            face3d.write_scan(folder / f"{expression}.ply", scan.replace(vertices=there))
        again = face3d.read_scan(folder / "rest.ply")  # the first, shifted by nothing
        assert np.array_equal(again.vertices, scan.vertices) and np.array_equal(again.faces, scan.faces)
        assert set(face3d.read_exam(folder).expressions) == set(EXPRESSIONS)
        assert cli.run(["info", str(folder / "rest.ply")]) == 0
        assert cli.run(["validate", str(folder)]) == 0
        assert cli.run(["analyze", str(folder / "rest.ply")]) == 2  # one line that names the extra
        try:
            face3d.analyze(again)
        except MissingExtraError as error:
            assert "[measure]" in str(error) or "[detect]" in str(error), error
        else:
            raise AssertionError("analyze needs open3d and MediaPipe, and did not say so")
    print("light install: reads, checks and writes")


if __name__ == "__main__":
    main()
