"""Commands about one scan, one examination, two visits, or this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from face3d.cli.common import ExamPath, Json, Landmarks, Out, ScanFile, Side, Units, print_json, refuse

if TYPE_CHECKING:
    from face3d.scan import FaceScan


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("face3d-demo"), json: Json = False
) -> int:
    """The whole job on the embedded exam."""
    from face3d.simulate.demo import demo_scan

    return _analyze(demo_scan, out, json)


def analyze(
    scan: ScanFile, out: Out = None, units: Units = "auto", landmarks: Landmarks = None, json: Json = False
) -> int:
    """Measure one face scan: where it differs from its mirror image, and by how much.

    Without --out nothing is written, only the summary is printed.
    """
    from face3d.io import read_scan

    return _analyze(lambda: read_scan(scan, units, landmarks), out, json)


def info(scan: ScanFile, units: Units = "auto", landmarks: Landmarks = None, json: Json = False) -> int:
    """Say what is in a scan file, without measuring anything."""
    from face3d.io import info as facts
    from face3d.io import read_scan

    found = facts.info(read_scan(scan, units, landmarks, texture=True))
    print(found.to_json() if json else found.to_text())
    return 0


def exam(exam: ExamPath, out: Out = None, side: Side = None, json: Json = False) -> int:
    """Measure a whole examination: movements, closure, synkinesis, the scales that they suggest, and its grade.

    Without --out nothing is written, only the summary is printed.
    """
    from face3d.cli.progress import steps
    from face3d.io.exam import read_exam

    read = read_exam(exam)
    with steps(len(read.expressions) + 2) as step:
        from face3d.grading.examination import examine
        from face3d.report.exam_result import exam_result
        from face3d.report.outputs import REPORT, write_exam

        x = examine(read, side, step)
        if out is None:
            result = exam_result(x.measures, read.grades, grade=x.grade)
        else:
            from face3d.report.movement_pictures import movement_pictures

            drawn = lambda: movement_pictures(x.fitted.rest, x.measures.movements, x.fitted.template)  # noqa: E731
            result = write_exam(x.measures, out, read.grades, drawn, x.grade)
    print(result.to_json() if json else result.to_text())
    if out is not None and not json:
        print(f"report: {out / REPORT}")
    return 0


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
        print_json(found.to_dict() | ({} if reasons is None else {"why": reasons.to_dict()}))
    else:
        print(found.to_text() if reasons is None else f"{found.to_text()}\n{reasons.to_text()}")
    return 0


def validate(exam: ExamPath, json: Json = False) -> int:
    """Check an examination, or every one in a study: the manifest, and that each scan can be read."""
    from face3d.io.validate import as_json, as_text, validate

    findings = validate(exam)
    print(as_json(findings) if json else as_text(findings))
    faults = [f for f in findings if f.fault]
    return refuse(f"{len(faults)} faults; first: {faults[0].text}") if faults else 0


def compare(
    before: ExamPath, after: ExamPath, out: Out = None, side: Side = None, json: Json = False
) -> int:  # fmt: skip
    """Compare two visits of one person: what changed by more than measuring alone can explain.

    Each is an examination, or a result of `face3d exam`. Ratios refer to the side affected at the first visit.
    """
    from face3d.cli.progress import steps
    from face3d.measuring.comparison import compare as changes
    from face3d.report.compare_result import compare_result
    from face3d.report.outputs import write_comparison
    from face3d.report.reading import measured

    with steps(2) as step:
        step("before")
        first = measured(before, side)
        step("after")
        comparison = changes(first, measured(after, first.affected_side))
    result = compare_result(comparison) if out is None else write_comparison(comparison, out)
    print(result.to_json() if json else result.to_text())
    return 0


def doctor(json: Json = False) -> int:
    """Say what this machine lacks, and the line that mends it."""
    from face3d.cli import machine

    checks = machine.examine()
    print(machine.as_json(checks) if json else machine.as_text(checks))
    lacking = [check.name for check in checks if check.state == "missing"]
    return refuse(f"this machine lacks: {', '.join(lacking)}; the lines above mend it") if lacking else 0


def _analyze(read: Callable[[], FaceScan], out: Path | None, json: bool) -> int:
    from face3d.cli.progress import steps

    with steps(4) as step:
        step("reading")
        scan = read()
        step("measuring")
        from face3d.measuring.analysis import analyze as measure
        from face3d.report.outputs import REPORT, write_outputs
        from face3d.report.scan_result import result_of

        analysis = measure(scan, None if out is None else out / "views.png")
        result = result_of(analysis) if out is None else write_outputs(analysis, out, step)
    print(result.to_json() if json else result.to_text())
    if out is not None and not json:
        print(f"report: {out / REPORT}")
    return 0
