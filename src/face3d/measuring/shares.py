"""How much of the healthy side's movement the affected side still makes by itself, and how sure that is.

A side without a nerve does not lie still: the healthy side drags skin across the midline, the nose and the mandible are
one piece and take both sides along, lids fall when their levator lets go, and no two scans of a still face agree. None
of it is function. So the affected side's movement `a` is explained by three things at a time:

    a = share * h + passive + noise

`h` the healthy side's movement as a mirror shows it, `passive` what is dragged along (`passive_patterns`), noise as
between two scans of a still face (`Floor`). What drags is the difference between the sides: passive movement is
expected in proportion to the share that is missing, so that two equal sides explain each other, and 1 stays 1. `h` has
noise too, which makes it seem longer than it is: its energy is taken off. A share may come out a little below 0 or
above 1, and is left there: means over people are right only when nothing was cut off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from face3d.scan import Floats
from face3d.template.anatomy import Anatomy

#: mm from the midline at which an unpaired pull has fallen to 1/e; of the nose, the spread of what moves with its tip.
#: They and the patterns were chosen on true vertices of complete and half palsies on five heads, benchmarks/shares.py.
PULL_MM, NOSE_MM = 15.0, 20.0
#: (y, z) mm of the axis that the mandible turns about, in the canonical frame: the condyles, a centimetre before the
#: tragi.
HINGE = (-20.0, -90.0)
#: functional region -> passive patterns. Brows have none: what drags them across is under half a per cent.
PASSIVE: Mapping[str, tuple[str, ...]] = {
    "midface": ("nose_aside", "nose_up", "nose_rolled"),
    "nasolabial": ("nose_aside", "nose_up", "nose_rolled"),
    "mouth": ("aside", "jaw"),
    "lower_lip": ("aside", "jaw"),
    "chin": ("aside", "jaw"),
}
#: Standard deviation of a pattern's movement as a share of the healthy side's, where the other side does not move by
#: itself (ours: simulated mouths are pulled over by 10 to 30 %).
PASSIVE_SD = 0.4

#: Share of a resting fissure that a lid without any orbicularis falls through at most when its levator lets go, as it
#: does in gentle closure (see PMC1771243). We found no published share; ours is that of simulated lids, 16 to 25 %.
#: Closure up to it says nothing of the muscle.
PASSIVE_FALL = 0.25


@dataclass(frozen=True)
class Floor:
    """What a region seems to move between two scans of a still face: `rms` mm, root mean square over its places and
    people; `places`: of how many independent places it is the error, 1 where the whole region is off alike."""

    rms: float
    places: float


#: Of movement that is known without error, of a simulated person: rounding.
EXACT = Floor(1e-3, 1.0)


@cache
def _learned() -> dict[str, dict]:
    file = files("face3d").joinpath("data/noise_floors.json")
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def noise_floors() -> Mapping[str, Floor]:
    """Functional region, region of the mesh without its side, or landmark code -> floor of movement measured from
    scans; "fissure": of how far an eye opens. As learned by tools/learn_noise.py."""
    return {name: Floor(**values) for name, values in _learned().get("floors", {}).items()}


def without_noise(length: float, floor: Floor | None) -> float:
    """A length of movement, mm, less what a still face shows: squares subtract. 0 where there is no more than that."""
    if floor is None or not np.isfinite(length):
        return length
    return float(np.sqrt(max(length**2 - floor.rms**2, 0.0)))


def passive_patterns(anatomy: Anatomy, region: str, at: Floats) -> Floats:
    """(K, n, 3) mm: how skin of the left side at the places `at` (n, 3) of the neutral face is moved by what is not
    its own muscle, each about 1 mm where it moves most; none for regions that nothing drags."""
    nothing = np.zeros_like(at)
    aside, up = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    near = np.exp(-at[:, :1] / PULL_MM)
    out = []
    for name in PASSIVE.get(region, ()):
        if name == "aside":
            out.append(near * aside)
        elif name == "jaw":
            arm = at - [0.0, *HINGE]
            out.append(np.cross(aside, arm) / 100.0)
        else:
            tip = anatomy.landmark_points(anatomy.vertices)["prn"]
            d = at - tip
            if name == "nose_rolled":
                nose = np.exp(-0.5 * (d[:, :1] / NOSE_MM) ** 2)
                out.append(nose * np.cross([0.0, 0.0, 1.0], d) / NOSE_MM)
            else:
                nose = np.exp(-0.5 * (d[:, :2] ** 2).sum(axis=1, keepdims=True) / NOSE_MM**2)
                out.append(nose * (aside if name == "nose_aside" else up))
    return np.stack(out) if out else nothing[None][:0]


@dataclass(frozen=True, eq=False)
class Share:
    """`value` of the healthy side's movement, `sd` one standard deviation of it; `passive` (K,) mm how much of each
    pattern the affected side shows beside it."""

    value: float
    sd: float
    passive: Floats


def share_of(affected: Floats, healthy: Floats, weight: Floats, patterns: Floats, floor: Floor) -> Share:
    """The share of `healthy` (n, 3) mm in `affected` (n, 3), beside `patterns` (K, n, 3); `weight` (n,) sums to 1."""
    own, cross = _dot(healthy, healthy, weight), _dot(affected, healthy, weight)
    true = max(own - floor.rms**2, own / 2)
    size, share = np.sqrt(true), cross / true
    unit = np.maximum(np.sqrt(np.einsum("n,kni->k", weight, patterns**2)), 1e-9)
    k = patterns / unit[:, None, None]
    kk = np.einsum("n,jni,kni->jk", weight, k, k)
    kh, ka = (np.einsum("n,kni,ni->k", weight, k, d) for d in (healthy, affected))
    noise, left, seen = 0.0, own, true
    inverse = np.zeros_like(kk)
    # The prior depends on the share, and the share on it: they settle within a few rounds.
    for _ in range(40):
        noise = floor.rms**2 / 3 * (1 + share**2) / floor.places
        sd = max(PASSIVE_SD * size * abs(1 - share), 1e-6)
        inverse = np.linalg.inv(kk + np.eye(len(kk)) * (noise / sd**2 + 1e-9))
        left = own - kh @ inverse @ kh
        # What patterns explain of `healthy` they explain of its noise, too.
        free = 1 - np.trace(inverse @ kk) / (3 * floor.places)
        seen = max(left - max(free, 0.0) * floor.rms**2, left / 2, 1e-12)
        new = (cross - kh @ inverse @ ka) / seen
        settled = abs(new - share) < 1e-6
        share = (share + new) / 2
        if settled:
            break
    passive = inverse @ (ka - share * kh) / unit
    return Share(float(share), float(np.sqrt(noise * left) / seen), passive)


def _dot(a: Floats, b: Floats, weight: Floats) -> float:
    return float(weight @ (a * b).sum(axis=1))


def path_share(affected: Floats, healthy: Floats, passive: Floats, floor: Floor) -> tuple[float, float]:
    """The same of one point: its path (k,) mm along the healthy side's mirrored one, in k directions, less what is
    `passive` (k,) of it; and the standard deviation."""
    own, noise = float(healthy @ healthy), floor.rms**2 / 3
    true = max(own - len(healthy) * noise, own / 2)
    share = float((affected - passive) @ healthy) / true
    return share, float(np.sqrt(noise * (1 + share**2) * own)) / true


def worked(closure: float) -> float:
    """What the muscle closes of an eye that closes by `closure` of its fissure: nothing up to `PASSIVE_FALL`, from
    there on all to 1. Negative where the eye opens."""
    if closure <= 0:
        return closure
    return max(closure - PASSIVE_FALL, 0.0) / (1 - PASSIVE_FALL)


def closing_sd(affected: float, healthy: float, error: float) -> float:
    """Standard deviation of `worked(affected) / worked(healthy)`, closures with an `error` each: measurement's, and
    that nobody knows how far below the most a lid falls by itself (evenly spread)."""
    own, other = worked(affected), worked(healthy)
    share = own / other
    fall = float(np.clip(affected, 0.0, PASSIVE_FALL)) / np.sqrt(12) * max(1 - share, 0.0)
    return float(np.hypot(error * np.sqrt(1 + share**2), fall) / (1 - PASSIVE_FALL) / other)
