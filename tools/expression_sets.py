"""People in expression whose every point's true way from rest is known, of heads of several origins.

Simulated people of movement sets a, b and of Waters' muscles; CharMorph's Vitruvian character (CC0; other artists,
another topology, whole expressions), read from `../shared/heads` where it is; and sets of real people's or of others'
expressions in a shared topology, from a folder: one .npz each with `faces` (F, 3), `rest` (V, 3), `names` (E,) and
`expressions` (E, V, 3), mm, +y up and +z to the front.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from face3d.landmarking.detect import detect_landmarks
from face3d.scan import FaceScan, Floats, Ints
from face3d.simulate import HeadModel, draw_healthy, draw_patient, scan_face
from face3d.simulate.scanners.chart import Chart
from face3d.simulate.scanners.simulated import SimulatedScan
from face3d.simulate.scanners.stereophotogrammetry import scan_stereophotogrammetry
from face3d.simulate.subdivision import Subdivision, loop_subdivision
from face3d.simulate.waters import with_waters_muscles
from face3d.values import Value

HEAD = Path(__file__).parents[2] / "shared" / "heads" / "vitruvian.npz"
#: Morphs that leave the face of a living adult, or what a scan of a face shows.
_NOT_DRAWN = ("Neck_", "BodyType_", "Head_")
#: How many morphs make one person, and how far each goes (SD; most are meant for 0..1).
_MORPHS, _AMOUNT = 12, 0.35


@dataclass(frozen=True, eq=False, repr=False)
class Vitruvian(Value):
    """`vertices` (V, 3) mm in about the canonical head frame, `faces`; `movements` and `shapes` name -> (V, 3) mm at
    1; `finer` subdivides all of them once; `marks` vertices of landmarks that crop a scan."""

    vertices: Floats
    faces: Ints
    movements: Mapping[str, Floats]
    shapes: Mapping[str, Floats]
    finer: Subdivision
    chart: Chart
    marks: Mapping[str, int]

    def person(self, rng: np.random.Generator) -> Floats:
        """(V, 3) mm: one person's face at rest."""
        names = [name for name in self.shapes if not name.startswith(_NOT_DRAWN)]
        face = self.vertices.copy()
        for name in rng.choice(names, _MORPHS, replace=False):
            face += np.clip(rng.normal(0.0, _AMOUNT), -1.0, 1.0) * self.shapes[name]
        return face

    def moved(self, face: Floats, amounts: Mapping[str, float]) -> Floats:
        """A face with its movements, each by so much."""
        return face + sum((a * self.movements[name] for name, a in amounts.items()), np.zeros_like(face))

    def scan(self, face: Floats, rng: np.random.Generator, points: int = 17_000) -> SimulatedScan:
        """What a stereophotogrammetric scanner sees of a face, in a triangulation of its own."""
        marks = {name: face[k] for name, k in self.marks.items()}
        fine = self.finer.apply(face)
        return scan_stereophotogrammetry(
            fine, self.finer.faces, rng, points=points, landmarks=marks, chart=self.chart, noise_mm=(0.08, 0.1)
        )


@lru_cache(maxsize=1)
def vitruvian() -> Vitruvian:
    """The head, its eyes' middle at the origin."""
    with np.load(HEAD, allow_pickle=False) as d:
        v, faces = d["vertices"].astype(np.float64), d["faces"].astype(np.int64)
        movements = dict(zip(d["expression_names"].tolist(), d["expression"].astype(np.float64), strict=True))
        shapes = dict(zip(d["identity_names"].tolist(), d["identity"].astype(np.float64), strict=True))
    found = detect_landmarks(FaceScan(v, faces, name="vitruvian"))
    v = found.frame.apply(v)
    turn = found.frame.rotation.as_matrix().T
    movements = {k: m @ turn for k, m in movements.items()}
    shapes = {k: m @ turn for k, m in shapes.items()}
    finer = loop_subdivision(faces, len(v), np.arange(len(v)))
    rest = finer.apply(v)
    tree = KDTree(v)
    marks = {k: int(tree.query(found.frame.apply(p))[1]) for k, p in found.landmarks.items()}
    return Vitruvian(v, faces, movements, shapes, finer, Chart.of(rest, finer.faces), marks)


