"""What moves without being asked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from face3d.landmarks import SIDES, other_side
from face3d.measuring.protocol import ASKED, FULL, LEAST_MOVEMENT
from face3d.measuring.ratios import closure_ratio
from face3d.measuring.sides import Pair, in_common, weighted_dot

#: A healthy eye that closes by less than this share shows no closure to compare with.
LEAST_CLOSURE = 0.3

Found = Mapping[tuple[str, str], Pair]
#: (expression asked for, functional region that was not) -> its movement as a share, and why it is NaN.
Unasked = Mapping[tuple[str, str], tuple[float, str]]


def synkinesis(
    found: Found,
    affected: str,
    closing: Mapping[tuple[str, str], float],
    expressions: Iterable[str],
    regions: Iterable[str],
) -> Unasked:
    """Unasked movement of the affected side in every one of `regions`, those of the mesh, and of `expressions`, those
    recorded.

    What the healthy side does in the same expression, scaled to what the affected side still does of what was asked, is
    normal company and taken off; the rest is projected on the region's own full movement on the healthy side, over the
    places seen in both. Negative values move against it (a brow that sinks). An eye moves by closing: `closing`
    (expression, side) -> share of its fissure that does.
    """
    recorded, there = tuple(expressions), tuple(regions)
    matrix = {
        (e, region): _of_skin(found, e, region, affected, _kept(found, e, affected, closing))
        for e in recorded
        for region in there
        if region not in ASKED[e] and region != "eye"
    }
    # Raised brows open the eyes, by more on the side that raises them more: nothing has regrown there.
    return matrix | {
        (e, "eye"): _of_eye(e, affected, closing, _kept(found, e, affected, closing))
        for e in recorded
        if "eye" in there and "eye" not in ASKED[e] and e != "brow_raise"
    }


def _of_skin(found: Found, expression: str, region: str, affected: str, kept: float) -> tuple[float, str]:
    healthy = other_side(affected)
    if (expression, region) not in found:
        return math.nan, "under half of the region was seen on both sides"
    if math.isnan(kept):
        return math.nan, _company_unknown(expression)
    full = next((e for e in FULL[region] if (e, region) in found), None)
    if full is None:
        return math.nan, f"its full movement was not measured; needs {' or '.join(FULL[region])}"
    both = in_common(found[full, region], found[expression, region])
    if both is None:
        return math.nan, f"under half of the region was seen both in it and in {full}"
    own, moved = both
    if own.rms(healthy) < LEAST_MOVEMENT:
        return math.nan, f"its full movement on the healthy side, in {full}, is under {LEAST_MOVEMENT:g} mm"
    extra, whole = moved.side(affected) - kept * moved.side(healthy), own.side(healthy)
    return weighted_dot(extra, whole, own.weight) / weighted_dot(whole, whole, own.weight), ""


def _of_eye(expression: str, affected: str, closing: Mapping[tuple[str, str], float], kept: float) -> tuple[float, str]:
    healthy = other_side(affected)
    if (expression, affected) not in closing:
        return math.nan, "the lids were not seen on both sides"
    if math.isnan(kept):
        return math.nan, _company_unknown(expression)
    whole = next((closing[e, healthy] for e in FULL["eye"] if closing.get((e, healthy), 0.0) >= LEAST_CLOSURE), None)
    if whole is None:
        asked = " or ".join(FULL["eye"])
        return math.nan, f"needs a healthy eye that closes by {100 * LEAST_CLOSURE:.0f} % or more in {asked}"
    return (closing[expression, affected] - kept * closing[expression, healthy]) / whole, ""


def _company_unknown(expression: str) -> str:
    return f"under half of what was asked for, {ASKED[expression][0]}, was seen on both sides: its company is unknown"


def _kept(found: Found, expression: str, affected: str, closing: Mapping[tuple[str, str], float]) -> float:
    """What the affected side still does of what was asked, 0..1; all where the healthy side does none of it; NaN where
    it was not seen. Of eyes it is what their muscle closes."""
    lead = found.get((expression, ASKED[expression][0]))
    if lead is None:
        return math.nan
    if ASKED[expression][0] == "eye":
        shares = {s: closing.get((expression, s), math.nan) for s in SIDES}
        kept = closure_ratio(shares, affected, 0.0).value
        if math.isnan(sum(shares.values())):
            return math.nan
    else:
        kept = lead.share(affected).value
    return float(np.clip(kept, 0, 1)) if math.isfinite(kept) else 1.0
