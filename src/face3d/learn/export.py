"""A grader as ONNX, for programs without Python: one file for the ensemble, inputs by the names of `batch_of`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from face3d.extras import require
from face3d.grading.example import MOVEMENTS, SCANS
from face3d.grading.grid import MARKS, grid_of
from face3d.template.template import FaceTemplate

#: ONNX operator set: the oldest that torch's exporter writes; read by every runtime since 2023.
OPSET = 18


def export_onnx(networks: Sequence[Any], path: Path) -> Path:
    """Writes the mean of an ensemble of correspondence networks as `path`.

    Inputs, B exams of any number: what the networks use of a batch (`face3d.grading.networks.batch_of`), single
    precision, and bool for what is known. Outputs by the names of `Outputs`; of the side, logarithms of probabilities.
    Raises `MissingExtraError` without torch, and ModuleNotFoundError without the `onnx` and `onnxscript` packages.
    """
    require("torch")
    import torch
    from torch import nn

    from face3d.grading.networks import Outputs, mean_outputs
    from face3d.io.write import write_bytes

    names = _inputs(networks[0].uses)

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.members = nn.ModuleList(networks)

        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            batch = dict(zip(names, inputs, strict=True))
            return tuple(mean_outputs([member(batch) for member in self.members]))

    blank = tuple(torch.tensor(v) for name, v in _blank().items() if name in names)
    exams = torch.export.Dim("exams", min=1)
    program = torch.onnx.export(
        Mean().eval(),
        blank,
        input_names=list(names),
        output_names=list(Outputs._fields),
        opset_version=OPSET,
        dynamic_shapes=(tuple({0: exams} for _ in names),),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    write_bytes(path, program.model_proto.SerializeToString())
    return path


def _inputs(uses: Sequence[str]) -> tuple[str, ...]:
    """The arrays that a network looks at, each with what is known of it, in the order of `_blank`."""
    return tuple(name for name in _blank() if name.removesuffix("_known") in uses)


def _blank() -> dict[str, np.ndarray]:
    """Two empty exams, as arrays."""
    template = FaceTemplate.load()
    e, n, u = len(MOVEMENTS), len(grid_of(template).nodes), len(template.units)
    sizes = {
        "rest": (n, 3),
        "normals": (n, 3),
        "moves": (e, n, 3),
        "marks": (len(MARKS), 3),
        "mark_moves": (e, len(MARKS), 3),
        "units": (1 + e, u, 2),
    }
    out: dict[str, np.ndarray] = {}
    for name, size in sizes.items():
        out[name] = np.zeros((2, *size), np.float32)
        out[f"{name}_known"] = np.ones((2, *(size[:1] if name == "units" else size[:-1])), bool)
    out["shown"] = np.ones((2, len(SCANS)), bool)
    return out
