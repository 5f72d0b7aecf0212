"""A third movement set, from muscles instead of an artist: Waters' vector muscles, skin sliding over what lies below.

Waters 1987 (A muscle model for animating three-dimensional facial expression, doi:10.1145/37402.37405): a linear muscle
pulls the skin within a sector towards its bony origin, most at its insertion; a sphincter draws towards its centre.
Each call draws another person's muscles: origin, insertion, reach and strength differ. Nothing in it comes from the
artists' sets, so that what knows those can be tested on this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from face3d.geometry.mesh import vertex_normals
from face3d.scan import Floats, Ints
from face3d.simulate.head import HeadModel, reflected
from face3d.simulate.subdivision import loop_subdivision

# Between people: strength by 15 %, origins by 4 mm, insertions by 1.5 mm, reach by 10 % (standard deviations; our
# choice).
STRENGTH_SD, ORIGIN_MM, INSERTION_MM, REACH_SD = 0.15, 4.0, 1.5, 0.10
# Share of the movement across the surface that is lost: skin slides over bone and fat, it does not sink into them.
SLIDING = 0.8


@dataclass(frozen=True)
class Muscle:
    """A linear muscle of the left side. `origin`, `insertion`: a landmark (midline or left) and an offset, mm; `pull`
    mm at the insertion; `reach` mm around the insertion; `lips` "upper", "lower" or "both" says which lip follows."""

    origin: tuple[str, tuple[float, float, float]]
    insertion: tuple[str, tuple[float, float, float]]
    pull: float
    reach: float
    lips: str = "both"


#: unit of set "a" -> muscles that make it. Pulls are of the size that healthy people reach (clinical ranges: commissure
#: 9-14 mm, brow 10 mm with both parts of frontalis).
MUSCLES: dict[str, tuple[Muscle, ...]] = {
    "browInnerUp": (Muscle(("mb", (2, 45, -4)), ("mb", (3, 3, 0)), 7.0, 32.0),),
    "browOuterUp": (Muscle(("sci", (6, 42, -10)), ("sci", (6, 0, -2)), 7.5, 30.0),),
    "browDown": (Muscle(("n", (4, 6, 0)), ("sci", (-8, -3, 2)), 6.0, 22.0),),
    "noseSneer": (
        Muscle(("en", (-6, 6, 4)), ("al", (-3, 2, 2)), 4.5, 15.0, "upper"),
        Muscle(("en", (-2, -8, 6)), ("cph", (6, 3, 0)), 3.5, 14.0, "upper"),
    ),
    "mouthUpperUp": (Muscle(("pi", (-4, -10, 4)), ("cph", (6, 0, -2)), 6.0, 17.0, "upper"),),
    "mouthSmile": (
        Muscle(("zy", (-14, 2, 22)), ("ch", (5, 1, -2)), 13.0, 34.0),
        Muscle(("zy", (-22, 6, 34)), ("cph", (9, -2, -3)), 4.0, 18.0, "upper"),
    ),
    "mouthStretch": (Muscle(("go", (4, 0, 20)), ("ch", (5, 0, -2)), 8.5, 26.0),),
    "mouthDimple": (Muscle(("go", (6, 10, 22)), ("ch", (5, 0, -2)), 5.5, 20.0),),
    "mouthFrown": (Muscle(("ch", (12, -45, -8)), ("ch", (4, 0, -1)), 6.5, 22.0),),
    "mouthLowerDown": (Muscle(("pg", (18, -18, -8)), ("li", (11, 4, -2)), 6.0, 20.0, "lower"),),
    "mouthShrugLower": (Muscle(("li", (7, 2, 2)), ("pg", (8, 4, 2)), 4.0, 16.0, "lower"),),
}


def with_waters_muscles(head: HeadModel, rng: np.random.Generator) -> HeadModel:
    """`head` (movement set "a") with the muscular units of one person; units that are not muscles of expression (jaw,
    gaze, lips rolled) stay. Left and right are exact mirror images. The embedded model's fine level gets the fields of
    its base level, subdivided: with the same `rng`, one person at both."""
    base = HeadModel.load("a")
    finer = loop_subdivision(base.faces, len(base.vertices), base.opposite)
    if np.array_equal(head.faces, finer.faces):
        left = finer.apply(with_waters_muscles(base, rng).left)
        return replace(head, left=left, right=reflected(left, head.opposite))
    v, marks = head.vertices, head.landmark_points(head.vertices)
    face = _Face(v, _broad_normals(v, head.faces), _upper_share(head, marks), _left_share(v))
    left = np.array(head.left)
    for name, muscles in MUSCLES.items():
        left[head.unit_index(name)[0]] = sum(_pulled(face, _own(m, rng), marks, rng) for m in muscles)
    mouth = 0.5 * (marks["ch_left"] + marks["ch_right"]) + np.array([0.0, 0.0, 6.0])
    own = float(np.exp(rng.normal(0.0, STRENGTH_SD)))
    left[head.unit_index("mouthPucker")[0]] = _sphincter(face, mouth, (36.0, 24.0), 8.0 * own, 6.0 * own)
    left[head.unit_index("mouthFunnel")[0]] = _sphincter(face, mouth, (32.0, 24.0), 3.0 * own, 6.0 * own)
    eye = 0.5 * (marks["en_left"] + marks["ex_left"])
    squint = _sphincter(face, eye, (34.0, 30.0), 4.0 * own, 0.0) * (v[:, 1] < eye[1] - 1.0)[:, None]
    left[head.unit_index("eyeSquint")[0]] = squint
    left[head.unit_index("cheekSquint")[0]] = _pulled(
        face, _own(Muscle(("pi", (6, -2, 0)), ("pi", (12, -24, -2)), 6.0, 22.0), rng), marks, rng
    )
    left[head.unit_index("cheekPuff")[0]] = _puffed(face, marks, 11.0 * own)
    left[head.unit_index("eyeBlink")[0]] = _lid(head, marks, 1.0)
    left[head.unit_index("eyeWide")[0]] = _lid(head, marks, -0.25)
    return replace(head, left=left, right=reflected(left, head.opposite))


@dataclass(frozen=True, eq=False)
class _Face:
    v: Floats
    normal: Floats
    upper: Floats
    left: Floats


def _own(muscle: Muscle, rng: np.random.Generator) -> Muscle:
    strength, reach = np.exp(rng.normal(0.0, STRENGTH_SD)), np.exp(rng.normal(0.0, REACH_SD))
    return replace(muscle, pull=muscle.pull * float(strength), reach=muscle.reach * float(reach))


def _place(at: tuple[str, tuple[float, float, float]], marks: dict[str, Floats]) -> Floats:
    name, shift = at
    return marks[name if name in marks else f"{name}_left"] + np.asarray(shift, np.float64)


def _pulled(face: _Face, muscle: Muscle, marks: dict[str, Floats], rng: np.random.Generator) -> Floats:
    """Displacements (V, 3) mm by a linear muscle: Waters' radial and angular falloff, about the insertion."""
    origin = _place(muscle.origin, marks) + rng.normal(0.0, ORIGIN_MM, 3)
    insertion = _place(muscle.insertion, marks) + rng.normal(0.0, INSERTION_MM, 3)
    to = origin - face.v
    far = np.maximum(np.linalg.norm(to, axis=1), 1e-9)
    axis = origin - insertion
    length = float(np.linalg.norm(axis))
    cosine = np.clip(to @ axis / (far * length), 0.0, 1.0)
    # Radial: zero at the origin, full at the insertion, gone one reach beyond it; across: gone one reach aside.
    along = np.where(
        far < length, np.sin(0.5 * np.pi * np.clip(far / length, 0, 1)), _fade((far - length) / muscle.reach)
    )
    aside = far * np.sqrt(1.0 - cosine**2)
    force = muscle.pull * cosine * along * _fade(aside / muscle.reach)
    follow = {"both": 1.0, "upper": face.upper, "lower": 1.0 - face.upper}[muscle.lips]
    return _slid(face, (force * follow / far)[:, None] * to)


