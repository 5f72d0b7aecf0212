"""The face template: one symmetric mesh of the face skin with regions, landmarks, shape and movement.

A template laid on a face carries its vertices' meaning there: the same index is the same place on every face, and
`opposite` is the same place on the other side. Built by `tools/build_template.py` from the embedded head model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components

from face3d.errors import WeightsError
from face3d.scan import Floats, Ints
from face3d.values import Value, locked

#: What is fitted: "a" the ARKit-named movement units, "b" those of an independent author, "w" what either lacks of
#: people's: a forehead that rises with its brow, a cheek that rises beside the nose.
MOVEMENTS = ("a", "b", "ab", "abw")


@dataclass(frozen=True, eq=False, repr=False)
class FaceTemplate(Value):
    """`vertices` (N, 3) mm in the canonical head frame, exactly symmetric; `faces` (F, 3); `opposite` (N,) an
    involution; the midline comes first, then the left, then the right side.

    `identity` (K, N, 3) symmetric shapes and `asymmetry` (M, N, 3) antisymmetric ones, mm per SD; `units` (U,) names;
    `left`, `right` (U, N, 3) mm at intensity 1, `right` the mirror image of `left`; `whole` (U,): the jaw's units, one
    bone for both sides. `even`, `odd` (N, Q): the smoothest functions on the template, orthonormal over its area, even
    and odd under the mirror; `even_roots`, `odd_roots` (Q,) their Laplacian eigenvalues, 1/mm2.
    `regions` name_side -> (N,) weights 0..1; `landmarks` name -> (three vertex ids, three weights); `dense_ids`,
    `dense_weights` (478, 3) and `dense_spread` (478,) mm place MediaPipe's points, NaN spread: not on the template.
    `movement`: whose movement units the embedded template has, see `load`.
    """

    vertices: Floats
    faces: Ints
    opposite: Ints
    identity: Floats
    asymmetry: Floats
    units: tuple[str, ...]
    left: Floats
    right: Floats
    whole: np.ndarray
    even: Floats
    odd: Floats
    even_roots: Floats
    odd_roots: Floats
    regions: Mapping[str, Floats]
    landmarks: Mapping[str, tuple[Ints, Floats]]
    dense_ids: Ints
    dense_weights: Floats
    dense_spread: Floats
    movement: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", locked(self.vertices))
        for name in ("faces", "opposite", "dense_ids"):
            object.__setattr__(self, name, locked(getattr(self, name), np.int64))
        # Single precision: bases are large, and their rounding (1e-6 mm) is far below anything measured.
        for name in ("identity", "asymmetry", "left", "right", "even", "odd"):
            object.__setattr__(self, name, locked(getattr(self, name), np.float32))
        object.__setattr__(self, "regions", MappingProxyType({k: locked(v) for k, v in self.regions.items()}))
        object.__setattr__(self, "landmarks", MappingProxyType(dict(self.landmarks)))

    @classmethod
    def load(cls, movement: str = "a") -> FaceTemplate:
        """The embedded template with the movement units of one author ("a", "b"), of both ("ab"), or of both and
        what they lack ("abw"). The same object each time. Raises `WeightsError` when the file is missing or damaged."""
        return _load(movement)

    def __reduce__(self) -> tuple[Any, ...]:
        """The embedded template travels by name: 20 MB less, and it stays the one object that caches know."""
        embedded = self.movement in MOVEMENTS and _load(self.movement) is self
        return (_load, (self.movement,)) if embedded else super().__reduce__()

    def reflected(self, move: ArrayLike) -> Floats:
        """Positions or displacements (..., N, 3) as a mirror shows them, with the sides' labels swapped."""
        return np.asarray(move)[..., self.opposite, :] * np.array([-1.0, 1.0, 1.0], np.asarray(move).dtype)

    def landmark_points(self, vertices: ArrayLike) -> dict[str, Floats]:
        """Landmark -> (3,) mm on the given positions (N, 3) of the template's vertices."""
        v = np.asarray(vertices, np.float64)
        return {name: weights @ v[ids] for name, (ids, weights) in self.landmarks.items()}

    @cached_property
    def edges(self) -> Ints:
        """(E, 2) each edge once."""
        return self._edges[0]

    @cached_property
    def rim(self) -> np.ndarray:
        """(N,) bool: on an edge that only one triangle uses: the outer rim, the lids' and the lips' edges."""
        edges, count = self._edges
        out = np.zeros(len(self.vertices), bool)
        out[edges[count == 1]] = True
        return out

    @cached_property
    def outer_rim(self) -> np.ndarray:
        """(N,) bool: within two edges of the outer rim alone, whose loop is the longest of all."""
        edges, count = self._edges
        n = len(self.vertices)
        rim = edges[count == 1]
        _, part = connected_components(sp.coo_matrix((np.ones(len(rim)), rim.T), (n, n)), directed=False)
        out = self.rim & (part == np.bincount(part[self.rim]).argmax())
        return locked(self.mean @ (self.mean @ out.astype(np.float64)) > 0, bool)

    @cached_property
    def _edges(self) -> tuple[Ints, Ints]:
        f = self.faces
        pairs = np.sort(np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]), axis=1)
        return np.unique(pairs, axis=0, return_counts=True)

    @cached_property
    def area(self) -> Floats:
        """(N,) mm2 of each vertex, alike on both sides."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        share = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6.0
        area = np.bincount(self.faces.ravel(), np.repeat(share, 3), len(self.vertices))
        return (area + area[self.opposite]) / 2

    @cached_property
    def mean(self) -> Any:
        """(N, N) sparse: each vertex's mean over itself and its neighbours."""
        n, e = len(self.vertices), self.edges
        ends = np.r_[e[:, 0], e[:, 1], np.arange(n)], np.r_[e[:, 1], e[:, 0], np.arange(n)]
        count = np.bincount(ends[0], minlength=n)
        return sp.csr_matrix((1.0 / count[ends[0]], ends), (n, n))


