"""PointNet++ with multi-scale grouping (Qi 2017, arXiv 1706.02413), of torch-geometric's `PointNetConv`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.nn import PointNetConv

from face3d.learn.point_networks.raw_points import FEATURES, RawPointGrader


class PointNet2(RawPointGrader):
    """Each place is the centre of neighbourhoods of each of `scales` points, and of its whole patch."""

    def __init__(self, width: int = 32, scales: Sequence[int] = (6,), **size: float) -> None:
        super().__init__(width, **size)  # type: ignore[arg-type]
        self.scales = (*scales, self.near)
        self.groups = nn.ModuleList(
            PointNetConv(
                nn.Sequential(nn.Linear(FEATURES, width), nn.GELU(), nn.Linear(width, width)), add_self_loops=False
            )
            for _ in self.scales
        )
        self.join = nn.Sequential(nn.GELU(), nn.Linear(width * len(self.scales), width))

    def encode(self, x: Tensor, there: Tensor) -> Tensor:
        """(N, D) of patches, as in `RawPointGrader`."""
        n, k, _ = x.shape
        patch = torch.arange(n, device=x.device)[:, None].expand(n, k)
        point = torch.arange(n * k, device=x.device).view(n, k)
        middle = x.new_zeros(n, 3)
        said = []
        for group, scale in zip(self.groups, self.scales, strict=True):
            use = there[:, :scale]
            graph = torch.stack([point[:, :scale][use], patch[:, :scale][use]])
            said.append(group((x[..., 3:].flatten(0, 1), None), (x[..., :3].flatten(0, 1), middle), graph))
        return self.join(torch.cat(said, dim=-1))
