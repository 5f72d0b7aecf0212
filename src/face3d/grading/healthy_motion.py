"""The networks of `grading.temporal`: one side's movement, predicted from the other's by what healthy people do."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from face3d.grading.ways import MADE, PLACES
from face3d.scan import Floats

#: Instants on either side that a prediction hears: half a second at 15 a second.
REACH = 7
_R = len(PLACES)


class Predictor(nn.Module):
    """Ways of one side (B, 3R, T), in units of the person's amplitude -> mean and log SD of the other side's, mirrored.

    What is learned is the departure from the mirror image."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3 * _R
        for dilation in (1, 2, 4):
            layers += [nn.Conv1d(channels, width, 3, padding=dilation, dilation=dilation), nn.GELU()]
            channels = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Conv1d(width, 6 * _R, 1)
        for untaught in self.head.parameters():
            nn.init.zeros_(untaught)

    def forward(self, ways: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3R, T) each."""
        mean, log_sd = self.head(self.body(ways)).chunk(2, dim=1)
        return ways + mean, (log_sd - 1.5).clamp(-5.0, 3.0)


class HealthyMotion(nn.Module):
    """Several predictors, heard together, and the healthy ranges: `limits` (R,) of anomaly; of the E expressions
    `toward` (E, R, 3) the direction in which healthy people move, `low`, `high` (E, R) mm; `spread` what the standard
    error of a missing share is multiplied by."""

    limits: Tensor
    toward: Tensor
    low: Tensor
    high: Tensor
    spread: Tensor

    def __init__(self, members: int = 4, width: int = 48) -> None:
        super().__init__()
        self.members = nn.ModuleList(Predictor(width) for _ in range(members))
        e = len(MADE)
        for name, shape in (("limits", (_R,)), ("toward", (e, _R, 3)), ("low", (e, _R)), ("high", (e, _R))):
            self.register_buffer(name, torch.ones(shape))
        self.register_buffer("spread", torch.ones(()))

    @torch.inference_mode()
    def predict(self, ways: Floats, members: tuple[int, ...] | None = None) -> tuple[Floats, Floats, float]:
        """Of ways (T, 2, R, 3) mm: mean and SD (T, 2, R, 3) mm of each side by the other's, NaN where the other is not
        known for half a second around; and the person's amplitude, mm. `members`: only these are heard."""
        scale = amplitude(ways)
        given = torch.from_numpy(inputs(ways, scale)).float()
        said = [self.members[k](given) for k in (members or range(len(self.members)))]
        mean = torch.stack([m for m, _ in said]).mean(dim=0)
        # Members that disagree are unsure.
        variance = torch.stack([(2 * s).exp() + (m - mean) ** 2 for m, s in said]).mean(dim=0)
        out = []
        unknown = ~_heard(ways)[:, ::-1]
        for value in (mean, variance.sqrt()):
            mm = value.double().numpy().transpose(2, 0, 1).reshape(len(ways), 2, _R, 3)[:, ::-1] * max(scale, 1e-9)
            mm = np.ascontiguousarray(mm)
            mm[unknown] = np.nan
            out.append(mm)
        return out[0], out[1], scale


def amplitude(ways: Floats) -> float:
    """mm: RMS over time and regions of the side that moves more. The weak side tells nothing of a person's size of
    movement."""
    known = np.isfinite(ways)
    squares = np.where(known, ways, 0.0) ** 2
    count = np.maximum(known.sum(axis=(0, 2, 3)), 1)
    return float(np.sqrt(3 * squares.sum(axis=(0, 2, 3)) / count).max())


def inputs(ways: Floats, scale: float) -> Floats:
    """(2, 3R, T) in units of the amplitude; what is unknown is 0."""
    at = np.where(np.isfinite(ways), ways, 0.0) / max(scale, 1e-9)
    return np.ascontiguousarray(at.transpose(1, 2, 3, 0).reshape(2, 3 * _R, len(ways)))


def _heard(ways: Floats) -> np.ndarray:
    """(T, 2) bool: all regions of a side are known at each instant within reach; beyond the ends it is rest."""
    gap = np.asarray(~np.isfinite(ways).all(axis=(2, 3)))
    near = np.ones(2 * REACH + 1)
    return np.stack([np.convolve(gap[:, k], near, "full")[REACH : REACH + len(gap)] < 0.5 for k in range(2)], axis=1)
