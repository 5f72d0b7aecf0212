"""Leave one domain out: graders trained on some scanners, movements, ages or sexes only, tested on all others.

    python benchmarks/domains.py --work FOLDER

FOLDER is that of tools/train_grader.py, with its data. One network a domain, trained on the simulated and the fitted
training subjects of the domain, twice as often on these, spoiled as fitting was seen to spoil them; tested on the
training subjects outside of the domain, whom it never saw. Ancestry is not among the facts that the simulator tells.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from face3d.grading.grid import grid_of
from face3d.learn.augmentation import Augmentation
from face3d.learn.dataset import ExampleSet
from face3d.learn.evaluation import evaluate_examples
from face3d.learn.example_files import read_example
from face3d.learn.pretraining import FitNoise
from face3d.learn.training import TrainConfig, train
from face3d.template.template import FaceTemplate

#: Domain -> whether a subject with these facts lies in it. Those who were only simulated have no scanner ("none").
DOMAINS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "stereophotogrammetry": lambda f: f["scanner"] in ("stereophotogrammetry", "none"),
    "movements of author a": lambda f: f["kind"] == "a",
    "younger than 50": lambda f: f["age_years"] < 50,
    "men": lambda f: f["male"] > 0.5,
}
CONFIG = TrainConfig(
    data=("domain",),
    epochs=12,
    patience=99,
    rate=3e-3,
    seed=3,
    folds=10,
    augmentation=Augmentation(turn_deg=0.15, shift_mm=0.05, mark_mm=0.2),
)
SIMULATED, AS_OFTEN = 730, 2
COLUMNS = ("exact", "kappa", "mae", "severity_sd")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    work = parser.parse_args().work
    torch.set_num_threads(1)
    grid = grid_of(FaceTemplate.load())
    fitted = {f: read_example(f) for f in sorted((work / "examples_train").glob("*.npz"))}
    simulated = {f: read_example(f) for f in sorted((work / "examples_true").glob("*.npz"))[:SIMULATED]}
    print(f"{'trained on':<24}{'people':>8}{'tested on':>11}" + "".join(f"{c:>13}" for c in COLUMNS), flush=True)
    for name, inside in DOMAINS.items():
        own = [f for f, e in fitted.items() if inside(e.facts)]
        true = [f for f, e in simulated.items() if inside(e.facts)]
        others = [f for f, e in fitted.items() if not inside(e.facts)]
        noise = FitNoise.seen(((fitted[f], read_example(work / "true_of_train" / f.name)) for f in own), grid)
        both = ExampleSet([*true, *own * AS_OFTEN], points=False)
        grader = train(CONFIG, both, work / "runs" / f"domain {name}", spoil=noise)
        found = evaluate_examples(str(grader), others)[0].figures
        numbers = "".join(f"{found[c].value:>13.3f}" for c in COLUMNS)
        print(f"{name:<24}{len(true) + len(own):>8}{len(others):>11}{numbers}", flush=True)
        k = found["kappa"]
        print(f"{'':<24}kappa {k.low:.3f} to {k.high:.3f}", flush=True)


if __name__ == "__main__":
    main()
