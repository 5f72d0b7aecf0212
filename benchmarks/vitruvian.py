"""A head of other artists than the embedded one, with its own topology and whole expressions: CharMorph's Vitruvian
character (CC0), read from `../shared/heads`, where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from face3d.landmarking.detect import detect_landmarks
from face3d.scan import FaceScan, Floats, Ints
from face3d.simulate.scanners.chart import Chart
from face3d.simulate.scanners.simulated import SimulatedScan
from face3d.simulate.scanners.stereophotogrammetry import scan_stereophotogrammetry
from face3d.simulate.subdivision import Subdivision, loop_subdivision
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
