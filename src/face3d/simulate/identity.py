"""Who a simulated person is: age, sex and ancestry as a head model's coefficients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from face3d.scan import Floats
from face3d.simulate.head import HeadModel

#: Ancestries that the embedded head knows, as shares that add up to 1.
ANCESTRIES = ("african", "asian", "european")


def draw_ancestry(rng: np.random.Generator) -> dict[str, float]:
    """Shares of `ANCESTRIES`, mixed as they come."""
    return dict(zip(ANCESTRIES, (float(x) for x in rng.dirichlet([0.6, 0.6, 0.6])), strict=True))


def draw_identity(
    rng: np.random.Generator,
    model: HeadModel,
    years: float,
    male: float,
    ancestry: Mapping[str, float] | None = None,
) -> Floats:
    """Identity coefficients (K,) of a person of `years`, sex (0 female, 1 male) and `ancestry` (drawn if not given), of
    any build."""
    if model.traits is None:
        return np.clip(rng.normal(size=len(model.identity)), -2.5, 2.5)
    ancestry = draw_ancestry(rng) if ancestry is None else ancestry
    known = {
        "child": np.clip((25 - years) / 20, 0, 1),
        "old": np.clip((years - 25) / 60, 0, 1),
        "male": male,
        "african": ancestry.get("african", 0.0),
        "asian": ancestry.get("asian", 0.0),
        **dict.fromkeys(("muscle", "weight"), 0.5),
    }
    for name in ("muscle", "weight"):
        known[name] = float(np.clip(0.5 + 0.15 * rng.normal(), 0, 1))
    mean = np.r_[1.0, [known[name] for name in model.traits.names]] @ model.traits.effect
    return mean + model.traits.residual * np.clip(rng.normal(size=len(mean)), -2.2, 2.2)
