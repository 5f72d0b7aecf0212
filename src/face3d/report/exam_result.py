"""What `face3d exam` and `face3d compare` write: results as types, from which the JSON Schemas are exported.

What was not measured is null, with the reason as its status. Never zero.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AliasChoices, Field

from face3d.exam import Grades
from face3d.measuring.definitions import DEFINITIONS
from face3d.measuring.exam_measures import Measures
from face3d.measuring.face_pattern import face_pattern
from face3d.measuring.scale_estimates import Estimates, estimate_scales
from face3d.reference.scales import ROMAN
from face3d.report.grade_part import GradePart
from face3d.report.parts import NOTICE, SCHEMA_VERSION, Number, Part
from face3d.report.sequence_result import SequenceResult, sequence_result

if TYPE_CHECKING:
    from face3d.exam import Exam
    from face3d.grading.examination import Examination
    from face3d.grading.grades import Grade
    from face3d.reference.questionnaires import Questionnaires
    from face3d.sequence.kinematics import Kinematics
    from face3d.template.quality import FitQuality


#: Why these numbers are kept, and what they give away.
_IDENTITY = (
    "distances over bone at rest, mm, to half a millimetre: only to see whether two visits are one person's. They show "
    "no face, but together they are as particular to a person as other body measures: treat them like the rest of this "
    "file, as pseudonymous data on health"
)


class ExpressionPart(Part):
    """How one expression was laid on the face at rest."""

    aligned_on: list[str] = Field(description="regions that are stable in this expression")
    alignment_rms_mm: Number = Field(description="movement that was left in those regions")
    light: Literal["green", "amber", "red"] | None = Field(None, description="may the template's fit be believed?")
    reasons: list[str] = Field([], description="why it is not green")


class MeasurePart(Part):
    """One number of the exam; definitions in `definitions`."""

    measure: str
    expression: str
    region: str
    side: Literal["left", "right", "both"]
    value: Number
    unit: str
    uncertainty: Number = Field(description="root mean square error on simulated faces of known truth; null if unknown")
    status: str = Field(description='"ok", or why there is no value')
    source: str


class EstimatesPart(Part):
    """Clinical scales estimated by rule from the measures; null where a movement was not measured."""

    label: str
    house_brackmann: int | None = Field(
        ge=1, le=6, description="by movement: House's measured rule, brow and mouth corner alone, in bands"
    )
    house_points: int | None = Field(ge=0, le=8, description="in quarters of the healthy side's movement")
    house_points_absolute: int | None = Field(
        None, ge=0, le=8, description="in quarters of a centimetre, as first published"
    )
    house_brackmann_descriptive: int | None = Field(
        ge=1,
        le=6,
        validation_alias=AliasChoices("house_brackmann_descriptive", "house_brackmann_regional"),
        description="by the words of the table, which clinicians use: the worst sign decides",
    )
    signs: dict[str, str] | None = Field(None, description="the table's words for rest, brow, eye, mouth, secondary")
    sunnybrook: dict[str, Any] | None = Field(
        description="composite null where the nasolabial fold was not judged; composite_range holds it all the same"
    )
    fngs2: dict[str, Any] | None
    eface_like: dict[str, Number] = Field(
        description="fissure_rest 0 wide, 100 balanced, 200 narrow; balance: weighted mean of the items judged"
    )
    stennert: dict[str, Any] | None = Field(
        None, description="signs, and least and most points at rest and in movement"
    )
    missing: list[str]


class PatternPart(Part):
    """Function of the affected brow and of the lower face, and what differs; a pattern, never a diagnosis."""

    upper: Number
    lower: Number
    difference: Number = Field(description="upper minus lower")
    low: Number = Field(description="of its 95 % interval")
    high: Number
    text: str


class ExamResult(Part):
    """Everything that was measured in one exam."""

    schema_version: Literal[1] = SCHEMA_VERSION
    face3d_version: str
    notice: str = NOTICE
    subject: str
    visit: str | None
    date: datetime.date | None = Field(None, description="of the visit, as entered")
    device: str | None = Field(None, description="the scanner, as entered")
    rest_light: Literal["green", "amber", "red"] | None = Field(
        None, description="of the scan at rest, see expressions"
    )
    rest_reasons: list[str] = Field([], description="why it is not green")
    affected_side: Literal["left", "right", "both", "none"]
    affected_side_source: Literal["given", "measured"]
    affected_side_contradiction: str = Field("", description="what was measured clearly against a given side; or empty")
    ratios: str = (
        "affected / healthy side along the healthy side's mirrored path, without what is passive: 0 dead, 1 healthy, "
        "errors to either side; smaller / larger where no side is affected; null where both are"
    )
    region_function: dict[str, Number] = Field(
        description="share of the healthy side's movement made by the affected side itself: 0 dead, 1 healthy, not cut"
    )
    severity: Number = Field(description="1 - mean of brow and mouth function: 0 healthy, 1 nothing left, not cut")
    expressions: dict[str, ExpressionPart]
    estimates: EstimatesPart
    pattern: PatternPart | None = Field(None, description="upper against lower face")
    clinician: dict[str, Any] | None = Field(description="what a clinician entered, beside the estimates")
    questionnaires: dict[str, Number] | None = Field(None, description="FaCE, FDI and SAQ as entered")
    grade: GradePart | None = Field(description="by the networks; null where they are not installed")
    measures: list[MeasurePart]
    definitions: dict[str, str] = Field(description="measure -> what it is")
    identity: dict[str, Number] = Field({}, description=_IDENTITY)
    kinematics: dict[str, SequenceResult] = Field({}, description="expression -> movement in time, where recorded")
    notes: list[str]

    def to_json(self) -> str:
        """The content of result.json."""
        return self.model_dump_json(indent=1) + "\n"

    def to_text(self) -> str:
        """A summary for the terminal."""
        name = f"{self.subject}/{self.visit}" if self.visit else self.subject
        words = {"none": "no side affected", "both": "both sides affected"}
        side = words.get(self.affected_side, f"affected side {self.affected_side}")
        source = self.affected_side_source + (", AGAINST WHAT WAS MEASURED" if self.affected_side_contradiction else "")
        lines = [f"{name}: {side} ({source}); {len(self.expressions)} expressions"]
        shares = ", ".join(f"{k.replace('_', ' ')} {_percent(v)}" for k, v in self.region_function.items())
        if self.affected_side != "both":
            lines.append(f"movement of the healthy side reached: {shares}")
        e = self.estimates
        parts = []
        if e.house_brackmann:
            parts.append(f"House-Brackmann by movement {ROMAN[e.house_brackmann - 1]} ({e.house_points} of 8 points)")
        if e.house_brackmann_descriptive:
            parts.append(f"descriptive {ROMAN[e.house_brackmann_descriptive - 1]}")
        if e.sunnybrook:
            parts.append(f"Sunnybrook {sunnybrook_text(e.sunnybrook)}")
        if e.fngs2:
            parts.append(f"FNGS 2.0 {ROMAN[e.fngs2['grade'] - 1]}")
        lines.append(f"{', '.join(parts) or 'no scale could be estimated'}: {e.label}")
        lines += [f"not estimated: {m}" for m in e.missing]
        if (p := self.pattern) is not None and p.low is not None and p.high is not None and p.low * p.high > 0:
            lines.append(f"brow less lower face {p.difference:+.2f} [{p.low:.2f}, {p.high:.2f}]: {p.text}")
        if self.grade is not None:
            lines.append(self.grade.told())
        if self.clinician and self.clinician.get("house_brackmann"):
            lines.append(f"clinician: House-Brackmann {ROMAN[self.clinician['house_brackmann'] - 1]}")
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes), self.notice])


def sunnybrook_text(estimate: Mapping[str, Any]) -> str:
    """The composite, or what it lies between where the nasolabial fold was not judged."""
    if estimate["composite"] is not None:
        return f"{estimate['composite']:g}"
    low, high = estimate["composite_range"]
    return f"{low} to {high}"


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{100 * value:.0f} %"


def _plain(value: Any) -> Any:
    """Dataclasses to dictionaries, NaN to None, recursively."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def examined_result(x: Examination) -> ExamResult:
    """The result of an examination, with what clinician and patient say in its exam."""
    return exam_result(
        x.measures,
        x.exam.grades,
        grade=x.grade,
        reported=x.exam.questionnaires,
        kinematics=x.kinematics,
        exam=x.exam,
        quality=x.fitted.quality,
    )


