"""Networks that grade an exam. Each takes what `batch_of` makes and says `Outputs`; exchanging the sides of the exam
exchanges the sides of the answer, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from face3d.errors import SchemaError
from face3d.learn.heads import Grader, Outputs, mean_outputs
from face3d.learn.networks.batch import Batch, batch_of
from face3d.learn.networks.correspondence import CorrespondenceNetwork

NETWORKS: Mapping[str, type[Grader]] = {"correspondence": CorrespondenceNetwork}

__all__ = ["NETWORKS", "Batch", "CorrespondenceNetwork", "Outputs", "batch_of", "build", "mean_outputs"]


def build(architecture: str, size: Mapping[str, Any] | None = None) -> Grader:
    """A network with fresh weights. Raises `SchemaError` for a name or a size that does not exist."""
    if architecture not in NETWORKS:
        raise SchemaError(f"network {architecture!r}: unknown; there are {', '.join(NETWORKS)}")
    try:
        return NETWORKS[architecture](**(size or {}))
    except TypeError as error:
        raise SchemaError(f"network {architecture!r}: {error}") from None
