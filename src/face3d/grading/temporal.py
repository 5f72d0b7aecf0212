"""Movement against healthy movement: how far each region of each side is, over time, from what healthy people do.

Two ways, side by side. A small temporal convolution, trained on healthy people only, predicts each side's movement from
the other side's, about each instant; what it misses by, in its own standard deviations, is the anomaly of a place (the
idea of DeepSmile in 3D). Both sides go through the same weights, mirrored, so that a mirrored recording has its sides
swapped and nothing else. A face that moves alike on both sides is normal to it, however little it moves: the plain
envelope of healthy people's movement at each expression's apex stands beside it, in mm, with its three names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d.errors import SchemaError
from face3d.extras import require
from face3d.grading.ways import MADE, PLACES, RATE_HZ, ways_of
from face3d.landmarks import SIDES
from face3d.scan import Floats
from face3d.values import Value

if TYPE_CHECKING:
    import pandas as pd

    from face3d.grading.healthy_motion import HealthyMotion
    from face3d.sequence.kinematics import Kinematics

#: mm, RMS over time and regions of the side that moves more: with less there is nothing to compare.
LEAST_MM = 0.3
#: Of a place's anomaly over time, the share of frames that lie below what stands for the recording.
HIGH = 0.95
#: s over which the share that is missing is taken at each instant.
AROUND_S = 1.0
#: Share of the person's amplitude that must be predicted, RMS, for anything to be missing.
MOVING = 0.5
HYPO, HYPER, AGAINST = "hypokinesia", "hyperkinesia", "movement against the healthy direction"


@dataclass(frozen=True)
class Strange:
    """A region of a side at a movement's apex, outside the healthy envelope: `along_mm` its way in the direction of
    healthy people's, `low_mm` the least of theirs; `length_mm` its whole way, `high_mm` the most of theirs."""

    movement: int
    expression: str
    place: str
    side: str
    name: str
    along_mm: float
    low_mm: float
    length_mm: float
    high_mm: float


@dataclass(frozen=True, eq=False, repr=False)
class Anomaly(Value):
    """How unlike healthy movement a recording is. T instants at 15 a second, R `places`, two sides (left, right).

    `times_s` (T,); `score` (T, R, 2) distance from the movement predicted from the other side, in healthy SDs;
    `short` (T, R, 2) its signed part: above 0 where the place moves less than predicted. `limits` (R,): healthy
    recordings stay below, in 99 of 100. `missing` (T, 2) share of predicted movement that a side does not make, over a
    second about each instant, with its standard error `missing_se`; NaN in rest. NaN too where nothing was recorded
    within half a second; `note` says why nothing at all is known. `strange` what lies outside the healthy envelope.
    `weakest` the region and side that fall shortest of what the other side promises; None where all is within limits.
    """

    times_s: Floats
    places: tuple[str, ...]
    score: Floats
    short: Floats
    limits: Floats
    missing: Floats
    missing_se: Floats
    strange: tuple[Strange, ...]
    weakest: tuple[str, str] | None = None
    note: str = ""

    @property
    def by_place(self) -> Floats:
        """(R, 2) of the whole recording, in units of the healthy limit: above 1 is rare among healthy people."""
        if self.note:
            return np.full(self.score.shape[1:], np.nan)
        return _high(self.score) / self.limits[:, None]

    @property
    def total(self) -> float:
        """The whole recording's anomaly, in units of the healthy limit; NaN where nothing is known."""
        return float("nan") if self.note else float(self.by_place.max())

    @property
    def table(self) -> pd.DataFrame:
        """One row an instant: time_s, `anomaly_{side}` the highest of its regions in units of their limits,
        `missing_{side}` and `missing_{side}_se`, then `anomaly_{region}_{side}` each."""
        import pandas as pd

        whole = self.score / self.limits[:, None]
        columns: dict[str, Floats] = {"time_s": self.times_s}
        for k, side in enumerate(SIDES):
            columns[f"anomaly_{side}"] = whole[:, :, k].max(axis=1)
            columns[f"missing_{side}"] = self.missing[:, k]
            columns[f"missing_{side}_se"] = self.missing_se[:, k]
        for k, side in enumerate(SIDES):
            columns |= {f"anomaly_{p}_{side}": whole[:, r, k] for r, p in enumerate(self.places)}
        return pd.DataFrame(columns)


def anomaly(seen: Kinematics) -> Anomaly:
    """How unlike healthy movement a recording is, by what `face3d.kinematics` read off it.

    Learned on simulated people (`src/face3d/data/temporal.json`); a research measure, no diagnosis. Raises
    `MissingExtraError` without torch, `WeightsError` when the weights are missing or damaged, `LandmarkError` when the
    recording has no regions (markers).
    """
    times, ways = ways_of(seen.names, seen.times_s, seen.away_mm)
    require("torch")
    network = shipped()
    from face3d.threads import one_torch_thread

    with one_torch_thread():
        predicted = network.predict(ways)
    apexes = [(m.number, m.expression, m.segment.apex) for m in seen.movements]
    strange = outside(network, seen.names, seen.away_mm, apexes)
    return judged(times, ways, predicted, network.limits.double().numpy(), float(network.spread), strange)


