"""Notebooks are tests: each runs from top to bottom, and is stored as it ran."""

import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from run_notebooks import FOLDER, run

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
#: The quickest one runs always; the others take a minute or two each.
QUICK = {"train"}
#: Bytes of a saved notebook with its pictures: a repository keeps every version of them.
LARGEST = 500_000


def _pictures(notebook: nbformat.NotebookNode) -> int:
    return sum("image/png" in o.get("data", {}) for cell in notebook.cells for o in cell.get("outputs", []))


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 8 and {path.stem for path in NOTEBOOKS} > QUICK


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_stored_with_its_output(path: Path) -> None:
    stored = nbformat.read(path, as_version=4)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code), "run tools/run_notebooks.py"
    outputs = [o for cell in code for o in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert _pictures(stored)
    assert path.stat().st_size < LARGEST
    first = stored.cells[0].source
    assert first.startswith("# ") and "research use only" in first.lower()
    text = path.read_text("utf-8")
    assert "/tmp/" not in text and "/home/" not in text and "/root/" not in text


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[] if p.stem in QUICK else pytest.mark.slow) for p in NOTEBOOKS],
    ids=[p.name for p in NOTEBOOKS],
)
def test_it_runs_and_says_the_same(path: Path) -> None:
    stored, fresh = nbformat.read(path, as_version=4), run(path)
    assert _pictures(fresh) == _pictures(stored)
    kinds = [[[o.output_type for o in cell.get("outputs", [])] for cell in n.cells] for n in (stored, fresh)]
    assert kinds[0] == kinds[1]
