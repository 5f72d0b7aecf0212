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
            object.__setattr__(self, name, _private(getattr(self, name)))

    def __repr__(self) -> str:
        """One screen at most: arrays by their shape, mappings by their keys, what is nested by its kind."""
        shown = ", ".join(f"{f.name}={_shown(getattr(self, f.name))}" for f in fields(self) if f.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        values = {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.init}  # type: ignore[arg-type]
        return _rebuilt, (type(self), values)


def _private(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return locked(value, value.dtype)
    if isinstance(value, Mapping):
        return MappingProxyType({key: _private(inner) for key, inner in value.items()})
    return value


def _plain(value: Any) -> Any:
    return {key: _plain(inner) for key, inner in value.items()} if isinstance(value, MappingProxyType) else value


def _rebuilt(kind: type, values: dict[str, Any]) -> Any:
    return kind(**values)


#: Letters of a text, and members of a collection, that a repr shows.
_LETTERS, _MEMBERS = 80, 6


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return str(value.tolist()) if value.size <= _MEMBERS else f"<{' x '.join(map(str, value.shape))} {value.dtype}>"
    if isinstance(value, Value):
        return f"<{type(value).__name__}>"
    if isinstance(value, Mapping):
        more = f", ... {len(value)} in all" if len(value) > _MEMBERS else ""
        return f"{{{', '.join(map(str, list(value)[:_MEMBERS]))}{more}}}"
    if isinstance(value, tuple | list) and (len(value) > _MEMBERS or any(isinstance(v, Value) for v in value)):
        return f"<{len(value)} x {type(value[0]).__name__}>"
    if hasattr(value, "columns"):
        return f"<table of {len(value)} rows>"
    text = repr(value)
    return text if len(text) <= _LETTERS else f"{text[:_LETTERS]}..."
