"""Learns from measured simulated exams what measuring loses and how well it repeats.

    python tools/measured_exams.py --out exams --subjects 36 --scans 2 --seed 1
    python tools/learn_measuring.py exams

Writes src/face3d/data/movement_gains.json and repeatability.json. Figures are published from another seed's exams
(`benchmarks/examination.py`), never from those that were learned from.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from face3d import examine, repeatability, restored
from face3d.agreement import detectable_change
from face3d.function import FULL, paired
from face3d.measures import Measures, measure_vertices
from face3d.movement import movement
from face3d.simulate import HeadModel
from face3d.template import FaceTemplate
from measured_exams import MeasuredExam, load

DATA = Path(__file__).parents[1] / "src/face3d/data"
REGIONS = ("brow", "eye", "midface", "mouth", "lower_lip")


@lru_cache
def head() -> HeadModel:
    """Regions and pairing of the true meshes; all movement sets share them."""
    return HeadModel.load("a", "fine")


#: Landmarks whose own detected movement is worth hearing, beside the fit's.
ANCHORS = ("ch", "al", "ps", "pi", "sci", "mb")


def learn_anchors(exams: list[MeasuredExam]) -> dict[str, float]:
    """Weight of a landmark's detected movement against its fitted one, by least squares, where it helps at all."""
    template = FaceTemplate.load()
    found: dict[str, list[np.ndarray]] = defaultdict(list)
    for exam in exams:
        for e in exam.fitted:
            if e == "rest":
                continue
            moved = movement(e, exam.fitted["rest"], exam.fitted[e], template)
            fit = template.landmark_points(moved.displacement)
            true = head().landmark_points(exam.true[e] - exam.true["rest"])
            for name in exam.marks[e]:
                code = name.rsplit("_", 1)[0]
                if code in ANCHORS and name in exam.marks["rest"]:
                    seen = moved.to_rest.apply(exam.marks[e][name]) - exam.marks["rest"][name]
                    found[code].append(np.stack([true[name] - fit[name], seen - fit[name], true[name] - seen]))
    weights = {}
    for code, rows in found.items():
        r = np.array(rows)
        r = r[np.isfinite(r).all(axis=(1, 2))]
        weight = float((r[:, 0] * r[:, 1]).sum() / (r[:, 1] ** 2).sum())
        rms = [np.sqrt((x**2).sum(axis=1).mean()) for x in (r[:, 0], r[:, 2], r[:, 0] - weight * r[:, 1])]
        print(f"{code}: off by {rms[0]:.2f} mm fitted, {rms[1]:.2f} detected, {rms[2]:.2f} blended by {weight:.2f}")
        if weight > 0.1:
            weights[code] = round(min(weight, 0.6), 2)  # neither source is heard alone
    return weights


def gain(true: np.ndarray, fitted: np.ndarray) -> float:
    """Factor of `fitted` by robust least squares, held toward 1 as by ten people of gain 1, and never below: a fit
    loses movement, and one failed fit among few must not take some away from everyone."""
    weight = np.ones(len(true))
    factor = 1.0
    for _ in range(10):
        factor = float((weight * true) @ fitted / max((weight * fitted) @ fitted, 1e-12))
        off = np.abs(true - factor * fitted)
        reach = 2.0 * 1.48 * max(float(np.median(off)), 1e-6)
        weight = np.minimum(1.0, reach / np.maximum(off, 1e-12)) ** 2
    held = 1.0 + (factor - 1.0) * len(true) / (len(true) + 10.0)
    return round(float(np.clip(held, 1.0, 2.0)), 3)


