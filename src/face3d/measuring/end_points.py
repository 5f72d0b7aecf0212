"""What two visits are judged by, and what allowance is made for looking at much.

Of four hundred measures of an unchanged face twenty exceed their own detectable change. So a few end points are named
before anybody looks (`data/end_points.json`, or a laboratory's own), and together one of them is called by chance in
one of twenty pairs of visits: by Holm's procedure, whose first step, Bonferroni's, is a limit that can be named
beforehand and from which on a change is called whatever the others do. The rest is looked at under Holm's allowance for
all of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from face3d.errors import SchemaError
from face3d.landmarks import SIDES, other_side
from face3d.measuring.definitions import DEFINITIONS
from face3d.reference.entries import read_entries
from face3d.reference.repeatability import Repeatability

#: Error rate of one family: the end points of a pair of visits, or all the rest.
ALPHA = 0.05


@dataclass(frozen=True)
class EndPoint:
    """One measure of one place; `side` "affected", "healthy", "left", "right" or "both" (a row of both together)."""

    measure: str
    expression: str
    region: str
    side: str

    def __post_init__(self) -> None:
        if self.measure not in DEFINITIONS and self.measure.removesuffix("_ratio") not in DEFINITIONS:
            raise ValueError(f"measure {self.measure!r} is none of face3d's")
        if self.side not in ("affected", "healthy", *SIDES, "both"):
            raise ValueError(f'side {self.side!r}; expected "affected", "healthy", "left", "right" or "both"')

    def row(self, affected_side: str) -> tuple[str, str, str, str] | None:
        """Measure, expression, region and side of its row; None where no side is affected and it needs one."""
        side = self.side
        if side in ("affected", "healthy"):
            if affected_side not in SIDES:
                return None
            side = affected_side if side == "affected" else other_side(affected_side)
        return self.measure, self.expression, self.region, side


def load_end_points(path: str | Path | None = None) -> tuple[EndPoint, ...]:
    """The end points of a file, by default those shipped. Raises `SchemaError` that names the entry."""
    return _shipped() if path is None else _parsed(Path(path))


@cache
def _shipped() -> tuple[EndPoint, ...]:
    return _parsed(Path(str(files("face3d").joinpath("data/end_points.json"))))


def _parsed(path: Path) -> tuple[EndPoint, ...]:
    out = read_entries(path, "end_points", EndPoint, 'a file of end points: {"end_points": [...]}')
    if not out or len(set(out)) < len(out):
        raise SchemaError(f"{path}: no end point, or one twice; name each once, before the visits are looked at")
    return tuple(out)


@dataclass(frozen=True)
class Judgement:
    """Of one change: `mdc95` the detectable change by itself, `limit` from which on it is called as one of the end
    points, `p` of no true change by itself."""

    mdc95: float
    limit: float
    p: float


def judgement(change: float, values: Sequence[float], known: Repeatability, end_points: int) -> Judgement:
    """Of a change between two visits' `values`; `end_points` in the family, 0 for one of the rest (no limit then).

    The error of a visit is that of measuring and, where the repeatability is of a still face, what people differ by
    between takes (`Repeatability.error_at`).
    """
    from scipy.stats import t

    df = max(known.n - 1, 1)
    error = math.sqrt(2) * known.error_at(sum(abs(v) for v in values) / len(values))

    def beyond(share: float) -> float:
        return float(t.ppf(1 - share / 2, df)) * error

    p = 2 * float(t.sf(abs(change) / error, df)) if error > 0 and math.isfinite(change) else math.nan
    return Judgement(beyond(ALPHA), beyond(ALPHA / end_points) if end_points else math.nan, p)
