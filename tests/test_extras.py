"""Optional packages: the messages name the extra that pyproject.toml really has."""

import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from face3d import extras
from face3d.errors import MissingExtraError
from face3d.landmarking.placing import placed
from face3d.measuring.analysis import Analysis

#: import name -> distribution name, where they differ
DISTRIBUTION = {
    "sklearn": "scikit-learn",
    "torch_geometric": "torch-geometric",
    "cv2": "opencv-contrib-python",
    "dask_jobqueue": "dask-jobqueue",
    "trame_pyvista": "trame-pyvista",
    "python_multipart": "python-multipart",
}


def test_extras_are_those_of_pyproject() -> None:
    declared = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    for extra, (_, modules) in extras.EXTRAS.items():
        names = {re.split(r"[<>=\[]", line)[0] for line in declared["optional-dependencies"][extra]}
        assert names == {DISTRIBUTION.get(module, module) for module in modules}


def test_a_package_that_is_not_there_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extras.EXTRAS, "detect", ("finding landmarks", ("no_such_package",)))  # type: ignore[arg-type]
    with pytest.raises(MissingExtraError, match=r"no_such_package.*pip install .*\[detect\]") as caught:
        extras.require("no_such_package")
    assert isinstance(caught.value, ImportError)


def test_a_package_that_is_there_is_returned() -> None:
    assert extras.require("json").__name__ == "json"


def test_given_landmarks_are_enough_without_mediapipe(dome: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)  # an import of it then raises ModuleNotFoundError
    skin = dome.scan.vertices
    marks = {k: skin[np.linalg.norm((skin - p)[:, :2], axis=1).argmin()] for k, p in dome.landmarks.items()}
    at = placed(dome.scan.replace(landmarks=marks))
    assert set(at.found.landmarks) == set(dome.scan.landmarks) and set(at.found.confidence.values()) == {1.0}
    assert not np.isfinite(at.found.dense).any() and "MediaPipe is not installed" in at.found.notes[0]
    with pytest.raises(MissingExtraError, match=r"mediapipe.*\[detect\]"):
        placed(dome.scan.replace(landmarks={}))
