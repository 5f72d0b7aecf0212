"""People's courses over the visits of a study: in order, of their own side, judged against the first visit."""

from __future__ import annotations

import datetime
import math

import pandas as pd
import pytest

from face3d.errors import SchemaError
from face3d.measuring.courses import courses
from face3d.measuring.end_points import load_end_points
from face3d.measuring.study import Visited, read_exams
from planted_visits import end_points


def test_a_course_follows_the_dates_and_is_judged_against_the_first_visit() -> None:
    table = end_points({"p1": {"b": 0.8, "a": 0.3, "c": 0.79}, "p2": {"a": 0.5, "b": 0.5}, "p3": {"a": 0.1}})
    day = datetime.date.fromisoformat
    # By their labels "a" would be first; by their dates "b" is.
    visited = {
        ("p1", "b"): Visited(day("2025-01-01"), "right"),
        ("p1", "a"): Visited(day("2025-06-01"), "right"),
        ("p1", "c"): Visited(day("2025-09-01"), "right"),
        ("p2", "a"): Visited(day("2025-01-01"), "left"),  # no date of the other: labels count
    }
    one, two, three = courses(table, visited)
    assert (one.subject, one.visits, one.affected_side) == ("p1", ("b", "a", "c"), "right")
    assert list(one.dates.values()) == [day("2025-01-01"), day("2025-06-01"), day("2025-09-01")]
    severity = next(p for p in load_end_points() if p.measure == "severity")
    assert one.values[severity] == (0.8, 0.3, 0.79)
    assert one.comparison is not None
    called = {c.visit: c.beyond for c in one.comparison.changes if c.measure == "severity"}
    assert called == {"a": True, "c": False}
    assert two.visits == ("a", "b") and two.comparison is not None
    assert not any(c.beyond for c in two.comparison.changes)
    assert three.comparison is None and three.values[severity] == (0.1,)


def test_the_affected_side_is_the_one_whose_synkinesis_was_measured() -> None:
    table = end_points({"p1": {"a": 0.5, "b": 0.2}}, side="left")
    (one,) = courses(table)
    assert one.affected_side == "left"
    raised = next(p for p in load_end_points() if p.measure == "brow_raise")
    assert one.values[raised] == pytest.approx((5.0, 8.0))  # the left brow's, not the right one's
    assert all(math.isfinite(v) for v in one.values[raised])


def test_what_a_study_says_of_its_exams(tmp_path) -> None:
    assert read_exams(tmp_path) == {}
    rows = [("p1", "pre", "2025-01-31", "left"), ("p1", "", "", "none")]
    pd.DataFrame(rows, columns=["subject", "visit", "date", "affected_side"]).to_csv(
        tmp_path / "exams.csv", index=False
    )
    known = {("p1", "pre"): Visited(datetime.date(2025, 1, 31), "left"), ("p1", ""): Visited(None, "none")}
    assert read_exams(tmp_path) == read_exams(tmp_path / "measures.csv") == known
    (tmp_path / "exams.csv").write_text("subject,visit,date,affected_side\np1,pre,31.1.2025,left\n")
    with pytest.raises(SchemaError, match=r"exams\.csv: not a table of exams"):
        read_exams(tmp_path)
