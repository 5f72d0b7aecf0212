"""One face scan from raw vertices to numbers; the steps in the order in which they happen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import RigidTransform

from face3d.errors import RegistrationError
from face3d.geometry.distance import REASONS, SurfaceDistance, mirror_distance
from face3d.geometry.mesh import vertex_areas
from face3d.geometry.superimpose import Superimposition, SymmetryPlane
from face3d.io.expression_names import expression_of
from face3d.landmarking.placing import placed
from face3d.landmarking.pose import refined_frame
from face3d.measuring.regions import Region, Statistics, landmark_regions, region_table, statistics
from face3d.reference.distances import Distance
from face3d.reference.norms import SurfaceNorm, surface_norm
from face3d.scan import FaceScan, Floats
from face3d.template.correspondence import Correspondence, correspond
from face3d.template.fit import TemplateFit, fit_template
from face3d.template.midplane import Midplane, midplane
from face3d.template.quality import fit_quality
from face3d.values import Value, locked

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class WholeFace:
    """The face's surface distance in one number (RMS, mm), beside a published norm that was found the same way.

    The norm is one at rest and says nothing about a face in expression: `expression` is the one that the scan's name
    tells ("open_smile.ply"), None where it tells none, which is taken for a face at rest.
    """

    statistics: Statistics
    norm: SurfaceNorm
    expression: str | None = None

    @property
    def rms_mm(self) -> float:
        """Area-weighted root mean square distance, mm."""
        return self.statistics.rms

    @property
    def z(self) -> float:
        """Standard score of the RMS against the norm, positive when more asymmetric than the healthy mean; NaN of a
        face in expression."""
        return self.norm.z(self.statistics.rms) if self.expression in (None, "rest") else math.nan


@dataclass(frozen=True, eq=False, repr=False)
class Analysis(Value):
    """What was measured on one scan of V vertices; coordinates are the scan's own, mm, where nothing else is said.

    `landmarks` name -> (3,); `landmark_confidence` name -> 0..1, 1 where given by hand; `head` scan coordinates ->
    canonical head frame; `superimposition` how the mirror image was laid over the scan by its surface alone;
    `midplane` the symmetry plane and what it rests on; `surface` the distances and the reason at each vertex that has
    none; `face_regions` weights per vertex; `area_mm2` (V,) each vertex's share of the surface; `notes` what a reader
    of the numbers should know; `correspondence` what was measured through the template, None where it could not be
    laid on the scan (a note says why).
    """

    scan: FaceScan
    landmarks: Mapping[str, Floats]
    landmark_confidence: Mapping[str, float]
    head: RigidTransform
    superimposition: Superimposition
    midplane: Midplane
    surface: SurfaceDistance
    face_regions: tuple[Region, ...]
    area_mm2: Floats
    notes: tuple[str, ...]
    correspondence: Correspondence | None = None

    def __post_init__(self) -> None:
        marks = {k: locked(v) for k, v in self.landmarks.items()}
        object.__setattr__(self, "landmarks", MappingProxyType(marks))
        object.__setattr__(self, "landmark_confidence", MappingProxyType(dict(self.landmark_confidence)))
        object.__setattr__(self, "area_mm2", locked(self.area_mm2))

    def _repr_html_(self) -> str:
        from face3d.measuring.notebook import scan_html

        title = f"{self.scan.name}: whole face {self.whole_face.rms_mm:.2f} mm RMS surface distance"
        return scan_html(title, self.regions, self.notes, self.scan.moved(self.head), self.asymmetry_mm)

    @property
    def plane(self) -> SymmetryPlane:
        """The symmetry plane, which both distances are about; its normal points to the subject's left."""
        return self.midplane.plane

    @property
    def surface_distance_mm(self) -> Floats:
        """(V,) unsigned distance to the closest point of the mirrored face, NaN where it has no counterpart."""
        return self.surface.distance_mm

    @property
    def signed_surface_distance_mm(self) -> Floats:
        """(V,) the same, positive where the vertex lies outside the mirrored face."""
        return self.surface.signed_mm

    @property
    def unmeasured(self) -> dict[str, int]:
        """Reason -> number of vertices without a surface distance."""
        counts = np.bincount(self.surface.reason, minlength=len(REASONS))
        return {reason: int(n) for reason, n in zip(REASONS[1:], counts[1:], strict=True) if n}

    @property
    def asymmetry_mm(self) -> Floats:
        """(V,) magnitude of the asymmetry through anatomical correspondence, NaN where not measured."""
        return np.linalg.norm(self.asymmetry_vectors_mm, axis=1)

    @property
    def asymmetry_vectors_mm(self) -> Floats:
        """(V, 3) the same as vectors from the mirrored opposite place to this one, in the canonical head frame."""
        through = self.correspondence
        return np.full((len(self.scan.vertices), 3), np.nan) if through is None else through.vectors_mm

    @property
    def asymmetry_sd_mm(self) -> Floats:
        """(V,) what the asymmetry is uncertain by, mm (all three directions together): little where relief or noise
        could not hide that skin slid, more on forehead and temples; NaN where it was not measured."""
        through = self.correspondence
        return np.full(len(self.scan.vertices), np.nan) if through is None else through.sd_mm

    @property
    def vertex_results(self) -> dict[str, Floats]:
        """What was measured at each of the scan's vertices, as files and other libraries take it: name -> (V,) mm."""
        return {
            "asymmetry_mm": self.asymmetry_mm,
            "asymmetry_sd_mm": self.asymmetry_sd_mm,
            "surface_distance_mm": self.surface_distance_mm,
            "signed_surface_distance_mm": self.signed_surface_distance_mm,
        }

    @property
    def fit(self) -> TemplateFit:
        """The template laid on the scan, `vertices_mm` in the canonical head frame. Raises `RegistrationError` where
        it could not be laid on it."""
        if self.correspondence is None:
            raise RegistrationError(f"{self.scan.name}: the template could not be laid on it; see the analysis' notes")
        return self.correspondence.fit

    @property
    def action_units(self) -> pd.DataFrame:
        """One row a movement unit: see `face3d.template.action_units.action_units`; empty where there is no fit."""
        from face3d.template.action_units import no_action_units

        return no_action_units() if self.correspondence is None else self.correspondence.action_units

    @property
    def units_note(self) -> str:
        """How millimetres were arrived at."""
        return self.scan.units_note

    @property
    def whole_face(self) -> WholeFace:
        """The surface distance over the whole face beside the norm of Taylor 2014."""
        face = self.face_regions[0]
        norm = surface_norm(face.name, face.side, face.definition, Distance.SURFACE)
        assert norm is not None  # ships with the package
        return WholeFace(statistics(self.surface_distance_mm, self.area_mm2, face.weight), norm, _expression(self.scan))

    @cached_property
    def regions(self) -> pd.DataFrame:
        """One row a region and distance: see `face3d.measuring.regions.region_table`."""
        import pandas as pd

        at_rest = _expression(self.scan) in (None, "rest")
        table = region_table(self.surface_distance_mm, self.area_mm2, self.face_regions, Distance.SURFACE, at_rest)
        if self.correspondence is None:
            return table
        own = region_table(
            self.asymmetry_mm, self.area_mm2, self.face_regions, Distance.ASYMMETRY, at_rest, self.asymmetry_sd_mm
        )
        return pd.concat([table, own], ignore_index=True)


