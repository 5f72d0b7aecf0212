"""What all commands have in common: their arguments, and how they answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Protocol

import typer

from face3d.errors import OutputError, ScanError

ScanFile = Annotated[
    Path,
    typer.Argument(metavar="SCAN", help="OBJ, PLY, STL, OFF, GLB, glTF, VTP, VTK, PCD, XYZ, npz, or these gzipped."),
]
Units = Annotated[str, typer.Option(help='"mm", "cm", "m" or "in"; "auto" infers them from the size of the head.')]
Scale = Annotated[
    float | None, typer.Option(help="In place of --units: how many millimetres one unit of the file has.")
]
Landmarks = Annotated[
    Path | None, typer.Option(help="Landmarks placed by hand; they win over those found automatically.")
]
Fps = Annotated[float | None, typer.Option(help="Frames a second of a recording, where its files don't say it.")]
Base = Annotated[Path | None, typer.Option(help="The mesh that a recording of bare vertices belongs to.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the results; made when it is not there.")]
ExamPath = Annotated[Path, typer.Argument(metavar="EXAM", help="Folder of an examination, or its exam.json.")]
StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of examinations, sub-*/ses-*/face/ or any.")]
RequiredOut = Annotated[Path, typer.Option("--out", help="Folder for the results; made when it is not there.")]
Side = Annotated[
    Literal["left", "right", "both", "none"] | None,
    typer.Option(help="Affected side, the subject's own; else what the examination says, else found by measuring."),
]
Pdf = Annotated[bool, typer.Option("--pdf", help="With --out: the report as PDF too, for the record.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def check_pdf(wanted: bool, out: Path | None) -> None:
    """Raises before measuring what a PDF would fail by after it: `OutputError` without a folder, `MissingExtraError`
    without WeasyPrint."""
    from face3d.extras import require

    if wanted and out is None:
        raise OutputError("--pdf: no folder to write it into; give one with --out")
    if wanted:
        require("weasyprint")


def check_writable(folder: Path) -> None:
    """Raises `OutputError` when a folder for results cannot be made or written: said before measuring, not after."""
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not there.is_dir():
        raise OutputError(f"{folder}: {there} is a file, no folder; give another folder with --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: {there} cannot be written to; give another folder with --out")


class Told(Protocol):
    """A result that can be printed."""

    def to_text(self) -> str:
        """For the terminal."""
        ...

    def to_json(self) -> str:
        """For programs."""
        ...


def unit_of(units: str, scale: float | None) -> str | float:
    """The unit that --units or --scale names. Raises `ScanError` when both do."""
    if scale is not None and units != "auto":
        raise ScanError(f"--scale {scale:g} and --units {units} are two ways to say the same; give one of them")
    return units if scale is None else scale


def told(result: Told, out: Path | None, pdf: bool, json: bool) -> int:
    """Prints a result, and where its pages are, the PDF made where it is wanted; returns the exit code."""
    from face3d.report.folder import REPORT

    pages = [] if out is None else [out / REPORT]
    if pages and pdf:
        from face3d.export.pdf import write_pdf

        pages.append(write_pdf(pages[0].parent))
    print(result.to_json() if json else result.to_text())
    if not json:
        print("".join(f"report: {page}\n" for page in pages), end="")
    return 0


def print_json(value: Mapping[str, object]) -> None:
    """A result on standard output, as JSON."""
    import json

    print(json.dumps(value, indent=2))


def refuse(message: str) -> int:
    """One line on standard error; returns the exit code."""
    print("face3d:", " ".join(message.split()), file=sys.stderr)
    return 2
