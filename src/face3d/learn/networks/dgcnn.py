"""DGCNN (Wang 2019, doi 10.1145/3326362): edges to neighbours, first in space, then among features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import EdgeConv

from face3d.learn.graphs import edges, nearest
from face3d.learn.networks.raw_points import SCALE_MM, RawPointGrader


class DGCNN(RawPointGrader):
    """torch-geometric's `EdgeConv` on graphs of our own: `neighbours` in space, then as many in feature space."""

    def __init__(self, width: int = 32, count: int = 256, neighbours: int = 8, **size: float) -> None:
        super().__init__(width, count, **size)  # type: ignore[arg-type]
        self.neighbours = neighbours
        self.first = EdgeConv(nn.Sequential(nn.Linear(12, width), nn.GELU(), nn.Linear(width, width)))
        self.second = EdgeConv(nn.Sequential(nn.Linear(2 * width, width), nn.GELU()))
        self.join = nn.Linear(2 * width, width)

    def encode(self, points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
        m, p, _ = points.shape
        x = torch.cat([points / SCALE_MM, normals], dim=-1)
        one = self.first(x.flatten(0, 1), edges(nearest(points, points, self.neighbours), p))
        own = one.view(m, p, -1)
        two = self.second(one, edges(nearest(own, own, self.neighbours), p))
        return points, self.join(torch.cat([one, two], dim=-1)).view(m, p, -1)
