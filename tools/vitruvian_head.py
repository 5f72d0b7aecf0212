"""A head of other artists, in mesh, shape and movement: CharMorph's Vitruvian, from `../shared/heads/vitruvian.npz`.

CC0, by Sean Buckley, Olaf Delgado-Friedrichs and others. Nothing of it is in face3d: it is measured on, numbers may be
chosen on it, and networks may see people of it where that helps on heads of third origins. Its left and right movements
are the artists' own, and some reach across the midline; its people are its artists' shapes, made symmetric, and their
natural asymmetry is what one half of a shape is without the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from face3d.scan import FaceScan, Floats
from face3d.simulate import HeadModel
from face3d.simulate.head import reflected
from other_heads import as_head, subdivided

FILE = Path(__file__).parents[2] / "shared" / "heads" / "vitruvian.npz"
#: unit of set "a" -> the artists' morphs of one side and how much of each; where they have only both sides in one, it
#: is split at the midline.
UNITS: Mapping[str, Mapping[str, float]] = {
    "browInnerUp": {"Eyebrows_InnerBrow_Raised": 0.4, "Eyebrows_Raised": 0.2},
    "browOuterUp": {"Eyebrows_Raised": 0.7},
    "browDown": {"Eyebrows_Lower": 1.0},
    "eyeBlink": {"Eyes_Closed": 1.0},
    "eyeSquint": {"Lower_Eyelid_Up": 1.0},
    "cheekSquint": {"Cheeks_Raised": 1.0},
    "noseSneer": {"Nostrils_Corners_Raise_GLOBAL": 1.0},
    "mouthUpperUp": {"Lips_Up_Raised": 1.0},
    "mouthLowerDown": {"Lips_Dn_Lower": 0.8},
    "mouthSmile": {"Smile_Lips_Closed": 1.0},
    "mouthDimple": {"Lips_Dimple": 1.0},
    "mouthFrown": {"Frown": 1.0},
    "mouthPucker": {"Kiss": 0.6},
    "cheekPuff": {"Cheeks_Puffed": 1.0},
    "jawOpen": {"Jaw_Lower": 1.0},
}
#: mm: what is split at the midline fades over this width on both sides of it, as in the embedded sets.
SPLIT_MM = 6.0
#: Shapes that leave the face of a living adult, or what a scan of a face shows; how far each goes in people, SD.
NOT_DRAWN, SHAPE_SD = ("Neck_", "BodyType_", "Head_", "Generic_"), 0.12


@lru_cache(maxsize=1)
def vitruvian() -> HeadModel:
    """The head with its movements under the names of set "a", once subdivided."""
    with np.load(FILE) as data:
        v, faces = data["vertices"].astype(np.float64), data["faces"].astype(np.int64)
        names, moves = data["expression_names"].tolist(), data["expression"].astype(np.float64)
        drawn = [k for k, n in enumerate(data["identity_names"].tolist()) if not n.startswith(NOT_DRAWN)]
        shapes = data["identity"][drawn].astype(np.float64)
    opposite = np.asarray(KDTree(v * (-1.0, 1.0, 1.0)).query(v)[1], np.int64)
    both_ways = opposite[opposite] == np.arange(len(v))
    opposite = np.where(both_ways, opposite, np.arange(len(v)))  # six vertices have no mirror image
    head = as_head(FaceScan(v, faces, name="vitruvian"), opposite)
    turn = _turn(v, head.vertices)
    here = 0.5 - 0.5 * np.cos(np.pi * np.clip((head.vertices[:, 0] + SPLIT_MM) / (2 * SPLIT_MM), 0, 1))
    left = np.zeros_like(head.left)
    for unit, parts in UNITS.items():
        left[head.units.index(unit)] = sum(s * _of_left(n, names, moves @ turn.T, here) for n, s in parts.items())
    shapes = SHAPE_SD * shapes @ turn.T
    half = shapes * here[:, None]
    return subdivided(
        replace(
            head,
            left=left,
            right=reflected(left, opposite),
            identity=(shapes + reflected(shapes, opposite)) / 2,
            asymmetry=(half - reflected(half, opposite)) / 2,
        )
    )


def _turn(v: Floats, placed: Floats) -> Floats:
    """(3, 3): how the head was turned when it was placed."""
    from face3d.geometry.rigid import laid_on

    return laid_on(v, placed, np.ones(len(v))).rotation.as_matrix()


def _of_left(name: str, names: list[str], moves: Floats, here: Floats) -> Floats:
    if name in names:
        return moves[names.index(name)] * here[:, None]
    pair = [moves[names.index(f"{name}_{side}")] for side in ("Left", "Right")]
    # The artists name some by the picture's sides.
    return max(pair, key=lambda move: float(here @ (move**2).sum(axis=1)))
