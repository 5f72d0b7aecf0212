"""The command line. A command is a short function that calls one module; heavy imports stay inside.

Exit codes: 0 done; 2 bad input or usage, with one line on standard error that names the file, the cause and the
way out; 1 a defect of ours, with its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import face3d
from face3d.errors import Face3DError
from face3d.extras import extra_of, missing

if TYPE_CHECKING:
    from face3d.scan import FaceScan

# Plain help: rich markup would cost half of the time that `face3d --help` may take.
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

ScanFile = Annotated[
    Path, typer.Argument(metavar="SCAN", help="OBJ, PLY, STL, OFF, GLB, glTF, VTP, npz, or these gzipped.")
]
Units = Annotated[str, typer.Option(help='"mm", "cm" or "m"; "auto" infers them from the size of the head.')]
Landmarks = Annotated[
    Path | None, typer.Option(help="Landmarks placed by hand; they win over those found automatically.")
]
Out = Annotated[Path | None, typer.Option(help="Folder for the results; made when it is not there.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(face3d.__version__)
        raise typer.Exit


@app.callback()
def _face3d(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """3D analysis of faces with facial paralysis. For research use only; not a medical device."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("face3d-demo"), json: Json = False
) -> int:
    """The whole job on the embedded exam."""
    from face3d.demo import demo_scan

    return _analyze(demo_scan, out, json)


@app.command()
def analyze(
    scan: ScanFile, out: Out = None, units: Units = "auto", landmarks: Landmarks = None, json: Json = False
) -> int:
    """Measure one face scan: where it differs from its mirror image, and by how much.

    Without --out nothing is written, only the summary is printed.
    """
    from face3d.io import read_scan

    return _analyze(lambda: read_scan(scan, units, landmarks), out, json)


@app.command()
def info(scan: ScanFile, units: Units = "auto", landmarks: Landmarks = None, json: Json = False) -> int:
    """Say what is in a scan file, without measuring anything."""
    from face3d import info as facts
    from face3d.io import read_scan

    found = facts.info(read_scan(scan, units, landmarks, texture=True))
    print(found.to_json() if json else found.to_text())
    return 0


@app.command()
def doctor(json: Json = False) -> int:
    """Say what this machine lacks, and the line that mends it."""
    from face3d import doctor as ward

    checks = ward.examine()
    print(ward.as_json(checks) if json else ward.as_text(checks))
    lacking = [check.name for check in checks if check.state == "missing"]
    return _refuse(f"this machine lacks: {', '.join(lacking)}; the lines above mend it") if lacking else 0


def _analyze(read: Callable[[], FaceScan], out: Path | None, json: bool) -> int:
    from face3d.progress import steps

    with steps(4) as step:
        step("reading")
        scan = read()
        step("measuring")
        from face3d.analysis import analyze as measure
        from face3d.outputs import REPORT, write_outputs
        from face3d.result import result_of

        analysis = measure(scan)
        result = result_of(analysis) if out is None else write_outputs(analysis, out, step)
    print(result.to_json() if json else result.to_text())
    if out is not None and not json:
        print(f"report: {out / REPORT}")
    return 0


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code. Whatever is not the user's to mend leaves as an exception."""
    try:
        return app(list(arguments), prog_name="face3d", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _refuse(f"{error.format_message()} See: face3d --help")
    except Face3DError as error:
        return _refuse(str(error))
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if extra_of(module) is None:
            raise
        return _refuse(str(missing(module)))


def _refuse(message: str) -> int:
    print("face3d:", " ".join(message.split()), file=sys.stderr)
    return 2


def main() -> None:
    """Entry point of the `face3d` command."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
