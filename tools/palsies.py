"""Simulated patients beside what is published of patients: prints Markdown tables.

python tools/palsies.py [--movement a] [--people 240] [--seed 600]
"""

from __future__ import annotations

import argparse

import numpy as np

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


def patients(movement: str, people: int, seed: int) -> dict[str, np.ndarray]:
    """Columns of one value a patient, grades 2 to 6 in turn."""
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
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _off_diagonal(columns: list[np.ndarray]) -> str:
    r = np.corrcoef(columns)
    values = r[np.triu_indices(len(r), 1)]
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"


def _share(of: np.ndarray) -> str:
    return f"{100 * float(np.mean(of)):.0f} %"


def _spread(of: np.ndarray) -> str:
    return f"{of.mean():.1f} ± {of.std(ddof=1):.1f}"


#: What the table says of closure with effort, and of rest (House & Brackmann 1985).
SIGNS = {
    2: "closes; normal at rest",
    3: "closes with effort; normal at rest",
    4: "does not close; normal at rest",
    5: "does not close; asymmetric at rest",
    6: "does not close; asymmetric at rest",
}


def compared(d: dict[str, np.ndarray]) -> list[tuple[str, str, str]]:
    """(quantity, simulated, published) rows."""
    asked, onset = d["asked"], d["state"] == "onset"
    partial, surgical, acute = asked < 6, onset & (asked >= 4), onset & (asked >= 5)
    regrown = ~onset & (asked >= 3)
    near = np.abs((1 - d["severity"])[:, None] - BORDERS).min(axis=1) < 0.01
    raters = np.stack([d[f"rater sunnybrook {r}"] for r in range(2)], axis=1).astype(float)
    grades = d["rater 0"], d["rater 1"]

    def joins(name: str) -> str:
        return _share(d[name][regrown] > SEEN)

    return [
        (
            "grade asked for comes out (not an isolated marginal branch)",
            _share((d["grade"] == asked)[d["pattern"] != "marginal"]),
            "all",
        ),
        ("correlation of branches, II to V", _off_diagonal([d[f"branch {b}"][partial] for b in BRANCHES]), "about 0.5"),
        ("correlation of regions, II to V", _off_diagonal([d[f"function {r}"][partial] for r in REGIONS]), ""),
        ("brow and mouth differ by more than 0.4", _share(np.abs(d["function brow"] - d["function mouth"]) > 0.4), ""),
        ("within 0.01 of a border between grades, II to V", _share(near[partial]), "9 % if uniform"),
        *(
            (
                f"grade {g}: gap over 1 mm with effort; gentle gap, mm; corner 3 mm off at rest",
                f"{_share(d['gap_tight'][asked == g] > 1)}; {_spread(d['gap_gentle'][asked == g])}; "
                f"{_share(d['corner'][asked == g] >= 3)}",
                text,
            )
            for g, text in SIGNS.items()
        ),
        (
            "lagophthalmos IV to VI, flaccid, mm",
            _spread(d["gap_gentle"][surgical]),
            "7.1 ± 2.7 before surgery (10.4274/tjo.13549, n = 35)",
        ),
        ("acute V and VI: affected eye narrower", _share(d["wider"][acute] < 0), "wider"),
        ("the same: wider by, mm", _spread(d["wider"][acute]), ""),
        ("regrown III to V: mouth in brow raise", joins("mouth_in_brow"), "89 % (n = 103)"),
        ("mouth in gentle closure", joins("mouth_in_closure"), "85 %"),
        ("eye in pucker", joins("eye_in_pucker"), "82 %"),
        ("brow in smile", joins("brow_in_smile"), "17 %"),
        ("brow in closure (paradoxical frontalis)", joins("brow_in_closure"), "27 % (10.1097/prs.0000000000004057)"),
        ("two raters, Sunnybrook ICC", str(icc(raters)), "0.89 to 0.93 (10.1002/lary.20868)"),
        (
            "two raters, House-Brackmann plain kappa",
            str(weighted_kappa(*grades, range(1, 7), "none")),
            "0.40 to 0.54",
        ),
        ("two raters agree on the grade", _share(grades[0] == grades[1]), "44 to 50 %"),
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
