"""Published norms of the surface distance, beside which a face's RMS is shown. For research use only."""

from __future__ import annotations

from dataclasses import dataclass

from face3d.reference.norms import MIRROR_RMS, find_norms, methods


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
    if (region, side, definition, distance) != ("face", "both", "face", "surface distance"):
        return None
    for norm in find_norms("surface_rms", "rest", region):
        if norm.method == MIRROR_RMS and norm.mean is not None and norm.sd is not None:
            return SurfaceNorm(
                norm.mean, norm.sd, norm.n or 0, f"{norm.population}, {norm.device}, at rest",
                methods()[norm.method], norm.note or "", f"{norm.source}, doi:{norm.doi}",
            )  # fmt: skip
    return None
