"""Fits exams that were stored as seen (tools/seen_exams.py), each once, for all that is learned from fits.

    python tools/fitted_exams.py --seen FOLDER [--fits FOLDER] [--examples FOLDER --seed 11]

Fits are what measuring is learned from and tried on: one npz an exam, fitted vertices and detected landmarks beside the
true vertices. Examples are what grading is learned from (`grading.example`); their labels are taken anew from the
truth of the same subjects (of the seed with which they were seen), so that they follow the scales' rules as they stand
now. A run that was stopped goes on where it was; several may run at a time, each with its own --part.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face3d.errors import Face3DError
from face3d.learn.example_files import FACTS, example_with_points, labels_from_truth, write_example
from face3d.scan import Floats
from face3d.simulate.truth import rated, truth_of
from face3d.template.exam_fit import FittedExam, fit_seen
from seen_exams import SHORT, SeenExam, load_one, patient_of
from training_people import EMBEDDED

#: What stays beside an example's labels besides what `face3d` keeps of its own simulated exams.
KEPT = ("kind", "head", "scanner", "branches", "synkinesis")


@dataclass(frozen=True, eq=False)
class StoredFit:
    """`fitted` and `true` expression -> vertices mm, of the template (NaN unseen) and of the fine head model; `marks`
    expression -> landmark -> (3,) mm as detected, in the frame of the fit; `facts` as in `SeenExam`."""

    subject: int
    scan: int
    fitted: Mapping[str, Floats]
    marks: Mapping[str, Mapping[str, Floats]]
    true: Mapping[str, Floats]
    facts: Mapping[str, Any]

    @property
    def side(self) -> str:
        return self.facts["side"]


def make(
    seen: Path, fits: Path | None = None, examples: Path | None = None, seed: int | None = None, short: bool = False
) -> None:
    """Fits one exam, or its `SHORT` expressions, and stores it in those of the folders `fits` and `examples` (of
    subjects of `seed`) that are given and lack it. Where its rest scan cannot be fitted, says so and leaves it out."""
    fits, examples = ((f / seen.name) if f is not None else None for f in (fits, examples))
    if all(f is None or f.exists() for f in (fits, examples)):
        return
    exam = load_one(seen)
    known = {} if examples is None else truth(seed, exam)
    labels = None if examples is None else labels_from_truth(known)
    try:
        found = fit_seen([e for e in exam.scans if e in SHORT or not short], exam.scans.__getitem__)
    except (Face3DError, KeyError) as error:
        print(f"{seen.name}: left out: {error}", flush=True)
        return
    if fits is not None:
        _write(fits, found, exam)
    if examples is not None:
        facts = {k: known[k] for k in FACTS if k in known} | {k: known[k] for k in KEPT}
        # The same number is somebody else in another seed.
        write_example(examples, example_with_points(found, labels, facts | {"subject": f"{seed}-{exam.subject:04d}"}))
    print(seen.name, flush=True)


def truth(seed: int | None, exam: SeenExam) -> dict[str, Any]:
    """What is true of an exam's subject, by the rules as they stand now."""
    if seed is None:
        raise SystemExit("examples need the seed of the subjects that were seen")
    patient = patient_of(seed, exam.subject, exam.facts["among"])[0]
    known = truth_of(patient)
    assert known.scales.sunnybrook is not None
    if abs(known.severity - exam.facts["severity"]) > 1e-3:
        raise SystemExit(f"subject {exam.subject} of seed {seed} is another one than was seen; see the exams anew")
    return {
        **exam.facts,
        **{f"ancestry_{name}": share for name, share in patient.ancestry.items()},
        "head": "embedded" if exam.facts["kind"] in EMBEDDED else exam.facts["kind"],
        "rater_house_brackmann": rated(known, np.random.default_rng([seed, exam.subject, 99])).house_brackmann,
        "house_brackmann": known.house_brackmann,
        "severity": known.severity,
        "region_function": dict(known.region_function),
        "sunnybrook": asdict(known.scales.sunnybrook),
        "composite": known.scales.sunnybrook.composite,
        "house_brackmann_descriptive": known.scales.descriptive,
        "eface": asdict(known.scales.eface),
    }


def _write(file: Path, found: FittedExam, exam: SeenExam) -> None:
    arrays: dict[str, Any] = {}
    for e, vertices in {"rest": found.rest, **found.expressions}.items():
        arrays[f"{e}.fitted"] = vertices.astype(np.float32)
        arrays[f"{e}.names"] = np.array(list(found.marks[e]))
        arrays[f"{e}.marks"] = np.array(list(found.marks[e].values()), np.float32)
        arrays[f"{e}.true"] = exam.true[e].astype(np.float32)
    half = file.with_suffix(f".{os.getpid()}.half")
    with half.open("wb") as target:
        np.savez(target, facts=np.array(json.dumps(dict(exam.facts))), **arrays)
    half.replace(file)


def read(file: Path) -> StoredFit:
    """One stored fit."""
    subject, scan = file.stem.split("_")
    parts: dict[str, dict[str, Any]] = {"fitted": {}, "names": {}, "marks": {}, "true": {}}
    with np.load(file) as data:
        facts = json.loads(str(data["facts"]))
        for name in data.files:
            expression, _, part = name.partition(".")
            if part:
                parts[part][expression] = data[name]
    wide = {k: {e: v.astype(np.float64) for e, v in parts[k].items()} for k in ("fitted", "marks", "true")}
    marks = {e: dict(zip(names.tolist(), wide["marks"][e], strict=True)) for e, names in parts["names"].items()}
    return StoredFit(int(subject), int(scan), wide["fitted"], marks, wide["true"], facts)


def stored(folder: Path) -> Iterator[StoredFit]:
    """All stored fits of a folder, in order."""
    return map(read, sorted(folder.glob("*.npz")))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seen", type=Path, required=True)
    parser.add_argument("--fits", type=Path, help="folder of fits, for learning to measure")
    parser.add_argument("--examples", type=Path, help="folder of examples, for learning to grade; needs --seed")
    parser.add_argument("--seed", type=int, help="of the subjects that were seen")
    parser.add_argument("--most", type=int, help="no more than the first so many exams")
    parser.add_argument("--short", action="store_true", help="seven expressions instead of ten")
    parser.add_argument("--part", default="0/1", help="k/n: every n-th exam from the k-th")
    a = parser.parse_args()
    folders = [f for f in (a.fits, a.examples) if f is not None]
    if not folders or (a.examples is not None and a.seed is None):
        parser.error("give --fits, or --examples with --seed, or all three")
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    part, parts = (int(x) for x in a.part.split("/"))
    for seen in sorted(a.seen.glob("*.npz"))[part : a.most : parts]:
        make(seen, a.fits, a.examples, a.seed, a.short)


if __name__ == "__main__":
    main()
