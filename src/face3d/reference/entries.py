"""Lists of entries in JSON, as norms, repeatabilities and end points are kept: read with every field's type checked."""

from __future__ import annotations

import json
import math
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from face3d.errors import SchemaError

Entry = TypeVar("Entry")


def read_entries(file: Path, key: str, kind: type[Entry], what: str) -> list[Entry]:
    """The dataclasses `kind` that stand in a file under `key`. Raises `SchemaError` that names the file, what was
    expected (`what`), the entry and the field."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))[key]
        if not isinstance(found, list):
            raise TypeError(f"{key!r} is a {type(found).__name__}, not a list")
    except OSError as error:
        raise SchemaError(f"{file}: {error.strerror}; expected {what}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SchemaError(f"{file}: not {what} ({error})") from None
    hints, out = typing.get_type_hints(kind), []
    for i, entry in enumerate(found):
        try:
            if not isinstance(entry, dict):
                raise TypeError(f"is a {type(entry).__name__}, not an object")
            for name, value in entry.items():
                if name in hints and not _fits(value, hints[name]):
                    raise TypeError(f"{name} is {value!r:.80}")
            out.append(kind(**entry))
        except (TypeError, ValueError) as error:
            raise SchemaError(f"{file}: {key}[{i}]: {error}") from None
    return out


def _fits(value: Any, hint: Any) -> bool:
    """Whether JSON may hold this for a field of str, int, float, bool, or any of these or None."""
    allowed = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value) in allowed
    return math.isfinite(value) and (float in allowed or (int in allowed and isinstance(value, int)))
