"""Point transformer (Zhao 2021, doi 10.1109/ICCV48922.2021.01595): attention among neighbours, by relative place."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import PointTransformerConv

from face3d.learn.graphs import edges, nearest
from face3d.learn.networks.raw_points import SCALE_MM, RawPointGrader


class PointTransformer(RawPointGrader):
    """torch-geometric's `PointTransformerConv` on graphs of our own, twice."""

    def __init__(self, width: int = 32, count: int = 256, neighbours: int = 8, **size: float) -> None:
        super().__init__(width, count, **size)  # type: ignore[arg-type]
        self.neighbours = neighbours
        self.start = nn.Linear(6, width)
        self.layers = nn.ModuleList(
            PointTransformerConv(
                width, width, nn.Sequential(nn.Linear(3, width), nn.GELU(), nn.Linear(width, width)),
                nn.Linear(width, width), add_self_loops=False,
            )
            for _ in range(2)
        )  # fmt: skip

    def encode(self, points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
        m, p, _ = points.shape
        x = self.start(torch.cat([points / SCALE_MM, normals], dim=-1)).flatten(0, 1)
        graph = edges(nearest(points, points, self.neighbours), p)
        for layer in self.layers:
            x = x + nn.functional.gelu(layer(x, points.flatten(0, 1) / SCALE_MM * 4, graph))
        return points, x.view(m, p, -1)
