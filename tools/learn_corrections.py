"""Learns from fitted simulated exams what measuring loses, and how well it repeats.

    python tools/seen_exams.py --out seen --subjects 90 --seed 11
    python tools/fitted_exams.py --seen seen --fits fits
    python tools/seen_exams.py --out twice --subjects 18 --seed 13 --scans 2 --short --scanner stereophotogrammetry
    python tools/fitted_exams.py --seen twice --fits fits-twice
    python tools/learn_corrections.py fits fits-twice [--only gains | --only repeatability]

Writes src/face3d/data/movement_gains.json and repeatability.json. Repeatability is that of shares, which know the noise
floors (tools/learn_noise.py), which are learned with the gains: hence --only. Figures are published from another seed's
exams (`benchmarks/examination.py`), never from those that were learned from. Faces that an application moved (fixed
mesh) teach nothing here: their errors are the application's. Nor do people of another head than the embedded one, of
whom truth is not known place by place.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from face3d.io.write import write_bytes
from face3d.measuring import corrections
from face3d.measuring.corrections import CLOSING, Lids, lid_points
from face3d.measuring.exam_measures import Measures
from face3d.measuring.examination import measure_fits
from face3d.measuring.protocol import FULL
from face3d.measuring.readings import fissure
from face3d.measuring.sides import paired
from face3d.reference import repeatability
from face3d.reference.angles import DEGREES, turned
from face3d.simulate import HeadModel
from face3d.simulate.truth import true_measures
from face3d.template.movement import movement, movements
from face3d.template.template import FaceTemplate
from fitted_exams import StoredFit, stored
from training_people import EMBEDDED

DATA = Path(__file__).parents[1] / "src/face3d/data"
REGIONS = ("brow", "eye", "midface", "mouth", "lower_lip")
#: Landmarks whose own detected movement is worth hearing, beside the fit's.
ANCHORS = ("ch", "al", "ac", "ps", "pi", "sci", "mb")
#: Landmarks at which excursions are read, and the expressions in which they are.
TIPS = {"sci": ("brow_raise",), "ch": ("closed_smile", "open_smile", "lip_pucker"), "al": ("snarl",)}
#: Expressions that the repeated scans leave out, and the one whose repeatability stands in.
LIKE = {"closed_smile": "open_smile", "tight_eye_closure": "gentle_eye_closure", "cheek_puff": "lip_pucker"}


@lru_cache
def head() -> HeadModel:
    """Regions and pairing of the true meshes; all movement sets share them."""
    return HeadModel.load("a", "fine")


def learn_anchors(exams: Iterable[StoredFit]) -> dict[str, float]:
    """Weight of a landmark's detected movement against its fitted one with the least mean error, movements of every
    author counting alike; none where it does not help."""
    template = FaceTemplate.load()
    found: dict[str, list[np.ndarray]] = defaultdict(list)
    kinds: dict[str, list[str]] = defaultdict(list)
    for exam in exams:
        turn = _turn(exam)
        for e in sorted(set(exam.fitted) - {"rest"}):
            moved = movement(e, exam.fitted["rest"], exam.fitted[e], template)
            fit = template.landmark_points(moved.displacement)
            true = head().landmark_points(exam.true[e] - exam.true["rest"])
            for name in exam.marks[e]:
                code = name.rsplit("_", 1)[0]
                if code in ANCHORS and name in exam.marks["rest"]:
                    seen = moved.to_rest.apply(exam.marks[e][name]) - exam.marks["rest"][name]
                    rows = np.stack([turn @ true[name] - fit[name], seen - fit[name]])
                    if np.isfinite(rows).all() and np.linalg.norm(rows[1]) <= corrections.MISTAKEN_MM:
                        found[code].append(rows)
                        kinds[code].append(exam.facts["kind"])
    weights = {}
    for code, rows in found.items():
        missed, offered = np.array(rows).transpose(1, 0, 2)
        share = _alike(kinds[code])
        off = {w: float(share @ np.linalg.norm(missed - w * offered, axis=1)) for w in np.arange(0, 0.91, 0.05)}
        weight = min(off, key=lambda w: off[w])
        print(f"{code}: off by {off[0.0]:.2f} mm fitted, {off[weight]:.2f} blended by {weight:.2f}")
        if weight > 0.1:
            weights[code] = round(float(weight), 2)
    return weights


def _alike(kinds: list[str]) -> np.ndarray:
    """Weights, summing to 1, with which every kind counts the same."""
    names, which, count = np.unique(kinds, return_inverse=True, return_counts=True)
    return 1.0 / (len(names) * count[which])


def _turn(exam: StoredFit) -> np.ndarray:
    """(3, 3): directions of the true face at rest -> of the fitted one."""
    from face3d.geometry.rigid import align

    true, fit = head().landmark_points(exam.true["rest"]), FaceTemplate.load().landmark_points(exam.fitted["rest"])
    names = [n for n in true if n in fit and np.isfinite(fit[n]).all()]
    pair = np.array([true[n] for n in names]), np.array([fit[n] for n in names])
    return align(*pair, np.ones(len(names)))[0].rotation.as_matrix()


def learn_lids(exams: Iterable[StoredFit]) -> Lids:
    """Share of the detector and rounding of the edges with the least mean error of all fissures and closure gaps."""
    template = FaceTemplate.load()
    seen: list[tuple] = []
    for exam in exams:
        rest, true_rest = template.landmark_points(exam.fitted["rest"]), head().landmark_points(exam.true["rest"])
        for e in exam.fitted:
            fit, marks = rest, exam.marks[e]
            if e != "rest":
                moved = movement(e, exam.fitted["rest"], exam.fitted[e], template)
                fit = template.landmark_points(exam.fitted["rest"] + moved.displacement)
                marks = {k: moved.to_rest.apply(v) for k, v in marks.items()}
            true = head().landmark_points(exam.true[e])
            seen.append((fit, marks, rest, e in CLOSING, {s: fissure(true, true_rest, s) for s in ("left", "right")}))
    best, least = Lids(0.5, 0.0), np.inf
    for share in np.arange(0, 1.01, 0.1):
        for edge in np.arange(0, 1.01, 0.1):
            lids = Lids(round(float(share), 2), round(float(edge), 2))
            off = []
            for fit, marks, rest, closing, true in seen:
                points = lid_points(fit, marks, rest, lids, closing)
                off += [fissure(points, rest, s) - t for s, t in true.items() if f"ps_{s}" in points]
            if (error := float(np.mean(np.abs(off)))) < least:
                best, least = lids, error
    print(f"lids: {best}, mean error {least:.2f} mm of {len(off)}")
    return best


def gain(true: np.ndarray, fitted: np.ndarray, kinds: list[str]) -> float:
    """Factor of `fitted`, 1 to 1.5, with the least mean error, movements of every author counting alike. Never below 1:
    a fit loses movement."""
    share = _alike(kinds)
    off = {g: float(share @ np.abs(true - g * fitted)) for g in np.arange(1.0, 1.51, 0.01)}
    return round(float(min(off, key=lambda g: off[g])), 3)


def learn_gains(exams: Iterable[StoredFit], anchors: dict[str, float]) -> dict[str, dict[str, float]]:
    """Gains of the part of a movement that both sides share, and of that by which they differ."""
    template = FaceTemplate.load()
    found: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    kinds: dict[str, list[str]] = defaultdict(list)
    for exam in exams:
        for region in REGIONS:
            for e in (*FULL[region], *(("lip_pucker",) if region == "mouth" else ())):
                if e not in exam.fitted:
                    continue
                moved = movement(e, exam.fitted["rest"], exam.fitted[e], template)
                moved = corrections.anchored(
                    moved, exam.fitted["rest"], template, exam.marks["rest"], exam.marks[e], anchors
                )
                fit = paired(template, moved.displacement, region)
                true = paired(head(), exam.true[e] - exam.true["rest"], region)
                if fit is not None and true is not None:
                    found[region].append((*true.amplitudes(), *fit.amplitudes()))
                    kinds[region].append(exam.facts["kind"])
    gains = {}
    for region, rows in found.items():
        tl, tr, fl, fr = np.array(rows).T
        shared, differing = (tl + tr) / 2, (tl - tr) / 2
        fit_shared, fit_differing = (fl + fr) / 2, (fl - fr) / 2
        both = gain(shared, fit_shared, kinds[region])
        gains[region] = {
            "shared": both,
            # Least mean error would make it smaller than the other, for a noisy difference is best believed by half:
            # then a dead side is given some of what the healthy side does.
            "differing": max(gain(differing, fit_differing, kinds[region]), both),
        }
        print(region, gains[region], f"n {len(rows)}, r {np.corrcoef(differing, fit_differing)[0, 1]:.3f}")
    return gains


def learn_tips(
    exams: Iterable[StoredFit], anchors: dict[str, float], gains: dict[str, dict[str, float]]
) -> dict[str, float]:
    """Factors of the landmarks that excursions are read at, where they matter, after anchors and gains."""
    template = FaceTemplate.load()
    by = {region: corrections.Gain(**values) for region, values in gains.items()}
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    kinds: dict[str, list[str]] = defaultdict(list)
    for exam in exams:
        turn = _turn(exam)
        for code, expressions in TIPS.items():
            for e in sorted(set(expressions) & set(exam.fitted)):
                moved = movement(e, exam.fitted["rest"], exam.fitted[e], template)
                moved = corrections.anchored(
                    moved, exam.fitted["rest"], template, exam.marks["rest"], exam.marks[e], anchors
                )
                fit = template.landmark_points(corrections.restored(moved, template, by).displacement)
                true = head().landmark_points(exam.true[e] - exam.true["rest"])
                for name in (f"{code}_left", f"{code}_right"):
                    if np.isfinite(fit[name]).all():
                        found[code] += zip(turn @ true[name], fit[name], strict=True)
                        kinds[code] += 3 * [exam.facts["kind"]]
    tips = {}
    for code, rows in found.items():
        true, fit = np.array(rows).T
        tips[code] = gain(true, fit, kinds[code])
    print("tips", tips)
    return tips


def measured(exam: StoredFit, side: str | None) -> tuple[Measures, Measures]:
    """(from the scans against `side` or the side found, true) measures of one exam."""
    f, t = dict(exam.fitted), {e: exam.true[e] for e in exam.fitted}
    name = f"s{exam.subject}"
    rest, template = f.pop("rest"), FaceTemplate.load()
    moves, unseen = movements(rest, f, template)
    found = measure_fits(rest, moves, template, side, name, str(exam.scan), unseen, exam.marks)
    return found, true_measures(head(), t.pop("rest"), t, exam.side, name)


def learn_errors(exams: Iterable[StoredFit], least: int = 10) -> dict[repeatability.Key, float]:
    """Root mean square distance of each measure from the truth."""
    errors = defaultdict(list)
    for exam in exams:
        found, true = measured(exam, exam.side)
        known = {(r.measure, r.expression, r.region, r.side): r.value for r in true.rows}
        for r in found.rows:
            d = turned(r.value - known.get((r.measure, r.expression, r.region, r.side), np.nan), r.unit)
            if np.isfinite(d):
                errors[r.measure, r.expression, r.region].append(d)
    return {k: round(float(np.sqrt(np.mean(np.square(e)))), 5) for k, e in errors.items() if len(e) >= least}


def learn_repeatability(
    twice: Iterable[StoredFit], errors: dict[repeatability.Key, float], people: str
) -> list[repeatability.Repeatability]:
    """Scatter between two scans of the same face, with the distance from the truth beside it."""
    table = _without_failures(pd.concat([measured(exam, exam.side)[0].table for exam in twice]))
    out = [
        replace(one, error=errors.get((one.measure, one.expression, one.region)))
        for one in repeatability.repeatability_from(table, people)
    ]
    known = {(one.measure, one.expression, one.region) for one in out}
    for e, like in LIKE.items():
        out += [
            replace(one, expression=e, source=f"{one.source}; that of {like}")
            for one in out
            if one.expression == like and (one.measure, e, one.region) not in known
        ]
    return out


#: A pair of scans that differs by so many robust standard deviations is a failure, not scatter.
FAILED = 5.0
#: mm: usual scatter is no less. Where noise is taken off, most pairs are 0 and 0, and the others are no failures.
LEAST_USUAL_MM = 0.2


def _without_failures(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the values of failed pairs as NaN: one lost mouth corner among 36 must not hide what the others
    would show."""
    key = ["measure", "expression", "region"]
    pairs = table.pivot_table(index=[*key, "subject", "side"], columns="visit", values="value", aggfunc="first")
    apart = pairs.iloc[:, 1] - pairs.iloc[:, 0]
    angles = apart.index.get_level_values("measure").isin(table["measure"][table["unit"] == DEGREES])
    apart = apart.mask(angles, turned(apart, DEGREES)).abs()
    usual = 1.4826 * apart.groupby(level=[0, 1, 2]).transform("median")
    millimetres = apart.index.get_level_values("measure").isin(table["measure"][table["unit"] == "mm"])
    usual = usual.mask(millimetres, usual.clip(lower=LEAST_USUAL_MM))
    failed = apart.index[(apart > FAILED * usual) & (usual > 0)]
    print(f"left out as failed: {len(failed)} of {apart.notna().sum()} pairs")
    lost = pd.MultiIndex.from_frame(table.loc[:, [*key, "subject", "side"]]).isin(failed)
    return table.assign(value=table["value"].mask(lost))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("fits", type=Path)
    parser.add_argument("twice", type=Path, help="fits of faces that were scanned twice")
    parser.add_argument("--only", choices=("gains", "repeatability"), help="one of the two files")
    a = parser.parse_args()
    exams = [x for x in stored(a.fits) if x.facts["scanner"] != "fixed_mesh" and x.facts["kind"] in EMBEDDED]
    people = f"{len({x.subject for x in exams})} simulated subjects, all scanners but fixed meshes, 20,000 points"
    if a.only != "repeatability":
        anchors, lids = learn_anchors(exams), learn_lids(exams)
        gains = learn_gains(exams, anchors)
        tips = learn_tips(exams, anchors, gains)
        note = f"learned on {people}; tools/learn_corrections.py"
        parts = {"note": note, "anchors": anchors, "lids": asdict(lids), "gains": gains, "tips": tips}
        write_bytes(DATA / "movement_gains.json", (json.dumps(parts, indent=1) + "\n").encode())
        corrections._learned.cache_clear()
    if a.only != "gains":
        twice = list(stored(a.twice))
        pairs = f"{len({x.subject for x in twice})} simulated subjects scanned twice, stereophotogrammetry, 20,000 "
        pairs += f"points; pairs that differ by over {FAILED:g} robust SD left out"
        values = learn_repeatability(twice, learn_errors(exams), f"{pairs}; error: {people}")
        repeatability.write_repeatability(DATA / "repeatability.json", values)


if __name__ == "__main__":
    main()
