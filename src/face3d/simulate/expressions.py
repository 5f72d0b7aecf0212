"""What a healthy face does when asked for an expression: which units, how strongly, and which nerve drives them.

The recipes name the units of set "a" (ARKit's names, also used by Waters' muscles) and of set "b", and those that
`lifelike` adds to either; a model takes those that it has. Healthy adults reach published excursions: see
tools/amplitudes.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from face3d.simulate.head import HeadModel

#: Branches of the facial nerve. Units of no branch (jaw, gaze, the levator of the lid) are not lost in facial palsy.
BRANCHES = ("temporal", "zygomatic", "buccal", "marginal", "cervical")

RECIPES_A: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "rest": {},
        "brow_raise": {"browInnerUp": 0.95, "browOuterUp": 1.0, "eyeWide": 0.3, "foreheadUp": 1.0},
        "gentle_eye_closure": {"eyeBlink": 1.0},
        "tight_eye_closure": {
            "eyeBlink": 1.05,
            "eyeSquint": 0.7,
            "cheekSquint": 0.7,
            "browDown": 0.6,
            "noseSneer": 0.25,
            "mouthUpperUp": 0.12,
        },
        "closed_smile": {"mouthSmile": 0.42, "mouthDimple": 0.15, "cheekSquint": 0.2, "eyeSquint": 0.1},
        "open_smile": {
            "mouthSmile": 0.58,
            "mouthUpperUp": 0.45,
            "mouthLowerDown": 0.3,
            "mouthStretch": 0.15,
            "cheekSquint": 0.45,
            "eyeSquint": 0.25,
            "jawOpen": 0.1,
        },
        "snarl": {
            "noseSneer": 1.0,
            "mouthUpperUp": 0.7,
            "browDown": 0.35,
            "cheekSquint": 0.4,
            "eyeSquint": 0.2,
            "snarlWide": 1.0,
        },
        "lip_pucker": {"mouthPucker": 0.95, "mouthFunnel": 0.2},
        "lower_lip_depression": {"mouthLowerDown": 0.95, "mouthStretch": 0.55, "jawOpen": 0.06},
        "cheek_puff": {"cheekPuff": 0.75, "mouthPress": 0.3, "mouthPucker": 0.15},
    }
)

RECIPES_B: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "rest": {},
        "brow_raise": {
            "eyebrows-up": 0.9,
            "eyebrows-inner-up": 0.3,
            "eyebrows-extern-up": 0.3,
            "eye-opened-up": 0.25,
            "foreheadUp": 1.0,
        },
        "gentle_eye_closure": {"eye-closure": 1.0},
        "tight_eye_closure": {
            "eye-closure": 1.05,
            "eyebrows-down": 0.6,
            "nose-elevation": 0.4,
            "mouth-elevation": 0.12,
        },
        "closed_smile": {"mouth-corner-puller": 0.65, "mouth-retraction": 0.1},
        "open_smile": {"mouth-upward-retraction": 0.55, "mouth-corner-puller": 0.45, "mouth-parling": 0.2},
        "snarl": {
            "nose-elevation": 1.0,
            "mouth-elevation": 0.55,
            "nose-compression": 0.3,
            "eyebrows-down": 0.35,
            "snarlWide": 1.0,
        },
        "lip_pucker": {"mouth-pursing": 0.8, "mouth-protusion": 0.2},
        "lower_lip_depression": {"mouth-depression-retraction": 0.6, "mouth-parling": 0.25, "neck-platysma": 0.3},
        "cheek_puff": {"cheek-volume": 1.1, "mouth-compression": 0.35},
    }
)

#: unit -> branches that drive it (their mean counts); anatomy after Cattaneo & Pavesi 2014.
DRIVEN_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys(("browInnerUp", "browOuterUp", "browDown", "foreheadUp"), ("temporal",)),
        **dict.fromkeys(("eyebrows-up", "eyebrows-inner-up", "eyebrows-extern-up", "eyebrows-down"), ("temporal",)),
        **dict.fromkeys(("eyeBlink", "eyeSquint", "cheekSquint", "eye-closure", "eye-slit"), ("zygomatic",)),
        **dict.fromkeys(("mouthSmile", "mouth-corner-puller", "mouth-upward-retraction"), ("buccal", "zygomatic")),
        **dict.fromkeys(
            (
                "mouthDimple",
                "mouthUpperUp",
                "noseSneer",
                "snarlWide",
                "mouthRollUpper",
                "mouthShrugUpper",
                "cheekPuff",
                "mouth-retraction",
                "mouth-elevation",
                "nose-elevation",
                "nose-compression",
                "nose-depression",
                "nose-dilatation",
                "cheek-volume",
            ),
            ("buccal",),
        ),
        **dict.fromkeys(
            (
                "mouthPucker",
                "mouthFunnel",
                "mouthPress",
                "mouthClose",
                "mouth-pursing",
                "mouth-protusion",
                "mouth-compression",
                "mouth-eversion",
                "mouth-parling",
                "mouth-part-later",
            ),
            ("buccal", "marginal"),
        ),
        **dict.fromkeys(
            ("mouthLowerDown", "mouthFrown", "mouthShrugLower", "mouthRollLower", "mouth-depression"), ("marginal",)
        ),
        **dict.fromkeys(("mouthStretch", "mouth-depression-retraction"), ("marginal", "cervical")),
        "neck-platysma": ("cervical",),
    }
)

#: functional part of the face -> units of either set in it, for whatever joins in unasked. First the one that shows it.
SYNKINETIC: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "ocular": {"eyeBlink": 0.7, "eyeSquint": 0.5, "eye-closure": 0.7},
        "oral": {"mouthSmile": 0.35, "mouthDimple": 0.3, "mouth-corner-puller": 0.4},
        "mentalis": {"mouthShrugLower": 0.9, "mouth-elevation": 0.0, "mouth-depression": 0.3},
        "platysmal": {"mouthStretch": 0.25, "platysmaBand": 1.0, "neck-platysma": 0.4},
        "frontal": {"browInnerUp": 0.6, "browOuterUp": 0.6, "eyebrows-up": 0.6, "foreheadUp": 0.6},
        "antagonist": {"mouthFrown": 0.35, "mouth-depression": 0.35},
    }
)

#: unit that closes the eye, in either set
CLOSING = ("eyeBlink", "eye-closure")


#: expression -> landmark and the way (mm) that it goes in a mean healthy adult: a recipe's strengths are scaled to it,
#: since every artist and every drawn muscle has an amplitude of its own. Smile 9.28 +- 2.83 (n = 12) to 13.7 (n = 50),
#: brow 10.57 +- 2.51 (n = 12; of markers on the brow's most moved part).
EXCURSION: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "brow_raise": ("sci", 9.0),
        "open_smile": ("ch", 10.5),
        "closed_smile": ("ch", 8.0),
    }
)
#: A set that is further off than this is left where it is: that is not amplitude but another movement.
MOST_SCALED = 2.5


@lru_cache(maxsize=4)
def recipes_for(model: HeadModel) -> Mapping[str, Mapping[str, float]]:
    """Expression -> unit -> strength, with units that `model` has. Raises ValueError if it can't smile or close an eye.

    The set with more of its units in the model is taken, and scaled to `EXCURSION`.
    """
    known = set(model.units)
    found = []
    for recipes in (RECIPES_A, RECIPES_B):
        own = {name: {u: s for u, s in recipe.items() if u in known} for name, recipe in recipes.items()}
        found.append((sum(map(len, own.values())), own))
    _, best = max(found, key=lambda item: item[0])
    for needed in ("open_smile", "gentle_eye_closure", "brow_raise"):
        if not best[needed]:
            raise ValueError(
                f"the head model has no unit for {needed}: name its movements as in RECIPES_A (ARKit's names), e.g. "
                f"{', '.join(RECIPES_A[needed])}; it has {', '.join(model.units)}"
            )
    for name, (mark, way) in EXCURSION.items():
        if f"{mark}_left" in model.landmarks:
            ids, weights = model.landmarks[f"{mark}_left"]
            fields = model.left + model.right
            moved = sum((s * fields[model.units.index(u)][list(ids)] for u, s in best[name].items()), np.zeros((3, 3)))
            scale = way / max(float(np.linalg.norm(np.asarray(weights) @ moved)), 1e-9)
            if 1 / MOST_SCALED < scale < MOST_SCALED:
                best[name] = {u: s * scale if u in DRIVEN_BY else s for u, s in best[name].items()}
    return MappingProxyType(best)
