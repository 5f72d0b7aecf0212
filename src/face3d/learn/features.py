"""An exam as one row of numbers, for the classical methods: measures, movement units, eyes; and the weaker side.

Left and right become weaker and stronger, so that an exam and its mirror image give the same row. What was not
measured is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from face3d.grading.example import MOVEMENTS, SCANS, Example
from face3d.landmarks import other_side
from face3d.measuring.protocol import ASKED
from face3d.reference.scales import REGIONS
from face3d.scan import Floats

#: Sets of features, in the order in which they stand in a row.
SETS = ("measures", "units", "eyes")
#: Measures that tell of the eyes (Feng 2020; Gogu 2024).
EYES = ("fissure_height", "eye_aspect_ratio", "closure", "closure_gap", "closure_ratio", "fissure_height_ratio")
#: expression and region -> which side moves less: displacement where it is principally asked for, and closure.
_TELLING = (
    *(
        f"displacement|{e}|{r}"
        for e, r in (
            ("brow_raise", "brow"),
            ("closed_smile", "commissure"),
            ("open_smile", "commissure"),
            ("snarl", "nasolabial"),
            ("lower_lip_depression", "lower_lip"),
            ("gentle_eye_closure", "upper_lid"),
            ("tight_eye_closure", "upper_lid"),
        )
    ),
)
assert all(name.split("|")[1] in ASKED for name in _TELLING)
#: What House's rule and the shares of function say, with the ill side found by measuring.
_BY_RULE = ("severity", *REGIONS)
#: Left minus right, or positive to the left: turned with the side.
_SIGNED = (
    "rest_difference",
    "midline_deviation",
    "commissure_cant",
    "commissure_angle_difference",
    "philtrum_deviation",
)


def side_moving_less(example: Example) -> str:
    """The side that moves less where movement is asked for, "left" or "right": mean over movements of the difference
    as a share of the larger one, weighted by its size (mm, at most 5)."""
    total = 0.0
    for name in _TELLING:
        left, right = (example.measures.get(f"{name}|{side}", np.nan) for side in ("left", "right"))
        larger = max(left, right)
        if np.isfinite(left + right) and larger > 0:
            total += min(larger, 5.0) * (left - right) / larger
    return "right" if total > 0 else "left"


def names_of(examples: Sequence[Example]) -> dict[str, list[str]]:
    """Set -> names of its features, as found in any of the examples."""
    keys = sorted({k for e in examples for k in e.measures})
    rows = []
    for key in keys:
        measure, expression, region, side = key.split("|")
        if side == "both":
            rows.append(key)
        elif side == "left":
            rows += [f"{measure}|{expression}|{region}|{s}" for s in ("weaker", "stronger")]
    units = range(examples[0].units.shape[1])
    return {
        "measures": rows + [f"rule|all|{name}|both" for name in _BY_RULE],
        "units": [f"unit {u}|{e}||{s}" for e in MOVEMENTS for u in units for s in ("weaker", "stronger")],
        "eyes": [r for r in rows if r.split("|")[0] in EYES],
    }


def rows_of(examples: Sequence[Example], names: dict[str, list[str]]) -> Floats:
    """(n, D) features, the sets of `names` beside each other."""
    return np.array(
        [np.concatenate([_measured(e, names["measures"]), _units(e), _measured(e, names["eyes"])]) for e in examples]
    )


def _measured(example: Example, names: Sequence[str]) -> Floats:
    weaker = side_moving_less(example)
    side = {"weaker": weaker, "stronger": other_side(weaker)}
    shares = example.rules.get("region_function", (np.nan,) * len(REGIONS))
    by_rule: dict[str, float | None] = dict(zip(_BY_RULE, (example.rules.get("severity"), *shares), strict=True))
    out = np.full(len(names), np.nan)
    for k, name in enumerate(names):
        if name.startswith("rule|"):
            value = by_rule[name.split("|")[2]]
            out[k] = np.nan if value is None else value
            continue
        stem, _, which = name.rpartition("|")
        value = example.measures.get(f"{stem}|{side.get(which, which)}", np.nan)
        turned = which == "both" and weaker == "right" and name.split("|")[0] in _SIGNED
        out[k] = -value if turned else value
    return out


def _units(example: Example) -> Floats:
    order = (0, 1) if side_moving_less(example) == "left" else (1, 0)
    moved = example.units[[SCANS.index(e) for e in MOVEMENTS]]
    return np.asarray(moved[..., order], np.float64).reshape(-1)
