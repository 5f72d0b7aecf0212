"""What `face3d study` leaves behind: tables of what was asked of two visits, each person's course, and a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from face3d.io.write import write_bytes
from face3d.measuring.courses import Course, courses
from face3d.measuring.two_visits import adjusted_change, agreement_table, group_change
from face3d.reference.repeatability import repeatability_from, write_repeatability
from face3d.report.folder import REPORT
from face3d.report.study_page import Asked, study_page

if TYPE_CHECKING:
    import pandas as pd

    from face3d.measuring.study import Visited


def write_study(
    table: pd.DataFrame,
    visited: Mapping[tuple[str, str], Visited],
    name: str,
    folder: Path,
    repeats: tuple[str, str] | None = None,
    change: tuple[str, str] | None = None,
    groups: Mapping[str, str] | None = None,
    control: str | None = None,
) -> dict[str, Path]:
    """Writes the tables that were asked for, courses.csv of those who have two visits, and report.html into `folder`,
    made when it is not there; name -> file. `groups`: subject -> group, `control` the group that the others are
    compared with. People are judged by the study's own repeatability where `repeats` of enough people tell it, else by
    the one shipped. Raises `SchemaError` before anything is written."""
    tables, own, known = {}, (), None
    if repeats is not None:
        tables["agreement"] = agreement_table(table, *repeats)
        between = table.loc[table["visit"].isin(repeats)]
        own = repeatability_from(between, f"own study, visits {' and '.join(repeats)}")
        known = {(r.measure, r.expression, r.region): r for r in own} or None
    if change is not None:
        tables["change"] = group_change(table, *change)
        if groups and control is not None:
            tables["adjusted"] = adjusted_change(table, *change, groups, control)
    people = courses(table, visited, known)
    if (every := _courses(people)) is not None:
        tables["courses"] = every.assign(group=[groups.get(s, "") for s in every["subject"]]) if groups else every
    page = study_page(
        people,
        table,
        name,
        None if repeats is None else Asked(*repeats, tables["agreement"]),
        None if change is None else Asked(*change, tables["change"]),
        tables.get("adjusted"),
        groups or None,
    )
    folder.mkdir(parents=True, exist_ok=True)
    made = {name: folder / f"{name}.csv" for name in tables}
    for key, file in made.items():
        write_bytes(file, tables[key].to_csv(index=False).encode())
    if own:
        made["repeatability"] = folder / "repeatability.json"
        write_repeatability(made["repeatability"], own)
    made["report"] = folder / REPORT
    write_bytes(made["report"], page.encode())
    return made


def _courses(people: list[Course]) -> pd.DataFrame | None:
    """The end points of all who have two visits, a row a person, visit and end point; None where there is none."""
    import pandas as pd

    found = [
        c.comparison.table.assign(date=[c.dates.get(v) for v in c.comparison.table["visit"]])
        for c in people
        if c.comparison
    ]
    found = [t.loc[t["end_point"]] for t in found if len(t)]
    return pd.concat(found, ignore_index=True) if found else None
