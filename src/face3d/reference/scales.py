"""Clinical scales as types with their published rules: House-Brackmann, Sunnybrook, FNGS 2.0. The eFACE is in `eface`.

A value of these types is what a clinician entered, what a simulated patient is known to have, or an estimate; the
type does not say which, so whoever shows one must. All functions here take a *ratio* = movement of the affected side
/ movement of the healthy side: 1 symmetric, 0 no movement. Ratios above 1 count as 1.

The published scales are descriptions in words. Where a rule turns words into numbers, the cut points are named fields
with their origin beside them, and can be replaced by a laboratory's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple

#: Movements that the Sunnybrook system asks for, in the order of its form (Ross, Fradet & Nedzelski 1996).
SUNNYBROOK_MOVEMENTS = ("brow", "eye", "smile", "snarl", "pucker")
#: Functional regions of the face used throughout, top to bottom.
REGIONS = ("brow", "eye", "midface", "mouth", "lower_lip")
ROMAN = ("I", "II", "III", "IV", "V", "VI")


def _ratio(value: float, name: str) -> float:
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} = {value}; expected affected/healthy movement, a finite number >= 0")
    return min(float(value), 1.0)


def _grade(value: float, cuts: tuple[float, ...]) -> int:
    """How many of the descending `cuts` lie above `value`: 0 when it reaches the first."""
    return sum(value < cut for cut in cuts)


def _check(owner: str, name: str, value: float, low: float, high: float, whole: bool = True) -> None:
    if not low <= value <= high or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"{owner}.{name} = {value}; expected {kind} from {low} to {high}")


# ---------------------------------------------------------------- House-Brackmann


@dataclass(frozen=True)
class HouseBands:
    """Lower ends of grades I..V on the mean of brow and commissure ratio; below the last is VI.

    The quarters are House's (Laryngoscope 1983;93:1056, House & Brackmann 1985, doi 10.1177/019459988509300202): II
    76-99 %, III 51-75 %, IV 26-50 %, V 1-25 %. Literally only 100 % is grade I and only 0 % grade VI; no measurement
    can tell 99 % from 100 %, so both ends get a tolerance of 3 %.
    """

    normal: float = 0.97
    mild: float = 0.75
    moderate: float = 0.50
    moderately_severe: float = 0.25
    severe: float = 0.03

    def __post_init__(self) -> None:
        cuts = (1.0, self.normal, self.mild, self.moderate, self.moderately_severe, self.severe, 0.0)
        if any(a < b for a, b in pairwise(cuts)):
            raise ValueError(f"{self}; the bands must fall from 1 to 0")


def house_points_absolute(brow_mm: float, commissure_lateral_mm: float) -> int:
    """House's 8 points as first published: the affected brow's way up and the mouth corner's way to the *side*, a point
    for each whole quarter of a centimetre up to one centimetre, 0..8 (House 1983, House & Brackmann 1985).

    Healthy people whose mouth moves by less than a centimetre don't reach 8: see `house_points_relative`.
    """
    points = 0
    for value, name in ((brow_mm, "brow movement"), (commissure_lateral_mm, "lateral commissure movement")):
        if not math.isfinite(value):
            raise ValueError(f"{name} = {value} mm; expected a finite number")
        points += min(max(int(value // 2.5), 0), 4)
    return points


def house_points_relative(brow_ratio: float, commissure_ratio: float) -> int:
    """House's points as most have used them since: the affected side's brow and commissure movement in whole quarters
    of the healthy side's, 0..8.

    Quarters are rounded to the nearest, as when reading House's scale with four marks. The grade of these points
    (`house_brackmann_from_points`) and of the bands (`house_brackmann_from_movement`) are two forms of one rule that
    differ near the borders.
    """
    quarters = [
        math.floor(4 * _ratio(r, name) + 0.5)
        for r, name in ((brow_ratio, "brow ratio"), (commissure_ratio, "commissure ratio"))
    ]
    return sum(quarters)


def house_brackmann_from_points(points: int) -> int:
    """Grade 1..6 of House's points: 8 I, 7 II, 5-6 III, 3-4 IV, 1-2 V, 0 VI."""
    _check("house_brackmann", "points", points, 0, 8)
    return (6, 5, 5, 4, 4, 3, 3, 2, 1)[int(points)]


