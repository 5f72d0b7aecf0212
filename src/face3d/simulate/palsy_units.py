"""What palsy does to a face at rest, as more units of a head model: droop, pull to the healthy side, bands, a graft.

Each unit is a smooth displacement about landmarks, so that any model with the landmark scheme can have them. `left`
means that the left side is ill. Intensity 1 is what complete palsy of an elderly face shows; a young or partial one has
less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from face3d.scan import Floats
from face3d.simulate.head import HeadModel, reflected

UNITS = (
    "droopBrow",
    "wideFissure",
    "droopFold",
    "droopCommissure",
    "pullMouth",
    "pullNose",
    "graftSmile",
    "platysmaBand",
)
#: Movement of the most moved point at intensity 1, mm (ours; of the size that surgeons report correcting: brow ptosis
#: 3 to 10 mm, commissure droop 5 to 10 mm, lower lid sag 2 to 3 mm). A free gracilis graft moves the commissure 8 mm
#: on average (127 flaps, as quoted by Bhama et al. 2014).
BROW_MM, UPPER_LID_MM, LOWER_LID_MM, FOLD_MM, COMMISSURE_MM = 6.5, 0.8, 2.2, 3.0, 7.0
PULL_MOUTH_MM, PULL_NOSE_MM, GRAFT_MM, BAND_MM = 5.0, 2.5, 8.0, 2.5


@lru_cache(maxsize=4)  # the embedded sets and levels; more would hold on to every drawn muscle set
def with_palsy_units(model: HeadModel) -> HeadModel:
    """`model` with `UNITS` appended to its units (once: a model that has them is returned as it is)."""
    if UNITS[0] in model.units:
        return model
    left = np.concatenate([model.left, palsy_fields(model)])
    return replace(model, units=(*model.units, *UNITS), left=left, right=reflected(left, model.opposite))


def palsy_fields(model: HeadModel) -> Floats:
    """Displacements (len(UNITS), V, 3) mm at intensity 1, the left side being ill, in the order of `UNITS`."""
    v, p, w = model.vertices, model.landmark_points(model.vertices), model.regions
    # Skin slides over the skull: what would lift it off is taken out. Radial about the middle of the head.
    radial = v - [0.0, -25.0, -75.0]
    radial /= np.linalg.norm(radial, axis=1)[:, None]

    def near(center: Floats, width: tuple[float, float], shift: tuple[float, float] = (0.0, 0.0)) -> Floats:
        """A bump, 1 at a landmark (moved by `shift`), in x and y; only at the depth of the landmark's surface."""
        d = v - center
        flat = ((d[:, 0] - shift[0]) / width[0]) ** 2 + ((d[:, 1] - shift[1]) / width[1]) ** 2
        return np.exp(-0.5 * flat - 0.5 * (np.maximum(np.abs(d[:, 2]) - 15.0, 0.0) / 15.0) ** 2)

    def slid(weight: Floats, vector: tuple[float, float, float]) -> Floats:
        move = weight[:, None] * np.asarray(vector)
        return move - 0.8 * (move * radial).sum(axis=1)[:, None] * radial

    def region(*names: str) -> Floats:
        zero = np.zeros(len(v))
        return np.minimum(sum((w.get(f"{n}_{s}", zero) for n in names for s in ("left", "right")), zero), 1.0)

    calm = 1.0 - region("eyeball")
    lids = region("upper_lid", "lower_lid")
    en, ex, ps, pi, ch = (p[f"{n}_left"] for n in ("en", "ex", "ps", "pi", "ch"))
    brow = near(p["sci_left"], (20.0, 13.0), (6.0, 1.0)) + 0.5 * near(p["lb_left"], (10.0, 10.0))
    fields = {
        "droopBrow": slid(brow * calm * (1 - 0.5 * lids), (0.0, -BROW_MM, 0.0)) / max(float(brow.max()), 1e-9),
        "wideFissure": _wide_fissure(model, en, ex, ps, pi, near),
        # The fold is effaced from below: the cheek hollows above it and its fat comes to lie over it.
        "droopFold": slid(near((p["al_left"] + ch) / 2, (11.0, 16.0), (8.0, 0.0)), (0.3, -FOLD_MM, 0.0))
        + (near(ch, (12.0, 14.0), (12.0, 2.0)) - near(p["al_left"], (15.0, 12.0), (18.0, 6.0)))[:, None] * radial,
        "droopCommissure": slid(near(ch, (13.0, 14.0), (2.0, -2.0)), (-0.6, -COMMISSURE_MM, 0.0)),
        "pullMouth": slid(near(p["sto"], (17.0, 13.0)), (-PULL_MOUTH_MM, 0.4, 0.0)),
        "pullNose": slid(near(p["sn"], (13.0, 13.0), (0.0, 5.0)), (-PULL_NOSE_MM, 0.0, 0.0))
        + slid(near(p["al_left"], (7.0, 7.0)), (-0.6, -0.8, 0.0)),
        "graftSmile": slid(near(ch, (15.0, 15.0), (3.0, 1.0)), tuple(GRAFT_MM * _unit(p["zy_left"] - ch))),
        "platysmaBand": _band(v, p, radial),
    }
    return np.stack([fields[name] for name in UNITS])


def _unit(vector: Floats) -> Floats:
    return vector / np.linalg.norm(vector)


def _wide_fissure(
    model: HeadModel, en: Floats, ex: Floats, ps: Floats, pi: Floats, near: Callable[..., Floats]
) -> Floats:
    """The upper lid up, the lower lid down and a little off the ball; between them the ball's surface is stretched."""
    v = model.vertices
    middle = (en[1] + ex[1]) / 2
    width = 0.5 * (ex[0] - en[0])
    # The share of the upper lid: 1 above the fissure, 0 below, linear across it.
    t = np.clip((v[:, 1] - pi[1]) / (ps[1] - pi[1]), 0, 1)
    bump = near(np.array([(en[0] + ex[0]) / 2, middle, ps[2]]), (0.75 * width, 9.0))
    move = np.zeros_like(v)
    move[:, 1] = bump * (UPPER_LID_MM * t - LOWER_LID_MM * (1 - t))
    move[:, 2] = bump * (1 - t) * 0.25
    return move


def _band(v: Floats, p: dict[str, Floats], radial: Floats) -> Floats:
    """A cord under the skin of the neck, from the jaw down, that pulls the commissure down and aside."""
    cord = np.exp(-0.5 * ((v[:, 0] - 0.55 * p["go_left"][0]) / 4.0) ** 2)
    below = np.clip((p["gn"][1] - 2.0 - v[:, 1]) / 12.0, 0, 1)
    move = (BAND_MM * cord * below)[:, None] * radial
    d = v - p["ch_left"] - [2.0, -10.0, 0.0]
    drag = np.exp(-0.5 * ((d[:, 0] / 12.0) ** 2 + (d[:, 1] / 16.0) ** 2 + (d[:, 2] / 25.0) ** 2))
    return move + drag[:, None] * np.array([0.6, -1.6, 0.0])
