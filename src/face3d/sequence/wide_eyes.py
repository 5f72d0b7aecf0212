"""An eye that seems to open wider than eyes do: has it, or has the template slid up a fold of its lid?

A lid is skin over a smooth plate with a fold above it. Laid on by closest points its edge can slide up into the fold
and stay there for half a second, for nothing says that the skin it left is lid. Whoever opens an eye wide does so by
less than that; so then the frame is looked at again from lids as they were at rest, and what explains it better stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from face3d.landmarks import SIDES
from face3d.scan import Floats
from face3d.sequence.space import Projection, Space
from face3d.sequence.state import State

#: mm over its opening at rest from which on an eye is doubted: three SD of what its opening is uncertain by in a frame
#: (0.5 mm), and about what lids still rise by from looking straight ahead.
WIDE_MM = 1.5
#: 1/mm2: belief in lids that are at rest, and in the movement of all else.
LIDS, ELSE = 80.0, 4.0


class WideEyes:
    """The eyes of the face that is `rest` (N, 3) mm at rest."""

    def __init__(self, space: Space, rest: Floats) -> None:
        t = space.template
        lids = {s: np.maximum(t.regions[f"upper_lid_{s}"], t.regions[f"lower_lid_{s}"])[space.rows] for s in SIDES}
        self.lids = np.maximum(*lids.values()) > 0.1
        self._space, self._own = space, {s: weight > 0.3 for s, weight in lids.items()}
        self._projection = Projection(space, np.where(self.lids, LIDS, ELSE))
        self._edges = {s: [t.landmarks[f"{code}_{s}"] for code in ("ps", "pi")] for s in SIDES}
        opening = {s: self._opening(rest, s) for s in SIDES}
        self._up = {s: way / max(float(np.linalg.norm(way)), 1e-9) for s, way in opening.items()}

    def among(self, moved: Floats) -> Sequence[str]:
        """The sides whose eye has opened beyond `WIDE_MM`, when the face has moved by `moved` (N, 3) mm."""
        return [s for s in SIDES if self._opening(moved, s) @ self._up[s] > WIDE_MM]

    def as_at_rest(self, before: State, sides: Sequence[str]) -> State:
        """The same with lids of some sides at rest, from where nothing but the head goes on."""
        expected = before.next()
        moved = expected.moved[self._space.rows].copy()
        for side in sides:
            moved[self._own[side]] = 0.0
        estimate = self._projection.estimate(moved)
        return replace(before.stopped_within(), estimate=estimate, moved=self._space.displaced(estimate))

    def _opening(self, field: Floats, side: str) -> Floats:
        """(3,) from the lower to the upper lid's edge in a field (N, 3)."""
        upper, lower = (weights @ field[ids] for ids, weights in self._edges[side])
        return upper - lower
