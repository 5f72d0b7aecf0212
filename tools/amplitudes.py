"""Healthy simulated adults against published amplitudes: prints a Markdown table.

python tools/amplitudes.py [--movement a] [--people 60] [--seed 500]
"""

from __future__ import annotations

import argparse

import numpy as np

from face3d.landmarks import SIDES
from face3d.simulate import HeadModel, draw_healthy

# quantity -> published mean, SD, source (all healthy adults)
PUBLISHED = {
    "commissure excursion, open smile, mm": ("9.28 ± 2.83; 13.7", "n = 12; n = 50, optical motion capture"),
    "commissure excursion, closed smile, mm": ("below the open smile", ""),
    "brow raise, mm": ("10.57 ± 2.51", "n = 12"),
    "lid closure (upper lid's way), mm": ("9.09 ± 2.20", "n = 12"),
    "fissure height at rest, mm": ("10.8 ± 1.2", "Farkas 1994, young adults"),
    "fissure left at gentle closure, mm": ("0", ""),
    "lower lip depression, mm": ("3 to 8", "clinical impression; no norm found"),
    "dynamic symmetry brow, %": ("91 ± 6", "smaller / larger"),
    "dynamic symmetry smile, %": ("91 ± 6", "smaller / larger"),
    "left-right difference of smile, mm": ("0.48 to 2.28", "n = 42, range over movements"),
    "chin's way down, open smile, mm": ("", "no norm found"),
    "chin's way aside, long E, mm": ("", "no norm found"),
    "ala's way up, snarl, mm": ("", "no norm found"),
    "forehead 20 to 30 mm above the eye, share of the brow's way, %": ("71", "another artist's head"),
    "the same, 30 to 40 mm, %": ("48", "another artist's head"),
    "the same, 40 to 50 mm, %": ("16", "another artist's head"),
    "the same, 65 to 75 mm, %": ("below 0", "27 of 27 people, Cotofana 2020"),
}
#: mm above the eye, in which a raised forehead is read.
BANDS = {20: "forehead 20 to 30 mm above the eye, share of the brow's way, %"} | {
    low: f"the same, {low} to {low + 10} mm, %" for low in (30, 40, 65)
}

SHOWN = ("rest", "open_smile", "closed_smile", "brow_raise", "gentle_eye_closure", "lower_lip_depression", "snarl")


def amplitudes(movement: str, people: int, seed: int) -> dict[str, np.ndarray]:
    """Quantity -> values of all people (both sides where a side has its own)."""
    model = HeadModel.load(movement)
    found: dict[str, list[float]] = {name: [] for name in PUBLISHED}
    for k in range(people):
        person = draw_healthy(np.random.default_rng([seed, k]), model)
        shape = {name: person.vertices(name) for name in SHOWN}
        at = {name: model.landmark_points(vertices) for name, vertices in shape.items()}
        raised, v = (shape["brow_raise"] - shape["rest"])[:, 1], model.vertices
        front = (np.abs(v[:, 0]) < 50) & (v[:, 2] > -30)

        def way(mark: str, name: str, at: dict = at) -> float:
            return float(np.linalg.norm(at[name][mark] - at["rest"][mark]))

        smile = [way(f"ch_{s}", "open_smile") for s in SIDES]
        brow = [way(f"sci_{s}", "brow_raise") for s in SIDES]
        values = {
            "commissure excursion, open smile, mm": smile,
            "commissure excursion, closed smile, mm": [way(f"ch_{s}", "closed_smile") for s in SIDES],
            "brow raise, mm": brow,
            "lid closure (upper lid's way), mm": [way(f"ps_{s}", "gentle_eye_closure") for s in SIDES],
            "fissure height at rest, mm": [_fissure(at["rest"], s) for s in SIDES],
            "fissure left at gentle closure, mm": [_fissure(at["gentle_eye_closure"], s) for s in SIDES],
            "lower lip depression, mm": [way("li", "lower_lip_depression")],
            "dynamic symmetry brow, %": [100 * min(brow) / max(brow)],
            "dynamic symmetry smile, %": [100 * min(smile) / max(smile)],
            "left-right difference of smile, mm": [abs(smile[0] - smile[1])],
            "chin's way down, open smile, mm": [float(at["rest"]["gn"][1] - at["open_smile"]["gn"][1])],
            "chin's way aside, long E, mm": [float(at["lower_lip_depression"]["gn"][0] - at["rest"]["gn"][0])],
            "ala's way up, snarl, mm": [float(at["snarl"][f"al_{s}"][1] - at["rest"][f"al_{s}"][1]) for s in SIDES],
            **{
                name: [100 * float(raised[front & (v[:, 1] >= low) & (v[:, 1] < low + 10)].mean() / raised.max())]
                for low, name in BANDS.items()
            },
        }
        for name, of in values.items():
            found[name] += of
    return {name: np.array(v) for name, v in found.items()}


def _fissure(marks: dict[str, np.ndarray], side: str) -> float:
    return float(marks[f"ps_{side}"][1] - marks[f"pi_{side}"][1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--movement", default="a", choices=["a", "b"])
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--seed", type=int, default=500)
    args = parser.parse_args()
    print("| quantity | simulated, mean ± SD (5 to 95 %) | published | source |\n|---|---|---|---|")
    for name, v in amplitudes(args.movement, args.people, args.seed).items():
        low, high = np.percentile(v, [5, 95])
        print(f"| {name} | {v.mean():.2f} ± {v.std():.2f} ({low:.1f} to {high:.1f}) | {' | '.join(PUBLISHED[name])} |")
