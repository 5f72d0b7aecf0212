"""Trains the naming of expressions (`face3d.grading.naming`) and says how well it names people it was not trained on.

    python tools/train_naming.py --examples FOLDER --twice FOLDER --rests FOLDER [--test FOLDER]

`--examples` of tools/fitted_exams.py. What no movement looks like is learned from people scanned at rest twice
(tools/seen_exams.py --scans 2); these are fitted once and kept in `--rests`. Figures are by folds of subjects, or on
`--test`.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from face3d.errors import Face3DError
from face3d.grading.example import SCANS, Example
from face3d.grading.grid import Grid, grid_of
from face3d.grading.naming import Namer, assigned, expressions_shown, shape_of
from face3d.io.write import write_bytes
from face3d.learn.example_files import read_examples
from face3d.learn.splits import folds
from face3d.scan import Floats
from face3d.template.template import FaceTemplate

#: Inverse strength of the ridge; chosen by folds of training subjects.
RIDGE = 30.0
ALIKE = ({"gentle_eye_closure", "tight_eye_closure"}, {"closed_smile", "open_smile"})


def fit_rests(twice: Path, out: Path) -> None:
    """Lays each person's second rest scan on the first, and the other way round."""
    from face3d.template.exam_fit import fit_seen
    from face3d.template.movement import movement
    from seen_exams import load_one

    out.mkdir(parents=True, exist_ok=True)
    for file in sorted(twice.glob("*_0.npz")):
        pair = [file, file.with_name(file.name.replace("_0", "_1"))]
        for k in range(2):
            target = out / f"{file.stem}_{k}.npz"
            if target.exists() or not pair[1].exists():
                continue
            scans = [load_one(p).scans["rest"] for p in pair]
            both = {"rest": scans[k], "open_smile": scans[1 - k]}
            try:
                fitted = fit_seen(tuple(both), both.__getitem__)
                moved = movement("open_smile", fitted.rest, fitted.expressions["open_smile"], fitted.template)
            except (Face3DError, KeyError) as error:
                print(f"{target.name}: left out: {error}")
                continue
            grid = grid_of(fitted.template)
            buffer = io.BytesIO()
            np.savez(buffer, rest=grid.means(fitted.rest), move=grid.means(moved.displacement))
            write_bytes(target, buffer.getvalue())


def samples(examples: Sequence[Example], grid: Grid) -> tuple[Floats, np.ndarray, np.ndarray]:
    """Shapes (n, D), expressions (n,) and exam (n,) of all movements."""
    x, y, of = [], [], []
    for i, e in enumerate(examples):
        there = [k for k in range(1, len(SCANS)) if np.isfinite(e.moves[k - 1]).any()]
        x.append(shape_of(e.rest, e.rest + e.moves[[k - 1 for k in there]], grid))
        y += there
        of += [i] * len(there)
    return np.concatenate(x), np.array(y), np.array(of)


def trained(x: Floats, y: np.ndarray) -> Namer:
    """A logistic regression; expressions that nobody showed stay impossible."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=RIDGE, max_iter=5000, tol=1e-3).fit(x, y)
    weights, bias = np.zeros((x.shape[1], len(SCANS))), np.full(len(SCANS), -50.0)
    weights[:, model.classes_], bias[model.classes_] = model.coef_.T, model.intercept_
    return Namer(weights, bias)


def swapped(e: Example, a: int, b: int) -> Example:
    """The exam with two scans' files swapped. 0 is rest: then all movements are taken from the other scan."""
    from dataclasses import replace

    at = np.concatenate([e.rest[None], e.rest[None] + e.moves])
    at[[a, b]] = at[[b, a]]
    return replace(e, rest=at[0], moves=at[1:] - at[0])


