"""Point transformer (Zhao 2021, doi 10.1109/ICCV48922.2021.01595): attention among neighbours, by relative place."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import PointTransformerConv

from face3d.learn.point_networks.graphs import edges, nearest
from face3d.learn.point_networks.raw_points import FEATURES, RawPointGrader, apart


class PointTransformer(RawPointGrader):
    """torch-geometric's `PointTransformerConv` on graphs of our own, of `inner` channels: each point of a patch looks
    at its `neighbours`, then the middle of the patch at all of it."""

    def __init__(self, width: int = 32, near: int = 12, neighbours: int = 4, inner: int = 16, **size: float) -> None:
        super().__init__(width, near=near, **size)  # type: ignore[arg-type]
        self.neighbours = neighbours
        self.start = nn.Sequential(nn.Linear(FEATURES, inner), nn.GELU(), nn.Linear(inner, inner))
        self.among, self.over = (
            PointTransformerConv(
                inner,
                inner,
                nn.Sequential(nn.Linear(3, inner), nn.GELU()),
                nn.Linear(inner, inner),
                add_self_loops=False,
            )
            for _ in range(2)
        )
        self.join = nn.Linear(2 * inner, width)

    def encode(self, x: Tensor, there: Tensor) -> Tensor:
        """(N, D) of patches, as in `RawPointGrader`."""
        n, k, _ = x.shape
        at, seen = x[..., :3], self.start(x).flatten(0, 1)
        far = apart(at, there)
        graph = edges(nearest(far, far, self.neighbours), k)
        seen = seen + nn.functional.gelu(self.among(seen, at.flatten(0, 1), graph))
        said = seen.view(n, k, -1) * there[..., None]
        mean = said.sum(1) / there.sum(1, keepdim=True).clamp_min(1)
        patch = torch.arange(n, device=x.device)[:, None].expand(n, k)
        graph = torch.stack([torch.arange(n * k, device=x.device).view(n, k)[there], patch[there]])
        over = self.over((seen, mean), (at.flatten(0, 1), x.new_zeros(n, 3)), graph)
        return self.join(torch.cat([mean, over], dim=-1))
