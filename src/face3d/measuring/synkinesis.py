"""What moves without being asked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from face3d.landmarks import other_side
from face3d.measuring.protocol import ASKED, FULL, LEAST_MOVEMENT
from face3d.measuring.sides import Pair, weighted_dot

#: A healthy eye that closes by less than this share shows no closure to compare with.
LEAST_CLOSURE = 0.3


def synkinesis(
    found: Mapping[tuple[str, str], Pair], affected: str, closing: Mapping[tuple[str, str], float]
) -> dict[tuple[str, str], float]:  # fmt: skip
    """(expression asked for, functional region that was not) -> unasked movement of the affected side, as a share.

    What the healthy side does in the same expression, scaled to what the affected side still does of what was asked, is
    normal company and taken off; the rest is projected on the region's own full movement on the healthy side. Negative
    values move against it (a brow that sinks). Pairs whose full movement was not recorded are absent. An eye moves by
    closing: `closing` (expression, side) -> share of its fissure that does.
    """
    healthy = other_side(affected)
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
        matrix[expression, region] = weighted_dot(extra, full, own.weight) / weighted_dot(full, full, own.weight)
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
