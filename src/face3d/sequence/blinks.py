"""Blinks of each eye, on the opening between its lids.

A blink is a dip that is over in under half a second. What is left of the opening without such dips (a morphological
closing) is what expressions do to the eye: the two are measured apart. An eye's own opening just before a blink is what
its completeness refers to, so that a narrow or a wide eye blinks as completely as it closes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from face3d.landmarks import SIDES
from face3d.scan import Floats
from face3d.sequence.filtering import BLINK_HZ, Clock, cutoff, rate_of_change, smoothed, stretches
from face3d.values import Value

#: s: lids are down and up again within 0.3 to 0.4 s (Evinger 1991, Invest Ophthalmol Vis Sci 32:387); what lasts
#: longer is a closure that was asked for.
LONGEST_S = 0.5
#: A dip by this share of the eye's usual opening counts as a blink of that side, if it is so many SD deeper than what
#: the opening dips by in this very recording most of the time. What tracking is off by lasts over frames, so how noisy
#: it is can't be told from frame to frame.
LEAST_SHARE, LEAST_SD = 0.15, 5.0
#: Both eyes blink by one command: where neither closes by this share it is no blink, but noise or an expression. With
#: 0.45 mm of noise that lasts over frames (correlation 0.8), 12 simulated people of grades I to VI in 85 blinks at 30
#: frames a second: none missed, none too many (without it 2; before, with noise taken for white, 21 to 232).
LEAST_CLOSED = 0.25
#: An eye that is open by less than this share of its usual opening is being closed on purpose: no blink can be told.
LEAST_OPEN = 0.5
#: From this share on a blink counts as complete; a hundred is out of reach of noise and of 60 frames a second. Ours.
COMPLETE = 0.9
#: frames a second below which the closing speed is left out: a lid is down in 0.1 s, 3 frames at 30.
LEAST_FPS_FOR_SPEED = 50.0
#: s of open eyes below which blinks are counted, but no rate is told: at 17 a minute (Bentivoglio 1997, Mov Disord
#: 12:1028) half a minute holds eight or nine, whose number is off by a third by chance alone.
LEAST_FOR_RATE_S = 30.0


@dataclass(frozen=True)
class Blink:
    """One blink of both eyes. `time_s` when the lids are lowest; `completeness` side -> share of the opening before it
    that closed, 0..1; `speed_mm_s` side -> greatest closing speed; NaN where not known. `by` sides whose lids fell far
    enough to count as a blink."""

    time_s: float
    completeness: Mapping[str, float]
    speed_mm_s: Mapping[str, float]
    by: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Lids(Value):
    """Both eyes over time (T,): `opening_mm` side -> distance of the lids' edges, `without_blinks` the same as if
    nobody blinked, `aspect_ratio` opening over width from corner to corner (not that of six lid points), `blinking`
    (T,) bool; `blinks` what was found; `watched_s` side -> seconds in which a blink would have been seen; `cutoff_hz`
    of the openings; `reason` side -> why it is not measured."""

    opening_mm: Mapping[str, Floats]
    without_blinks: Mapping[str, Floats]
    aspect_ratio: Mapping[str, Floats]
    blinking: np.ndarray
    blinks: tuple[Blink, ...]
    watched_s: Mapping[str, float]
    cutoff_hz: float
    reason: Mapping[str, str]

    def of(self, side: str) -> tuple[Blink, ...]:
        """Blinks of a side."""
        return tuple(b for b in self.blinks if side in b.by)

    def per_minute(self, side: str) -> float:
        """Blinks a minute of the time watched; NaN where that was less than `LEAST_FOR_RATE_S`."""
        watched = self.watched_s[side]
        return 60.0 * len(self.of(side)) / watched if watched >= LEAST_FOR_RATE_S else math.nan


def lids_of(clock: Clock, opening: Mapping[str, Floats], width: Mapping[str, Floats]) -> Lids:
    """Blinks in the openings of both eyes, side -> (T,) mm on an even clock, NaN where unknown; `width` the same of the
    eyes from corner to corner."""
    hz = cutoff(BLINK_HZ, clock.fps)
    smooth = {s: np.maximum(smoothed(opening[s], clock.fps, hz), 0.0) for s in SIDES}
    base = {s: _closing(smooth[s], clock.fps) for s in SIDES}
    usual = {s: _usual(base[s]) for s in SIDES}
    least = {
        s: max(LEAST_SHARE * usual[s], _noise((base[s] - smooth[s])[base[s] >= LEAST_OPEN * usual[s]])) for s in SIDES
    }
    dips = _sure({s: _dips(smooth[s], base[s], least[s], usual[s]) for s in SIDES}, smooth, base, usual)
    blinks = tuple(_blink(frames, dips, smooth, base, usual, clock) for frames in _both(dips))
    within = {s: _within(base[s] - smooth[s], dips[s]) for s in SIDES}
    kept = {s: bridged(smooth[s], within[s]) for s in SIDES}
    watched = {s: float((base[s] >= LEAST_OPEN * usual[s]).sum()) / clock.fps for s in SIDES}
    missing = {s: "lids were not seen" for s in SIDES if not np.isfinite(smooth[s]).any()}
    shut = {s: "the eye is not open" for s in SIDES if s not in missing and not watched[s]}
    ratio = {s: smooth[s] / smoothed(width[s], clock.fps, hz) for s in SIDES}
    blinking = within["left"] | within["right"]
    return Lids(smooth, kept, ratio, blinking, blinks, watched, hz, missing | shut)


def _closing(opening: Floats, fps: float) -> Floats:
    """The opening with dips of up to `LONGEST_S` filled."""
    from scipy.ndimage import grey_closing

    out = np.full(len(opening), np.nan)
    size = round(LONGEST_S * fps)
    for start, stop in stretches(np.isfinite(opening)):
        if stop - start > size:
            # Mirrored ends: a recording that begins in a blink shows half of one, and no blink.
            part = np.pad(opening[start:stop], size, mode="edge")
            out[start:stop] = grey_closing(part, size=size)[size:-size]
    return out


def _usual(base: Floats) -> float:
    """How far an eye is usually open, mm: three quarters of the time it is open no further."""
    known = base[np.isfinite(base)]
    return float(np.quantile(known, 0.75)) if len(known) else math.nan


def _noise(depth: Floats) -> float:
    """mm: what dips (n,) of an open eye are below while it does not blink, which is most of the time."""
    if not len(depth):
        return math.nan
    middle = float(np.median(depth))
    return middle + LEAST_SD * 1.4826 * float(np.median(np.abs(depth - middle)))


def _dips(opening: Floats, base: Floats, least: float, usual: float) -> list[tuple[int, int]]:
    """[start, stop) frames of each dip of at least `least` mm, as far as it is half as deep as at its deepest."""
    depth = base - opening
    deep = (depth > least) & (base >= LEAST_OPEN * usual)
    out = []
    for start, stop in stretches(deep):
        lowest = start + int(np.argmax(depth[start:stop]))
        half = depth > depth[lowest] / 2
        first, last = lowest, lowest
        while first > 0 and half[first - 1]:
            first -= 1
        while last + 1 < len(half) and half[last + 1]:
            last += 1
        inside = first > 0 and last + 1 < len(half) and np.isfinite(depth[first - 1]) and np.isfinite(depth[last + 1])
        if inside and not (out and out[-1][0] == first):
            out.append((first, last + 1))
    return out


def _sure(
    dips: dict[str, list[tuple[int, int]]],
    opening: dict[str, Floats],
    base: dict[str, Floats],
    usual: dict[str, float],
) -> dict[str, list[tuple[int, int]]]:
    """The dips that belong to a blink in which an eye closes by `LEAST_CLOSED`."""
    closed = {
        s: [d for d in dips[s] if np.nanmax((base[s] - opening[s])[slice(*d)]) >= LEAST_CLOSED * usual[s]]
        for s in SIDES
    }
    sure = _both(closed)
    return {s: [d for d in dips[s] if any(a < d[1] and d[0] < b for a, b in sure)] for s in SIDES}


#: Share of a dip's depth down to which it is cut out.
_FOOT = 0.05


def _within(depth: Floats, dips: list[tuple[int, int]]) -> np.ndarray:
    """(T,) bool: in a blink, from its foot to its foot."""
    out = np.zeros(len(depth), bool)
    for start, stop in dips:
        foot = _FOOT * float(depth[start:stop].max())
        while start > 0 and depth[start - 1] > foot:
            start -= 1
        while stop < len(depth) and depth[stop] > foot:
            stop += 1
        out[start:stop] = True
    return out


def bridged(opening: Floats, blinking: np.ndarray) -> Floats:
    """A course (T,) of the eye with straight lines over blinks."""
    keep = np.isfinite(opening) & ~blinking
    out, at = opening.copy(), np.arange(len(opening))
    inside = blinking & np.isfinite(opening)
    if keep.any():
        out[inside] = np.interp(at[inside], at[keep], opening[keep])
    return out


def _both(dips: dict[str, list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """[start, stop) of each blink: dips of the two eyes that overlap are one."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted([*dips["left"], *dips["right"]]):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def _blink(
    frames: tuple[int, int],
    dips: dict[str, list[tuple[int, int]]],
    opening: dict[str, Floats],
    base: dict[str, Floats],
    usual: dict[str, float],
    clock: Clock,
) -> Blink:
    start, stop = frames
    by = tuple(s for s in SIDES if any(a < stop and start < b for a, b in dips[s]))
    lead = by[0] if len(by) == 1 else min(by, key=lambda s: float(np.nanmin(opening[s][start:stop])))
    lowest = start + int(np.nanargmin(opening[lead][start:stop]))
    complete, speed = {}, {}
    reach = round(LONGEST_S / 2 * clock.fps)
    for side in SIDES:
        before = base[side][lowest]
        near = opening[side][max(lowest - 2, 0) : lowest + 3] if side not in by else opening[side][start:stop]
        known = np.isfinite(near).all() and before >= LEAST_OPEN * usual[side]
        complete[side] = float(np.clip(1 - near.min() / before, 0, 1)) if known else math.nan
        falling = rate_of_change(opening[side], clock.fps)[max(lowest - reach, 0) : lowest + 1]
        fast = known and clock.fps >= LEAST_FPS_FOR_SPEED and side in by and np.isfinite(falling).all()
        speed[side] = float(-falling.min()) if fast else math.nan
    return Blink(float(clock.times[lowest]), complete, speed, by)
