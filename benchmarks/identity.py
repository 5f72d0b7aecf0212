"""Whose scan is it, and is the given side the right one? How often right exams are doubted, and wrong ones pass.

    python benchmarks/identity.py --work FOLDER [--seed 3] [--subjects 24]

Simulated subjects of all grades, movements and scanners (tools/seen_exams.py), each scanned at two visits. Counted are
an exam's own scans and others' in their place (the next subject of the same sex, and any), rest scans of others, visits
of one person and of two, and given sides: the right one, the other one, and none.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from face3d.errors import Face3DError
from face3d.landmarks import other_side
from face3d.measuring.examination import measure_fits
from face3d.template.exam_fit import FittedExam, SeenScan, fit_expression, fit_rest, fit_seen
from face3d.template.identity import DOUBTFUL, REFUSED, AnotherPersonError, likeness, signature, unlike
from seen_exams import SHORT, SeenExam, load_one, make
from shown import Shown


def strangers(exam: SeenExam, other: SeenExam) -> Iterator[bool]:
    """Whether each scan of `other`, put in its slot of `exam`, is taken for another person's."""
    rest = fit_rest(exam.scans["rest"])
    for e in ("open_smile", "brow_raise", "snarl"):
        try:
            if e in other.scans:
                fit_expression(other.scans[e], rest)
                yield False
        except AnotherPersonError:
            yield True
        except Face3DError:  # left out all the same, for another reason
            yield True


def foreign_rest(exam: SeenExam, other: SeenExam) -> bool:
    """Whether the rest scan of `other` in `exam` is refused."""
    scans: Mapping[str, SeenScan] = {**exam.scans, "rest": other.scans["rest"]}
    try:
        fit_seen(tuple(scans), scans.__getitem__)
    except Face3DError:
        return True
    return False


def contradicted(fitted: FittedExam, side: str) -> bool:
    """Whether a given side is contradicted."""
    m = measure_fits(fitted.rest, fitted.movements, fitted.template, side, marks=fitted.marks)
    return m.contradiction != ""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--subjects", type=int, default=24)
    a = parser.parse_args()
    a.work.mkdir(parents=True, exist_ok=True)
    exams = [load_one(make(a.work, a.seed, k, 0, SHORT)) for k in range(a.subjects)]
    again = [load_one(make(a.work, a.seed, k, 1, ("rest",))) for k in range(a.subjects)]
    rate: dict[str, list[bool]] = defaultdict(list)
    usual, first, second = [], [], []
    for k, exam in enumerate(exams):
        fitted = fit_seen(tuple(exam.scans), exam.scans.__getitem__)
        others = sum("LEFT OUT" in note for note in fitted.notes)
        rate["own scan taken for another's"] += [True] * others + [False] * len(fitted.expressions)
        rest = fitted.fits["rest"]
        usual += [found.unlike for e in fitted.expressions if (found := likeness(rest, fitted.fits[e])) is not None]
        alike = [x for x in (*exams[k + 1 :], *exams[:k]) if (x.facts["male"] > 0.5) == (exam.facts["male"] > 0.5)]
        for name, other in (("any", exams[k - 1]), *(("same sex", x) for x in alike[:1])):
            rate[f"another's scan noticed, {name}"] += strangers(exam, other)
        rate["another's rest scan refused"].append(foreign_rest(exam, exams[k - 1]))
        first.append(signature(fitted.rest, fitted.template))
        second.append(signature(fit_rest(again[k].scans["rest"]).fit.vertices_mm, fitted.template))
        side, grade = exam.facts["side"], exam.facts["house_brackmann"]
        rate["right side contradicted"].append(contradicted(fitted, side))
        if side != "none":
            rate[f"other side contradicted, grade {grade}"].append(contradicted(fitted, other_side(side)))
            rate[f"none contradicted, grade {grade}"].append(contradicted(fitted, "none"))
        print(f"{k + 1} of {len(exams)}", file=sys.stderr, flush=True)
    for name, limit in (("doubted", DOUBTFUL), ("refused", REFUSED)):
        rate[f"one person's visits {name}"] = [unlike(x, y)[0] >= limit for x, y in zip(first, second, strict=True)]
        rate[f"two people's visits {name}"] = [unlike(x, y)[0] >= limit for x, y in permutations(first, 2)]
    shown = Shown(f"Whose scan, which side; {a.subjects} people, seed {a.seed}", "what", "times", "of")
    for name in sorted(rate):
        shown.row(name, sum(rate[name]), len(rate[name]))
    print(f"\nown scans are at most {max(usual):.2f} times as unlike as usual")


if __name__ == "__main__":
    main()
