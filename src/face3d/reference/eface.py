"""The eFACE: a clinician's fifteen visual-analogue items (Banks et al. 2015, doi 10.1097/PRS.0000000000001447)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import NamedTuple

STATIC = ("brow_rest", "fissure_rest", "nasolabial_fold_rest", "commissure_rest")
DYNAMIC = (
    "brow_raise",
    "gentle_closure",
    "full_closure",
    "commissure_smile",
    "nasolabial_fold_smile",
    "nasolabial_fold_orientation_smile",
    "lower_lip",
)
SYNKINESIS = ("ocular_synkinesis", "midfacial_synkinesis", "mentalis_synkinesis", "platysmal_synkinesis")
#: Items that go from 0 over 100, balanced, to 200; the others from 0 to 100, as on the healthy side.
BIPOLAR = frozenset({*STATIC, "nasolabial_fold_smile", "nasolabial_fold_orientation_smile"})
#: An expert's overall disfigurement is fitted best when a dynamic item counts twice a static or a synkinesis one (Banks
#: 2015, abstract). Weights of single items (Banks 2016, 10.1001/jamafacial.2016.0226) are in tables that we have not
#: read, and are not used.
WEIGHT_DYNAMIC = 2.0


class EfaceScores(NamedTuple):
    """Means of the folded items, 0 (worst) to 100; `total` counts dynamic items twice. NaN where an item is missing."""

    static: float
    dynamic: float
    synkinesis: float
    total: float


@dataclass(frozen=True)
class EfaceItems:
    """The items; NaN where not judged.

    Static and `nasolabial_fold_*` items go from 0 over 100, balanced, to 200. Below 100 the affected brow or mouth
    corner hangs, the fold is effaced, and the eye is *wide*; above 100 they are raised, deep, and the eye is *narrow*
    (0 wide, 100 balanced, 200 narrow: Greene et al. 2019, doi 10.1001/jamafacial.2019.0086). The other dynamic items
    run from 0 (no movement) to 100 (as the healthy side); synkinesis items from 0 (severe) to 100 (none).
    """

    brow_rest: float = math.nan
    fissure_rest: float = math.nan
    nasolabial_fold_rest: float = math.nan
    commissure_rest: float = math.nan
    brow_raise: float = math.nan
    gentle_closure: float = math.nan
    full_closure: float = math.nan
    commissure_smile: float = math.nan
    nasolabial_fold_smile: float = math.nan
    nasolabial_fold_orientation_smile: float = math.nan
    lower_lip: float = math.nan
    ocular_synkinesis: float = math.nan
    midfacial_synkinesis: float = math.nan
    mentalis_synkinesis: float = math.nan
    platysmal_synkinesis: float = math.nan

    def __post_init__(self) -> None:
        for f in fields(self):
            value, top = getattr(self, f.name), 200 if f.name in BIPOLAR else 100
            if not math.isnan(value) and not 0 <= value <= top:
                raise ValueError(f"EfaceItems.{f.name} = {value}; expected a number from 0 to {top}")

    def _folded(self, names: Iterable[str]) -> list[float]:
        """Items as distances from perfect, 100 best: bipolar ones as 100 - |item - 100|."""
        values = ((n, getattr(self, n)) for n in names)
        return [100 - abs(v - 100) if n in BIPOLAR else v for n, v in values]

    @property
    def scores(self) -> EfaceScores:
        """The published scores; each needs all of its items."""
        static, dynamic, synkinesis = (self._folded(names) for names in (STATIC, DYNAMIC, SYNKINESIS))
        return EfaceScores(_mean(static), _mean(dynamic), _mean(synkinesis), _weighted(static, dynamic, synkinesis))

    @property
    def balance(self) -> float:
        """face3d balance, 0..100: the eFACE's weighted mean over the items that were judged. Not an eFACE score, which
        takes all fifteen."""
        return _weighted(
            *([v for v in self._folded(names) if not math.isnan(v)] for names in (STATIC, DYNAMIC, SYNKINESIS))
        )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _weighted(static: list[float], dynamic: list[float], synkinesis: list[float]) -> float:
    weight = len(static) + WEIGHT_DYNAMIC * len(dynamic) + len(synkinesis)
    total = sum(static) + WEIGHT_DYNAMIC * sum(dynamic) + sum(synkinesis)
    return total / weight if weight else math.nan
