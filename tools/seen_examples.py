"""Fits exams that were stored as seen (tools/seen_exams.py) and stores them as examples for learning to grade.

    python tools/seen_examples.py --seen FOLDER --out FOLDER --seed 11

Labels are taken anew from the truth of the same subjects (of the seed with which they were seen), so that they follow
the scales' rules as they stand now.
A run that was stopped goes on where it was; several may run at a time, each with its own --part.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from face3d.errors import Face3DError
from face3d.examine import fit_seen
from face3d.learn.examples import example_of, labels_from_truth, write_example
from face3d.simulate.truth import truth_of
from seen_exams import SeenExam, load_one, patient_of


def make(seen: Path, out: Path, seed: int) -> None:
    """One exam; an exam whose rest scan cannot be fitted is said and left out."""
    target = out / seen.name
    if target.exists():
        return
    exam = load_one(seen)
    try:
        fitted = fit_seen(tuple(exam.scans), exam.scans.__getitem__)
    except (Face3DError, KeyError) as error:
        print(f"{seen.name}: left out: {error}")
        return
    facts = {k: exam.facts[k] for k in ("kind", "scanner", "state", "age_years", "male", "branches", "synkinesis")}
    # The same number is somebody else in another seed.
    facts["subject"] = f"{seed}-{exam.subject:04d}"
    write_example(target, example_of(fitted, labels_from_truth(truth(seed, exam)), facts))


def truth(seed: int, exam: SeenExam) -> dict[str, Any]:
    """What is true of an exam's subject, by the rules as they stand now."""
    known = truth_of(patient_of(seed, exam.subject)[0])
    assert known.scales.sunnybrook is not None
    if abs(known.severity - exam.facts["severity"]) > 1e-3:
        raise SystemExit(f"subject {exam.subject} of seed {seed} is another one than was seen; see the exams anew")
    return {
        **exam.facts, "house_brackmann": known.house_brackmann, "severity": known.severity,
        "region_function": dict(known.region_function), "sunnybrook": asdict(known.scales.sunnybrook),
        "composite": known.scales.sunnybrook.composite, "eface": asdict(known.scales.eface),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seen", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True, help="of the subjects that were seen")
    parser.add_argument("--most", type=int, help="no more than the first so many exams")
    parser.add_argument("--part", default="0/1", help="k/n: every n-th exam from the k-th")
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    part, parts = (int(x) for x in a.part.split("/"))
    for seen in sorted(a.seen.glob("*.npz"))[part : a.most : parts]:
        make(seen, a.out, a.seed)


if __name__ == "__main__":
    main()
