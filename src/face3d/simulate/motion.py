"""Expressions in time: onset, hold and release of each side, blinks, tremble and the head's own motion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.scan import Floats
from face3d.simulate.head import HeadModel
from face3d.values import Value, locked

# A person blinks 17 times a minute at rest (Bentivoglio 1997, doi:10.1002/mds.870120629); the SD of 8 between people
# is our choice. The lid comes down in about 0.1 s and goes up in 0.2 s (Evinger 1991, Invest Ophthalmol Vis Sci
# 32:387); no blink follows another within 0.5 s.
BLINKS_PER_MINUTE = (17.0, 8.0)
BLINK_DOWN_S, BLINK_UP_S, BLINK_GAP_S = 0.10, 0.22, 0.5
# Muscles at work tremble at some 5-12 Hz; 1.5 % of the excursion at full contraction is our choice, as are the speeds
# below, which span brisk to slow posed expressions.
TREMBLE_SHARE, TREMBLE_HZ = 0.015, (5.0, 12.0)
ONSET_S, HOLD_S, RELEASE_S = (0.35, 0.9), (0.6, 1.6), (0.4, 1.1)
# Sitting people sway by a few degrees and millimetres over seconds.
SWAY_DEGREES, SWAY_MM, SWAY_HZ = 1.5, 2.5, (0.05, 0.5)


def minimum_jerk(t: ArrayLike) -> Floats:
    """Way made, 0..1, at the share `t` of a movement's time (Flash & Hogan 1985): 10 t^3 - 15 t^4 + 6 t^5, held at
    its ends."""
    x = np.clip(np.asarray(t, np.float64), 0.0, 1.0)
    return x**3 * (10 - 15 * x + 6 * x**2)


@dataclass(frozen=True)
class Timing:
    """One side's course, seconds: at rest until `start`, then `onset`, `hold`, `release`."""

    start: float
    onset: float
    hold: float
    release: float

    @property
    def end(self) -> float:
        """When the side is at rest again."""
        return self.start + self.onset + self.hold + self.release

    def activation(self, time: ArrayLike) -> Floats:
        """Share 0..1 of the expression that is made at each time."""
        t = np.asarray(time, np.float64) - self.start
        return minimum_jerk(t / self.onset) * (1 - minimum_jerk((t - self.onset - self.hold) / self.release))


def draw_timing(
    rng: np.random.Generator, weak: str | None = None, function: float = 1.0, pace: float | None = None
) -> tuple[Timing, Timing]:
    """Timing of the left and the right side in one expression.

    Both sides start within some 15 ms of each other. The side `weak` ("left", "right", None), whose nerve works to the
    share `function`, starts up to 150 ms later and takes up to 60 % longer. `pace` 0..1 is the person's (0 brisk): the
    same in all their expressions; None draws one.
    """
    pace = float(rng.random()) if pace is None else pace

    def between(span: tuple[float, float]) -> float:
        return (span[0] + (span[1] - span[0]) * pace) * float(rng.lognormal(0.0, 0.1))

    onset, hold, release = between(ONSET_S), between(HOLD_S), between(RELEASE_S)
    start = float(rng.uniform(0.3, 0.6))
    timing = Timing(start, onset, hold, release)
    sides = [replace(timing, start=start + float(rng.normal(0.0, 0.015))) for _ in range(2)]
    if weak is not None:
        k, loss = ("left", "right").index(weak), 1.0 - min(max(function, 0.0), 1.0)
        slow = 1.0 + 0.6 * loss * float(rng.random())
        sides[k] = Timing(sides[k].start + 0.15 * loss * float(rng.random()), onset * slow, hold / slow, release * slow)
    return sides[0], sides[1]


@dataclass(frozen=True, eq=False, repr=False)
class Motion(Value):
    """A recorded movement in the model's terms. `time` (N,) seconds; `left`, `right` (N, U) unit intensities; `head`
    the N head motions, head frame of the first instant -> head frame then; `blinks` (B,) seconds of their begin."""

    time: Floats
    left: Floats
    right: Floats
    head: RigidTransform
    blinks: Floats

    def __len__(self) -> int:
        return len(self.time)

    def shapes(
        self, model: HeadModel, identity: ArrayLike | None = None, asymmetry: ArrayLike | None = None
    ) -> Iterator[Floats]:
        """Vertices (V, 3) of each frame, mm, in the canonical head frame: without the head's own motion."""
        for left, right in zip(self.left, self.right, strict=True):
            yield model.shape(identity, asymmetry, left, right)

    def frames(
        self, model: HeadModel, identity: ArrayLike | None = None, asymmetry: ArrayLike | None = None
    ) -> Iterator[Floats]:
        """Vertices (V, 3) of each frame, mm, as a fixed camera sees them: with the head's own motion."""
        for k, vertices in enumerate(self.shapes(model, identity, asymmetry)):
            yield self.head[k].apply(vertices)


