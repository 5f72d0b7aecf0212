"""Which side moves less, and how much of the healthy side's movement is left.

A region's movement on one side is compared with the other side's as a mirror shows it, vertex by vertex, so that
direction counts: a cheek that is dragged across by the healthy side has length but no function.

Which side is ill the clinician knows better, with one exception: where the given side clearly moves more than the
other one, right and left were exchanged, or the side compared with is not a healthy one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from face3d.landmarks import SIDES, other_side
from face3d.measuring.protocol import FULL, FUNCTIONAL, LEAST_MOVEMENT
from face3d.measuring.shares import EXACT, Floor, Share, passive_patterns, share_of
from face3d.scan import Floats, Ints
from face3d.template.anatomy import Anatomy
from face3d.template.movement import Movement
from face3d.values import Value

#: Skin this near the midline (mm) is dragged along by the other side and tells of neither; fades in over `FADE_MM`. The
#: middle of the lower lip is moved by both depressors, and hangs on them further out.
MIDLINE_BAND, LOWER_LIP_BAND, FADE_MM = 5.0, 10.0, 5.0
#: Movement lost on the other side from which on a given side, or "none", is contradicted: over all regions, and
#: whichever one of them is left out, for a single fit may fail. In exact simulated movement none of 660 right sides is
#: (healthy; II to VI, and these after reanimation), and of wrong ones 63 % of II, all of III to VI; "none" is for no
#: healthy person, and for all of III to VI. Toxin in a healthy side contradicts a third.
AGAINST_SIDE, AGAINST_NONE = (0.15, 0.08), (0.20, 0.10)
#: The same where only one region was shown; and from which on a side is doubted, no more.
AGAINST_ALONE, DOUBTED = 0.5, 0.08


#: Share of a region that has to be seen on both sides.
LEAST_COVERAGE = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class Pair(Value):
    """The movement of one functional region in one expression: `left` and `right` (n, 3) mm, the right one mirrored,
    over the same n places: `index` (n,) their vertices on the left, ascending, `weight` (n,) summing to 1. `coverage`
    share of the region that both sides show. `patterns` (K, n, 3) of passive movement there, `floor` of noise."""

    left: Floats
    right: Floats
    weight: Floats
    coverage: float
    index: Ints
    patterns: Floats
    floor: Floor = EXACT

    def at(self, places: Ints) -> Pair:
        """The same over some of its places: their rows."""
        share = float(self.weight[places].sum())
        return Pair(
            self.left[places],
            self.right[places],
            self.weight[places] / share,
            self.coverage * share,
            self.index[places],
            self.patterns[:, places],
            self.floor,
        )

    def side(self, name: str) -> Floats:
        """(n, 3) mm: the movement of the side `left` or `right`."""
        return self.left if name == "left" else self.right

    def rms(self, name: str) -> float:
        """Root mean square movement of a side, mm."""
        return float(np.sqrt(self.weight @ (self.side(name) ** 2).sum(axis=1)))

    def share(self, affected: str) -> Share:
        """What the affected side still does by itself of the healthy side's movement: see `measuring.shares`. NaN when
        the healthy side lies still.
        """
        a, h = (self.left, self.right) if affected == "left" else (self.right, self.left)
        if self.rms(other_side(affected)) < LEAST_MOVEMENT:
            return Share(float("nan"), float("nan"), np.zeros(len(self.patterns)))
        return share_of(a, h, self.weight, self.patterns, self.floor)

    def amplitudes(self) -> tuple[float, float]:
        """Left and right movement along their common direction, mm RMS."""
        common = self.left + self.right
        size = np.sqrt(weighted_dot(common, common, self.weight))
        if size == 0:
            return 0.0, 0.0
        return weighted_dot(self.left, common, self.weight) / size, weighted_dot(self.right, common, self.weight) / size


def weighted_dot(a: Floats, b: Floats, weight: Floats) -> float:
    """Sum over n places of `weight` (n,) times the dot product of `a` and `b` (n, 3)."""
    return float(weight @ (a * b).sum(axis=1))


def in_common(a: Pair, b: Pair) -> tuple[Pair, Pair] | None:
    """Both pairs of one region over the places that both show; None when these are under half of the region."""
    if np.array_equal(a.index, b.index):
        return a, b
    _, of_a, of_b = np.intersect1d(a.index, b.index, assume_unique=True, return_indices=True)
    if a.weight[of_a].sum() * a.coverage < LEAST_COVERAGE:
        return None
    return a.at(of_a), b.at(of_b)


def left_places(anatomy: Anatomy, region: str) -> tuple[Ints, Floats]:
    """Vertices of a functional region's left side and their weights; none where the mesh lacks the region."""
    weight = np.zeros(len(anatomy.vertices))
    for name in FUNCTIONAL.get(region, (region,)):
        weight += anatomy.regions.get(f"{name}_left", 0.0)
    band = LOWER_LIP_BAND if region == "lower_lip" else MIDLINE_BAND
    weight = weight * np.clip((anatomy.vertices[:, 0] - band) / FADE_MM, 0, 1)
    index = np.flatnonzero(weight > 0.01)
    return index, weight[index]


