"""The report of a recording: one page that opens offline, made from a `SequenceResult` and drawn curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from face3d.geometry.colors import MOVEMENT
from face3d.landmarks import SIDES
from face3d.reference.scales import ROMAN
from face3d.report.curves import COLORS, anomaly_over_time, eyes_over_time, movement_over_time, one_movement
from face3d.report.drawings import gradient
from face3d.report.frame import rendered, spoken
from face3d.report.sequence_result import MovementPart, ReadingPart, SequenceResult

if TYPE_CHECKING:
    from markupsafe import Markup

    from face3d.grading.temporal import Anomaly
    from face3d.report.pictures import Picture
    from face3d.report.viewer import Scene
    from face3d.sequence.kinematics import Kinematics

#: (place, measure) -> words, in the order of a table; each side for itself. Everything is in kinematics.csv.
_SIDED: Mapping[tuple[str, str], str] = {
    ("ch", "excursion"): "mouth corner excursion",
    ("ch", "peak_velocity"): "its greatest speed",
    ("sci", "excursion"): "brow excursion",
    ("sci", "peak_velocity"): "its greatest speed",
    ("al", "excursion"): "ala excursion",
    ("eye", "closure"): "share of the eye closed",
    ("face", "time_to_peak"): "time to peak",
    ("face", "hold"): "held for",
    ("face", "release"): "release",
}
#: expression -> the point whose movement is asked for; of others the mouth's corner is shown.
_POINTS: Mapping[str, tuple[str, ...]] = {
    "brow_raise": ("sci",),
    "gentle_eye_closure": (),
    "tight_eye_closure": ("sci",),
    "snarl": ("al", "ch"),
}
_TOGETHER: Mapping[str, str] = {"onset_lag": "begins", "arrival_lag": "arrives"}
_BLINKS: Mapping[str, str] = {
    "blink_rate": "blinks a minute",
    "blink_completeness": "mean closure in a blink",
    "blinks_complete": "share of complete blinks (90 % closed or more)",
    "blink_speed": "closing speed",
}
_UNITS = {"1": "", "mm": " mm", "s": " s", "mm/s": " mm/s", "1/min": "", "%": " %"}
#: Unasked movement that is shown: what is under this is noise of tracking.
_LEAST_UNASKED = 0.05
#: s: half of the last digit that is shown.
_LEAST_LAG_S = 0.005


@dataclass(frozen=True)
class _Row:
    name: str
    right: str
    left: str
    note: str = ""


def sequence_page(
    result: SequenceResult,
    k: Kinematics,
    unlike: Anomaly | None = None,
    scene: Scene | None = None,
    pictures: Sequence[Picture] = (),
) -> str:
    """The report as HTML; `unlike`: how far from healthy movement it is; `scene` from `scenes.recording_scene`, and
    `pictures` of it for print (`movement_pictures.frame_pictures`)."""
    counts = (str(sum(side in b.counted for b in result.blinks)) for side in ("right", "left"))
    counted = _Row(f"blinks in {result.seconds:.1f} s", *counts)
    return rendered(
        "sequence.html",
        {},
        version=result.face3d_version,
        notice=result.notice,
        result=result,
        roman=ROMAN,
        scene=scene,
        pictures=pictures,
        limit=f"{MOVEMENT.high:g}",
        gradient=gradient(MOVEMENT),
        colors=COLORS,
        whole=movement_over_time(k),
        eyes=eyes_over_time(k),
        unlike=unlike,
        unlike_curves=None if unlike is None else anomaly_over_time(unlike),
        movements=shown_movements(result, k),
        blinks=[counted, *_rows(result.readings, {("eye", name): words for name, words in _BLINKS.items()})],
        fatigue=[r for r in result.readings if r.measure == "fatigue" and r.value is not None],
    )


def shown_movements(result: SequenceResult, k: Kinematics) -> list[dict[str, Any]]:
    """Each movement as the macro `movement` of movements.html draws it."""
    moved = {m.number: m for m in k.movements}
    return [_shown(m, one_movement(k, moved[m.number])) for m in result.movements]


def _shown(m: MovementPart, drawing: Markup) -> dict[str, Any]:
    points = _POINTS.get(m.expression, ("ch",))
    wanted = {key: words for key, words in _SIDED.items() if key[0] in (*points, "face") or key[0] == "eye"}
    unasked = [
        r for r in m.readings if r.measure == "unasked" and r.value is not None and abs(r.value) >= _LEAST_UNASKED
    ]
    locked = {(r.place, r.side): r.value for r in m.readings if r.measure == "locked"}
    return {
        "part": m,
        "title": spoken(m.expression) or f"movement {m.number}",
        "drawing": drawing,
        "rows": _rows(m.readings, wanted),
        "together": _together(m),
        "unasked": [(spoken(r.place), r.side, r.value, locked.get((r.place, r.side))) for r in unasked],
    }


def _rows(readings: list[ReadingPart], wanted: Mapping[tuple[str, str], str]) -> list[_Row]:
    found = {(r.place, r.measure, r.side): r for r in readings}
    rows = []
    for (place, measure), words in wanted.items():
        both = [found.get((place, measure, side)) for side in SIDES]
        if both[0] is None or both[1] is None:
            continue
        left, right = both[0], both[1]
        missing = {side: r.status for side, r in (("right", right), ("left", left)) if r.value is None}
        same = len(missing) == 2 and len(set(missing.values())) == 1
        why = left.status if same else "; ".join(f"{side}: {status}" for side, status in missing.items())
        rows.append(_Row(words, _value(right), _value(left), why))
    return rows


def _value(r: ReadingPart) -> str:
    if r.value is None:
        return "–"
    if r.measure in ("closure", "blink_completeness", "blinks_complete"):
        return f"{round(100 * r.value)} %"  # rounded first: no -0 %
    digits = {"s": 2, "mm": 1}.get(r.unit, 0)
    return f"{r.value:.{digits}f}{_UNITS[r.unit]}"


def _together(m: MovementPart) -> list[str]:
    """Which side is later, or why nobody knows, once."""
    lags = [r for r in m.readings if r.place == "face" and r.measure in _TOGETHER]
    said = (
        f"which side is later: {r.status}" if r.value is None else _later(_TOGETHER[r.measure], r.value) for r in lags
    )
    return list(dict.fromkeys(said))


def _later(does: str, lag: float) -> str:
    """A lag (s, left less right) in words."""
    if abs(lag) < _LEAST_LAG_S:
        return f"both sides {does.removesuffix('s')} together"
    return f"the {'left' if lag > 0 else 'right'} side {does} {abs(lag):.2f} s later"
