"""PointNet (Qi 2017, doi 10.1109/CVPR.2017.16): every point by itself, through the same small network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from face3d.learn.networks.raw_points import SCALE_MM, RawPointGrader


class PointNet(RawPointGrader):
    """Position and normal of each point, gathered around places instead of over the whole cloud."""

    def __init__(self, width: int = 32, count: int = 512, **size: float) -> None:
        super().__init__(width, count, **size)  # type: ignore[arg-type]
        self.each = nn.Sequential(
            nn.Linear(6, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
        )

    def encode(self, points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
        return points, self.each(torch.cat([points / SCALE_MM, normals], dim=-1))
