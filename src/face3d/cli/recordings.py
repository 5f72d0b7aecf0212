"""Commands about recorded movements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from face3d.cli.common import Json, Out, Units, check_writable

if TYPE_CHECKING:
    from collections.abc import Callable

    from face3d.io.sequence import Sequence
    from face3d.sequence.track import Tracking

#: Where what is tracked is kept until all of it is.
PARTS = ".tracking"


def sequence(
    frames: Annotated[
        Path, typer.Argument(metavar="FRAMES", help="Folder of numbered meshes or depth pictures, or an archive.")
    ],
    out: Out = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second, where the files don't say it.")] = None,
    units: Units = "auto",
    rest: Annotated[
        Path | None, typer.Option(help="Scan of the same person's face at rest; else the first frame is taken for it.")
    ] = None,
    expression: Annotated[
        str | None, typer.Option(help="All that is recorded is this one, once or repeatedly; else it is recognised.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="The folder is still being written: wait for more.")] = False,
    json: Json = False,
) -> int:
    """Follow a recorded face frame by frame: how far, how fast, how late, which side, and how the eyes blink.

    Without --out nothing is written, only the summary is printed. With it, a run that was stopped goes on where it was
    when it is started again.
    """
    from face3d.cli.progress import counted
    from face3d.errors import SchemaError
    from face3d.exam import EXPRESSIONS
    from face3d.report.folder import REPORT, Thing, free_for

    if expression is not None and expression not in EXPRESSIONS:
        raise SchemaError(f"--expression {expression}: not known; known are {', '.join(EXPRESSIONS)}")
    if out is not None:
        check_writable(out)
    recording = _read(frames, fps, units, follow)
    if out is not None:
        free_for(out, Thing("sequence", recording.name))
    total = None if recording.times_s is None else len(recording)
    with counted(total) as step:
        from face3d.grading.recorded import kinematics
        from face3d.io import read_scan
        from face3d.report.sequence_result import sequence_result
        from face3d.sequence.track import track

        tracking = track(recording, None if rest is None else read_scan(rest, units))
        if out is None:
            tracked = tracking.collect()
            result = sequence_result(kinematics(tracked, expression), tracked)
        else:
            result = _written(out, tracking, _said(frames, fps, units, rest), expression, step)
    print(result.to_json() if json else result.to_text())
    if out is not None and not json:
        print(f"report: {out / REPORT}")
    return 0


def _read(frames: Path, fps: float | None, units: str, follow: bool) -> Sequence:
    from face3d.io.sequence_read import read_sequence

    return read_sequence(frames, fps, units, follow=follow)


def _said(frames: Path, fps: float | None, units: str, rest: Path | None) -> dict[str, object]:
    """What is tracked and how: parts of anything else are of no use."""
    import face3d

    at_rest = None if rest is None else (str(rest.resolve()), rest.stat().st_size, rest.stat().st_mtime_ns)
    return {"face3d": face3d.__version__, "frames": str(frames.resolve()), "fps": fps, "units": units, "rest": at_rest}


def _written(out: Path, tracking: Tracking, of: dict[str, object], expression: str | None, step: Callable[[int], None]):
    import shutil

    from face3d.grading.recorded import kinematics
    from face3d.report.sequence_outputs import left_behind, write_sequence
    from face3d.sequence.stored import stored_tracking

    left_behind(out)
    tracked, stored = stored_tracking(out / PARTS, tracking, of, step)
    result = write_sequence(kinematics(tracked, expression), out, tracked, stored)
    shutil.rmtree(out / PARTS)
    return result
