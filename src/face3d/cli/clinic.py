"""The command that opens the app for a browser on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from face3d.cli.common import Json, print_json


def serve(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder in which the app keeps everything.")],
    root: Annotated[
        list[Path] | None, typer.Option(help="Folder of exams that may be added from; can be given several times.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0: any that is free.")] = 8765,
    workers: Annotated[int, typer.Option(min=1, help="Exams that are measured at a time.")] = 1,
    json: Json = False,
) -> int:
    """Open a page on this machine to add exams, read reports, compare visits and correct landmarks.

    Only browsers on this machine reach it, with the address that is printed. It ends with Ctrl-C.
    """
    from face3d.app.server import opened
    from face3d.batch.lane import Limits
    from face3d.cli.many import MEMORY, TIMEOUT

    with opened(data, tuple(root or ()), port, workers, Limits(TIMEOUT, MEMORY)) as (address, run):
        if json:
            print_json({"address": address, "data": str(data)})
        else:
            print(f"open in a browser on this machine: {address}")
        sys.stdout.flush()
        run()
    return 0
