"""One scan in anatomical correspondence: fit, its quality, asymmetry at every input vertex, movement units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from face3d.errors import RegistrationError
from face3d.scan import FaceScan, Floats, Ints
from face3d.template.action_units import action_units
from face3d.template.asymmetry import CLEANED, REASONS, REJECTED, AsymmetryMap, asymmetry_map, carried
from face3d.template.fit import TemplateFit
from face3d.template.quality import FitQuality
from face3d.values import Value, locked

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Correspondence(Value):
    """`fit` in the canonical head frame, its `quality`; `map` the asymmetry on the template, None when the fit was
    rejected; `vectors_mm` (V, 3) the same at the scan's vertices, in the head frame, NaN where `reason` (V,) uint8
    (codes of `asymmetry.REASONS`) is not 0; `sd_mm` (V,) what they are uncertain by
    (`TemplateFit.sd_mm`); `action_units` the table of `action_units`, its numbers NaN when the fit was rejected."""

    fit: TemplateFit
    quality: FitQuality
    map: AsymmetryMap | None
    vectors_mm: Floats
    reason: np.ndarray
    action_units: pd.DataFrame
    sd_mm: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors_mm", locked(self.vectors_mm))
        object.__setattr__(self, "sd_mm", locked(self.sd_mm))
        object.__setattr__(self, "reason", locked(self.reason, np.uint8))

    @property
    def asymmetry_mm(self) -> Floats:
        """(V,) magnitude at the scan's vertices, NaN where not measured."""
        return np.linalg.norm(self.vectors_mm, axis=1)

    def spread(self, source: Ints) -> Correspondence:
        """The same for a scan whose vertices (V,) came from those numbered `source`, -1 where cleaning dropped them."""
        lost = source < 0
        return replace(
            self,
            vectors_mm=np.where(lost[:, None], np.nan, self.vectors_mm[source]),
            reason=np.where(lost, CLEANED, self.reason[source]),
            sd_mm=np.where(lost, np.nan, self.sd_mm[source]),
        )

    @property
    def unmeasured(self) -> dict[str, int]:
        """Reason -> number of vertices without an asymmetry."""
        counts = np.bincount(self.reason, minlength=len(REASONS))
        return {reason: int(n) for reason, n in zip(REASONS[1:], counts[1:], strict=True) if n}


def correspond(scan: FaceScan, fit: TemplateFit, quality: FitQuality, normals: Floats | None = None) -> Correspondence:
    """Measure a scan through the template laid on it; x = 0 of the fit's head frame is the face's symmetry plane.

    `normals` (V, 3): the scan's own, where they are known. A fit that is red, or has too little of both sides, comes
    back rejected, with NaN.
    """
    units = action_units(fit)
    count = len(scan.vertices)
    found = None
    if quality.light != "red":
        try:
            found = asymmetry_map(fit)
        except RegistrationError as error:
            quality = replace(quality, light="red", reasons=(*quality.reasons, str(error)))
    if found is None:
        units[["left", "right", "left_se", "right_se", "ratio"]] = np.nan
        nothing = np.full((count, 3), np.nan)
        return Correspondence(fit, quality, None, nothing, np.full(count, REJECTED), units, nothing[:, 0])
    both, reason = carried(fit, scan, np.column_stack([found.vectors_mm, fit.sd_mm]), normals)
    return Correspondence(fit, quality, found, both[:, :3], reason, units, both[:, 3])
