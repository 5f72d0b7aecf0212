"""What patients say of themselves: scores of the FaCE, FDI and SAQ questionnaires, as entered. None is estimated.

Ranges: FaCE 0 (worst) to 100 in total and in six domains (Kahn et al. 2001, Laryngoscope 111:387). FDI physical
function -25 to 100, social well-being 0 to 100 (VanSwearingen & Brach 1996, Phys Ther 76:1288). SAQ 20 (none) to 100
(Mehta, WernickRobinson & Hadlock 2007, Laryngoscope 117:923). FaCE's ranges and domains were read in secondary sources;
those of the FDI and the SAQ stand here from memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar

_RANGES = {"fdi_physical": (-25.0, 100.0), "saq": (20.0, 100.0)}


@dataclass(frozen=True)
class Questionnaires:
    """Scores of one visit; None where not asked. High is good in the FaCE and the FDI, and bad in the SAQ."""

    # Read by pydantic, which checks manifests: a misspelt score is a fault, not nothing.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    face_total: float | None = None
    face_movement: float | None = None
    face_comfort: float | None = None
    face_oral: float | None = None
    face_eye_comfort: float | None = None
    face_lacrimal: float | None = None
    face_social: float | None = None
    fdi_physical: float | None = None
    fdi_social: float | None = None
    saq: float | None = None

    def __post_init__(self) -> None:
        for f in fields(self):
            value, (low, high) = getattr(self, f.name), _RANGES.get(f.name, (0.0, 100.0))
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise ValueError(f"questionnaires.{f.name} = {value}; expected a score from {low:g} to {high:g}")
