"""Rule-based estimates of clinical scales from measures: explainable, and never a clinician's grade.

Every number here is an *estimate* by published rules on measured ratios; the cut points are data
(`data/scale_rules.json`), each with its origin. Where a clinician graded, both stand side by side and neither replaces
the other.

House-Brackmann is two things that share a name. *By movement* it is House's measured rule, of brow and mouth corner
alone. The *descriptive* grade is the table that clinicians use: eye, tone at rest and synkinesis count as well.
Patients with synkinesis often have one grade by the one and another by the other, so both are given, each under its
name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from face3d.landmarks import SIDES
from face3d.measuring.exam_measures import Measures
from face3d.measuring.ratios import BILATERAL
from face3d.reference.eface import EfaceItems
from face3d.reference.scales import (
    FNGS2,
    SUNNYBROOK_MOVEMENTS,
    HouseBands,
    HouseBrackmannSigns,
    SignCuts,
    Sunnybrook,
    eye_sign,
    fngs_item,
    house_brackmann_from_movement,
    house_brackmann_signs,
    house_points_absolute,
    house_points_relative,
    synkinesis_item,
    voluntary_item,
)
from face3d.reference.stennert import Stennert

LABEL = "estimate by rule from measurements, not a clinician's grade"
#: Why the nasolabial items stay empty.
NO_FOLD = "a fold's depth is not measured"

#: What ends the name of a cut point that takes another's place where movement was measured from scans.
_MEASURED = "_measured"
#: Sunnybrook movement -> expression, functional region
_SUNNYBROOK: Mapping[str, tuple[str, str]] = {
    "brow": ("brow_raise", "brow"),
    "eye": ("gentle_eye_closure", "eye"),
    "smile": ("open_smile", "mouth"),
    "snarl": ("snarl", "midface"),
    "pucker": ("lip_pucker", "mouth"),
}
#: Regions whose unasked movement the scales speak of.
_UNASKED = ("eye", "mouth", "midface")


@dataclass(frozen=True)
class Estimates:
    """Scales estimated from one exam; None where a needed movement was not measured, with the reason in `missing`.

    `house_brackmann` by movement: House's measured rule in bands. `points` his 8 points in quarters of the healthy
    side's movement, `points_absolute` in quarters of a centimetre, as first published. `descriptive` the grade of the
    regional `signs`.
    """

    house_brackmann: int | None
    points: int | None
    points_absolute: int | None
    descriptive: int | None
    signs: HouseBrackmannSigns | None
    sunnybrook: Sunnybrook | None
    fngs2: FNGS2 | None
    eface: EfaceItems
    stennert: Stennert
    affected_side: str
    missing: tuple[str, ...] = ()
    label: str = LABEL


@cache
def rules(exact: bool = False) -> Mapping[str, Mapping[str, Any]]:
    """The cut points: name -> value, origin ("published", "own" or "learned") and source; `exact` those for movement
    that is known without error, of a simulated person."""
    text = files("face3d").joinpath("data/scale_rules.json").read_text(encoding="utf-8")
    known = {name: rule for name, rule in json.loads(text).items() if isinstance(rule, dict)}
    plain = {name: rule for name, rule in known.items() if not name.endswith(_MEASURED)}
    return plain if exact else {name: known.get(name + _MEASURED, rule) for name, rule in plain.items()}


def estimate_scales(
    m: Measures, cuts: Mapping[str, Mapping[str, Any]] | None = None, fold: int | None = None
) -> Estimates:
    """House-Brackmann by movement and descriptive, Sunnybrook, FNGS 2.0, Stennert's and eFACE-like items of measured
    movement. `fold`: Sunnybrook's nasolabial item 0..2 where somebody knows it; no measure shows it.

    The scales compare an ill side with a healthy one. Where no side is affected ("none"), left-right differences are
    within what healthy people have, and count as full movement; where both are, nothing is estimated. Where what was
    measured contradicts the given side there is nothing healthy to compare with, and nothing is estimated either.
    """
    if m.affected_side == "both":
        return _nothing("both", f"any scale: {BILATERAL}")
    if m.contradiction:
        every = "House-Brackmann, Sunnybrook, FNGS 2.0, Stennert's and eFACE-like items"
        return _nothing(m.affected_side, f"{every}: {m.contradiction}")
    rule = {name: r["value"] for name, r in (cuts or rules()).items()}
    missing: list[str] = []
    healthy = m.affected_side not in SIDES
    function = {r: 1.0 if healthy and math.isfinite(v) else v for r, v in m.region_function.items()}
    unsure = (
        {} if healthy else {r.region: r.uncertainty for r in m.rows if (r.measure, r.expression) == ("function", "all")}
    )
    grade = points = absolute = None
    brow, mouth = function["brow"], function["mouth"]
    if math.isfinite(brow + mouth):
        known = math.hypot(*(_known(unsure.get(r)) for r in ("brow", "mouth"))) / 2
        grade = _house(brow, mouth, known, HouseBands(*rule["house_brackmann_bands"]))
        points = house_points_relative(max(brow, 0), max(mouth, 0))
        absolute = _absolute(m, missing)
    else:
        missing.append("House-Brackmann: needs brow raise and smile")
    # Movement that cannot be told from none is none.
    function = {r: 0.0 if v <= _known(unsure.get(r)) else v for r, v in function.items()}
    # Where brow and mouth together are within the tolerance of none, neither has any, what a lid falls is no closing,
    # and there is no muscle left to move unasked: what seems to is dragged.
    still = grade == 6 and rule["passive_closure"] > 0
    worst = 0.0 if still else _worst(m)
    if still:
        function |= {"brow": 0.0, "mouth": 0.0}
        function["eye"] *= function["eye"] > rule["passive_closure"]
    signs = _signs(m, rule, function, worst, missing)
    parts = [function[r] for r in ("brow", "eye", "midface", "mouth")]
    fngs = None
    if not all(math.isfinite(p) for p in parts):
        missing.append("FNGS 2.0: needs brow raise, eye closure, snarl and smile")
    elif unseen := _unseen(m, _UNASKED):
        missing.append(f"FNGS 2.0: {unseen}")
    else:
        items = [fngs_item(p, tuple(rule["fngs_cuts"])) for p in parts]
        fngs = FNGS2(*items, secondary=synkinesis_item(worst, tuple(rule["synkinesis_cuts"])))
    return Estimates(
        grade,
        points,
        absolute,
        signs.grade if signs is not None else None,
        signs,
        _sunnybrook(m, rule, still, fold, missing),
        fngs,
        _eface(m, function, missing),
        _stennert(m, rule, function),
        m.affected_side,
        tuple(missing),
    )


def _nothing(side: str, reason: str) -> Estimates:
    return Estimates(None, None, None, None, None, None, None, EfaceItems(), Stennert(), side, (reason,))


def _worst(m: Measures) -> float:
    """The strongest unasked movement that scales speak of; 0 or more."""
    return max((v for (_, r), v in m.synkinesis.items() if r in _UNASKED and v > 0), default=0.0)


def _value(m: Measures, measure: str, expression: str, side: str = "both", region: str | None = None) -> float:
    """A row's value; NaN also where the exam has no such row."""
    try:
        return m.value(measure, expression, side, region)
    except KeyError:
        return math.nan


