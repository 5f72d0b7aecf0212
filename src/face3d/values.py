"""What all results are: frozen, with locked arrays, here and on the other side of a process border."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def locked(array: ArrayLike, dtype: Any = np.float64) -> NDArray[Any]:
    """A private, read-only copy of `array`: a value that someone else holds can then never change under us.

    What is such a copy already is handed back as it is: a changed scan shares what was not changed.
    """
    if isinstance(array, np.ndarray) and array.dtype == dtype and array.flags.c_contiguous:
        owner = array if array.base is None else array.base  # numpy keeps no chains: a view's base owns its memory
        if isinstance(owner, np.ndarray) and not (array.flags.writeable or owner.flags.writeable):
            return array
    copy = np.array(array, dtype=dtype, order="C")
    copy.setflags(write=False)
    return copy


class Value:
    """A frozen dataclass whose arrays and mappings are private and locked, and which can be pickled.

    Mapping proxies cannot be pickled, and unpickled arrays come back writable: a pickle comes back through the
    constructor. What was cached beside the fields stays behind. A class that also fixes types or shapes locks its own
    fields in a `__post_init__` of its own.
    """

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self)):  # type: ignore[arg-type]
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                object.__setattr__(self, name, locked(value, value.dtype))
            elif isinstance(value, Mapping) and not isinstance(value, MappingProxyType):
                object.__setattr__(self, name, MappingProxyType(dict(value)))

    def __reduce__(self) -> tuple[Any, ...]:
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.init}  # type: ignore[arg-type]
        return _rebuilt, (type(self), {k: dict(v) if isinstance(v, MappingProxyType) else v for k, v in values.items()})


def _rebuilt(kind: type, values: dict[str, Any]) -> Any:
    return kind(**values)
