"""The two distances between a face and its mirror image, which are never mixed up."""

from __future__ import annotations

from enum import StrEnum


class Distance(StrEnum):
    """Which distance a number is, as tables name it."""

    SURFACE = "surface distance"
    ASYMMETRY = "asymmetry"

    @property
    def definition(self) -> str:
        """What it measures, and who defined it."""
        return _DEFINITIONS[self]


_DEFINITIONS = {
    Distance.SURFACE: (
        "distance from each vertex to the closest point of the superimposed mirror image (Taylor 2014, Codari 2017); "
        "blind to movement along the surface"
    ),
    Distance.ASYMMETRY: (
        "distance between a place on the face and the mirrored same place of the other side, through a template in "
        "anatomical correspondence (Claes 2011, Ekrami 2018)"
    ),
}