def _known(uncertainty: float | None) -> float:
    return uncertainty if uncertainty is not None and math.isfinite(uncertainty) else 0.0


def _house(brow: float, mouth: float, unsure: float, bands: HouseBands) -> int:
    """House's rule on shares that are known to `unsure` (SD of their mean). The scale's ratios are 0..1: what errors
    carry beyond is cut off here, below 0 after averaging, for a dead brow read at -0.05 and a mouth at 0.05 are no
    movement. VI is what cannot be told from none: within one SD where that is more than the rule's own tolerance."""
    share = max((min(brow, 1.0) + min(mouth, 1.0)) / 2, 0.0)
    return house_brackmann_from_movement(
        share, share, replace(bands, severe=min(max(bands.severe, unsure), bands.moderately_severe))
    )


def _rest(m: Measures, region: str) -> float:
    """Affected minus healthy height at rest, mm; left minus right when neither is affected."""
    value = m.value("rest_difference", "rest", region=region)
    return -value if m.affected_side == "right" else value


def _gap(m: Measures, expression: str) -> float:
    """What stays open of the affected eye, mm, beyond what the healthy one shows: closed lids have an edge, too, and an
    error that both share is none of the patient's. 0 where neither is affected."""
    if m.affected_side not in SIDES:
        return 0.0
    left, right = (_value(m, "closure_gap", expression, side) for side in SIDES)
    return left - right if m.affected_side == "left" else right - left


