"""Faces with planted weakness for the tests of measuring: one person of the head model, each expression with its own
intensity.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.scan import Floats
from face3d.simulate.head import HeadModel

#: expression -> unit of the head model -> intensity on a healthy side
ASKED = {
    "brow_raise": {"browInnerUp": 1.0, "browOuterUp": 1.0},
    "gentle_eye_closure": {"eyeBlink": 1.0},
    "closed_smile": {"mouthSmile": 0.5},
    "open_smile": {"mouthSmile": 0.8, "mouthUpperUp": 0.3},
    "snarl": {"noseSneer": 1.0, "mouthUpperUp": 0.6},
    "lip_pucker": {"mouthPucker": 1.0},
    "lower_lip_depression": {"mouthLowerDown": 1.0},
    "cheek_puff": {"cheekPuff": 0.6},
}


def units(model: HeadModel, expression: str, size: float = 1.0) -> Floats:
    """Unit intensities (U,) of an expression on one side."""
    out = np.zeros(len(model.units))
    for name, value in ASKED[expression].items():
        out[model.units.index(name)] = size * value
    return out


def face(
    model: HeadModel,
    rng: np.random.Generator,
    function: float = 1.0,
    affected: str = "left",
    synkinesis: float = 0.0,
    natural_asymmetry: float = 0.0,
    posed: bool = True,
) -> tuple[Floats, dict[str, Floats]]:
    """Rest (V, 3) and expressions of one person; `function` 0..1 of the affected side, `synkinesis` as intensity of
    the eye closing with smiles and the mouth with eye closure. `posed`: each expression in a head pose of its own."""
    identity = 0.7 * rng.normal(size=len(model.identity))
    odd = natural_asymmetry * rng.normal(size=len(model.asymmetry))
    rest = model.shape(identity, odd)
    out = {}
    for expression in ASKED:
        ill = units(model, expression, function)
        if synkinesis and "smile" in expression:
            ill = ill + units(model, "gentle_eye_closure", synkinesis)
        if synkinesis and expression == "gentle_eye_closure":
            ill = ill + units(model, "open_smile", synkinesis)
        sides = {affected: ill, "right" if affected == "left" else "left": units(model, expression)}
        moved = model.shape(identity, odd, sides["left"], sides["right"])
        pose = RigidTransform.identity()
        if posed:
            pose = RigidTransform.from_components(
                rng.normal(size=3) * 5, Rotation.from_rotvec(rng.normal(size=3) * 0.1)
            )
        out[expression] = pose.apply(moved)
    return rest, out
