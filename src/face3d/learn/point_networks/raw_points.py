"""What the networks on raw points share: all but the encoder of a patch of points.

Nothing is fitted. Expressions lie on rest (`raw_scans`); the landmarks found at rest say where to look, in
all scans of the exam alike: the points around each such place make a patch, in coordinates of its own, and each point
of it knows how far it is off the rest face. A subclass encodes patches. The face is seen twice by the same weights, as
it is and in the mirror: once for each side, which makes the answer to the mirrored patient the mirrored answer.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from face3d.grading.example import MOVEMENTS, POINTS
from face3d.grading.grid import MARKS
from face3d.grading.heads import Grader
from face3d.grading.networks.attention import Attention, AxialBlock
from face3d.grading.networks.batch import Batch
from face3d.learn.point_networks.graphs import nearest
from face3d.reference.scales import REGIONS
from face3d.template.template import FaceTemplate

#: Place -> landmarks (of one side, or of the midline) and their weights: what landmarks span, and skin between them.
PLACES: tuple[Mapping[str, float], ...] = (
    *({code: 1.0} for code in ("mb", "sci", "lb", "ps", "pi", "ex", "al", "ac", "ch", "cph", "ls", "li", "pg")),
    {"mb": 2.0, "en": -1.0},
    {"sci": 2.0, "ps": -1.0},
    {"g": 1.6, "n": -0.6},  # forehead
    {"mb": 0.5, "en": 0.5},
    {"pi": 0.7, "ch": 0.3},
    {"ex": 0.4, "ch": 0.4, "al": 0.2},
    {"al": 0.5, "ch": 0.5},
    {"ch": 0.5, "li": 0.5},
    {"ch": 0.6, "pg": 0.4},
)
#: mm that count as 1: across a patch, along its normals, of landmarks; and how far a patch reaches.
ACROSS_MM, OFF_MM, MOVE_MM, PATCH_MM = 8.0, 2.0, 5.0, 18.0
#: Share of places that are not looked at while learning, so that no single one is relied on.
UNSEEN = 0.15
#: What a point of a patch knows: place in it, normal, distance off the rest face, change of the normal.
FEATURES = 10


class RawPointGrader(Grader):
    """`encode(x, there)` of a subclass: features (N, K, `FEATURES`) of the points of N patches, the nearest to the
    middle first, of which only those `there` (N, K) count, to (N, width); positions are the first three.

    `count` points of each scan are used: the first ones, which are evenly spread, and while learning any; `near` make
    a patch.
    """

    weights: Tensor
    halves: Tensor
    usual: Tensor
    flip: Tensor
    uses = ("points", "marks", "mark_moves", "shown")

    def __init__(
        self, width: int = 32, count: int = 700, near: int = 16, layers: int = 2, heads: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__(width, dropout)
        if not near <= count <= POINTS:
            raise TypeError(f"count = {count}; expected {near} to {POINTS} points a scan")
        self.count, self.near = count, near
        self._constants()
        self.token = nn.Sequential(nn.Linear(4 * width + 24, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.place_name = nn.Parameter(torch.randn(len(PLACES), width) * 0.1)
        self.expression_name = nn.Parameter(torch.randn(len(MOVEMENTS), 1, width) * 0.1)
        self.blocks = nn.ModuleList(AxialBlock(width, heads, dropout) for _ in range(layers))
        self.query = nn.Parameter(torch.randn(len(REGIONS) + 1, width) * 0.3)
        self.norm, self.gather = nn.LayerNorm(width), Attention(width, heads)
        self.after = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def _constants(self) -> None:
        codes = [name.removesuffix("_left") for name in MARKS if not name.endswith("_right")]
        left = [k for k, name in enumerate(MARKS) if not name.endswith("_right")]
        right = [MARKS.index(MARKS[k].replace("_left", "_right")) for k in left]
        template = FaceTemplate.load()
        at = template.landmark_points(template.vertices)
        constants = {
            "weights": np.array([[place.get(code, 0.0) for code in codes] for place in PLACES]),
            "usual": np.array([at[name] for name in MARKS]),
            "flip": np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]]),
        }
        for name, value in constants.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32), persistent=False)
        self.register_buffer("halves", torch.tensor([left, right]), persistent=False)

    def encode(self, x: Tensor, there: Tensor) -> Tensor:
        """`x` (N, K, FEATURES): K points of each of N patches, of which those `there` (N, K) count -> (N, D)."""
        raise NotImplementedError

    def seen(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """As in `Grader`: from the points near each place in every scan."""
        x, near = self.patches(batch)  # (B, 2, S, R, K, ...)
        b, _, s, r, _, _ = x.shape
        said = self.encode(x.flatten(0, 3), near.flatten(0, 3)).view(b, 2, s, r, -1)
        moved, shift = self._moved(x, near), self._landmarks(batch)
        rest, said = said[:, :, :1].expand_as(said[:, :, 1:]), said[:, :, 1:]
        tokens = torch.cat([said, said.flip(1), rest, rest.flip(1), *_both(moved), *_both(shift)], dim=-1)
        tokens = self.token(tokens) + self.place_name + self.expression_name
        there = batch["shown"][:, None, 1:, None].expand(-1, 2, -1, r)
        if self.training:
            there = there & (torch.rand(b, 1, 1, r, device=there.device) > UNSEEN)
        x, there = tokens.flatten(0, 1), there.flatten(0, 1)
        for block in self.blocks:
            x = block(x, there)
        x = self.norm(x.flatten(1, 2))
        seen = self.query + self.gather(self.query.expand(len(x), -1, -1), x, there.flatten(1))
        seen = (seen + self.after(seen)).unflatten(0, (b, 2))
        return seen[:, :, :-1], seen[:, :, -1]

    def _sides(self, marks: Tensor) -> Tensor:
        """(B, 2, ..., R, 3) of landmarks (B, ..., L, 3), or their movements: places on each side, one mirrored."""
        return torch.stack([self.weights @ (marks[..., self.halves[s], :] * self.flip[s]) for s in (0, 1)], dim=1)

    def patches(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, 2, S, R, K, FEATURES) and (B, 2, S, R, K) which of them lie near enough."""
        marks = torch.where(batch["marks_known"][..., None], batch["marks"], self.usual)
        places = self._sides(marks)[:, :, None]  # (B, 2, 1, R, 3)
        points = batch["points"]
        which = torch.randperm(points.shape[2])[: self.count].sort().values if self.training else slice(self.count)
        points = points[:, None, :, which]
        points = torch.cat([points * self.flip[s].tile(2) for s in (0, 1)], dim=1)  # (B, 2, S, P, 6)
        b, _, s, p, _ = points.shape
        r, k = len(PLACES), self.near
        with torch.no_grad():
            at = places.expand(-1, -1, s, -1, -1).reshape(-1, r, 3)
            which = nearest(at, points.reshape(-1, p, 6)[..., :3], k).view(b, 2, s, r * k, 1)
        patch = points.gather(3, which.expand(-1, -1, -1, -1, 6)).view(b, 2, s, r, k, 6)
        patch = torch.cat([patch[..., :3] - places[..., None, :], patch[..., 3:]], dim=-1)
        rest = patch[:, :, :1].expand_as(patch).reshape(-1, k, 6)
        own = patch.reshape(-1, k, 6)
        with torch.no_grad():
            below = torch.cdist(own[..., :3], rest[..., :3]).argmin(-1, keepdim=True)
        under = rest.gather(1, below.expand(-1, -1, 6))
        off = ((own - under)[..., :3] * under[..., 3:]).sum(-1, keepdim=True) / OFF_MM
        turned = 3 * (own - under)[..., 3:]
        near = own[..., :3].square().sum(-1) < PATCH_MM**2
        beneath = near & (under[..., :3].square().sum(-1) < PATCH_MM**2)
        change = torch.cat([off.clamp(-4, 4), turned], dim=-1) * beneath[..., None]
        x = torch.cat([own[..., :3] / ACROSS_MM, own[..., 3:], change], dim=-1) * near[..., None]
        return x.view(b, 2, s, r, k, -1), near.view(b, 2, s, r, k)

    def _moved(self, x: Tensor, near: Tensor) -> Tensor:
        """(B, 2, E, R, 4) mean distance off rest and mean change of the normals over each patch."""
        x, near = x[:, :, 1:], near[:, :, 1:, ..., None].to(x.dtype)
        return (x[..., 6:] * near).sum(-2) / near.sum(-2).clamp_min(1.0)

    def _landmarks(self, batch: Batch) -> Tensor:
        """(B, 2, E, R, 3) what the landmarks that span each place did."""
        return self._sides(batch["mark_moves"]) / MOVE_MM


def _both(own: Tensor) -> list[Tensor]:
    """What a side did and the other did (..., D), and (..., 5) how one compares with the other: as a share,
    and how large both are."""
    other = own.flip(1)
    a, h, ah = ((x * y).sum(-1, keepdim=True) for x, y in ((own, own), (other, other), (own, other)))
    quiet = 0.01
    shares = [(ah / (h + quiet)).clamp(-1, 2), (ah / (a + quiet)).clamp(-1, 2)]
    return [own, other, *shares, (a + quiet).log() / 4, (h + quiet).log() / 4, ah / (a * h + quiet**2).sqrt()]


def apart(at: Tensor, there: Tensor) -> Tensor:
    """Positions (N, K, D), with points that are not `there` (N, K) so far away that nobody who has neighbours enough
    is told of them."""
    return torch.where(there[..., None], at, 1e3)
