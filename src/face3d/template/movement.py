"""From rest to expression: the movement that is left when the head's own has been taken out.

No point of the face stands still in expression (Coulson 1999), so each expression has its own region on which rest and
expression are laid together, and every result says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import RigidTransform

from face3d.errors import RegistrationError
from face3d.geometry.rigid import align
from face3d.scan import Floats
from face3d.template.anatomy import Anatomy
from face3d.template.stable import STABLE, UNKNOWN, region_weights
from face3d.values import Value, locked


@dataclass(frozen=True, eq=False, repr=False)
class Movement(Value):
    """One expression against rest. `displacement` (N, 3) mm in the rest face's canonical frame, NaN where not seen.

    `stable` names the regions it was aligned on, `rms` (mm) what still moved there, `to_rest` the rigid motion applied.
    """

    expression: str
    displacement: Floats
    stable: tuple[str, ...]
    rms: float
    to_rest: RigidTransform

    def __post_init__(self) -> None:
        object.__setattr__(self, "displacement", locked(self.displacement))


def movement(
    expression: str, rest: Floats, moved: Floats, anatomy: Anatomy, valid: np.ndarray | None = None
) -> Movement:
    """The movement from `rest` to `moved`, both (N, 3) mm in the same vertex order, with the head's own motion removed.

    `valid` (N,) False where either was not seen. Alignment is least squares with Tukey weights on the region that is
    stable in this expression. Raises `RegistrationError` when less than a fifth of that region was seen.
    """
    stable = STABLE.get(expression, UNKNOWN)
    seen = np.ones(len(rest), bool) if valid is None else np.asarray(valid, bool)
    seen = seen & np.isfinite(rest).all(axis=1) & np.isfinite(moved).all(axis=1)
    weight = region_weights(anatomy, stable)
    share = float(weight[seen].sum() / weight.sum())
    if share < 0.2:
        raise RegistrationError(
            f"{expression}: {100 * share:.0f} % of the region that is stable in it ({', '.join(stable)}) was seen; "
            "20 % are needed. Scan the whole face from hairline to chin"
        )
    to_rest, rms = align(moved[seen], rest[seen], weight[seen])
    out = np.full(rest.shape, np.nan)
    out[seen] = to_rest.apply(moved[seen]) - rest[seen]
    return Movement(expression, out, stable, rms, to_rest)


def movements(
    rest: Floats, expressions: Mapping[str, Floats], anatomy: Anatomy
) -> tuple[dict[str, Movement], tuple[str, ...]]:
    """The movement of each expression name -> (N, 3) mm, and a note for each whose stable region was not seen."""
    found, notes = {}, []
    for expression, moved in expressions.items():
        try:
            found[expression] = movement(expression, rest, moved, anatomy)
        except RegistrationError as error:
            notes.append(str(error))
    return found, tuple(notes)
