"""Where a run stands, on disk: tensors in safetensors, numbers in JSON inside its header, renamed into place whole."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from face3d.errors import WeightsError
from face3d.io.write import write_bytes
from face3d.values import Value

FILE = "checkpoint.safetensors"


@dataclass(frozen=True, eq=False, repr=False)
class Progress(Value):
    """`epoch` epochs are done; `best` weights with the least loss held out, `best_score`, `since_best` epochs ago."""

    best: dict[str, Tensor]
    epoch: int = 0
    best_score: float = math.inf
    since_best: int = 0

    def after(self, score: float, weights: dict[str, Tensor]) -> Progress:
        """One epoch later."""
        if score < self.best_score:
            return Progress({k: v.clone() for k, v in weights.items()}, self.epoch + 1, score, 0)
        return replace(self, epoch=self.epoch + 1, since_best=self.since_best + 1)


def store(
    folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer, mean: dict[str, Tensor], progress: Progress
) -> None:
    """Writes the checkpoint of an epoch; the one before is there until this one is whole."""
    tensors = {}
    for part, values in (("network", network.state_dict()), ("mean", mean), ("best", progress.best)):
        tensors |= {f"{part}/{name}": value for name, value in values.items()}
    for k, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{k}/{name}": torch.as_tensor(value) for name, value in state.items()}
    numbers = {"epoch": progress.epoch, "best_score": progress.best_score, "since_best": progress.since_best}
    whole = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    write_bytes(folder / FILE, save(whole, {"progress": json.dumps(numbers)}))


def restore(
    folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer, mean: dict[str, Tensor]
) -> Progress | None:
    """Puts everything back as it was and says where the run stands; None when it has not begun. Raises `WeightsError`
    when the checkpoint does not fit."""
    file = folder / FILE
    if not file.exists():
        return None
    device = next(network.parameters()).device
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "mean": {}, "best": {}, "optimizer": {}}
    try:
        with safe_open(file, "pt") as data:
            numbers = json.loads(data.metadata()["progress"])
            for key in data.keys():  # noqa: SIM118 - not a dict
                part, name = key.split("/", 1)
                parts[part][name] = data.get_tensor(key).to(device)
        network.load_state_dict(parts["network"])
        mean.update(parts["mean"])
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in parts["optimizer"].items():
            number, name = key.split("/")
            state.setdefault(int(number), {})[name] = value.cpu() if name == "step" else value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{file}: cannot be gone on from ({error}); delete the folder and start again") from error
    return Progress(parts["best"], **numbers)
