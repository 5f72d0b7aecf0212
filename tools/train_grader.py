"""Makes the data for the shipped grader, trains it, and writes its weights and card. One command, resumable.

    python tools/train_grader.py --work FOLDER

1. Training subjects (seed 11) of all kinds of `training_people` and others for testing (seed 12) are simulated,
   scanned, looked at and fitted (tools/seen_exams.py, tools/fitted_exams.py); more (seed 21) are only simulated
   (tools/true_examples.py), of the embedded head alone.
2. For each member of the grader one kind of people is left out. The member learns from the simulated others, spoiled as
   fitting was seen to spoil the training subjects, and goes on from there on the fitted others; those left out say
   which epoch is the best and where the cut points between grades lie.
3. The members become src/face3d/data/grader.safetensors, with a card beside it.
4. How much the rules count beside them, and how far to believe both, is learned on what each member says of the kind
   that it never saw (tools/calibrate_grading.py).
5. The card is told the figures of what ships on the test subjects, on whom nothing was chosen.

What is done already is kept. --data-only and --train-only do a part.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from face3d.grading.grid import grid_of
from face3d.grading.weights import SHIPPED, load_grader, read_card, save_grader
from face3d.learn.augmentation import Augmentation
from face3d.learn.dataset import ExampleSet
from face3d.learn.evaluation import difference, evaluate_examples
from face3d.learn.example_files import read_example
from face3d.learn.pretraining import FitNoise
from face3d.learn.training import TrainConfig, train
from face3d.template.template import FaceTemplate
from training_people import KINDS, UNSEEN

TOOLS = Path(__file__).parent
DATA = TOOLS.parent / "src/face3d/data"
TRAIN_SUBJECTS, TEST_SUBJECTS, OTHER_SUBJECTS, TRUE_SUBJECTS = 195, 30, 30, 600
#: Kinds that a member never sees. Who mixes the others' ways of moving tells nothing new to one who has seen these.
NEVER_SEEN = (("a", "mixed"), ("b", "mixed"), ("waters", "mixed"), ("vitruvian",))
FIRST = TrainConfig(data=("true",), epochs=20, patience=30, rate=3e-3, folds=10)
THEN = replace(
    FIRST,
    data=("true", "train"),
    epochs=12,
    rate=2e-3,
    augmentation=Augmentation(turn_deg=0.15, shift_mm=0.05, mark_mm=0.2),
)
#: How often a fitted exam is seen for once that a simulated one is, and of how many of these.
AS_OFTEN, AGAIN = 3, 400
#: Figures of an evaluation that the card tells for groups.
OF_GROUPS = ("exact", "kappa", "mae")
#: Kind of testing -> what the card says of it, folder of examples, seed. Nothing was learned or chosen on either.
TESTS = {
    "internal": ("other subjects of the kinds that were trained on", "examples_test", 12),
    "external": ("people of a head that was in no training and chose nothing", "examples_other", 12),
}


def make_data(work: Path, workers: int) -> None:
    """Step 1."""
    sets = (
        ("train", TRAIN_SUBJECTS, 11, KINDS),
        ("test", TEST_SUBJECTS, 12, KINDS),
        ("other", OTHER_SUBJECTS, 12, (UNSEEN,)),
    )
    for name, subjects, seed, kinds in sets:
        _tool("seen_exams.py", workers, "--out", work / name, "--subjects", subjects, "--seed", seed, "--kinds", *kinds)
        _tool(
            "fitted_exams.py", workers, "--seen", work / name, "--examples", work / f"examples_{name}", "--seed", seed
        )
    _tool("true_examples.py", 1, "--out", work / "examples_true", "--subjects", TRUE_SUBJECTS)
    _tool("true_examples.py", 1, "--seen", work / "train", "--out", work / "true_of_train")


def _tool(script: str, workers: int, *arguments: object) -> None:
    # One thread each: more threads than cores make small matrices many times slower.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(TOOLS / script), *map(str, arguments)]
    parts = [[*command, "--part", f"{k}/{workers}"] for k in range(workers)] if workers > 1 else [command]
    running = [subprocess.Popen(part, env=environment) for part in parts]
    if any(process.wait() for process in running):
        raise SystemExit(f"{script} failed; see above")


def learn(work: Path) -> list[Path]:
    """Step 2: the members."""
    kind = {f: read_example(f).facts["kind"] for f in sorted((work / "examples_train").glob("*.npz"))}
    true = {f: read_example(f).facts["kind"] for f in sorted((work / "examples_true").glob("*.npz"))[:TRUE_SUBJECTS]}
    grid = grid_of(FaceTemplate.load())
    members = []
    for k, never in enumerate(NEVER_SEEN):
        own, unseen = ([f for f, of in kind.items() if (of in never) == out] for out in (False, True))
        simulated = [f for f, of in true.items() if of not in never]
        pairs = [f for f in own if (work / "true_of_train" / f.name).exists()]
        noise = FitNoise.seen(((read_example(f), read_example(work / "true_of_train" / f.name)) for f in pairs), grid)
        config = replace(FIRST, seed=k)
        first = train(config, ExampleSet(simulated, points=False), work / "runs" / f"first_{k}", _say, spoil=noise)
        config = replace(THEN, start_from=str(first), seed=k)
        both = ExampleSet([*simulated[:AGAIN], *own * AS_OFTEN], points=False)
        left_out = ExampleSet([f for f in unseen if kind[f] == never[0]], points=False)
        members.append(train(config, both, work / "runs" / f"member_{k}", _say, noise, left_out))
    return members


def publish(work: Path, members: Sequence[Path], out: Path) -> None:
    """Step 4."""
    cards = [read_card(m) for m in members]
    training = [read_example(f) for f in sorted((work / "examples_train").glob("*.npz"))]
    card: dict[str, Any] = {
        "name": "face3d grader",
        "architecture": cards[0]["architecture"],
        "size": cards[0]["size"],
        "eface_fissure": cards[0]["eface_fissure"],
        "intended_use": "Research on facial palsy from 3D scans. Not a medical device; no clinical decision.",
        "data": {
            "what": "simulated patients, scanned by simulated scanners and fitted from raw scans; no real person",
            "train": {"subjects": len(training), "seed": 11, "grades": _counted(training, "grade")}
            | {name: _counted(training, name) for name in ("scanner", "kind")},
            "simulated_only": {"subjects": TRUE_SUBJECTS, "seed": 21},
        },
        "never_saw": [[never[0]] for never in NEVER_SEEN],
        "training": {"first": asdict(FIRST), "simulated_again": AGAIN, "fitted_as_often": AS_OFTEN},
        "config": asdict(THEN),
        "held_out": [{**c["held_out"], "best_epoch": c["best_epoch"]} for c in cards],
        "limits": [
            "Learned on two head models, with several kinds of movement; never tested on patients.",
            "Grades by House's measured rule on brow and mouth; raters differ from it and from each other.",
            "Bands of grades I and VI are 3 % wide, narrower than the error of severity.",
            "One side only: of palsy on both sides it says nothing that may be believed.",
        ],
    }
    save_grader(out, [load_grader(m)[0] for m in members], card)


def tell(work: Path, out: Path) -> None:
    """Step 5: the card says how well test subjects are graded, by what ships and by the rules alone."""
    model = "shipped" if out == DATA / SHIPPED else str(out)
    tests = {}
    for name, (what, folder, seed) in TESTS.items():
        files = sorted((work / folder).glob("*.npz"))
        if not files:
            continue
        ours, said, truth = evaluate_examples(model, files)
        rules, by_rule, _ = evaluate_examples("rules", files)
        paired = {k: difference(k, said, by_rule, truth, np.random.default_rng(0)) for k in OF_GROUPS}
        found = ours.to_dict()
        tests[name] = {
            "what": what,
            "subjects": ours.subjects,
            "seed": seed,
            **{k: found[k] for k in ("figures", "confusion", "recall", "reliability", "clinics")},
            "rules": {
                k: rules.to_dict()["figures"][k] for k in ("exact", "kappa", "mae", "severity_sd", "function", "side")
            },
            "minus_rules": {k: {"value": d.value, "low": d.low, "high": d.high} for k, d in paired.items()},
            "groups": {
                group: {value: {k: row[k] for k in OF_GROUPS if k in row} for value, row in rows.items()}
                for group, rows in found["groups"].items()
            },
        }
        _say(f"{name} testing\n{ours.to_text()}\nrules alone\n{rules.to_text()}")
    if tests:
        card = {k: v for k, v in read_card(out).items() if k != "test"} | {"tests": tests}
        save_grader(out, load_grader(out), card)


def _counted(examples: Sequence[Any], what: str) -> dict[str, int]:
    values = [str(e.labels.house_brackmann if what == "grade" else e.facts.get(what)) for e in examples]
    return {v: values.count(v) for v in sorted(set(values))}


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="data and runs; a run that was stopped goes on")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=DATA / SHIPPED)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--data-only", action="store_true")
    which.add_argument("--train-only", action="store_true")
    a = parser.parse_args()
    torch.set_num_threads(1)
    a.work.mkdir(parents=True, exist_ok=True)
    if not a.train_only:
        make_data(a.work, a.workers)
    if not a.data_only:
        publish(a.work, learn(a.work), a.out)
        if a.out == DATA / SHIPPED:
            _tool("calibrate_grading.py", 1, "--examples", a.work / "examples_train")
        tell(a.work, a.out)


if __name__ == "__main__":
    main()
