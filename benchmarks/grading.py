"""Grading: the networks beside the methods of the literature, learned and tested on the same subjects.

    python benchmarks/grading.py --train FOLDER [--test FOLDER] [--model NAME=WEIGHTS ...]
    python benchmarks/grading.py

Folders of examples, as tools/fitted_exams.py makes them. Without --test the methods are tested on folds of the
training subjects, and graders that were trained on these are left out. Without any folder a dozen new exams are
simulated, scanned and fitted, and only what is shipped is tested on them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from examination import subject_of
from face3d.errors import Face3DError
from face3d.grading.example import Example
from face3d.learn.baselines import learned, methods
from face3d.learn.evaluation import difference, evaluate
from face3d.learn.example_files import read_examples
from face3d.learn.predictions import Predictions, by_model, of_rules, truth_of
from face3d.learn.splits import ensure_disjoint, folds
from face3d.reference.agreement import Estimate
from shown import Shown

#: Subjects of the run without folders: of a seed that nothing was learned on.
SEED, SUBJECTS = 31, 12
OUTER = 5
COLUMNS = ("exact", "within_one", "kappa", "mae", "auc", "side", "severity_sd", "ece")


def made(folder: Path, subjects: int) -> list[Example]:
    """Examples of new subjects."""
    from fitted_exams import make as fit
    from seen_exams import make as see

    for k in range(subjects):
        seen = see(folder / "seen", SEED, subject_of(k), 0)
        fit(seen, examples=folder / "examples", seed=SEED)
    return list(read_examples(folder / "examples"))


def by_folds(name: str, examples: Sequence[Example]) -> Predictions:
    """Each subject by a method that was learned on the others."""
    fold = folds([e.subject for e in examples], [e.labels.house_brackmann for e in examples], OUTER)
    parts, order = [], []
    for f in range(OUTER):
        rows = np.flatnonzero(fold == f)
        train = [e for e, g in zip(examples, fold, strict=True) if g != f]
        parts.append(learned(methods()[name], train, [examples[k] for k in rows.tolist()]))
        order.append(rows)
    back = np.argsort(np.concatenate(order))
    columns = {n: np.concatenate([getattr(p, n) for p in parts])[back] for n in Predictions.__dataclass_fields__}
    return Predictions(**columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--train", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--exams", type=int, default=SUBJECTS, help="how many new ones, without a folder")
    parser.add_argument("--model", action="append", default=[], help="NAME=WEIGHTS of `face3d train`, to stand beside")
    a = parser.parse_args()
    warnings.filterwarnings("ignore", module="sklearn")
    train = list(read_examples(a.train)) if a.train else []
    if a.train is None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "seen").mkdir()
            (Path(folder) / "examples").mkdir()
            test = made(Path(folder), a.exams)
    else:
        test = list(read_examples(a.test)) if a.test else train
    if a.test:
        ensure_disjoint([f"train {e.subject}" for e in train], [f"test {e.subject}" for e in test])
    truth = truth_of(test)
    found: dict[str, Predictions] = {}
    for name in methods() if train else ():
        begun = time.perf_counter()
        found[name] = learned(methods()[name], train, test) if a.test else by_folds(name, test)
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    found["rule-based House-Brackmann"] = of_rules(test)
    if a.test or not train:
        for name, model in (("shipped networks", "shipped"), *(m.split("=", 1) for m in a.model)):
            try:
                found[name] = by_model(model, test)
            except Face3DError as error:
                print(f"{name}: left out: {error}")
    title = f"Grading, {len(train)} exams to learn from, {len(test)} to test on; 95 % intervals by subject"
    shown = Shown(title, "method", *COLUMNS)
    for name, p in found.items():
        e = evaluate(p, truth, names=COLUMNS)
        shown.row(name, *(_cell(e.figures[c]) for c in COLUMNS))
    if "shipped networks" in found and len(found) > 2:
        shown = Shown("Shipped networks minus each, paired", "method", "kappa", "MAE")
        for name, p in found.items():
            if name != "shipped networks":
                ours = found["shipped networks"]
                d = [difference(k, ours, p, truth, np.random.default_rng(0)) for k in ("kappa", "mae")]
                shown.row(name, _cell(d[0]), _cell(d[1]))


def _cell(e: Estimate) -> str:
    return f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]" if np.isfinite(e.value) else "-"


if __name__ == "__main__":
    main()