def _sphincter(face: _Face, centre: Floats, radii: tuple[float, float], inward: float, forward: float) -> Floats:
    """Displacements (V, 3) mm towards a centre, most at half the ellipse's radii, and to the front."""
    out = face.v - centre
    ring = np.sqrt((out[:, 0] / radii[0]) ** 2 + (out[:, 1] / radii[1]) ** 2 + (out[:, 2] / 40.0) ** 2)
    force = np.where(ring < 0.5, np.sin(np.pi * np.clip(ring, 0, 0.5)), _fade(2 * ring - 1))
    distance = np.maximum(np.linalg.norm(out[:, :2], axis=1), 1e-9)
    move = np.zeros_like(out)
    # Nothing crosses the centre: near it the way in is no longer than what is left.
    move[:, :2] = -(np.minimum(inward * force, 0.4 * distance) / distance)[:, None] * out[:, :2]
    move = _slid(face, move)
    move[:, 2] += forward * np.where(ring < 0.35, 1.0, _fade((ring - 0.35) / 0.65))
    return move * face.left[:, None]


def _puffed(face: _Face, marks: dict[str, Floats], size: float) -> Floats:
    centre = 0.5 * (marks["ch_left"] + marks["zy_left"]) + np.array([4.0, -8.0, 12.0])
    near = np.linalg.norm((face.v - centre) / [34.0, 36.0, 44.0], axis=1)
    return (size * _fade(near) * face.left)[:, None] * face.normal


