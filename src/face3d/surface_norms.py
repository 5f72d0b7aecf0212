"""Published norms of the surface distance, beside which a face's RMS is shown. For research use only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class SurfaceNorm:
    """Mean and SD (mm) of a region's RMS in a healthy population, with the method it was found by."""

    region: str
    side: str
    definition: str
    distance: str
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
    """The norm of exactly this quantity, None where none was published."""
    return _norms().get((region, side, definition, distance))


@cache
def _norms() -> dict[tuple[str, str, str, str], SurfaceNorm]:
    text = (files("face3d") / "data" / "surface_norms.json").read_text(encoding="utf-8")
    norms = [SurfaceNorm(**entry) for entry in json.loads(text)["norms"]]
    return {(n.region, n.side, n.definition, n.distance): n for n in norms}
