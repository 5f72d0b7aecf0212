"""Anomaly of movement: healthy against ill, and where; and whether a grade over time is better than one of apexes.

    python benchmarks/temporal.py [--healthy 16] [--ill 24] [--seed 7300] [--work FOLDER]   anomaly, on fresh people
    python benchmarks/temporal.py --grade 8 [--seed 7400]      the grade of a session against that of its apexes alone

Simulated people (tools/moved_people.py) make the nine expressions in one recording, with noise of tracking.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from face3d.grading.grades import grade_examples
from face3d.grading.in_time import ABOUT_S, example_in_time
from face3d.grading.recorded import kinematics
from face3d.grading.temporal import AGAINST, HYPER, HYPO, judged, outside, shipped
from face3d.grading.ways import PLACES, ways_of
from face3d.scan import Floats
from face3d.simulate.truth import truth_of
from face3d.threads import one_torch_thread
from moved_people import moved, moving
from shown import Shown, number, numbers

#: region -> branches whose muscles move it (simulate.expressions.DRIVEN_BY)
BRANCHES = {
    **dict.fromkeys(("forehead", "brow"), ("temporal",)),
    **dict.fromkeys(("upper_lid", "lower_lid"), ("zygomatic",)),
    **dict.fromkeys(("cheek", "nasolabial", "commissure"), ("zygomatic", "buccal")),
    **dict.fromkeys(("nose", "upper_lip"), ("buccal",)),
    **dict.fromkeys(("lower_lip", "chin"), ("marginal", "buccal")),
}
#: A branch is called weak that has lost this share of what the weakest has lost.
WEAK = 0.75


def auc(healthy: Floats, ill: Floats) -> float:
    """Share of pairs in which the ill one is higher; equals count half."""
    return float((np.sign(ill[:, None] - healthy[None]) / 2 + 0.5).mean())


def interval(values: Sequence[float], statistic=np.mean) -> str:
    """95 % by resampling."""
    x, rng = np.asarray(values, float), np.random.default_rng(0)
    low, high = np.quantile([statistic(x[rng.integers(len(x), size=len(x))]) for _ in range(2000)], (0.025, 0.975))
    return f"{statistic(x):.3f} ({low:.3f} to {high:.3f})"


def anomalies(folder: Path, seed: int, healthy: int, ill: int) -> None:
    network = shipped()
    limits, spread = network.limits.double().numpy(), float(network.spread)
    totals: dict[int, list[float]] = {}
    sides, branches, weakest, strange, cover, off, severity = [], [], [], [], [], [], []
    for grade, count in ((1, healthy), (2, ill // 3), *((g, ill // 4) for g in (3, 4, 5, 6))):
        for k in range(count):
            person = moved(folder, seed, k, grade)
            times, ways = ways_of(person.names, person.times_s, person.away_mm)
            with one_torch_thread():
                predicted = network.predict(ways)
            apexes = [(i + 1, e, frame) for i, (e, frame) in enumerate(person.apexes.items())]
            out = outside(network, person.names, person.away_mm, apexes)
            one = judged(times, ways, predicted, limits, spread, out)
            totals.setdefault(grade, []).append(one.total)
            severity.append(float(np.nanmean(one.missing, axis=0).max()) - person.facts["severity"])
            if grade == 1:
                strange.append([sum(s.name == n for s in out) for n in (HYPO, HYPER, AGAINST)])
                off_se = np.abs(one.missing / one.missing_se)
                cover.append((off_se[np.isfinite(off_se)] < 1.96).mean())
            if grade >= 3:
                place, side = one.weakest or ("", "")
                lost = {b: 1 - f for b, f in person.facts["branches"].items()}
                here = [lost[b] for b in BRANCHES.get(place, ())]
                sides.append(float(side == person.facts["side"]))
                branches.append(sides[-1] * float(max(here, default=0.0) >= WEAK * max(lost.values())))
                weakest.append(sides[-1] * float(max(here, default=0.0) == max(lost.values())))
                own = [s.name for s in out if s.side == person.facts["side"]]
                off.append([own.count(n) for n in (HYPO, HYPER, AGAINST)])
    shown = Shown(f"Anomaly by grade, seed {seed}", "grade", "n", "median", "least", "most")
    for grade, found in totals.items():
        shown.row(grade, len(found), *numbers([float(np.median(found)), min(found), max(found)]))
    h, severe = np.array(totals[1]), np.array([t for g in (3, 4, 5, 6) for t in totals[g]])
    shown = Shown(f"Healthy against ill, seed {seed}, {len(h)} and {len(severe)} of grade III to VI", "what", "found")
    shown.row("healthy against III to VI, ROC-AUC", number(auc(h, severe), 3))
    shown.row("healthy against II, ROC-AUC", number(auc(h, np.array(totals[2])), 3))
    shown.row("beyond the limit: healthy", number(float(np.mean(h > 1)), 3))
    shown.row("beyond the limit: III to VI", number(float(np.mean(severe > 1)), 3))
    shown.row("III to VI: the ill side named", interval(sides))
    shown.row("and a weak branch", interval(branches))
    shown.row("and the very weakest branch", number(float(np.mean(weakest)), 3))
    envelope = f"outside the envelope, of {9 * 2 * len(PLACES)}: hypokinesia, hyperkinesia, against the direction"
    shown.row(f"{envelope}; healthy", ", ".join(numbers(np.mean(strange, axis=0), 1)))
    shown.row(f"{envelope}; III to VI, ill side", ", ".join(numbers(np.mean(off, axis=0), 1)))
    off_by = f"mean {np.mean(severity):+.3f}, SD {np.std(severity):.3f}"
    shown.row("missing share of the weaker side less severity", off_by)
    shown.row("missing share of the healthy within 1.96 standard errors of 0", number(float(np.mean(cover)), 3))


def graded(seed: int, people: int) -> None:
    """The grade of a session, by the frames about each apex, beside that by the apexes alone, on the same people."""
    names, said, truth, off, unsure = [], [], [], [], []
    for grade in (1, 2, 3, 4, 5, 6):
        for k in range(people):
            made, tracked, _, _ = moving(seed, k, grade)
            true, seen = truth_of(made.patient), kinematics(tracked)
            with one_torch_thread():
                both = grade_examples([example_in_time(tracked, seen, about) for about in (0.0, ABOUT_S)])
            said.append([g.severity for g in both])
            truth.append(true.severity)
            off.append([abs(g.house_brackmann - true.house_brackmann) for g in both])
            unsure.append([g.abstained for g in both])
            for m in seen.movements:
                middle = tracked.times_s[m.apex_frame]
                on = [x.expression for x in made.made if x.left.start < middle < x.left.end]
                names.append(on == [m.expression])
    errors, wrong = np.array(said) - np.array(truth)[:, None], np.array(off)
    print(f"movements named rightly {np.mean(names):.3f} of {len(names)}")
    title = f"The grade of a session, seed {seed}, {len(errors)} people"
    shown = Shown(title, "by", "severity, SD", "mean", "exact", "MAE", "abstained")
    for k, name in enumerate(("apexes alone", f"{2 * ABOUT_S:.2f} s about each")):
        found = [(wrong[:, k] == 0).mean(), wrong[:, k].mean(), np.mean(unsure, axis=0)[k]]
        shown.row(name, interval(list(errors[:, k]), np.std), f"{errors[:, k].mean():+.3f}", *numbers(found))
    rng, n = np.random.default_rng(1), len(errors)
    picks = [errors[rng.integers(n, size=n)].std(axis=0) for _ in range(4000)]
    apart = np.array([p[1] - p[0] for p in picks])
    low, high = np.quantile(apart, (0.025, 0.975))
    shown.row("difference", f"{np.diff(errors.std(axis=0))[0]:+.4f} ({low:+.4f} to {high:+.4f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--healthy", type=int, default=16)
    parser.add_argument("--ill", type=int, default=24)
    parser.add_argument("--seed", type=int, default=7300)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--grade", type=int, metavar="N", help="people of each grade whose sessions are graded")
    a = parser.parse_args()
    if a.grade is not None:
        graded(a.seed, a.grade)
        return
    with tempfile.TemporaryDirectory() as folder:
        anomalies(a.work or Path(folder), a.seed, a.healthy, a.ill)


if __name__ == "__main__":
    main()
