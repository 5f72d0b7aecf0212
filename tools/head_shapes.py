"""Identity, natural asymmetry and movement out of MakeHuman's targets. Build time only."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from face3d.scan import Floats, Ints
from head_source import MPFB, UNITS_A, UNITS_B, Source

TARGETS = MPFB + "targets/"
ANCESTRIES = ("african", "asian", "caucasian")
# How far the local shapes reach, as a share of the artist's extremes (which are caricatures): one standard deviation.
LOCAL_SD = {
    "head": 0.18,
    "nose": 0.22,
    "mouth": 0.2,
    "eyes": 0.2,
    "cheek": 0.25,
    "chin": 0.22,
    "forehead": 0.25,
    "eyebrows": 0.25,
    "ears": 0.25,
    "neck": 0.2,
}
# Shapes that move the face about as a whole, or that only caricatures have.
LEFT_OUT = re.compile(r"head-(trans|back|angle)|ear-shape|neck-(back|trans)|measure-|invertedtriangular|head-diamond")
HEIGHT_SD = 0.06  # of the height targets, which blow the head up with the body
# MakeHuman's people are smaller in the face than real ones, children most: factors that bring face height (n-gn) and
# breadth (zy-zy) to Farkas's means (Anthropometry of the Head and Face, 1994) at these years.
SIZE = ((5.0, 1.23), (6.0, 1.22), (12.0, 1.10), (18.0, 1.06), (90.0, 1.06))
# Likewise mouths narrower and lids less open than Farkas's: a constant share of these local shapes for everybody.
LOCAL_MEAN = {"mouth-scale-horiz": 0.4, "l-eye-height2": 0.4}


@dataclass(frozen=True, eq=False)
class People:
    """Sampled heads. `shapes` (N, P, 3) mm of the picked vertices; `traits` (N, T) what they were drawn from."""

    shapes: Floats
    traits: Floats


TRAITS = ("child", "old", "male", "african", "asian", "muscle", "weight")


def local_shapes(source: Source, pick: Ints) -> tuple[list[tuple[float, float, Floats, Floats]], list[Floats]]:
    """Symmetric (mean, sd, lesser, greater) displacement pairs of the local targets, and one-sided left halves."""
    pairs: dict[str, dict[str, Floats]] = defaultdict(dict)
    lesser = {"decr", "down", "in", "backward", "concave", "compress"}
    greater = {"incr", "up", "out", "forward", "convex", "uncompress"}
    spread: dict[str, float] = {}
    one_sided: list[Floats] = []
    for folder, sd in LOCAL_SD.items():
        for stem, path in source.folder(TARGETS + folder):
            if LEFT_OUT.search(stem) or stem.startswith("r-"):
                continue
            move = source.target(path)
            if stem.startswith("l-"):
                one_sided.append(move[pick])
                move = move + source.reflected(move)
            move = (move + source.reflected(move)) / 2
            root, _, way = stem.rpartition("-")
            key = root if way in lesser | greater else stem
            pairs[key]["greater" if way in greater or key == stem else "lesser"] = move[pick]
            spread[key] = sd
    zero = np.zeros((len(pick), 3))
    both = [
        (LOCAL_MEAN.get(k, 0.0), spread[k], p.get("lesser", zero), p.get("greater", zero))
        for k, p in sorted(pairs.items())
    ]
    return both, one_sided


class Macros:
    """MakeHuman's macro shapes: age x sex x ancestry, age x sex x muscle x weight, and height, blended linearly."""

    def __init__(self, source: Source, pick: Ints) -> None:
        self.table: dict[str, Floats] = {}
        for folder in ("macrodetails", "macrodetails/height"):
            for stem, path in source.folder(TARGETS + folder):
                move = source.target(path)
                self.table[stem] = ((move + source.reflected(move)) / 2)[pick]
        self.zero = np.zeros((len(pick), 3))

    def shape(self, age: float, male: float, ancestry: Floats, muscle: float, weight: float, height: float) -> Floats:
        """`age` in MakeHuman's scale (see `age_of`); `height` -1..1; the others 0..1."""
        ages = _hat(age, {"baby": 0.0, "child": 0.1875, "young": 0.5, "old": 1.0})
        sexes = {"female": 1 - male, "male": male}
        muscles = _hat(muscle, {"minmuscle": 0.0, "averagemuscle": 0.5, "maxmuscle": 1.0})
        weights = _hat(weight, {"minweight": 0.0, "averageweight": 0.5, "maxweight": 1.0})
        total = self.zero.copy()
        for a, wa in ages.items():
            for s, ws in sexes.items():
                for e, we in zip(ANCESTRIES, ancestry, strict=True):
                    total += wa * ws * we * self.table.get(f"{e}-{s}-{a}", self.zero)
                for m, wm in muscles.items():
                    for g, wg in weights.items():
                        share = wa * ws * wm * wg
                        total += share * self.table.get(f"universal-{s}-{a}-{m}-{g}", self.zero)
                        way = "maxheight" if height > 0 else "minheight"
                        total += share * abs(height) * self.table.get(f"{s}-{a}-{m}-{g}-{way}", self.zero)
        return total


