"""Fits exams that were stored as seen (tools/seen_exams.py) and stores them as examples for learning to grade.

    python tools/seen_examples.py --seen FOLDER --out FOLDER --seed 11

Labels are taken anew from the truth of the same subjects (of the seed with which they were seen), so that they follow
the scales' rules as they stand now.
A run that was stopped goes on where it was; several may run at a time, each with its own --part.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from face3d.errors import Face3DError
from face3d.examine import fit_seen
from face3d.learn.examples import example_of, labels_from_truth, write_example
from seen_exams import load_one


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
    truth = labels_from_truth(labels(seed, exam))
    facts = {k: exam.facts[k] for k in ("kind", "scanner", "state", "age_years", "male", "branches")}
    facts["synkinesis"] = exam.facts["synkinesis"]
    # Folders are drawn from seeds of their own: the same number is somebody else there.
    facts["subject"] = f"{seen.parent.name}-{exam.subject:04d}"
    write_example(target, example_of(fitted, labels_from_truth(exam.facts), facts))


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
