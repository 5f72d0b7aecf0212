"""Commands about recorded movements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from face3d.cli.common import Base, Fps, Json, Out, Pdf, Units, check_pdf, check_writable, told

if TYPE_CHECKING:
    from face3d.io.sequence import Sequence
    from face3d.report.sequence_result import SequenceResult
    from face3d.sequence.kinematics import Kinematics
    from face3d.sequence.stored import Stored

#: Where what is tracked is kept until all of it is.
PARTS = ".tracking"


def sequence(
    frames: Annotated[
        Path,
        typer.Argument(
            metavar="FRAMES", help="Folder of numbered meshes or depth pictures, an archive, a point cache, or markers."
        ),
    ],
    out: Out = None,
    fps: Fps = None,
    units: Units = "auto",
    base: Base = None,
    rest: Annotated[
        Path | None, typer.Option(help="Scan of the same person's face at rest; else the first frame is taken for it.")
    ] = None,
    expression: Annotated[
        str | None, typer.Option(help="All that is recorded is this one, once or repeatedly; else it is recognised.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="The folder is still being written: wait for more.")] = False,
    pdf: Pdf = False,
    json: Json = False,
) -> int:
    """Follow a recorded face frame by frame: how far, how fast, how late, which side, and how the eyes blink.

    Without --out nothing is written, only the summary is printed. With it, a run that was stopped goes on where it was
    when it is started again.
    """
    from face3d.errors import SchemaError
    from face3d.exam import EXPRESSIONS
    from face3d.io.recordings import read_movement
    from face3d.io.sequence import Sequence
    from face3d.io.sequence_read import read_sequence
    from face3d.report.folder import Thing, free_for

    if expression is not None and expression not in EXPRESSIONS:
        raise SchemaError(f"--expression {expression}: not known; known are {', '.join(EXPRESSIONS)}")
    check_pdf(pdf, out)
    if out is not None:
        check_writable(out)
    recording = (
        read_sequence(frames, fps, units, base=base, follow=True) if follow else read_movement(frames, fps, units, base)
    )
    if out is not None:
        free_for(out, Thing("sequence", recording.name))
    if isinstance(recording, Sequence):
        result = _tracked(recording, rest, units, expression, out, _said(frames, fps, units, rest))
    else:
        from face3d.grading.recorded import kinematics

        result = _kept(kinematics(recording, expression), out)
    return told(result, out, pdf, json)


def _tracked(
    recording: Sequence, rest: Path | None, units: str, expression: str | None, out: Path | None, of: dict[str, object]
) -> SequenceResult:
    import tempfile
    from contextlib import ExitStack
    from shutil import rmtree

    from face3d.cli.progress import counted
    from face3d.grading.recorded import kinematics
    from face3d.io import read_scan
    from face3d.report.sequence_outputs import left_behind
    from face3d.sequence.stored import stored_tracking
    from face3d.sequence.track import track

    tracking = track(recording, None if rest is None else read_scan(rest, units))
    with ExitStack() as held:
        if out is None:
            parts = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="face3d-")))
        else:
            left_behind(out)
            parts = out / PARTS
        step = held.enter_context(counted(None if recording.times_s is None else len(recording)))
        tracked = stored_tracking(parts, tracking, of, step)
        result = _kept(kinematics(tracked, expression), out, tracked)
    if out is not None:
        rmtree(parts)
    return result


def _kept(k: Kinematics, out: Path | None, tracked: Stored | None = None) -> SequenceResult:
    """The result; written, where a folder was given."""
    from face3d.report.sequence_outputs import write_sequence
    from face3d.report.sequence_result import sequence_result

    return sequence_result(k, tracked) if out is None else write_sequence(k, out, tracked)


def _said(frames: Path, fps: float | None, units: str, rest: Path | None) -> dict[str, object]:
    """What is tracked and how: parts of anything else are of no use."""
    import face3d

    at_rest = None if rest is None else (str(rest.resolve()), rest.stat().st_size, rest.stat().st_mtime_ns)
    return {"face3d": face3d.__version__, "frames": str(frames.resolve()), "fps": fps, "units": units, "rest": at_rest}