def _hat(value: float, knots: dict[str, float]) -> dict[str, float]:
    names, at = list(knots), np.array(list(knots.values()))
    weights = {n: float(np.interp(value, at, np.eye(len(at))[i])) for i, n in enumerate(names)}
    return {n: w for n, w in weights.items() if w > 0}


def age_of(years: float) -> float:
    """Years in MakeHuman's age scale."""
    return float(np.interp(years, [1, 12, 25, 90], [0, 0.1875, 0.5, 1.0]))


def sample_people(source: Source, pick: Ints, count: int, rng: np.random.Generator) -> People:
    """Heads of people of 5 to 85 years, of both sexes and mixed ancestry, in MakeHuman's frame."""
    macros, (local, _) = Macros(source, pick), local_shapes(source, pick)
    base = source.vertices[pick]
    shapes, traits = np.empty((count, len(pick), 3)), np.empty((count, len(TRAITS)))
    ages, sizes = zip(*SIZE, strict=True)
    for i in range(count):
        years = float(np.clip(rng.gamma(4.0, 11.0), 5, 85)) if rng.random() > 0.15 else float(rng.uniform(5, 16))
        male = float(np.clip(rng.choice([0.1, 0.9]) + 0.08 * rng.normal(), 0, 1))
        ancestry = rng.dirichlet([0.6, 0.6, 0.6])
        muscle, weight = np.clip(0.5 + 0.15 * rng.normal(size=2), 0, 1)
        height = float(np.clip(HEIGHT_SD * rng.normal(), -0.3, 0.3))
        shape = base + macros.shape(age_of(years), male, ancestry, float(muscle), float(weight), height)
        for (mean, sd, lesser, greater), value in zip(local, rng.normal(size=len(local)), strict=True):
            amount = mean + float(np.clip(sd * value, -0.8, 0.8))
            shape += abs(amount) * (greater if amount > 0 else lesser)
        shapes[i] = shape * np.interp(years, ages, sizes)
        traits[i] = (
            np.clip((25 - years) / 20, 0, 1),
            np.clip((years - 25) / 60, 0, 1),
            male,
            ancestry[0],
            ancestry[1],
            muscle,
            weight,
        )
    return People(shapes, traits)


def asymmetry_shapes(source: Source, pick: Ints) -> Floats:
    """Antisymmetric displacement fields (M, P, 3) mm: the artist's asymmetries, and local shapes on one side only."""
    fields = []
    for stem, path in source.folder(TARGETS + "asym"):
        if stem.startswith("asym-") and stem.endswith("-l"):
            move = source.target(path)
            fields.append(((move - source.reflected(move)) / 2)[pick])
    mirror = np.searchsorted(pick, source.opposite[pick])
    for move in local_shapes(source, pick)[1]:
        fields.append((move - move[mirror] * [-1, 1, 1]) / 2)
    return np.array(fields)


def movements_a(source: Source) -> dict[str, Floats]:
    """ARKit-named units (Mika Suominen's face units) -> left-sided field (19158, 3) mm; a side's suffix is dropped."""
    raw = {stem: source.target(path) for stem, path in source.folder(UNITS_A)}
    fields: dict[str, Floats] = {}
    for stem, move in raw.items():
        if stem.endswith("Left"):
            fields[stem.removesuffix("Left")] = (move + source.reflected(raw[stem.removesuffix("Left") + "Right"])) / 2
        elif not stem.endswith("Right"):
            fields[stem] = (move + source.reflected(move)) / 2
    return fields


def movements_b(source: Source) -> dict[str, Floats]:
    """MakeHuman's own expression units, mean of three ancestries -> left-sided or whole field (19158, 3) mm."""
    raw: dict[str, Floats] = defaultdict(lambda: np.zeros_like(source.vertices))
    for ancestry in ANCESTRIES:
        for stem, path in source.folder(UNITS_B + ancestry):
            raw[stem] = raw[stem] + source.target(path) / len(ANCESTRIES)
    # The set has no cheek puff; the same author's full cheek serves as one.
    cheek = source.target(f"{TARGETS}cheek/l-cheek-volume-incr.target.gz")
    fields: dict[str, Floats] = {"cheek-volume": cheek}
    for stem, move in raw.items():
        if "-left-" in stem:
            fields[stem.replace("-left-", "-")] = (move + source.reflected(raw[stem.replace("-left-", "-right-")])) / 2
        elif "-right-" not in stem:
            fields[stem] = (move + source.reflected(move)) / 2
    return fields


#: Fields that hold both sides and are parted at the midline; the rest is one-sided, or lateral as a whole.
def is_whole(source: Source, move: Floats) -> bool:
    """True when both halves of the face move alike."""
    size = np.linalg.norm(move, axis=1)
    return bool(np.allclose(size, size[source.opposite], atol=1e-6))
