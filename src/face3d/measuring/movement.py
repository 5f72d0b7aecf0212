"""From rest to expression: the movement that is left when the head's own has been taken out.

No point of the face stands still in expression (Coulson 1999), so each expression has its own region on which rest and
expression are laid together, and every result says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.errors import RegistrationError
from face3d.scan import Floats, Ints, locked

#: expression -> regions that move least in it: mostly above the movement for the lower face, below it for the upper.
#: Which muscles act in which expression is anatomy (Cattaneo & Pavesi 2014); brows and lids are left out where closing
#: or frowning commonly joins in.
STABLE: Mapping[str, tuple[str, ...]] = {
    "brow_raise": ("nose", "nasolabial", "cheek", "upper_lip", "commissure"),
    "gentle_eye_closure": ("forehead", "nose", "temple", "upper_lip", "chin"),
    "tight_eye_closure": ("forehead", "nose", "temple", "upper_lip", "chin"),
    "closed_smile": ("forehead", "brow", "temple", "nose_root"),
    "open_smile": ("forehead", "brow", "temple", "nose_root"),
    "snarl": ("forehead", "temple", "chin"),
    "lip_pucker": ("forehead", "brow", "temple", "nose_root"),
    "lower_lip_depression": ("forehead", "brow", "temple", "nose_root"),
    "cheek_puff": ("forehead", "brow", "temple", "nose_root"),
}

#: Vertices that moved more than this (mm) against the rest of the stable region never count as stable.
FARTHEST_STABLE = 3.0


class Anatomy(Protocol):
    """What measuring needs to know about a mesh in correspondence: `FaceTemplate` and `HeadModel` both say it.

    `vertices` (N, 3) of its neutral, exactly symmetric state; `opposite` (N,) mirror-image vertex; `regions`
    name_side -> (N,) weights 0..1.
    """

    @property
    def vertices(self) -> Floats: ...
    @property
    def faces(self) -> Ints: ...
    @property
    def opposite(self) -> Ints: ...
    @property
    def regions(self) -> Mapping[str, Floats]: ...
    def landmark_points(self, vertices: Floats, /) -> dict[str, Floats]: ...


@dataclass(frozen=True, eq=False)
class Movement:
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


def region_weights(anatomy: Anatomy, names: tuple[str, ...]) -> Floats:
    """Sum of the named regions of both sides, at most 1, (N,). Regions that the mesh does not have are passed over."""
    total = np.zeros(len(anatomy.vertices))
    if "nose_root" in names:
        marks = anatomy.landmark_points(anatomy.vertices)
        half = (marks["n"][1] + marks["prn"][1]) / 2
        total += region_weights(anatomy, ("nose",)) * np.clip((anatomy.vertices[:, 1] - half) / 5 + 0.5, 0, 1)
    for name in names:
        for key in (name, f"{name}_left", f"{name}_right"):
            if key in anatomy.regions:
                total += anatomy.regions[key]
    return np.minimum(total, 1.0)


def movement(
    expression: str, rest: Floats, moved: Floats, anatomy: Anatomy, valid: np.ndarray | None = None
) -> Movement:  # fmt: skip
    """The movement from `rest` to `moved`, both (N, 3) mm in the same vertex order, with the head's own motion removed.

    `valid` (N,) False where either was not seen. Alignment is least squares with Tukey weights on the region that is
    stable in this expression. Raises `RegistrationError` when less than a fifth of that region was seen.
    """
    stable = STABLE[expression]
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


def align(moving: Floats, fixed: Floats, weight: Floats, rounds: int = 15) -> tuple[RigidTransform, float]:
    """Rigid motion that lays paired points `moving` on `fixed` (n, 3), Tukey-weighted, and the weighted RMS left,
    mm.
    """
    use = weight > 0.01
    a, b, w = moving[use], fixed[use], weight[use]
    robust = w
    turn, shift, error = Rotation.identity(), np.zeros(3), np.zeros(len(a))
    for _ in range(rounds):
        total = robust.sum()
        ca, cb = robust @ a / total, robust @ b / total
        turn = _turn(b - cb, a - ca, robust)
        shift = cb - turn.apply(ca)
        error = np.linalg.norm(turn.apply(a) + shift - b, axis=1)
        # 4.685 sigma: 95 % efficiency under normal noise (Beaton & Tukey 1974); 1.48 turns a median into sigma.
        reach = np.clip(4.685 * 1.48 * np.median(error), 0.3, FARTHEST_STABLE)
        new = w * np.maximum(1.0 - (error / reach) ** 2, 0.0) ** 2
        if new.sum() < 0.05 * w.sum() or np.allclose(new, robust, atol=1e-9):
            break
        robust = new
    rms = float(np.sqrt(robust @ error**2 / robust.sum()))
    return RigidTransform.from_components(shift, turn), rms


def _turn(to: Floats, at: Floats, weight: Floats) -> Rotation:
    """Proper rotation of centred points `at` onto `to` (Kabsch 1976; never a reflection)."""
    u, _, vt = np.linalg.svd((weight[:, None] * at).T @ to)
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    return Rotation.from_matrix((u @ flip @ vt).T)
