"""Learns when to believe the shipped grader: data/grading.json and data/grading.npz.

    python tools/calibrate_grading.py --examples FOLDER

FOLDER holds the examples that the grader was trained on. Where its members are the folds of one split, each exam is
graded by the member that held it out; a member that saw an exam never speaks of it here.
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

from face3d.grading.calibration import Calibration, expected_error, tempered
from face3d.grading.doubts import Usual
from face3d.grading.example import Example
from face3d.grading.grid import grid_of
from face3d.grading.networks import batch_of
from face3d.grading.weights import load_grader, read_card
from face3d.learn.example_files import read_examples
from face3d.learn.splits import folds
from face3d.template.template import FaceTemplate

DATA = Path(__file__).parents[1] / "src/face3d/data"


def held_out(examples: Sequence[Example]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, 6) and severity (n,) of each exam, said by networks that never saw it."""
    networks, card = load_grader(), read_card()
    config = card["config"]
    subjects, grades = [e.subject for e in examples], [e.labels.house_brackmann for e in examples]
    member = np.zeros(len(examples), int)
    if len(networks) > 1:
        assert len(networks) == config["folds"], "the members are not the folds of one split"
        member = folds(subjects, grades, config["folds"], config["seed"])
    p, severity = np.zeros((len(examples), 6)), np.zeros(len(examples))
    for k, network in enumerate(networks):
        for i in np.flatnonzero(member == k).tolist():
            with torch.inference_mode():
                said = network(batch_of([examples[i]], points=False))
            p[i], severity[i] = said.grade_probabilities[0].numpy(), float(said.severity[0])
    return p, severity


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--examples", type=Path, required=True)
    a = parser.parse_args()
    torch.set_num_threads(1)
    grid = grid_of(FaceTemplate.load())
    examples = list(read_examples(a.examples))
    p, severity = held_out(examples)
    grades = [e.labels.house_brackmann or 1 for e in examples]
    calibration = Calibration.learned(p, grades, severity - [e.labels.severity for e in examples])
    usual = Usual.of(examples, grid)
    note = {
        "note": f"learned on {len(examples)} held-out exams by tools/calibrate_grading.py",
        "calibration": asdict(calibration),
        "usual": {"low": dict(usual.low), "high": dict(usual.high), "far": usual.far},
    }
    (DATA / "grading.json").write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    arrays: dict[str, Any] = {k: np.asarray(getattr(usual, k), np.float32) for k in ("mean", "axes", "scale", "cloud")}
    np.savez_compressed(DATA / "grading.npz", **arrays)
    q = tempered(p, calibration.temperature)
    wrong = np.abs(q.argmax(axis=1) + 1 - np.array(grades))
    print(f"{len(examples)} exams: {calibration}")
    print(f"exact {np.mean(wrong == 0):.3f}, within one {np.mean(wrong <= 1):.3f}, MAE {wrong.mean():.3f}")
    sure = np.array([expected_error(one) for one in q]) <= calibration.unsure
    print(f"MAE of the surer nine tenths {wrong[sure].mean():.3f}")


if __name__ == "__main__":
    main()
