"""What the artists' movements lack of people's, as more units of a head model.

A raised brow takes the forehead along, far up; a snarl lifts the cheek beside the nose; a jaw swings. Each unit is made
from the model's own movements and landmarks, so that every movement set, and each of its levels, can have them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from face3d.scan import Floats, Ints
from face3d.simulate.expressions import recipes_for
from face3d.simulate.head import HeadModel, reflected
from face3d.simulate.palsy_units import with_palsy_units

UNITS = ("foreheadUp", "snarlWide", "jawSwing")
#: Where a raised forehead stands still, as a share of its height from brow to hairline: below it skin goes up, above it
#: down, in 27 of 27 people (Cotofana 2020, Plast Reconstr Surg 145:1155).
STILL_AT = 0.61
#: How the way up fades towards there: so that 71, 48 and 16 % of it are left 20, 30 and 40 mm above the eye, as on
#: another artist's head.
FADES = 1.5
#: How far the upper forehead comes down, as a share of the brow's way (ours; none is published). It ends at the scalp.
COMES_DOWN, ENDS_AT = 0.2, 1.3
#: mm that a snarl lifts the cheek beside the ala more than the artists do, and how wide (ours): the levator of lip and
#: ala and zygomaticus minor reach from the nose to the pupil's vertical.
SNARL_MM, SNARL_WIDE_MM = 3.5, (13.0, 15.0)
#: The unit that opens the mouth, in either set.
JAW = ("jawOpen", "mouth-open")


@lru_cache(maxsize=4)  # the embedded sets and levels
def lifelike(model: HeadModel) -> HeadModel:
    """`model` with the palsy's units and `UNITS` (once: a model that has them is returned as it is)."""
    model = with_palsy_units(model)
    if UNITS[0] in model.units:
        return model
    left = np.concatenate([model.left, np.stack([_forehead(model), _snarl(model), _swing(model)])])
    return replace(model, units=(*model.units, *UNITS), left=left, right=reflected(left, model.opposite))


def _radial(v: Floats) -> Floats:
    """Unit vectors (V, 3) out of the skull: across them skin slides."""
    out = v - [0.0, -25.0, -75.0]
    return out / np.linalg.norm(out, axis=1)[:, None]


def _forehead(model: HeadModel) -> Floats:
    """What the model's own brow raise lacks: above the brow it goes on, less the higher up, to `STILL_AT`."""
    v, p = model.vertices, model.landmark_points(model.vertices)
    left = {u: model.left[model.units.index(u)] for u in model.units}
    own = sum((s * left[u] for u, s in recipes_for(model)["brow_raise"].items() if u in left), np.zeros_like(v))
    brow, hair = float(p["sci_left"][1]), float(p["tr"][1])
    calm = 1.0 - np.minimum(sum(model.regions.get(f"eyeball_{s}", np.zeros(len(v))) for s in ("left", "right")), 1.0)
    front = calm * np.exp(-0.5 * (np.maximum(-40.0 - v[:, 2], 0.0) / 15.0) ** 2)
    # The brow's way at each x: where about the brow the model raises it most.
    row = (np.abs(v[:, 1] - brow) < 10.0) & (front > 0.5)
    high = np.flatnonzero((v[:, 1] > brow) & (front > 0.01))
    near = np.exp(-0.5 * ((v[high, None, 0] - v[None, row, 0]) / 6.0) ** 2)
    lift = (near * np.maximum(own[row, 1], 0.0)).max(axis=1)
    t = (v[high, 1] - brow) / (hair - brow)
    falls = -COMES_DOWN * np.sin(np.pi * np.clip((t - STILL_AT) / (ENDS_AT - STILL_AT), 0, 1))
    share = np.where(t < STILL_AT, np.clip(1.0 - t / STILL_AT, 0, 1) ** FADES, falls)
    # Nowhere less than the artist's own, up to where skin stands still.
    way = np.where(t < STILL_AT, np.maximum(lift * share, own[high, 1]), lift * share)
    begin = np.clip((v[high, 1] - brow) / 6.0, 0, 1)
    begin = begin * begin * (3 - 2 * begin)
    added = np.zeros_like(v)
    added[high] = (front[high] * begin)[:, None] * (_slid_up(v, front > 0.2, high, way) - own[high])
    return added


def _slid_up(v: Floats, front: NDArray[np.bool_], which: Ints, way: Floats) -> Floats:
    """Displacements (n, 3) of vertices `which` that slide `way` (n,) mm up along the surface, straight as frontalis
    pulls: to where the surface is at the height that they reach."""
    from scipy.interpolate import LinearNDInterpolator

    depth = LinearNDInterpolator(v[front, :2], v[front, 2])
    here, there = v[which, :2], v[which, :2] + np.stack([np.zeros(len(which)), way], axis=1)
    return np.stack([np.zeros(len(which)), way, np.nan_to_num(depth(there) - depth(here))], axis=1)


def _snarl(model: HeadModel) -> Floats:
    """Cheek and fold beside the nose, up and out."""
    v, p, radial = model.vertices, model.landmark_points(model.vertices), _radial(model.vertices)
    center = p["al_left"] + [8.0, 2.0, 0.0]
    flat = ((v - center)[:, :2] / SNARL_WIDE_MM) ** 2
    deep = np.maximum(np.abs(v[:, 2] - center[2]) - 20.0, 0.0) / 15.0
    zero = np.zeros(len(v))
    still = ("lower_lip", "eyeball", "mouth_inside")
    lower = sum((model.regions.get(f"{n}_{s}", zero) for n in still for s in ("left", "right")), zero).clip(max=1.0)
    bump = np.exp(-0.5 * flat.sum(axis=1) - 0.5 * deep**2) * (1.0 - lower) * np.clip((v[:, 0] + 6.0) / 12.0, 0, 1)
    move = bump[:, None] * np.array([0.15, 1.0, 0.0]) * SNARL_MM
    return move - 0.8 * (move * radial).sum(axis=1)[:, None] * radial + 0.25 * SNARL_MM * bump[:, None] * radial


def _swing(model: HeadModel) -> Floats:
    """A jaw's millimetre to its left: what the mouth's opening moves goes sideways. Right and left add up with opposite
    intensities. Zero for a model that can't open its mouth."""
    unit = next((u for u in JAW if u in model.units), None)
    if unit is None:
        return np.zeros_like(model.vertices)
    size = np.linalg.norm(model.left[model.units.index(unit)], axis=1)
    chin = np.asarray(model.landmarks["pg"][1]) @ (size + size[model.opposite])[list(model.landmarks["pg"][0])]
    return (size / max(float(chin), 1e-9))[:, None] * np.array([1.0, 0.0, 0.0])