def _lid(head: HeadModel, marks: dict[str, Floats], closing: float) -> Floats:
    """The upper lid down over the ball (the lower a little up) by `closing` of the fissure; negative opens."""
    en, ex, ps, pi = (marks[f"{code}_left"] for code in ("en", "ex", "ps", "pi"))
    t = np.clip((head.vertices[:, 0] - en[0] + 1.5) / (ex[0] - en[0] + 3.0), 0.0, 1.0)
    gap = (ps - pi)[1] * 4 * t * (1 - t) * closing
    # The lid's skin unrolls from its crease: what lies 9 mm above the margin stays.
    edge = en[1] + t * (ex - en)[1] + (ps[1] - 0.5 * (en + ex)[1]) * 4 * t * (1 - t)
    unrolls = _fade((head.vertices[:, 1] - edge) / 9.0) * head.regions["upper_lid_left"]
    move = np.zeros_like(head.vertices)
    move[:, 1] = -0.92 * gap * unrolls + 0.08 * gap * head.regions["lower_lid_left"]
    return move


def _slid(face: _Face, move: Floats) -> Floats:
    across = np.einsum("ij,ij->i", move, face.normal)
    return (move - SLIDING * across[:, None] * face.normal) * face.left[:, None]


def _broad_normals(v: Floats, faces: Ints) -> Floats:
    """Unit normals (V, 3) of the face's broad shape: the rim of the lips must not turn what slides past it."""
    edges = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    near = sp.coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(v), len(v)))
    near = (near + near.T + sp.eye_array(len(v))).tocsr()
    normal = vertex_normals(v, faces)
    for _ in range(25):
        normal = near @ normal
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    return normal


def _fade(t: Floats) -> Floats:
    """1 at 0, 0 from 1 on, as a cosine."""
    return 0.5 * (1.0 + np.cos(np.pi * np.clip(t, 0.0, 1.0)))


def _left_share(v: Floats) -> Floats:
    """1 on the left, 0 on the right, smooth over 12 mm of the midline: sides add up to the whole there."""
    return 1.0 - _fade((v[:, 0] + 6.0) / 12.0)


def _upper_share(head: HeadModel, marks: dict[str, Floats]) -> Floats:
    """How much (V,) a vertex belongs to the upper lip and what is above: lips part, they don't pull each other."""
    upper = head.regions["upper_lip_left"] + head.regions["upper_lip_right"]
    lower = head.regions["lower_lip_left"] + head.regions["lower_lip_right"]
    by_height = 1.0 - _fade((head.vertices[:, 1] - marks["sto"][1] + 8.0) / 16.0)
    lip = np.clip(upper + lower, 0.0, 1.0)
    return lip * upper / np.maximum(upper + lower, 1e-9) + (1.0 - lip) * by_height
