"""The examination against the truth: excursions, closure, ratios, function, side, scales, synkinesis, repeatability.

    python benchmarks/examination.py [--exams FOLDER] [--subjects 12]

New simulated subjects (another seed than anything was learned from), scanned twice as stereophotogrammetry meshes and
measured from the raw scans. Grades I to VI in equal parts; a third each moves as author a, author b and by Waters'
muscles. With --exams, exams made before by tools/measured_exams.py are used.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from face3d.agreement import detectable_change, standard_error_of_measurement, weighted_kappa
from face3d.estimates import estimate_scales
from learn_measuring import measured
from measured_exams import SHORT, load, make

SEED = 2
#: measure, expression, limit that 95 % must keep, unit
LIMITS = (
    ("commissure_excursion", "open_smile", 0.5, "mm"), ("commissure_angle_frontal", "open_smile", 3.0, "deg"),
    ("commissure_angle_horizontal", "open_smile", 3.0, "deg"), ("fissure_height", "rest", 0.5, "mm"),
    ("closure_gap", "gentle_eye_closure", 0.5, "mm"), ("brow_raise", "brow_raise", 0.6, "mm"),
)  # fmt: skip


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: chance that a positive scores above a negative."""
    p, n = score[positive], score[~positive]
    if not len(p) or not len(n):
        return float("nan")
    return float(((p[:, None] > n) + 0.5 * (p[:, None] == n)).mean())


def report(folder: Path) -> None:
    """Prints the table."""
    errors: dict[tuple[str, str], list[float]] = {}
    ratios, functions, sides, grades, sunnybrook, unasked = [], [], [], [], [], []
    repeats: dict[tuple[int, str], list[float]] = {}
    exams = list(load(folder))
    for exam in exams:
        blind, true = measured(exam, None)
        given, _ = measured(exam, exam.side)
        values = {(r.measure, r.expression, r.region, r.side): r.value for r in true.rows}
        for r in given.rows:
            truth = values.get((r.measure, r.expression, r.region, r.side), np.nan)
            d = r.value - truth
            errors.setdefault((r.measure, r.expression), []).append((d + 180) % 360 - 180 if r.unit == "deg" else d)
            if r.measure in ("commissure_excursion_ratio", "brow_raise_ratio", "closure_ratio"):
                ratios.append(d)
            if (r.measure, r.expression) == ("commissure_excursion", "open_smile"):
                repeats.setdefault((exam.subject, r.side), []).append(r.value)
        healthy = exam.side == "none"
        functions += [
            given.region_function[k] - (1.0 if healthy else true.region_function[k]) for k in given.region_function
        ]
        e, t = estimate_scales(blind), estimate_scales(true)
        if e.house_brackmann and t.house_brackmann:
            grades.append((e.house_brackmann, t.house_brackmann))
            if t.house_brackmann >= 3:
                sides.append(blind.affected_side == exam.side)
        if e.sunnybrook and t.sunnybrook:
            sunnybrook.append(e.sunnybrook.composite - t.sunnybrook.composite)
        if not healthy:
            for key in (("open_smile", "eye"), ("lip_pucker", "eye"), ("gentle_eye_closure", "mouth")):
                if key in given.synkinesis and key in true.synkinesis:
                    unasked.append((given.synkinesis[key], true.synkinesis[key]))
    print(f"{len(exams)} exams of {len({e.subject for e in exams})} subjects")
    print(f"{'measure':<46}{'bias':>8}{'median |d|':>12}{'95 % |d|':>10}{'aim':>8}")
    for measure, expression, limit, unit in LIMITS:
        d = np.array(errors.get((measure, expression), [np.nan]))
        d = d[np.isfinite(d)]
        if len(d):
            name = f"{measure} ({expression}), {unit}"
            print(f"{name:<46}{d.mean():>8.2f}{np.median(abs(d)):>12.2f}{np.quantile(abs(d), 0.95):>10.2f}{limit:>8}")
    rows = [("ratio affected/healthy, MAE", np.nanmean(np.abs(ratios)), "<= 0.05"),
            ("region function, MAE", np.nanmean(np.abs(functions)), "<= 0.06"),
            ("side right, grade III to VI", np.mean(sides) if sides else np.nan, ">= 0.995"),
            ("Sunnybrook composite, MAE", np.mean(np.abs(sunnybrook)) if sunnybrook else np.nan, "<= 6")]  # fmt: skip
    if len(grades) > 2:
        g = np.array(grades)
        kappa = weighted_kappa(g[:, 0], g[:, 1], range(1, 7))
        rows += [("House-Brackmann by rule, quadratic kappa", kappa.value, ">= 0.93"),
                 ("House-Brackmann by rule, exact", (g[:, 0] == g[:, 1]).mean(), ""),
                 ("House-Brackmann by rule, MAE", np.abs(g[:, 0] - g[:, 1]).mean(), "")]  # fmt: skip
    if unasked:
        u = np.array(unasked)
        rows.append(("synkinesis (true share >= 0.15), ROC-AUC", auc(u[:, 0], u[:, 1] >= 0.15), ">= 0.97"))
    twice = np.array([v for v in repeats.values() if len(v) == 2 and np.isfinite(v).all()])
    if len(twice) > 2:
        rows.append(
            ("MDC95 commissure excursion, mm", detectable_change(standard_error_of_measurement(twice)), "<= 1.0")
        )
    for name, value, aim in rows:
        print(f"{name:<46}{value:>8.3f}{aim:>30}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--exams", type=Path)
    parser.add_argument("--subjects", type=int, default=6)
    a = parser.parse_args()
    if a.exams is not None:
        report(a.exams)
        return
    with tempfile.TemporaryDirectory() as folder:
        for scan in range(2):
            for subject in range(0, 3 * a.subjects, 3):  # every grade before a grade comes again
                make(Path(folder), SEED, subject + subject // 3 % 3, scan, 20_000, SHORT)
        report(Path(folder))


if __name__ == "__main__":
    main()
