"""What a change between two visits is called: of what, where, better or worse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from face3d.report.frame import spoken

if TYPE_CHECKING:
    from face3d.measuring.comparison import Change
    from face3d.report.compare_result import ChangePart

#: Measures of which less is better, where nothing says what is nearer symmetry.
_LESS_IS_BETTER = ("severity", "synkinesis", "closure_gap", "overaction")
_NAMED = {
    "severity": "movement lost",
    "rest_difference": "left less right at rest",
    "synkinesis": "unasked movement",
}


def better(c: Change | ChangePart) -> bool | None:
    """Nearer symmetry, or less of what is an ill sign; None where neither can be said."""
    if c.toward_symmetry is not None:
        return c.toward_symmetry
    if c.measure in _LESS_IS_BETTER and c.change:
        return c.change < 0
    # An affected side that moves further in what was asked for.
    return c.change > 0 if c.end_point and c.side != "both" and c.change else None


def what_of(measure: str) -> str:
    """The measure, in words."""
    return _NAMED.get(measure, spoken(measure))


def where_of(measure: str, expression: str, region: str, side: str) -> str:
    """Side and region, and what was asked for where the measure's name does not say it."""
    own = "" if side == "both" else f"{spoken(side)} "
    said = ("all", "", measure, "rest" if measure == "rest_difference" else "")
    return f"{own}{spoken(region)}{'' if expression in said else f', {spoken(expression)}'}"


def told(c: Change | ChangePart) -> str:
    """Both: "brow raise (left brow)"."""
    return f"{what_of(c.measure)} ({where_of(c.measure, c.expression, c.region, c.side)})"
