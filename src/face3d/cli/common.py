"""What all commands have in common: their arguments, and how they answer."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

ScanFile = Annotated[
    Path, typer.Argument(metavar="SCAN", help="OBJ, PLY, STL, OFF, GLB, glTF, VTP, npz, or these gzipped.")
]
Units = Annotated[str, typer.Option(help='"mm", "cm" or "m"; "auto" infers them from the size of the head.')]
Landmarks = Annotated[
    Path | None, typer.Option(help="Landmarks placed by hand; they win over those found automatically.")
]
Out = Annotated[Path | None, typer.Option(help="Folder for the results; made when it is not there.")]
ExamPath = Annotated[Path, typer.Argument(metavar="EXAM", help="Folder of an examination, or its exam.json.")]
StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of examinations, sub-*/ses-*/face/ or any.")]
RequiredOut = Annotated[Path, typer.Option("--out", help="Folder for the results; made when it is not there.")]
Side = Annotated[str | None, typer.Option(help='Affected side: "left", "right" or "none"; else found by measuring.')]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def print_json(value: Mapping[str, object]) -> None:
    import json

    print(json.dumps(value, indent=2))


def refuse(message: str) -> int:
    """One line on standard error; returns the exit code."""
    print("face3d:", " ".join(message.split()), file=sys.stderr)
    return 2
