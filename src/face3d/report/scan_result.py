"""What `result.json` holds: the one machine-readable result of a scan, as types. The JSON Schema is exported from here.

What was not measured is absent (no key) when it is a whole part, and null when it is a single number. Never zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from face3d.reference.distances import Distance
from face3d.report.movement_names import movement_text
from face3d.report.parts import NOTICE, SCHEMA_VERSION, Number, Part, Vector

if TYPE_CHECKING:
    from face3d.geometry.superimpose import SymmetryPlane
    from face3d.measuring.analysis import Analysis
    from face3d.template.midplane import Midplane


ALIGNMENT = (
    "mirror image laid over the original rigidly, point to plane, re-weighted so that displaced parts, hair and "
    "one-sided parts do not count; the symmetry plane by the surface alone follows from it"
)


class ScanPart(Part):
    """The scan that was measured."""

    name: str
    vertices: int = Field(ge=1)
    faces: int = Field(ge=0, description="0 for a point cloud")
    units_note: str = Field(description="how millimetres were arrived at")


class RigidPart(Part):
    """A rigid motion: x -> rotation @ x + translation."""

    rotation: tuple[Vector, Vector, Vector]
    translation_mm: Vector


class EvidencePart(Part):
    """The symmetry plane by one kind of evidence alone, and how far it lies from the one that is used."""

    normal: Vector = Field(description="unit, towards the subject's left")
    point_mm: Vector
    off_deg: Number = Field(description="degrees between it and the plane that is used")
    off_mm: Number = Field(description="largest distance between the two along the midline of the face")


class PlanePart(Part):
    """The plane of bilateral symmetry in the scan's own coordinates, which both distances are about."""

    normal: Vector = Field(description="unit, towards the subject's left")
    point_mm: Vector
    surface_alone: EvidencePart = Field(description="by laying the mirror image over the surface")
    corresponding_alone: EvidencePart | None = Field(
        description="by corresponding places of both sides, through the template; null where it is not on the scan"
    )
    corresponding_share: Number = Field(description="how much corresponding places counted in the plane, 0..1")
    why: str = Field(description="why they counted as much")
    doubt: str = Field(description="what a reader must know where the two do not agree; empty where they do")

    def to_text(self) -> str:
        """One line: which plane the numbers are about and how far each kind of evidence alone lies from it."""
        own = self.corresponding_alone
        if own is None:
            return "symmetry plane of both distances: by the surface alone"
        alone = (f"{_shown(e.off_deg)} degrees and {_shown(e.off_mm)} mm" for e in (self.surface_alone, own))
        return (
            f"symmetry plane of both distances: the surface alone lies {next(alone)} off it, corresponding places "
            f"alone {next(alone)}; these counted {self.corresponding_share or 0.0:.0%}, since {self.why}"
        )


class AlignmentPart(Part):
    """How the mirror image was laid over the scan. Reported beside every distance."""

    method: str
    rms_mm: Number = Field(description="weighted point-to-plane distance of the trusted part")
    trusted: Number = Field(description="share of the overlap that the alignment trusted, 0..1")
    overlap: Number = Field(description="share of the surface that has a counterpart on the other side, 0..1")
    uncertainty_deg: Number = Field(description="standard error of the plane's normal, from the fit itself")


class LandmarkPart(Part):
    """A landmark in the scan's own coordinates."""

    position_mm: Vector
    confidence: Number = Field(description="0..1; 1 where given by hand")
    source: Literal["given", "found"] = Field(description="given by hand, or found automatically")


class ReferencePart(Part):
    """A published range of healthy faces."""

    mean: float = Field(description="mm")
    sd: float = Field(gt=0, description="mm")
    n: int
    population: str
    method: str
    source: str
    caveat: str


class RegionPart(Part):
    """One distance over one region: area-weighted, in mm."""

    region: str
    side: Literal["left", "right", "both"]
    definition: str = Field(description="the definition of the regions: thirds are not interchangeable")
    mean: Number = Field(description="mean of the unsigned distance, mm")
    rms: Number = Field(description="root mean square, mm")
    p95: Number = Field(description="95th percentile of the unsigned distance, mm")
    max: Number = Field(description="largest unsigned distance, mm")
    coverage: Number = Field(description="share of the region's area that was measured, 0..1")
    uncertainty: Number = Field(
        default=None, description="what the region's asymmetry is uncertain by, mm; null for the surface distance"
    )
    z: Number = Field(default=None, description="(rms - reference.mean) / reference.sd; only by the same method")
    reference: ReferencePart | None = Field(
        default=None, description="healthy faces, this region's RMS by the same method"
    )


