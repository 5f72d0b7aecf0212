"""A list of items as a table: what to measure, whose it is, and whatever else a study groups its people by."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from face3d.batch.item import Item
from face3d.batch.recordings import FILES
from face3d.batch.sources import shown
from face3d.errors import SchemaError
from face3d.io.exam import MANIFEST
from face3d.io.hand_table import read_rows

#: Columns that say how an item is read and whose it is; only `path` must be there. Any others are the study's groups.
FACTS = ("subject", "visit", "units", "landmarks", "fps", "base", "rest", "expression")
#: Those that name further files of an item.
_FILES = ("landmarks", "base", "rest")
KINDS = ("exam", "scan", "recording")
#: What the tables call their own columns: a group of this name would be taken for them.
_TAKEN = frozenset(
    (
        *("measure", "region", "side", "value", "unit", "uncertainty", "status", "source", "movement", "cutoff_hz"),
        *("item", "reason", "scan", "recording", "date", "definition", "distance"),
    )
)


def of_manifest(path: Path, made: Callable[[str, Path, str, dict[str, str]], Item]) -> Iterator[Item]:
    """The rows of a manifest, in their order. `made` kind, root, name, facts -> the item with its files."""
    from dataclasses import replace

    root = path.parent
    seen: dict[str, int] = {}
    for number, row in enumerate(_rows(path), start=2):
        at = f"{path}: row {number}"
        name = row.get("path", "").strip()
        if not name:
            raise SchemaError(f"{at} has no path; each names a scan, a recording or the folder of an exam")
        told = {f: row[f].strip() for f in FACTS if row.get(f, "").strip()}
        for each in (name, *(told[f] for f in _FILES if f in told)):
            _inside(root, each, at)
        name = Path(os.path.normpath(name)).as_posix()
        if name in seen:
            raise SchemaError(f"{at}: {name} stands in row {seen[name]} already; name each item once")
        seen[name] = number
        item = made(_kind(root / name, row.get("kind", "").strip(), told, at), root, name, told)
        groups = tuple((c, shown(v.strip())) for c, v in row.items() if c not in ("path", "kind", *FACTS))
        yield replace(item, groups=groups)


def _kind(target: Path, said: str, told: dict[str, str], at: str) -> str:
    """What a row names: what it says, else what a name and its facts tell."""
    if "fps" in told and not _is_rate(told["fps"]):
        raise SchemaError(f"{at}: fps is {told['fps']!r}; expected frames a second, such as 60")
    if said:
        if said not in KINDS:
            raise SchemaError(f"{at}: kind is {said!r}; expected one of {', '.join(KINDS)}, or nothing")
        return said
    if "fps" in told or target.name.lower().endswith(FILES):
        return "recording"
    return "exam" if target.is_dir() or target.name == MANIFEST else "scan"


def _is_rate(text: str) -> bool:
    try:
        return 0 < float(text) < 1e6
    except ValueError:
        return False


def _inside(root: Path, name: str, at: str) -> None:
    """Raises `SchemaError` for a name that leads out of the manifest's folder."""
    try:
        inside = "\0" not in name and (root / name).resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        inside = False
    if os.path.isabs(name) or not inside:
        raise SchemaError(
            f"{at}: {shown(name)[:120]!r} leads out of {root}; a manifest names what lies below its folder"
        )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        if path.suffix.lower() == ".parquet":
            from face3d.extras import require

            table = require("pyarrow.parquet").read_table(path).to_pylist()
            rows = [{k: "" if v is None else str(v) for k, v in row.items()} for row in table]
        else:
            rows = read_rows(path)
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())  # pandas and pyarrow write lines
        raise SchemaError(f"{path}: not a manifest ({said}); expected a table with the column path") from None
    if not rows or "path" not in rows[0]:
        there = " ".join(shown(", ".join(rows[0])).split())[:200] if rows else "no row"  # names may hold lines
        raise SchemaError(f"{path}: no column path ({there}); for a table of measures use `face3d study`")
    if taken := sorted(_TAKEN & rows[0].keys()):
        raise SchemaError(f"{path}: a column {taken[0]} is one of the tables' own; give it another name")
    yield from rows