def report(examples: Sequence[Example], namers: Sequence[Namer], seed: int = 0) -> dict[str, float]:
    """Accuracy of `namers[i]` on exam i: single scans, whole exams, and swapped files."""
    rng = np.random.default_rng(seed)
    single: dict[str, list[bool]] = {}
    table = np.zeros((len(SCANS), len(SCANS)), int)
    grid = grid_of(FaceTemplate.load())
    whole, caught, false = [], {"rest with another": [], "two movements": []}, []
    for e, namer in zip(examples, namers, strict=True):
        x, y, _ = samples([e], grid)
        said = namer.probabilities(x).argmax(axis=1)
        np.add.at(table, (y, said), 1)
        group = "healthy" if e.labels.house_brackmann == 1 else "palsied"
        single.setdefault(group, []).extend((said == y).tolist())
        kind = "a, " + group if e.facts.get("kind") == "a" else ""
        alike = [s == t or {SCANS[s], SCANS[t]} in ALIKE for s, t in zip(said.tolist(), y.tolist(), strict=True)]
        single.setdefault(f"{group}, but for degree", []).extend(alike)
        if kind:
            single.setdefault(f"movements {kind}", []).extend((said == y).tolist())
        whole.append(np.mean([a == b for a, b in assigned(e, namer).items()]))
        false.append(bool(alarms(e, namer)))
        there = np.flatnonzero(np.isfinite(e.moves).any(axis=(1, 2))) + 1
        a, b = rng.permutation(there)[:2]
        while {SCANS[a], SCANS[b]} in ALIKE:
            a, b = rng.permutation(there)[:2]
        caught["rest with another"].append(bool(alarms(swapped(e, 0, a), namer)))
        caught["two movements"].append(bool(alarms(swapped(e, a, b), namer)))
    print("rows shown, columns named:", *(s[:9] for s in SCANS))
    print(table)
    out = {f"single scans named rightly, {k}": float(np.mean(v)) for k, v in sorted(single.items())}
    out["scans of an exam named together, rightly"] = float(np.mean(whole))
    out["exams with a false alarm"] = float(np.mean(false))
    return out | {f"swaps caught, {k}": float(np.mean(v)) for k, v in caught.items()}


def alarms(e: Example, namer: Namer) -> list[str]:
    """Scans that grading would take for swapped."""
    from face3d.grading.doubts import SWAPPED

    return [
        label
        for label, (looks, p) in expressions_shown(e, namer).items()
        if looks != label and p >= SWAPPED and {looks, label} not in ALIKE
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--examples", type=Path, required=True)
    parser.add_argument("--twice", type=Path, help="people scanned twice, as seen")
    parser.add_argument("--rests", type=Path, required=True)
    parser.add_argument("--test", type=Path, help="examples of other subjects, for the figures that are kept")
    parser.add_argument("--dry", action="store_true", help="figures only; nothing is shipped")
    a = parser.parse_args()
    if a.twice is not None:
        fit_rests(a.twice, a.rests)
    grid = grid_of(FaceTemplate.load())
    examples = list(read_examples(a.examples))
    x, y, of = samples(examples, grid)
    still = []
    for file in sorted(a.rests.glob("*.npz")):
        with np.load(file) as z:
            still.append(shape_of(z["rest"], z["rest"] + z["move"], grid))
    print(f"{len(examples)} exams, {len(y)} movements, {len(still)} repeats of rest")
    x_all, y_all = np.concatenate([x, still]), np.r_[y, np.zeros(len(still), int)]
    of_all = np.r_[of, -1 - np.arange(len(still)) // 2]
    fold = folds([e.subject for e in examples], [e.labels.house_brackmann for e in examples], 6)
    part = np.r_[fold[of], (np.arange(len(still)) // 2) % 6]
    by_fold = [trained(x_all[part != f], y_all[part != f]) for f in range(6)]
    rest_right = [
        by_fold[f].probabilities(x_all[(part == f) & (of_all < 0)]).argmax(axis=1) == 0
        for f in range(6)
        if ((part == f) & (of_all < 0)).any()
    ]
    figures = report(examples, [by_fold[f] for f in fold])
    figures["rest scanned again named rest"] = float(np.concatenate(rest_right).mean())
    for name, value in figures.items():
        print(f"{name:<56}{value:.3f}")
    card: dict = {"what": "logistic regression of expressions over movement at the template grid", "ridge": RIDGE}
    card |= {"exams": len(examples), "rests": len(still), "by folds of training subjects": figures}
    namer = trained(x_all, y_all)
    if a.test is not None:
        others = list(read_examples(a.test))
        print(f"{len(others)} exams of other subjects")
        card["on new subjects"] = report(others, [namer] * len(others)) | {"exams": len(others)}
        for name, value in card["on new subjects"].items():
            print(f"{name:<56}{value:.3f}")
    if a.dry:
        return
    buffer = io.BytesIO()
    np.savez(buffer, weights=namer.weights.astype(np.float32), bias=namer.bias.astype(np.float32))
    out = Path(str(files("face3d").joinpath("data")))
    write_bytes(out / "naming.npz", buffer.getvalue())
    card["sha256"] = hashlib.sha256(buffer.getvalue()).hexdigest()
    card["made_by"] = "tools/train_naming.py"
    card["licence"] = "Apache-2.0"
    write_bytes(out / "naming.json", (json.dumps(card, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
