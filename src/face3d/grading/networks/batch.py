"""Examples as tensors: what is missing is 0 and said so beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from face3d.grading.example import Example

Batch = dict[str, Tensor]
#: name in a batch -> name in an example. Each comes with `<name>_known`, without the axis of coordinates.
VECTORS = {"rest": "rest", "normals": "normals", "moves": "moves", "marks": "marks", "mark_moves": "mark_moves"}


def batch_of(examples: Sequence[Example], points: bool = True) -> Batch:
    """Inputs of B exams; shapes as in `Example`, with B before them. `rest`, `normals`, `moves`, `marks`, `mark_moves`,
    `units`, `units_se`, `points`: single precision, 0 where not known; `<name>_known` bool: (B, N), (B, E, N), ... of a
    vector, (B, 1 + E) of `units` and `points`; `shown` (B, 1 + E) which scans there are. Points can be left out."""
    batch: Batch = {}
    for name, source in VECTORS.items():
        _add(batch, name, np.stack([getattr(e, source) for e in examples]), axes=1)
    _add(batch, "units", np.stack([e.units for e in examples]), axes=2)
    batch["units_se"] = torch.nan_to_num(torch.tensor(np.stack([e.units_se for e in examples]), dtype=torch.float32))
    if points:
        _add(batch, "points", np.stack([e.points for e in examples]), axes=2)
    batch["shown"] = torch.tensor(np.stack([e.shown for e in examples]))
    return batch


def _add(batch: Batch, name: str, values: np.ndarray, axes: int) -> None:
    tensor = torch.tensor(np.asarray(values, np.float32))
    batch[name] = torch.nan_to_num(tensor)
    batch[f"{name}_known"] = torch.isfinite(tensor).flatten(-axes).all(dim=-1)


def joined(batches: Sequence[Batch]) -> Batch:
    """Several batches as one."""
    return {name: torch.cat([b[name] for b in batches]) for name in batches[0]}


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The same batch on a device."""
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}
