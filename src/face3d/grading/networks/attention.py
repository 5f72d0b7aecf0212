"""Attention among a few tokens, some of which may be missing."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention (Vaswani 2017), written out: `queries` (..., Q, D) look at `keys` (..., K, D), of which
    only those `there` (..., K) count. Where none is there nothing is added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask, self.key_value, self.out = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )

    def forward(self, queries: Tensor, keys: Tensor, there: Tensor) -> Tensor:
        """(..., Q, D): what each query takes from the keys."""
        q = self._split(self.ask(queries))
        k, v = (self._split(x) for x in self.key_value(keys).chunk(2, dim=-1))
        score = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        mask = there[..., None, None, :]
        share = torch.softmax(score.masked_fill(~mask, -1e4), dim=-1) * mask
        return self.out((share @ v).transpose(-2, -3).flatten(-2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, x.shape[-1] // self.heads)).transpose(-2, -3)


class AxialBlock(nn.Module):
    """Tokens (B, E, R, D) look along both axes in turn: the same region in other expressions, other regions in the same
    expression; then each by itself. `there` (B, E, R)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.along_expressions, self.along_regions = Attention(width, heads), Attention(width, heads)
        self.own = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        """`tokens` (B, E, R, D) -> the same shape."""
        x = self.norms[0](tokens).transpose(1, 2)
        tokens = tokens + self.dropout(self.along_expressions(x, x, there.transpose(1, 2)).transpose(1, 2))
        x = self.norms[1](tokens)
        tokens = tokens + self.dropout(self.along_regions(x, x, there))
        return tokens + self.dropout(self.own(self.norms[2](tokens)))
