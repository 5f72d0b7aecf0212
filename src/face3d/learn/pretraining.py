"""True examples made to look fitted: fitting shrinks movements and adds noise, both seen where both are known.

Exams that were scanned and fitted are few, and simulated patients cost next to nothing. A network that has first seen
many of these, spoiled like this, then learns from the fitted ones what is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from face3d.grading.example import Example, mirrored
from face3d.grading.grid import Grid
from face3d.grading.networks.batch import Batch
from face3d.values import Value

#: Movement, mm RMS, that a node must show before its own gain is believed as much as the mean one.
BELIEVED_MM = 1.0
#: Noise is taken this much smaller to larger than it was seen.
SIZES = (0.8, 1.2)
_FIELDS = ("moves", "mark_moves", "rest", "marks")


@dataclass(frozen=True, eq=False, repr=False)
class FitNoise(Value):
    """What the fit did to X exams: `size` (X,) share of the movement that it kept on the whole (a tracker's mesh keeps
    less); `gain` field -> (G, E, n, 1) of each place beside that, for each of G scanners, `scanner` (X,); `noise` field
    -> (X, ...) mm what it added, with `known`. All with the exams' mirror images.

    `noise(batch, generator)` spoils the true examples of a batch, each like one of the exams, drawn at random; those
    that were fitted, which have units, stay as they are.
    """

    size: Tensor
    scanner: Tensor
    gain: dict[str, Tensor]
    noise: dict[str, Tensor]
    known: dict[str, Tensor]

    @classmethod
    def seen(cls, pairs: Iterable[tuple[Example, Example]], grid: Grid) -> FitNoise:
        """From fitted exams, each with its truth."""
        both = [(f, t) for f, t in pairs]
        both += [(mirrored(f, grid), mirrored(t, grid)) for f, t in both]
        fitted, true = (
            {name: torch.tensor(np.stack([getattr(e, name) for e in side]), dtype=torch.float32) for name in _FIELDS}
            for side in zip(*both, strict=True)
        )
        known = {name: torch.isfinite(fitted[name] + true[name]).all(-1) for name in _FIELDS}
        fitted, true = ({name: value.nan_to_num() for name, value in side.items()} for side in (fitted, true))
        here = known["moves"][..., None]
        f, t = fitted["moves"] * here, true["moves"] * here
        size = ((f * t).sum((1, 2, 3)) / (t * t).sum((1, 2, 3)).clamp_min(1e-6)).clamp(0.2, 1.2)
        names = [str(f.facts.get("scanner", "")) for f, _ in both]
        scanner = torch.tensor([sorted(set(names)).index(n) for n in names])
        of_scanner = nn.functional.one_hot(scanner).T.float()  # (G, X)
        gain, noise = {}, {}
        for name in _FIELDS:
            here = known[name][..., None]
            f, t = fitted[name] * here, true[name] * here
            if name.endswith("moves"):
                t = t * size[:, None, None, None]
                both_ways, squares, count = (
                    torch.einsum("gx,xenk->gen", of_scanner, x)[..., None] for x in (f * t, t * t, here.float())
                )
                prior = BELIEVED_MM**2 * count
                gain[name] = (both_ways + prior) / (squares + prior).clamp_min(1e-6)
                t = t * gain[name][scanner]
            noise[name] = f - t
        return cls(size, scanner, gain, noise, known)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch spoiled; the given one stays as it was."""
        out = dict(batch)
        count = len(out["shown"])
        which = torch.randint(len(self.size), (count,), generator=generator)
        strength = SIZES[0] + (SIZES[1] - SIZES[0]) * torch.rand(count, generator=generator)
        fitted = out["units_known"].any(dim=1)
        for name in _FIELDS:
            value, was_known = out[name], out[f"{name}_known"]
            one = [-1] + [1] * (value.dim() - 1)
            if name in self.gain:
                value = value * self.gain[name][self.scanner[which]] * self.size[which].view(one)
            known = was_known & (self.known[name][which] | fitted.view(one[:-1]))
            spoiled = (value + self.noise[name][which] * strength.view(one)) * known[..., None]
            out[f"{name}_known"] = known
            out[name] = torch.where(fitted.view(one), out[name], spoiled)
        return out
