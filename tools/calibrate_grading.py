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

from face3d.learn.calibration import Calibration, expected_error
from face3d.learn.doubts import Usual
from face3d.learn.evaluation import METRICS
from face3d.learn.examples import Example, read_examples
from face3d.learn.grid import grid_of
from face3d.learn.heads import Outputs
from face3d.learn.networks import batch_of
from face3d.learn.predictions import Predictions, of_outputs, of_rules, truth_of
from face3d.learn.splits import folds
from face3d.learn.weights import load_grader, read_card
from face3d.template import FaceTemplate

FIGURES = ("exact", "within_one", "kappa", "mae", "severity_sd", "ece")
DATA = Path(__file__).parents[1] / "src/face3d/data"


def held_out(examples: Sequence[Example]) -> Predictions:
    """What networks that never saw an exam say of it."""
    networks, card = load_grader(), read_card()
    config = card["config"]
    subjects, grades = [e.subject for e in examples], [e.labels.house_brackmann for e in examples]
    member = np.zeros(len(examples), int)
    if len(networks) > 1:
        assert len(networks) == config["folds"], "the members are not the folds of one split"
        member = folds(subjects, grades, config["folds"], config["seed"])
    said: list[Outputs] = []
    for k, example in zip(member, examples, strict=True):
        with torch.inference_mode():
            said.append(networks[k](batch_of([example], points=False)))
    return of_outputs(Outputs(*(torch.cat(column) for column in zip(*said, strict=True))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--examples", type=Path, required=True)
    a = parser.parse_args()
    torch.set_num_threads(1)
    grid = grid_of(FaceTemplate.load())
    examples = list(read_examples(a.examples))
    said, rules, truth = held_out(examples), of_rules(examples), truth_of(examples)
    calibration = Calibration.learned(said, rules, truth)
    usual = Usual.of(examples, grid)
    note = {
        "note": f"learned on {len(examples)} held-out exams by tools/calibrate_grading.py",
        "calibration": asdict(calibration),
        "usual": {"low": dict(usual.low), "high": dict(usual.high), "far": usual.far},
    }
    (DATA / "grading.json").write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    arrays: dict[str, Any] = {k: np.asarray(getattr(usual, k), np.float32) for k in ("mean", "axes", "scale", "cloud")}
    np.savez_compressed(DATA / "grading.npz", **arrays)
    q, severity = calibration.pooled(said, rules)
    print(f"{len(examples)} exams: {calibration}")
    both = Predictions.of(len(q), probabilities=q, severity=severity)
    for name, one in (("networks", said), ("rules", rules), ("both", both)):
        print(
            name,
            {k: round(METRICS[k][2](one, truth), 3) for k in ("exact", "within_one", "kappa", "mae", "severity_sd")},
        )
    sure = np.array([expected_error(one) for one in q]) <= calibration.unsure
    print(f"MAE of the surer nine tenths {METRICS['mae'][2](both.rows(sure), truth.rows(sure)):.3f}")


if __name__ == "__main__":
    main()