def _absolute(m: Measures, missing: list[str]) -> int | None:
    """House's points in quarters of a centimetre, of the affected side; of the weaker one where neither is."""
    sides = [m.affected_side] if m.affected_side in SIDES else list(SIDES)
    found = [
        (_value(m, "brow_raise", "brow_raise", s), _value(m, "commissure_lateral", "open_smile", s)) for s in sides
    ]
    if not all(math.isfinite(a + b) for a, b in found):
        missing.append("House's points in centimetres: need brow raise and open smile")
        return None
    return min(house_points_absolute(a, b) for a, b in found)


def _signs(
    m: Measures, rule: Mapping[str, Any], function: Mapping[str, float], worst: float, missing: list[str]
) -> HouseBrackmannSigns | None:
    """The signs of House & Brackmann's table; `worst` the strongest unasked movement."""
    name = "House-Brackmann, descriptive"
    # What the cheek does unasked takes a snarl to know; the table's signs don't ask for one.
    if not math.isfinite(function["brow"] + function["mouth"] + function["eye"]):
        missing.append(f"{name}: needs brow raise, eye closure and smile")
        return None
    if unseen := _unseen(m, ("eye", "mouth")):
        missing.append(f"{name}: {unseen}")
        return None
    drop, opening = (0.0, 0.0) if m.affected_side not in SIDES else (_rest(m, "commissure"), _rest(m, "eye"))
    if not math.isfinite(drop + opening):
        missing.append(f"{name}: eyes or mouth corners were not seen at rest")
        return None
    cuts = SignCuts(gap_mm=rule["closed_gap_mm"])
    try:
        eye = eye_sign(function["eye"], _gap(m, "gentle_eye_closure"), _gap(m, "tight_eye_closure"), cuts)
    except ValueError as error:
        missing.append(f"{name}: {error}")
        return None
    narrow, raised = rule["contracture_mm"]
    return house_brackmann_signs(
        function["brow"],
        eye,
        function["mouth"],
        "asymmetric" if drop <= -rule["rest_commissure_mm"] else "normal",
        worst,
        contracture=opening <= -narrow and drop >= raised,
        cuts=cuts,
    )


def _unseen(m: Measures, regions: tuple[str, ...]) -> str:
    """Which unasked movements of `regions` could not be measured in the movements that scales ask for; empty: none."""
    asked = {expression for expression, _ in _SUNNYBROOK.values()}
    names = [f"{r} in {e}" for (e, r), v in m.synkinesis.items() if e in asked and r in regions and math.isnan(v)]
    return f"synkinesis not measured: {', '.join(names)}" if names else ""


def _movement(m: Measures, expression: str, region: str) -> float:
    """Affected / healthy share of one movement; NaN when it was not measured."""
    if region == "eye":
        return _value(m, "closure_ratio", expression)
    return _value(m, "function" if m.affected_side in SIDES else "symmetry", expression, region=region)


def _sunnybrook(
    m: Measures, rule: Mapping[str, Any], still: bool, fold: int | None, missing: list[str]
) -> Sunnybrook | None:
    shares = {name: max(_movement(m, *where), 0.0) for name, where in _SUNNYBROOK.items()}
    unknown = [name for name, where in _SUNNYBROOK.items() if not math.isfinite(_movement(m, *where))]
    if unknown:
        missing.append(f"Sunnybrook: movement not measured: {', '.join(unknown)}")
        return None
    if unseen := _unseen(m, _UNASKED):
        missing.append(f"Sunnybrook: {unseen}")
        return None
    eye, corner = abs(_rest(m, "eye")), abs(_rest(m, "commissure"))
    if not math.isfinite(eye + corner):
        missing.append("Sunnybrook: eyes or mouth corners were not seen at rest")
        return None
    if "rest_nasolabial_mm" in rule:  # of benchmarks that were frozen with it
        mirrored = m.value("resting_asymmetry", "rest", region="nasolabial")
        fold = sum(mirrored >= cut for cut in rule["rest_nasolabial_mm"])
    elif fold is None:
        missing.append(f"Sunnybrook composite: known within 10 points; the nasolabial fold was not judged ({NO_FOLD})")
    if still:
        shares |= {"brow": 0.0, "smile": 0.0}
        shares["eye"] *= shares["eye"] > rule["passive_closure"]
    healthy = m.affected_side not in SIDES
    voluntary = [5 if healthy else voluntary_item(shares[s], tuple(rule["voluntary_cuts"])) for s in shares]
    unasked = []
    for name in SUNNYBROOK_MOVEMENTS:
        expression = _SUNNYBROOK[name][0]
        moved = () if still else (v for (e, _), v in m.synkinesis.items() if e == expression and v > 0)
        share = max(moved, default=0.0)
        unasked.append(synkinesis_item(share, tuple(rule["synkinesis_cuts"])))
    return Sunnybrook(
        eye=int(eye >= rule["rest_fissure_mm"]),
        nasolabial=fold,
        mouth=int(corner >= rule["rest_commissure_mm"]),
        voluntary=tuple(voluntary),  # type: ignore[arg-type]
        synkinesis=tuple(unasked),  # type: ignore[arg-type]
    )


