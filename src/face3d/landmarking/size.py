"""Whether a face has the size of people's: a wrong unit scales every number along, and nothing else shows it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import ScanError
from face3d.io.units import LARGEST_MM, MILLIMETRES, SMALLEST_MM
from face3d.landmarks import SIDES

#: Two landmarks -> mm between them in adults, mean of both sexes (Farkas 1994, Anthropometry of the Head and Face: 91.2
#: and 87.8, 33.3 and 31.8, 34.9 and 31.4, 54.8 and 50.6, 124.7 and 111.4). The mouth's width is left out: it doubles.
_ADULT = {
    ("ex_left", "ex_right"): 89.5,
    ("en_left", "en_right"): 32.6,
    ("al_left", "al_right"): 33.2,
    ("n", "sn"): 52.7,
    ("n", "gn"): 118.1,
}
# A face's size is the median of the five over an adult's. Published eyes by that measure: newborns 0.73 and 0.70 (noses
# and chins less; 10.3341/jkos.2012.53.10.1385), at 1 year 0.86 and 0.84, at 5 years 0.88 and 0.93 (of adults';
# 10.1597/1545-1569_1992_029_0315_gpitor_2.3.co_2), African men 1.10 and 0.99, nose 1.3 (10.1186/s40902-019-0191-7).
# Detected on simulated scans: 152 adults 0.88 to 1.15, 51 children from 4 years on 0.82 to 1.09; james, demoface and
# simpop 0.96 to 1.13. In acromegaly nose and chin grow, the eyes' distances do not.
#: From small children to the largest adults: outside is said. From newborns to beyond anybody: outside is refused.
USUAL, POSSIBLE = (0.74, 1.17), (0.63, 1.25)
#: Measurements that have to be there for a refusal.
_ENOUGH = 3

# What stays at its distance in expression: detected on 101 simulated people in two expressions each, the median ratio
# of these distances had an SD of 1.6 % and lay between 0.949 and 1.038.
_RIGID = (
    *(f"{code}_{side}" for code in ("en", "ex", "al", "ac") for side in SIDES),
    "n",
    "sn",
    "prn",
    "c",
)
_LEAST_MM = 25.0
#: Share by which scans of one person may differ in size.
_DIFFERENT = 0.08


def face_size(landmarks: Mapping[str, ArrayLike]) -> float:
    """A face's size over an average adult's, from landmarks name -> (3,) mm; NaN where none of the pairs is known."""
    ratios = _ratios(landmarks)
    return float(np.median(ratios)) if ratios else np.nan


def _ratios(landmarks: Mapping[str, ArrayLike]) -> list[float]:
    return [
        _distance(landmarks, *pair) / mm for pair, mm in _ADULT.items() if pair[0] in landmarks and pair[1] in landmarks
    ]


def _distance(landmarks: Mapping[str, ArrayLike], one: str, two: str) -> float:
    return float(np.linalg.norm(np.asarray(landmarks[one], np.float64) - np.asarray(landmarks[two], np.float64)))


def size_notes(name: str, landmarks: Mapping[str, ArrayLike], units_note: str = "") -> list[str]:
    """What is to be said of the size of the face on scan `name`, whose `units_note` tells how millimetres came about.

    Raises `ScanError` when nobody has a face of that size.
    """
    size = face_size(landmarks)
    if np.isnan(size) or USUAL[0] <= size <= USUAL[1]:
        return []
    eyes = [
        f"{where} eye corners {_distance(landmarks, *pair):.0f} mm apart"
        for where, pair in (("outer", ("ex_left", "ex_right")), ("inner", ("en_left", "en_right")))
        if landmarks.keys() >= set(pair)
    ]
    what = f"the face has {size:.2f} times the size of an average adult's ({', '.join(eyes) or 'by nose and chin'})"
    if len(_ratios(landmarks)) >= _ENOUGH and not POSSIBLE[0] <= size <= POSSIBLE[1]:
        raise ScanError(
            f"{name}: {what}; people have {POSSIBLE[0]:g} (newborns) to {POSSIBLE[1]:g} times that: "
            f"{way_out(size, units_note)}"
        )
    return [
        f"{what}; {USUAL[0]:g} (small children) to {USUAL[1]:g} is usual. If the unit is wrong, so is every number in "
        f"mm: {way_out(size, units_note)}"
    ]


def way_out(size: float, units_note: str = "") -> str:
    """What to do about a face of `size` times an adult's on a scan with this `units_note`."""
    assumed = _assumed(units_note)
    for unit, mm in MILLIMETRES.items():
        if mm != assumed and USUAL[0] <= size * mm / assumed <= USUAL[1]:
            return f"in {unit} it would be of human size: give --units {unit}"
    return (
        "no unit makes it of human size: a normalised mesh, or one that a program has scaled? Measure a distance on "
        "the person and give the millimetres in one unit of the file (--scale NUMBER)"
    )


def in_other_units(longest: float, units_note: str = "") -> str:
    """The same of a scan on which no face was found, by its longest extent, mm."""
    assumed = _assumed(units_note)
    fits = [unit for unit, mm in MILLIMETRES.items() if SMALLEST_MM <= longest * mm / assumed <= LARGEST_MM]
    way = f"it would in {' or '.join(fits)} (--units)" if fits else "in no unit would this (--scale NUMBER)"
    return f"A face or head has {SMALLEST_MM:.0f} to {LARGEST_MM:.0f} mm; {way}"


def _assumed(units_note: str) -> float:
    """Millimetres in the unit that a scan's `units_note` begins with; 1 where it names none."""
    unit = units_note.partition(":")[0].strip()
    try:
        return MILLIMETRES[unit] if unit in MILLIMETRES else float(unit)
    except ValueError:
        return 1.0


def size_beside(rest: Mapping[str, ArrayLike], other: Mapping[str, ArrayLike]) -> float:
    """How many times as large the face of `other` is as the same person's in `rest`, landmarks name -> (3,) mm; NaN
    where too few are known in both."""
    names = [k for k in _RIGID if k in rest and k in other]
    ratios = []
    for i, one in enumerate(names):
        for two in names[:i]:
            apart = _distance(rest, one, two)
            if apart > _LEAST_MM:
                ratios.append(_distance(other, one, two) / apart)
    return float(np.median(ratios)) if len(ratios) >= _ENOUGH else np.nan


def another_size(rest: Mapping[str, ArrayLike], other: Mapping[str, ArrayLike]) -> str:
    """What is wrong with a scan whose landmarks `other` have not the size of the `rest` scan's of the same exam; ""
    where they have, or too little is known."""
    size = size_beside(rest, other)
    if not abs(size - 1.0) > _DIFFERENT:
        return ""
    return (
        f"the face is {size:.2f} times as large as in the rest scan; expressions change it by up to 5 %, "
        f"{100 * _DIFFERENT:.0f} % is taken: another unit or scale in one of the files (--units, --scale), or another "
        "person?"
    )
