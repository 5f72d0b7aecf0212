"""One exam as one row of a study: its grades by rule, by the networks and by the clinician, and how good its fits are.

Beside the long table of measures, for those who ask for an exam's grade and not for its four hundred numbers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from face3d.measuring.scale_estimates import estimate_scales

if TYPE_CHECKING:
    from face3d.grading.examination import Examination


def exam_row(x: Examination) -> dict[str, Any]:
    """Column -> value, None where unknown.

    Grades named `rule_` follow from the measures, those named `network_` are the networks' (not to be believed where
    `network_abstained`), those named `clinician_` were entered. `by_movement` and `descriptive` are the two grades
    that House-Brackmann means. `stable_rms_mm`: what moved, at worst, in regions that should stand still.
    """
    e, m, g, clinician = estimate_scales(x.measures), x.measures, x.grade, x.exam.grades
    low, high = e.sunnybrook.composite_range if e.sunnybrook is not None else (None, None)
    theirs = None
    if clinician is not None:
        own = clinician.sunnybrook.composite if clinician.sunnybrook is not None else clinician.sunnybrook_composite
        theirs = own if own is not None and math.isfinite(own) else None
    return {
        "subject": m.subject,
        "visit": m.visit or "",
        "date": x.exam.date.isoformat() if x.exam.date is not None else None,
        "affected_side": m.affected_side,
        "side_source": m.side_source,
        "rule_house_brackmann_by_movement": e.house_brackmann,
        "rule_house_brackmann_descriptive": e.descriptive,
        "rule_sunnybrook_low": low,
        "rule_sunnybrook_high": high,
        "rule_fngs2": e.fngs2.grade if e.fngs2 is not None else None,
        "rule_severity": m.severity if math.isfinite(m.severity) else None,
        "network_house_brackmann_by_movement": g.house_brackmann if g is not None else None,
        "network_confidence": g.confidence if g is not None else None,
        "network_severity": g.severity if g is not None else None,
        "network_sunnybrook": g.sunnybrook.composite if g is not None else None,
        "network_side": g.side if g is not None else None,
        "network_abstained": g.abstained if g is not None else None,
        "clinician_house_brackmann": clinician.house_brackmann if clinician is not None else None,
        "clinician_sunnybrook": theirs,
        "expressions": 1 + len(m.movements),
        "stable_rms_mm": max((moved.rms for moved in m.movements.values()), default=None),
        "notes": "; ".join(x.notes),
    }
