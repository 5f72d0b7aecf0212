"""One exam as one row: every grade under its own name, and nothing where nothing is known."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from face3d.exam import Grades
from face3d.grading.examination import Examination
from face3d.measuring.exam_measures import measure_vertices
from face3d.reference.scales import Sunnybrook
from face3d.report.exam_row import exam_row
from face3d.simulate.head import HeadModel
from palsy import face

MODEL = HeadModel.load()


def row(grade: Any = None, clinician: Grades | None = None, **more: Any) -> dict[str, Any]:
    rest, moved = face(MODEL, np.random.default_rng(1), 0.63, "left", **more)
    moved["tight_eye_closure"] = moved["gentle_eye_closure"]
    m = measure_vertices(rest, moved, MODEL, "left", "p1", "pre")
    exam = SimpleNamespace(grades=clinician, date=None)
    return exam_row(cast(Examination, SimpleNamespace(measures=m, grade=grade, exam=exam, notes=("one", "two"))))


def test_grades_stand_under_their_names() -> None:
    grade = SimpleNamespace(
        house_brackmann=2,
        confidence=0.8,
        severity=0.3,
        side="left",
        abstained=True,
        sunnybrook=SimpleNamespace(composite=71.4),
    )
    found = row(grade, Grades(house_brackmann=4, sunnybrook=Sunnybrook(0, 1, 0, (3,) * 5)))
    assert (found["subject"], found["visit"], found["expressions"]) == ("p1", "pre", 10)
    assert found["rule_house_brackmann_by_movement"] == 3
    assert found["rule_house_brackmann_descriptive"] == 4  # the eye stays open
    assert found["rule_sunnybrook_high"] - found["rule_sunnybrook_low"] == 10
    assert (found["network_house_brackmann_by_movement"], found["network_abstained"]) == (2, True)
    assert (found["clinician_house_brackmann"], found["clinician_sunnybrook"]) == (4, 55)
    assert found["rule_severity"] == pytest.approx(0.37, abs=0.05)
    assert found["stable_rms_mm"] < 0.15
    assert found["notes"] == "one; two"


def test_what_nobody_said_is_empty() -> None:
    found = row(clinician=Grades(sunnybrook=Sunnybrook(0, None, 0, (3,) * 5)))
    assert found["network_house_brackmann_by_movement"] is found["network_abstained"] is None
    assert found["clinician_house_brackmann"] is found["clinician_sunnybrook"] is None