def house_brackmann_from_movement(brow_ratio: float, commissure_ratio: float, bands: HouseBands | None = None) -> int:
    """House-Brackmann *by movement*, 1..6: House's measured rule in its band form, (brow + commissure) / 2 within
    `HouseBands`. It knows nothing of eye, tone or synkinesis; the *descriptive* grade does (`HouseBrackmannSigns`).

    Raises ValueError when a ratio is missing (NaN) or negative.
    """
    b = bands or HouseBands()
    share = (_ratio(brow_ratio, "brow ratio") + _ratio(commissure_ratio, "commissure ratio")) / 2
    if share >= b.normal:
        return 1
    if share <= b.severe:
        return 6
    # House's bands include their upper end: 75 % is III, 76 % is II.
    return 2 + sum(share <= cut for cut in (b.mild, b.moderate, b.moderately_severe))


def severity(brow_ratio: float, commissure_ratio: float) -> float:
    """Share of House's measured movement that is lost, 0 (healthy) to 1 (none left): 1 - (brow + commissure) / 2."""
    return 1.0 - (_ratio(brow_ratio, "brow ratio") + _ratio(commissure_ratio, "commissure ratio")) / 2


@dataclass(frozen=True)
class HouseBrackmannSigns:
    """The regional signs of House & Brackmann's table, each a word of that table; their `grade` is the *descriptive*
    House-Brackmann grade, which clinicians give.

    rest: "normal", "asymmetric" (loss of tone). brow: "normal", "moderate" (moderate to good), "slight" (slight to
    moderate), "none". eye: "normal", "complete" (with minimal effort), "effort" (complete with effort), "incomplete",
    "none". mouth: "normal", "slight_asymmetry", "slightly_weak", "asymmetric" (with maximum effort), "slight"
    (movement), "none". secondary: "none", "slight", "noticeable", "disfiguring" (synkinesis, contracture, spasm).
    """

    rest: str = "normal"
    brow: str = "normal"
    eye: str = "normal"
    mouth: str = "normal"
    secondary: str = "none"

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if value not in _SIGN_GRADE[f.name]:
                raise ValueError(
                    f"HouseBrackmannSigns.{f.name} = {value!r}; expected one of {list(_SIGN_GRADE[f.name])}"
                )

    @property
    def grade(self) -> int:
        """The mildest grade 1..6 that every sign allows: the worst sign decides.

        Grade VI needs brow, eye and mouth all without movement; a single region without any is V at most. Asymmetry at
        rest is a sign of V together with poor movement (IV or worse), not by itself: healthy people have some.
        """
        moving = max(_SIGN_GRADE[name][getattr(self, name)] for name in ("brow", "eye", "mouth"))
        worst = max(moving, _SIGN_GRADE["secondary"][self.secondary])
        if moving >= 4:
            worst = max(worst, _SIGN_GRADE["rest"][self.rest])
        still = self.brow == self.eye == self.mouth == "none"
        return 6 if still else min(worst, 5)


#: sign -> word -> mildest grade in whose row of the published table the word stands
_SIGN_GRADE: Mapping[str, Mapping[str, int]] = {
    "rest": {"normal": 1, "asymmetric": 5},
    "brow": {"normal": 1, "moderate": 2, "slight": 3, "none": 4},
    "eye": {"normal": 1, "complete": 2, "effort": 3, "incomplete": 4, "none": 6},
    "mouth": {"normal": 1, "slight_asymmetry": 2, "slightly_weak": 3, "asymmetric": 4, "slight": 5, "none": 6},
    "secondary": {"none": 1, "slight": 2, "noticeable": 3, "disfiguring": 4},
}


@dataclass(frozen=True)
class SignCuts:
    """Where measured ratios turn into words of the House-Brackmann table. Ours: the table has no numbers.

    The first cut of each and the last follow `HouseBands`; those between are the middle of what the words span in
    FNGS 2.0 (II > 75 %, III > 50 %, trace below 25 %). Published versions disagree on the brow of II and III.
    """

    brow: tuple[float, float, float] = (0.97, 0.50, 0.03)  # normal, moderate, slight
    eye: tuple[float, float] = (0.97, 0.03)  # normal, any at all; in between the gap decides
    gap_mm: float = 1.0  # an eye that stays open by more is not closed
    mouth: tuple[float, float, float, float, float] = (0.97, 0.75, 0.50, 0.25, 0.03)
    secondary: tuple[float, float, float] = (0.40, 0.20, 0.08)  # disfiguring, noticeable, slight


