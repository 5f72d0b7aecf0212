"""What each measure is, its unit and who defined it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_OURS = "face3d"


_FARKAS = "Farkas 1994"


_HOUSE = "House 1983"


#: A scan has no light reflex from which the margin distances are defined.
_CANTHI = "the middle between the eye corners en and ex, where the light reflex is not seen"


@dataclass(frozen=True)
class Definition:
    """What a measure is, its unit, and who defined it."""

    unit: str
    text: str
    source: str = _OURS


#: Measures in the order of a report; the ratio of a measure is called `<measure>_ratio`: affected / healthy side as in
#: "function" (`measuring.ratios`).
DEFINITIONS: Mapping[str, Definition] = MappingProxyType(
    {
        "fissure_height": Definition("mm", "distance of the lid edges ps-pi, along it at rest; 0 closed", _FARKAS),
        "eye_aspect_ratio": Definition(
            "1", "fissure height / fissure width en-ex; not the EAR of six lid points (Soukupova & Cech 2016)"
        ),
        "mrd1": Definition("mm", f"margin distance, upper lid: height of its edge (ps) above {_CANTHI}"),
        "mrd2": Definition("mm", f"margin distance, lower lid: its edge (pi) below {_CANTHI}"),
        "brow_height": Definition("mm", "height of the brow's top (sci) above the eye corners", _FARKAS),
        "commissure_height": Definition(
            "mm", "height of the mouth corner (ch) above the eye corners: negative", _FARKAS
        ),
        "commissure_distance": Definition("mm", "distance of the mouth corner from the symmetry plane", _FARKAS),
        "alar_height": Definition("mm", "height of the ala (al) above the eye corners: negative", _FARKAS),
        "rest_difference": Definition("mm", "left minus right of a height at rest: + left is more", "Auto-eFACE"),
        "midline_deviation": Definition("mm", "lateral position of a point against the nasion: + left", _FARKAS),
        "resting_asymmetry": Definition("mm", "mean distance of paired points to the aligned mirror", "Claes 2011"),
        "commissure_excursion": Definition(
            "mm", "length of the mouth corner's path from rest, less what a still face shows", _HOUSE
        ),
        "commissure_angle_frontal": Definition(
            "deg", "its direction in the frontal plane: 0 lateral, 90 up, 180 medial"
        ),
        "commissure_angle_difference": Definition("deg", "left minus right direction in the frontal plane"),
        "commissure_lateral": Definition(
            "mm", "sideward part of the mouth corner's path: + away from the midline", _HOUSE
        ),
        "commissure_cant": Definition(
            "deg", "slope of the line between the mouth corners against that of the outer eye corners: + left higher"
        ),
        "philtrum_deviation": Definition("mm", "lateral position of ls against sn: + left"),
        "lip_gap": Definition("mm", "height of the gap between the lips, in the midline (both) or beside it; 0 sealed"),
        "dental_show": Definition("mm", "height of the teeth that are seen between the lips"),
        "commissure_angle_horizontal": Definition("deg", "its direction seen from above: 0 lateral, 90 forward"),
        "brow_raise": Definition("mm", "upward movement of the brow's top (sci)", _HOUSE),
        "closure_gap": Definition(
            "mm", "lagophthalmos: fissure height that is left when the eye is closed, gently or tightly", _FARKAS
        ),
        "closure": Definition(
            "1", "share of the resting fissure that closes: 0 none, 1 complete; passive fall included", "PC-FAAP"
        ),
        "nasolabial_displacement": Definition(
            "mm", "mean length of the nasolabial region's movement, less what a still face shows", "Gibelli 2020"
        ),
        "alar_lift": Definition("mm", "upward movement of the ala (al)"),
        "nasal_base": Definition("mm", "length of the alar base's (ac) movement, less what a still face shows"),
        "lip_depression": Definition("mm", "downward movement of a half of the lower lip"),
        "pucker": Definition("mm", "movement of the mouth corner toward the midline"),
        "overaction": Definition(
            "mm", "movement of the lips' midline (ls, li) over to the healthy side, which pulls more"
        ),
        "cheek_puff": Definition("mm", "mean movement of the cheek along its outward normal at rest"),
        "displacement": Definition(
            "mm", "root mean square length of a region's movement, less what a still face shows", "Alagha 2022"
        ),
        "third_movement_rms": Definition(
            "mm", "root mean square movement of a trigeminal third, through correspondence"
        ),
        "third_surface_rms": Definition("mm", "RMS distance to the surface at rest, trigeminal third", "Gibelli 2020"),
        "function": Definition(
            "1",
            "share of the healthy side's mirrored movement that the affected side makes by itself, without what is "
            "dragged, what a lid falls by, and noise: 0 dead, 1 healthy, errors to either side; an eye's is of closing",
        ),
        "symmetry": Definition(
            "1", "smaller / larger of both sides' movement along their common direction, over the region's skin"
        ),
        "synkinesis": Definition("1", "unasked movement as a share of the region's own full movement"),
        "severity": Definition(
            "1",
            "1 - mean of brow and mouth function: 0 healthy, 1 no movement of its own; what grades by movement go by",
            _HOUSE,
        ),
    }
)


#: Below this (mm) of movement on the healthy side a ratio is noise over noise.
LEAST_FOR_RATIO = 1.0


@dataclass(frozen=True)
class Measure:
    """One number. `side` "left", "right" or "both"; `uncertainty` one standard deviation in the value's unit, NaN
    unknown.
    """

    measure: str
    expression: str
    region: str
    side: str
    value: float
    unit: str
    uncertainty: float = math.nan
    status: str = "ok"
    source: str = _OURS


def row(measure: str, expression: str, region: str, side: str, value: float, status: str = "") -> Measure:
    """A row with its definition's unit and source; a value that is not finite is NaN and needs a status."""
    of_ratio = measure not in DEFINITIONS
    definition = DEFINITIONS[measure.removesuffix("_ratio") if of_ratio else measure]
    good = math.isfinite(value)
    unit = "1" if of_ratio else definition.unit
    return Measure(
        measure,
        expression,
        region,
        side,
        float(value) if good else math.nan,
        unit,
        status="ok" if good else (status or "not seen in the scan"),
        source=definition.source,
    )
