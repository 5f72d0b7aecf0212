"""Healthy simulated faces against published left-right differences, pair by pair: prints a Markdown table.

python tools/left_right.py [--movement a] [--people 400] [--seed 700]     exit code 1 if one is outside
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass

import numpy as np

from face3d.landmarks import SIDES
from face3d.measuring.readings import rest_rows
from face3d.simulate import HeadModel, draw_healthy
from face3d.simulate.natural import natural_surface_rms


@dataclass(frozen=True)
class Published:
    """A quantity of `rest`, and what healthy people (or, where `bound`, patients for eyelid surgery, who are less even)
    have of it: a `figure` of |difference|, by name, with the range in which ours must be."""

    quantity: str
    figure: str
    low: float
    high: float
    text: str


# Ranges: a mean's published confidence interval, or mean ± 1.96 SD / sqrt(n); a share's exact 95 % interval.
PUBLISHED = (
    Published("fissure height, mm", "share of 1 mm or more, %", 1.9, 12.8, "5.7 %: Lam 1995, n = 88"),
    Published("fissure height, mm", "largest", 0.0, 2.1, "2.1: Lam 1995, n = 88"),
    Published("upper lid height over the eye's level, mm", "mean", 0.0, 0.65, "0.55 (0.45 to 0.65) *"),
    Published("inner canthus height, mm", "mean", 0.90, 1.38, "1.14 ± 1.07: Lee 2020, n = 76"),
    Published("outer canthus height, mm", "mean", 0.0, 2.40, "2.03 ± 1.64: Lee 2020, n = 76"),
    Published("brow height (sci), mm", "mean", 0.0, 2.07, "1.77 (1.47 to 2.07) *"),
    Published("brow height (mb), mm", "mean", 0.0, 1.54, "1.34 (1.14 to 1.54) *"),
    Published("brow height (lb), mm", "mean", 0.0, 2.06, "1.78 (1.50 to 2.06) *"),
    Published("ala height, mm", "share of 1 mm or more, %", 17.9, 31.9, "24 % (38 of 156) dislocated by 1.0 to 1.5 mm"),
    Published("commissure-canthus angle, degrees", "mean", 1.87, 2.53, "2.2 ± 1.7: Klimach 2020, n = 104"),
    Published("commissure-canthus angle, degrees", "97.5 %", 4.5, 7.5, "6.2: Klimach 2020, n = 104"),
    Published(
        "mouth's line against the outer canthi's, degrees", "SD", 1.2, 1.5, "1.4, women 1.3: PMID 17954309, n = 1282"
    ),
    Published("whole face, mirrored surface RMS, mm", "mean", 0.608, 0.642, "0.625 ± 0.16: Taylor 2014, n = 350"),
)


def differences(movement: str, people: int, seed: int) -> dict[str, np.ndarray]:
    """Quantity -> left minus right (people,)."""
    model = HeadModel.load(movement)
    found: dict[str, list[float]] = {}
    for k in range(people):
        person = draw_healthy(np.random.default_rng([seed, k]), model)
        rest = person.vertices("rest")
        p = person.model.landmark_points(rest)
        rows = {(r.measure, r.region): r.value for r in rest_rows(rest, person.model) if r.side == "both"}

        def up(name: str, p: dict = p) -> float:
            return float(p[f"{name}_left"][1] - p[f"{name}_right"][1])

        eye = (up("en") + up("ex")) / 2
        angles = [_commissure_angle(p, s) for s in SIDES]
        values = {
            "fissure height, mm": rows["rest_difference", "eye"],
            "upper lid height over the eye's level, mm": up("ps") - eye,
            "inner canthus height, mm": up("en"),
            "outer canthus height, mm": up("ex"),
            "brow height (sci), mm": rows["rest_difference", "brow"],
            "brow height (mb), mm": up("mb") - eye,
            "brow height (lb), mm": up("lb") - eye,
            "ala height, mm": rows["rest_difference", "alar"],
            "commissure-canthus angle, degrees": angles[0] - angles[1],
            "mouth's line against the outer canthi's, degrees": _tilt(p, "ch") - _tilt(p, "ex"),
            "whole face, mirrored surface RMS, mm": natural_surface_rms(person.model, person.asymmetry),
        }
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {name: np.array(v) for name, v in found.items()}


def _commissure_angle(p: dict[str, np.ndarray], side: str) -> float:
    """Between the line of the mouth's corners and that from a corner to its inner canthus, in the frontal plane."""
    other = "right" if side == "left" else "left"
    across, upward = (p[f"ch_{other}"] - p[f"ch_{side}"])[:2], (p[f"en_{side}"] - p[f"ch_{side}"])[:2]
    cosine = across @ upward / np.linalg.norm(across) / np.linalg.norm(upward)
    return math.degrees(math.acos(float(cosine)))


def _tilt(p: dict[str, np.ndarray], name: str) -> float:
    """Of a line between both sides, in the frontal plane, degrees: + left is higher."""
    across, upward = (p[f"{name}_left"] - p[f"{name}_right"])[:2]
    return math.degrees(math.atan2(upward, across))


def figure(values: np.ndarray, name: str) -> float:
    """A figure of |values| by its name in `PUBLISHED`."""
    size = np.abs(values)
    return {
        "mean": float(size.mean()),
        "SD": float(values.std()),
        "largest": float(size.max()),
        "97.5 %": float(np.percentile(size, 97.5)),
        "share of 1 mm or more, %": 100 * float((size >= 1.0).mean()),
    }[name]


def main(movement: str, people: int, seed: int) -> int:
    """Print; 0 if all are inside."""
    found, outside = differences(movement, people, seed), 0
    print("| left against right, healthy | of it | simulated (SD) | allowed | published |\n|---|---|---|---|---|")
    for known in PUBLISHED:
        values = found[known.quantity]
        value = figure(values, known.figure)
        inside = known.low <= value <= known.high
        outside += not inside
        allowed = f"{known.low:g} to {known.high:g}" + ("" if inside else ": **outside**")
        print(f"| {known.quantity} | {known.figure} | {value:.2f} ({values.std():.2f}) | {allowed} | {known.text} |")
    print(
        "\n\\* 100 people evaluated for blepharoplasty (10.1186/s40463-014-0036-4): healthy ones are at most as uneven."
    )
    return int(outside > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--movement", default="a", choices=["a", "b"])
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--seed", type=int, default=700)
    args = parser.parse_args()
    sys.exit(main(args.movement, args.people, args.seed))
