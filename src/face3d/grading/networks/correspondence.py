"""The network on the template's grid: halves of the face, paired node by node, and attention between their regions.

The 3D counterpart of region-parallel (Liu 2020) and unit-relation networks (ALGRNet 2022). Each half is encoded by the
same weights from what itself did, what the other half did (as a mirror shows it) and how the two differ at rest, so
that the mirror image of a patient gets the mirrored answer exactly.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from face3d.grading.example import MOVEMENTS
from face3d.grading.grid import MARKS, Grid, grid_of
from face3d.grading.heads import Grader
from face3d.grading.networks.attention import Attention, AxialBlock
from face3d.grading.networks.batch import Batch
from face3d.reference.scales import REGIONS
from face3d.template.template import FaceTemplate

#: mm that count as 1 inside the network.
MOVE_MM, PLACE_MM = 5.0, 60.0
#: mm below which a movement says nothing about its share of the other side's.
QUIET_MM = 0.5


class CorrespondenceNetwork(Grader):
    """`forward(batch)` as `batch_of` makes it. About 80,000 weights at `width` 32.

    Tokens: one for each region of the template and expression, from the nodes and landmarks that lie there, and, when
    `units` says how many movement units the fit has, one for those of each expression. Expressions are a set: missing
    ones are not looked at.
    """

    halves: Tensor
    mark_halves: Tensor
    places: Tensor
    mark_places: Tensor
    regions: Tensor
    mark_regions: Tensor
    flip: Tensor

    def __init__(self, width: int = 32, layers: int = 2, heads: int = 4, dropout: float = 0.1, units: int = 0) -> None:
        super().__init__(width, dropout)
        template = FaceTemplate.load()
        grid = grid_of(template)
        self._constants(grid, template)
        self.uses = ("rest", "moves", "marks", "mark_moves", *(["units"] if units else []), "shown")
        e, r = len(MOVEMENTS), len(grid.region_names)
        self.node = nn.Linear(14, width)
        self.node_expression = nn.Embedding(e, width)
        self.node_out = nn.Sequential(nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.mark = nn.Linear(14, width)
        self.mark_out = nn.Sequential(nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.token = nn.Sequential(nn.Linear(2 * width + 12, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.unit = None
        if units:
            self.unit = nn.Sequential(
                nn.Linear(4 * units, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width)
            )
        self.region_name = nn.Parameter(torch.randn(r + (units > 0), width) * 0.1)
        self.expression_name = nn.Parameter(torch.randn(e, 1, width) * 0.1)
        self.blocks = nn.ModuleList(AxialBlock(width, heads, dropout) for _ in range(layers))
        self.query = nn.Parameter(torch.randn(len(REGIONS) + 1, width) * 0.3)
        self.norm, self.gather = nn.LayerNorm(width), Attention(width, heads)
        self.after = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def _constants(self, grid: Grid, template: FaceTemplate) -> None:
        """The grid as buffers: they follow from the template and are not stored with the weights."""
        k, n = grid.pairs, len(grid.nodes)
        middle = np.arange(2 * k, n)
        left, right = np.r_[np.arange(k), middle], np.r_[np.arange(k, 2 * k), middle]
        codes = sum(name.endswith("_left") for name in MARKS)
        line = np.arange(2 * codes, len(MARKS))
        mark_left, mark_right = np.r_[np.arange(codes), line], np.r_[np.arange(codes, 2 * codes), line]
        at = template.landmark_points(template.vertices)
        marks = np.array([at[name] for name in MARKS])
        weights = []
        for name in MARKS:
            ids, share = template.landmarks[name]
            weights.append(
                [
                    share @ (template.regions[f"{r}_left"] + template.regions[f"{r}_right"])[ids]
                    for r in grid.region_names
                ]
            )
        constants = {
            "halves": np.stack([left, right]),
            "mark_halves": np.stack([mark_left, mark_right]),
            "places": grid.positions[left] / PLACE_MM,
            "mark_places": marks[mark_left] / PLACE_MM,
            "regions": grid.regions[left],
            "mark_regions": np.array(weights)[mark_left],
            "flip": np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]]),
        }
        for name, value in constants.items():
            whole = value.dtype.kind == "i"
            self.register_buffer(
                name, torch.tensor(value, dtype=torch.long if whole else torch.float32), persistent=False
            )

    def seen(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """As in `Grader`: from the movements of grid nodes and of landmarks, expression by expression."""
        rest = self._rest(batch["rest"], batch["rest_known"], self.halves)
        mark_rest = self._rest(batch["marks"], batch["marks_known"], self.mark_halves)
        own, known = self._own(batch["moves"], batch["moves_known"], self.halves)
        mark_own, mark_known = self._own(batch["mark_moves"], batch["mark_moves_known"], self.mark_halves)
        named = self.node_expression.weight[:, None]
        nodes, said = _pooled(
            self.node_out(self.node(_features(own, known, rest, self.places)) + named), own, known, self.regions
        )
        marks, mark_said = _pooled(
            self.mark_out(self.mark(_features(mark_own, mark_known, mark_rest, self.mark_places)) + named),
            mark_own,
            mark_known,
            self.mark_regions,
        )
        tokens = self.token(torch.cat([nodes, marks, said, mark_said], dim=-1))  # (B, 2, E, R, D)
        shown = batch["shown"][:, 1:]
        moved = (known & known.flip(1)).any(-1) & shown[:, None]
        there = moved[..., None].expand(tokens.shape[:-1])
        if self.unit is not None:
            own = batch["units"].permute(0, 3, 1, 2)  # (B, 2, 1 + E, U)
            pair = torch.cat([own, own.flip(1)], dim=-1)
            said = self.unit(torch.cat([pair[:, :, 1:], pair[:, :, :1].expand_as(pair[:, :, 1:])], dim=-1))
            tokens = torch.cat([tokens, said[..., None, :]], dim=-2)
            fitted = (batch["units_known"][:, 1:] & shown)[:, None].expand_as(moved)
            there = torch.cat([there, fitted[..., None]], dim=-1)
        tokens = tokens + self.region_name + self.expression_name
        b = tokens.shape[0]
        x, there = tokens.flatten(0, 1), there.flatten(0, 1)  # halves are exams of their own from here on
        for block in self.blocks:
            x = block(x, there)
        x = self.norm(x.flatten(1, 2))
        seen = self.query + self.gather(self.query.expand(x.shape[0], -1, -1), x, there.flatten(1))
        seen = (seen + self.after(seen)).unflatten(0, (b, 2))
        return seen[:, :, :-1], seen[:, :, -1]

    def _own(self, moves: Tensor, known: Tensor, halves: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 2, E, H, 3) what each half did, the right one mirrored, and (B, 2, E, H) where it is known."""
        own = torch.stack([moves[:, :, halves[s]] * self.flip[s] for s in (0, 1)], dim=1) / MOVE_MM
        return own, torch.stack([known[:, :, halves[s]] for s in (0, 1)], dim=1)

    def _rest(self, rest: Tensor, known: Tensor, halves: Tensor) -> Tensor:
        """(B, 2, H, 3) how each half differs from the mirrored other one at rest; 0 where one is not known."""
        own = torch.stack([rest[:, halves[s]] * self.flip[s] for s in (0, 1)], dim=1)
        both = known[:, halves[0]] & known[:, halves[1]]
        return (own - own.flip(1)) * both[:, None, :, None] / MOVE_MM