@lru_cache(maxsize=4)
def _load(movement: str) -> FaceTemplate:
    if movement not in MOVEMENTS:
        raise ValueError(f"movement is {movement!r}; expected one of {', '.join(MOVEMENTS)}")
    try:
        with files("face3d").joinpath("data/template.npz").open("rb") as stream, np.load(stream) as data:
            d = {k: data[k] for k in data.files}
    except (OSError, ValueError, EOFError) as error:
        raise WeightsError(f"template.npz: cannot be read ({error}); reinstall face3d") from error
    middle, half = int(d["midline"]), len(d["vertices"])
    side = half - middle
    opposite = np.r_[np.arange(middle), half + np.arange(side), middle + np.arange(side)]
    flip = np.array([-1.0, 1.0, 1.0])
    step = float(d["step"])

    def whole(part: Floats, sign: float, flipped: Floats | float = flip) -> Floats:
        axis = -2 if part.ndim > 1 else -1
        return np.concatenate([part, sign * np.take(part, np.arange(middle, half), axis) * flipped], axis=axis)

    identity, odd_shapes = d["identity"] * step, d["asymmetry"] * step
    wanted = np.array([name[0] in movement for name in d["units"].tolist()])
    left = d["left"][wanted].astype(np.float32) * np.float32(step)
    regions = {}
    for name, weight in zip(d["region_names"].tolist(), d["regions"] / 255.0, strict=True):
        regions[f"{name}_left"], regions[f"{name}_right"] = weight, weight[opposite]
    return FaceTemplate(
        vertices=whole(d["vertices"], 1.0),
        faces=d["faces"],
        opposite=opposite,
        identity=whole(identity, 1.0),
        asymmetry=whole(odd_shapes, -1.0),
        units=tuple(name.split(":", 1)[1] for name, w in zip(d["units"].tolist(), wanted, strict=True) if w),
        left=left,
        right=left[:, opposite] * flip.astype(np.float32),
        whole=locked(d["whole"][wanted], bool),
        even=whole(d["even"].astype(np.float32), 1.0, 1.0),
        odd=whole(d["odd"].astype(np.float32), -1.0, 1.0),
        even_roots=locked(d["even_roots"]),
        odd_roots=locked(d["odd_roots"]),
        regions=regions,
        landmarks={
            str(k): (locked(i, np.int64), locked(w))
            for k, i, w in zip(d["landmark_names"], d["landmark_ids"], d["landmark_weights"], strict=True)
        },
        dense_ids=d["dense_ids"],
        dense_weights=locked(d["dense_weights"]),
        dense_spread=locked(d["dense_spread"]),
        movement=movement,
    )
