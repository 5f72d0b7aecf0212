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


def learn_gains(exams: list[MeasuredExam]) -> dict[str, dict[str, float]]:
    """Least squares of true on fitted amplitude, of the part both sides share and of that by which they differ."""
    template = FaceTemplate.load()
    found: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for exam in exams:
        for region in REGIONS:
            for e in (*FULL[region], *(("lip_pucker",) if region == "mouth" else ())):
                if e not in exam.fitted:
                    continue
                moved = movement(e, exam.fitted["rest"], exam.fitted[e], template)
                fit = paired(template, moved.displacement, region)
                true = paired(head(), exam.true[e] - exam.true["rest"], region)
                if fit is not None and true is not None:
                    found[region].append((*true.amplitudes(), *fit.amplitudes()))
    gains = {}
    for region, rows in found.items():
        tl, tr, fl, fr = np.array(rows).T
        shared, differing = (tl + tr) / 2, (tl - tr) / 2
        fit_shared, fit_differing = (fl + fr) / 2, (fl - fr) / 2
        gains[region] = {
            "shared": round(float(shared @ fit_shared / (fit_shared @ fit_shared)), 3),
            "differing": round(float(differing @ fit_differing / (fit_differing @ fit_differing)), 3),
        }
        print(region, gains[region], f"n {len(rows)}, r {np.corrcoef(differing, fit_differing)[0, 1]:.3f}")
    return gains


def measured(exam: MeasuredExam, side: str | None) -> tuple[Measures, Measures]:
    """(from the scans, true) measures of one exam; both against `side`, or each as found and as it is."""
    f, t = dict(exam.fitted), dict(exam.true)
    found = examine.measure_fits(f.pop("rest"), f, FaceTemplate.load(), side, f"s{exam.subject}", str(exam.scan))
    true = measure_vertices(t.pop("rest"), t, head(), exam.side, f"s{exam.subject}", "true")
    return found, true


def learn_repeatability(exams: list[MeasuredExam], people: str) -> list[repeatability.Repeatability]:
    """Scatter between two scans of the same face, and distance from the truth."""
    tables, errors = [], defaultdict(list)
    for exam in exams:
        found, true = measured(exam, exam.side)
        tables.append(found.table)
        known = {(r.measure, r.expression, r.region, r.side): r.value for r in true.rows}
        for r in found.rows:
            errors[r.measure, r.expression, r.region].append(
                r.value - known.get((r.measure, r.expression, r.region, r.side), np.nan)
            )
    out = []
    for one in repeatability.repeatability_from(pd.concat(tables), people):
        e = np.array(errors[one.measure, one.expression, one.region])
        if one.unit == "deg":
            e = (e + 180) % 360 - 180
        e = e[np.isfinite(e)]
        out.append(replace(one, error=round(float(np.sqrt(np.mean(e**2))), 5) if len(e) else None))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("exams", type=Path)
    exams = list(load(parser.parse_args().exams))
    subjects = len({e.subject for e in exams})
    people = f"{subjects} simulated subjects, stereophotogrammetry, 20,000 points, each scanned twice without moving"
    gains = learn_gains(exams)
    note = f"true over fitted movement, least squares; learned on {people}; tools/learn_measuring.py"
    (DATA / "movement_gains.json").write_text(json.dumps({"note": note, "gains": gains}, indent=1) + "\n")
    restored.gains.cache_clear()
    repeatability.write_repeatability(DATA / "repeatability.json", learn_repeatability(exams, people))


if __name__ == "__main__":
    main()
