"""Does it help to let measures, rules and clinical variables correct the networks? Measured on subjects held out twice.

    python tools/late_fusion.py --examples FOLDER --start WEIGHTS --out FOLDER

Networks are fine-tuned from `--start` on two thirds of the subjects and asked about the others; what corrects them is
learned on four fifths of these answers and tested on the rest. `--start` must not have seen the subjects. Days since
onset are left out: a simulated healthy person has none, which gives the answer away.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from face3d.learn.dataset import ExampleSet
from face3d.learn.evaluation import difference, evaluate
from face3d.learn.example_files import read_example
from face3d.learn.fusion import GROUPS, Fusion
from face3d.learn.predictions import Predictions, by_model, truth_of
from face3d.learn.splits import folds
from face3d.learn.training import TrainConfig, train

PARTS, OUTER = 3, 5
CHOICES = {
    "networks, cut points learned anew": (),
    "+ clinical": ("networks", "clinical"),
    "+ rules": ("networks", "rules"),
    "+ measures": ("networks", "measures"),
    "+ rules, measures, clinical": (*GROUPS,),
}


def together(parts: list[Predictions], rows: list[np.ndarray]) -> Predictions:
    """Parts in the order of their exams."""
    back = np.argsort(np.concatenate(rows))
    names = Predictions.__dataclass_fields__
    return Predictions(**{n: np.concatenate([getattr(p, n) for p in parts])[back] for n in names})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--examples", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--rate", type=float, default=5e-4)
    a = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(a.examples.glob("*.npz"))
    examples = [read_example(f) for f in files]
    truth = truth_of(examples)
    part = folds(truth.subject.tolist(), truth.grade.tolist(), PARTS)
    said, rows = [], []
    for k in range(PARTS):
        config = TrainConfig(
            data=(str(a.examples),), epochs=a.epochs, patience=a.epochs, batch=8, rate=a.rate, start_from=str(a.start)
        )
        learn = ExampleSet([f for f, p in zip(files, part, strict=True) if p != k], points=False)
        weights = train(config, learn, a.out / f"part_{k}")
        rows.append(np.flatnonzero(part == k))
        said.append(by_model(str(weights), [examples[i] for i in rows[-1]]))
    networks = together(said, rows)
    outer = folds(truth.subject.tolist(), truth.grade.tolist(), OUTER, seed=1)
    found = {"networks": networks}
    for name, groups in CHOICES.items():
        parts, order = [], []
        for f in range(OUTER):
            learn, test = np.flatnonzero(outer != f), np.flatnonzero(outer == f)
            fusion = Fusion.learned(networks.rows(learn), truth.rows(learn), [examples[i] for i in learn], groups)
            parts.append(fusion(networks.rows(test), [examples[i] for i in test]))
            order.append(test)
        found[name] = together(parts, order)
    print(f"{len(examples)} subjects; 95 % intervals; the last column is paired against cut points learned anew")
    columns = ("exact", "kappa", "mae", "severity_sd", "ece")
    print(f"{'':<36}" + "".join(f"{c:>24}" for c in columns) + f"{'MAE gained':>24}")
    plain = found[next(iter(CHOICES))]
    for name, p in found.items():
        e = evaluate(p, truth, names=columns).figures
        d = difference("mae", p, plain, truth, np.random.default_rng(0))
        shown = [*(e[c] for c in columns), d]
        print(f"{name:<36}" + "".join(f"{f'{v.value:.3f} [{v.low:.3f}, {v.high:.3f}]':>24}" for v in shown))


if __name__ == "__main__":
    main()
