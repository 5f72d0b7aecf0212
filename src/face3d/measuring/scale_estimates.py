"""Rule-based estimates of clinical scales from measures: explainable, and never a clinician's grade.

Every number here is an *estimate* by published rules on measured ratios; the cut points are data
(`data/scale_rules.json`), each with its origin. Where a clinician graded, both stand side by side and neither replaces
the other.
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
from face3d.reference.scales import (
    FNGS2,
    SUNNYBROOK_MOVEMENTS,
    EfaceItems,
    HouseBands,
    Sunnybrook,
    fngs_item,
    house_brackmann_from_movement,
    house_brackmann_signs,
    house_points,
    synkinesis_item,
    voluntary_item,
)

LABEL = "estimate by rule from measurements, not a clinician's grade"

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

    `house_brackmann` House's measured rule, `points` his 8 points, `regional` the grade by regional signs.
    """

    house_brackmann: int | None
    points: int | None
    regional: int | None
    sunnybrook: Sunnybrook | None
    fngs2: FNGS2 | None
    eface: EfaceItems
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


def estimate_scales(m: Measures, cuts: Mapping[str, Mapping[str, Any]] | None = None) -> Estimates:
    """House-Brackmann, Sunnybrook, FNGS 2.0 and eFACE-like items of measured movement.

    The scales compare an ill side with a healthy one. Where no side is affected ("none"), left-right differences are
    within what healthy people have, and count as full movement; where both are, nothing is estimated. Where what was
    measured contradicts the given side there is nothing healthy to compare with, and nothing is estimated either.
    """
    if m.affected_side == "both":
        return Estimates(None, None, None, None, None, EfaceItems(), "both", (f"any scale: {BILATERAL}",))
    if m.contradiction:
        refused = f"House-Brackmann, Sunnybrook, FNGS 2.0 and eFACE-like items: {m.contradiction}"
        return Estimates(None, None, None, None, None, EfaceItems(), m.affected_side, (refused,))
    rule = {name: r["value"] for name, r in (cuts or rules()).items()}
    missing: list[str] = []
    healthy = m.affected_side not in SIDES
    function = {r: 1.0 if healthy and math.isfinite(v) else v for r, v in m.region_function.items()}
    worst = max((v for (_, r), v in m.synkinesis.items() if r in _UNASKED and math.isfinite(v)), default=0.0)
    grade = points = regional = None
    brow, mouth, eye = function["brow"], function["mouth"], function["eye"]
    bands = HouseBands(*rule["house_brackmann_bands"])
    unsure = (
        {} if healthy else {r.region: r.uncertainty for r in m.rows if (r.measure, r.expression) == ("function", "all")}
    )
    if math.isfinite(brow + mouth):
        grade = _house(brow, mouth, math.hypot(*(_known(unsure.get(r)) for r in ("brow", "mouth"))) / 2, bands)
        points = house_points(max(brow, 0), max(mouth, 0))
    else:
        missing.append("House-Brackmann: needs brow raise and smile")
    if math.isfinite(brow + mouth + eye):
        # What the cheek does unasked takes a snarl to know; the table's signs don't ask for one.
        droop = 0.0 if healthy else abs(_rest(m, "commissure"))
        if unseen := _unseen(m, ("eye", "mouth")):
            missing.append(f"House-Brackmann by signs: {unseen}")
        elif not math.isfinite(droop):
            missing.append("House-Brackmann by signs: mouth corners were not seen at rest")
        else:
            asymmetric = droop >= rule["rest_asymmetric_mm"]
            # Movement that cannot be told from none is none.
            parts = {"brow": brow, "eye": eye, "mouth": mouth}
            seen = {r: 0.0 if v <= _known(unsure.get(r)) else v for r, v in parts.items()}
            regional = house_brackmann_signs(**seen, rest_asymmetric=asymmetric, synkinesis=max(worst, 0)).grade
    sunnybrook = _sunnybrook(m, rule, healthy, missing)
    fngs = None
    parts = [function[r] for r in ("brow", "eye", "midface", "mouth")]
    if not all(math.isfinite(p) for p in parts):
        missing.append("FNGS 2.0: needs brow raise, eye closure, snarl and smile")
    elif unseen := _unseen(m, _UNASKED):
        missing.append(f"FNGS 2.0: {unseen}")
    else:
        items = [fngs_item(max(p, 0), tuple(rule["fngs_cuts"])) for p in parts]
        fngs = FNGS2(*items, secondary=synkinesis_item(max(worst, 0), tuple(rule["synkinesis_cuts"])))
    return Estimates(grade, points, regional, sunnybrook, fngs, _eface(m, function), m.affected_side, tuple(missing))


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


