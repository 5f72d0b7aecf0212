"""Whether landmarks given by hand can be those of this scan: beside those that were found, and beside the skin.

People name sides after the picture, export in another program's frame, or take the file of another scan, and what comes
out looks like a measurement. Such sets are refused, with what they look like. A single landmark that lies apart is kept
and said: where a detector and a person differ, it is the person who is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations, permutations, product

import numpy as np
from scipy.spatial.transform import RigidTransform

from face3d.errors import LandmarkError
from face3d.geometry.rigid import laid_on
from face3d.io.units import MILLIMETRES
from face3d.landmarking.pose import average_laid_on, average_landmarks, head_frame
from face3d.landmarks import NAMES, PAIRED, SIDES, code_of, opposite_name, relabelled
from face3d.scan import Floats

Marks = Mapping[str, Floats]

#: What neither a palsy nor an expression moves by more than some millimetres: a set is judged by these.
_STEADY = ("en", "ex", "n", "prn", "c", "sn", "al", "ac")
# Between true and detected on 204 simulated scans (palsied, in expression, a third with the mouth open, four scanners,
# from 4 years on): steady ones 1 mm in the median, 10.9 at most, shifted alike by at most 1.8; corners of wide open
# mouths up to 27 with confidence below 0.4, else 13.5. james's 27 by hand lie 13 mm off at most (ends of brows),
# demoface's 5.5.
#: mm between given and found up to which nothing is said of a single one.
_USUAL = {
    **dict.fromkeys((*_STEADY, "ps", "pi"), 8.0),
    **dict.fromkeys(("ch", "cph", "ls", "sto"), 12.0),
    **dict.fromkeys(("g", "mb", "sci", "lb", "li"), 16.0),
    **dict.fromkeys(("sl", "pg", "gn"), 20.0),
}
#: Below this confidence the detector guesses (a mouth wide open, the scan's rim).
_GUESSED = 0.3
#: mm by which n steady landmarks may be shifted alike, lie apart, and lie off the skin, each plus `_HAND` / sqrt(n):
#: what the detector and definitions do to all, and 4 standard errors of a hand that is 2 mm off along each axis. With
#: such a hand, 11 choices of landmarks and 30 draws a scan, one of 70,000 sets came to 1.01 times a limit; with one
#: 2 mm off in space, none to 0.7.
_SHIFT, _APART, _SKIN, _HAND = 3.5, 5.0, 3.0, 8.0
#: Logarithm of the size, plus 0.5 / n.
_SIZE = 0.11
#: mm more where the detector is unsure of all of them, by how much their confidence is below 1 (0.05 on most scans).
_DOUBT = 10.0
#: mm more for sets that hold only what moves: mouth, brows, chin.
_MOVING = 24.0
#: mm more where the places are an average face's: people differ by about 5 mm a landmark.
_ANYBODY = 8.0
#: mm between the points between the eyes, from which on two faces are meant.
_ANOTHER_FACE = 60.0
#: mm off the skin from which on a single landmark is named.
_OFF = 8.0


@dataclass(frozen=True)
class _Places:
    """Where the landmarks are expected: `points` by name with `confidence` 0..1, and how much further off than beside
    found ones may be right (`slack` mm)."""

    points: Marks
    confidence: Mapping[str, float] = field(default_factory=dict)
    slack: float = 0.0

    def apart(self, name: str, point: Floats) -> float:
        return float(np.linalg.norm(point - self.points[name]))

    def usual(self, name: str) -> float:
        """mm up to which a single landmark may lie from its place."""
        sure = self.confidence.get(name, 1.0)
        return (_USUAL[code_of(name)] + self.slack) * (1.0 if sure >= _GUESSED else 2.0)

    def judged(self, marks: Marks) -> tuple[list[str], float]:
        """The names by which a set is judged, and the mm more than steady ones that they may lie apart."""
        sure = [k for k in marks if k in self.points and self.confidence.get(k, 1.0) >= _GUESSED]
        steady = [k for k in sure if code_of(k) in _STEADY]
        names, more = (steady, self.slack) if len(steady) > 1 else (sure, self.slack + _MOVING)
        doubt = 1.0 - float(np.median([self.confidence.get(k, 1.0) for k in names])) if names else 0.0
        return names, more + _DOUBT * doubt

    def misfit(self, marks: Marks) -> float:
        """How badly a set as a whole lies where it should: up to 1 as hands do; NaN with less than two to judge by."""
        names, more = self.judged(marks)
        if len(names) < 2:
            return np.nan
        here, there = (np.array([m[k] for k in names]) for m in (marks, self.points))
        off = here - there
        length = np.linalg.norm(off, axis=1)
        if len(names) == 2:  # one of two may lie apart, as one of many may
            off, length = off[[length.argmin()]], length[[length.argmin()]]
        hand = _HAND / np.sqrt(len(names)) + more
        worst = max(np.linalg.norm(np.median(off, axis=0)) / (_SHIFT + hand), np.median(length) / (_APART + hand))
        if len(names) > 4:
            worst = max(worst, abs(np.log(_relative_size(here, there))) / (_SIZE + 0.5 / len(names) + more / 100))
        return float(worst)


def _relative_size(here: Floats, there: Floats) -> float:
    """How much larger one set of points (N, 3) is than the other; a few wrong ones do not count."""
    i, j = np.array(list(combinations(range(len(here)), 2))).T
    one, two = (np.linalg.norm(p[i] - p[j], axis=1) for p in (here, there))
    return float(np.median(np.maximum(one, 1e-6)[two > 20] / two[two > 20])) if (two > 20).any() else 1.0


def compared(name: str, given: Marks, found: Marks, confidence: Mapping[str, float], skin: Floats) -> list[str]:
    """Notes on the landmarks of scan `name` that were given by hand, beside those `found` on it.

    `given`, `found` name -> (3,) mm in scan coordinates; `confidence` of the found ones, 0..1; `skin` mm from each
    given one to the surface, in their order. Raises `LandmarkError` when the set is exchanged, shifted, in another
    frame or unit, or off the skin.
    """
    known = _known(given)
    places = _Places({k: p for k, p in found.items() if code_of(k) in _USUAL}, confidence)
    depth = {k: float(d) for k, d in zip(given, skin, strict=True) if k in known}
    _refuse_wrong_sets(name, known, places, "those that were found")
    _refuse_off_the_skin(name, {k: d for k, d in depth.items() if k in places.points})
    return [*_names_note(given, known, "; the others were detected"), *_outliers(known, places, depth, "it was found")]


def among_themselves(name: str, given: Marks, vertices: Floats, normals: Floats) -> list[str]:
    """The same where nothing was found to compare with: do they lie as on a face, on the skin, its outside in front?

    `vertices`, `normals` (V, 3) of the surface, outward.
    """
    from scipy.spatial import KDTree

    known = _known(given)
    head_frame(known)  # refuses what is no face
    points, average = np.array(list(known.values())), average_landmarks()
    near = KDTree(vertices).query(points)[1]
    # Eyes and mouth lie nearly in a plane: with their sides exchanged they are a face seen from behind.
    upright = laid_on(points, np.array([average[k] for k in known]), np.ones(len(points)))
    if upright.rotation.apply(normals[near])[:, 2].mean() < 0:
        raise LandmarkError(
            f"{name}: the landmarks given by hand ({', '.join(sorted(known))}) make a face that looks into the head: "
            "left and right are exchanged (_left is the subject's own left), or the surface is inside out"
        )
    places = _Places({k: p for k, p in average_laid_on(known).items() if code_of(k) in _USUAL}, slack=_ANYBODY)
    depth = dict(zip(known, np.abs(np.einsum("ni,ni->n", points - vertices[near], normals[near])), strict=True))
    _refuse_wrong_sets(name, known, places, "where an average face has them")
    _refuse_off_the_skin(name, {k: d for k, d in depth.items() if k in places.points})
    return [*_names_note(given, known, ""), *_outliers(known, places, depth, "an average face has it")]


def elsewhere(given: Marks, to_head: RigidTransform) -> RigidTransform | None:
    """Scan coordinates -> head frame by the landmarks given by hand, where they are of another face than the one found
    (`to_head`): of two people in one scan, or the found one is none."""
    try:
        frame = head_frame(_known(given))
    except LandmarkError:  # too few to say, or exchanged
        return None
    return frame if np.linalg.norm(to_head.apply(frame.inv().translation)) > _ANOTHER_FACE else None


def _known(given: Marks) -> dict[str, Floats]:
    return {name: point for name, point in given.items() if name in NAMES}


def _names_note(given: Marks, known: Marks, others: str) -> list[str]:
    notes = [f"given by hand and kept: {', '.join(sorted(known))}{others}"] if known else []
    strange = sorted(given.keys() - known.keys())
    if strange:
        notes.append(
            f"given by hand under names that are not known, so that nothing uses them: {', '.join(strange)}; known are "
            f"{', '.join(NAMES)}"
        )
    return notes


def _refuse_wrong_sets(name: str, marks: Marks, places: _Places, beside: str) -> None:
    wrong = places.misfit(marks) > 1.0
    looks = _looks_like(marks, places) if wrong else ""
    looks = looks or "; ".join(_exchanged(marks, places))
    if wrong and not looks:
        looks = (
            "another scan's or person's, or of this scan before it was moved? If the face that was found is wrong, "
            "crop the scan to the head"
        )
    if looks:
        here = sorted(marks.keys() & places.points.keys())
        far = float(np.median([places.apart(k, marks[k]) for k in here]))
        raise LandmarkError(
            f"{name}: the landmarks given by hand ({', '.join(here)}) cannot be right, {far:.0f} mm from {beside} at "
            f"the median: {looks}"
        )


def _refuse_off_the_skin(name: str, depth: Mapping[str, float]) -> None:
    if len(depth) < 3:
        return
    off, limit = float(np.median(list(depth.values()))), _SKIN + 0.5 * _HAND / np.sqrt(len(depth))
    if off > limit:
        raise LandmarkError(
            f"{name}: the landmarks given by hand ({', '.join(sorted(depth))}) lie {off:.1f} mm off the skin at the "
            f"median, up to {limit:.1f} mm is taken: another scan's or person's, or of this scan before it was moved?"
        )


def _looks_like(marks: Marks, places: _Places) -> str:
    """What would make all of a wrong set right, in words; "" where nothing does."""
    if places.misfit(relabelled(marks)) <= 1.0:
        return "left and right are exchanged; _left is the subject's own left"
    names, _ = places.judged(marks)
    here, there = (np.array([m[k] for k in names]) for m in (marks, places.points))
    off = np.median(here - there, axis=0)
    if places.misfit({k: p - off for k, p in marks.items()}) <= 1.0:
        return (
            f"all are shifted by {np.linalg.norm(off):.1f} mm, ({', '.join(f'{x:.1f}' for x in off)}): another origin; "
            "export them in the scan's own coordinates"
        )
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        if places.misfit({k: p[list(order)] * signs for k, p in marks.items()}) <= 1.0:
            axes = ", ".join(f"{'-' if s < 0 else ''}{'xyz'[i]}" for i, s in zip(order, signs, strict=True))
            slicer = " (x and y negated: RAS for LPS, Slicer's two frames)" if axes == "-x, -y, z" else ""
            return (
                f"they are in another frame, whose ({axes}) is the scan's (x, y, z){slicer}; export them in the scan's"
            )
    for one, two in permutations(MILLIMETRES, 2):
        if places.misfit({k: p * MILLIMETRES[one] / MILLIMETRES[two] for k, p in marks.items()}) <= 1.0:
            return f"they are in another unit, {one} for {two}; give them in the scan file's"
    size, about = _relative_size(here, there), here.mean(axis=0)
    to_size = {k: (p - about) / size + there.mean(axis=0) for k, p in marks.items()}
    if abs(np.log(size)) > _SIZE and places.misfit(to_size) <= 1.0:
        return f"they lie {size:.2f} times as far apart: another scale; give them in the scan file's unit"
    motion = laid_on(here, there, np.ones(len(here)))
    turn = np.degrees(motion.rotation.magnitude())
    if len(names) > 3 and turn > 5.0 and places.misfit({k: motion.apply(p) for k, p in marks.items()}) <= 1.0:
        return f"all are turned by {turn:.0f} degrees: of this scan before it was moved? Export them in its coordinates"
    return ""


def _exchanged(marks: Marks, places: _Places) -> list[str]:
    """Which landmarks lie in each other's places, in words."""

    def crossed(one: str, two: str) -> bool:
        own = [places.apart(k, marks[k]) for k in (one, two) if k in marks]
        other = [places.apart(there, marks[k]) for k, there in ((one, two), (two, one)) if k in marks]
        return sum(other) < 0.6 * sum(own)

    sides, said = [], []
    for code in PAIRED:
        left, right = (f"{code}_{side}" for side in SIDES)
        if not {left, right} <= places.points.keys() or not {left, right} & marks.keys():
            continue
        across = places.points[left] - places.points[right]
        width = float(np.linalg.norm(across))
        if {left, right} <= marks.keys():
            # However a palsy pulls, the left one stays to the left of the right one.
            wrong = (marks[left] - marks[right]) @ across < -0.3 * width**2
        else:
            wrong = width > 20  # one alone: a palsy pulls a mouth over by 15 mm, where its corners are 50 apart
        if wrong and crossed(left, right):
            sides.append(code)
    if sides:
        said.append(f"left and right of {', '.join(sides)} are exchanged (_left is the subject's own left)")
    for one, two in combinations(sorted(marks.keys() & places.points.keys()), 2):
        clear = all(places.apart(k, marks[k]) > places.usual(k) for k in (one, two))
        if clear and two != opposite_name(one) and crossed(one, two):
            said.append(f"{one} and {two} are exchanged")
    return said


def _outliers(marks: Marks, places: _Places, depth: Mapping[str, float], where: str) -> list[str]:
    """A note on each landmark that lies apart from its place or off the skin."""
    notes = []
    for name in sorted(marks):
        far = places.apart(name, marks[name]) if name in places.points else 0.0
        usual = places.usual(name) if name in places.points else np.inf
        if far > usual:
            what = f"{far:.1f} mm from where {where} (up to {usual:.0f} mm is usual)"
        elif depth[name] > _OFF:
            what = f"{depth[name]:.1f} mm off the skin"
        else:
            continue
        notes.append(f"{name}, given by hand, lies {what}: it was kept; check it")
    return notes
