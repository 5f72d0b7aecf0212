"""The whole job on one examination: scans -> meshes in correspondence -> measures -> grade."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from face3d.errors import MissingExtraError
from face3d.extras import require
from face3d.values import Value

if TYPE_CHECKING:
    from face3d.exam import Exam
    from face3d.grading.example import Example
    from face3d.grading.explanation import Explanation
    from face3d.grading.grades import Grade
    from face3d.measuring.exam_measures import Measures
    from face3d.sequence.kinematics import Kinematics
    from face3d.sequence.tracked import Tracked
    from face3d.template.exam_fit import FittedExam


@dataclass(frozen=True, eq=False, repr=False)
class Examination(Value):
    """What an exam says. `exam` what was examined; `fitted` its scans in correspondence; `measures` in mm and ratios;
    `grade` by the networks, None where torch is not installed; `kinematics` expression -> movement in time, of those
    that were recorded; `notes` what a reader of all this should know, the
    gravest first."""

    exam: Exam
    fitted: FittedExam
    measures: Measures
    grade: Grade | None
    kinematics: Mapping[str, Kinematics] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """Everything that was left out, doubtful or contradictory, said once."""
        doubts = () if self.grade is None or not self.grade.abstained else (f"grade: {self.grade.reason}",)
        return tuple(dict.fromkeys((*self.measures.notes, *doubts)))

    def _repr_html_(self) -> str:
        from html import escape

        said = "" if self.grade is None else f"<pre>{escape(self.grade.to_text())}</pre>"
        return self.measures._repr_html_() + said

    def explain(self, head: str = "severity") -> Explanation:
        """Why the grade is what it is, see `face3d.explain`. Raises `MissingExtraError` without torch."""
        return explain(self.exam, _there(self.grade), head)


def examine(
    exam: Exam, affected_side: str | None = None, step: Callable[[str], None] = lambda name: None, workers: int = 2
) -> Examination:
    """Fit, measure and grade an exam; each step happens once. A recorded expression is measured at its apex.

    `affected_side` "left", "right", "both" or "none" overrides what the exam says; where neither says it, it is found
    by measuring. `step` is told what begins: each expression, "measuring", "grading". `workers` scans are fitted at a
    time; the result does not depend on it. Raises `ScanError`, `LandmarkError` or `RegistrationError` when the rest
    scan cannot be used, `SchemaError` for an unknown side, `WeightsError` when the grader's files are damaged.
    """
    from face3d.grading.example import example_of
    from face3d.grading.grades import grade_examples
    from face3d.measuring.examination import measure_fitted
    from face3d.sequence.exam_sequences import with_apexes
    from face3d.template.exam_fit import fit_exam

    seen, in_time = with_apexes(exam, step)
    fitted = fit_exam(seen, step, workers)
    step("measuring")
    measures = measure_fitted(seen, fitted, affected_side)
    step("grading")
    try:
        require("torch")
    except MissingExtraError:
        return Examination(exam, fitted, measures, None, in_time)
    given = measures.affected_side if measures.side_source == "given" else None
    facts: dict[str, Any] = {"subject": exam.subject, "affected_side": given, **exam.clinical}
    graded = grade_examples([example_of(fitted, measures, facts=facts)])[0]
    return Examination(exam, fitted, measures, graded, in_time)


def grade(exam: Exam | FittedExam | Example | Tracked) -> Grade:
    """The grade of an exam, of one that has been fitted, of a tracked recording of several expressions, or of an
    example.

    Raises what `examine` raises, and `MissingExtraError` without the `learn` extra.
    """
    require("torch")
    from face3d.exam import Exam
    from face3d.grading.example import Example, example_of
    from face3d.grading.grades import grade_examples
    from face3d.grading.in_time import example_in_time
    from face3d.grading.recorded import kinematics
    from face3d.sequence.tracked import Tracked

    if isinstance(exam, Exam):
        return _there(examine(exam).grade)
    if isinstance(exam, Tracked):
        return grade_examples([example_in_time(exam, kinematics(exam))])[0]
    return grade_examples([exam if isinstance(exam, Example) else example_of(exam)])[0]


def explain(exam: Exam | Example, g: Grade | None = None, head: str = "severity") -> Explanation:
    """Why a grade `g` of an exam (made now where it is not given) is what it is: what each place of the face, in each
    movement, added to the answer `head`.

    Raises `ValueError` for an unknown head, and what `grade` raises.
    """
    from face3d.grading.explanation import explained

    return explained(grade(exam) if g is None else g, head)


def _there(found: Grade | None) -> Grade:
    """The grade; `MissingExtraError` where there is none for want of torch."""
    if found is None:
        require("torch")
        raise AssertionError("torch is there, and yet no grade was made")
    return found
