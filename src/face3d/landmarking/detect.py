"""Automatic landmarks: MediaPipe's face landmarker on shaded views of the scan, voted over views in 3D.

A sphere of coarse views finds the face whatever its pose; from there everything is seen again in the head's own frame,
so that the result does not depend on how the scan lay. Views from the front are also shown mirrored, those from the
right only so: as a mirrored face would be seen from the left, so that the detector's left-right bias cancels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import numpy as np
from scipy.spatial.transform import RigidTransform

from face3d.errors import NoFaceError
from face3d.geometry.meshing import surface_of
from face3d.geometry.views import Seen, Surface, View, blurred, lifted, mended, shaded
from face3d.landmarking.face_landmarker import Detector, model_facts
from face3d.landmarking.face_search import (
    LEAST_MM,
    LIGHT,
    coarse_views,
    contact_sheet,
    directions,
    find_face,
    head_view,
    settle,
    shows_backs,
    true_size,
)
from face3d.landmarking.given import among_themselves, compared, elsewhere
from face3d.landmarking.half_face import foremost, marked, settled
from face3d.landmarking.pose import head_frame
from face3d.landmarking.size import in_other_units, way_out
from face3d.landmarks import NAMES
from face3d.scan import FaceScan, Floats
from face3d.values import Value, locked

POINTS = 478

#: Named landmark -> indices of the 478 whose mean stands for it; sides are the subject's own.
_MIDLINE_INDICES: Mapping[str, tuple[int, ...]] = {
    "g": (9,),
    "n": (168,),
    "prn": (4,),
    "c": (19,),
    "sn": (2,),
    "ls": (0,),
    "sto": (13, 14),
    "li": (17,),
    "sl": (18, 200),
    "pg": (199,),
    "gn": (152,),
}
_RIGHT_INDICES: Mapping[str, tuple[int, ...]] = {
    "en": (133,),
    "ex": (33,),
    "ps": (159,),
    "pi": (145,),
    "mb": (55, 107),
    "sci": (105,),
    "lb": (46, 70),
    "al": (64,),
    "ac": (129,),
    "ch": (61,),
    "cph": (37,),
}

#: Views that vote, degrees (yaw to the subject's left, pitch up), in the head's frame.
# Beyond 45 degrees the detector's far side is guessed; within it every landmark is seen well by at least four views.
_VOTING = ((0, 0), (-20, 0), (20, 0), (-40, 0), (40, 0), (0, 15), (0, -15), (-20, -10), (20, -10))
# Of 320, 256, 224 and 192 pixels the landmarks of 40 simulated faces came out alike, to 0.01 mm in the median.
_FINE_PIXELS = 224


@dataclass(frozen=True, eq=False, repr=False)
class Detection(Value):
    """Landmarks found on a scan, in its own coordinates (mm).

    `landmarks` name -> (3,); `confidence` name -> 0..1 (agreement of the views, and how frontally the point was seen);
    `dense` (478, 3) MediaPipe's points on the surface, NaN where unseen, `dense_confidence` (478,) 0..1;
    `to_head` scan coordinates -> rough head frame (the detector's; not the symmetry plane);
    `views`: how many views found the face; `notes`: what a reader of the result should know.
    """

    landmarks: Mapping[str, Floats]
    confidence: Mapping[str, float]
    dense: Floats
    dense_confidence: Floats
    to_head: RigidTransform
    views: int
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "landmarks", MappingProxyType({k: locked(v) for k, v in self.landmarks.items()}))
        object.__setattr__(self, "confidence", MappingProxyType(dict(self.confidence)))
        object.__setattr__(self, "dense", locked(self.dense))
        object.__setattr__(self, "dense_confidence", locked(self.dense_confidence))

    @cached_property
    def frame(self) -> RigidTransform:
        """Scan coordinates -> head frame by the named landmarks (`pose.head_frame`). Raises `LandmarkError`."""
        return head_frame(self.landmarks, self.confidence)


def detect_landmarks(scan: FaceScan, debug_picture: Path | None = None, surface: Surface | None = None) -> Detection:
    """The landmarks of one face scan, whatever its pose, textured or not; a point cloud is meshed for this.

    Landmarks that the scan already carries are kept exactly, with confidence 1; `LandmarkError` when they cannot be
    right (`landmarking.given`). Raises `NoFaceError` when no face is found; a picture of all views tried is then
    written to `debug_picture`, where that is given. `surface`: what to look at, where it was made before.
    """
    notes: list[str] = []
    odd: list[Floats] = []
    surface = surface_of(scan, notes) if surface is None else surface
    with Detector() as detector:
        surface, to_head, blur = _face_of(scan, detector, surface, odd, notes)
        by_hand = to_head is None and sum(k in NAMES for k in scan.landmarks) >= 4
        if by_hand:
            notes += among_themselves(scan.name, scan.landmarks, surface.vertices, surface.normals)
            to_head = head_frame(scan.landmarks)
            notes.append("the detector found no face; the view was set by the landmarks given by hand")
        if to_head is None:
            tried = f"from {len(directions()) + 2} directions at 4 rolls each"
            raise no_face(scan, tried, debug_picture, _size_hint(scan, detector, surface, odd))
        count, points, trust = _vote(detector, surface, to_head, blur)
    landmarks, confidence = named_points(points, trust)
    precise = settled(marked(surface, to_head, face_scale(points), landmarks), landmarks)
    landmarks.update(precise.points)
    confidence.update(precise.confidence)
    if "prn" in landmarks and (tip := foremost(surface, head_frame(landmarks), landmarks["prn"])) is not None:
        # Two degrees of pitch move it by a third of a millimetre: good, but not like the corner of an eye.
        landmarks["prn"], confidence["prn"] = tip, 0.8
    if scan.landmarks:
        if not by_hand:
            skin = surface.distance(np.array(list(scan.landmarks.values())))
            notes += compared(scan.name, scan.landmarks, landmarks, confidence, skin)
        landmarks.update(scan.landmarks)
        confidence.update(dict.fromkeys(scan.landmarks, 1.0))
    return Detection(landmarks, confidence, points, trust, to_head, count, tuple(notes))


def _face_of(
    scan: FaceScan, detector: Detector, surface: Surface, odd: list[Floats], notes: list[str]
) -> tuple[Surface, RigidTransform | None, float]:
    """The surface with its outside outside, and what `find_face` finds on it, by preference at the landmarks given by
    hand."""
    to_head, blur = find_face(detector, surface, odd=odd)
    if to_head is None:
        if not shows_backs(surface):
            return surface, None, blur
        # Wound the wrong way round, its outside looks like an inside.
        turned = Surface(surface.vertices, surface.faces[:, ::-1])
        to_head, blur = find_face(detector, turned, odd=odd)
        if to_head is None:
            return surface, None, blur
        surface = turned
        if len(scan.faces):
            notes.append("the faces are wound clockwise seen from outside: turned round to look for landmarks")
    given = elsewhere(scan.landmarks, to_head)
    if given is not None:
        there = settle(detector, surface, given.inv().apply(model_facts()[1]), blur, odd)
        if there is not None and elsewhere(scan.landmarks, there) is None:
            notes.append("another face was found first: the one at the landmarks given by hand was taken")
            to_head = there
    return surface, to_head, blur


def face_scale(points: Floats) -> float:
    """The face's size over the average one's, from MediaPipe's 478 points (mm); 1 where they are not known."""
    canonical = model_facts()[1]
    known = np.isfinite(points[:468]).all(axis=1)
    if known.sum() < 10:
        return 1.0
    a, b = points[:468][known], canonical[known]
    return float(np.sqrt(((a - a.mean(axis=0)) ** 2).sum() / ((b - b.mean(axis=0)) ** 2).sum()))


def named_points(points: Floats, trust: Floats) -> tuple[dict[str, Floats], dict[str, float]]:
    """The named landmarks that the 478 points carry, and their confidence; names not seen are absent."""
    mirror = model_facts()[0]
    indices = dict(_MIDLINE_INDICES)
    for code, right in _RIGHT_INDICES.items():
        indices[f"{code}_right"] = right
        indices[f"{code}_left"] = tuple(int(mirror[i]) for i in right)
    landmarks: dict[str, Floats] = {}
    confidence: dict[str, float] = {}
    for name, index in indices.items():
        chosen = points[list(index)]
        if np.isfinite(chosen).all():
            landmarks[name], confidence[name] = chosen.mean(axis=0), float(trust[list(index)].min())
    return landmarks, confidence


def size_hint(scan: FaceScan, views: int) -> str:
    """What size may have to do with it that no face was found: the scan is looked at as a whole, from likely views."""
    surface, odd = surface_of(scan, []), []
    with Detector() as detector:
        find_face(detector, surface, islice(coarse_views(surface), views), odd=odd)
        return _size_hint(scan, detector, surface, odd)


def _size_hint(scan: FaceScan, detector: Detector, surface: Surface, odd: list[Floats]) -> str:
    """What to do about a size that is nobody's, or nothing."""
    size = true_size(detector, surface, odd)
    if size is not None:
        return f"There is a face of {size:.2g} times an adult's size: {way_out(size, scan.units_note)}"
    longest = float(np.ptp(surface.vertices, axis=0).max())
    return in_other_units(longest, scan.units_note) if longest < LEAST_MM else ""


def no_face(scan: FaceScan, tried: str, debug_picture: Path | None, hint: str = "") -> NoFaceError:
    """The error that says how to go on where no face was found as `tried`; draws `debug_picture`, if that is given."""
    shown = "`face3d analyze --out DIR` (in Python `debug_picture=PATH`) draws what was looked at"
    if debug_picture is not None:
        contact_sheet(surface_of(scan, []), debug_picture)
        shown = f"what was looked at is drawn in {debug_picture}"
    extent = " x ".join(f"{d:.0f}" for d in np.ptp(scan.vertices, axis=0))
    advice = hint or (
        "If there is one, crop the scan to the head and neck, check its unit (--units), or give landmarks by hand "
        "(--landmarks FILE; at least en_left, en_right, ch_left, ch_right and prn)"
    )
    counted = f"V = {len(scan.vertices)}, extent {extent} mm"
    return NoFaceError(f"{scan.name}: no face found {tried} ({counted}). {advice}; {shown}")


# --- finding the face -------------------------------------------------------------------------------------------------


def _vote(detector: Detector, surface: Surface, to_head: RigidTransform, blur_mm: float) -> tuple[int, Floats, Floats]:
    """Every voting view's points, and their weighted median in the head frame."""
    votes, weights, asked = [], [], 0
    for yaw, pitch in _VOTING:
        view = head_view(to_head, yaw, pitch, _FINE_PIXELS)
        seen = mended(surface.see(view), view)
        picture = shaded(blurred(seen, view, blur_mm), view, LIGHT)
        for flipped in (False, True) if yaw == 0 else (yaw < 0,):
            asked += 1
            pixels = detector.pixels(picture, flipped)
            if pixels is None:
                continue
            points = lifted(pixels, seen)
            facing = _facing(pixels, seen, view)
            votes.append(to_head.apply(points))
            weights.append(np.where(np.isfinite(points).all(axis=1), np.clip(facing, 0.0, 1.0) ** 2, 0.0))
    if not votes:
        return 0, np.full((POINTS, 3), np.nan), np.zeros(POINTS)
    stack, weight = np.array(votes), np.array(weights)
    centre = _weighted_median(stack, weight)
    spread = _weighted_median(np.linalg.norm(stack - centre, axis=-1)[..., None], weight)[:, 0]
    share = weight.sum(axis=0) / asked
    # 2 mm between views is what the detector does on a clear feature; half the confidence at that.
    trust = np.where(np.isfinite(spread), np.minimum(1.0, 2.0 * share) / (1.0 + (spread / 2.0) ** 2), 0.0)
    points = to_head.inv().apply(np.where(np.isfinite(centre), centre, 0.0))
    points[~np.isfinite(centre).all(axis=1)] = np.nan
    return len(votes), points, trust


def _facing(pixels: Floats, seen: Seen, view: View) -> Floats:
    """(478,) cosine between the surface and the way to the viewer at each pixel; 0 off the surface."""
    x = np.clip(np.round(pixels[:, 0]), 0, view.size[0] - 1).astype(int)
    y = np.clip(np.round(pixels[:, 1]), 0, view.size[1] - 1).astype(int)
    return np.nan_to_num(seen.normals[y, x] @ view.axes[2])


def _weighted_median(values: Floats, weights: Floats) -> Floats:
    """(N, P, C) with weights (N, P) -> (P, C), NaN where no weight; halfway between the two middle values."""
    v = np.where(weights[..., None] > 0, values, np.inf)
    order = np.argsort(v, axis=0, kind="stable")
    ranked = np.take_along_axis(v, order, 0)
    w = np.take_along_axis(np.broadcast_to(weights[..., None], v.shape), order, 0)
    cumulated = np.cumsum(w, axis=0) - w / 2  # each value in the middle of its weight, straight lines between
    half = w.sum(axis=0) / 2
    last = np.maximum((w > 0).sum(axis=0) - 1, 0)
    after = np.minimum(((cumulated < half) & (w > 0)).sum(axis=0), last)
    ends = np.stack([np.maximum(after - 1, 0), after])
    (low, high), (one, two) = np.take_along_axis(cumulated, ends, 0), np.take_along_axis(ranked, ends, 0)
    share = np.clip((half - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    with np.errstate(invalid="ignore"):  # inf where there is no value at all
        return np.where(half > 0, one + share * (two - one), np.nan)
