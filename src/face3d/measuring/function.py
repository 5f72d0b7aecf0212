"""Which side moves less, how much of the healthy side's movement is left, and what moves without being asked.

A region's movement on one side is compared with the other side's as a mirror shows it, vertex by vertex, so that
direction counts: a cheek that is dragged across by the healthy side has length but no function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from face3d.measuring.movement import Anatomy, Movement
from face3d.scan import Floats

#: functional region -> regions of the mesh that make it up
FUNCTIONAL: Mapping[str, tuple[str, ...]] = {
    "brow": ("brow",), "eye": ("upper_lid", "lower_lid"), "midface": ("nasolabial", "nose"), "mouth": ("commissure",),
    "lower_lip": ("lower_lip",), "chin": ("chin",), "neck": ("neck",),
}  # fmt: skip
#: expression -> functional regions that move in it because it is asked for, the principal one first
ASKED: Mapping[str, tuple[str, ...]] = {
    "brow_raise": ("brow",), "gentle_eye_closure": ("eye",), "tight_eye_closure": ("eye", "brow", "midface"),
    "closed_smile": ("mouth", "midface", "lower_lip", "chin"), "open_smile": ("mouth", "midface", "lower_lip", "chin"),
    "snarl": ("midface", "mouth", "brow"), "lip_pucker": ("mouth", "lower_lip", "midface", "chin"),
    "lower_lip_depression": ("lower_lip", "mouth", "chin", "neck"),
    "cheek_puff": ("mouth", "midface", "lower_lip", "chin"),
}  # fmt: skip
#: functional region -> expressions that show its full movement, best first
FULL: Mapping[str, tuple[str, ...]] = {
    "brow": ("brow_raise",), "eye": ("gentle_eye_closure", "tight_eye_closure"), "midface": ("snarl",),
    "mouth": ("open_smile", "closed_smile"), "lower_lip": ("lower_lip_depression",),
    "chin": ("lip_pucker", "lower_lip_depression"), "neck": ("lower_lip_depression",),
}  # fmt: skip
#: A healthy side that moves less than this (mm, RMS of the region) shows no movement to compare with.
LEAST_MOVEMENT = 1.0
#: A healthy eye that closes by less than this share shows no closure to compare with.
LEAST_CLOSURE = 0.3
#: Skin this near the midline (mm) is dragged along by the other side and tells of neither; fades in over the same
#: width.
MIDLINE_BAND = 5.0


@dataclass(frozen=True, eq=False)
class Pair:
    """The movement of one functional region in one expression: `left` and `right` (n, 3) mm, the right one mirrored,
    over the same n vertices with `weight` (n,), summing to 1. `coverage` share of the region that both sides show."""

    left: Floats
    right: Floats
    weight: Floats
    coverage: float

    def side(self, name: str) -> Floats:
        return self.left if name == "left" else self.right

    def rms(self, name: str) -> float:
        """Root mean square movement of a side, mm."""
        return float(np.sqrt(self.weight @ (self.side(name) ** 2).sum(axis=1)))

    def share(self, affected: str) -> float:
        """The affected side's movement along the healthy side's, as a share of it. NaN when the healthy side lies
        still.
        """
        a, h = (self.left, self.right) if affected == "left" else (self.right, self.left)
        if self.rms(_other(affected)) < LEAST_MOVEMENT:
            return float("nan")
        return _dot(a, h, self.weight) / _dot(h, h, self.weight)

    def amplitudes(self) -> tuple[float, float]:
        """Left and right movement along their common direction, mm RMS."""
        common = self.left + self.right
        size = np.sqrt(_dot(common, common, self.weight))
        if size == 0:
            return 0.0, 0.0
        return _dot(self.left, common, self.weight) / size, _dot(self.right, common, self.weight) / size


def _dot(a: Floats, b: Floats, weight: Floats) -> float:
    return float(weight @ (a * b).sum(axis=1))


def _other(side: str) -> str:
    return "right" if side == "left" else "left"


def paired(anatomy: Anatomy, displacement: Floats, region: str) -> Pair | None:
    """Both sides' movement of a functional region; None when the mesh lacks the region or under half of it was seen."""
    weight = np.zeros(len(anatomy.vertices))
    for name in FUNCTIONAL[region]:
        weight += anatomy.regions.get(f"{name}_left", 0.0)
    weight = weight * np.clip((anatomy.vertices[:, 0] - MIDLINE_BAND) / MIDLINE_BAND, 0, 1)
    index = np.flatnonzero(weight > 0.01)
    if not len(index):
        return None
    left, right = displacement[index], displacement[anatomy.opposite[index]] * (-1.0, 1.0, 1.0)
    seen = np.isfinite(left).all(axis=1) & np.isfinite(right).all(axis=1)
    w = weight[index]
    coverage = float(w[seen].sum() / w.sum())
    if coverage < 0.5:
        return None
    return Pair(left[seen], right[seen], w[seen] / w[seen].sum(), coverage)