class DistancePart(Part):
    """A distance between the face and its mirror image: which one, over how much, by region."""

    definition: str
    measured: int = Field(ge=0, description="vertices that have a value")
    not_measured: dict[str, int] = Field(description="reason -> vertices without a value")
    regions: list[RegionPart]


class UnitPart(Part):
    """How much one movement unit acts on each side."""

    unit: str
    left: Number = Field(description="0..1")
    right: Number = Field(description="0..1")
    left_se: Number = Field(description="standard error by the fit's covariance")
    right_se: Number
    ratio: Number = Field(description="weaker over stronger side, null where neither is in use")
    relative: str = Field(description="what the movement is relative to")


class FitPart(Part):
    """May the template fit, and with it the asymmetry, be believed?"""

    light: Literal["green", "amber", "red"]
    reasons: list[str]
    residual_mm: Number = Field(description="median distance between template and scan")
    residual_p95_mm: Number
    uncovered: Number = Field(description="share of the template that the scan does not support, 0..1")


class Result(Part):
    """Everything that was measured on one scan."""

    schema_version: Literal[1] = SCHEMA_VERSION
    face3d_version: str
    notice: str = NOTICE
    scan: ScanPart
    to_head: RigidPart = Field(
        description="scan coordinates -> canonical head frame: x to the subject's left, y up, z to the front, mm"
    )
    plane: PlanePart
    alignment: AlignmentPart
    landmarks: dict[str, LandmarkPart]
    surface_distance: DistancePart
    asymmetry: DistancePart | None = Field(default=None, description="through anatomical correspondence")
    action_units: list[UnitPart] | None = Field(
        default=None, description="of each side, estimated through the correspondence"
    )
    fit: FitPart | None = Field(default=None, description="the template fit behind the correspondence")
    notes: list[str] = Field(description="what a reader of the numbers should know")

    def to_json(self) -> str:
        """The content of result.json: parts that were not measured are left out, single numbers are null."""
        absent = {name for name in type(self).model_fields if getattr(self, name) is None}
        return self.model_dump_json(indent=2, exclude=absent) + "\n"

    def to_text(self) -> str:
        """A summary for the terminal: the whole face, the regions that differ most, the movement of each side."""
        whole, *_ = (r for r in self.surface_distance.regions if (r.definition, r.side) == ("face", "both"))
        lines = [f"{self.scan.name}: {self.scan.vertices:,} vertices; units: {self.scan.units_note}"]
        against = ""
        if whole.z is not None and whole.reference is not None:
            norm = whole.reference
            against = f", z {whole.z:+.1f} against {norm.mean} +- {norm.sd} mm ({norm.source}; healthy, at rest)"
        lines += [f"whole face, RMS of the surface distance: {_shown(whole.rms)} mm{against}"]
        other = {(r.region, r.side, r.definition): r.rms for r in self.asymmetry.regions} if self.asymmetry else {}
        if other:
            lines += [f"whole face, RMS of the asymmetry: {_shown(other['face', 'both', 'face'])} mm"]
        lines += [f"{'RMS, mm':<22} surface distance   {'asymmetry' if other else ''}".rstrip()]
        subunits = [r for r in self.surface_distance.regions if r.definition == "subunit" and r.rms is not None]
        for r in sorted(subunits, key=lambda r: -(r.rms or 0.0))[:6]:
            name = f"{r.region.replace('_', ' ')}, {r.side}"
            through = _shown(other.get((r.region, r.side, "subunit"))) if other else ""
            lines += [f"  {name:<20} {_shown(r.rms):>16}   {through:>9}".rstrip()]
        lines += [self.plane.to_text()]
        units = sorted(self.action_units or [], key=lambda u: -max(u.left or 0.0, u.right or 0.0))
        if units:
            moves = (f"{movement_text(u.unit)} {_shown(u.right)} : {_shown(u.left)}" for u in units[:3])
            lines += [f"strongest movements, right : left, 0 to 1: {'; '.join(moves)}"]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes), self.notice])


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def result_of(analysis: Analysis) -> Result:
    """What was measured on a scan, ready to be written."""
    import face3d

    scan, laid = analysis.scan, analysis.superimposition
    across, up, forward = (_vector(row) for row in analysis.head.rotation.as_matrix())
    return Result(
        face3d_version=face3d.__version__,
        scan=ScanPart(
            name=scan.name, vertices=len(scan.vertices), faces=len(scan.faces), units_note=analysis.units_note
        ),
        to_head=RigidPart(rotation=(across, up, forward), translation_mm=_vector(analysis.head.translation)),
        plane=_plane(analysis.midplane),
        alignment=AlignmentPart(
            method=ALIGNMENT,
            rms_mm=laid.rms_mm,
            trusted=laid.trusted,
            overlap=laid.overlap,
            uncertainty_deg=laid.uncertainty_deg,
        ),
        landmarks={
            name: LandmarkPart(
                position_mm=_vector(point),
                confidence=analysis.landmark_confidence.get(name),
                source="given" if name in scan.landmarks else "found",
            )
            for name, point in sorted(analysis.landmarks.items())
        },
        surface_distance=DistancePart(
            definition=Distance.SURFACE.definition,
            measured=int(np.isfinite(analysis.surface_distance_mm).sum()),
            not_measured=analysis.unmeasured,
            regions=_regions(analysis, Distance.SURFACE),
        ),
        **_through_correspondence(analysis),
        notes=list(analysis.notes),
    )


