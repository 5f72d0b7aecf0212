"""Before and after: are true changes found, and are unchanged faces left alone?

    python benchmarks/comparison.py [--exams FOLDER] [--fits FOLDER] [--subjects 15]

Simulated patients of a seed that nothing was learned from are scanned twice, in other poses, triangulations and noise,
and once more after a simulated treatment (a graft that lifts the mouth's corner, or botulinum toxin into the healthy
side). Between the first two scans nothing changed: every change that `face3d.compare` calls is a false alarm; of the
end points one in twenty pairs of visits may have one. After the treatment every end point whose true change is 1.5
times its limit or more should be called, with the right sign; other measures, which make allowance for their number,
are counted beside them. With --exams, exams made before by this script are used; with --fits, fitted
ones (tools/fitted_exams.py).
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from examination import run, subject_of
from face3d.measuring.comparison import Change, compare
from fitted_exams import StoredFit
from learn_corrections import measured
from seen_exams import make as see
from shown import Shown, number

SEED = 14
EXPRESSIONS = ("rest", "brow_raise", "gentle_eye_closure", "open_smile")
#: What visits are judged by, and measures that a surgeon asks for; the others are counted together.
NAMED = ("end points", "commissure_excursion", "brow_raise", "closure_gap", "fissure_height", "function", "symmetry")


def see_all(out: Path, subjects: int) -> None:
    """Scans patients of grades II to VI twice, and once treated."""
    drawn = [k for k in range(2 * subjects) if k % 6][:subjects]
    for k in drawn:
        for scan in (0, 1, 2):
            treatment = ("reanimation", "botulinum")[k % 2] if scan == 2 else None
            see(out, SEED, subject_of(k), scan, EXPRESSIONS, "stereophotogrammetry", treatment=treatment)


def report(exams: Iterable[StoredFit]) -> None:
    """Prints the table."""
    visits: dict[int, dict[int, StoredFit]] = defaultdict(dict)
    for exam in exams:
        visits[exam.subject][exam.scan] = exam
    alarms: dict[str, list[bool]] = defaultdict(list)
    called: dict[str, list[bool]] = defaultdict(list)
    for scans in visits.values():
        known = {k: measured(x, x.side) for k, x in scans.items()}
        if 0 not in known:
            continue
        before, true_before = known[0]
        if 1 in known:
            for c in compare(before, known[1][0]).changes:
                if c.beyond is not None:
                    alarms[_kind(c)].append(c.beyond)
        if 2 in known:
            true = compare(true_before, known[2][1], repeatability={}).changes
            truth = {(c.measure, c.expression, c.region, c.side): c.change for c in true}
            for c in compare(before, known[2][0]).changes:
                changed = truth.get((c.measure, c.expression, c.region, c.side), np.nan)
                if c.beyond is not None and abs(changed) >= 1.5 * (c.limit if c.end_point else c.mdc95):
                    called[_kind(c)].append(bool(c.beyond and c.change * changed > 0))
    title = f"Changes called, {len(visits)} patients, stereophotogrammetry, 20,000 points; seed {SEED}"
    shown = Shown(title, "measure", "true changes", "called", "unchanged", "false alarms")
    for name in [*(n for n in NAMED if n in alarms), "all measures"]:
        yes = called[name] if name in NAMED else [v for values in called.values() for v in values]
        no = alarms[name] if name in NAMED else [v for values in alarms.values() for v in values]
        found = number(float(np.mean(yes)), 3) if yes else "-"
        shown.row(name, len(yes), found, len(no), number(float(np.mean(no)), 3) if no else "-")
    pairs = sum(1 in scans for scans in visits.values())
    print(f"\nfalse alarms of end points a pair of visits: {np.sum(alarms['end points']) / max(pairs, 1):.3f}")
    print("aims: end points called >= 0.90, their false alarms <= 0.05 a pair of visits")


def _kind(c: Change) -> str:
    return "end points" if c.end_point else c.measure


if __name__ == "__main__":
    run(__doc__ or "", see_all, report, subjects=15)