def eye_sign(share: float, gentle_gap_mm: float, tight_gap_mm: float, cuts: SignCuts | None = None) -> str:
    """The word for closing an eye: `share` of the healthy side's closure, and what stays open (mm) beyond the healthy
    side when closing gently and tightly. What stays open in spite of effort is incomplete, whatever share closed.

    Raises ValueError where what decides was not measured (NaN).
    """
    c = cuts or SignCuts()
    if _ratio(share, "eye") < c.eye[1]:
        return "none"
    if math.isnan(tight_gap_mm) and not gentle_gap_mm <= c.gap_mm:
        raise ValueError(f"tight closure was not measured, and closing gently left {gentle_gap_mm:.1f} mm open")
    if tight_gap_mm > c.gap_mm:
        return "incomplete"
    if math.isnan(gentle_gap_mm):
        raise ValueError("gentle closure was not measured: whether it takes effort to close the eye is unknown")
    if gentle_gap_mm > c.gap_mm:
        return "effort"
    return "normal" if share >= c.eye[0] else "complete"


def house_brackmann_signs(
    brow: float,
    eye: str,
    mouth: float,
    rest: str = "normal",
    synkinesis: float = 0.0,
    contracture: bool = False,
    cuts: SignCuts | None = None,
) -> HouseBrackmannSigns:
    """The regional signs that belong to measured ratios; `eye` from `eye_sign`, `rest` "asymmetric" for loss of tone.

    `synkinesis` is the strongest unasked movement as a share of that region's own full movement, 0..1. Contracture is a
    secondary sign, noticeable by itself. `.grade` of the result is the descriptive House-Brackmann grade.
    """
    c = cuts or SignCuts()
    words = list(_SIGN_GRADE["brow"]), list(_SIGN_GRADE["mouth"])
    secondary = _grade(_ratio(synkinesis, "synkinesis"), c.secondary)
    return HouseBrackmannSigns(
        rest=rest,
        brow=words[0][_grade(_ratio(brow, "brow"), c.brow)],
        eye=eye,
        mouth=words[1][_grade(_ratio(mouth, "mouth"), c.mouth)],
        secondary=("disfiguring", "noticeable", "slight", "none")[min(secondary, 1) if contracture else secondary],
    )


# ---------------------------------------------------------------- Sunnybrook


@dataclass(frozen=True)
class Sunnybrook:
    """Sunnybrook Facial Grading System (Ross, Fradet & Nedzelski, Otolaryngol Head Neck Surg 1996;114:380).

    Resting: `eye` 0 normal, 1 narrow, wide or operated; `nasolabial` fold 0 normal, 1 altered, 2 absent, None not
    judged: the composite is then NaN, and known within `composite_range`; `mouth` 0 normal, 1 drooped or pulled.
    `voluntary` and `synkinesis` in the order of `SUNNYBROOK_MOVEMENTS`: 1 (unable to start) .. 5 (complete), and 0
    (none) .. 3 (severe).
    """

    eye: int
    nasolabial: int | None
    mouth: int
    voluntary: tuple[int, int, int, int, int]
    synkinesis: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "voluntary", tuple(int(v) for v in self.voluntary))
        object.__setattr__(self, "synkinesis", tuple(int(v) for v in self.synkinesis))
        for name, high in (("eye", 1), ("nasolabial", 2), ("mouth", 1)):
            if getattr(self, name) is not None or name != "nasolabial":
                _check("Sunnybrook", name, getattr(self, name), 0, high)
        for name, low, high in (("voluntary", 1, 5), ("synkinesis", 0, 3)):
            values = getattr(self, name)
            if len(values) != 5:
                raise ValueError(f"Sunnybrook.{name} has {len(values)} values; expected 5, for {SUNNYBROOK_MOVEMENTS}")
            for movement, value in zip(SUNNYBROOK_MOVEMENTS, values, strict=True):
                _check("Sunnybrook", f"{name}[{movement}]", value, low, high)

    @property
    def scores(self) -> SunnybrookScores:
        """The sub-scores and the composite of the items."""
        fold = math.nan if self.nasolabial is None else self.nasolabial
        return sunnybrook_scores(self.eye + fold + self.mouth, sum(self.voluntary), sum(self.synkinesis))

    @property
    def composite(self) -> float:
        """100 healthy, 0 complete flaccid palsy; NaN without the fold. See `SunnybrookScores`."""
        return self.scores.composite

    @property
    def composite_range(self) -> tuple[int, int]:
        """The least and the most that the composite can be: one number unless the fold was not judged."""
        folds = (2, 0) if self.nasolabial is None else (self.nasolabial,) * 2
        low, high = (
            sunnybrook_scores(self.eye + fold + self.mouth, sum(self.voluntary), sum(self.synkinesis)).composite
            for fold in folds
        )
        return low, high


