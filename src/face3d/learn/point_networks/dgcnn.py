"""DGCNN (Wang 2019, doi 10.1145/3326362): edges to neighbours, first in space, then among features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import EdgeConv

from face3d.learn.point_networks.graphs import edges, nearest
from face3d.learn.point_networks.raw_points import FEATURES, RawPointGrader, apart


class DGCNN(RawPointGrader):
    """torch-geometric's `EdgeConv` on graphs of our own, patch by patch: `neighbours` in space, then as many among
    features, of `inner` channels; then the largest and the mean over the patch."""

    def __init__(self, width: int = 32, near: int = 12, neighbours: int = 4, inner: int = 16, **size: float) -> None:
        super().__init__(width, near=near, **size)  # type: ignore[arg-type]
        self.neighbours = neighbours
        self.first = EdgeConv(nn.Sequential(nn.Linear(2 * FEATURES, inner), nn.GELU()))
        self.second = EdgeConv(nn.Sequential(nn.Linear(2 * inner, inner), nn.GELU()))
        self.join = nn.Linear(4 * inner, width)

    def encode(self, x: Tensor, there: Tensor) -> Tensor:
        """(N, D) of patches, as in `RawPointGrader`."""
        n, k, _ = x.shape
        one = self.first(x.flatten(0, 1), self._graph(x[..., :3], there))
        two = self.second(one, self._graph(one.view(n, k, -1), there))
        said = torch.cat([one, two], dim=-1).view(n, k, -1) * there[..., None]  # GELU: nearly nothing below 0
        mean = said.sum(1) / there.sum(1, keepdim=True).clamp_min(1)
        return self.join(torch.cat([said.amax(1), mean], dim=-1))

    def _graph(self, at: Tensor, there: Tensor) -> Tensor:
        at = apart(at.detach(), there)
        return edges(nearest(at, at, self.neighbours), at.shape[1])