def _expression(scan: FaceScan) -> str | None:
    """The expression that a scan's name tells; None where it tells none."""
    return expression_of(Path(scan.name).stem)


def analyze(scan: FaceScan, debug_picture: Path | None = None) -> Analysis:
    """Measure one face scan, whatever its pose, crop or triangulation.

    Raises `ScanError` when nothing measurable is left after cleaning or nobody has a face of that size, `LandmarkError`
    when the landmarks that it carries cannot be right, `NoFaceError` when no face is found and no landmarks are given,
    `RegistrationError` when the mirror image cannot be laid over the face. Where no face is found,
    a picture of where it was looked for is written to `debug_picture`, if that is given.
    """
    at = placed(scan, debug_picture).superimposed()
    found, laid, rough = at.found, at.laid, at.head
    assert laid is not None and rough is not None
    cleaned, landmarks = at.cleaned, dict(found.landmarks)
    fit = quality = None
    unfitted = []
    try:
        fit = fit_template(cleaned.thin.scan, landmarks, found.confidence, found.dense).in_frame(rough)
        quality = fit_quality(fit)
    except RegistrationError as error:
        unfitted = [f"no asymmetry through correspondence: {error}"]
    middle = midplane(laid, fit if quality is not None and quality.light != "red" else None)
    head = refined_frame(found.frame, landmarks, middle.plane.normal, middle.plane.point)
    surface = mirror_distance(cleaned.scan, middle.plane, thin=cleaned.thin).spread(cleaned.source)
    area = np.zeros(len(scan.vertices))
    area[cleaned.kept] = vertex_areas(cleaned.scan)
    regions = landmark_regions(
        head.apply(scan.vertices), {name: head.apply(point) for name, point in landmarks.items()}
    )
    through = None
    if fit is not None and quality is not None:
        through = correspond(cleaned.scan, fit.in_frame(head), quality, cleaned.normals).spread(cleaned.source)
        if through.quality.light != "green":
            unfitted = [f"template fit, {through.quality.light}: {'; '.join(through.quality.reasons)}"]
    doubt = [middle.doubt] if middle.doubt else []
    notes = (*doubt, *at.notes, *_notes(scan, laid, head, found.frame), *unfitted)
    return Analysis(
        scan, landmarks, found.confidence, head, laid, middle, surface, tuple(regions), area, notes, through
    )


def _notes(scan: FaceScan, laid: Superimposition, head: RigidTransform, rough: RigidTransform) -> list[str]:
    notes = []
    if laid.overlap < 0.6:
        notes.append(
            f"only {laid.overlap:.0%} of the surface has a counterpart on the other side: a one-sided scan; what has "
            "none is not measured"
        )
    if laid.trusted < 0.15:
        notes.append(f"the superimposition trusts only {laid.trusted:.0%} of the overlap: a very asymmetric face")
    turned = np.degrees((head * rough.inv()).rotation.magnitude())
    if turned > 5.0:
        notes.append(f"the symmetry plane lies {turned:.1f} degrees off the landmarks' estimate; check the landmarks")
    if (expression := _expression(scan)) not in (None, "rest"):
        notes.append(f"named {expression.replace('_', ' ')}: not compared with the norm, which is of faces at rest")
    if not len(scan.faces):
        notes.append("point cloud: distances are to tangent planes, all points count alike")
    return notes
