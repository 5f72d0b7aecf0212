"""What is still to do in a study: items without a result, or whose files, settings or version are others now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from face3d.batch.item import FINAL, Item, key_of
from face3d.batch.places import RECORD, Place
from face3d.batch.sources import Stamp, shown, stamps, stamps_with_digests
from face3d.visits import named_by

#: Records that are read at a time.
CHUNK = 1000


@dataclass(frozen=True)
class Standing:
    """What became of an item, and its place in the tables; `key` says of which files, settings and version."""

    item: Item
    status: str
    reason: str
    subject: str
    visit: str
    date: str | None = None
    key: str = ""


@dataclass(frozen=True)
class Plan:
    """`todo` items in their order; `why` folder -> new, changed, settings (or version), failed; `finished` folder ->
    how those stand that need not be measured; `touched` folder -> the record of those whose files are others only in
    their times, with the times of now."""

    todo: tuple[Item, ...]
    why: Mapping[str, str]
    finished: Mapping[str, Standing]
    touched: Mapping[str, Mapping[str, Any]]

    @property
    def done(self) -> int:
        """How many are finished."""
        return len(self.finished)


def plan(place: Place, items: Iterable[Item], report: bool) -> Plan:
    """Looks at sizes and times of change of an item's files, and at their content only where these are others than in
    its record. Nothing is written."""
    todo, why, finished, touched = [], {}, {}, {}
    for item, record in records(place, items):
        reason, inputs = _looked_at(item, record, report)
        if reason is not None:
            todo.append(item)
            why[item.folder] = reason
            continue
        finished[item.folder] = standing(item, record)
        if inputs != record["inputs"]:
            touched[item.folder] = {**record, "inputs": inputs}
    return Plan(tuple(todo), why, finished, touched)


def records(place: Place, items: Iterable[Item]) -> Iterator[tuple[Item, dict[str, Any]]]:
    """Each item with its record, empty where there is none that can be read."""
    left = iter(items)
    while chunk := list(islice(left, CHUNK)):
        found = place.read_many([f"{item.folder}/{RECORD}" for item in chunk])
        for item in chunk:
            yield item, _parsed(found.get(f"{item.folder}/{RECORD}", b""))


def standing(item: Item, record: Mapping[str, Any]) -> Standing:
    """How an item stands, by its record; an empty one: not measured yet."""
    row = record.get("row")
    if row:
        subject, visit, date = row.get("subject", ""), row.get("visit", ""), row.get("date")
    else:
        told = named_by(Path("/", item.name))
        subject, visit, date = item.fact("subject") or told[0], item.fact("visit") or told[1] or "", None
    status, reason = record.get("status", "missing"), record.get("reason", "not measured yet; run again with --resume")
    return Standing(item, status, reason, shown(subject), shown(visit), date, record.get("key", ""))


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        record = json.loads(data)
    except ValueError:  # none, or cut short by a power cut
        return {}
    return record if isinstance(record, dict) and {"status", "key", "inputs", "row"} <= record.keys() else {}


def _looked_at(item: Item, record: dict[str, Any], report: bool) -> tuple[str | None, list[dict[str, Any]]]:
    """Why an item is to be measured, None where it need not be; and its files as they are now."""
    if not record:
        return "new", []
    if record["status"] not in FINAL:
        return "failed", []
    try:
        known = [Stamp(**s) for s in record["inputs"]]
        now = stamps_with_digests(item.root, stamps(item.root, item.inputs), known)
    except TypeError:
        return "new", []
    except OSError:  # not there, or not to be read: measuring will say so
        return "changed", []
    if key_of(item, report, now) == record["key"]:
        return None, [asdict(s) for s in now]
    return "changed" if [s.digest for s in now] != [s.digest for s in known] else "settings", []
