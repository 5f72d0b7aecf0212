"""A whole study: found, planned, run and put into tables. What `face3d batch` and `face3d bids` call."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face3d.batch.discover import Found
from face3d.batch.item import Item, Outcome, Task, written
from face3d.batch.lock import WHOLE, claimed
from face3d.batch.places import OWN, RECORD, Place, place_of
from face3d.batch.plan import Plan, plan
from face3d.batch.tables import counted, write_tables
from face3d.errors import OutputError, SchemaError
from face3d.extras import require

#: Runs tasks, here or elsewhere; outcomes come as items finish.
Running = Callable[[list[Task]], Iterator[Outcome]]


@dataclass(frozen=True)
class Shard:
    """The `number`-th of `of` parts of a study, from 1 on: every `of`-th item."""

    number: int
    of: int

    @classmethod
    def named(cls, text: str) -> Shard:
        """ "2/16" as text. Raises `SchemaError`."""
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        if found is None or not 1 <= int(found.group(1)) <= int(found.group(2)):
            raise SchemaError(f"--shard {text}: expected i/n with i from 1 to n, such as 1/16")
        return cls(int(found.group(1)), int(found.group(2)))

    @property
    def claim(self) -> str:
        """What its run holds of the output."""
        return f"shard-{self.number}-of-{self.of}"

    def of_items(self, items: Iterable[Item]) -> list[Item]:
        """Its items."""
        return list(items)[self.number - 1 :: self.of]


def planned(found: Found, out: str, report: bool = False, shard: Shard | None = None) -> Plan:
    """What a run would do; nothing is written."""
    items = list(found.items) if shard is None else shard.of_items(found.items)
    return plan(place_of(out), items, report)


def gathered(found: Found, out: str) -> dict[str, Any]:
    """The tables of what has been measured, and nothing else; see `run_study`."""
    return run_study(found, out, lambda tasks: iter(()), resume=True)


def run_study(
    found: Found,
    out: str,
    running: Running,
    *,
    report: bool = False,
    resume: bool = False,
    shard: Shard | None = None,
    heard: Callable[[Plan, Outcome | None], None] = lambda plan, outcome: None,
    claim: str = "",
) -> dict[str, Any]:
    """Measures what has no result yet and writes the tables; returns what `write_tables` does.

    `heard` is told the plan first, then each outcome. With a `shard` tables are written by the one that finishes last;
    until then, and where `claim` names the part of the output that a run on some items holds, "tables" is empty and the
    items counted are its own. Raises `OutputError` where the output cannot be
    written, another run holds it, or an earlier run left results and `resume` is not wanted.
    """
    require("pyarrow")
    place = place_of(out)
    if not resume and shard is None and not claim and not place.empty():
        raise OutputError(f"{out}: holds results of a batch; go on with --resume, or give another folder with --out")
    claim = claim or (shard.claim if shard is not None else WHOLE)
    with claimed(place, out, claim):
        try:
            work = place.workspace(claim)
        except OSError as error:
            raise OutputError(f"{out}: cannot be written: {error.strerror}; give another folder with --out") from None
        try:
            return _run(place, found, out, str(work), running, report, shard, heard, claim != WHOLE)
        except OSError as error:
            raise OutputError(
                f"{error.filename or out}: cannot be written: {error.strerror}; make room, then go on with --resume"
            ) from None
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _run(
    place: Place,
    found: Found,
    out: str,
    work: str,
    running: Running,
    report: bool,
    shard: Shard | None,
    heard: Callable[[Plan, Outcome | None], None],
    partly: bool,
) -> dict[str, Any]:
    items = list(found.items) if shard is None else shard.of_items(found.items)
    if shard is not None:
        place.remove(f"{OWN}/{shard.claim}.done")
    ahead = plan(place, items, report)
    heard(ahead, None)
    for folder, record in ahead.touched.items():
        place.publish(written(Path(work) / RECORD, record), f"{folder}/{RECORD}")
    if ahead.todo:
        outcomes = running([Task(item, out, work, report) for item in ahead.todo])
        try:
            for outcome in outcomes:
                if outcome.status == "stopped":
                    raise OutputError(f"{outcome.reason}; make room or give another folder, then go on with --resume")
                heard(ahead, outcome)
        finally:  # processes end before their folder goes
            if isinstance(outcomes, Generator):
                outcomes.close()
    if shard is not None:
        done = Path(work) / "done"
        done.write_text("\n", encoding="ascii")
        place.publish(done, f"{OWN}/{shard.claim}.done")
        marks = [f"{OWN}/{Shard(i + 1, shard.of).claim}.done" for i in range(shard.of)]
        partly = len(place.read_many(marks)) < shard.of
    if partly:
        return counted(place, items, ahead.finished)
    return write_tables(place, Path(work), found.items, found.unread, ahead.finished)
