"""The report of an exam: one page that opens offline, made from an `ExamResult` and pictures of the movements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from face3d.exam import EXPRESSIONS
from face3d.geometry.colors import MOVEMENT
from face3d.landmarks import MIDLINE, SIDES
from face3d.measuring.ratios import BILATERAL
from face3d.reference.norms import find_norms
from face3d.reference.scales import ROMAN
from face3d.report.curves import COLORS
from face3d.report.drawings import gradient
from face3d.report.exam_result import ExamResult, MeasurePart
from face3d.report.frame import rendered, spoken
from face3d.report.opinions import lead, opinions
from face3d.report.sequence_page import shown_movements
from face3d.report.viewer import Scene, mark_text
from face3d.template.identity import LEFT_OUT

if TYPE_CHECKING:
    from face3d.grading.explanation import Explanation
    from face3d.measuring.smile_thirds import Third
    from face3d.report.pictures import Picture
    from face3d.sequence.kinematics import Kinematics

#: Measures that are shown, in the order of a page; everything is in measures.csv.
_SHOWN: Mapping[str, str] = {
    "fissure_height": "fissure height",
    "brow_height": "brow height",
    "commissure_height": "mouth corner height",
    "brow_raise": "brow raise",
    "closure": "closure",
    "closure_gap": "lagophthalmos (closure gap)",
    "mrd1": "upper lid margin (MRD1), from the corners’ middle",
    "mrd2": "lower lid margin (MRD2), from the corners’ middle",
    "commissure_lateral": "of it sideward",
    "lip_gap": "gap between the lips, beside the midline",
    "dental_show": "dental show",
    "commissure_excursion": "mouth corner excursion",
    "commissure_angle_frontal": "its direction, frontal",
    "commissure_angle_horizontal": "its direction, from above",
    "nasolabial_displacement": "nasolabial movement",
    "alar_lift": "alar lift",
    "nasal_base": "alar base movement",
    "pucker": "mouth corner to the midline",
    "lip_depression": "lower lip depression",
    "cheek_puff": "cheek outward",
}
#: expression -> measures that say something in it
_WHERE: Mapping[str, tuple[str, ...]] = {
    "rest": ("fissure_height", "mrd1", "mrd2", "brow_height", "commissure_height", "lip_gap"),
    "brow_raise": ("brow_raise",),
    "gentle_eye_closure": ("closure", "closure_gap"),
    "tight_eye_closure": ("closure", "closure_gap"),
    "closed_smile": (
        "commissure_excursion",
        "commissure_lateral",
        "commissure_angle_frontal",
        "commissure_angle_horizontal",
        "lip_gap",
    ),
    "open_smile": (
        "commissure_excursion",
        "commissure_lateral",
        "commissure_angle_frontal",
        "commissure_angle_horizontal",
        "nasolabial_displacement",
        "fissure_height",
        "dental_show",
    ),
    "snarl": ("alar_lift", "nasal_base", "nasolabial_displacement"),
    "lip_pucker": ("pucker", "fissure_height"),
    "lower_lip_depression": ("lip_depression",),
    "cheek_puff": ("cheek_puff", "lip_gap"),
}
#: Measures of both sides together that are shown, signed: positive to the left, or left more.
_TOGETHER: Mapping[str, str] = {
    "commissure_cant": "mouth line against the eyes’ line",
    "commissure_angle_difference": "difference of the mouth corners’ directions",
    "philtrum_deviation": "philtrum off the nose’s middle",
    "midline_deviation": "off the nasion’s middle",
}
#: Places that are named as what made the grade.
_PLACES = 8

#: How heights and angles are to be read.
_SIGNS = (
    "Heights are above (+) or below (−) the line through the inner eye corners, so that a mouth corner’s is negative "
    "and a lower one more so. Directions of a mouth corner: frontal, 0° is straight outward, 90° straight up, 180° to "
    "the midline, negative downward; from above, 0° is outward, 90° straight forward, negative backward."
)


def exam_page(
    result: ExamResult,
    maps: Sequence[Picture] = (),
    thirds: Sequence[Third] = (),
    kinematics: Mapping[str, Kinematics] | None = None,
    scene: Scene | None = None,
    why: Explanation | None = None,
    marks: Sequence[Picture] = (),
) -> str:
    """The report as HTML; `maps` from `movement_pictures`, `thirds` from `measuring.smile_thirds.outcome`, `kinematics`
    of the recorded expressions, `scene` from `scenes.exam_scene`, `why` the grade is what it is, `marks` from
    `landmark_pictures`."""
    matrix: dict[str, dict[str, float | None]] = {}
    for m in result.measures:
        if m.measure == "synkinesis" and m.side == result.affected_side and not result.affected_side_contradiction:
            matrix.setdefault(m.expression, {})[m.region] = m.value
    regions = [
        r
        for r in ("brow", "eye", "midface", "mouth", "lower_lip", "chin", "neck")
        if any(r in cells for cells in matrix.values())
    ]
    heads, rows = opinions(result)
    g = result.grade
    neither, both = result.affected_side == "none", result.affected_side == "both"
    against = result.affected_side_contradiction
    given = {"given": "Side as given in the exam.", "measured": "Side found by measuring."}
    said = given[result.affected_side_source] + (" Neither side is affected." if neither else "")
    return rendered(
        "exam.html",
        {
            "share": lambda v: "–" if not math.isfinite(v) else f"{100 * v:.0f} %",
            "points": lambda v: f"{round(v, 1) + 0.0:+.1f}".replace("-", "−"),
            "length_mm": lambda v: "–" if not math.isfinite(v) else f"{v:.2f} mm",
        },
        version=result.face3d_version,
        notice=result.notice,
        result=result,
        name=f"{result.subject}, {result.visit}" if result.visit else result.subject,
        side="weaker side" if neither else "affected sides" if both else f"{result.affected_side} side",
        alarms=[*result.notes[: bool(against)], *(note for note in result.notes if LEFT_OUT in note)],
        side_note="The given side is contradicted by what was measured." if against else said,
        absent=BILATERAL if both else "not with this side" if against else "",
        scene=scene,
        correctable=scene is not None and any(state.source is not None for state in scene.states),
        lead=lead(result),
        chances=[(ROMAN[k], p, k + 1 == g.house_brackmann) for k, p in enumerate(g.probabilities)] if g else [],
        opinion_heads=heads,
        opinions=rows,
        unsure=_unsure(result),
        signs=_SIGNS,
        groups=_groups(result),
        together=[
            (spoken(m.expression), _TOGETHER[m.measure], _place(m.region), _shown(m))
            for m in result.measures
            if m.measure in _TOGETHER and m.expression in ("rest", "open_smile")
        ],
        matrix=matrix,
        matrix_regions=regions,
        maps=maps,
        marks=marks,
        why=None if why is None else _why(why),
        thirds=[t for t in thirds if t.expression == "open_smile"],
        in_time=[shown for e, k in (kinematics or {}).items() for shown in shown_movements(result.kinematics[e], k)],
        side_colors=COLORS,
        limit=f"{MOVEMENT.high:g}",
        gradient=gradient(MOVEMENT),
    )


def _why(e: Explanation) -> dict[str, Any]:
    """What the networks' severity is made of: by expression, and by place in it, in hundredths."""
    rows = e.regions.head(_PLACES).to_dict("records")
    most = max(abs(v) for v in e.by_expression().values()) or 1.0
    return {
        "value": 100 * e.value,
        "baseline": 100 * e.baseline,
        "expressions": [(spoken(name), 100 * v, abs(v) / most) for name, v in e.by_expression().items()],
        "places": [
            (spoken(r["expression"]), _sided(spoken(r["region"]), r["side"]), 100 * r["attribution"]) for r in rows
        ],
        "apart": [
            (spoken(r["region"]), 100 * r["network"], 100 * r["rule"])
            for r in e.measures.to_dict("records")
            if r["agree"] is False
        ],
    }


