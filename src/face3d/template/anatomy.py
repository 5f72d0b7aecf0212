"""What measuring needs to know about a mesh in correspondence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from face3d.scan import Floats, Ints


class Anatomy(Protocol):
    """What measuring needs to know about a mesh in correspondence: `FaceTemplate` and `HeadModel` both say it.

    `vertices` (N, 3) of its neutral, exactly symmetric state; `opposite` (N,) mirror-image vertex; `regions`
    name_side -> (N,) weights 0..1.
    """

    @property
    def vertices(self) -> Floats:
        """(N, 3) mm."""
        ...

    @property
    def faces(self) -> Ints:
        """(F, 3) triangles."""
        ...

    @property
    def opposite(self) -> Ints:
        """(N,) index of each vertex's mirror image."""
        ...

    @property
    def regions(self) -> Mapping[str, Floats]:
        """name_side -> (N,) weights 0..1."""
        ...

    def landmark_points(self, vertices: Floats, /) -> dict[str, Floats]:
        """name -> (3,): the landmarks of a state (N, 3), or of a movement their shifts."""
        ...