def _features(own: Tensor, known: Tensor, rest: Tensor, places: Tensor) -> Tensor:
    """(B, 2, E, H, 14): own movement, the other side's, asymmetry at rest, place, and which of the two are known."""
    e = own.shape[2]
    still = torch.cat([rest, places.expand_as(rest)], dim=-1)[:, :, None].expand(-1, -1, e, -1, -1)
    seen = torch.stack([known, known.flip(1)], dim=-1).to(own.dtype)
    return torch.cat([own, own.flip(1), still, seen], dim=-1)


def _pooled(features: Tensor, own: Tensor, known: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 2, E, R, D) means over each region of what both sides show, and (B, 2, E, R, 6) what can be said without
    learning: the half's movement along the other's as a share of it, and the other way round, the size of both, how
    alike their directions are, and the share of the region that is known."""
    both = (known & known.flip(1)).to(own.dtype)
    weight = both[..., None] * regions  # (B, 2, E, H, R)
    total = weight.sum(-2)
    weight = (weight / total.clamp_min(1e-3)[..., None, :]).transpose(-1, -2)
    other = own.flip(1)
    a, h, ah = ((weight @ x.sum(-1, keepdim=True)).squeeze(-1) for x in (own * own, other * other, own * other))
    quiet = (QUIET_MM / MOVE_MM) ** 2
    said = torch.stack(
        [
            (ah / (h + quiet)).clamp(-1, 2),
            (ah / (a + quiet)).clamp(-1, 2),
            (a + quiet).log() / 4,
            (h + quiet).log() / 4,
            ah / (a * h + quiet**2).sqrt(),
            total / regions.sum(0).clamp_min(1e-3),
        ],
        dim=-1,
    )
    return weight @ features, said
