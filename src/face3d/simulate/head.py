"""The parametric head: identity, natural asymmetry and per-side movements over one symmetric mesh.

The embedded model is built from MakeHuman's CC0 data by `tools/build_head_model.py`; a laboratory's own blendshapes
load with `face3d.simulate.blendshapes.load_folder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from face3d.scan import Floats, Ints
from face3d.simulate.lids import Eyes, lids_of, settle_lids
from face3d.simulate.subdivision import loop_subdivision
from face3d.values import Value, locked

Landmark = tuple[tuple[int, ...], tuple[float, ...]]
MOVEMENTS, LEVELS = ("a", "b"), ("base", "fine")


@dataclass(frozen=True, eq=False, repr=False)
class Traits(Value):
    """How identity depends on what a person is: coefficients are [1, traits] @ `effect` (T + 1, K), plus `residual`
    (K,) times N(0, 1). Traits run 0..1."""

    names: tuple[str, ...]
    effect: Floats
    residual: Floats


@dataclass(frozen=True, eq=False, repr=False)
class HeadModel(Value):
    """A linear model of the front of the head, millimetres, canonical head frame (+x the subject's left).

    `vertices` (V, 3) exactly symmetric; `faces` (F, 3); `opposite` (V,) the mirror-image vertex of each, an involution;
    `identity` (K, V, 3) symmetric shapes, unit = 1 SD; `asymmetry` (M, V, 3) antisymmetric shapes, unit = 1 SD;
    `left`, `right` (U, V, 3) the movement `units` of each side at intensity 1, `right` the exact mirror image of
    `left`; `regions` name -> (V,) weights 0..1; `landmarks` name -> (three vertex ids, three barycentric weights).
    """

    vertices: Floats
    faces: Ints
    opposite: Ints
    identity: Floats
    asymmetry: Floats
    units: tuple[str, ...]
    left: Floats
    right: Floats
    regions: Mapping[str, Floats]
    landmarks: Mapping[str, Landmark]
    eyes: Eyes | None = field(default=None, repr=False)
    traits: Traits | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("vertices", "identity", "asymmetry", "left", "right"):
            object.__setattr__(self, name, locked(getattr(self, name)))
        for name in ("faces", "opposite"):
            object.__setattr__(self, name, locked(getattr(self, name), np.int64))
        object.__setattr__(self, "units", tuple(self.units))
        object.__setattr__(self, "regions", MappingProxyType({k: locked(v) for k, v in self.regions.items()}))
        object.__setattr__(self, "landmarks", MappingProxyType(dict(self.landmarks)))

    @classmethod
    def load(cls, movement: str = "a", level: str = "base") -> HeadModel:
        """The embedded model. `movement` "a": ARKit-named units; "b": an independent set by another author.
        `level` "base": 3,900 vertices; "fine": one Loop subdivision of it, 15,500 vertices."""
        if movement not in MOVEMENTS or level not in LEVELS:
            raise ValueError(f"movement {movement!r}, level {level!r}; known are {MOVEMENTS} and {LEVELS}")
        return _load(movement, level)

    def shape(
        self,
        identity: ArrayLike | None = None,
        asymmetry: ArrayLike | None = None,
        left: ArrayLike | None = None,
        right: ArrayLike | None = None,
    ) -> Floats:
        """Vertices (V, 3) mm for coefficients `identity` (<= K,), `asymmetry` (<= M,) in SD and unit intensities
        `left`, `right` (U,). Linear, but for the lids, which slide over the eyeball instead of through it."""
        rest = self.vertices + _mixed(self.identity, identity) + _mixed(self.asymmetry, asymmetry)
        moved = rest + _mixed(self.left, left) + _mixed(self.right, right)
        if self.eyes is None:
            return moved
        centers = self.eyes.centers + _mixed(self.eyes.identity, identity) + _mixed(self.eyes.asymmetry, asymmetry)
        return settle_lids(self.eyes, rest, moved, centers)

    def landmark_points(self, vertices: ArrayLike) -> dict[str, Floats]:
        """Landmark -> (3,) mm on the given vertices (V, 3) of this model."""
        points = np.asarray(vertices, np.float64)
        return {name: np.asarray(w) @ points[list(ids)] for name, (ids, w) in self.landmarks.items()}

    def unit_index(self, *names: str) -> Ints:
        """Positions of the named units in `units`."""
        return np.array([self.units.index(name) for name in names], np.int64)


def _mixed(fields: Floats, weights: ArrayLike | None) -> Floats:
    """Sum of fields (N, ...) times weights (n <= N,); fields with weight 0 cost nothing."""
    if weights is None:
        return np.zeros(fields.shape[1:])
    w = np.asarray(weights, np.float64)
    if w.ndim != 1 or len(w) > len(fields):
        raise ValueError(f"weights have shape {w.shape}; expected at most ({len(fields)},)")
    used = np.flatnonzero(w)
    return np.tensordot(w[used], fields[used], axes=1)


def reflected(move: Floats, opposite: Ints) -> Floats:
    """Vertex positions or displacements (..., V, 3) as a mirror shows them, with left and right swapped."""
    return move[..., opposite, :] * np.array([-1.0, 1.0, 1.0])


@lru_cache(maxsize=4)
def _load(movement: str, level: str) -> HeadModel:
    if movement not in ("a", "b") or level not in ("base", "fine"):
        raise ValueError(f"movement {movement!r}, level {level!r}: expected 'a' or 'b', 'base' or 'fine'")
    with files("face3d").joinpath("data/head.npz").open("rb") as stream, np.load(stream) as data:
        d = {k: data[k] for k in data.files}
    faces, step, n_mid = d["faces"].astype(np.int64), float(d["step"]), int(d["midline"])
    half = len(d["vertices"])
    side = half - n_mid
    opposite = np.r_[np.arange(n_mid), n_mid + side + np.arange(side), n_mid + np.arange(side)]
    flip = np.array([-1.0, 1.0, 1.0])

    def whole(part: Floats, sign: float) -> Floats:
        """Both halves from the stored one: symmetric for sign 1, antisymmetric for -1."""
        return np.concatenate([part, sign * part[..., n_mid:, :] * flip], axis=-2)

    vertices = whole(d["vertices"].astype(np.float64), 1.0)
    identity = whole(d["identity"] * step, 1.0)
    asymmetry = whole(d["asymmetry"] * step, -1.0)
    left = d[f"left_{movement}"] * step
    both = [d["eye"], d["eye"] * flip], [d["eye_identity"], d["eye_identity"] * flip]
    odd = [d["eye_asymmetry"], -d["eye_asymmetry"] * flip]
    ball = d["eyeball"].astype(np.int64)
    regions = {str(n): w / 255.0 for n, w in zip(d["region_names"], d["regions"], strict=True)}
    landmarks: dict[str, Landmark] = {}
    for name, ids, w in zip(d["landmark_names"], d["landmark_vertices"], d["landmark_weights"], strict=True):
        w = w.astype(np.float64) / float(w.astype(np.float64).sum())
        landmarks[str(name)] = (tuple(int(i) for i in ids), tuple(float(x) for x in w))
    if level == "fine":
        fine = loop_subdivision(faces, len(vertices), opposite)
        vertices, identity, asymmetry, left = (fine.apply(a) for a in (vertices, identity, asymmetry, left))
        faces, opposite = fine.faces, fine.opposite
        # Sums in another order differ in the last bit on the two sides; symmetry here is exact.
        vertices, identity = ((a + reflected(a, opposite)) / 2 for a in (vertices, identity))
        asymmetry = (asymmetry - reflected(asymmetry, opposite)) / 2
        regions = {name: fine.apply(w[:, None])[:, 0] for name, w in regions.items()}
        inside = np.zeros(half + side)
        inside[ball] = 1.0
        ball = np.flatnonzero(fine.apply(inside[:, None])[:, 0] > 0.7)
    margin = np.setdiff1d(np.unique(faces[np.isin(faces, ball).any(axis=1)]), ball)
    eyes = Eyes(
        centers=np.array(both[0]),
        identity=np.stack(both[1], axis=1),
        asymmetry=np.stack(odd, axis=1),
        **lids_of(vertices, opposite, ball, margin, d["lid_edges"].astype(np.int64)),
    )
    centers, rest = eyes.centers, vertices
    vertices = settle_lids(eyes, rest, rest, centers)
    return HeadModel(
        vertices=vertices,
        faces=faces,
        opposite=opposite,
        identity=identity,
        asymmetry=asymmetry,
        units=tuple(str(u) for u in d[f"units_{movement}"]),
        left=left,
        right=reflected(left, opposite),
        regions=regions,
        landmarks=landmarks,
        eyes=eyes,
        traits=Traits(tuple(str(t) for t in d["traits"]), d["trait_effect"], d["trait_residual"]),
    )
