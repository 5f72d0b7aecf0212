"""Landmarks on the scan and where the template has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import RegistrationError
from face3d.scan import Floats, Ints
from face3d.template.template import FaceTemplate
from face3d.values import Value

#: mm: what a named landmark, and a dense point beyond its own spread, is uncertain by; all dense points together
#: count as this many, because their errors go together.
LANDMARK_SD, DENSE_SD, DENSE_COUNT = 2.5, 3.0, 40


@dataclass(frozen=True, eq=False, repr=False)
class Marks(Value):
    """Landmarks on the scan: `points` (L, 3) mm, `sd` (L,) mm, each at `weights` (L, 3) of template vertices `ids`."""

    points: Floats
    ids: Ints
    weights: Floats
    sd: Floats

    @classmethod
    def of(
        cls,
        template: FaceTemplate,
        landmarks: Mapping[str, ArrayLike],
        confidence: Mapping[str, float] | None,
        dense: ArrayLike | None,
        name: str,
    ) -> Marks:
        """Raises `RegistrationError` when there are fewer than four, or all lie on a line."""
        known = [k for k in landmarks if k in template.landmarks]
        trust = np.array([(confidence or {}).get(k, 1.0) for k in known])
        points = [np.asarray(landmarks[k], np.float64) for k in known]
        ids, weights = ([template.landmarks[k][i] for k in known] for i in (0, 1))
        sd = list(LANDMARK_SD / np.clip(trust, 0.25, 1.0))
        if dense is not None:
            every = np.asarray(dense, np.float64)
            use = np.flatnonzero(np.isfinite(template.dense_spread) & np.isfinite(every).all(axis=1))
            share = np.sqrt(max(len(use), 1) / DENSE_COUNT)
            points += list(every[use])
            ids += list(template.dense_ids[use])
            weights += list(template.dense_weights[use])
            sd += list(np.hypot(template.dense_spread[use], DENSE_SD) * share)
        if len(points) < 4 or np.linalg.svd(np.array(points) - np.mean(points, axis=0))[1][1] < 5.0:
            raise RegistrationError(
                f"{name}: {len(points)} landmarks that the template knows, not on one line; at least 4 are needed to "
                f"lay it on the scan (give some of {', '.join(sorted(template.landmarks))})"
            )
        return cls(np.array(points), np.array(ids, np.int64), np.array(weights, np.float64), np.array(sd, np.float64))

    def on(self, vertices: Floats) -> Floats:
        """(L, 3) where they are on the template's vertices (N, 3)."""
        return np.einsum("lk,lki->li", self.weights, vertices[self.ids])
