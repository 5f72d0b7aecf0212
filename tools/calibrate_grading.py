"""Learns how networks and rules are heard together, and when to believe the grade: data/grading.json, grading.npz.

    python tools/calibrate_grading.py --examples FOLDER

FOLDER holds the examples that the grader was trained on. Each of its members had never seen one kind of people (the
card says which), and speaks here of those alone. How much the rules count and where grades begin is learned on all of
these; how sure that is (temperature, likely grades, when to be called unsure) on what each kind gets by what was
learned on the other kinds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from face3d.grading.calibration import Calibration
from face3d.grading.doubts import Usual
from face3d.grading.example import Example
from face3d.grading.grades import said_of
from face3d.grading.grid import grid_of
from face3d.grading.heads import CUTS, Outputs
from face3d.grading.networks import batch_of
from face3d.grading.pool import Pool
from face3d.grading.weights import load_grader, read_card
from face3d.learn.example_files import read_examples
from face3d.template.template import FaceTemplate

DATA = Path(__file__).parents[1] / "src/face3d/data"
AT_ONCE = 32


def held_out(examples: Sequence[Example]) -> tuple[list[Example], Outputs]:
    """Exams of kinds that a member of the grader had never seen, and what that member says of them."""
    known: list[Example] = []
    said: list[Outputs] = []
    for network, unseen in zip(load_grader(), read_card()["never_saw"], strict=True):
        own = [e for e in examples if e.facts["kind"] in unseen]
        with torch.inference_mode():
            said += [network(batch_of(own[k : k + AT_ONCE], points=False)) for k in range(0, len(own), AT_ONCE)]
        known += own
    return known, Outputs(*(torch.cat(parts) for parts in zip(*said, strict=True)))


def learned(examples: Sequence[Example]) -> tuple[Pool, Calibration]:
    """From exams of kinds that networks had not seen. For calibration each kind is spoken of by weights and cut points
    that were learned on the others."""
    known, outputs = held_out(examples)
    said, sides = said_of(known, outputs)
    kind = np.array([e.facts["kind"] for e in known])
    grades = np.array([e.labels.house_brackmann or 1 for e in known])
    severity = np.array([e.labels.severity for e in known])
    function = np.array([e.labels.region_function for e in known], np.float64)
    # What is called ill must be the side that is, or its function is another side's.
    function[[k for k, e in enumerate(known) if sides[k] not in (e.labels.side, "none")]] = np.nan
    count = np.array([1.0 / (kind == of).sum() for of in kind]) * len(set(kind))
    count *= len(kind) / count.sum()

    def pool(of: np.ndarray) -> Pool:
        return Pool.learned(said.rows(of), grades[of].tolist(), severity[of], function[of], CUTS, count[of])

    p, s, f = np.zeros((len(kind), 6)), np.zeros(len(kind)), np.zeros(function.shape)
    for one in sorted(set(kind)):
        own, heard = kind == one, pool(kind != one)
        p[own], s[own], f[own] = (
            part(said.rows(own)) for part in (heard.probabilities, heard.severity, heard.functions)
        )
    calibration = Calibration.learned(p, grades.tolist(), s - severity)
    ways = {
        "networks": (1 + (said.severity[:, None] >= CUTS).sum(1), said.function),
        "rules": (1 + (said.rules[:, None] >= CUTS).sum(1), said.rules_function),
        "together": (p.argmax(1) + 1, f),
    }
    for which in ("all", *sorted(set(kind))):
        here = np.isin(kind, [which] if which != "all" else kind)
        for way, (grade, regions) in ways.items():
            off = np.abs(grade - grades)[here]
            missed = np.nanmean(np.abs(regions - function)[here], axis=0).round(3).tolist()
            print(f"{which:<12}{way:<10}{here.sum():>4} exact {np.mean(off == 0):.2f} MAE {off.mean():.2f} {missed}")
    return pool(np.ones(len(kind), bool)), calibration


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--examples", type=Path, required=True)
    a = parser.parse_args()
    torch.set_num_threads(1)
    examples = list(read_examples(a.examples))
    pool, calibration = learned(examples)
    usual = Usual.of(examples, grid_of(FaceTemplate.load()))
    note = {
        "note": f"learned on {len(examples)} exams of kinds that networks had not seen by tools/calibrate_grading.py",
        "calibration": asdict(calibration),
        "pool": {k: np.asarray(v).round(5).tolist() for k, v in vars(pool).items()},
        "usual": {"low": dict(usual.low), "high": dict(usual.high), "far": usual.far},
    }
    (DATA / "grading.json").write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    arrays: dict[str, Any] = {k: np.asarray(getattr(usual, k), np.float32) for k in ("mean", "axes", "scale", "cloud")}
    np.savez_compressed(DATA / "grading.npz", **arrays)
    print(pool, calibration, sep="\n")


if __name__ == "__main__":
    main()