def _plane(middle: Midplane) -> PlanePart:
    def evidence(plane: SymmetryPlane, off: tuple[float, float]) -> EvidencePart:
        return EvidencePart(normal=_vector(plane.normal), point_mm=_vector(plane.point), off_deg=off[0], off_mm=off[1])

    own = middle.corresponding
    return PlanePart(
        normal=_vector(middle.plane.normal),
        point_mm=_vector(middle.plane.point),
        surface_alone=evidence(middle.surface, middle.surface_off),
        corresponding_alone=None if own is None else evidence(own, middle.corresponding_off),
        corresponding_share=middle.share,
        why=middle.why,
        doubt=middle.doubt,
    )


def _through_correspondence(analysis: Analysis) -> dict[str, Any]:
    """The parts of a result that need the template; none when it was not fitted."""
    through = analysis.correspondence
    if through is None:
        return {}
    quality = through.quality
    known = ("light", "residual_mm", "residual_p95_mm", "uncovered")
    parts = {"fit": FitPart(reasons=list(quality.reasons), **{key: getattr(quality, key) for key in known})}
    if through.map is None:  # rejected: there are no numbers
        return parts
    return parts | {
        "asymmetry": DistancePart(
            definition=f"{Distance.ASYMMETRY.definition}; about the same symmetry plane as the surface distance",
            measured=int(np.isfinite(through.asymmetry_mm).sum()),
            not_measured=through.unmeasured,
            regions=_regions(analysis, Distance.ASYMMETRY),
        ),
        "action_units": [UnitPart(**row) for row in through.action_units.to_dict("records")],
    }


def _regions(analysis: Analysis, distance: str) -> list[RegionPart]:
    from face3d.reference.norms import surface_norm

    parts = []
    for row in analysis.regions.query("distance == @distance").to_dict("records"):
        norm = surface_norm(row["region"], row["side"], row["definition"], row["distance"])
        norm = norm if np.isfinite(row["reference_mean"]) else None  # of a face in expression there is none
        known = ("mean", "sd", "n", "population", "method", "source", "caveat")
        reference = norm and ReferencePart(**{key: getattr(norm, key) for key in known})
        numbers = {key: row[key] for key in ("mean", "rms", "p95", "max", "coverage", "uncertainty", "z")}
        parts.append(
            RegionPart(
                region=row["region"], side=row["side"], definition=row["definition"], reference=reference, **numbers
            )
        )
    return parts


def _vector(values: ArrayLike) -> tuple[float, float, float]:
    x, y, z = np.asarray(values, np.float64).tolist()
    return x, y, z


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of result.json."""
    schema = Result.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "result.schema.json", **schema}
