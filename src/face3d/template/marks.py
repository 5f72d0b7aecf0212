"""Landmarks on the scan and where the template has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import RegistrationError
from face3d.landmarks import code_of
from face3d.scan import Floats, Ints
from face3d.template.basis import basis_of
from face3d.template.template import FaceTemplate
from face3d.values import Value, locked

#: mm: what a named landmark, and a dense point beyond its own spread, is uncertain by; all dense points together
#: count as this many, because their errors go together.
LANDMARK_SD, DENSE_SD, DENSE_COUNT = 2.5, 3.0, 40


#: What the displacement of a landmark from rest is uncertain by, mm an axis, and by how much more for each mm of it, by
#: name and of each dense point, is learned (`tools/learn_mark_noise.py`); dense points' errors go together, so each
#: counts as one of DENSE_TOGETHER. Those that are uncertain by more than DENSE_MOST say nothing beside the rest.
DENSE_TOGETHER, DENSE_MOST = 4.0, 0.9


@dataclass(frozen=True, eq=False, repr=False)
class Marks(Value):
    """Landmarks on the scan: `points` (L, 3) mm, `sd` (L,) mm, `growing` (L,) more of it for each mm that they moved,
    each the `index`-th (L,) of the template's `places`."""

    points: Floats
    index: Ints
    sd: Floats
    growing: Floats
    template: FaceTemplate

    @classmethod
    def of(
        cls,
        template: FaceTemplate,
        landmarks: Mapping[str, ArrayLike],
        confidence: Mapping[str, float] | None,
        dense: ArrayLike | None,
        name: str,
        moved: bool = False,
    ) -> Marks:
        """`moved`: they have been shifted to lie on the template in the same person's rest scan, so that they tell by
        how much they moved. Raises `RegistrationError` when there are fewer than four, or all lie on a line."""
        names = list(template.landmarks)
        known = [k for k in landmarks if k in template.landmarks]
        trust = np.clip([(confidence or {}).get(k, 1.0) for k in known], 0.25, 1.0)
        points = [np.asarray(landmarks[k], np.float64) for k in known]
        index = [names.index(k) for k in known]
        named, of_dense = _noise() if moved else ({}, np.stack([template.dense_spread] * 2, axis=1) * [1.0, 0.0])
        of_named = np.array([named.get(code_of(k), (LANDMARK_SD, 0.0)) for k in known]).reshape(-1, 2)
        noise = list(of_named / trust[:, None])
        if dense is not None:
            every = np.asarray(dense, np.float64)
            use = np.flatnonzero(np.isfinite(template.dense_spread) & np.isfinite(every).all(axis=1))
            if moved:
                use = use[of_dense[use, 0] <= DENSE_MOST]
                noise += list(of_dense[use] * DENSE_TOGETHER)
            else:
                spread = np.hypot(of_dense[use], DENSE_SD) * np.sqrt(max(len(use), 1) / DENSE_COUNT)
                noise += list(spread * [1.0, 0.0])
            points += list(every[use])
            index += list(len(names) + use)
        if len(points) < 4 or np.linalg.svd(np.array(points) - np.mean(points, axis=0))[1][1] < 5.0:
            raise RegistrationError(
                f"{name}: {len(points)} landmarks that the template knows, not on one line; at least 4 are needed to "
                f"lay it on the scan (give some of {', '.join(sorted(template.landmarks))})"
            )
        sd, growing = np.array(noise, np.float64).T
        return cls(np.array(points), np.array(index, np.int64), sd, growing, template)

    def on(self, vertices: Floats) -> Floats:
        """(L, 3) where they are on the template's vertices (N, 3)."""
        ids, weights = places(self.template)
        return np.einsum("lk,lki->li", weights[self.index], vertices[ids[self.index]])


@lru_cache(maxsize=3)
def places(t: FaceTemplate) -> tuple[Ints, Floats]:
    """Three vertices and their weights (L, 3) of each point that a landmark may stand for: the named ones, then
    MediaPipe's."""
    named = list(t.landmarks.values())
    ids = np.concatenate([np.array([i for i, _ in named]), t.dense_ids])
    return locked(ids, np.int64), locked(np.concatenate([np.array([w for _, w in named]), t.dense_weights]))


@lru_cache(maxsize=6)
def mark_moves(t: FaceTemplate, moving: bool) -> np.ndarray:
    """(L, 3, P) float32: how the fit's unknowns move those points."""
    return locked(basis_of(t, moving).moves(t, *places(t)), np.float32)


@lru_cache(maxsize=1)
def _noise() -> tuple[Mapping[str, tuple[float, float]], Floats]:
    data = json.loads(files("face3d").joinpath("data/mark_noise.json").read_text(encoding="utf-8"))
    return data["named"], locked(data["dense"])