def paired(anatomy: Anatomy, displacement: Floats, region: str, floor: Floor = EXACT) -> Pair | None:
    """Both sides' movement of a functional region, of noise `floor`; None when the mesh lacks the region or under half
    of it was seen."""
    index, w = left_places(anatomy, region)
    if not len(index):
        return None
    left, right = displacement[index], displacement[anatomy.opposite[index]] * (-1.0, 1.0, 1.0)
    seen = np.isfinite(left).all(axis=1) & np.isfinite(right).all(axis=1)
    coverage = float(w[seen].sum() / w.sum())
    if coverage < LEAST_COVERAGE:
        return None
    patterns = passive_patterns(anatomy, region, anatomy.vertices[index[seen]])
    return Pair(left[seen], right[seen], w[seen] / w[seen].sum(), coverage, index[seen], patterns, floor)


def pairs(
    anatomy: Anatomy, movements: Mapping[str, Movement], floors: Mapping[str, Floor]
) -> dict[tuple[str, str], Pair]:
    """(expression, functional region) -> `Pair`, for all that could be seen; `floors` of those that have one."""
    found = {}
    for expression, moved in movements.items():
        for region in FUNCTIONAL:
            pair = paired(anatomy, moved.displacement, region, floors.get(region, EXACT))
            if pair is not None:
                found[expression, region] = pair
    return found


def weaker_side(found: Mapping[tuple[str, str], Pair]) -> tuple[str, float]:
    """The side that moves less where movement is asked for, and by how much: 0 alike, 1 does not move at all.

    Mean over functional regions of (larger - smaller) / larger with its sign, weighted by the movement's size, so that
    regions that hardly move on either side say little.
    """
    leaning = _leaning(found)
    if not leaning:
        return "none", float("nan")
    score = _mean(leaning)
    return _weaker(score), abs(score)


def _leaning(found: Mapping[tuple[str, str], Pair]) -> dict[str, tuple[float, float]]:
    """Region -> (left - right) / larger, times its weight, and that weight; those that move."""
    leaning = {}
    for region in ("brow", "eye", "midface", "mouth", "lower_lip"):
        total, weight = 0.0, 0.0
        for expression in FULL[region]:
            pair = found.get((expression, region))
            if pair is None:
                continue
            left, right = pair.amplitudes()
            largest = max(left, right)
            if largest < LEAST_MOVEMENT:
                continue
            w = min(largest, 5.0)
            total += w * float(np.clip((left - right) / largest, -1, 1))
            weight += w
        if weight:
            leaning[region] = (total, weight)
    return leaning


def _mean(leaning: Mapping[str, tuple[float, float]]) -> float:
    return float(sum(total for total, _ in leaning.values()) / sum(weight for _, weight in leaning.values()))


def contradiction(given: str, found: Mapping[tuple[str, str], Pair]) -> tuple[str, bool]:
    """What of the measured movement speaks against the side that was given, "left", "right" or "none", and whether it
    does so clearly; empty where nothing does. Lids have no say: how their skin moves is off by half on either side."""
    leaning = {region: both for region, both in _leaning(found).items() if region != "eye"}
    if given not in (*SIDES, "none") or not leaning:
        return "", False
    score = _mean(leaning)
    weaker, weakness = _weaker(score), abs(score)
    if given == weaker:
        return "", False
    others = [{k: v for k, v in leaning.items() if k != one} for one in leaning]
    most, least = AGAINST_SIDE if given in SIDES else AGAINST_NONE
    if len(leaning) == 1:
        most, others = AGAINST_ALONE, [leaning]
    clear = weakness >= most and min(_mean(rest) * np.sign(score) for rest in others) >= least
    if not clear and (given == "none" or weakness < DOUBTED):
        return "", False
    text = (
        f"the affected side is given as {given}, but the {weaker} side moves {100 * weakness:.0f} % less than the "
        f"{other_side(weaker)} side"
    )
    return text, bool(clear)


def _weaker(score: float) -> str:
    return "right" if score > 0 else "left"
