"""Which branches of the nerve are ill: palsies of the whole nerve, of its centre, and of single branches, told apart.

    python benchmarks/lesions.py [--people 6] [--seed 3300]

A palsy above the nucleus (a stroke) spares the forehead, and all but spares the eye; a knife may take one branch alone.
Simulated people of grades II and III (a marginal lesion has whatever grade it has) who move as author a, as author b
and by Waters' muscles in turn are scanned and measured, without their side being told. Function is the share of the
healthy side's movement. "brow less mouth" tells a central palsy from one of the whole nerve; nothing was chosen on
these people, and face3d itself names no lesion.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import face3d
from examination import auc
from face3d.errors import Face3DError
from face3d.exam import Exam
from face3d.simulate import draw_patient
from face3d.simulate.palsies import PATTERNS
from face3d.simulate.scanners import scan_face
from face3d.simulate.truth import truth_of
from seen_exams import SHORT
from shown import Shown, number, numbers
from training_people import model_of

REGIONS = ("brow", "eye", "midface", "mouth", "lower_lip")
MOVES = ("a", "b", "waters")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--people", type=int, default=6, help="of each lesion")
    parser.add_argument("--seed", type=int, default=3300)
    a = parser.parse_args()
    apart: dict[str, list[float]] = defaultdict(list)
    shown = Shown(
        f"Lesions, {a.people} people each, seed {a.seed}: function measured (true; mean error)",
        *("lesion", *REGIONS, "side found", "refused"),
    )
    for number_of, lesion in enumerate(PATTERNS):
        found: dict[str, list[float]] = defaultdict(list)
        true: dict[str, list[float]] = defaultdict(list)
        sides, refused = 0, 0
        for k in range(a.people):
            rng = np.random.default_rng([a.seed, number_of, k])
            grade = 3 if lesion == "marginal" else 2 + k % 2
            patient = draw_patient(rng, model_of(rng, MOVES[k % 3]), grade=grade, pattern=lesion)
            scans = {e: scan_face(patient.model, patient.vertices(e), rng, points=20_000).scan for e in SHORT}
            try:
                m = face3d.measure(Exam("test", scans))
            except Face3DError:
                refused += 1
                continue
            sides += m.affected_side == patient.side
            truth = truth_of(patient).region_function
            # By the side that is ill, so that function means the same in all of them.
            if m.affected_side != patient.side:
                m = face3d.measure(Exam("test", scans), patient.side)
            for region in REGIONS:
                found[region].append(m.region_function[region])
                true[region].append(truth[region])
            apart[lesion].append(m.region_function["brow"] - m.region_function["mouth"])
        cells = []
        for region in REGIONS:
            measured, truly = np.array(found[region]), np.array(true[region])
            off = float(np.nanmean(np.abs(measured - truly))) if len(truly) else np.nan
            mean, meant = (float(np.nanmean(v)) if len(v) else np.nan for v in (measured, truly))
            cells.append(f"{number(mean)} ({number(meant)}; {number(off)})")
        shown.row(lesion, *cells, f"{sides} of {a.people - refused}", refused)
    shown = Shown("Central or whole", "by", "ROC-AUC", "least of central", "most of whole")
    central, whole = np.array(apart["central"]), np.array(apart["whole"])
    known = auc(np.concatenate([central, whole]), np.arange(len(central) + len(whole)) < len(central))
    shown.row("brow less mouth", *numbers([known, float(np.nanmin(central)), float(np.nanmax(whole))]))


if __name__ == "__main__":
    main()
