"""The command line. A command is a short function that calls one module; heavy imports stay inside.

Exit codes: 0 done; 2 bad input or usage, with one line on standard error that names the file, the cause and the
way out; 4 some items of a batch failed; 130 interrupted (Ctrl-C); 1 a defect of ours, with its traceback.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import face3d
from face3d.cli.captures import calibrate, fuse, reconstruct, video
from face3d.cli.clinic import serve
from face3d.cli.common import refuse
from face3d.cli.demonstration import demo
from face3d.cli.exports import export, view
from face3d.cli.many import batch, bids
from face3d.cli.people import evaluate, norms, simulate, study, train
from face3d.cli.person import analyze, compare, doctor, exam, grade, info, validate
from face3d.cli.raters import kit, ratings
from face3d.cli.recordings import sequence
from face3d.errors import Face3DError
from face3d.extras import extra_of, missing

#: Exit code of a command that was stopped, as shells have it.
INTERRUPTED = 130
#: What goes wrong with files that the user names, as far as no reader or writer says it better.
_USERS = frozenset(
    {
        errno.ENOENT,
        errno.EACCES,
        errno.EPERM,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENOSPC,
        errno.EROFS,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.EDQUOT,
    }
)

# Plain help: rich markup would cost half of the time that `face3d --help` may take.
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


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


for _command in (
    demo,
    analyze,
    info,
    exam,
    sequence,
    grade,
    validate,
    compare,
    batch,
    study,
    view,
    export,
    norms,
    kit,
    ratings,
    simulate,
    train,
    evaluate,
    calibrate,
    reconstruct,
    fuse,
    video,
    serve,
    doctor,
):
    app.command()(_command)
app.command(context_settings={"allow_extra_args": True})(bids)


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code. Whatever is not the user's to mend leaves as an exception."""
    try:
        code = app(list(arguments), prog_name="face3d", standalone_mode=False) or 0
        return _interrupted() if code == INTERRUPTED else code  # what typer makes of Ctrl-C
    except typer.TyperException as error:
        return refuse(f"{error.format_message()} See: face3d --help")
    except Face3DError as error:
        return refuse(str(error))
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if extra_of(module) is None:
            raise
        return refuse(str(missing(module)))
    except typer.Abort:
        return _interrupted()
    except (ImportError, OSError) as error:
        if "cannot open shared object file" in str(error):  # a package whose system library is not there
            return refuse(f"{error}; `face3d doctor` gives the line that installs it")
        if not isinstance(error, OSError) or error.errno not in _USERS or error.filename is None:
            raise
        return refuse(f"{error.filename}: {error.strerror}; give a path that can be read and written")


def _interrupted() -> int:
    print("face3d: interrupted", file=sys.stderr)
    return INTERRUPTED


def main() -> None:
    """Entry point of the `face3d` command."""
    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        # What is to be tidied up has been, on the way here; Python would wait for scans that workers are busy with.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
