"""Weights of a grader on disk: safetensors, and beside them a JSON card that says what they are and pins them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from face3d.errors import SchemaError, WeightsError
from face3d.grading.heads import Grader
from face3d.grading.networks import CorrespondenceNetwork
from face3d.io.write import write_bytes

Network = TypeVar("Network", bound=nn.Module)
#: The grader that ships with face3d.
SHIPPED = "grader.safetensors"


def save_grader(path: Path, networks: Sequence[nn.Module], card: Mapping[str, Any]) -> Path:
    """Writes an ensemble of one architecture and, beside it, its card with the suffix .json; returns the card's path.

    `card` holds at least `architecture` and `size`, as `build` takes them; `members` and `sha256` are added.
    """
    tensors = {
        f"{k}.{name}": value.detach().cpu().contiguous()
        for k, network in enumerate(networks)
        for name, value in network.state_dict().items()
    }
    data = save(tensors)
    whole = {**card, "members": len(networks), "sha256": hashlib.sha256(data).hexdigest()}
    write_bytes(path, data)
    target = path.with_suffix(".json")
    write_bytes(target, (json.dumps(whole, indent=1) + "\n").encode())
    return target


def read_card(path: Path | None = None) -> dict[str, Any]:
    """The card of a grader; None the shipped one. Raises `WeightsError` that names the file."""
    file = _place(path).with_suffix(".json")
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
        if not {"architecture", "size", "members", "sha256"} <= set(card):
            raise KeyError("architecture, size, members or sha256 is missing")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{file}: not the card of a grader ({error}); {_way_out(path)}") from error
    return card


def load_grader(
    path: Path | None = None, build: Callable[[str, Mapping[str, Any]], Grader] | None = None
) -> list[Grader]:
    """The networks of an ensemble, ready to grade; None the shipped one. `mean_outputs` joins what they say.
    `build` makes a network of an architecture and a size; left out, only the shipped one's architecture is known.
    Raises as `load_networks`."""
    return load_networks(path, build or _shipped_kind)


def load_networks(path: Path | None, build: Callable[[str, Mapping[str, Any]], Network]) -> list[Network]:
    """The networks of a file that `save_grader` wrote, ready to use, each made by `build` of architecture and size.

    Raises `WeightsError`, naming the file, when it is missing, when its SHA-256 is not the card's, or when a tensor is
    missing, left over or of another shape.
    """
    file, card = _place(path), read_card(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise WeightsError(f"{file}: cannot be read ({error}); {_way_out(path)}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != card["sha256"]:
        raise WeightsError(f"{file}: SHA-256 is {found}, its card says {card['sha256']}; {_way_out(path)}")
    try:
        tensors = load(data)
        networks = [build(card["architecture"], card["size"]) for _ in range(card["members"])]
        for k, network in enumerate(networks):
            load_strictly(network, {n.split(".", 1)[1]: v for n, v in tensors.items() if n.startswith(f"{k}.")})
            network.eval()
    except (SafetensorError, RuntimeError, SchemaError) as error:
        raise WeightsError(f"{file}: does not fit {card['architecture']} ({error}); {_way_out(path)}") from error
    return networks


def load_strictly(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Raises RuntimeError when a tensor is missing, left over, of another shape, or not finite."""
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise RuntimeError(f"{name} has values that are not finite")
    network.load_state_dict(dict(tensors), strict=True)


def _place(path: Path | None) -> Path:
    return Path(str(files("face3d").joinpath("data", SHIPPED))) if path is None else Path(path)


def _way_out(path: Path | None) -> str:
    ours = path is None or path.parent == _place(None).parent
    return "install face3d again" if ours else "write it anew with `face3d train`"


def _shipped_kind(architecture: str, size: Mapping[str, Any]) -> Grader:
    if architecture != "correspondence":
        raise SchemaError(f"network {architecture!r}: only face3d.learn knows it; `face3d evaluate` takes it")
    try:
        return CorrespondenceNetwork(**size)
    except TypeError as error:
        raise SchemaError(f"network {architecture!r}: {error}") from None
