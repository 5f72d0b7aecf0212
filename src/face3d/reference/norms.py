"""Reference values with the population, device and method that they come from, and what they allow to be said.

Methods are not interchangeable: smiles of healthy adults measure 9.3 mm by one and 13.7 mm by another. A z-score is
therefore given only against a norm of the same method, measure, expression and region; others are listed beside the
value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import SchemaError
from face3d.reference.agreement import Floats, person_weights, single_value
from face3d.reference.angles import gathered, turned
from face3d.reference.distances import Distance
from face3d.reference.entries import read_entries

if TYPE_CHECKING:
    import pandas as pd

#: The method of every measure that face3d takes through its template.
OUR_METHOD = "face3d_template"
#: Taylor's: face and mirror image superimposed without a midplane, RMS surface distance of the whole face.
MIRROR_RMS = "mirror_rms_whole_face"
KINDS = ("norm", "outcome", "repeatability", "perception")
#: Reference limits are not established from fewer people, and taken as percentiles only from so many (CLSI EP28-A3c;
#: from memory).
LEAST_PEOPLE, LEAST_FOR_PERCENTILES = 20, 120
#: Who has lost more of one side's brow and mouth movement is ill: the border of House-Brackmann II and III.
HEALTHY_LOSS = 0.25


_WHAT = "a file of norms, as `face3d norms` writes"


@dataclass(frozen=True)
class Norm:
    """A published or own reference value. `mean`, `sd`, `low` and `high` in `unit`; None where not published.

    `kind`: "norm" healthy people, "outcome" treated patients, "repeatability" detectable change or repeat error,
    "perception" the least that observers see. `side` "left", "right" or "both", None of either. `quantity`: what a
    repeatability is of, a measure of face3d by its name or another in words. `low` and `high` of angles may lie
    beyond half a turn: they enclose the mean.
    """

    measure: str
    unit: str
    method: str
    population: str
    source: str
    kind: str = "norm"
    expression: str | None = None
    region: str | None = None
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    device: str | None = None
    doi: str | None = None
    note: str | None = None
    quantity: str | None = None
    side: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Norm.kind = {self.kind!r}; expected one of {KINDS}")
        if self.mean is None and (self.low is None or self.high is None):
            raise ValueError(f"Norm of {self.measure!r} has neither a mean nor a range")
        if self.sd is not None and not self.sd > 0:
            raise ValueError(f"Norm of {self.measure!r} has sd = {self.sd}; expected a positive number")

    def __str__(self) -> str:
        if self.mean is None:
            value = f"{self.low:g}-{self.high:g}"
        else:
            value = f"{self.mean:g}" + (f" +- {self.sd:g}" if self.sd is not None else "")
        size = f", n = {self.n}" if self.n else ""
        return f"{value} {self.unit} ({self.population}{size}; {self.method}; {self.source})"


@dataclass(frozen=True)
class Reference:
    """A value beside a norm. `z` and `percentile` are None, with the `reason`, unless the methods match."""

    norm: Norm
    z: float | None
    percentile: float | None
    reason: str


def load_norms(path: str | Path | None = None) -> tuple[Norm, ...]:
    """The norms of a file, by default those shipped with face3d. Raises `SchemaError` that names the entry and
    field.
    """
    return _shipped() if path is None else tuple(read_entries(Path(path), "entries", Norm, _WHAT))


@cache
def _shipped() -> tuple[Norm, ...]:
    return load_norms(str(files("face3d").joinpath("data/norms.json")))


def write_norms(path: str | Path, norms: Iterable[Norm]) -> None:
    """Writes a file that `load_norms` reads."""
    rows = [{k: v for k, v in asdict(norm).items() if v is not None} for norm in norms]
    Path(path).write_text(json.dumps({"entries": rows}, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def find_norms(
    measure: str,
    expression: str | None = None,
    region: str | None = None,
    kind: str = "norm",
    norms: tuple[Norm, ...] | None = None,
    side: str | None = None,
) -> tuple[Norm, ...]:
    """Norms of a measure; `expression`, `region` and `side` narrow it when given (norms that name none always stay)."""
    return tuple(
        n
        for n in (load_norms() if norms is None else norms)
        if n.kind == kind
        and n.measure == measure
        and (expression is None or n.expression in (None, expression))
        and (region is None or n.region in (None, region))
        and (side is None or n.side in (None, side))
    )


def against(value: float, norm: Norm, method: str) -> Reference:
    """The value beside one norm; z and percentile only if `method` is the norm's.

    The percentile is that of a normal distribution known from `n` people (Crawford & Howell 1998, Clin Neuropsychol
    12:482): from ten, z = 2 is the 96th, not the 98th.
    """
    from scipy.stats import norm as normal
    from scipy.stats import t

    if not math.isfinite(value):
        return Reference(norm, None, None, "not measured")
    if method != norm.method:
        return Reference(norm, None, None, f"another method ({norm.method}, not {method}): side by side only")
    if norm.mean is None or norm.sd is None:
        return Reference(norm, None, None, "no mean and SD were published")
    z = turned(value - norm.mean, norm.unit) / norm.sd
    below = t.cdf(z / math.sqrt(1 + 1 / norm.n), norm.n - 1) if norm.n and norm.n > 1 else normal.cdf(z)
    return Reference(norm, z, 100 * float(below), "same method")


def norms_from(
    table: pd.DataFrame,
    population: str,
    source: str,
    method: str = OUR_METHOD,
    device: str | None = None,
    least: int = LEAST_PEOPLE,
) -> tuple[Norm, ...]:
    """A laboratory's own norms from a study of healthy people: one a measure, expression, region, side and unit.

    `table`: tidy, as `face3d batch` writes. Mean and SD are those of a single value, one side at one visit, as one
    patient's is compared with them; `n` counts people. `low` and `high` enclose the value of a further healthy person
    with 95 %. Measures of fewer than `least` people, or without any spread, are left out. Raises `SchemaError` where
    the study has fewer people, or names those who move too little on one side to be healthy.
    """
    keys = ["measure", "expression", "region", "side", "unit"]
    if missing := {"subject", "value", *keys} - set(table.columns):
        raise SchemaError(f"table: columns {sorted(missing)} are missing; see `face3d batch`")
    if (count := len(set(table["subject"].tolist()))) < max(least, 2):
        raise SchemaError(f"{count} people; norms take {max(least, 2)} healthy ones or more (120 for percentiles)")
    lost = table.loc[(table["measure"] == "severity") & (table["value"].astype(float) > HEALTHY_LOSS)]
    if len(lost):
        who = ", ".join(f"{s} ({v:.0%})" for s, v in zip(lost["subject"], lost["value"].astype(float), strict=True))
        raise SchemaError(
            f"not healthy: {who[:300]} of the movement of one side's brow and mouth is lost; more than "
            f"{HEALTHY_LOSS:.0%} is House-Brackmann III or worse by movement. Norms are of healthy people: leave "
            "them out"
        )
    norms = []
    for _, group in table.loc[np.isfinite(table["value"].astype(float))].groupby(keys):
        people = group["subject"].to_numpy()
        if len(set(people)) < max(least, 2) or len(set(group["value"])) < 2:
            continue
        measure, expression, region, side, unit = (str(group[key].iloc[0]) for key in keys)
        values = gathered(group["value"], unit)
        mean, sd, n = single_value(values, people)
        low, high = _range(values, people, mean, sd, n)
        turn = turned(mean, unit) - mean
        norms.append(
            Norm(
                measure,
                unit,
                method,
                population,
                source,
                expression=expression,
                region=region,
                mean=mean + turn,
                sd=sd,
                low=low + turn,
                high=high + turn,
                n=n,
                device=device,
                side=side,
            )
        )
    return tuple(norms)


def _range(values: Floats, people: ArrayLike, mean: float, sd: float, n: int) -> tuple[float, float]:
    """What encloses a further person's value with 95 %: percentiles at the places k / (n + 1), whatever the
    distribution; of too few people for that the tolerance limits (of 95 % in expectation) of a normal one."""
    from scipy.stats import t

    if n < LEAST_FOR_PERCENTILES:
        half = float(t.ppf(0.975, n - 1)) * sd * math.sqrt(1 + 1 / n)
        return mean - half, mean + half
    order = np.argsort(values)
    weight = person_weights(people)[0][order]
    place = (n * (np.cumsum(weight) - weight / 2) + 0.5) / (n + 1)
    low, high = np.interp([0.025, 0.975], place, values[order])
    return float(low), float(high)


def methods() -> Mapping[str, str]:
    """What the method names of the shipped norms mean."""
    return json.loads(files("face3d").joinpath("data/norms.json").read_text(encoding="utf-8"))["methods"]


@dataclass(frozen=True)
class SurfaceNorm:
    """Mean and SD (mm) of a region's RMS in a healthy population, with the method it was found by."""

    mean: float
    sd: float
    n: int
    population: str
    method: str
    caveat: str
    source: str

    @property
    def range_text(self) -> str:
        """The middle 95 % of a normal distribution, mean -+ 1.96 SD."""
        return f"{self.mean - 1.96 * self.sd:.2f}-{self.mean + 1.96 * self.sd:.2f}"

    @property
    def text(self) -> str:
        """Method, population and source in one sentence."""
        return (
            f"RMS {self.mean:.4g} +- {self.sd:.2g} mm, n = {self.n} {self.population}; {self.method}; {self.source} "
            f"({self.caveat})"
        )

    def z(self, rms: float) -> float:
        """Standard score of an RMS (mm): positive is more asymmetric than the healthy mean."""
        return (rms - self.mean) / self.sd


def surface_norm(region: str, side: str, definition: str, distance: str) -> SurfaceNorm | None:
    """The norm of exactly this quantity, None where none was published. All norms are in `data/norms.json`."""
    if (region, side, definition, distance) != ("face", "both", "face", Distance.SURFACE):
        return None
    for norm in find_norms("surface_rms", "rest", region):
        if norm.method == MIRROR_RMS and norm.mean is not None and norm.sd is not None:
            return SurfaceNorm(
                norm.mean,
                norm.sd,
                norm.n or 0,
                f"{norm.population}, {norm.device}, at rest",
                methods()[norm.method],
                norm.note or "",
                f"{norm.source}, doi:{norm.doi}",
            )
    return None