def _eface(m: Measures, function: Mapping[str, float], missing: list[str]) -> EfaceItems:
    """eFACE-like items. Bipolar ones move by 10 points a millimetre (brow, commissure) or by per cent (fissure)."""

    def bipolar(value: float) -> float:
        return min(max(100 + value, 0.0), 200.0) if math.isfinite(value) else math.nan

    def percent(share: float) -> float:
        return 100 * min(max(share, 0.0), 1.0) if math.isfinite(share) else math.nan

    def free_of(pairs: tuple[tuple[str, str], ...]) -> float:
        found = [m.synkinesis[p] for p in pairs if p in m.synkinesis]
        return percent(1 - max(found)) if found and all(map(math.isfinite, found)) else math.nan

    healthy_eye = m.value("fissure_height", "rest", "left" if m.affected_side == "right" else "right")
    platysmal = free_of((("open_smile", "neck"), ("gentle_eye_closure", "neck")))
    missing.append(f"eFACE nasolabial items: {NO_FOLD}")
    if math.isnan(platysmal) and m.affected_side in SIDES:
        missing.append("eFACE platysmal synkinesis: the neck's own movement was not seen, or is too small to compare")
    return EfaceItems(
        brow_rest=bipolar(10 * _rest(m, "brow")),
        # 0 wide, 200 narrow: the other way round than the lids' distance.
        fissure_rest=bipolar(-100 * _rest(m, "eye") / healthy_eye if healthy_eye > 0 else math.nan),
        commissure_rest=bipolar(10 * _rest(m, "commissure")),
        brow_raise=percent(function["brow"]),
        gentle_closure=percent(_movement(m, "gentle_eye_closure", "eye")),
        full_closure=percent(_movement(m, "tight_eye_closure", "eye")),
        commissure_smile=percent(_movement(m, "open_smile", "mouth")),
        lower_lip=percent(function["lower_lip"]),
        ocular_synkinesis=free_of((("open_smile", "eye"), ("closed_smile", "eye"), ("lip_pucker", "eye"))),
        midfacial_synkinesis=free_of((("gentle_eye_closure", "mouth"), ("brow_raise", "mouth"))),
        mentalis_synkinesis=free_of((("gentle_eye_closure", "chin"), ("brow_raise", "chin"))),
        platysmal_synkinesis=platysmal,
    )


def _stennert(m: Measures, rule: Mapping[str, Any], function: Mapping[str, float]) -> Stennert:
    """The signs that a scan shows; nothing of somebody without an affected side."""
    if m.affected_side not in SIDES:
        return Stennert()

    def judged(value: float, there: bool) -> bool | None:
        return there if math.isfinite(value) else None

    eye, corner = _rest(m, "eye"), _rest(m, "commissure")
    gentle, tight = _gap(m, "gentle_eye_closure"), _gap(m, "tight_eye_closure")
    pucker = _value(m, "pucker_ratio", "lip_pucker")
    return Stennert(
        fissure_difference=judged(eye, abs(eye) >= 3.0),
        mouth_corner_low=judged(corner, corner <= -3.0),
        brow=judged(function["brow"], function["brow"] < 0.5),
        gap_gentle=judged(gentle, gentle > rule["closed_gap_mm"]),
        gap_tight=judged(tight, tight > rule["closed_gap_mm"]),
        pucker=judged(pucker, pucker < 0.5),
    )
