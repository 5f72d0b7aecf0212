"""Columns of predictions: from networks, rules and labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from face3d.grading.example import POINTS, Example, Labels, mirrored
from face3d.grading.grid import MARKS, grid_of
from face3d.learn.predictions import Predictions, by_model, groups_of, of_outputs, of_rules, truth_of
from face3d.template.template import FaceTemplate

torch = pytest.importorskip("torch")


def exam(k: int, rules: dict | None = None, **facts: object) -> Example:
    template = FaceTemplate.load()
    grid, rng = grid_of(template), np.random.default_rng(k)
    n, m, u = len(grid.nodes), len(MARKS), len(template.units)
    return Example(
        grid.positions,
        np.tile([0.0, 0.0, 1.0], (n, 1)),
        rng.normal(0, 1, (9, n, 3)),
        np.zeros((m, 3)),
        np.zeros((9, m, 3)),
        np.zeros((10, u, 2)),
        np.ones((10, u, 2)),
        np.zeros((10, 6)),
        np.zeros((10, POINTS, 6)),
        {},
        Labels(2, "left", 0.1),
        {"subject": f"s{k}", **facts},
        rules or {},
    )


def test_the_grade_is_the_most_probable_one() -> None:
    p = Predictions.of(3, probabilities=[[0.1, 0.6, 0.3, 0, 0, 0], [np.nan] * 6, [0, 0, 0, 0, 0, 1]])
    assert p.grade[[0, 2]].tolist() == [2, 6] and np.isnan(p.grade[1])
    assert p.rows(np.array([2, 2])).grade.tolist() == [6, 6]
    assert p.expected_error[0] == pytest.approx(0.1 + 0.3)


def test_outputs_tell_of_the_side_that_they_call_ill() -> None:
    from face3d.grading.heads import Outputs

    function = torch.tensor([[[0.2] * 5, [1.0] * 5], [[1.0] * 5, [0.6] * 5], [[1.0] * 5, [0.9] * 5]])
    logits = torch.tensor([[3.0, 0, 0], [0, 3.0, 0], [0, 0, 3.0]])
    items = [torch.full((3, k), 2.0) for k in (3, 5, 5, 15, 6)]
    p = of_outputs(Outputs(torch.eye(6)[:3], torch.tensor([0.8, 0.4, 0.0]), logits, function, *items))
    assert p.side.tolist() == ["left", "right", "none"]
    assert np.allclose(p.function[:, 0], [0.2, 0.6, 0.9])
    assert np.allclose(p.composite, 4 * 10 - 5 * 6 - 10)


def test_weights_of_a_file_grade_and_mirror(tmp_path: Path) -> None:
    from face3d.grading.weights import save_grader
    from face3d.learn.architectures import build

    torch.manual_seed(0)
    save_grader(tmp_path / "g.safetensors", [build("correspondence")], {"architecture": "correspondence", "size": {}})
    exams = [exam(k) for k in range(3)]
    p = by_model(str(tmp_path / "g.safetensors"), exams)
    grid = grid_of(FaceTemplate.load())
    m = by_model(str(tmp_path / "g.safetensors"), [mirrored(e, grid) for e in exams])
    assert p.probabilities.shape == (3, 6) and np.allclose(p.probabilities, m.probabilities, atol=1e-5)
    other = {"left": "right", "right": "left", "none": "none"}
    assert [other[s] for s in p.side] == m.side.tolist()


def test_rules_that_could_not_grade_say_nothing() -> None:
    rules = {"house_brackmann": 3, "severity": 0.4, "side": "left", "region_function": (0.6,) * 5, "composite": None}
    p = of_rules([exam(0, rules), exam(1), exam(2, {"house_brackmann": None, "severity": None, "side": "right"})])
    assert p.grade[0] == 3 and np.isnan(p.grade[1:]).all() and np.isnan(p.composite[0])
    assert p.side.tolist() == ["left", "", "right"] and np.isnan(p.function[1:]).all()


#: Shares, as the simulator tells them: the largest names the group.
ANCESTRY = {"ancestry_african": 0.2, "ancestry_asian": 0.5, "ancestry_european": 0.3}


def test_labels_and_groups() -> None:
    e = exam(0, scanner="x", kind="a", age_years=39.9, male=1.0)
    nameless = replace(exam(1, device="y", age_years=70, male=0, head="embedded", **ANCESTRY), labels=Labels())
    nameless = replace(nameless, facts={**nameless.facts, "subject": ""})
    t = truth_of([e, nameless])
    assert t.subject.tolist() == ["s0", "exam 1"] and t.grade[0] == 2 and np.isnan(t.grade[1]) and t.side[1] == ""
    assert groups_of([e, nameless]) == {
        "scanner": ["x", "y"],
        "movement": ["a", ""],
        "age": ["18 to 39", "60 and over"],
        "sex": ["male", "female"],
        "head": ["", "embedded"],
        "ancestry": ["", "asian"],
    }
