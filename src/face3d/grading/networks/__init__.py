"""Networks that grade an exam. Each takes what `batch_of` makes and says `Outputs`; exchanging the sides of the exam
exchanges the sides of the answer, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from face3d.errors import SchemaError
from face3d.grading.heads import Grader, Outputs, mean_outputs
from face3d.grading.networks.batch import Batch, batch_of

#: name -> module and class, imported when asked for: those on raw points bring torch-geometric.
NETWORKS: Mapping[str, tuple[str, str]] = {
    "correspondence": ("correspondence", "CorrespondenceNetwork"), "pointnet": ("pointnet", "PointNet"),
    "pointnet2": ("pointnet2", "PointNet2"), "dgcnn": ("dgcnn", "DGCNN"),
    "point_transformer": ("point_transformer", "PointTransformer"),
}  # fmt: skip

__all__ = ["NETWORKS", "Batch", "Grader", "Outputs", "batch_of", "build", "mean_outputs", "network_class"]


def network_class(architecture: str) -> type[Grader]:
    """The class of a network. Raises `SchemaError` for a name that does not exist."""
    if architecture not in NETWORKS:
        raise SchemaError(f"network {architecture!r}: unknown; there are {', '.join(NETWORKS)}")
    module, name = NETWORKS[architecture]
    return getattr(import_module(f"{__name__}.{module}"), name)


def build(architecture: str, size: Mapping[str, Any] | None = None) -> Grader:
    """A network with fresh weights. Raises `SchemaError` for a name or a size that does not exist."""
    try:
        return network_class(architecture)(**(size or {}))
    except TypeError as error:
        raise SchemaError(f"network {architecture!r}: {error}") from None
