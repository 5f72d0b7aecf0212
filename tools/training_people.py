"""Whom measuring and grading are learned from: people of several heads, who move in several authors' ways.

By kind: "a" and "b" move as one artist drew it, "waters" by muscles of Waters' kind, "mixed" each part of the face in
another proportion of the three; all on the embedded head. "vitruvian" are people of other artists' head, mesh and
movements (only where `../shared/heads` is there). What is chosen among graders is chosen on kinds that were left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from face3d.scan import Floats
from face3d.simulate import HeadModel, Patient, draw_patient
from face3d.simulate.head import reflected
from face3d.simulate.lifelike import lifelike
from face3d.simulate.waters import with_waters_muscles
from other_heads import FRESH, SCANS, with_muscles
from vitruvian_head import FILE as HEAD
from vitruvian_head import vitruvian

#: The kinds of the embedded head, on whose vertices truth is known place by place; all kinds.
EMBEDDED = ("a", "b", "waters", "mixed")
KINDS = (*EMBEDDED, "vitruvian")
#: Nobody learns from these: the simpop faces of `../shared/scans` under muscles of their own. Their eyes and mouths are
#: closed surfaces, so that what is said of lids and lower lip means little.
UNSEEN = "simpop"
#: unit of set "a" -> what of set "b" moves about the same place by about as much.
LIKE: Mapping[str, Mapping[str, float]] = {
    "browInnerUp": {"eyebrows-inner-up": 0.4, "eyebrows-up": 0.5},
    "browOuterUp": {"eyebrows-extern-up": 0.4, "eyebrows-up": 0.5},
    "browDown": {"eyebrows-down": 1.0},
    "eyeBlink": {"eye-closure": 1.0},
    "noseSneer": {"nose-elevation": 1.0, "nose-compression": 0.3},
    "mouthUpperUp": {"mouth-elevation": 0.8},
    "mouthSmile": {"mouth-corner-puller": 1.0, "mouth-upward-retraction": 0.6},
    "mouthDimple": {"mouth-retraction": 0.6},
    "mouthLowerDown": {"mouth-depression-retraction": 0.6, "mouth-parling": 0.25},
    "mouthPucker": {"mouth-pursing": 0.9, "mouth-protusion": 0.2},
    "cheekPuff": {"cheek-volume": 1.4},
}
#: Units that belong together: a person mixes them alike.
PARTS = (
    ("browInnerUp", "browOuterUp", "browDown", "foreheadUp"),
    ("eyeBlink",),
    ("noseSneer", "snarlWide"),
    ("mouthUpperUp", "mouthSmile", "mouthDimple"),
    ("mouthLowerDown",),
    ("mouthPucker", "cheekPuff"),
)


def missing(kind: str) -> Path | None:
    """The file that people of a kind need and that is not there; None where all is."""
    needed = {"vitruvian": HEAD, UNSEEN: SCANS / "meshmonk_template.obj"}.get(kind)
    return None if needed is None or needed.exists() else needed


def person(rng: np.random.Generator, kind: str, grade: int) -> Patient:
    """Somebody of a kind, healthy (1) or with a palsy of House-Brackmann `grade`."""
    patient = draw_patient(rng, model_of(rng, kind), grade=grade)
    # One face has one asymmetry: its own.
    return patient.replace(asymmetry=np.ones(1)) if kind == UNSEEN else patient


def model_of(rng: np.random.Generator, kind: str) -> HeadModel:
    """The head of a person of a kind, with their movements."""
    if kind == "vitruvian":
        return lifelike(vitruvian())
    if kind == UNSEEN:
        return lifelike(with_muscles(FRESH[int(rng.integers(len(FRESH)))], rng))
    if kind in ("a", "b"):
        return lifelike(HeadModel.load(kind, "fine"))
    muscles = lifelike(with_waters_muscles(HeadModel.load("a", "fine"), rng))
    return muscles if kind == "waters" else _mixed(rng, muscles)


def _mixed(rng: np.random.Generator, muscles: HeadModel) -> HeadModel:
    first, second = (lifelike(HeadModel.load(author, "fine")) for author in ("a", "b"))
    left = first.left.copy()
    for part in PARTS:
        share = rng.dirichlet([0.5, 0.5, 0.5])
        for unit in part:
            other = sum(
                (s * second.left[second.units.index(u)] for u, s in LIKE.get(unit, {unit: 1.0}).items()),
                np.zeros_like(first.vertices),
            )
            ways: list[Floats] = [first.left[first.units.index(unit)], other, muscles.left[muscles.units.index(unit)]]
            left[first.units.index(unit)] = np.tensordot(share, np.array(ways), axes=1)
    return replace(first, left=left, right=reflected(left, first.opposite))
