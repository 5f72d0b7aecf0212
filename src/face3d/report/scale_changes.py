"""Grades and function of two visits beside each other, and what that means in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from face3d.reference.scales import ROMAN
from face3d.report.exam_result import ExamResult
from face3d.report.frame import spoken
from face3d.report.parts import Number, Part

#: What is measured and no scale: the whole, and how a region's share begins.
SEVERITY, FUNCTION = "movement lost", "function, "
#: Scales whose high numbers are good; of the others low ones are.
_HIGH_IS_GOOD = ("Sunnybrook", "function")


class ScaleChange(Part):
    """One scale at the first visit and at a later one. Grades move in steps: a change of one may be rounding alone."""

    scale: str
    opinion: str = Field(description="whose: leading estimate, by rule, clinician")
    visit: str
    before: Number
    after: Number
    roman: bool = Field(description="a grade I to VI, written in Roman numerals")
    share: bool = Field(description="a share, 0..1")
    better: bool | None = Field(description="null where it is the same, or one of the two is not known")
    beyond: bool | None = Field(default=None, description="of a share: by more than error explains; null of grades")

    def shown(self, value: float | None) -> str:
        """A value as it is written."""
        if value is None:
            return "–"
        if self.roman:
            return ROMAN[round(value) - 1]
        if self.scale == SEVERITY:  # measured shares err to either side of nothing and all
            value = min(max(value, 0.0), 1.0)
        # + 0: what rounds to 0 has no sign.
        return f"{round(100 * value) + 0} %".replace("-", "−") if self.share else f"{value:.0f}"

    @property
    def words(self) -> str:
        """What the change means."""
        if self.before is None or self.after is None:
            return "known at one visit only"
        if self.better is None:
            return "the same"
        if self.beyond is False:
            return "within error"
        return "better" if self.better else "worse"

    def to_text(self) -> str:
        """One line, without the visit."""
        return f"{self.scale}, {self.opinion}: {self.shown(self.before)} to {self.shown(self.after)} ({self.words})"


def scale_changes(before: ExamResult, after: ExamResult, visit: str) -> list[ScaleChange]:
    """The scales of two visits that at least one of them has."""
    first, second = _scales(before), _scales(after)
    same_side = before.affected_side == after.affected_side
    out = []
    for key in [*first, *(k for k in second if k not in first)]:
        scale, opinion, roman, share = key
        a, b = first.get(key), second.get(key)
        if (share and not same_side) or a is b is None:  # shares of another side are no change
            continue
        better = None
        if a is not None and b is not None and a != b:
            better = (b > a) == scale.startswith(_HIGH_IS_GOOD)
        out.append(
            ScaleChange(
                scale=scale, opinion=opinion, visit=visit, before=a, after=b, roman=roman, share=share, better=better
            )
        )
    return out


def _scales(result: ExamResult) -> dict[tuple[str, str, bool, bool], float | None]:
    """(scale, whose, in Roman numerals, a share) -> value."""
    return {(scale, whose, roman, share): value for scale, whose, roman, share, value in _rows(result)}


def _rows(result: ExamResult) -> Iterator[tuple[str, str, bool, bool, Any]]:
    e, g, c = result.estimates, result.grade, result.clinician or {}
    g = None if g is None or g.abstained or result.affected_side_contradiction else g
    rule = "second opinion, by rule" if result.grade is not None else "by rule"
    movement, descriptive = "House-Brackmann by movement", "House-Brackmann, descriptive"
    yield movement, "leading estimate", True, False, g and g.house_brackmann
    yield movement, rule, True, False, e.house_brackmann
    yield descriptive, "leading estimate", True, False, g and g.house_brackmann_descriptive
    yield descriptive, rule, True, False, e.house_brackmann_descriptive
    yield descriptive, "clinician", True, False, c.get("house_brackmann")
    yield "Sunnybrook, 0 to 100", "leading estimate", False, False, g and g.sunnybrook["composite"]
    yield "Sunnybrook, 0 to 100", rule, False, False, (e.sunnybrook or {}).get("composite")
    yield "Sunnybrook, 0 to 100", "clinician", False, False, c.get("sunnybrook_composite")
    yield "FNGS 2.0", rule, True, False, (e.fngs2 or {}).get("grade")
    yield SEVERITY, "measured", False, True, result.severity
    for region, value in result.region_function.items():
        yield f"{FUNCTION}{spoken(region)}", "measured", False, True, value
