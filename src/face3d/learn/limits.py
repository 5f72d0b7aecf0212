"""Numbers of a configuration, checked where it is made."""

from __future__ import annotations

import math
from typing import Any

from face3d.errors import SchemaError


def check_limits(config: Any, **limits: tuple[float, float]) -> None:
    """Raises `SchemaError` for a field of a dataclass that is no number from low to high, or not a whole one where its
    default is."""
    for name, (low, high) in limits.items():
        value, whole = getattr(config, name), isinstance(getattr(type(config), name), int)
        number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not number or not low <= value <= high:
            span = f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
            raise SchemaError(f"{name} = {value!r}; expected a{' whole' if whole else ''} number, {span}")
