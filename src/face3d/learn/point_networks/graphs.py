"""Neighbour graphs of our own, exact and batched: torch-geometric's need pyg-lib, which is not on PyPI."""

from __future__ import annotations

import torch
from torch import Tensor


def nearest(of: Tensor, among: Tensor, count: int) -> Tensor:
    """(M, Q, count) indices of the points nearest to each of `of` (M, Q, 3) among `among` (M, P, 3), the nearest first;
    a point is its own nearest. Raises ValueError when there are fewer points than that."""
    if count > among.shape[1]:
        raise ValueError(f"{count} neighbours of {among.shape[1]} points")
    # Squares of exact differences: the product form of cdist loses the neighbours' order at 100 mm from the origin.
    with torch.no_grad():
        return torch.cdist(of, among, compute_mode="donot_use_mm_for_euclid_dist").topk(count, largest=False).indices


def edges(neighbours: Tensor, points: int) -> Tensor:
    """(2, M Q count) edges from neighbours (M, Q, count) to centres as torch-geometric takes them, M clouds in a row:
    source in 0..M `points`, target in 0..M Q."""
    m, q, count = neighbours.shape
    source = neighbours + points * torch.arange(m, device=neighbours.device)[:, None, None]
    target = torch.arange(m * q, device=neighbours.device)[:, None].expand(-1, count)
    return torch.stack([source.flatten(), target.flatten()])
