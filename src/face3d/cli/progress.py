"""A progress bar on a terminal; of long runs, a line now and then elsewhere. The only place that uses rich."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from face3d.batch.item import Outcome
    from face3d.batch.plan import Plan

#: Seconds between two lines in a log.
LOGGED = 60.0


@contextmanager
def steps(total: int, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Yields a function to call with the name of each of `total` steps as it begins; drawn on standard error."""
    if quiet or not sys.stderr.isatty():
        yield lambda name: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description:<24}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        begun = 0

        def step(name: str) -> None:
            nonlocal begun
            progress.update(task, description=name, completed=begun)
            begun += 1

        yield step


@contextmanager
def tally() -> Iterator[Callable[[Plan, Outcome | None], None]]:
    """Yields a function to call with a plan and each outcome: how many are done and failed, how long it will take.
    Drawn on a terminal; else a line on standard error each minute, for whoever reads a log."""
    began = said = time.monotonic()
    done = failed = 0

    def line(plan: Plan, outcome: Outcome | None) -> str:
        nonlocal done, failed
        if outcome is not None:
            done, failed = done + 1, failed + (outcome.status != "ok")
        of = len(plan.todo)
        seconds = time.monotonic() - began
        left = f", {_span(seconds / done * (of - done))} left" if done and done < of else ""
        return f"{done} of {of} measured, {failed} failed{left}"

    if not sys.stderr.isatty():

        def log(plan: Plan, outcome: Outcome | None) -> None:
            nonlocal said
            text = line(plan, outcome)
            if time.monotonic() - said >= LOGGED:
                said = time.monotonic()
                print(f"face3d: {text}", file=sys.stderr, flush=True)

        yield log
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")

        def draw(plan: Plan, outcome: Outcome | None) -> None:
            progress.update(task, total=len(plan.todo), description=line(plan, outcome), completed=done)

        yield draw


def _span(seconds: float) -> str:
    """A time in the unit that says it best: "40 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def counted(total: int | None) -> Iterator[Callable[[int], None]]:
    """Yields a function to call with how many of `total` frames are done; None: nobody knows how many there will be."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda done: progress.update(task, completed=done)
