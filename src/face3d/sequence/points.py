"""Points by name over time: what kinematics is read off, whether a template was tracked or markers were glued on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    `lost` frame -> why nothing of it is known; `notes` what there is to say about it."""

    name: str
    times_s: Floats
    names: tuple[str, ...]
    points: Floats
    rest: Floats | None = None
    lost: Mapping[int, str] | None = None
    notes: tuple[str, ...] = ()

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


#: Share of a place's weight that a frame must show.
LEAST_SEEN = 0.5


class Reader:
    """Reads the landmarks and the regions' mean places off a template's frames, one by one, and keeps nothing else of
    them; `rest_mm` (N, 3)."""

    def __init__(self, template: FaceTemplate, rest_mm: Floats) -> None:
        from scipy.sparse import csr_matrix

        places = places_of(template)
        self._names = tuple(places)
        self._weights = csr_matrix(np.array(list(places.values())))
        self._wide = np.array([np.count_nonzero(w) > 3 for w in places.values()])  # a region, no landmark
        self._rest = self._weights @ rest_mm
        self._points: list[Floats] = []

    def take(self, vertices_mm: np.ndarray, valid: np.ndarray, lost: bool) -> None:
        """The next frame's vertices (N, 3) and which of them it shows.

        A tracked template has every vertex in every frame; those that it did not see were carried by their neighbours.
        A region that hardly shows is NaN; landmarks on lids' and lips' edges always are carried.
        """
        if lost:
            self._points.append(np.full(self._rest.shape, np.nan))
            return
        points = self._weights @ vertices_mm
        points[(self._weights @ valid < LEAST_SEEN) & self._wide] = np.nan
        self._points.append(points)

    def trajectories(
        self, name: str, times_s: Sequence[float] | Floats, reasons: Mapping[int, str], notes: Sequence[str]
    ) -> Trajectories:
        """All that was taken; `reasons` frame -> why it is lost."""
        points = np.array(self._points).reshape(-1, *self._rest.shape)
        return Trajectories(name, np.asarray(times_s), self._names, points, self._rest, reasons, tuple(notes))


def trajectories_of(tracked: Tracked) -> Trajectories:
    """The landmarks, the regions' mean places of a tracked recording, NaN where it is lost."""
    read = Reader(tracked.template, tracked.rest_mm)
    for vertices, valid, lost in zip(tracked.vertices_mm, tracked.valid, tracked.lost, strict=True):
        read.take(vertices, valid, bool(lost))
    return read.trajectories(tracked.name, tracked.times_s, tracked.reasons, tracked.notes)
