"""Exams as pictures, for networks over images: movement and asymmetry drawn in the template's frontal chart.

The 3D counterpart of the published networks over photographs. A picture's pixel is a place on the template, the same
on every face; the weaker side lies on the left of every picture, so that mirror images give the same pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from face3d.grading.example import MOVEMENTS, Example
from face3d.grading.grid import Grid, grid_of
from face3d.learn.features import side_moving_less
from face3d.scan import Floats
from face3d.template.template import FaceTemplate

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Pixels a side. Of 6 mm: the grid's nodes are 7 mm apart.
SIZE = 32
#: Movement x, y, z; asymmetry x, y, z (movement minus its mirror image); 1 where both were seen. In cm.
CHANNELS = 7
_FLIP = np.array([-1.0, 1.0, 1.0])


@lru_cache(maxsize=2)
def chart(grid: Grid, size: int = SIZE) -> tuple[sp.csr_matrix, np.ndarray]:
    """(size * size, N) weights that draw values at the grid's nodes as seen from the front, row 0 at the top, the
    subject's left in column 0, linearly between nodes (Delaunay); and (size, size) which pixels lie on the face. The
    picture's two halves are mirror images."""
    from scipy.spatial import Delaunay

    at = grid.positions[:, :2]
    low, high = at.min(axis=0), at.max(axis=0)
    half, middle = float((high - low).max() / 2), float((high[1] + low[1]) / 2)
    step = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(-half * step, middle - half * step)
    there = np.stack([x.ravel(), y.ravel()], axis=1)
    left = there[:, 0] > 0
    mesh = Delaunay(at)
    weights = sp.lil_matrix((size * size, len(at)))
    for k in np.flatnonzero(left):
        triangle = int(mesh.find_simplex(there[k])[()])
        if triangle < 0:
            continue
        turn = mesh.transform[triangle]
        b = turn[:2] @ (there[k] - turn[2])
        nodes, share = mesh.simplices[triangle], np.r_[b, 1 - b.sum()]
        row, column = divmod(k, size)
        mirror = row * size + size - 1 - column
        for node, w in zip(nodes.tolist(), share.tolist(), strict=True):
            weights[k, node] += w
            weights[mirror, int(grid.opposite[node])] += w
    drawn = sp.csr_matrix(weights)
    return drawn, np.asarray(drawn.sum(axis=1)).reshape(size, size) > 0.5


def pictures(example: Example, size: int = SIZE) -> Floats:
    """(9, CHANNELS, size, size) of each movement; 0 where nothing was seen."""
    grid = grid_of(FaceTemplate.load())
    draw, face = chart(grid, size)
    move = example.moves.astype(np.float64)
    if side_moving_less(example) == "right":
        move = move[:, grid.opposite] * _FLIP
    apart = move - move[:, grid.opposite] * _FLIP
    known = np.asarray(np.isfinite(apart).all(axis=2))
    values = np.concatenate([np.nan_to_num(move), np.nan_to_num(apart)], axis=2) / 10.0 * known[..., None]
    values = np.concatenate([values, known[..., None]], axis=2)  # (9, N, 7)
    flat = draw @ values.transpose(1, 0, 2).reshape(len(grid.nodes), -1)
    drawn = flat.reshape(size, size, len(MOVEMENTS), CHANNELS).transpose(2, 3, 0, 1)
    return drawn * face


def pictures_of(examples: Sequence[Example]) -> NDArray[np.float32]:
    """(n, 9, CHANNELS, SIZE, SIZE), single precision."""
    return np.stack([pictures(e) for e in examples]).astype(np.float32)


class MapNetwork:
    """A small network over the pictures, to be fitted and asked like a regression of scikit-learn.

    One encoder of three convolutions sees each movement's picture; what it makes of them is joined, missing ones as 0,
    and gives severity, 0..1. Trained by smooth absolute error with pictures shifted by a pixel and noise of 0.3 mm.
    """

    def __init__(self, epochs: int = 60, rate: float = 2e-3, seed: int = 0, width: int = 16) -> None:
        self.epochs, self.rate, self.seed, self.width = epochs, rate, seed, width

    def get_params(self, deep: bool = True) -> dict[str, float]:
        """As scikit-learn asks for them when it makes a fresh copy."""
        return {k: getattr(self, k) for k in ("epochs", "rate", "seed", "width")}

    def fit(self, x: NDArray[np.float32], y: Floats) -> MapNetwork:
        """`x` (n, 9, CHANNELS, SIZE, SIZE), `y` (n,) severity."""
        import torch
        from torch.nn import functional as F

        torch.manual_seed(self.seed)
        self._network = _network(self.width)
        optimizer = torch.optim.AdamW(self._network.parameters(), lr=self.rate, weight_decay=0.02)
        pictures, truth = torch.tensor(x), torch.tensor(np.asarray(y, np.float32))
        batch = 16
        steps = self.epochs * -(-len(truth) // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.rate, total_steps=steps)
        self._network.train()
        for _ in range(self.epochs):
            for rows in torch.randperm(len(truth)).split(batch):
                seen = pictures[rows]
                dx, dy = torch.randint(-1, 2, (2,)).tolist()
                seen = torch.roll(seen, (dx, dy), (3, 4))
                noise = 0.03 * torch.randn_like(seen) * seen[:, :, -1:]
                noise[:, :, -1] = 0.0
                loss = F.smooth_l1_loss(self._ask(seen + noise), truth[rows], beta=0.05)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        self._network.eval()
        return self

    def predict(self, x: NDArray[np.float32]) -> Floats:
        """(n,) severity."""
        import torch

        with torch.inference_mode():
            return np.asarray(self._ask(torch.tensor(x)).clip(0, 1).double().numpy())

    def _ask(self, pictures: Tensor) -> Tensor:
        n, e = pictures.shape[:2]
        encoder, head = self._network
        there = (pictures[:, :, -1].flatten(2).amax(dim=2) > 0).float()[..., None]
        seen = encoder(pictures.flatten(0, 1)).reshape(n, e, -1) * there
        return head(seen.flatten(1)).squeeze(1)


def _network(width: int) -> nn.ModuleList:
    from torch import nn

    def layer(a: int, b: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.GroupNorm(4, b), nn.GELU())

    encoder = nn.Sequential(
        layer(CHANNELS, width),
        layer(width, 2 * width),
        layer(2 * width, 2 * width),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * width, 24),
        nn.GELU(),
    )
    head = nn.Sequential(nn.Dropout(0.2), nn.Linear(24 * len(MOVEMENTS), 48), nn.GELU(), nn.Linear(48, 1), nn.Sigmoid())
    return nn.ModuleList([encoder, head])
