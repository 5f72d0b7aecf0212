"""Stennert's index of facial palsy (Stennert, Limberg & Frentrup, HNO 1977;25:238): ten signs, a point each.

Written down from memory of the German form: we have not read the paper. Five signs a scan can show; ectropion, the
fold and the teeth it does not, so an estimate is a range.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

REST = ("fissure_difference", "ectropion", "nasolabial_fold_absent", "mouth_corner_low")
MOTOR = ("brow", "gap_gentle", "gap_tight", "canines_hidden", "second_incisor_hidden", "pucker")


@dataclass(frozen=True)
class Stennert:
    """The signs: True there (a point), False not, None not judged.

    At rest: lid fissures that differ by 3 mm or more, ectropion, no nasolabial fold, mouth corner lower by 3 mm or
    more. In movement: brow raised by less than half of the healthy side, a gap when the eye closes gently, a gap when
    it closes tightly, upper and lower canine not shown, second upper incisor not shown in its whole width, and less
    than half of the healthy side's shortening from philtrum to mouth corner in whistling.
    """

    fissure_difference: bool | None = None
    ectropion: bool | None = None
    nasolabial_fold_absent: bool | None = None
    mouth_corner_low: bool | None = None
    brow: bool | None = None
    gap_gentle: bool | None = None
    gap_tight: bool | None = None
    canines_hidden: bool | None = None
    second_incisor_hidden: bool | None = None
    pucker: bool | None = None

    def _range(self, names: Iterable[str]) -> tuple[int, int]:
        signs = [getattr(self, name) for name in names]
        return sum(s is True for s in signs), sum(s is not False for s in signs)

    @property
    def rest(self) -> tuple[int, int]:
        """Least and most points at rest, 0..4; one number twice when all four were judged."""
        return self._range(REST)

    @property
    def motor(self) -> tuple[int, int]:
        """Least and most points in movement, 0..6."""
        return self._range(MOTOR)
