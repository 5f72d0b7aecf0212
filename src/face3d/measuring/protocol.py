"""Which movement an expression asks for, and which expression shows a region's full movement."""

from __future__ import annotations

from collections.abc import Mapping

#: functional region -> regions of the mesh that make it up
FUNCTIONAL: Mapping[str, tuple[str, ...]] = {
    "brow": ("brow",),
    "eye": ("upper_lid", "lower_lid"),
    "midface": ("nasolabial", "nose"),
    "mouth": ("commissure",),
    "lower_lip": ("lower_lip",),
    "chin": ("chin",),
    "neck": ("neck",),
}


#: expression -> functional regions that move in it because it is asked for, the principal one first
ASKED: Mapping[str, tuple[str, ...]] = {
    "brow_raise": ("brow",),
    "gentle_eye_closure": ("eye",),
    "tight_eye_closure": ("eye", "brow", "midface"),
    "closed_smile": ("mouth", "midface", "lower_lip", "chin"),
    "open_smile": ("mouth", "midface", "lower_lip", "chin"),
    "snarl": ("midface", "mouth", "brow"),
    "lip_pucker": ("mouth", "lower_lip", "midface", "chin"),
    "lower_lip_depression": ("lower_lip", "mouth", "chin", "neck"),
    "cheek_puff": ("mouth", "midface", "lower_lip", "chin"),
}


#: functional region -> expressions that show its full movement, best first
FULL: Mapping[str, tuple[str, ...]] = {
    "brow": ("brow_raise",),
    "eye": ("gentle_eye_closure", "tight_eye_closure"),
    "midface": ("snarl",),
    "mouth": ("open_smile", "closed_smile"),
    "lower_lip": ("lower_lip_depression",),
    "chin": ("lip_pucker", "lower_lip_depression"),
    "neck": ("lower_lip_depression",),
}


#: A healthy side that moves less than this (mm, RMS of the region) shows no movement to compare with.
LEAST_MOVEMENT = 1.0