def _sided(region: str, side: str) -> str:
    return f"{region}, {side}" if side in SIDES else f"{region}, middle"


def _unsure(result: ExamResult) -> list[str]:
    """What to look at before any number: fits that are not good."""
    lights = {"rest": (result.rest_light, result.rest_reasons)}
    lights |= {e: (part.light, part.reasons) for e, part in result.expressions.items()}
    return [
        f"{spoken(e)}: the template fit is {light}{': ' + '; '.join(reasons) if reasons else ''}"
        for e, (light, reasons) in lights.items()
        if light not in (None, "green")
    ]


def _groups(result: ExamResult) -> list[dict[str, Any]]:
    rows = {(m.measure, m.expression, m.side): m for m in result.measures if m.measure in _SHOWN}
    ratios = {(m.measure, m.expression): m for m in result.measures if m.measure.endswith("_ratio")}
    groups = []
    for expression, text in EXPRESSIONS.items():
        lines = []
        for name in _WHERE.get(expression, ()):
            left, right = rows.get((name, expression, "left")), rows.get((name, expression, "right"))
            if left is None or right is None:
                continue
            ratio = ratios.get((f"{name}_ratio", expression))
            norms = find_norms(name, expression)
            lines.append(
                {
                    "name": _SHOWN[name],
                    "left": _shown(left),
                    "right": _shown(right),
                    "ratio": "" if ratio is None or ratio.value is None else f"{ratio.value:.2f}",
                    "note": "; ".join(
                        f"healthy adults, {spoken(n.method)}: {n.mean:g}"
                        + (f" ± {n.sd:g}" if n.sd else "")
                        + f" {n.unit}"
                        + (f", n = {n.n}" if n.n else "")
                        for n in norms
                        if n.mean is not None
                    ),
                }
            )
        if lines:
            groups.append({"title": spoken(expression), "note": text, "rows": lines})
    return groups


def _shown(m: MeasurePart) -> str:
    if m.value is None:
        return "–"
    digits = 0 if m.unit == "deg" else 2
    # No-break spaces: in a short line a value and its spread stand below each other. What rounds to 0 has no sign.
    unit = {"1": "", "deg": "°", "mm": "\N{NO-BREAK SPACE}mm"}[m.unit]
    spread = "" if m.uncertainty is None else f" ±\N{NO-BREAK SPACE}{m.uncertainty:.{digits}f}"
    return f"{round(m.value, digits) + 0.0:.{digits}f}{spread}{unit}".replace("-", "−")


def _place(region: str) -> str:
    """A region, or a landmark by its name."""
    return mark_text(region) if region in MIDLINE else spoken(region)
