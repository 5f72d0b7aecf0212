"""What the networks on raw points share: all but the encoder of a single scan.

Nothing is fitted. Each scan comes in the head frame that its landmarks give; an encoder makes features of its points,
which are gathered around places that are fixed in that frame, the same in every scan, so that an expression can be
compared with rest place by place. The face is seen twice by the same weights, as it is and in the mirror: once for
each side, which makes the answer to the mirrored patient the mirrored answer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from face3d.learn.examples import MOVEMENTS, POINTS
from face3d.learn.grid import grid_of
from face3d.learn.heads import Grader
from face3d.learn.networks.attention import Attention, AxialBlock
from face3d.learn.networks.batch import Batch
from face3d.learn.points import farthest_points
from face3d.scales import REGIONS
from face3d.template import FaceTemplate

#: Places, and how far around each (mm, SD) features are gathered.
PLACES, AROUND_MM = 28, 7.0
#: mm that count as 1 inside the network.
SCALE_MM = 50.0
#: Places lie in front of this z, mm: further back the face is seldom seen.
FRONT_MM = -45.0


class RawPointGrader(Grader):
    """`encode(points, normals)`, both (M, P, 3), of a subclass gives positions (M, Q, 3) mm and features (M, Q, width).

    `count` points of each scan are used: the first ones, which are evenly spread (`farthest_points`).
    """

    places: Tensor
    uses = ("points", "shown")

    def __init__(
        self, width: int = 32, count: int = 512, layers: int = 2, heads: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__(width, dropout)
        if not 1 <= count <= POINTS:
            raise TypeError(f"count = {count}; expected 1 to {POINTS} points a scan")
        self.count = count
        at = grid_of(FaceTemplate.load()).positions
        # The left half and the midline: the right half is looked at in the mirror.
        at = at[(at[:, 2] > FRONT_MM) & (at[:, 0] > -1.0)]
        chosen = at[farthest_points(at, PLACES, int(at[:, 2].argmax()))]
        self.register_buffer("places", torch.tensor(chosen, dtype=torch.float32), persistent=False)
        self.token = nn.Sequential(nn.Linear(4 * (width + 7), 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.place_name = nn.Parameter(torch.randn(PLACES, width) * 0.1)
        self.expression_name = nn.Parameter(torch.randn(len(MOVEMENTS), 1, width) * 0.1)
        self.blocks = nn.ModuleList(AxialBlock(width, heads, dropout) for _ in range(layers))
        self.query = nn.Parameter(torch.randn(len(REGIONS) + 1, width) * 0.3)
        self.norm, self.gather = nn.LayerNorm(width), Attention(width, heads)
        self.after = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def encode(self, points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def seen(self, batch: Batch) -> tuple[Tensor, Tensor]:
        points = batch["points"][:, :, : self.count]
        b, s, p, _ = points.shape
        flip = points.new_tensor([[1.0, 1, 1, 1, 1, 1], [-1, 1, 1, -1, 1, 1]])
        sides = (points[:, None] * flip[None, :, None, None]).reshape(b * 2 * s, p, 6)
        at, features = self.encode(sides[..., :3], sides[..., 3:])
        gathered = self._around(at, features, sides).unflatten(0, (b, 2, s))
        rest, moved = gathered[:, :, :1].expand_as(gathered[:, :, 1:]), gathered[:, :, 1:]
        # What lies a little beside a place at rest lies a little beside it in expression: the difference says most.
        # The other half at the same place is what the mirror shows there.
        moved = moved - rest
        tokens = self.token(torch.cat([moved, moved.flip(1), rest, rest.flip(1)], dim=-1))
        tokens = tokens + self.place_name + self.expression_name
        there = batch["shown"][:, None, 1:, None].expand(-1, 2, -1, PLACES)
        x, there = tokens.flatten(0, 1), there.flatten(0, 1)
        for block in self.blocks:
            x = block(x, there)
        x = self.norm(x.flatten(1, 2))
        seen = self.query + self.gather(self.query.expand(len(x), -1, -1), x, there.flatten(1))
        seen = (seen + self.after(seen)).unflatten(0, (b, 2))
        return seen[:, :, :-1], seen[:, :, -1]

    def _around(self, at: Tensor, features: Tensor, points: Tensor) -> Tensor:
        """(M, PLACES, width + 7) weighted means of features around each place, and of all points the mean offset from
        the place (in units of its reach), the mean normal, and how much lies there."""
        own = torch.cat([points[..., :3] / AROUND_MM, points[..., 3:]], dim=-1)
        one, shares = [], []
        for position, value in ((at, features), (points[..., :3], own)):
            near = torch.exp(
                -torch.cdist(self.places.expand(len(position), -1, -1), position).square() / (2 * AROUND_MM**2)
            )
            total = near.sum(-1, keepdim=True)
            one.append((near / total.clamp_min(1e-3)) @ value)
            shares.append(total)
        offset = one[1][..., :3] - self.places / AROUND_MM * (shares[1] > 1e-3)
        amount = shares[1].clamp_min(1e-3).log() / 4
        return torch.cat([one[0], offset, one[1][..., 3:], amount], dim=-1)
