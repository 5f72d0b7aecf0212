"""Write a frozen benchmark definition, with the checksums of its truth table.

    python tools/freeze_benchmark.py src/face3d/data/face3d-bench-v1.json

Once results have been reported against a definition it is never written again: a change gets a new name.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import face3d
from face3d.simulate.benchmark import table_checksum
from face3d.simulate.definition import Definition

# 140 subjects to train on, 30 to validate, 30 to test; the test's movements are by other authors than the training's.
V1 = Definition(name="face3d-bench-v1", seed=20260101, subjects=200, movement="transfer")


def main(path: str) -> None:
    """Compute and write."""
    sums = {str(n): table_checksum(replace(V1, subjects=n)) for n in (10, V1.subjects)}
    content = {
        "what": "Simulated examinations of facial palsy",
        "regenerate": "face3d simulate --frozen face3d-bench-v1 --out DIR",
        "definition": asdict(V1),
        "truth_table_sha256": sums,
        "face3d": face3d.__version__,
        "numpy": np.__version__,
        "licence": "CC0-1.0",
    }
    Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{path}: {sums[str(V1.subjects)]}")


if __name__ == "__main__":
    main(sys.argv[1])
