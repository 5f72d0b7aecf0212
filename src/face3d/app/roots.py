"""Folders of this machine that were opened to the app when it was started. What a page asks for is only ever chosen
from what was found below them, never put together to a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face3d.errors import SchemaError
from face3d.io.exam import find_exams

#: Exams of one folder that are offered at most.
_MOST = 2000


@dataclass(frozen=True)
class Root:
    """A folder that was opened, `but` for what the app keeps itself. Raises `SchemaError` where there is none."""

    path: Path
    but: Path

    def __post_init__(self) -> None:
        if not self.path.is_dir():
            raise SchemaError(f"{self.path}: is no folder; give --root a folder of examinations")

    def listed(self) -> dict[str, Any]:
        """Its name, its exams by their paths below it, and what is said where there are none."""
        try:
            found = list(self._found())
        except (SchemaError, OSError):
            found = []
        return {"name": self.path.resolve().name, "exams": found[:_MOST], "said": "no exam lies below it"}

    def exam(self, name: str) -> Path | None:
        """The exam of that name, None where the folder has none."""
        try:
            return self._found().get(name)
        except (SchemaError, OSError):
            return None

    def _found(self) -> dict[str, Path]:
        top = self.path.resolve()
        unread: list[Path] = []
        exams = find_exams(self.path, lambda place, _: unread.append(place))
        own = self.but.resolve()
        within = (e for e in exams if e.resolve().is_relative_to(top) and not e.resolve().is_relative_to(own))
        return {e.relative_to(self.path).as_posix(): e for e in within}
