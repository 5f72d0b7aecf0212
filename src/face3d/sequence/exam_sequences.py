"""Recorded expressions of an exam: each is tracked, its apex takes the place of a scan, its kinematics stands beside.

What is measured and graded is a surface of the recording, fitted like any other scan, not the tracked template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from face3d.errors import Face3DError
from face3d.sequence.kinematics import Kinematics, kinematics
from face3d.template.exam_fit import fit_seen, see_scan

if TYPE_CHECKING:
    from face3d.exam import Exam, SequenceSource
    from face3d.scan import FaceScan
    from face3d.template.exam_fit import FittedExam


def with_apexes(exam: Exam, step: Callable[[str], None] = lambda name: None) -> tuple[Exam, Mapping[str, Kinematics]]:
    """The exam with the apex frame of each recorded expression for its scan, and expression -> kinematics.

    A scan that the exam has of the same expression stays the one that is measured. A recording that cannot be used is
    left out with a note. `step` is told each recording as it begins. Raises what fitting the scan at rest raises.
    """
    if not exam.sequences:
        return exam, {}
    rest = fit_seen(("rest",), lambda name: see_scan(exam.scan(name), at_rest=True))
    scans: dict[str, object] = dict(exam.scans)
    found: dict[str, Kinematics] = {}
    said = list(exam.notes)
    for expression, source in exam.sequences.items():
        step(f"{expression} in time")
        try:
            found[expression], scan, note = _seen(expression, source, rest)
        except Face3DError as error:
            said.append(f"{expression}: its recording is left out: {error}")
            continue
        if expression in exam.scans:
            said.append(f"{expression}: measured on its scan; its recording for movement in time alone")
        elif scan is None:
            said.append(f"{expression}: not measured: {note}")
        else:
            scans[expression] = scan
            said.append(f"{expression}: {note}")
    return exam.replace(scans=scans, sequences={}, notes=tuple(said)), found


def _seen(expression: str, source: SequenceSource, rest: FittedExam) -> tuple[Kinematics, FaceScan | None, str]:
    """Kinematics of a recording, the frame that shows its expression best, and what to say of it."""
    if getattr(source, "of_markers", False):
        from face3d.sequence.markers import in_head

        return kinematics(in_head(source.read_markers()), expression), None, "markers show no surface"  # type: ignore[attr-defined]
    from face3d.sequence.track import track

    recording = source.read()
    k = kinematics(track(recording, rest).points(), expression)
    if not k.movements:
        return k, None, "no movement was found in its recording"
    largest = max(k.movements, key=lambda m: m.size)
    frame = next(recording.read(largest.apex_frame))
    several = f", the largest of {len(k.movements)} movements" if len(k.movements) > 1 else ""
    return k, frame.scan, f"measured on frame {frame.number} of its recording, at {frame.time_s:.2f} s{several}"
