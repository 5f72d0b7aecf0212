"""Points that move by a plan: a face of some landmarks, of which each goes along a line, by its side's timing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from face3d.landmarks import SIDES, code_of
from face3d.sequence.points import Trajectories
from face3d.simulate.motion import Timing, minimum_jerk

#: mm, of a face's left side and midline.
AT = {
    "sci": (25.0, 22.0, 5.0),
    "mb": (12.0, 18.0, 8.0),
    "lb": (45.0, 18.0, -5.0),
    "en": (16.0, 0.0, 0.0),
    "ex": (45.0, 0.0, -8.0),
    "ps": (31.0, 5.0, 3.0),
    "pi": (31.0, -5.0, 3.0),
    "al": (17.0, -38.0, 12.0),
    "ch": (25.0, -68.0, 8.0),
    "n": (0.0, 8.0, 10.0),
    "ls": (0.0, -60.0, 18.0),
    "pg": (0.0, -100.0, 12.0),
}
NAMES = tuple(n for code in AT for n in ((code,) if AT[code][0] == 0 else (f"{code}_left", f"{code}_right")))


@dataclass(frozen=True)
class Plan:
    """Points by code -> way (3,) of a left one, mm; each side's timing and how much of the way it goes."""

    ways: Mapping[str, Sequence[float]]
    left: Timing
    right: Timing
    share: Mapping[str, float]


def home(name: str) -> np.ndarray:
    flip = -1.0 if name.endswith("_right") else 1.0
    return np.array(AT[code_of(name)]) * (flip, 1, 1)


def planted(
    plans: Sequence[Plan],
    seconds: float,
    fps: float,
    noise: float = 0.0,
    blinks: Sequence[float] = (),
    closing: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Trajectories:
    """The recording; `blinks` seconds at which lids begin to fall, by the share `closing` of each side."""
    times = np.arange(round(seconds * fps)) / fps
    points = np.array([[home(n) for n in NAMES]] * len(times))
    for plan in plans:
        for k, name in enumerate(NAMES):
            side = next((s for s in SIDES if name.endswith(s)), None)
            if code_of(name) not in plan.ways or side is None:
                continue
            way = np.array(plan.ways[code_of(name)]) * (1 if side == "left" else -1, 1, 1)
            points[:, k] += plan.share[side] * getattr(plan, side).activation(times)[:, None] * way
    for begin in blinks:
        t = times - begin
        lid = minimum_jerk(t / 0.1) * (1 - minimum_jerk((t - 0.1) / 0.22))
        for side, share in (closing or dict.fromkeys(SIDES, 1.0)).items():
            points[:, NAMES.index(f"ps_{side}"), 1] -= 10.0 * share * lid
    points += np.random.default_rng(seed).normal(0, noise, points.shape) if noise else 0.0
    return Trajectories("planted", times, NAMES, points)


def smile(start: float = 1.0, late: float = 0.0, slow: float = 1.0, weak: float = 1.0, size: float = 10.0) -> Plan:
    """A smile of `size` mm at the mouth's corners whose right side is late (s), slow and weak."""
    left, right = Timing(start, 0.5, 1.0, 0.6), Timing(start + late, 0.5 * slow, 1.0, 0.6)
    up = np.array([0.6, 0.8, 0.0])
    return Plan({"ch": size * up, "al": 0.3 * size * up}, left, right, {"left": 1.0, "right": weak})
