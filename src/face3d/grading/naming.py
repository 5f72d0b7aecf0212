"""Which expression a scan shows: to name the scans of an exam that nobody named, and to catch swapped files.

A linear classifier (multinomial logistic regression) over the movement of the stronger half of the face, so that a
palsied half does not count, and over the midline: the counterpart of expression recognition by point-set networks
(Nguyen 2021), for which correspondence leaves little to learn. Mirror images have the same name.

Every scan of an exam may be the one at rest. Movements are taken from each in turn; the scan from which all the others
look most like what they are called is the likelier rest. Gentle and tight closure, and the closed and the open smile,
differ by degree and are confused by nature.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from face3d.errors import WeightsError
from face3d.geometry.rigid import turned_onto
from face3d.grading.example import SCANS, Example
from face3d.grading.grid import Grid, grid_of
from face3d.scan import Floats
from face3d.template.template import FaceTemplate
from face3d.values import Value

#: Regions on which two scans are laid, whatever they show: bony, or moved by few expressions.
LAID_ON = ("forehead", "temple", "nose")
#: How often two files of an exam are swapped, one pair or another. A guess: rarely.
SWAPPED = 0.01
#: Probability that a scan shows what it is called, before it was looked at. By folds of training subjects false alarms
#: fall by half against one in ten (no opinion), and as many swaps are caught.
AS_CALLED = 0.5
#: Least probability that a scan shows any one expression: one odd scan must not decide about all.
LEAST = 1e-4
_FLIP = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False, repr=False)
class Namer(Value):
    """`weights` (D, 10) and `bias` (10,) of the logits of `SCANS`; D = 3 x (pairs + midline) of the grid, cm."""

    weights: Floats
    bias: Floats

    def probabilities(self, shape: Floats) -> Floats:
        """(..., 10) of what `shape_of` gives."""
        logits = shape @ self.weights + self.bias
        p = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return p / p.sum(axis=-1, keepdims=True)


def shape_of(rest: Floats, there: Floats, grid: Grid) -> Floats:
    """(..., D) what a scan shows against another: movement, cm, of the half that moves more, as of a left half, and of
    the midline. `rest`, `there` (..., N, 3) mm at the grid's nodes, NaN (not seen) counts as no movement; the head's
    own motion does not matter."""
    known = np.asarray(np.isfinite(rest).all(axis=-1) & np.isfinite(there).all(axis=-1))
    weight = np.minimum(grid.regions[:, [grid.region_names.index(n) for n in LAID_ON]].sum(axis=1), 1.0) * known
    weight = weight / np.maximum(weight.sum(axis=-1, keepdims=True), 1e-9)
    a, b = np.nan_to_num(there), np.nan_to_num(rest)
    a = a - weight[..., None, :] @ a
    b_mean = weight[..., None, :] @ b
    turn, _ = turned_onto(a, b - b_mean, weight)
    move = np.where(known[..., None], a @ np.swapaxes(turn, -1, -2) + b_mean - b, 0.0) / 10.0
    k = grid.pairs
    left, right, middle = move[..., :k, :], move[..., k : 2 * k, :] * _FLIP, move[..., 2 * k :, :]
    stronger = ((left**2).sum(axis=(-1, -2)) >= (right**2).sum(axis=(-1, -2)))[..., None, None]
    half = np.concatenate([np.where(stronger, left, right), np.where(stronger, middle, middle * _FLIP)], axis=-2)
    return half.reshape(*half.shape[:-2], -1)


@cache
def shipped_namer() -> Namer:
    """As trained by `tools/train_naming.py`. Raises `WeightsError` when the file is missing or altered."""
    data = files("face3d").joinpath("data")
    try:
        raw = data.joinpath("naming.npz").read_bytes()
        card = json.loads(data.joinpath("naming.json").read_text(encoding="utf-8"))
        if hashlib.sha256(raw).hexdigest() != card["sha256"]:
            raise ValueError("its SHA-256 is not that of naming.json")
        with data.joinpath("naming.npz").open("rb") as stream, np.load(stream) as arrays:
            return Namer(arrays["weights"].astype(np.float64), arrays["bias"].astype(np.float64))
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(f"naming.npz: cannot be read ({error}); install face3d again") from error


def expressions_shown(example: Example, namer: Namer | None = None) -> dict[str, tuple[str, float]]:
    """Expression as labelled -> the expression that its scan most probably shows, and how probably; the label counts
    for as much as `AS_CALLED`.

    The scan called rest is most probably at rest; how probably, the other scans tell.
    """
    said, shown, _ = _weighed(example, namer)
    said[range(len(shown)), shown] *= AS_CALLED / (1 - AS_CALLED) * (len(SCANS) - 1)
    said /= said.sum(axis=1, keepdims=True)
    return {SCANS[k]: (SCANS[int(p.argmax())], float(p.max())) for k, p in zip(shown, said, strict=True)}


def assigned(example: Example, namer: Namer | None = None) -> dict[str, str]:
    """Scan (by its label, which counts for nothing) -> expression: each expression once, the most probable way.

    Names the scans of an exam that nobody named, rest included (Kuhn 1955).
    """
    from scipy.optimize import linear_sum_assignment

    _, shown, table = _weighed(example, namer)
    best: tuple[float, dict[str, str]] = (-np.inf, {})
    for r in range(len(shown)):
        log = np.log(np.maximum(table[r], LEAST))
        log[:, 0], log[r] = -1e9, -1e9
        log[r, 0] = 0.0
        rows, columns = linear_sum_assignment(log, maximize=True)
        score = float(log[rows, columns].sum())
        if score > best[0]:
            best = score, {SCANS[shown[i]]: SCANS[j] for i, j in zip(rows, columns, strict=True)}
    return best[1]


def _weighed(example: Example, namer: Namer | None) -> tuple[Floats, list[int], Floats]:
    """(S, 10) what each of S scans shows, over all scans that might be the one at rest; which scans; and (S, S, 10) the
    same with each scan in turn for rest."""
    namer = shipped_namer() if namer is None else namer
    at = np.concatenate([example.rest[None], example.rest[None] + example.moves])
    shown = [k for k in range(len(at)) if np.isfinite(at[k]).any()]
    scans = at[shown]
    table = namer.probabilities(shape_of(scans[:, None], scans[None], grid_of(FaceTemplate.load())))
    score = np.empty(len(shown))
    for r, k in enumerate(shown):
        table[r, r] = np.eye(len(SCANS))[0]
        called = [k if label == 0 else 0 if label == k else label for label in shown]
        log = np.log(np.maximum(table[r][:, called], LEAST))  # (S, S): scan i shows what scan j is called
        as_called = log.diagonal()
        # Another pair may have changed places as well, and must not speak against this rest.
        gain = log + log.T - as_called[:, None] - as_called[None] + np.log(SWAPPED)
        score[r] = as_called.sum() + max(0.0, float(gain.max())) + (np.log(SWAPPED) if r else 0.0)
    chance = np.exp(score - score.max())
    return np.einsum("r,rsc->sc", chance / chance.sum(), table), shown, table
