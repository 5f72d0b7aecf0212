"""`face3d evaluate`: what it prints and leaves behind."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from face3d import cli
from face3d.grading.example import POINTS, Example, Labels
from face3d.grading.grid import MARKS
from face3d.learn.evaluation import evaluate
from face3d.learn.example_files import write_example
from face3d.learn.predictions import Predictions, Truth
from face3d.report.evaluation_page import evaluation_page

pytest.importorskip("torch")


def example(k: int, grade: int | None, by_rule: int | None) -> Example:
    """An exam of which only labels and rules matter."""
    n, marks = 8, len(MARKS)
    side = "none" if grade == 1 else "left"
    rules = {"house_brackmann": by_rule, "severity": None if by_rule is None else (by_rule - 1) / 5, "side": side}
    severity = np.nan if grade is None else (grade - 1) / 5
    return Example(
        np.zeros((n, 3)),
        np.zeros((n, 3)),
        np.zeros((9, n, 3)),
        np.zeros((marks, 3)),
        np.zeros((9, marks, 3)),
        np.zeros((10, 4, 2)),
        np.zeros((10, 4, 2)),
        np.zeros((10, 6)),
        np.zeros((10, POINTS, 6)),
        {},
        Labels(grade, side, severity),
        {"subject": f"s{k}", "scanner": "x", "male": float(k % 2)},
        rules,
    )


def test_rules_on_stored_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    for k in range(12):
        grade = 1 + k % 6
        write_example(data / f"{k:02d}.npz", example(k, grade, None if k == 11 else grade + (k == 1)))
    assert cli.run(["evaluate", "rules", str(data), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "12 exams of 12 subjects" in said and "quadratic kappa" in said and "ECE" not in said
    stored = json.loads((out / "evaluation.json").read_text())
    assert stored["figures"]["exact"]["value"] == pytest.approx(10 / 11)  # the one that rules could not grade is out
    assert stored["figures"]["side"]["value"] == 1
    page = (out / "report.html").read_text()
    assert "the rule-based estimate" in page and "For research use only" in page
    assert not re.search(r"https?://|nan", page.split("</style>")[1])
    assert cli.run(["evaluate", "rules", str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == stored


def test_without_grades_or_weights_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_example(tmp_path / "0.npz", example(0, None, 3))
    assert cli.run(["evaluate", "rules", str(tmp_path)]) == 2
    assert "grades.house_brackmann" in capsys.readouterr().err
    write_example(tmp_path / "0.npz", example(0, 2, 3))
    assert cli.run(["evaluate", str(tmp_path / "none.safetensors"), str(tmp_path)]) == 2
    assert "none" in capsys.readouterr().err
    assert cli.run(["evaluate", "rules", str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_page_shows_what_is_known_of_each() -> None:
    grade = np.arange(24) % 6 + 1.0
    p = np.full((24, 6), 0.05) + 0.7 * np.eye(6)[grade.astype(int) - 1]
    none, unknown = np.full(24, "", object), np.full(24, np.nan)
    subject = np.array([f"<{k}>" for k in range(24)], object)
    truth = Truth(subject, grade, (grade - 1) / 5, none, np.full((24, 5), np.nan), unknown, unknown, unknown)
    told = Predictions.of(24, probabilities=p, severity=(grade - 1) / 5)
    e = evaluate(told, truth, {"scanner": ["<b>x</b>"] * 24})
    page = evaluation_page(e, told, truth, "<model>", "data & more")
    assert "&lt;model&gt;" in page and "<b>x" not in page and "data &amp; more" in page
    assert page.count("<figure") == 4 and page.count("<circle") > 24
    bare = Predictions.of(24, grade=grade)
    e = evaluate(bare, truth)
    assert evaluation_page(e, bare, truth, "m", "d").count("<figure") == 1  # no severity, no probabilities


def test_page_of_a_group_that_nobody_graded() -> None:
    grade = np.arange(30) % 6 + 1.0
    none, unknown = np.full(30, "", object), np.full(30, np.nan)
    truth = Truth(
        np.array([f"{k}" for k in range(30)], object),
        grade,
        unknown,
        none,
        np.full((30, 5), np.nan),
        unknown,
        unknown,
        unknown,
    )
    told = Predictions.of(30, grade=np.where(grade > 1, grade, np.nan))
    groups = {"palsy": ["none" if g == 1 else "some" for g in grade]}
    e = evaluate(told, truth, groups)
    assert list(e.groups["palsy"]) == ["some"]  # no table of a group that nobody graded
    # Neither in words nor in a drawing's coordinates.
    assert not re.search(r"[\"> ,]nan\b", evaluation_page(e, told, truth, "m", "d"))
    assert "nan" not in e.to_text()
