"""What a reader meets first: one estimate, a second opinion under that name, and in words whether they agree."""

import datetime
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from face3d.exam import Grades
from face3d.measuring.comparison import compare
from face3d.measuring.exam_measures import Measures, measure_vertices
from face3d.report.compare_page import compare_page
from face3d.report.compare_result import compare_result
from face3d.report.exam_page import exam_page
from face3d.report.exam_result import ExamResult, exam_result
from face3d.report.grade_part import GradePart
from face3d.report.opinions import lead, second
from face3d.simulate.head import HeadModel
from palsy import face

MODEL = HeadModel.load()


def visit(function: float, name: str, without: str = "", side: str | None = "left") -> Measures:
    rest, moved = face(MODEL, np.random.default_rng(1), function, "left", synkinesis=0.3)
    return measure_vertices(rest, {e: v for e, v in moved.items() if e != without}, MODEL, side, "p1", name)


def graded(m: Measures, grade: int, **changes: Any) -> ExamResult:
    p = np.full(6, 0.04)
    p[grade - 1] = 0.8
    known: dict[str, Any] = {
        "label": "an estimate",
        "house_brackmann": grade,
        "probabilities": p.tolist(),
        "likely": [grade, grade % 6 + 1],
        "severity": 0.6,
        "severity_se": 0.1,
        "side": "left",
        "region_function": {},
        "eface": {},
        "sunnybrook": {"resting": 5.0, "voluntary": 50.0, "synkinesis": 4.0, "composite": 41.0},
        "abstained": False,
        "reason": "",
    }
    return exam_result(m).model_copy(update={"grade": GradePart(**{**known, **changes})})


def first_screen(page: str) -> str:
    """The words of a page up to its measures, without markup, program and data."""
    bare = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", bare).split("Share of the healthy")[0].split())


def test_one_estimate_leads_and_the_other_is_the_second_opinion() -> None:
    m = visit(0.4, "pre")
    rule = exam_result(m).estimates.house_brackmann
    assert rule == 4
    said = first_screen(exam_page(graded(m, 4)))
    assert "Leading estimate IV of VI" in said and "Second opinion, by rule: IV. They agree." in said
    said = first_screen(exam_page(graded(m, 5)))
    assert "Leading estimate V of VI" in said and "by rule: IV. They disagree by one grade." in said
    assert "nine times in ten it is V to VI" in said
    said = first_screen(exam_page(graded(m, 2)))
    assert "They disagree by 2 grades" in said


@pytest.mark.parametrize(
    ("rule", "words"), [(3, "agree."), (4, "one grade."), (6, "3 grades"), (None, "none could be")]
)
def test_agreement_in_words(rule: int | None, words: str) -> None:
    ((text, strong),) = second(3, rule)
    assert words in text and strong == (rule == 6)


def test_an_abstention_is_the_headline_and_its_bars_are_faint() -> None:
    page = exam_page(graded(visit(0.4, "pre"), 5, abstained=True, reason="no smile_scan; are files swapped?"))
    said = first_screen(page)
    assert said.index("No grade") < said.index("The grader abstains: no smile scan; are files swapped?") < 400
    assert "swapped?." not in said and 'class="chances faint"' in page and "not to be believed here" in said
    assert '<td class="faint">V</td><td>IV</td>' in page
    assert "By rule alone" in said


def test_a_contradicted_side_gives_no_grade_at_all() -> None:
    result = graded(visit(0.3, "pre", side="right"), 5)
    assert result.affected_side_contradiction
    said = lead(result)
    assert (said["title"], said["figure"], said["faint"]) == ("Contradiction", "No grade", True)
    assert 'class="chances faint"' in exam_page(result)


def test_without_networks_the_rule_leads_and_says_that_it_is_alone() -> None:
    page = exam_page(exam_result(visit(0.4, "pre"), Grades(house_brackmann=5)))
    said = first_screen(page)
    assert "Leading estimate IV of VI" in said and "no second opinion" in said
    assert "estimate, by rule clinician" in said and 'class="chances' not in page.split("</style>")[1]


def test_date_device_and_the_affected_column_are_named() -> None:
    result = exam_result(visit(0.4, "pre")).model_copy(
        update={
            "date": datetime.date(2026, 3, 5),
            "device": "a scanner",
            "rest_light": "amber",
            "rest_reasons": ["why"],
        }
    )
    page = exam_page(result)
    assert "p1, pre · 5 March 2026 · a scanner · 8 expressions" in first_screen(page)
    assert "rest: the template fit is amber: why" in first_screen(page)
    assert re.search(r'<th[^>]*class="ill"><span class="less">subject’s </span>left, affected</th>', page)
    assert "Heights are above (+) or below" in page


def test_two_visits_are_told_in_words() -> None:
    before, after = visit(0.3, "pre"), visit(0.8, "post", without="snarl")
    results = [graded(before, 5), graded(after, 2)]
    result = compare_result(compare(before, after), results)
    assert result.lacking == {"post": ["snarl"]}
    assert "not compared, post lacks it: snarl" in result.to_text()
    assert "House-Brackmann by movement, leading estimate: V to II (better)" in result.to_text()
    page = compare_page(result)
    said = re.sub(r"<[^>]*>", " ", page)
    assert "post lacks snarl" in said and "Better:" in said and "Worse:" not in said
    worse = compare_result(compare(after, replace(before, visit="late")), results[::-1])
    said = re.sub(r"<[^>]*>", " ", compare_page(worse))
    assert "Worse:" in said and "Better:" not in said
    shown = {(s.scale, s.opinion): s for s in worse.scales}
    assert shown["House-Brackmann by movement", "leading estimate"].words == "worse"
    assert shown["function, mouth", "measured"].words == "worse"


def test_an_unchanged_face_is_called_neither_better_nor_worse() -> None:
    m = visit(0.4, "pre")
    result = compare_result(compare(m, replace(m, visit="post")), [exam_result(m), exam_result(m)])
    said = re.sub(r"<[^>]*>", " ", compare_page(result))
    assert "No end point changed" in said and "Better:" not in said and result.lacking == {}
    assert {s.words for s in result.scales} <= {"the same", "known at one visit only"}


def test_what_the_grader_does_not_believe_is_not_compared() -> None:
    m = visit(0.4, "pre")
    result = compare_result(
        compare(m, replace(m, visit="post")), [graded(m, 5, abstained=True, reason="x"), graded(m, 2)]
    )
    change = next(s for s in result.scales if s.opinion == "leading estimate")
    assert (change.before, change.after, change.words) == (None, 2, "known at one visit only")
