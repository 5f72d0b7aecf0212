"""What `face3d compare` writes, as types from which the JSON Schema is exported."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from face3d.exam import EXPRESSIONS
from face3d.measuring.comparison import Comparison
from face3d.report.frame import spoken
from face3d.report.parts import NOTICE, SCHEMA_VERSION, Number, Part
from face3d.report.scale_changes import FUNCTION, SEVERITY, ScaleChange, scale_changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from face3d.report.exam_result import ExamResult


#: Scales that the terminal tells.
TOLD = ("House-Brackmann by movement", SEVERITY)


class ChangePart(Part):
    """One measure at the first visit and a later one."""

    measure: str
    expression: str
    region: str
    side: Literal["left", "right", "both"]
    unit: str
    visit: str
    before: Number
    after: Number
    change: Number
    mdc95: Number = Field(description="smallest change beyond error, of this measure alone; people's scatter included")
    mdc95_published: Number = Field(description="published of this very quantity; null where none was")
    beyond: bool | None = Field(description="p_adjusted < 0.05; null where that is not known")
    toward_symmetry: bool | None
    perceptible: bool | None = Field(description="asymmetry at rest as large as observers notice, at the later visit")
    status: str
    end_point: bool = Field(False, description="one of those named beforehand, by which visits are judged")
    limit: Number = Field(None, description="of an end point: the change from which on it is called")
    p: Number = Field(None, description="of no true change, by itself")
    p_adjusted: Number = Field(None, description="for the number of end points, or of the rest (Holm)")


class CompareResult(Part):
    """Changes between visits of one person."""

    schema_version: Literal[1] = SCHEMA_VERSION
    face3d_version: str
    notice: str = NOTICE
    subject: str
    baseline: str
    visits: list[str]
    affected_side: Literal["left", "right", "both", "none"]
    changes: list[ChangePart]
    cautions: list[str] = Field(
        [], description="how many calls chance alone makes, and what else changes unchanged people"
    )
    notes: list[str]
    dates: dict[str, datetime.date] = Field({}, description="visit -> its date, as entered")
    lacking: dict[str, list[str]] = Field(
        {}, description="visit -> expressions that it lacks though another visit has them; these were not compared"
    )
    scales: list[ScaleChange] = Field([], description="grades and function at the first and each later visit")

    def to_json(self) -> str:
        """The content of result.json."""
        return self.model_dump_json(indent=1) + "\n"

    def to_text(self, most: int = 12) -> str:
        """A summary for the terminal: changes beyond measurement error, the largest against it first."""
        sides = f"ratios against the side {self.affected_side}"
        sides = "both sides affected, no ratios" if self.affected_side == "both" else sides
        lines = [f"{self.subject}: {self.baseline} to {', '.join(self.visits)}; {sides}"]
        for visit in self.visits:
            lines += self._of_visit(visit, most)
        lines += [
            f"not compared, {visit} lacks it: {', '.join(spoken(e) for e in names)}"
            for visit, names in self.lacking.items()
        ]
        lines += [f"caution: {c}" for c in self.cautions]
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes), self.notice])

    def _of_visit(self, visit: str, most: int) -> list[str]:
        """The end points, every one; of the rest those that are beyond, the surest first."""
        own = [c for c in self.changes if c.visit == visit and c.beyond is not None]
        points, rest = [c for c in own if c.end_point], [c for c in own if not c.end_point]
        called = sorted((c for c in rest if c.beyond), key=lambda c: c.p or 0.0)
        said = [s.to_text() for s in self.scales if s.visit == visit and s.scale in TOLD]
        lines = [f"{visit}: {'; '.join(said)}"] if said else []
        lines += [f"{visit}: {sum(bool(c.beyond) for c in points)} of {len(points)} end points changed"]
        lines += [f"  {'CHANGED' if c.beyond else 'no call'}  {_told(c, c.limit)}" for c in points]
        lines.append(f"  of {len(rest)} other measures {len(called)} changed, with allowance for their number")
        return lines + [f"    {_told(c, c.mdc95)}" for c in called[:most]]


def _told(c: ChangePart, limit: float | None) -> str:
    place = " ".join(p.replace("_", " ") for p in (c.region, "" if c.side == "both" else c.side) if p)
    unit = c.unit if c.unit != "1" else ""
    return (
        f"{c.measure.replace('_', ' ')}, {c.expression.replace('_', ' ')}, {place}: "
        f"{c.before:.2f} to {c.after:.2f} {unit}".rstrip()
        + f" (detectable {limit or 0:.2f})"
    )


def cautions(c: Comparison) -> list[str]:
    """What is to be known before a change is believed."""
    rest = sum(x.beyond is not None and not x.end_point for x in c.changes) / max(len(c.visits), 1)
    return [
        f"of a person without any change 0.05 end points a visit are called, and of the {rest:.0f} other measures 0.05 "
        f"too; without the allowance {0.05 * rest:.0f} of them would exceed their own detectable change",
        "regression to the mean: a measure that was extreme at the first visit, or for which the visit was made, comes "
        "nearer the usual by itself; a control group tells that from an effect (face3d study --change --groups)",
    ]


def compare_result(c: Comparison, visits: Sequence[ExamResult] = ()) -> CompareResult:
    """A comparison, ready to be written. `visits`: the results that were compared, in order; with them the grades are
    put beside each other, and what a visit lacks is said."""
    import face3d

    names = (c.baseline, *c.visits)
    shown = {name: set(v.expressions) | _measured(v) for name, v in zip(names, visits, strict=bool(visits))}
    every = set().union(*shown.values())
    lacking = {name: [e for e in EXPRESSIONS if e in every - own] for name, own in shown.items()}

    return CompareResult(
        face3d_version=face3d.__version__,
        subject=c.subject,
        baseline=c.baseline,
        visits=list(c.visits),
        affected_side=c.affected_side,  # type: ignore[arg-type]
        changes=[ChangePart(**vars(change)) for change in c.changes],
        cautions=cautions(c),
        notes=list(c.notes),
        dates={name: v.date for name, v in zip(names, visits, strict=False) if v.date is not None},
        lacking={name: missing for name, missing in lacking.items() if missing},
        scales=[
            s.model_copy(update={"beyond": _beyond(c, s)})
            for name, v in zip(names[1:], visits[1:], strict=False)
            for s in scale_changes(visits[0], v, name)
        ],
    )


def _beyond(c: Comparison, s: ScaleChange) -> bool | None:
    """Whether a share changed by more than error explains: the same as is said of its measure."""
    measure, region = ("severity", "face") if s.scale == SEVERITY else ("function", s.scale.removeprefix(FUNCTION))
    if not s.share:
        return None
    found = (x for x in c.changes if (x.measure, x.expression, spoken(x.region)) == (measure, "all", region))
    return next((x.beyond for x in found if x.visit == s.visit), None)


def _measured(result: ExamResult) -> set[str]:
    """Expressions of which there is any value: stored results of former versions name them in no other place."""
    return {m.expression for m in result.measures if m.value is not None and m.expression in EXPRESSIONS}