#: Expressions of the whole face, both sides and mouth.
WHOLE: Sequence[str] = (
    "Angry",
    "Cheeks_Puffed",
    "Chew",
    "Circumspect",
    "Compressed",
    "Disgusted",
    "Happy",
    "Kiss",
    "Mouth_Large_Opened",
    "Oops",
    "Revulsion",
    "Sad",
    "Scared",
    "Smile_Lips_Closed",
    "Thinking",
    "aa_02",
    "h_12",
)

#: Expressions of the protocol that simulated people are seen in.
PROTOCOL = (
    "open_smile",
    "brow_raise",
    "tight_eye_closure",
    "snarl",
    "lip_pucker",
    "lower_lip_depression",
    "closed_smile",
)
#: Scan vertices, as many as a depth camera or a thinned photogrammetric scan has.
POINTS = 17_000


@dataclass(frozen=True, eq=False, repr=False)
class Person(Value):
    """Somebody of a `domain`: `faces` of the mesh that was scanned, its `rest` (V, 3) with its scan, and expressions:
    name -> shape (V, 3) and scan."""

    domain: str
    name: str
    faces: Ints
    rest: Floats
    rest_scan: SimulatedScan
    expressions: Mapping[str, tuple[Floats, SimulatedScan]]


def simulated_person(kind: str, seed: int, names: Sequence[str] = PROTOCOL) -> Person:
    """A patient, or of every third seed a healthy person, of movement set "a" or "b" or of "muscles"."""
    rng = np.random.default_rng(seed)
    model = HeadModel.load("b" if kind == "b" else "a", "fine")
    model = with_waters_muscles(model, rng) if kind == "muscles" else model
    person = draw_patient(rng, model, int(rng.integers(2, 7))) if seed % 3 else draw_healthy(rng, model)
    rest = person.vertices("rest")
    shapes = {name: person.vertices(name) for name in names}
    scans = {name: (v, scan_face(model, v, rng, points=POINTS)) for name, v in shapes.items()}
    return Person(kind, f"{kind} {seed}", model.faces, rest, scan_face(model, rest, rng, points=POINTS), scans)


def vitruvian_person(seed: int, movements: Sequence[tuple[str, float]]) -> Person:
    """Somebody of the Vitruvian head in `movements`, each with its amount 0..1."""
    rng, head = np.random.default_rng(seed), vitruvian()
    face = head.person(rng)
    scans = {}
    for name, amount in movements:
        moved = head.moved(face, {name: amount})
        scans[f"{name} {amount:g}"] = head.finer.apply(moved), head.scan(moved, rng)
    rest = head.finer.apply(face)
    return Person("Vitruvian", f"Vitruvian {seed}", head.finer.faces, rest, head.scan(face, rng), scans)


def stored_people(folder: Path, seed: int) -> Iterator[Person]:
    """Everybody of a folder, scanned in triangulations of their own."""
    for file in sorted(folder.glob("*.npz")):
        rng = np.random.default_rng(seed)
        with np.load(file, allow_pickle=False) as d:
            faces, rest = d["faces"].astype(np.int64), d["rest"].astype(np.float64)
            shapes = dict(zip(d["names"].tolist(), d["expressions"].astype(np.float64), strict=True))
        chart = Chart.of(rest, faces)
        marks = detect_landmarks(FaceScan(rest, faces, name=file.stem)).landmarks
        nearest = {name: int(KDTree(rest).query(point)[1]) for name, point in marks.items()}
        scans = {}
        for name, v in {"": rest, **shapes}.items():
            at = {mark: v[k] for mark, k in nearest.items()}
            scans[name] = v, scan_stereophotogrammetry(v, faces, rng, points=POINTS, landmarks=at, chart=chart)
        still = scans.pop("")[1]
        yield Person(folder.name, file.stem, faces, rest, still, scans)
