"""A grade as results hold it: of an exam, or of a recorded session."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from face3d.reference.scales import ROMAN
from face3d.report.parts import Number, Part


class GradePart(Part):
    """What networks and rules say together; see `abstained` first."""

    label: str
    house_brackmann: int = Field(ge=1, le=6, description="by movement")
    probabilities: list[float] = Field(description="of House-Brackmann I..VI by movement, calibrated")
    likely: list[int] = Field(description="grades that hold the true one in nine exams of ten")
    severity: float = Field(description="share of brow and mouth movement lost on the weaker side, 0..1")
    severity_se: float
    side: Literal["left", "right", "none"]
    region_function: dict[str, float]
    sunnybrook: dict[str, float]
    eface: dict[str, Number] = Field(description="null for items that no network was taught")
    house_brackmann_descriptive: int | None = Field(None, ge=1, le=6, description="the table's grade, by the networks")
    fngs2: dict[str, int] | None = Field(None, description="FNGS 2.0 items and total, of function and synkinesis")
    abstained: bool = Field(description="true: don't believe this grade")
    reason: str = Field(description="why it should not be believed; empty otherwise")

    def told(self) -> str:
        """One line for the terminal."""
        if self.abstained:
            return f"networks abstain: {self.reason}"
        best = self.house_brackmann - 1
        said = f"House-Brackmann by movement {ROMAN[best]} ({self.probabilities[best]:.0%})"
        return f"{said}, severity {self.severity:.2f}: {self.label}"
