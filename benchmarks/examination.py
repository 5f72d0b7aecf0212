"""The examination against the truth: excursions, closure, ratios, function, side, scales, synkinesis.

    python benchmarks/examination.py [--fits FOLDER] [--exams FOLDER] [--subjects 12]

Simulated subjects of a seed that nothing was learned from, scanned, and measured from the raw scans. Grades I to VI in
equal parts, who move as author a, as author b, by Waters' muscles and by a mixture in turn; half the scanners are
stereophotogrammetry. Faces that an application moved (fixed mesh) are counted apart: their errors are the
application's. With --exams, exams seen before (tools/seen_exams.py) are used; with --fits, fitted ones
(tools/fitted_exams.py).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from face3d.measuring.scale_estimates import estimate_scales, rules
from face3d.reference.agreement import weighted_kappa
from face3d.reference.angles import turned
from face3d.reference.eface import EfaceItems
from face3d.reference.stennert import Stennert
from fitted_exams import StoredFit, make, stored
from learn_corrections import measured
from seen_exams import make as see
from shown import Shown, number, numbers
from training_people import EMBEDDED

SEED = 2
#: measure, expression, limit that 95 % must keep, unit
LIMITS = (
    ("commissure_excursion", "open_smile", 0.5, "mm"),
    ("commissure_angle_frontal", "open_smile", 3.0, "deg"),
    ("commissure_angle_horizontal", "open_smile", 3.0, "deg"),
    ("fissure_height", "rest", 0.5, "mm"),
    ("closure_gap", "gentle_eye_closure", 0.5, "mm"),
    ("brow_raise", "brow_raise", 0.6, "mm"),
)
RATIOS = ("commissure_excursion_ratio", "brow_raise_ratio", "closure_ratio")
UNASKED = (("open_smile", "eye"), ("lip_pucker", "eye"), ("gentle_eye_closure", "mouth"))


@dataclass
class Score:
    """What was off, over some exams."""

    errors: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    ratios: list[float] = field(default_factory=list)
    functions: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    sides: list[bool] = field(default_factory=list)
    grades: list[tuple[int, int]] = field(default_factory=list)
    sunnybrook: list[float] = field(default_factory=list)
    unasked: list[tuple[float, float]] = field(default_factory=list)
    eface: list[float] = field(default_factory=list)
    balances: list[tuple[float, float]] = field(default_factory=list)
    signs: list[tuple[bool, bool]] = field(default_factory=list)
    stennert: list[tuple[int, int]] = field(default_factory=list)
    exams: int = 0

    def add(self, exam: StoredFit) -> None:
        """One exam, measured against its side and without knowing it."""
        given, true = measured(exam, exam.side)
        blind, _ = measured(exam, None)
        self.exams += 1
        known = {(r.measure, r.expression, r.region, r.side): r.value for r in true.rows}
        for r in given.rows:
            d = turned(r.value - known.get((r.measure, r.expression, r.region, r.side), np.nan), r.unit)
            if np.isfinite(d):
                self.errors[r.measure, r.expression].append(d)
                if r.measure in RATIOS:
                    self.ratios.append(d)
        healthy = exam.side == "none"
        for k, v in given.region_function.items():
            self.functions[k].append(v - (1.0 if healthy else true.region_function[k]))
        e, t = estimate_scales(blind), estimate_scales(true, rules(exact=True))
        if e.house_brackmann and t.house_brackmann:
            self.grades.append((e.house_brackmann, t.house_brackmann))
            if t.house_brackmann >= 3:
                self.sides.append(blind.affected_side == exam.side)
        if e.sunnybrook and t.sunnybrook:
            # The fold is not measured, and adds the same to both: as if it were normal.
            composite, truly = (s.composite_range[1] for s in (e.sunnybrook, t.sunnybrook))
            self.sunnybrook.append(composite - truly)
            self.balances.append((e.eface.balance, truly))
        items = ((getattr(e.eface, f.name), getattr(t.eface, f.name)) for f in fields(EfaceItems))
        self.eface += [found - truly for found, truly in items if np.isfinite(found - truly)]
        signs = [(getattr(e.stennert, f.name), getattr(t.stennert, f.name)) for f in fields(Stennert)]
        judged = [(found, truly) for found, truly in signs if found is not None and truly is not None]
        if judged:
            self.signs += judged
            self.stennert.append((sum(found for found, _ in judged), sum(truly for _, truly in judged)))
        if not healthy:
            self.unasked += [
                (given.synkinesis[k], true.synkinesis[k])
                for k in UNASKED
                if np.isfinite(given.synkinesis.get(k, np.nan)) and k in true.synkinesis
            ]

    def report(self, title: str) -> None:
        """Prints the table."""
        shown = Shown(f"{title}: {self.exams} exams", "error", "n", "bias", "median", "95 %", "aim")
        for measure, expression, limit, unit in LIMITS:
            d = np.array(self.errors.get((measure, expression), []))
            if len(d):
                size = np.abs(d)
                found = numbers([d.mean(), float(np.median(size)), float(np.quantile(size, 0.95))])
                shown.row(f"{measure} ({expression}), {unit}", len(d), *found, limit)
        of_regions = {k: float(np.nanmean(np.abs(v))) for k, v in self.functions.items()}
        parts = ", ".join(f"{k} {v:.3f}" for k, v in of_regions.items())
        rows = [
            ("ratio affected/healthy, MAE", _mean_size(self.ratios), "<= 0.05"),
            ("region function, MAE", float(np.mean(list(of_regions.values()))), f"<= 0.06 ({parts})"),
            ("side right, grade III to VI", np.mean(self.sides) if self.sides else np.nan, ">= 0.995"),
            ("Sunnybrook composite but for the fold, MAE", _mean_size(self.sunnybrook), "<= 6"),
        ]
        if len(self.grades) > 2:
            g = np.array(self.grades)
            kappa = weighted_kappa(g[:, 0], g[:, 1], range(1, 7))
            rows += [
                ("House-Brackmann by rule, quadratic kappa", kappa.value, ">= 0.93"),
                ("House-Brackmann by rule, exact", (g[:, 0] == g[:, 1]).mean(), ""),
                ("House-Brackmann by rule, MAE", np.abs(g[:, 0] - g[:, 1]).mean(), ""),
            ]
        if len(self.balances) > 2:
            rows.append(("eFACE-like balance against true Sunnybrook, rho", _rho(self.balances), ""))
        rows.append(("eFACE-like items (0..100 or 200), MAE", _mean_size(self.eface), ""))
        if len(self.stennert) > 2:
            same = float(np.mean([found == truly for found, truly in self.signs]))
            rows.append(("Stennert's signs (of ten, those a scan shows) right", same, ""))
            rows.append(("Stennert's points against true ones, rho", _rho(self.stennert), ""))
        if self.unasked:
            u = np.array(self.unasked)
            rows.append(("synkinesis (true share >= 0.15), ROC-AUC", auc(u[:, 0], u[:, 1] >= 0.15), ">= 0.97"))
        shown = Shown(f"{title}: {self.exams} exams, the whole", "what", "value", "aim")
        for name, value, aim in rows:
            shown.row(name, number(value, 3), aim)


def _mean_size(values: list[float]) -> float:
    return float(np.mean(np.abs(values))) if values else float("nan")


def _rho(pairs: Sequence[tuple[float, float]]) -> float:
    """Spearman's."""
    from scipy.stats import rankdata

    ranks = [rankdata(values) for values in np.array(pairs).T]
    return float(np.corrcoef(ranks)[0, 1])


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: chance that a positive scores above a negative."""
    p, n = score[positive], score[~positive]
    if not len(p) or not len(n):
        return float("nan")
    return float(((p[:, None] > n) + 0.5 * (p[:, None] == n)).mean())


def report(exams: Iterable[StoredFit]) -> None:
    """All scanners but fixed meshes together; then by whose movements, and by scanner."""
    scores: dict[str, Score] = defaultdict(Score)
    for exam in exams:
        kind, scanner = exam.facts["kind"], exam.facts["scanner"]
        fixed = scanner == "fixed_mesh"
        for name in [scanner] if fixed else ["all but fixed meshes", f"movements: {kind}", scanner]:
            scores[name].add(exam)
    for name in sorted(scores):
        scores[name].report(name)


def subject_of(k: int) -> int:
    """The `k`-th subject (`seen_exams.patient_of`) in an order in which every grade, and every kind, comes before one
    comes again; six grades later kinds have moved on by one, so that each meets all grades."""
    kinds = len(EMBEDDED)
    return kinds * k + (k + k // 6) % kinds


def see_all(out: Path, subjects: int) -> None:
    """Scans subjects of every grade, and of every kind of movement."""
    for k in range(subjects):
        see(out, SEED, subject_of(k), 0)


def run(
    about: str, see_all: Callable[[Path, int], None], report: Callable[[Iterable[StoredFit]], None], subjects: int
) -> None:
    """Command line of a benchmark that reports on fits: given ones, those of given exams, or those of new ones."""
    parser = argparse.ArgumentParser(description=about.split("\n")[0])
    parser.add_argument("--fits", type=Path)
    parser.add_argument("--exams", type=Path)
    parser.add_argument("--subjects", type=int, default=subjects)
    a = parser.parse_args()
    if a.fits is not None:
        report(stored(a.fits))
        return
    with tempfile.TemporaryDirectory() as folder:
        seen, fits = a.exams or Path(folder) / "seen", Path(folder) / "fits"
        fits.mkdir()
        if a.exams is None:
            seen.mkdir()
            see_all(seen, a.subjects)
        for file in sorted(seen.glob("*.npz")):
            make(file, fits)
        report(stored(fits))


if __name__ == "__main__":
    run(__doc__ or "", see_all, report, subjects=12)
