"""End points: an unchanged person is seldom called, a change half again as large as detectable nearly always."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from face3d.errors import SchemaError
from face3d.measuring.comparison import Comparison, compare
from face3d.measuring.definitions import Measure
from face3d.measuring.end_points import EndPoint, judgement, load_end_points
from face3d.measuring.exam_measures import Measures
from face3d.reference.repeatability import Repeatability, load_repeatability, performance_sd
from face3d.report.compare_result import compare_result

KNOWN = load_repeatability()
#: About what a patient of grade III shows; other measures in mm are given 5.
TYPICAL = {"severity": 0.4, "function": 0.6, "synkinesis": 0.2, "commissure_excursion": 7.0, "brow_raise": 5.0}


def person(rng: np.random.Generator, name: str, changed: float = 0.0) -> Measures:
    """A visit: every measure of known repeatability, with measuring error and the person's own scatter; each end point
    changed by so many of its limits."""
    points = {p.row("left") for p in load_end_points()}
    rows = []
    for (measure, expression, region), known in KNOWN.items():
        sides = ("both",) if (measure, expression, region, "both") in points else ("left", "right")
        for side in sides:
            true = TYPICAL.get(measure, 0.8 if measure.endswith("_ratio") else 5.0)
            own = rng.normal(0, 1) * performance_sd(measure, expression, known.unit, true)
            value = true + own + rng.normal(0, 1) * known.sem
            if (measure, expression, region, side) in points:
                value += changed * judgement(0.0, [true], known, len(points)).limit
            rows.append(Measure(measure, expression, region, side, value, known.unit))
    return Measures("p1", name, tuple(rows), "left", "given", {}, {})


def calls(c: Comparison) -> tuple[int, int]:
    """End points, and other measures, that are called."""
    return (
        sum(bool(x.beyond) for x in c.changes if x.end_point),
        sum(bool(x.beyond) for x in c.changes if not x.end_point),
    )


def test_the_shipped_end_points_are_eight_that_can_be_judged() -> None:
    points = load_end_points()
    assert len(points) == 8
    assert all((p.measure, p.expression, p.region) in KNOWN for p in points)


@pytest.mark.parametrize("pairs", [30, pytest.param(400, marks=pytest.mark.slow)])
def test_an_unchanged_person_is_called_in_one_of_twenty_visits(pairs: int) -> None:
    rng = np.random.default_rng(0)
    found = [calls(compare(person(rng, "a"), person(rng, "b"))) for _ in range(pairs)]
    points, rest = np.mean(found, axis=0)
    # 0.05 expected of each family, within three standard errors.
    assert points <= 0.05 + 3 * math.sqrt(0.05 / pairs)
    assert rest <= 0.05 + 3 * math.sqrt(0.05 / pairs)
    c = compare(person(rng, "a"), person(rng, "b"))
    alone = [x for x in c.changes if abs(x.change) > x.mdc95]
    assert 0.02 * len(c.changes) < len(alone) < 0.09 * len(c.changes)  # by themselves one in twenty would be


def test_a_change_of_one_and_a_half_limits_is_found() -> None:
    rng = np.random.default_rng(1)
    found = [calls(compare(person(rng, "a"), person(rng, "b", changed=1.5)))[0] for _ in range(20)]
    assert np.mean(found) / 8 >= 0.9


def test_people_scatter_beyond_the_error_of_measuring() -> None:
    known = KNOWN["commissure_excursion", "open_smile", "mouth"]
    assert known.still
    with_it = judgement(1.0, [10.0, 10.0], known, 8)
    without = judgement(1.0, [10.0, 10.0], replace(known, still=False), 8)
    assert with_it.mdc95 / without.mdc95 == pytest.approx(math.hypot(known.sem, 0.0618 * 10) / known.sem, rel=0.01)
    assert with_it.limit > with_it.mdc95 and with_it.p > without.p
    assert math.isnan(judgement(1.0, [10.0], known, 0).limit)
    assert performance_sd("rest_difference", "rest", "mm", 5.0) == 0
    assert performance_sd("function", "all", "1", 0.5) == pytest.approx(0.015)


def test_what_is_no_end_point_needs_more(tmp_path: Path) -> None:
    known = {
        (m, "open_smile", "mouth"): Repeatability(m, "open_smile", "mouth", "mm", 0.3, 0.9, 0.9, 60, "t") for m in "ab"
    }
    known["commissure_excursion", "open_smile", "mouth"] = replace(known["a", "open_smile", "mouth"], measure="x")
    file = tmp_path / "own.json"
    entry = {"measure": "commissure_excursion", "expression": "open_smile", "region": "mouth", "side": "affected"}
    file.write_text(json.dumps({"end_points": [entry]}))

    def at(value: float, name: str) -> Measures:
        names = ("commissure_excursion", "a", "b")
        rows = tuple(Measure(m, "open_smile", "mouth", s, value, "mm") for m in names for s in ("left", "right"))
        return Measures("p", name, rows, "right", "given", {}, {})

    c = compare(at(5.0, "pre"), at(5.93, "post"), repeatability=known, end_points=load_end_points(file))
    point = c.change("commissure_excursion", "open_smile", "right")
    assert point.end_point and point.beyond and point.limit == pytest.approx(point.mdc95)  # a family of one
    others = [x for x in c.changes if not x.end_point]
    assert len(others) == 5 and all(abs(x.change) > x.mdc95 and not x.beyond for x in others)
    assert all(x.p_adjusted == pytest.approx(5 * x.p) for x in others)
    text = compare_result(c).to_text()
    assert "1 of 1 end points changed" in text and "of 5 other measures 0 changed" in text
    assert "regression to the mean" in text and "0 of them would exceed" in text


def test_without_an_affected_side_its_end_points_are_not_judged() -> None:
    assert EndPoint("brow_raise", "brow_raise", "brow", "affected").row("none") is None
    assert EndPoint("brow_raise", "brow_raise", "brow", "healthy").row("left") == (
        "brow_raise",
        "brow_raise",
        "brow",
        "right",
    )
    rng = np.random.default_rng(0)
    bilateral = [replace(person(rng, n), affected_side="both") for n in ("a", "b")]
    assert {c.measure for c in compare(*bilateral).changes if c.end_point} == {
        "severity",
        "function",
        "rest_difference",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "not a file of end points"),
        ('{"end_points": []}', "no end point"),
        ('{"end_points": [{"measure": "smile", "expression": "x", "region": "y", "side": "both"}]}', "'smile' is none"),
        ('{"end_points": [{"measure": "pucker", "expression": "x", "region": "y", "side": "ill"}]}', "side 'ill'"),
        ('{"end_points": [{"measure": "pucker"}]}', r"end_points\[0\]"),
    ],
)
def test_files_of_end_points_that_are_none_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(SchemaError, match=f"mine.json.*{said}"):
        load_end_points(tmp_path / "mine.json")
    with pytest.raises(SchemaError, match="gone"):
        load_end_points(tmp_path / "gone.json")
