"""Runs the notebooks from top to bottom and saves them with what they print and draw.

    python tools/run_notebooks.py [NAME ...] [--check]

`--check` runs them and saves nothing. What differs from run to run without a meaning (times, ids of processes, what
libraries log) is not stored; so a notebook that says the same is the same file.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
#: Seconds that a cell may take: the whole notebook takes less than two minutes of one core.
LIMIT_S = 900


def run(path: Path) -> nbformat.NotebookNode:
    """The notebook, freshly run. Raises `nbclient.exceptions.CellExecutionError` where a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=LIMIT_S, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    return notebook


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="without .ipynb; all without")
    parser.add_argument("--check", action="store_true", help="save nothing")
    a = parser.parse_args()
    paths = [FOLDER / f"{name}.ipynb" for name in a.names] or sorted(FOLDER.glob("*.ipynb"))
    for path in paths:
        start = time.monotonic()
        notebook = run(path)
        if not a.check:
            nbformat.write(notebook, path)
        print(f"{path.name}: {time.monotonic() - start:.0f} s, {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
