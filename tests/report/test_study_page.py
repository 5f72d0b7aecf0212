"""The page of a study: who changed, in words, beside what error explains; groups over the visits; nothing left out
silently."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import numpy as np
import pandas as pd

from face3d.measuring.courses import courses
from face3d.measuring.study import Visited
from face3d.report.courses import own_course
from face3d.report.study_outputs import write_study
from face3d.report.study_page import study_page
from planted_visits import end_points


def study(people: int = 12) -> pd.DataFrame:
    """Half of the people lose 0.3 less a year later, one 0.3 more, the rest the same."""
    more = [-0.3] * (people // 2) + [0.3] + [0.0] * (people - people // 2 - 1)
    start = 0.45 + 0.02 * np.arange(people)
    return end_points({f"p{i:02d}": {"pre": start[i], "1 year": start[i] + more[i]} for i in range(people)})


def plain(html: str) -> str:
    """The words of a page."""
    text = re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", text)


def test_people_are_better_worse_or_not_called() -> None:
    table = study()
    visited = {("p00", v): Visited(datetime.date(2025 + k, 3, 1), "right") for k, v in enumerate(("pre", "1 year"))}
    text = plain(study_page(courses(table, visited), table, "mine"))
    assert "mine: 12 people, 24 examinations" in text
    assert "7 of 12 with two visits or more" in text and "6 better, 1 worse" in text
    assert "pre (1 Mar 2025) to 1 year (1 Mar 2026)" in text
    assert text.count("1 year: better") >= 6 and "1 year: worse" in text and "1 year: no call" in text
    assert "p00 right side affected; pre 1 March 2025, 1 year 1 March 2026" in text


def test_a_course_is_drawn_beside_its_band() -> None:
    (one,) = courses(end_points({"p": {"pre": 0.5, "6 weeks": 0.49, "1 year": 0.2}}))
    assert one.comparison is not None
    parts = [c for c in one.comparison.changes if c.measure == "severity"]
    drawn = own_course(parts, one.visits, {})  # type: ignore[arg-type]
    assert drawn is not None
    assert drawn["words"] == ["6 weeks: no call", "1 year: better"] and drawn["called"]
    assert drawn["drawing"].count("<polygon") == 1 and drawn["drawing"].count("<circle") == 3
    assert 'aria-label="movement lost, face: pre 50 %, 6 weeks 49 %, 1 year 20 %' in drawn["drawing"]
    # The one beyond lies outside of the band, the other inside: as drawn, not only as said.
    edge = re.search(r'<polygon points="([^"]*)"', drawn["drawing"])
    assert edge is not None
    band = [float(p.split(",")[1]) for p in edge[1].split()]
    heights = [float(y) for y in re.findall(r'<circle cx="[^"]*" cy="([^"]*)"', drawn["drawing"])]
    assert min(band) < heights[1] < max(band) < heights[2]


def test_groups_and_what_failed_are_said(tmp_path: Path) -> None:
    table = study()
    failed = {"subject": "p99", "visit": "pre", "measure": "exam", "expression": "all", "region": "face"}
    failed |= {"side": "both", "unit": "1", "status": "rest.ply: no face found"}
    table = pd.concat([table, pd.DataFrame([failed])], ignore_index=True)
    groups = {f"p{i:02d}": "new" if i < 6 else "old" for i in range(12)}
    made = write_study(table, {}, "mine", tmp_path / "out", change=("pre", "1 year"), groups=groups, control="old")
    assert list(made) == ["change", "adjusted", "courses", "report"] and all(f.is_file() for f in made.values())
    text = plain(made["report"].read_text("utf-8"))
    assert "1 examination could not be measured : p99 pre: rest.ply: no face found" in text
    assert "differ from the group old" in text and "Mean change, pre to 1 year" in text
    every = pd.read_csv(made["courses"])
    assert len(every) == 12 * 3 and set(every["visit"]) == {"1 year"}
    # The means are those of the people measured: -0.3 of the one group, +0.3 of one of six of the other.
    cells = re.findall(r"movement lost, face (new|old) (\d+) \[\d+, \d+ %\], n = 6 (\d+) \[", text)
    assert {g: int(b) - int(a) for g, a, b in cells} == {"new": -30, "old": 5}


def test_a_study_of_single_visits_says_so() -> None:
    table = end_points({"p1": {"pre": 0.5}, "p2": {"pre": 0.4}})
    text = plain(study_page(courses(table), table, "mine"))
    assert (
        "nobody has two visits with a measured end point" in text and "Each person" not in text.split("End points")[1]
    )
