"""PointNet (Qi 2017, doi 10.1109/CVPR.2017.16): every point by itself, through the same small network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from face3d.learn.point_networks.raw_points import FEATURES, RawPointGrader


class PointNet(RawPointGrader):
    """The largest and the mean of what the points of a patch say."""

    def __init__(self, width: int = 32, **size: float) -> None:
        super().__init__(width, **size)  # type: ignore[arg-type]
        self.each = nn.Sequential(nn.Linear(FEATURES, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.join = nn.Linear(2 * width, width)

    def encode(self, x: Tensor, there: Tensor) -> Tensor:
        """(N, D) of patches, as in `RawPointGrader`."""
        said = self.each(x) * there[..., None]  # GELU: nearly nothing below 0
        mean = said.sum(1) / there.sum(1, keepdim=True).clamp_min(1)
        return self.join(torch.cat([said.amax(1), mean], dim=-1))
