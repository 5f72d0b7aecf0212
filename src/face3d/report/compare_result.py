"""What `face3d compare` writes, as types from which the JSON Schema is exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from face3d.measuring.comparison import Comparison
from face3d.report.parts import NOTICE, SCHEMA_VERSION, Number, Part

if TYPE_CHECKING:
    pass


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
    mdc95: Number = Field(description="smallest change beyond measurement error, own, by simulation")
    mdc95_published: Number = Field(description="published of this very quantity; null where none was")
    beyond: bool | None = Field(description="|change| > mdc95; null where that is not known")
    toward_symmetry: bool | None
    perceptible: bool | None = Field(description="asymmetry at rest as large as observers notice, at the later visit")
    status: str


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
    notes: list[str]

    def to_json(self) -> str:
        """The content of result.json."""
        return self.model_dump_json(indent=1) + "\n"

    def to_text(self, most: int = 12) -> str:
        """A summary for the terminal: changes beyond measurement error, the largest against it first."""
        sides = f"ratios against the side {self.affected_side}"
        sides = "both sides affected, no ratios" if self.affected_side == "both" else sides
        lines = [f"{self.subject}: {self.baseline} to {', '.join(self.visits)}; {sides}"]
        judged = [c for c in self.changes if c.beyond is not None]
        beyond = sorted((c for c in judged if c.beyond), key=lambda c: -abs((c.change or 0) / (c.mdc95 or 1)))
        lines.append(f"{len(beyond)} of {len(judged)} measures changed by more than measuring alone explains (95 %)")
        for c in beyond[:most]:
            place = " ".join(p.replace("_", " ") for p in (c.region, "" if c.side == "both" else c.side) if p)
            lines.append(
                f"  {c.measure.replace('_', ' ')}, {c.expression.replace('_', ' ')}, {place}: "
                f"{c.before:.2f} to {c.after:.2f} {c.unit if c.unit != '1' else ''} (detectable {c.mdc95:.2f})"
            )
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes), self.notice])


def compare_result(c: Comparison) -> CompareResult:
    """A comparison, ready to be written."""
    import face3d

    return CompareResult(
        face3d_version=face3d.__version__,
        subject=c.subject,
        baseline=c.baseline,
        visits=list(c.visits),
        affected_side=c.affected_side,  # type: ignore[arg-type]
        changes=[ChangePart(**vars(change)) for change in c.changes],
        notes=list(c.notes),
    )
