"""PointNet++ with multi-scale grouping (Qi 2017, arXiv 1706.02413), of torch-geometric's `PointNetConv`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import PointNetConv

from face3d.learn.graphs import edges, nearest
from face3d.learn.networks.raw_points import SCALE_MM, RawPointGrader


class PointNet2(RawPointGrader):
    """Around each of `centres` points (the first ones: evenly spread) neighbourhoods of each of `scales` points."""

    def __init__(
        self, width: int = 32, count: int = 512, centres: int = 128, scales: tuple[int, ...] = (8, 24), **size: float
    ) -> None:
        super().__init__(width, count, **size)  # type: ignore[arg-type]
        self.centres, self.scales = centres, tuple(scales)
        self.groups = nn.ModuleList(
            PointNetConv(nn.Sequential(nn.Linear(6, width), nn.GELU(), nn.Linear(width, width)), add_self_loops=False)
            for _ in scales
        )
        self.join = nn.Sequential(nn.Linear(width * len(scales) + 6, width), nn.GELU(), nn.Linear(width, width))

    def encode(self, points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
        m, p, _ = points.shape
        at, own = points[:, : self.centres], normals[:, : self.centres]
        near = nearest(at, points, max(self.scales))
        flat = points.reshape(-1, 3) / SCALE_MM * 4, at.reshape(-1, 3) / SCALE_MM * 4
        said = [
            group((normals.reshape(-1, 3), None), flat, edges(near[..., :k], p))
            for group, k in zip(self.groups, self.scales, strict=True)
        ]
        features = [s.view(m, self.centres, -1) for s in said]
        return at, self.join(torch.cat([*features, at / SCALE_MM, own], dim=-1))
