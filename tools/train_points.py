"""Trains the networks on raw point sets, from raw scans without any fit, and says how they grade new subjects.

    python tools/train_points.py --work FOLDER

FOLDER is that of tools/train_grader.py, with the data of its first step. One command, resumable:

1. The scanned training subjects become raw point sets, and the simulated ones are made to look scanned
   (tools/raw_examples.py).
2. PointNet++ learns from both; a fifth of the scanned subjects, held out, says when to stop and where grades are cut.
3. The others go on from there: all but what encodes a patch of points is the same network.
4. The scanned test subjects, on whom nothing was chosen, are graded by each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch

from face3d.grading.weights import load_grader, save_grader
from face3d.learn.architectures import build
from face3d.learn.augmentation import Augmentation
from face3d.learn.dataset import ExampleSet
from face3d.learn.evaluation import evaluate
from face3d.learn.example_files import read_examples
from face3d.learn.predictions import by_model, truth_of
from face3d.learn.splits import ensure_disjoint, folds
from face3d.learn.training import TrainConfig, train

TOOLS = Path(__file__).parent
FIRST, OTHERS = "pointnet2", ("pointnet", "dgcnn", "point_transformer")
#: How many simulated exams, and how often a scanned one is seen for once that one of these is.
SIMULATED, AS_OFTEN = 400, 2
CONFIG = TrainConfig(
    data=("raw_sim", "raw_train"),
    network=FIRST,
    folds=5,
    epochs=18,
    patience=18,
    rate=3e-3,
    augmentation=Augmentation(
        amplitude=0.0,
        turn_deg=0.1,
        shift_mm=0.05,
        mark_mm=0.3,
        blind=0.03,
        frame_deg=0.15,
        frame_mm=0.1,
        point_mm=0.1,
    ),
)
#: Of those that go on from the first.
THEN = replace(CONFIG, epochs=6, patience=6, rate=2e-3)
FIGURES = ("exact", "within_one", "kappa", "mae", "auc", "side", "severity_sd")


def make_data(work: Path) -> None:
    """Step 1, and the test subjects for step 4."""
    for name, seed in (("train", 11), ("test", 12)):
        _raw("--seen", work / name, "--seed", seed, "--out", work / f"raw_{name}")
    _raw(
        "--true",
        work / "examples_true",
        "--like",
        work / "raw_train",
        "--truth",
        work / "true_of_train",
        "--out",
        work / "raw_sim",
        "--most",
        SIMULATED,
    )


def _raw(*arguments: object) -> None:
    subprocess.run([sys.executable, str(TOOLS / "raw_examples.py"), *map(str, arguments)], check=True)


def learn(work: Path, network: str) -> Path:
    """Steps 2 and 3: the weights of one network."""
    files = sorted((work / "raw_train").glob("*.npz"))
    simulated = sorted((work / "raw_sim").glob("*.npz"))[:SIMULATED]
    both = ExampleSet(files)
    fold = folds(both.subjects, both.grades, CONFIG.folds)
    own, held_out = ([f for f, k in zip(files, fold, strict=True) if (k == 0) == out] for out in (False, True))
    config = CONFIG if network == FIRST else replace(THEN, network=network, start_from=str(_begun(work, network)))
    examples = ExampleSet([*simulated, *own * AS_OFTEN])
    return train(config, examples, work / "runs" / f"points_{network}", _say, held_out=ExampleSet(held_out))


def _begun(work: Path, network: str) -> Path:
    """A network with what it shares with the first one already learned."""
    learned = load_grader(learn(work, FIRST), build)[0].state_dict()
    torch.manual_seed(0)
    begun = build(network)
    own = begun.state_dict()
    begun.load_state_dict({k: v if k.startswith("join.") else learned.get(k, v) for k, v in own.items()})
    path = work / "runs" / f"begun_{network}.safetensors"
    save_grader(path, [begun], {"architecture": network, "size": {}})
    return path


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="data and runs; a run that was stopped goes on")
    parser.add_argument("--networks", nargs="+", default=[FIRST, *OTHERS])
    parser.add_argument("--train-only", action="store_true", help="the data are there; no figures")
    a = parser.parse_args()
    torch.set_num_threads(1)
    if not a.train_only:
        make_data(a.work)
    weights = {name: learn(a.work, name) for name in a.networks}
    if a.train_only:
        return
    tests = list(read_examples(a.work / "raw_test"))
    ensure_disjoint(ExampleSet(sorted((a.work / "raw_train").glob("*.npz"))).subjects, [e.subject for e in tests])
    truth = truth_of(tests)
    for name, path in weights.items():
        found = evaluate(by_model(str(path), tests), truth, names=FIGURES).figures
        _say(
            f"{name} on {len(tests)} subjects: "
            + ", ".join(f"{k} {v.value:.3f} [{v.low:.3f}, {v.high:.3f}]" for k, v in found.items())
        )


if __name__ == "__main__":
    main()
