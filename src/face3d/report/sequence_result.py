"""What `face3d sequence` writes of a recording, as a type, from which its JSON Schema is exported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from face3d.report.grade_part import GradePart
from face3d.report.parts import NOTICE, SCHEMA_VERSION, Number, Part
from face3d.sequence.definitions import DEFINITIONS
from face3d.sequence.filtering import stretches

if TYPE_CHECKING:
    from face3d.grading.grades import Grade
    from face3d.sequence.definitions import Reading
    from face3d.sequence.kinematics import Kinematics
    from face3d.sequence.stored import Stored
    from face3d.sequence.tracked import Tracked

#: Places whose numbers stand in summary.json; those of all points are in kinematics.csv.
PLACES = ("face", "eye", "sci", "ch", "al", "brow", "midface", "mouth", "lower_lip", "chin", "cheek")
_MOUTH = ("mouth corners", "excursion", "ch")
#: expression -> what is looked at in it, in words, and which reading that is; in others it is the mouth's corners.
LOOKED_AT = {
    "brow_raise": ("brows", "excursion", "sci"),
    "gentle_eye_closure": ("eyes close", "closure", "eye"),
    "tight_eye_closure": ("eyes close", "closure", "eye"),
    "snarl": ("nostrils", "excursion", "al"),
    "lower_lip_depression": ("lower lip", "excursion", "lower_lip"),
    "cheek_puff": ("cheeks", "excursion", "cheek"),
}
#: What is said of no single point: left out of the summary for points, where it would be said of every one.
_OF_POINTS = ("range", "path", "return_velocity")


class ReadingPart(Part):
    """One number; what it is stands in `definitions`."""

    measure: str
    place: str
    side: Literal["left", "right", "both"]
    value: Number
    unit: str
    cutoff_hz: Number = Field(description="of the zero-phase low-pass filter it went through")
    status: str = Field(description='"ok", or why there is no value')


class MovementPart(Part):
    """One movement of the recording; times in seconds of the recording."""

    number: int
    expression: str = Field(description="as asked for or as recognised; empty where nobody named it")
    probability: Number = Field(description="of that name; 1 where it was asked for")
    lead: Literal["skin", "lids"] = Field(description="what moves most")
    begin_s: Number
    arrived_s: Number
    leaves_s: Number
    end_s: Number
    apex_frame: int = Field(description="frame of the recording, from 0, that shows it best")
    readings: list[ReadingPart]

    def told(self) -> str:
        """How far each side goes where this expression is looked for, and which begins later: in words."""
        value = {(r.measure, r.place, r.side): r.value for r in self.readings}
        words, measure, place = LOOKED_AT.get(self.expression, _MOUTH)
        scale, unit, digits = (100, " %", 0) if measure == "closure" else (1, " mm", 1)
        both = [
            f"{side} not measured" if v is None else f"{side} {scale * v + 0.0:.{digits}f}{unit}"
            for side in ("right", "left")
            for v in [value.get((measure, place, side))]
        ]
        lag = value.get(("onset_lag", "face", "both"))
        late = ""
        if lag is not None:
            late = f"; {'left' if lag > 0 else 'right'} begins {1000 * abs(lag):.0f} ms later"
        return f"{words} {', '.join(both)}{late}"


class GapPart(Part):
    """Frames in a row that are lost."""

    first_s: Number
    last_s: Number
    frames: int
    bridged: bool = Field(description="short enough for a curve through both sides")


class BlinkPart(Part):
    """One blink of both eyes, the subject's own sides."""

    time_s: float
    completeness_left: Number
    completeness_right: Number
    counted: list[Literal["left", "right"]] = Field(description="sides whose lids fell far enough to count")


class TrackingPart(Part):
    """How well the template lay on the frames."""

    residual_mm: Number = Field(description="median over frames of the median distance to the frame's surface")
    drift_mm: Number = Field(description="median by which tracking was off frames that were fitted anew")
    fitted_anew: int


