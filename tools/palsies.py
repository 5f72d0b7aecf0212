"""Simulated patients beside what is published of patients: prints Markdown tables.

python tools/palsies.py [--movement a] [--people 240] [--seed 600]
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from face3d.landmarks import other_side
from face3d.reference.agreement import icc, weighted_kappa
from face3d.simulate import HeadModel, draw_patient, truth_of
from face3d.simulate.expressions import BRANCHES
from face3d.simulate.truth import rated

REGIONS = ("brow", "eye", "midface", "mouth", "lower_lip")
#: Unasked movement from which on it is seen at all: the first cut of `scale_rules.json`.
SEEN = 0.08
#: House's borders between grades, as function left.
BORDERS = np.array([0.97, 0.75, 0.50, 0.25, 0.03])


def patients(movement: str, people: int, seed: int) -> pd.DataFrame:
    """One row a patient, grades 2 to 6 in turn."""
    model = HeadModel.load(movement)
    rows = []
    for k in range(people):
        patient = draw_patient(np.random.default_rng([seed, k]), model, 2 + k % 5)
        truth, ill, well = truth_of(patient), patient.side, other_side(patient.side)
        value, unasked = truth.measures.value, truth.measures.synkinesis
        sunnybrook = truth.scales.sunnybrook
        raters = [rated(truth, np.random.default_rng([seed, k, r])) for r in range(2)]
        rows.append(
            {
                "asked": 2 + k % 5,
                "grade": truth.house_brackmann,
                "state": patient.state,
                "pattern": patient.pattern,
                "severity": truth.severity,
                "sunnybrook": sunnybrook.composite if sunnybrook else np.nan,
                "gap_gentle": value("closure_gap", "gentle_eye_closure", ill),
                "gap_tight": value("closure_gap", "tight_eye_closure", ill),
                "wider": value("fissure_height", "rest", ill) - value("fissure_height", "rest", well),
                "corner": abs(value("rest_difference", "rest", region="commissure")),
                "mouth_in_brow": unasked["brow_raise", "mouth"],
                "mouth_in_closure": unasked["gentle_eye_closure", "mouth"],
                "eye_in_pucker": unasked["lip_pucker", "eye"],
                "brow_in_smile": unasked["open_smile", "brow"],
                "brow_in_closure": unasked["gentle_eye_closure", "brow"],
                **{f"branch {b}": patient.branches[b] for b in BRANCHES},
                **{f"function {r}": truth.region_function[r] for r in REGIONS},
                **{f"rater {r}": rating.house_brackmann for r, rating in enumerate(raters)},
                **{f"rater sunnybrook {r}": rating.sunnybrook.composite for r, rating in enumerate(raters)},
            }
        )
    return pd.DataFrame(rows)


def _off_diagonal(table: pd.DataFrame) -> str:
    r = np.corrcoef(table.to_numpy().T)
    values = r[np.triu_indices(len(r), 1)]
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"


def compared(d: pd.DataFrame) -> list[tuple[str, str, str]]:
    """(quantity, simulated, published) rows."""
    partial, regrown = d[d.asked < 6], d[(d.state == "recovered") & d.asked.isin([3, 4, 5])]
    acute, surgical = d[(d.state == "onset") & (d.asked >= 5)], d[(d.state == "onset") & (d.asked >= 4)]
    gap = (d["function brow"] - d["function mouth"]).abs()
    near = np.abs((1 - partial.severity.to_numpy())[:, None] - BORDERS).min(axis=1) < 0.01
    first = d[["rater sunnybrook 0", "rater sunnybrook 1"]].to_numpy(float)

    def share(of: pd.Series) -> str:
        return f"{100 * float(of.mean()):.0f} %"

    rows = [
        (
            "grade asked for comes out (not an isolated marginal branch)",
            share((d.grade == d.asked)[d.pattern != "marginal"]),
            "all",
        ),
        ("correlation of branches, II to V", _off_diagonal(partial[[f"branch {b}" for b in BRANCHES]]), "about 0.5"),
        ("correlation of regions, II to V", _off_diagonal(partial[[f"function {r}" for r in REGIONS]]), ""),
        ("brow and mouth differ by more than 0.4", share(gap > 0.4), ""),
        ("within 0.01 of a border between grades, II to V", share(pd.Series(near)), "9 % if uniform"),
    ]
    rows += [
        (
            f"grade {g}: gap over 1 mm with effort; gentle gap, mm; corner 3 mm off at rest",
            f"{share(x.gap_tight > 1)}; {x.gap_gentle.mean():.1f} ± {x.gap_gentle.std():.1f}; {share(x.corner >= 3)}",
            {
                2: "closes; normal at rest",
                3: "closes with effort; normal at rest",
                4: "does not close; normal at rest",
                5: "does not close; asymmetric at rest",
                6: "does not close; asymmetric at rest",
            }[int(g)],
        )
        for g, x in d.groupby("asked")
    ]
    return [
        *rows,
        (
            "lagophthalmos IV to VI, flaccid, mm",
            f"{surgical.gap_gentle.mean():.1f} ± {surgical.gap_gentle.std():.1f}",
            "7.1 ± 2.7 before surgery (10.4274/tjo.13549, n = 35)",
        ),
        ("acute V and VI: affected eye narrower", share(acute.wider < 0), "wider"),
        ("the same: wider by, mm", f"{acute.wider.mean():.1f} ± {acute.wider.std():.1f}", ""),
        ("regrown III to V: mouth in brow raise", share(regrown.mouth_in_brow > SEEN), "89 % (n = 103)"),
        ("mouth in gentle closure", share(regrown.mouth_in_closure > SEEN), "85 %"),
        ("eye in pucker", share(regrown.eye_in_pucker > SEEN), "82 %"),
        ("brow in smile", share(regrown.brow_in_smile > SEEN), "17 %"),
        ("brow in closure (paradoxical frontalis)", share(regrown.brow_in_closure > SEEN), "27 % (PRS 2018)"),
        (
            "two raters, Sunnybrook ICC",
            str(icc(first)),
            "0.89 to 0.93 (10.1002/lary.20868)",
        ),
        (
            "two raters, House-Brackmann plain kappa",
            str(weighted_kappa(d["rater 0"], d["rater 1"], range(1, 7), "none")),
            "0.40 to 0.54",
        ),
        ("two raters agree on the grade", share(d["rater 0"] == d["rater 1"]), "44 to 50 %"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--movement", default="a", choices=["a", "b"])
    parser.add_argument("--people", type=int, default=240)
    parser.add_argument("--seed", type=int, default=600)
    args = parser.parse_args()
    print("| quantity | simulated | published |\n|---|---|---|")
    for line in compared(patients(args.movement, args.people, args.seed)):
        print(f"| {' | '.join(line)} |")