def judged(
    times: Floats,
    ways: Floats,
    predicted: tuple[Floats, Floats, float],
    limits: Floats,
    spread: float,
    strange: tuple[Strange, ...] = (),
) -> Anomaly:
    """From ways (T, 2, R, 3) mm and what `HealthyMotion.predict` said of them; `limits` (R,) and `spread` of the
    healthy."""
    mean, sd, scale = predicted
    off = (ways - mean) / sd
    score = np.sqrt((off**2).mean(axis=-1)).transpose(0, 2, 1)
    toward = mean / np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-9)
    short = -(off * toward).sum(axis=-1).transpose(0, 2, 1) / np.sqrt(3.0)
    # Missing share: movement regressed on prediction, over time about each instant, each axis by its own certainty.
    made, promised = (mean * ways / sd**2).sum(axis=(2, 3)), (mean**2 / sd**2).sum(axis=(2, 3))
    wide = 2 * round(AROUND_S * RATE_HZ / 2) + 1
    told = _around((mean**2).sum(axis=3).mean(axis=2), wide) / wide > (MOVING * scale) ** 2
    nearby = np.where(told, _around(promised, wide), np.nan)
    missing = 1 - _around(made, wide) / nearby
    se = spread * np.sqrt(wide / nearby)
    note = ""
    if scale < LEAST_MM:
        note = f"neither side moves: {scale:.2f} mm, least {LEAST_MM:g} mm"
    elif not np.isfinite(score).any(axis=0).all():
        note = "nowhere was a second of all regions recorded without a gap"
    if note:
        score, short, missing, se = (np.full_like(v, np.nan) for v in (score, short, missing, se))
        return Anomaly(times, PLACES, score, short, limits, missing, se, strange, None, note)
    weakest = None
    if (_high(score) / limits[:, None]).max() > 1:
        # The side that falls short by more, all in all: the other side's prediction is short of what it does.
        side = int(np.nansum(promised - made, axis=0).argmax())
        weakest = PLACES[int((_high(short)[:, side] / limits).argmax())], SIDES[side]
    return Anomaly(times, PLACES, score, short, limits, missing, se, strange, weakest)


def outside(
    network: HealthyMotion, names: tuple[str, ...], away_mm: Floats, apexes: list[tuple[int, str, int]]
) -> tuple[Strange, ...]:
    """What of each movement's apex lies outside the healthy envelope; movements without a known name say nothing."""
    toward, low, high = (getattr(network, n).double().numpy() for n in ("toward", "low", "high"))
    found = []
    for number, expression, frame in apexes:
        if expression not in MADE:
            continue
        e = MADE.index(expression)
        for r, place in enumerate(PLACES):
            for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
                way = away_mm[frame, names.index(f"{place}_{side}")] * (sign, 1.0, 1.0)
                along, length = float(way @ toward[e, r]), float(np.linalg.norm(way))
                name = named(along, length, low[e, r], high[e, r])
                if name:
                    row = (along, float(low[e, r]), length, float(high[e, r]))
                    found.append(Strange(number, expression, place, side, name, *row))
    return tuple(found)


def named(along: float, length: float, low: float, high: float) -> str:
    """The name of a way that is `length` mm long, `along` mm of it as healthy people's: empty within the envelope.
    Where healthy people hardly move, less is no loss."""
    if along < min(low, 0.0):
        return AGAINST
    if along < low:
        return HYPO
    return HYPER if length > high else ""


@cache
def shipped() -> HealthyMotion:
    """The networks that ship with face3d. Raises `WeightsError` when they are missing or damaged."""
    return load(Path(str(files("face3d").joinpath("data", "temporal.safetensors"))))


def load(path: Path) -> HealthyMotion:
    """Networks written by tools/train_temporal.py; strict as `weights.load_grader`."""
    from face3d.grading.healthy_motion import HealthyMotion
    from face3d.grading.weights import load_networks

    def build(architecture: str, size: Mapping[str, Any]) -> HealthyMotion:
        if architecture != "healthy_motion":
            raise SchemaError(f"network {architecture!r}; expected healthy_motion")
        return HealthyMotion(**size)

    return load_networks(path, build)[0]


def _high(values: Floats) -> Floats:
    """(R, 2) the quantile over time that stands for a recording."""
    return np.nanquantile(values, HIGH, axis=0)


def _around(values: Floats, wide: int) -> Floats:
    """Sums (T, 2) over `wide` instants about each, what is unknown left out."""
    known = np.where(np.isfinite(values), values, 0.0)
    return np.stack([np.convolve(known[:, k], np.ones(wide), "same") for k in range(2)], axis=1)