class SunnybrookScores(NamedTuple):
    """`resting` 0..20, `voluntary` 20..100, `synkinesis` 0..15; `composite` = voluntary - resting - synkinesis: raw,
    its least is -15, nothing is clamped. Healthy people score 65 to 100 (Picard 2024, PMID 39215610)."""

    resting: Any
    voluntary: Any
    synkinesis: Any
    composite: Any


def sunnybrook_scores(resting: Any, voluntary: Any, synkinesis: Any) -> SunnybrookScores:
    """The scores of sums of items (Ross 1996): 5 x three resting, 4 x five voluntary, five synkinesis. Numbers, arrays
    and tensors alike."""
    resting, voluntary = 5 * resting, 4 * voluntary
    return SunnybrookScores(resting, voluntary, synkinesis, voluntary - resting - synkinesis)


#: Ratio from which on a movement counts as 5, 4, 3, 2. Ours: the form says complete, almost complete, mild excursion,
#: slight movement. 5 allows for healthy left-right differences (dynamic symmetry 91 +- 6 % of healthy people).
VOLUNTARY_CUTS = (0.90, 0.65, 0.35, 0.05)
#: Unasked movement, as a share of the region's own full movement, from which on synkinesis is 3, 2, 1. Ours.
SYNKINESIS_CUTS = (0.40, 0.20, 0.08)


def voluntary_item(ratio: float, cuts: tuple[float, ...] = VOLUNTARY_CUTS) -> int:
    """Sunnybrook voluntary item 1..5 of an affected/healthy ratio."""
    return 5 - _grade(_ratio(ratio, "ratio"), cuts)


def synkinesis_item(share: float, cuts: tuple[float, ...] = SYNKINESIS_CUTS) -> int:
    """Sunnybrook synkinesis item 0..3 of an unasked movement, as a share of the region's own full movement."""
    return 3 - _grade(_ratio(share, "share"), cuts)


# ---------------------------------------------------------------- FNGS 2.0


@dataclass(frozen=True)
class FNGS2:
    """Facial Nerve Grading System 2.0 (Vrabec et al. 2009, doi 10.1016/j.otohns.2008.12.031).

    `brow`, `eye`, `nasolabial`, `oral` 1 (normal) .. 6 (no movement); `secondary` 0 (none) .. 3 (disfiguring
    synkinesis).
    """

    brow: int
    eye: int
    nasolabial: int
    oral: int
    secondary: int = 0

    def __post_init__(self) -> None:
        for f in fields(self):
            low, high = (0, 3) if f.name == "secondary" else (1, 6)
            _check("FNGS2", f.name, getattr(self, f.name), low, high)

    @property
    def total(self) -> int:
        """Sum of all items, 4..27."""
        return self.brow + self.eye + self.nasolabial + self.oral + self.secondary

    @property
    def grade(self) -> int:
        """1..6: total 4 I, 5-9 II, 10-14 III, 15-19 IV, 20-23 V, from 24 on VI."""
        return 1 + sum(self.total >= low for low in (5, 10, 15, 20, 24))


#: Ratio from which on a region scores 1, 2, 3, 4, 5. Published: 2 above 75 %, 3 above 50 %, 4 below 50 %, 5 trace, 6
#: none; where a trace begins (25 %) and the tolerances of normal and none are as in `HouseBands`.
FNGS_CUTS = (0.97, 0.75, 0.50, 0.25, 0.03)


def fngs_item(ratio: float, cuts: tuple[float, ...] = FNGS_CUTS) -> int:
    """FNGS 2.0 regional item 1..6 of an affected/healthy ratio."""
    return 1 + _grade(_ratio(ratio, "ratio"), cuts)


def weighted_function(mouth: float, eye: float, brow: float) -> float:
    """Mean ratio with mouth : eye closure : brow weighted 5 : 3 : 2, 0..1 (PC-FAAP)."""
    return 0.5 * _ratio(mouth, "mouth") + 0.3 * _ratio(eye, "eye") + 0.2 * _ratio(brow, "brow")
