"""Commands about one scan, one examination, two visits, or this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from face3d.cli.common import (
    Base,
    ExamPath,
    Fps,
    Json,
    Landmarks,
    Out,
    Pdf,
    Scale,
    ScanFile,
    Side,
    Units,
    check_pdf,
    check_writable,
    print_json,
    refuse,
    told,
    unit_of,
)

if TYPE_CHECKING:
    from face3d.scan import FaceScan


def analyze(
    scan: ScanFile,
    out: Out = None,
    units: Units = "auto",
    scale: Scale = None,
    landmarks: Landmarks = None,
    pdf: Pdf = False,
    json: Json = False,
) -> int:
    """Measure one face scan: where it differs from its mirror image, and by how much.

    Without --out nothing is written, only the summary is printed.
    """
    _check_scan(scan)
    check_pdf(pdf, out)
    return _analyze(lambda: _with_colours(scan, unit_of(units, scale), landmarks), out, pdf, json)


def info(
    scan: ScanFile,
    units: Units = "auto",
    scale: Scale = None,
    landmarks: Landmarks = None,
    fps: Fps = None,
    base: Base = None,
    json: Json = False,
) -> int:
    """Say what is in a scan file, or in a recording, without measuring anything."""
    from face3d.io import info as facts
    from face3d.io.recordings import is_recording

    if is_recording(scan):
        return _recording_info(scan, unit_of(units, scale), fps, base, json)
    _check_scan(scan)
    found = facts.info(facts.read_for_info(scan, unit_of(units, scale), landmarks))
    print(found.to_json() if json else found.to_text())
    return 0


def _recording_info(path: Path, units: str | float, fps: float | None, base: Path | None, json: bool) -> int:
    from face3d.io.recordings import read_recording
    from face3d.io.sequence_info import sequence_info

    found = sequence_info(read_recording(path, fps, units, base))
    print(found.to_json() if json else found.to_text())
    return 0


def exam(exam: ExamPath, out: Out = None, side: Side = None, pdf: Pdf = False, json: Json = False) -> int:
    """Measure a whole examination: movements, closure, synkinesis, the scales that they suggest, and its grade.

    Without --out nothing is written, only the summary is printed.

    EXAM is one visit of one person: a folder of scans named by expression (rest.ply, p017_open_smile.obj), or with an
    exam.json that names them. Every scan but rest may be missing:

    \b
      rest                  face at rest
      brow_raise            raise the brows
      gentle_eye_closure    close the eyes gently
      tight_eye_closure     close the eyes tightly
      closed_smile          smile with closed lips
      open_smile            full smile showing teeth
      snarl                 wrinkle the nose
      lip_pucker            pucker the lips
      lower_lip_depression  show the lower teeth, as in a long E
      cheek_puff            puff the cheeks

    The smallest exam.json; paths are relative to it, and "visit", "date" (YYYY-MM-DD), "affected_side" ("left",
    "right", "both", "none"; the subject's own) and "grades" may be added:

    \b
      {"subject": "p017", "units": "mm", "scans": {"rest": "rest.ply", "open_smile": "open_smile.ply"}}

    A visit that no exam.json names is told by the folders: bob/pre, bob/6 months, bob_post, sub-p017/ses-pre.
    """
    from face3d.cli.progress import steps
    from face3d.io.exam import read_exam
    from face3d.report.folder import Thing, free_for

    check_pdf(pdf, out)
    if out is not None:
        check_writable(out)
    read = read_exam(exam)
    if out is not None:
        free_for(out, Thing("exam", read.name))
    with steps(len(read.expressions) + 2 * len(read.sequences) + 2) as step:
        from face3d.grading.examination import examine
        from face3d.report.exam_result import examined_result
        from face3d.report.outputs import write_examined

        x = examine(read, side, step)
        result = examined_result(x) if out is None else write_examined(x, out)
    return told(result, out, pdf, json)


def grade(
    exam: ExamPath,
    why: Annotated[
        bool, typer.Option("--why", help="Say which places and movements the severity comes from as well.")
    ] = False,
    json: Json = False,
) -> int:
    """Grade a whole examination by the networks: severity, side, and how sure they are."""
    from face3d.cli.progress import steps
    from face3d.extras import require
    from face3d.io.exam import read_exam

    require("torch")
    read = read_exam(exam)
    with steps(len(read.expressions) + 3) as step:
        from face3d.grading.examination import examine

        x = examine(read, step=step)
        step("explaining" if why else "done")
        reasons = x.explain() if why else None
    found = x.grade
    assert found is not None  # torch was asked for
    if json:
        why_so = {} if reasons is None else {"why": reasons.to_dict()}
        print_json(found.to_dict() | why_so | {"notes": list(x.measures.notes)})
    else:
        print(found.to_text() if reasons is None else f"{found.to_text()}\n{reasons.to_text()}")
        print("".join(f"note: {note}\n" for note in x.measures.notes), end="")
    return 0


def validate(exam: ExamPath, json: Json = False) -> int:
    """Check an examination, or every one in a study, before measuring it.

    Says how many of the ten expressions there are, and every fault of the manifest and the scans.
    """
    from face3d.io.validate import as_json, as_text, validate

    verdicts = validate(exam)
    print(as_json(verdicts) if json else as_text(verdicts))
    faults = [f"{v.exam}: {f.text}" for v in verdicts for f in v.faults]
    many = f"{len(faults)} faults; first: " if len(faults) > 1 else ""
    return refuse(many + faults[0]) if faults else 0


def compare(
    before: ExamPath,
    after: ExamPath,
    later: Annotated[list[Path] | None, typer.Argument(metavar="[LATER]...", help="Further visits, in order.")] = None,
    out: Out = None,
    side: Side = None,
    same_person: Annotated[
        bool, typer.Option("--same-person", help="Known to be one person's, though grown or operated on at the bones.")
    ] = False,
    end_points: Annotated[
        Path | None, typer.Option(help="JSON of your own end points, named before the visits are looked at.")
    ] = None,
    repeatability: Annotated[
        Path | None, typer.Option(help="repeatability.json of `face3d study --repeats`: your own detectable changes.")
    ] = None,
    pdf: Pdf = False,
    json: Json = False,
) -> int:
    """Compare visits of one person: what changed since the first by more than error and people's own scatter explain.

    Visits are judged by eight end points, or your own; other measures are looked at with allowance for their number.

    Each is an examination, or a result of `face3d exam`. Ratios refer to the side affected at the first visit. Visits
    that look like two people's are refused.
    """
    from face3d.cli.progress import steps
    from face3d.measuring.comparison import compare as changes
    from face3d.measuring.end_points import load_end_points
    from face3d.reference.repeatability import load_repeatability
    from face3d.report.compare_result import compare_result
    from face3d.report.outputs import write_comparison
    from face3d.report.reading import read_visit

    check_pdf(pdf, out)
    if out is not None:
        check_writable(out)
    points = load_end_points(end_points)
    known = None if repeatability is None else load_repeatability(repeatability)
    paths = (before, after, *(later or ()))
    with steps(len(paths)) as step:
        visits = []
        for path in paths:
            step(path.name)
            visits.append(read_visit(path, visits[0].measured.affected_side if visits else side))
        measured = [v.measured for v in visits]
        comparison = changes(
            measured[0],
            measured[1],
            *measured[2:],
            repeatability=known,
            same_person=same_person,
            end_points=points,
        )
        if out is None:
            result = compare_result(comparison, [v.result for v in visits])
        else:
            result = write_comparison(comparison, out, visits)
    return told(result, out, pdf, json)


def doctor(json: Json = False) -> int:
    """Say what this machine lacks, and the line that mends it."""
    from face3d.cli import machine

    checks = machine.examine()
    print(machine.as_json(checks) if json else machine.as_text(checks))
    lacking = [check.name for check in checks if check.state == "missing"]
    return refuse(f"this machine lacks: {', '.join(lacking)}; the lines above mend it") if lacking else 0


def _with_colours(file: Path, units: str | float, landmarks: Path | None) -> FaceScan:
    """The scan, with its texture for the report; one that cannot be read is no reason not to measure."""
    from face3d.errors import ScanError
    from face3d.io import read_scan

    try:
        return read_scan(file, units, landmarks, texture=True)
    except ScanError as error:
        scan = read_scan(file, units, landmarks)
        return scan.replace(notes=(*scan.notes, f"not shown in colour: {error}"))


def _check_scan(path: Path) -> None:
    """Raises `ScanError` for what is an examination, a study or a result instead, with the command that takes it."""
    from face3d.errors import ScanError
    from face3d.io.exam import MANIFEST, refusal

    if path.is_dir() or path.name in (MANIFEST, "result.json"):
        raise ScanError(refusal(path, "scan"))


def _analyze(read: Callable[[], FaceScan], out: Path | None, pdf: bool, json: bool) -> int:
    from face3d.cli.progress import steps
    from face3d.report.folder import Thing, free_for

    if out is not None:
        check_writable(out)
    with steps(4) as step:
        step("reading")
        scan = read()
        if out is not None:
            free_for(out, Thing("scan", scan.name))
        step("measuring")
        from face3d.measuring.analysis import analyze as measure
        from face3d.report.outputs import write_outputs
        from face3d.report.scan_result import result_of

        # The texture is for looking at: numbers are those of the surface, whether its picture could be read or not.
        analysis = replace(measure(scan.replace(texture=None), None if out is None else out / "views.png"), scan=scan)
        result = result_of(analysis) if out is None else write_outputs(analysis, out, step)
    return told(result, out, pdf, json)
