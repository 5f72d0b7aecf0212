"""A learned generator: new palsied expressions for a stated side, function and expression.

A conditional variational autoencoder (Kingma & Welling 2014; Sohn 2015) over displacement fields from rest to
expression, in the coordinates of a linear basis. It was trained on simulated patients (`tools/train_generator.py`,
where its coverage and fidelity are measured too) and runs without torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import WeightsError
from face3d.exam import EXPRESSIONS
from face3d.landmarks import SIDES
from face3d.scan import Floats
from face3d.simulate.expressions import BRANCHES
from face3d.simulate.first_people import LEVELS
from face3d.simulate.head import HeadModel, reflected
from face3d.values import Value, locked

MOVEMENTS: tuple[str, ...] = tuple(e for e in EXPRESSIONS if e != "rest")


@dataclass(frozen=True)
class Condition:
    """What is asked of the generator: an `expression` of the protocol, the affected `side`, `branches` branch -> share
    of function left there, 0..1 (a missing one is 1; names in `face3d.simulate.expressions.BRANCHES`), and `synkinesis`
    0..1, its overall strength."""

    expression: str
    side: str = "left"
    branches: Mapping[str, float] = field(default_factory=dict)
    synkinesis: float = 0.0

    @classmethod
    def graded(cls, expression: str, grade: int, side: str = "left", synkinesis: float = 0.0) -> Condition:
        """All branches in the middle of a House-Brackmann grade's band."""
        level = 1.0 if grade == 1 else float(np.mean(LEVELS[grade]))
        return cls(expression, side, dict.fromkeys(BRANCHES, level), synkinesis)

    def vector(self) -> Floats:
        """(C,) numbers, side left out: the generator knows affected left sides only and mirrors for right ones."""
        if self.expression not in MOVEMENTS:
            raise ValueError(f"expression is {self.expression!r}; expected one of {', '.join(MOVEMENTS)}")
        if self.side not in SIDES:
            raise ValueError(f"side is {self.side!r}; expected 'left' or 'right'")
        unknown = sorted(set(self.branches) - set(BRANCHES))
        if unknown:
            raise ValueError(f"branches names {unknown[0]!r}; known are {', '.join(BRANCHES)}")
        one = [float(self.expression == e) for e in MOVEMENTS]
        return np.array([*one, *(float(self.branches.get(b, 1.0)) for b in BRANCHES), float(self.synkinesis)])


@dataclass(frozen=True, eq=False, repr=False)
class Generator(Value):
    """The trained decoder. `mean` (D,), `basis` (K, D) with D = 3 V: displacement fields on the base head model, mm;
    `layers` weights and biases of the decoder, `latent` its number of free numbers."""

    mean: Floats
    basis: Floats
    layers: tuple[tuple[Floats, Floats], ...]
    latent: int

    @classmethod
    def load(cls) -> Generator:
        """The embedded generator. Raises `WeightsError` if its file is missing, not whole or not the one measured."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        folder, name = files("face3d").joinpath("data"), "generator.safetensors"
        try:
            data = folder.joinpath(name).read_bytes()
            expected = json.loads(folder.joinpath("generator.json").read_text(encoding="utf-8"))["sha256"]
        except (OSError, KeyError, ValueError) as error:
            raise WeightsError(f"data/{name}: cannot be read: {error}; install face3d again") from error
        found = hashlib.sha256(data).hexdigest()
        if found != expected:
            raise WeightsError(f"data/{name}: SHA-256 is {found}, expected {expected}; install face3d again")
        try:
            return cls.of(load(data))
        except (SafetensorError, KeyError, IndexError) as error:
            raise WeightsError(f"data/{name}: {error}; install face3d again") from error

    @classmethod
    def of(cls, tensors: Mapping[str, Any]) -> Generator:
        """From named tensors, as `tools/train_generator.py` writes them."""
        layers = []
        while f"decoder.{len(layers)}.weight" in tensors:
            k = len(layers)
            layers.append((locked(tensors[f"decoder.{k}.weight"]), locked(tensors[f"decoder.{k}.bias"])))
        basis = locked(tensors["basis"].astype(np.float64) * float(tensors["basis_step"][0]))
        latent = layers[0][0].shape[1] - len(Condition(MOVEMENTS[0]).vector())
        return cls(locked(tensors["mean"]), basis, tuple(layers), latent)

    def draw(self, condition: Condition, rng: np.random.Generator, count: int = 1) -> Floats:
        """`count` displacement fields (count, V, 3) mm from rest to the expression, on `HeadModel.load()`'s
        vertices."""
        latent = rng.normal(size=(count, self.latent))
        fields = self.decode(latent, np.tile(condition.vector(), (count, 1)))
        return fields if condition.side == "left" else reflected(fields, HeadModel.load().opposite)

    def decode(self, latent: ArrayLike, conditions: ArrayLike) -> Floats:
        """Fields (N, V, 3) mm, affected side left, for latent numbers (N, L) and condition vectors (N, C)."""
        x = np.concatenate([np.asarray(latent, np.float64), np.asarray(conditions, np.float64)], axis=1)
        for k, (weight, bias) in enumerate(self.layers):
            x = x @ weight.T + bias
            if k < len(self.layers) - 1:
                x = x / (1.0 + np.exp(-x))  # SiLU
        return (self.mean + x @ self.basis).reshape(len(x), -1, 3)
