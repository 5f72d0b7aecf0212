"""The landmark scheme: names, pairs, midline points, after Farkas (Anthropometry of the Head and Face, 1994).

A paired landmark carries its side as a suffix, always the subject's own: `en_left`, `en_right`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

#: On the symmetry plane of a symmetric face, top to bottom.
MIDLINE: Mapping[str, str] = {
    "tr": "trichion",
    "g": "glabella",
    "n": "nasion",
    "prn": "pronasale",
    "c": "columella apex",
    "sn": "subnasale",
    "ls": "labiale superius",
    "sto": "stomion",
    "li": "labiale inferius",
    "sl": "sublabiale",
    "pg": "pogonion",
    "gn": "gnathion",
}

#: One on each side.
PAIRED: Mapping[str, str] = {
    "en": "endocanthion, inner eye corner",
    "ex": "exocanthion, outer eye corner",
    "ps": "palpebrale superius, highest point of the upper lid's edge",
    "pi": "palpebrale inferius, lowest point of the lower lid's edge",
    "mb": "medial end of the brow",
    "sci": "superciliare, highest point of the brow",
    "lb": "lateral end of the brow",
    "al": "alare",
    "ac": "alar curvature point",
    "ch": "cheilion, mouth corner",
    "cph": "crista philtri",
    "t": "tragion",
    "go": "gonion",
    "zy": "zygion",
    "ft": "frontotemporale",
}

SIDES = ("left", "right")

#: Every name of the scheme.
NAMES: tuple[str, ...] = (*MIDLINE, *(f"{code}_{side}" for code in PAIRED for side in SIDES))

_T = TypeVar("_T")


def other_side(side: str) -> str:
    """ "right" for "left" and the reverse."""
    return SIDES[1 - SIDES.index(side)]


def code_of(name: str) -> str:
    """A landmark's or a region's name without its side; midline names stay."""
    return name.removesuffix("_left").removesuffix("_right")


def opposite_name(name: str) -> str:
    """The landmark's name in a mirror: sides swap, midline and unknown names stay."""
    for side, other in (("_left", "_right"), ("_right", "_left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name


def relabelled(landmarks: Mapping[str, _T]) -> dict[str, _T]:
    """The same points under the names that they carry in a mirror."""
    return {opposite_name(name): point for name, point in landmarks.items()}