class SequenceResult(Part):
    """What a recording says about movement in time."""

    schema_version: Literal[1] = SCHEMA_VERSION
    face3d_version: str
    notice: str = NOTICE
    sequence: str
    fps: float
    frames: int
    seconds: float
    lost_frames: int
    gaps: list[GapPart]
    movement_cutoff_hz: float
    lids_cutoff_hz: float
    tracking: TrackingPart | None = Field(description="null where points were given, not tracked")
    movements: list[MovementPart]
    readings: list[ReadingPart] = Field(description="of the whole recording: blinks, fatigue over repeats")
    grade: GradePart | None = Field(
        None,
        description="by networks and rules, over the frames about each apex; null where a brow raise, an eye closure "
        "or a smile was not made",
    )
    blinks: list[BlinkPart]
    definitions: dict[str, str] = Field(description="measure -> what it is")
    notes: list[str]

    def to_json(self) -> str:
        """The content of summary.json."""
        return self.model_dump_json(indent=1) + "\n"

    def to_text(self) -> str:
        """A summary for the terminal."""
        lost = f", {self.lost_frames} lost" if self.lost_frames else ""
        lines = [f"{self.sequence}: {self.frames} frames, {self.seconds:.1f} s at {self.fps:.4g} a second{lost}"]
        for m in self.movements:
            name = m.expression.replace("_", " ") or "movement"
            at = "" if m.begin_s is None else f" from {m.begin_s:.2f} s"
            lines.append(f"{m.number} {name}{at}: {m.told()}")
        value = {(r.measure, r.side): r.value for r in self.readings}
        for side in ("right", "left"):
            rate, complete = value.get(("blink_rate", side)), value.get(("blink_completeness", side))
            often = "" if rate is None else f", {rate:.0f} a minute"
            closed = "" if complete is None else f", closing {100 * complete:.0f} %"
            lines.append(f"{side} eye: {sum(side in b.counted for b in self.blinks)} blinks{often}{closed}")
        if self.grade is not None:
            lines.append(self.grade.told())
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes), self.notice])


def sequence_result(
    k: Kinematics, tracked: Tracked | Stored | None = None, grade: Grade | None = None
) -> SequenceResult:
    """The result of a recording, with how well it was tracked where it was, and its grade where it has one."""
    import face3d

    gaps = [
        GapPart(
            first_s=float(k.times_s[a]),
            last_s=float(k.times_s[b - 1]),
            frames=b - a,
            bridged=bool(np.isfinite(k.away_mm[a:b]).any()),
        )
        for a, b in stretches(k.lost)
    ]
    movements = [
        MovementPart(
            number=m.number,
            expression=m.expression,
            probability=m.probability,
            lead=m.segment.lead,  # type: ignore[arg-type]
            begin_s=m.segment.begin,
            arrived_s=m.segment.arrived,
            leaves_s=m.segment.leaves,
            end_s=m.segment.end,
            apex_frame=m.apex_frame,
            readings=_parts(r for r in k.readings if r.movement == m.number),
        )
        for m in k.movements
    ]
    whole = _parts(r for r in k.readings if r.movement == 0)
    used = {r.measure for part in (*(m.readings for m in movements), whole) for r in part}
    return SequenceResult(
        face3d_version=face3d.__version__,
        sequence=k.name,
        fps=k.fps,
        frames=len(k.times_s),
        seconds=float(k.times_s[-1] - k.times_s[0]),
        lost_frames=int(k.lost.sum()),
        gaps=gaps,
        movement_cutoff_hz=k.cutoff_hz,
        lids_cutoff_hz=k.lids.cutoff_hz,
        tracking=None if tracked is None else _tracking(tracked),
        movements=movements,
        readings=whole,
        grade=None if grade is None else GradePart(**grade.to_dict()),
        blinks=[
            BlinkPart(
                time_s=b.time_s,
                completeness_left=b.completeness["left"],
                completeness_right=b.completeness["right"],
                counted=list(b.by),  # type: ignore[arg-type]
            )
            for b in k.lids.blinks
        ],
        definitions={name: d.text for name, d in DEFINITIONS.items() if name in used},
        notes=list(k.notes),
    )


def _parts(readings: Iterable[Reading]) -> list[ReadingPart]:
    return [
        ReadingPart(
            measure=r.measure,
            place=r.place,
            side=r.side,  # type: ignore[arg-type]
            value=r.value,
            unit=r.unit,
            cutoff_hz=r.cutoff_hz,
            status=r.status,
        )
        for r in readings
        if r.place.split(" ")[0] in PLACES and r.measure not in _OF_POINTS
    ]


def _tracking(tracked: Tracked | Stored) -> TrackingPart:
    residual = tracked.residual_mm[~tracked.lost]
    drift = tracked.drift_mm[np.isfinite(tracked.drift_mm)]
    return TrackingPart(
        residual_mm=float(np.median(residual)) if len(residual) else float("nan"),
        drift_mm=float(np.median(drift)) if len(drift) else float("nan"),
        fitted_anew=len(drift),
    )
