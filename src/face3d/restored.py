"""Movement with its lost share put back.

Where skin slides under a smooth surface, a scan holds little evidence of it, and a template fit answers with its
prior: less movement, and above all less difference between the sides, than there was. How much is lost on average,
region by region, was learned on simulated training subjects (`tools/learn_measuring.py`; `data/movement_gains.json`)
and is put back here. The gains are those of least squares, so that what cannot be known stays out: they never amplify
noise to no purpose.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np

from face3d.function import FUNCTIONAL
from face3d.movement import Anatomy, Movement
from face3d.scan import Floats


@dataclass(frozen=True)
class Gain:
    """Of one functional region: factors of the part that both sides share and of the part by which they differ."""

    shared: float
    differing: float


@cache
def gains() -> Mapping[str, Gain]:
    """Functional region -> gain, as learned; empty where none were."""
    file = files("face3d").joinpath("data/movement_gains.json")
    if not file.is_file():
        return {}
    stored = json.loads(file.read_text(encoding="utf-8"))["gains"]
    return {region: Gain(**values) for region, values in stored.items()}


def restored(moved: Movement, anatomy: Anatomy, by: Mapping[str, Gain] | None = None) -> Movement:
    """The movement with each region's gains applied, fading into its surroundings as the regions do.

    Vertices whose counterpart was not seen stay as they are. A movement and its mirror image give mirror images.
    """
    factors = gains() if by is None else by
    d = moved.displacement
    mirror = d[anatomy.opposite] * (-1.0, 1.0, 1.0)
    shared, differing = np.ones(len(d)), np.ones(len(d))
    for region, gain in factors.items():
        weight = _weight(anatomy, region)
        shared += weight * (gain.shared - 1.0)
        differing += weight * (gain.differing - 1.0)
    out = shared[:, None] * (d + mirror) / 2 + differing[:, None] * (d - mirror) / 2
    return replace(moved, displacement=np.where(np.isfinite(mirror), out, d))


def _weight(anatomy: Anatomy, region: str) -> Floats:
    total = np.zeros(len(anatomy.vertices))
    for name in FUNCTIONAL[region]:
        for side in ("left", "right"):
            total += anatomy.regions.get(f"{name}_{side}", 0.0)
    return np.clip((total + total[anatomy.opposite]) / 2, 0.0, 1.0)