def exam_result(
    m: Measures,
    clinician: Grades | None = None,
    estimates: Estimates | None = None,
    grade: Grade | None = None,
    reported: Questionnaires | None = None,
    kinematics: Mapping[str, Kinematics] | None = None,
    exam: Exam | None = None,
    quality: Mapping[str, FitQuality] | None = None,
) -> ExamResult:
    """What was measured in an exam, with the scales it suggests and the networks' grade, ready to be written; beside
    them what clinician and patient say. `exam`: the one that was measured, `quality` of its fits by expression."""
    import face3d

    e = estimates or estimate_scales(m)
    sunnybrook = fngs = None
    if e.sunnybrook is not None:
        s = e.sunnybrook
        sunnybrook = _plain(s) | _plain(
            {
                "resting": s.scores.resting,
                "voluntary_score": s.scores.voluntary,
                "synkinesis_score": s.scores.synkinesis,
                "composite": s.composite,
                "composite_range": s.composite_range,
            }
        )
    if e.fngs2 is not None:
        fngs = _plain(e.fngs2) | {"total": e.fngs2.total, "grade": e.fngs2.grade}
    fits = {name: {"light": q.light, "reasons": list(q.reasons)} for name, q in (quality or {}).items()}
    at_rest = fits.get("rest", {})
    used = {r.measure if r.measure in DEFINITIONS else r.measure.removesuffix("_ratio") for r in m.rows}
    return ExamResult(
        face3d_version=face3d.__version__,
        subject=m.subject,
        visit=m.visit,
        date=exam.date if exam else None,
        device=exam.device if exam else None,
        rest_light=at_rest.get("light"),
        rest_reasons=at_rest.get("reasons", []),
        affected_side=m.affected_side,  # type: ignore[arg-type]
        affected_side_source=m.side_source,  # type: ignore[arg-type]
        affected_side_contradiction=m.contradiction,
        region_function=dict(m.region_function),
        severity=m.severity,
        expressions={
            name: ExpressionPart(aligned_on=list(moved.stable), alignment_rms_mm=moved.rms, **fits.get(name, {}))
            for name, moved in m.movements.items()
        },
        estimates=EstimatesPart(
            label=e.label,
            house_brackmann=e.house_brackmann,
            house_points=e.points,
            house_points_absolute=e.points_absolute,
            house_brackmann_descriptive=e.descriptive,
            signs=_plain(e.signs),
            sunnybrook=sunnybrook,
            fngs2=fngs,
            eface_like=_plain(e.eface) | e.eface.scores._asdict() | {"balance": e.eface.balance},
            stennert=_plain(e.stennert) | {"rest": list(e.stennert.rest), "motor": list(e.stennert.motor)},
            missing=list(e.missing),
        ),
        pattern=PatternPart(**vars(face_pattern(m))),
        clinician=_plain(clinician) if clinician is not None else None,
        questionnaires=_plain(reported) if reported is not None else None,
        grade=GradePart(**grade.to_dict()) if grade is not None else None,
        measures=[MeasurePart(**vars(r)) for r in m.rows],
        identity=dict(m.identity),
        definitions={name: DEFINITIONS[name].text for name in DEFINITIONS if name in used},
        kinematics={e: sequence_result(k) for e, k in (kinematics or {}).items()},
        notes=list(m.notes),
    )
