"""What all results share: their numbers, and that what was not measured is null."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

if TYPE_CHECKING:
    pass

NOTICE = "For research use only; not a medical device."


def _null_for_nan(value: Any) -> Any:
    return None if value is None or not math.isfinite(value) else float(value)


Number = Annotated[float | None, BeforeValidator(_null_for_nan)]


Vector = Annotated[tuple[float, float, float], Field(description="x, y, z")]


#: Raised with every change that an old reader could stumble over; `CHANGELOG.md` says what changed.
SCHEMA_VERSION = 1


class Part(BaseModel):
    """A part of a result as JSON: frozen, without fields that it does not know, without NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
