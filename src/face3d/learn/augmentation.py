"""What an exam might as well have looked like: larger or smaller movements, another alignment, fewer expressions."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from face3d.grading.example import MOVEMENTS
from face3d.grading.networks.batch import Batch
from face3d.learn.limits import check_limits

_SMILE = MOVEMENTS.index("open_smile")


@dataclass(frozen=True)
class Augmentation:
    """`drop` share of exams of which some expressions are left out, and `smile_only` of which all but the smile are;
    `amplitude` SD of the logarithm of all movements' size; `turn_deg`, `shift_mm` SD of a wrong alignment of each
    expression; `mark_mm` SD of landmarks; `blind` share of exams without units, and without landmarks; of raw points
    `frame_deg`, `frame_mm` SD of the head frame, `point_mm` of each point."""

    drop: float = 0.3
    smile_only: float = 0.1
    amplitude: float = 0.25
    turn_deg: float = 0.25
    shift_mm: float = 0.1
    mark_mm: float = 0.3
    blind: float = 0.1
    frame_deg: float = 0.5
    frame_mm: float = 0.4
    point_mm: float = 0.15

    def __post_init__(self) -> None:
        shares = dict.fromkeys(("drop", "smile_only", "blind"), (0, 1))
        check_limits(self, **{f.name: (0, math.inf) for f in fields(self)} | shares)


def augmented(batch: Batch, how: Augmentation, generator: torch.Generator) -> Batch:
    """The batch, changed at random. The same generator gives the same batch."""
    out = dict(batch)
    b, e = out["shown"].shape[0], len(MOVEMENTS)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def chance(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    size = (normal(b, 1, 1, 1) * how.amplitude).exp()
    turn, shift = normal(b, e, 1, 3) * torch.pi / 180 * how.turn_deg, normal(b, e, 1, 3) * how.shift_mm
    for moves, rest, noise in (("moves", "rest", 0.0), ("mark_moves", "marks", how.mark_mm)):
        slip = torch.cross(
            turn.expand(-1, -1, out[rest].shape[1], -1), out[rest][:, None].expand_as(out[moves]), dim=-1
        )
        moved = out[moves] * size + slip + shift
        out[moves] = moved + normal(*moved.shape) * noise if noise else moved
    out["units"] = out["units"] * size
    if "points" in out:
        out["points"] = _in_another_frame(out["points"], how, generator)
    # What is left out comes last, so that it is 0 as if it had never been there.
    gone = (chance(b, e) < 0.6 * chance(b, 1)) & (chance(b, 1) < how.drop)
    alone = chance(b, 1) < how.smile_only
    gone = torch.where(alone, torch.arange(e) != _SMILE, gone & (torch.arange(e) != _SMILE))
    gone = gone & out["shown"][:, [1 + _SMILE]]  # the smile stays: something must
    out = without(out, gone)
    no_units, no_marks = chance(b) < how.blind, chance(b) < how.blind
    out["units_known"] = out["units_known"] & ~no_units[:, None]
    out["units"] = out["units"] * ~no_units[:, None, None, None]
    for name in ("marks", "mark_moves"):
        known = out[f"{name}_known"] & ~no_marks.view(-1, *[1] * (out[f"{name}_known"].dim() - 1))
        out[f"{name}_known"], out[name] = known, out[name] * known[..., None]
    for name in ("moves", "mark_moves"):
        out[name] = out[name] * out[f"{name}_known"][..., None]
    return out


def without(batch: Batch, gone: Tensor) -> Batch:
    """The batch as if the expressions `gone` (B, E) had not been scanned."""
    out, kept = dict(batch), ~gone
    every = torch.cat([torch.ones_like(kept[:, :1]), kept], dim=1)
    for name, there in (("moves", kept), ("mark_moves", kept), ("units", every), ("points", every)):
        if name in out:
            known = out[f"{name}_known"]
            out[f"{name}_known"] = known & there.view(*there.shape, *[1] * (known.dim() - 2))
            out[name] = out[name] * there.view(*there.shape, *[1] * (out[name].dim() - 2))
    out["shown"] = out["shown"] & every
    return out


def _in_another_frame(points: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Raw points and normals (B, S, P, 6) as if each scan's landmarks had been found a little elsewhere."""
    b, s, p, _ = points.shape
    turn = torch.randn(b, s, 3, generator=generator) * torch.pi / 180 * how.frame_deg
    zero = torch.zeros(b, s)
    x, y, z = turn.unbind(-1)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).view(b, s, 3, 3)
    rotation = torch.matrix_exp(skew).transpose(-1, -2)
    shift = torch.randn(b, s, 1, 3, generator=generator) * how.frame_mm
    at = points[..., :3] @ rotation + shift + torch.randn(b, s, p, 3, generator=generator) * how.point_mm
    return torch.cat([at, points[..., 3:] @ rotation], dim=-1)
