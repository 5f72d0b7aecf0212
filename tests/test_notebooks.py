"""Notebooks are tests: each runs from top to bottom, and is stored as it ran."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_runs_and_is_stored_with_its_output(path: Path) -> None:
    stored = nbformat.read(path, as_version=4)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code), "run it and save it with its output"
    fresh = nbformat.from_dict(stored)
    assert isinstance(fresh, nbformat.NotebookNode)
    NotebookClient(fresh, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}).execute()
    assert any("image/png" in o.get("data", {}) for cell in fresh.cells for o in cell.get("outputs", []))
