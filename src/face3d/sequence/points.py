"""Points by name over time: what kinematics is read off, whether a template was tracked or markers were glued on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from face3d.landmarks import SIDES, code_of
from face3d.measuring.protocol import FUNCTIONAL
from face3d.scan import Floats
from face3d.sequence.tracked import Tracked
from face3d.template.template import FaceTemplate
from face3d.values import Value, locked


class PointsOverTime(Protocol):
    """What kinematics needs of a recording: `times_s` (T,), `names` of M points, `points` (T, M, 3) mm with +x to the
    subject's left, +y up, NaN where a point was not seen; the head's own motion removed. Markers are this."""

    @property
    def name(self) -> str:
        """What the recording is called."""
        ...

    @property
    def times_s(self) -> Floats:
        """(T,) seconds."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """M names; sides as in `landmarks`: `ch_left`."""
        ...

    @property
    def points(self) -> Floats:
        """(T, M, 3) mm."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Trajectories(Value):
    """Points over time, as in `PointsOverTime`. `rest` (M, 3) where they are at rest, or None where nobody knows yet;
    `lost` frame -> why nothing of it is known; `opening` side -> (T,) mm from lid to lid where more is known of that
    than two points, else None."""

    name: str
    times_s: Floats
    names: tuple[str, ...]
    points: Floats
    rest: Floats | None = None
    lost: Mapping[int, str] | None = None
    opening: Mapping[str, Floats] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "times_s", locked(self.times_s))
        object.__setattr__(self, "points", locked(self.points))
        object.__setattr__(self, "names", tuple(self.names))
        t, m = len(self.times_s), len(self.names)
        if self.points.shape != (t, m, 3):
            raise ValueError(f"{self.name}: points have shape {self.points.shape}; expected ({t}, {m}, 3)")
        super().__post_init__()


def places_of(template: FaceTemplate) -> dict[str, Floats]:
    """Name -> (N,) weights that sum to 1: the landmarks, and the mean places of the template's regions and of the
    functional ones beyond them, each side by itself."""
    n = len(template.vertices)
    out = {}
    for name, (ids, weights) in template.landmarks.items():
        out[name] = np.bincount(ids, weights, n)
    whole = {code_of(name) for name in template.regions}
    parts = {**{code: (code,) for code in sorted(whole)}, **FUNCTIONAL}
    for code, of in parts.items():
        for side in SIDES:
            total = sum((template.regions.get(f"{part}_{side}", np.zeros(n)) for part in of), np.zeros(n))
            if total.any():
                out[f"{code}_{side}"] = total / total.sum()
    return out


#: Points of the detector's mesh on both lids' edges, across the middle of an eye: upper ones, and those below them.
#: Each by itself is off by 0.45 mm from frame to frame when tracked, the mean distance of the five pairs by 0.3 (three
#: recordings of 30 frames a second, seeds 70000 to 70002).
LID_EDGES = {
    "right": ((161, 160, 159, 158, 157), (163, 144, 145, 153, 154)),
    "left": ((388, 387, 386, 385, 384), (390, 373, 374, 380, 381)),
}


def lids_apart(template: FaceTemplate) -> dict[str, Floats]:
    """Side -> (N,) weights of the mean way from the lower to the upper lid's edge; they sum to 0."""
    n, out = len(template.vertices), {}
    for side, lids in LID_EDGES.items():
        upper, lower = (
            np.bincount(template.dense_ids[list(lid)].ravel(), template.dense_weights[list(lid)].ravel(), n)
            for lid in lids
        )
        out[side] = (upper - lower) / len(lids[0])
    return out


#: Share of a place's weight that a frame must show.
LEAST_SEEN = 0.5


class Reader:
    """Reads the landmarks and the regions' mean places off a template's frames, one by one; `rest_mm` (N, 3)."""

    def __init__(self, template: FaceTemplate, rest_mm: Floats) -> None:
        from scipy.sparse import csr_matrix

        places = places_of(template)
        self.names = tuple(places)
        self._weights = csr_matrix(np.array(list(places.values())))
        self._wide = np.array([np.count_nonzero(w) > 3 for w in places.values()])  # a region, no landmark
        self.rest = self._weights @ rest_mm
        at_rest = dict(zip(self.names, self.rest, strict=True))
        self._lids = {}
        for side, weights in lids_apart(template).items():
            way = weights @ rest_mm
            height = float(np.linalg.norm(at_rest[f"ps_{side}"] - at_rest[f"pi_{side}"]))
            self._lids[side] = weights, way * height / max(float(way @ way), 1e-9)

    def points(self, vertices_mm: Floats, valid: np.ndarray) -> Floats:
        """(M, 3) mm of a frame's vertices (N, 3).

        A tracked template has every vertex in every frame; those that it did not see were carried by their neighbours.
        A region that hardly shows is NaN; landmarks on lids' and lips' edges always are carried.
        """
        out = self._weights @ vertices_mm
        out[(self._weights @ valid < LEAST_SEEN) & self._wide] = np.nan
        return out

    def opening(self, vertices_mm: Floats) -> tuple[float, float]:
        """mm from lid to lid, left and right eye: the height in its middle at rest, and by what share of the mean of
        five places it changed."""
        left, right = ((weights @ vertices_mm) @ way for weights, way in (self._lids[s] for s in SIDES))
        return float(left), float(right)


def trajectories_of(tracked: Tracked) -> Trajectories:
    """The landmarks, the regions' mean places and the eyes' openings of a tracked recording, NaN where it is lost."""
    read = Reader(tracked.template, tracked.rest_mm)
    points = np.full((len(tracked), len(read.names), 3), np.nan)
    opening = np.full((len(tracked), len(SIDES)), np.nan)
    for k in np.flatnonzero(~tracked.lost):
        points[k] = read.points(tracked.vertices_mm[k], tracked.valid[k])
        opening[k] = read.opening(tracked.vertices_mm[k])
    eyes: dict[str, Floats] = dict(zip(SIDES, opening.T, strict=True))
    return Trajectories(tracked.name, tracked.times_s, read.names, points, read.rest, tracked.reasons, eyes)