def _unseen(m: Measures, regions: tuple[str, ...]) -> str:
    """Which unasked movements of `regions` could not be measured in the movements that scales ask for; empty: none."""
    asked = {expression for expression, _ in _SUNNYBROOK.values()}
    names = [f"{r} in {e}" for (e, r), v in m.synkinesis.items() if e in asked and r in regions and math.isnan(v)]
    return f"synkinesis not measured: {', '.join(names)}" if names else ""


def _movement(m: Measures, expression: str, region: str) -> float:
    """Affected / healthy share of one movement; NaN when it was not measured."""
    name = "function" if m.affected_side in SIDES else "symmetry"
    try:
        if region == "eye":
            return m.value("closure_ratio", expression)
        return m.value(name, expression, region=region)
    except KeyError:
        return math.nan


def _sunnybrook(m: Measures, rule: Mapping[str, Any], healthy: bool, missing: list[str]) -> Sunnybrook | None:
    shares = {name: _movement(m, *where) for name, where in _SUNNYBROOK.items()}
    unknown = [name for name, share in shares.items() if not math.isfinite(share)]
    if unknown:
        missing.append(f"Sunnybrook: movement not measured: {', '.join(unknown)}")
        return None
    if unseen := _unseen(m, _UNASKED):
        missing.append(f"Sunnybrook: {unseen}")
        return None
    rest = {
        "eye": abs(_rest(m, "eye")),
        "commissure": abs(_rest(m, "commissure")),
        "nasolabial": m.value("resting_asymmetry", "rest", region="nasolabial"),
    }
    if not all(math.isfinite(v) for v in rest.values()):
        missing.append("Sunnybrook: eyes, mouth corners or nasolabial folds were not seen at rest")
        return None
    voluntary = [5 if healthy else voluntary_item(max(shares[s], 0), tuple(rule["voluntary_cuts"])) for s in shares]
    unasked = []
    for name in SUNNYBROOK_MOVEMENTS:
        expression = _SUNNYBROOK[name][0]
        share = max((v for (e, _), v in m.synkinesis.items() if e == expression and math.isfinite(v)), default=0.0)
        unasked.append(synkinesis_item(max(share, 0), tuple(rule["synkinesis_cuts"])))
    return Sunnybrook(
        eye=int(rest["eye"] >= rule["rest_fissure_mm"]),
        nasolabial=sum(rest["nasolabial"] >= cut for cut in rule["rest_nasolabial_mm"]),
        mouth=int(rest["commissure"] >= rule["rest_commissure_mm"]),
        voluntary=tuple(voluntary),  # type: ignore[arg-type]
        synkinesis=tuple(unasked),  # type: ignore[arg-type]
    )


def _eface(m: Measures, function: Mapping[str, float]) -> EfaceItems:
    """eFACE-like items. Bipolar ones move by 10 points a millimetre (brow, commissure) or by per cent (fissure)."""

    def bipolar(value: float) -> float:
        return min(max(100 + value, 0.0), 200.0) if math.isfinite(value) else math.nan

    def percent(share: float) -> float:
        return 100 * min(max(share, 0.0), 1.0) if math.isfinite(share) else math.nan

    def free_of(pairs: tuple[tuple[str, str], ...]) -> float:
        found = [m.synkinesis[p] for p in pairs if p in m.synkinesis]
        return percent(1 - max(found)) if found and all(map(math.isfinite, found)) else math.nan

    healthy_eye = m.value("fissure_height", "rest", "left" if m.affected_side == "right" else "right")
    return EfaceItems(
        brow_rest=bipolar(10 * _rest(m, "brow")),
        fissure_rest=bipolar(100 * _rest(m, "eye") / healthy_eye if healthy_eye > 0 else math.nan),
        commissure_rest=bipolar(10 * _rest(m, "commissure")),
        brow_raise=percent(function["brow"]),
        gentle_closure=percent(_movement(m, "gentle_eye_closure", "eye")),
        full_closure=percent(_movement(m, "tight_eye_closure", "eye")),
        commissure_smile=percent(_movement(m, "open_smile", "mouth")),
        lower_lip=percent(function["lower_lip"]),
        ocular_synkinesis=free_of((("open_smile", "eye"), ("closed_smile", "eye"), ("lip_pucker", "eye"))),
        midfacial_synkinesis=free_of((("gentle_eye_closure", "mouth"), ("brow_raise", "mouth"))),
        mentalis_synkinesis=free_of((("gentle_eye_closure", "chin"), ("brow_raise", "chin"))),
        platysmal_synkinesis=free_of((("open_smile", "neck"), ("gentle_eye_closure", "neck"))),
    )
