"""The networks that can be trained, by name: the one over the template's points, and those on raw points."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from face3d.errors import SchemaError
from face3d.grading.networks import Grader

#: name -> module and class, imported when asked for: those on raw points bring torch-geometric.
NETWORKS: Mapping[str, tuple[str, str]] = {
    "correspondence": ("face3d.grading.networks.correspondence", "CorrespondenceNetwork"),
    "pointnet": ("face3d.learn.point_networks.pointnet", "PointNet"),
    "pointnet2": ("face3d.learn.point_networks.pointnet2", "PointNet2"),
    "dgcnn": ("face3d.learn.point_networks.dgcnn", "DGCNN"),
    "point_transformer": ("face3d.learn.point_networks.point_transformer", "PointTransformer"),
}


def network_class(architecture: str) -> type[Grader]:
    """The class of a network. Raises `SchemaError` for a name that does not exist."""
    if architecture not in NETWORKS:
        raise SchemaError(f"network {architecture!r}: unknown; there are {', '.join(NETWORKS)}")
    module, name = NETWORKS[architecture]
    return getattr(import_module(module), name)


def build(architecture: str, size: Mapping[str, Any] | None = None) -> Grader:
    """A network with fresh weights. Raises `SchemaError` for a name or a size that does not exist."""
    try:
        return network_class(architecture)(**(size or {}))
    except TypeError as error:
        raise SchemaError(f"network {architecture!r}: {error}") from None
