"""The face to measure out of all that a scan shows: a body, a table, the wall behind, other people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import NoFaceError
from face3d.geometry.clean import TURNED, Cleaned, clean, crop
from face3d.geometry.mesh import scan_normals
from face3d.geometry.views import Surface, View, looking
from face3d.landmarking.detect import Detection, detect_landmarks, no_face, size_hint
from face3d.landmarking.face_landmarker import Detector
from face3d.landmarking.face_search import coarse_views, directions, find_face
from face3d.landmarking.places import APART, HEAD, head_places, thinned
from face3d.scan import FaceScan, Floats

#: mm. A head with neck, hair and clothing is no wider; in a view of more the detector sees no face.
WIDE = 800.0
#: mm. In a view of this or less a face is large enough: looking closer would show nothing new.
CLOSE = 350.0
#: mm about the middle of a head: what is looked at to find its face, and what is measured: the largest, with its neck.
LOOK, KEPT = 200.0, 230.0
#: mm in the head frame: the middle of a head lies behind and below the eyes.
MIDDLE = (0.0, -30.0, -60.0)
#: mm. What is nearer to the middle of a head than this is of no other.
OWN = 95.0
_LIKELY = 8  # views of the whole, for a face of another size
_PIXELS = 160  # the detector looks for faces at 128 x 128
_CELL = 4.0  # mm
_TURNS = (0.0, 60.0, -60.0, 120.0, -120.0, 180.0)  # degrees


def face_of(cleaned: Cleaned, debug_picture: Path | None = None) -> tuple[Cleaned, Detection]:
    """The landmarks of the face that is to be measured, and the scan, cropped to its head where it shows much else.

    Of several faces it is the one at the landmarks given by hand, else the one with the most points, which is the
    nearest to the scanner; a note says so. Raises as `detect_landmarks`.
    """
    scan, few = cleaned.scan, cleaned.thin.scan
    width, given = _width(few.vertices), np.array(list(scan.landmarks.values())).reshape(-1, 3)
    if width > WIDE and len(given):
        cleaned = _head_only(cleaned, given.mean(axis=0))
        return cleaned, _detected(cleaned, debug_picture)
    found, missed = None, None
    if width <= WIDE:
        try:
            found = _detected(cleaned, debug_picture)
        except NoFaceError as error:
            if width < CLOSE:
                raise
            missed = error
    known = None if found is None else found.to_head
    places = head_places(few.vertices, None if known is None else _middle(known))
    faces = _faces(few, places, known)
    if not faces:
        tried = f"in {len(places)} places where a head may be"
        raise missed or no_face(scan, tried, debug_picture, size_hint(few, _LIKELY))
    if found is not None and len(faces) == 1:
        return cleaned, found
    middles = np.array([_middle(face) for face in faces])
    if len(given):
        rank = np.linalg.norm(middles - given.mean(axis=0), axis=1)
    else:
        rank = -np.asarray(KDTree(few.vertices).query_ball_point(middles, HEAD, return_length=True))
    first, *others = middles[np.argsort(rank, kind="stable")]
    cleaned = _head_only(cleaned, first, others)
    return cleaned, _detected(cleaned, debug_picture)


def _detected(cleaned: Cleaned, debug_picture: Path | None) -> Detection:
    few = cleaned.thin.scan
    surface = Surface(few.vertices, few.faces) if len(few.faces) else None  # through a cloud one is meshed
    return detect_landmarks(cleaned.scan, debug_picture, surface)


def _width(vertices: Floats) -> float:
    """How wide a view of all has to be, mm, but for a few points far away."""
    low, high = np.percentile(vertices, [1, 99], axis=0)
    return 2.0 * float(np.percentile(np.linalg.norm(vertices - (low + high) / 2, axis=1), 99))


def _middle(to_head: RigidTransform) -> Floats:
    return np.asarray(to_head.inv().apply(MIDDLE), np.float64)


def _faces(scan: FaceScan, places: Floats, known: RigidTransform | None) -> list[RigidTransform]:
    """Scan coordinates -> head frame of every face that is seen at the places, the one `known` first."""
    faces = [] if known is None else [known]
    if not len(places):
        return faces
    with Detector() as detector:
        for place in places:
            middles = [_middle(face) for face in faces]
            if all(np.linalg.norm(place - middle) > APART for middle in middles):
                face = _face_at(detector, scan, place, faces)
                if face is not None and all(np.linalg.norm(_middle(face) - middle) > APART for middle in middles):
                    faces.append(face)
    return faces


def _face_at(
    detector: Detector, scan: FaceScan, place: Floats, known: Sequence[RigidTransform]
) -> RigidTransform | None:
    """Scan coordinates -> head frame of the face at a place; where one is `known`, others stand upright as it does."""
    near = np.linalg.norm(scan.vertices - place, axis=1) < LOOK
    for face in known:
        near &= np.linalg.norm(scan.vertices - _middle(face), axis=1) > OWN
    if len(scan.faces):
        part = clean(crop(scan, near).scan).scan
        surface = Surface(part.vertices, part.faces)
    else:
        surface = _tiled(thinned(scan.vertices[near], _CELL))
    if known:
        return find_face(detector, surface, _upright(known[0], place), rolls=1)[0]
    return find_face(detector, surface, coarse_views(surface, directions()[:12], _PIXELS))[0]


def _tiled(points: Floats) -> Surface:
    """A cloud as one square a point, large enough to leave no gaps: enough to see a face, and soon made. Out is away
    from the middle, as on a head."""
    normals = scan_normals(FaceScan(points))
    gap = float(np.median(KDTree(points).query(points, min(5, len(points)))[0][:, -1]))
    across = np.cross(normals, np.eye(3)[np.argmin(np.abs(normals), axis=1)])
    across *= max(_CELL, gap) / np.linalg.norm(across, axis=1, keepdims=True)
    along = np.cross(normals, across)
    corners = np.concatenate([points + across, points + along, points - across, points - along])
    first, n = np.arange(len(points)), len(points)
    halves = [np.stack([first, first + k * n, first + (k + 1) * n], axis=1) for k in (1, 2)]
    return Surface(corners, np.concatenate(halves))


def _upright(face: RigidTransform, place: Floats) -> Iterator[View]:
    """Views of a place from all around, up as a face has it, the way that it looks first."""
    axes = face.rotation.as_matrix()
    for turn in _TURNS:
        toward = axes.T @ Rotation.from_euler("y", turn, degrees=True).apply([0.0, 0.0, 1.0])
        yield looking(toward, axes[1], place, 2.0 * LOOK, (_PIXELS, _PIXELS))


def _head_only(cleaned: Cleaned, middle: Floats, others: Sequence[Floats] = ()) -> Cleaned:
    """What is near the middle of a head (mm), and nearer to it than to the others'; cleaned again, since what is a
    stray part or which way is out depends on what else there is."""
    points = cleaned.scan.vertices
    away = np.linalg.norm(points - middle, axis=1)
    near = away < KEPT
    for other in others:
        near &= away < np.linalg.norm(points - other, axis=1)
    notes = []
    if others:
        notes.append(
            f"CAUTION: {1 + len(others)} faces were seen; the one at {_place(middle)} is measured, not "
            f"{', '.join(_place(other) for other in others)} (x, y, z, mm); to measure another, crop the scan to it"
        )
    notes.append(
        f"{int((~near).sum())} of {len(near)} points were left out: beyond {KEPT:.0f} mm of the head's middle"
        + (", or nearer to another's" if others else "")
    )
    head = crop(cleaned.scan, near)
    again = clean(head.scan)
    # Turned with all the rest, and then back.
    twice = (TURNED,) if TURNED in cleaned.notes and TURNED in again.notes else ()
    whole = cleaned.then(replace(head, notes=tuple(notes))).then(again)
    return replace(whole, notes=tuple(note for note in whole.notes if note not in twice))


def _place(point: Floats) -> str:
    return "({:.0f}, {:.0f}, {:.0f})".format(*point)