def pairs(anatomy: Anatomy, movements: Mapping[str, Movement]) -> dict[tuple[str, str], Pair]:
    """(expression, functional region) -> `Pair`, for all that could be seen."""
    found = {}
    for expression, moved in movements.items():
        for region in FUNCTIONAL:
            pair = paired(anatomy, moved.displacement, region)
            if pair is not None:
                found[expression, region] = pair
    return found


def weaker_side(found: Mapping[tuple[str, str], Pair]) -> tuple[str, float]:
    """The side that moves less where movement is asked for, and by how much: 0 alike, 1 does not move at all.

    Mean over functional regions of (larger - smaller) / larger with its sign, weighted by the movement's size, so that
    regions that hardly move on either side say little.
    """
    total, weight = 0.0, 0.0
    for region in ("brow", "eye", "midface", "mouth", "lower_lip"):
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
    if weight == 0:
        return "none", float("nan")
    score = total / weight
    return ("right" if score > 0 else "left"), abs(score)


def synkinesis(
    found: Mapping[tuple[str, str], Pair], affected: str, closing: Mapping[tuple[str, str], float]
) -> dict[tuple[str, str], float]:  # fmt: skip
    """(expression asked for, functional region that was not) -> unasked movement of the affected side, as a share.

    What the healthy side does in the same expression, scaled to what the affected side still does of what was asked, is
    normal company and taken off; the rest is projected on the region's own full movement on the healthy side. Negative
    values move against it (a brow that sinks). Pairs whose full movement was not recorded are absent. An eye moves by
    closing: `closing` (expression, side) -> share of its fissure that does.
    """
    healthy = _other(affected)
    matrix = {}
    for (expression, region), pair in found.items():
        asked = ASKED[expression]
        if region in asked or region == "eye":
            continue
        own = next((found[e, region] for e in FULL[region] if (e, region) in found), None)
        if own is None or own.rms(healthy) < LEAST_MOVEMENT or len(own.weight) != len(pair.weight):
            continue
        extra = pair.side(affected) - _kept(found, expression, affected) * pair.side(healthy)
        full = own.side(healthy)
        matrix[expression, region] = _dot(extra, full, own.weight) / _dot(full, full, own.weight)
    whole = next((closing[e, healthy] for e in FULL["eye"] if closing.get((e, healthy), 0.0) >= LEAST_CLOSURE), None)
    for (expression, side), share in closing.items():
        # Raised brows open the eyes, by more on the side that raises them more: nothing has regrown there.
        if side == affected and expression != "brow_raise" and "eye" not in ASKED[expression] and whole is not None:
            company = _kept(found, expression, affected) * closing[expression, healthy]
            if np.isfinite(share + company):
                matrix[expression, "eye"] = (share - company) / whole
    return matrix


def _kept(found: Mapping[tuple[str, str], Pair], expression: str, affected: str) -> float:
    """What the affected side still does of what was asked, 0..1; all where that is not known."""
    lead = found.get((expression, ASKED[expression][0]))
    kept = lead.share(affected) if lead is not None else float("nan")
    return float(np.clip(kept, 0, 1)) if np.isfinite(kept) else 1.0
