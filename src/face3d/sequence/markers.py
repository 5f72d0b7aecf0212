"""Markers as points in the head frame: named by the landmarks they stand at, without the head's own motion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from face3d.errors import LandmarkError
from face3d.geometry.rigid import align
from face3d.io.markers import Markers
from face3d.landmarking.pose import head_frame
from face3d.landmarks import code_of
from face3d.sequence.points import Trajectories

#: Landmarks over bone that few muscles move: on these the head's own motion is taken out, where the caller names no
#: markers for it (of a dental frame or a headband, which are better).
STILL = ("n", "g", "ft", "t", "zy", "en", "ex")
#: Markers that a rigid motion needs.
LEAST = 3
#: Frames whose mean is the head's place at the beginning.
FIRST = 10


def in_head(markers: Markers, still: Sequence[str] = ()) -> Trajectories:
    """The markers in the canonical head frame, mm, the head's own motion taken out on those named in `still` (marker
    names; else those at landmarks of `STILL`). Frames that show fewer than three of them are NaN.

    Raises `LandmarkError` where too few still markers, or too few landmarks for a head frame, are known.
    """
    landmark = {marker: code for code, marker in markers.landmarks.items()}
    names = tuple(landmark.get(n, n) for n in markers.names)
    used = [
        k
        for k, n in enumerate(names)
        if (n in still or markers.names[k] in still) or (not still and code_of(n) in STILL)
    ]
    if len(used) < LEAST:
        raise LandmarkError(
            f"{markers.name}: {len(used)} markers are known to stand still against the skull, {LEAST} are needed; name "
            f"those of the dental frame, headband or nose root; markers are {', '.join(markers.names)[:300]}"
        )
    points = markers.points
    first = np.flatnonzero(np.isfinite(points[:, used]).all(axis=(1, 2)))[:FIRST]
    if not len(first):
        raise LandmarkError(f"{markers.name}: no frame shows all of its {len(used)} still markers")
    with np.errstate(invalid="ignore"):
        home = points[first].mean(axis=0)
    here = {n: home[k] for k, n in enumerate(names) if n in markers.landmarks and np.isfinite(home[k]).all()}
    frame = head_frame(here)
    home = frame.apply(home)
    out = np.full(points.shape, np.nan)
    lost = {}
    for k, frame_points in enumerate(points):
        seen = [i for i in used if np.isfinite(frame_points[i]).all()]
        if len(seen) < LEAST:
            lost[k] = f"fewer than {LEAST} still markers were seen"
            continue
        back, _ = align(frame_points[seen], home[seen], np.ones(len(seen)))
        known = np.isfinite(frame_points).all(axis=1)
        out[k, known] = back.apply(frame_points[known])
    return Trajectories(markers.name, markers.times_s, names, out, None, lost)