def learn_gains(exams: list[MeasuredExam], anchors: dict[str, float]) -> dict[str, dict[str, float]]:
    """Gains of the part of a movement that both sides share, and of that by which they differ."""
    template = FaceTemplate.load()
    found: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for exam in exams:
        for region in REGIONS:
            for e in (*FULL[region], *(("lip_pucker",) if region == "mouth" else ())):
                if e not in exam.fitted:
                    continue
                moved = movement(e, exam.fitted["rest"], exam.fitted[e], template)
                moved = restored.anchored(
                    moved, exam.fitted["rest"], template, exam.marks["rest"], exam.marks[e], anchors
                )
                fit = paired(template, moved.displacement, region)
                true = paired(head(), exam.true[e] - exam.true["rest"], region)
                if fit is not None and true is not None:
                    found[region].append((*true.amplitudes(), *fit.amplitudes()))
    gains = {}
    for region, rows in found.items():
        tl, tr, fl, fr = np.array(rows).T
        shared, differing = (tl + tr) / 2, (tl - tr) / 2
        fit_shared, fit_differing = (fl + fr) / 2, (fl - fr) / 2
        gains[region] = {"shared": gain(shared, fit_shared), "differing": gain(differing, fit_differing)}
        print(region, gains[region], f"n {len(rows)}, r {np.corrcoef(differing, fit_differing)[0, 1]:.3f}")
    return gains


def measured(exam: MeasuredExam, side: str | None) -> tuple[Measures, Measures]:
    """(from the scans, true) measures of one exam; both against `side`, or each as found and as it is."""
    f, t = dict(exam.fitted), dict(exam.true)
    found = examine.measure_fits(
        f.pop("rest"), f, FaceTemplate.load(), side, f"s{exam.subject}", str(exam.scan), (), exam.marks
    )
    true = measure_vertices(t.pop("rest"), t, head(), exam.side, f"s{exam.subject}", "true")
    return found, true


def learn_repeatability(exams: list[MeasuredExam], people: str, least: int = 10) -> list[repeatability.Repeatability]:
    """Scatter between two scans of the same face, and distance from the truth.

    Where faces were scanned once, the scatter of that distance between people stands in for it: an upper bound, since
    what a person's own face does to the fit repeats.
    """
    tables, errors, units = [], defaultdict(list), {}
    for exam in exams:
        found, true = measured(exam, exam.side)
        tables.append(found.table)
        known = {(r.measure, r.expression, r.region, r.side): r.value for r in true.rows}
        for r in found.rows:
            truth = known.get((r.measure, r.expression, r.region, r.side), np.nan)
            d = (r.value - truth + 180) % 360 - 180 if r.unit == "deg" else r.value - truth
            if np.isfinite(d):
                errors[r.measure, r.expression, r.region].append(d)
            units[r.measure, r.expression, r.region] = r.unit
    table = pd.concat(tables)
    if table["visit"].nunique() > 1:
        rms = {key: round(float(np.sqrt(np.mean(np.square(e)))), 5) for key, e in errors.items()}
        return [
            replace(one, error=rms.get((one.measure, one.expression, one.region)))
            for one in repeatability.repeatability_from(table, people, least)
        ]
    out = []
    for (m, e, region), values in sorted(errors.items()):
        if len(values) >= least:
            sem = float(np.std(values, ddof=1))
            out.append(repeatability.Repeatability(
                m, e, region, units[m, e, region], round(sem, 5), round(detectable_change(sem), 5), None, len(values),
                f"{people}; scatter about the truth between people",
                round(float(np.sqrt(np.mean(np.square(values)))), 5),
            ))  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("exams", type=Path)
    exams = list(load(parser.parse_args().exams))
    subjects = len({e.subject for e in exams})
    scans = len({e.scan for e in exams})
    people = (
        f"{subjects} simulated subjects, stereophotogrammetry, 20,000 points, scanned {('once', 'twice')[scans > 1]}"
    )
    anchors = learn_anchors(exams)
    gains = learn_gains(exams, anchors)
    note = f"true over fitted movement, least squares; learned on {people}; tools/learn_measuring.py"
    (DATA / "movement_gains.json").write_text(
        json.dumps({"note": note, "anchors": anchors, "gains": gains}, indent=1) + "\n"
    )
    restored._learned.cache_clear()
    repeatability.write_repeatability(DATA / "repeatability.json", learn_repeatability(exams, people))


if __name__ == "__main__":
    main()
