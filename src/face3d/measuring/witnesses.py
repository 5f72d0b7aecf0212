"""Lids by two witnesses: where the fitted template has their edges, and where the detector saw them.

A lid's edge is a thin roll of skin beside a ball, and a template now and then settles on the wrong one of its slopes:
3 mm off at rest, and on an open eye where it is closed. A detector is off by less, but never quite right. Where both
agree they are averaged; where they are further apart than either's usual error, the detector is believed. Of an eye
that was asked to close it is whoever sees it closed more: both err by taking another fold for the upper lid's edge,
which is always the higher one. Learned by `tools/learn_measuring.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from face3d.landmarks import SIDES
from face3d.scan import Floats

Points = Mapping[str, Floats]

#: Expressions that ask the eyes to close.
CLOSING = ("gentle_eye_closure", "tight_eye_closure")
#: mm between the two openings of an eye from which on the fit is taken to have settled on a wrong edge: four times the
#: usual difference of the two.
APART_MM = 2.5


@dataclass(frozen=True)
class Lids:
    """`share` of the detector where both agree, 0..1; `edge_mm`: how much wider than it is an eye looks to both,
    because scanning and fitting round off the lids' edges."""

    share: float
    edge_mm: float


def lid_points(
    fitted: Points, detected: Points, opening: Points, lids: Lids, closing: bool = False
) -> dict[str, Floats]:  # fmt: skip
    """name -> (3,): the upper and lower lids' middles (ps, pi) as far as both witnesses know them.

    `fitted`, `detected`: landmarks in one frame; `opening`: landmarks at rest, whose ps - pi says which way the eye
    opens; `closing`: the eye was asked to close. Sides that the detector did not see, or the fit has not, are absent.
    """
    out: dict[str, Floats] = {}
    for side in SIDES:
        above, below = f"ps_{side}", f"pi_{side}"
        known = all(n in points for n in (above, below) for points in (fitted, detected, opening))
        if not known or not all(np.isfinite(p[n]).all() for p in (fitted, detected) for n in (above, below)):
            continue
        way = opening[above] - opening[below]
        way = way / max(float(np.linalg.norm(way)), 1e-9)
        gaps = [max(float((p[above] - p[below]) @ way), 0.0) for p in (fitted, detected)]
        share = lids.share
        if abs(gaps[0] - gaps[1]) > APART_MM:
            share = 0.0 if closing and gaps[0] < gaps[1] else 1.0
        out[above], out[below] = (fitted[n] + share * (detected[n] - fitted[n]) for n in (above, below))
        # Gaps are averaged, not only points: lids that overlap in one witness's eyes are closed, not less than that.
        wanted = (1 - share) * gaps[0] + share * gaps[1] - lids.edge_mm
        out[above] = out[above] + (wanted - float((out[above] - out[below]) @ way)) * way
    return out
