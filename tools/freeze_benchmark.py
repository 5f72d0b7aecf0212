"""Write a frozen benchmark definition, with the checksums of its truth table.

    python tools/freeze_benchmark.py face3d-bench-v2
    python tools/freeze_benchmark.py --all

Once results have been reported against a definition it is never written again: a change gets a new name. With --all,
those that are there are only checked: that their people are still the same; those that are not are written. The people
and scans of v1 are those of version 0.1.0, with the rules of the scales that it was frozen with; its truth table was
written anew with 0.3.0, whose shares of movement are others (`measuring/shares.py`).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

import face3d
from face3d.measuring.scale_estimates import rules
from face3d.simulate.benchmark import table_checksum, verify_frozen
from face3d.simulate.definition import Definition

# 140 subjects to train on, 30 to validate, 30 to test; the test's movements are by other authors than the training's.
# v1 has the first people, v2 those of whom healthy sides, branches, lids and synkinesis are as published.
DEFINITIONS = {
    "face3d-bench-v1": Definition("face3d-bench-v1", seed=20260101, subjects=200, movement="transfer", people=1),
    "face3d-bench-v2": Definition("face3d-bench-v2", seed=20261127, subjects=200, movement="transfer"),
}
DATA = Path(face3d.__file__).parent / "data"


def main(name: str) -> None:
    """Compute and write."""
    definition = DEFINITIONS[name]
    sums = {str(n): table_checksum(replace(definition, subjects=n)) for n in (10, definition.subjects)}
    path = DATA / f"{name}.json"
    kept = json.loads(path.read_text(encoding="utf-8")).get("scale_rules") if path.exists() else None
    content = {
        "what": "Simulated examinations of facial palsy",
        "regenerate": f"face3d simulate --frozen {name} --out DIR",
        "definition": json.loads(definition.to_json()),
        "truth_table_sha256": sums,
        "scale_rules": kept or rules(exact=True),
        "face3d": face3d.__version__,
        "numpy": np.__version__,
        "licence": "CC0-1.0",
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{path}: {sums[str(definition.subjects)]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("name", nargs="?", choices=DEFINITIONS)
    parser.add_argument("--all", action="store_true", help="check those that are there, write those that are not")
    args = parser.parse_args()
    if args.all == (args.name is not None):
        parser.error("give a name, or --all")
    for one in DEFINITIONS if args.all else [args.name]:
        if args.all and (DATA / f"{one}.json").exists():
            verify_frozen(one)
            print(f"{one}: people and truth are as they were frozen", flush=True)
        else:
            main(one)
