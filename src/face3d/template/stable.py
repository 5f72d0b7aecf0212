"""What stands still in which expression: on this rest and expression are laid together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from face3d.scan import Floats
from face3d.template.anatomy import Anatomy

#: expression -> regions that move least in it: mostly above the movement for the lower face, below it for the upper.
#: Which muscles act in which expression is anatomy (Cattaneo & Pavesi 2014); brows and lids are left out where closing
#: or frowning commonly joins in.
STABLE: Mapping[str, tuple[str, ...]] = {
    "brow_raise": ("nose", "nasolabial", "cheek", "upper_lip", "commissure"),
    "gentle_eye_closure": ("forehead", "nose", "temple", "upper_lip", "chin"),
    "tight_eye_closure": ("forehead", "nose", "temple", "upper_lip", "chin"),
    "closed_smile": ("forehead", "brow", "temple", "nose_root"),
    "open_smile": ("forehead", "brow", "temple", "nose_root"),
    "snarl": ("forehead", "temple", "chin"),
    "lip_pucker": ("forehead", "brow", "temple", "nose_root"),
    "lower_lip_depression": ("forehead", "brow", "temple", "nose_root"),
    "cheek_puff": ("forehead", "brow", "temple", "nose_root"),
}
#: Of an expression outside the protocol nothing is known: bone close under the skin, which few muscles move.
UNKNOWN = ("temple", "nose_root")


def region_weights(anatomy: Anatomy, names: tuple[str, ...]) -> Floats:
    """Sum of the named regions of both sides, at most 1, (N,). Regions that the mesh does not have are passed over."""
    total = np.zeros(len(anatomy.vertices))
    if "nose_root" in names:
        marks = anatomy.landmark_points(anatomy.vertices)
        half = (marks["n"][1] + marks["prn"][1]) / 2
        total += region_weights(anatomy, ("nose",)) * np.clip((anatomy.vertices[:, 1] - half) / 5 + 0.5, 0, 1)
    for name in names:
        for key in (name, f"{name}_left", f"{name}_right"):
            if key in anatomy.regions:
                total += anatomy.regions[key]
    return np.minimum(total, 1.0)