def move(
    rest: tuple[ArrayLike, ArrayLike],
    apex: tuple[ArrayLike, ArrayLike],
    rng: np.random.Generator,
    *,
    fps: float = 60.0,
    blink: tuple[ArrayLike, ArrayLike] | None = None,
    timing: tuple[Timing, Timing] | None = None,
    weak: str | None = None,
    function: float = 1.0,
    sway: bool = True,
) -> Motion:
    """One expression from rest over its apex to rest again, at `fps` frames a second.

    `rest`, `apex`, `blink` are (left, right) unit intensities, (U,) each: the person's own, palsy included. While the
    lids blink, each unit goes to its intensity in `blink` if that is stronger. `timing` is drawn where it is not given
    (see `draw_timing`; `weak` and `function` go there). `sway`: the head moves a little.
    """
    if not fps > 0:
        raise ValueError(f"fps is {fps}; expected a positive number of frames a second")
    timing = draw_timing(rng, weak, function) if timing is None else timing
    length = max(side.end for side in timing) + 0.4
    time = np.arange(int(np.ceil(length * fps)) + 1) / fps
    begins = _blink_times(length, rng) if blink is not None else np.empty(0)
    lids = _lids(time, begins)
    sides = []
    for k in range(2):
        r, a = np.asarray(rest[k], np.float64), np.asarray(apex[k], np.float64)
        active = timing[k].activation(time)
        trembling = active * (1 + TREMBLE_SHARE * _noise(time, TREMBLE_HZ, rng))
        course = r + trembling[:, None] * (a - r)
        if blink is not None:
            closed = np.asarray(blink[k], np.float64)
            course = course + lids[:, None] * np.maximum(closed - course, 0.0)
        sides.append(course)
    angles = np.column_stack([_noise(time, SWAY_HZ, rng) for _ in range(3)]) * (SWAY_DEGREES if sway else 0.0)
    shift = np.column_stack([_noise(time, SWAY_HZ, rng) for _ in range(3)]) * (SWAY_MM if sway else 0.0)
    head = RigidTransform.from_components(
        shift - shift[0], Rotation.from_euler("xyz", angles - angles[0], degrees=True)
    )
    return Motion(locked(time), locked(sides[0]), locked(sides[1]), head, locked(begins))


def _blink_times(length: float, rng: np.random.Generator) -> Floats:
    """Begins of blinks within `length` seconds: a Poisson process with a dead time, at this person's own rate."""
    rate = max(float(rng.normal(*BLINKS_PER_MINUTE)), 4.0) / 60.0
    pause = max(1.0 / rate - BLINK_GAP_S, 0.1)
    begins, now = [], float(rng.exponential(pause))
    while now < length - BLINK_DOWN_S - BLINK_UP_S:
        begins.append(now)
        now += BLINK_GAP_S + float(rng.exponential(pause))
    return np.array(begins)


def _lids(time: Floats, begins: Floats) -> Floats:
    """Closure 0..1 (N,) by blinks."""
    closure = np.zeros(len(time))
    for begin in begins:
        t = time - begin
        closure = np.maximum(
            closure, minimum_jerk(t / BLINK_DOWN_S) * (1 - minimum_jerk((t - BLINK_DOWN_S) / BLINK_UP_S))
        )
    return closure


def _noise(time: Floats, band_hz: tuple[float, float], rng: np.random.Generator) -> Floats:
    """A smooth random course (N,) of variance 1 with frequencies evenly spread over a band: independent of the rate."""
    frequency = rng.uniform(*band_hz, 12)
    phase = rng.uniform(0, 2 * np.pi, 12)
    return np.cos(2 * np.pi * np.outer(time, frequency) + phase).sum(axis=1) / np.sqrt(6.0)
