"""When a grade should not be believed: what makes an exam unlike those that grading was learned on.

Each doubt is a sentence with the value and the limit. The limits are quantiles of held-out training exams
(`tools/calibrate_grading.py`), so that each raises a false alarm in about one exam of two hundred at most; age and
side are facts of the exam.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from face3d.grading.example import MOVEMENTS, SCANS, Example
from face3d.grading.grid import MARKS, Grid
from face3d.scan import Floats
from face3d.values import Value

#: Ages (years) of the simulated people that grading was learned on; children's faces and norms are others.
ADULT = 18.0
#: A network learned to grade by these: with no smile nothing says what the mouth can do.
SMILES = ("open_smile", "closed_smile")
#: expression -> region whose movement on the stronger side says whether the face moved at all.
SHOWN: Mapping[str, str] = {
    "brow_raise": "brow",
    "gentle_eye_closure": "upper_lid",
    "open_smile": "commissure",
    "closed_smile": "commissure",
}
#: A scan that is another expression than its name says, with at least this probability.
SWAPPED = 0.9
QUALITY = (
    "median distance to the template, mm",
    "95th percentile of the distance, mm",
    "share not supported",
    "share of folded triangles",
    "unusual shape, SD",
    "share of stretched edges",
)
SIZES: Mapping[str, tuple[str, str]] = {
    "distance between the inner eye corners, mm": ("en_left", "en_right"),
    "distance between the outer eye corners, mm": ("ex_left", "ex_right"),
    "nasion to gnathion, mm": ("n", "gn"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Usual(Value):
    """What held-out training exams look like: `low`, `high` name -> limit; `mean` (D,), `axes` (D, K) and `scale` (K,)
    of their movement, `cloud` (n, K) where they lie in it, `far` the distance beyond which an exam lies in the void."""

    low: Mapping[str, float]
    high: Mapping[str, float]
    mean: Floats
    axes: Floats
    scale: Floats
    cloud: Floats
    far: float

    @classmethod
    def of(cls, examples: Sequence[Example], grid: Grid, tail: float = 0.005, dimensions: int = 20) -> Usual:
        """Learned from exams (n of them): limits at the `tail` quantiles, a fifth of the range beyond."""
        every = [numbers(e, grid) for e in examples]
        names = sorted({name for found in every for name in found})
        low, high = {}, {}
        for name in names:
            values = np.array([found[name] for found in every if np.isfinite(found.get(name, np.nan))])
            a, b = np.quantile(values, [tail, 1 - tail])
            low[name], high[name] = float(a - 0.2 * (b - a)), float(b + 0.2 * (b - a))
        moves = np.array([_movement(e, grid) for e in examples])
        mean = np.nanmean(moves, axis=0)
        centred = np.nan_to_num(moves - mean)
        _, size, axes = np.linalg.svd(centred, full_matrices=False)
        k = min(dimensions, len(size))
        scale = np.maximum(size[:k] / np.sqrt(len(examples)), 1e-6)
        cloud = centred @ axes[:k].T / scale
        near = KDTree(cloud).query(cloud, k=2)[0][:, 1]
        return cls(low, high, mean, axes[:k].T, scale, cloud, float(1.2 * np.quantile(near, 1 - tail)))

    def distance(self, example: Example, grid: Grid) -> float:
        """How far the exam's movement lies from the nearest exam that was learned on."""
        move = np.nan_to_num(_movement(example, grid) - self.mean) @ self.axes / self.scale
        return float(KDTree(self.cloud).query(move)[0])

    def doubts(self, example: Example, grid: Grid) -> list[str]:
        """What is unlike the exams that were learned on; empty when nothing is."""
        found = numbers(example, grid)
        said = []
        for name, value in found.items():
            if not np.isfinite(value) or name not in self.low:
                continue
            if name.startswith("movement"):
                if value < self.low[name]:
                    said.append(
                        f"{name}: {value:.1f} mm on the side that moves more, usual from {self.low[name]:.1f}: "
                        "bilateral palsy, no effort, or another expression"
                    )
            elif value > self.high[name]:
                said.append(f"{name}: {value:.2f}, usual up to {self.high[name]:.2f}")
            elif value < self.low[name] and name in SIZES:
                said.append(f"{name}: {value:.1f}, usual from {self.low[name]:.1f}: a child, or a wrong unit")
        away = self.distance(example, grid)
        if away > self.far:
            said.append(f"the movement is unlike any that grading was learned on: distance {away:.1f} > {self.far:.1f}")
        return said


def numbers(example: Example, grid: Grid) -> dict[str, float]:
    """What is checked against its usual range: sizes of the face, movement of the stronger side, quality of fits."""
    where = {name: MARKS.index(name) for pair in SIZES.values() for name in pair}
    out = {
        name: float(np.linalg.norm(example.marks[where[a]] - example.marks[where[b]])) for name, (a, b) in SIZES.items()
    }
    for expression, region in SHOWN.items():
        move = example.moves[MOVEMENTS.index(expression)]
        weight = grid.regions[: grid.pairs, grid.region_names.index(region)]
        sides = []
        for part in (move[: grid.pairs], move[grid.pairs : 2 * grid.pairs]):
            seen = np.asarray(np.isfinite(part).all(axis=1)) & (weight > 0.3)
            sides.append(np.sqrt((part[seen] ** 2).sum(axis=1).mean()) if seen.any() else np.nan)
        out[f"movement of the {region.replace('_', ' ')}, {expression.replace('_', ' ')}"] = float(np.max(sides))
    worst = {"rest": example.quality[:1], "movements": example.quality[1:][example.shown[1:]]}
    for which, rows in worst.items():
        for k, name in enumerate(QUALITY):
            if len(rows):
                out[f"{name} ({which})"] = float(rows[:, k].max())
    return out


def certain_doubts(example: Example, names: Mapping[str, tuple[str, float]]) -> list[str]:
    """Doubts that need no statistics: expressions that are missing or swapped, age, a palsy of both sides.

    `names`: expression as labelled -> what it looks like and the probability (`face3d.grading.naming`).
    """
    said = []
    shown = {name for name, there in zip(SCANS, example.shown, strict=True) if there}
    if not shown & set(SMILES):
        said.append("no smile was scanned or could be used; the mouth cannot be graded without one")
    elif "brow_raise" not in shown:
        said.append("no brow raise was scanned or could be used; House's rule takes half of its grade from it")
    years = example.facts.get("age_years")
    if isinstance(years, int | float) and years < ADULT:
        said.append(f"{years:g} years old; grading was learned on adults from {ADULT:g}")
    if example.facts.get("affected_side") == "both":
        said.append("both sides are said to be affected; grading compares an ill side with a healthy one")
    for labelled, (looks, probability) in names.items():
        if looks != labelled and probability >= SWAPPED and not _alike(labelled, looks):
            said.append(f"the scan named {labelled} looks like {looks} ({probability:.0%}); are files swapped?")
    return said


def _alike(a: str, b: str) -> bool:
    """Expressions that differ by degree only: swapping them is no error that could be seen."""
    return any({a, b} <= set(pair) for pair in (SMILES, ("gentle_eye_closure", "tight_eye_closure")))


def _movement(example: Example, grid: Grid) -> Floats:
    """(D,) all movement, what both sides share and, without sign, by what they differ, every third node."""
    here, there = example.moves[:, : grid.pairs : 3], example.moves[:, grid.pairs : 2 * grid.pairs : 3]
    there = there * np.array([-1.0, 1.0, 1.0])
    return np.concatenate([((here + there) / 2).ravel(), np.abs((here - there) / 2).ravel()]).astype(np.float64)
