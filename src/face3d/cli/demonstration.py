"""`face3d demo`: the whole job on the embedded patient; each part leaves its page, and one page links them."""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import typer

from face3d.cli.common import Json, check_writable, print_json

#: Below the folder that is asked for; the first visit's result lies in that folder itself.
MOVEMENT, AFTER, CHANGE = "movement", "after", "change"


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("face3d-demo"), json: Json = False
) -> int:
    """The whole job on the embedded patient: examined, graded and explained, a smile followed, two visits compared.

    It takes less than a minute on two cores. Where to look first is printed last.
    """
    from face3d.cli.progress import steps
    from face3d.exam import EXPRESSIONS
    from face3d.io.write import write_bytes
    from face3d.measuring.comparison import compare
    from face3d.report.demo_page import Found, demo_page
    from face3d.report.folder import REPORT, Thing, free_for
    from face3d.report.outputs import write_comparison
    from face3d.report.reading import read_visit

    check_writable(out)
    free_for(out, Thing("exam", "demo/before"))
    with steps(len(EXPRESSIONS) + 5) as step, _beside(_rest, out) as rest:
        first, change = _examined(out, "before", step), out / CHANGE
        step("recording and second visit")
        smile, second = rest()
        step("comparing")
        visits = read_visit(out), read_visit(out / AFTER)
        compared = write_comparison(compare(*(v.measured for v in visits)), change, visits)
        found = Found(first, second, smile, compared, _truth())
        write_bytes(out / "index.html", demo_page(found, f"{MOVEMENT}/", f"{AFTER}/", f"{CHANGE}/").encode())
    pages = {"all of it": "index.html", "examination": REPORT, "recorded smile": f"{MOVEMENT}/{REPORT}"}
    pages |= {"second visit": f"{AFTER}/{REPORT}", "change between visits": f"{CHANGE}/{REPORT}"}
    if json:
        print_json({"pages": {name: str(out / page) for name, page in pages.items()}, "lines": found.lines()})
    else:
        print(*found.lines(), compared.notice, sep="\n")
        print(*(f"page: {out / page}  ({name})" for name, page in reversed(pages.items())), sep="\n")
    return 0


def _examined(folder: Path, visit: str, step: Callable[[str], None] = lambda name: None) -> Any:
    """The exam of a visit, measured, graded, explained, its result in `folder`: a `demo_page.Examined`."""
    from face3d.errors import MissingExtraError
    from face3d.grading.examination import examine
    from face3d.report.demo_page import Examined
    from face3d.report.movement_pictures import movement_pictures
    from face3d.report.outputs import write_examined
    from face3d.simulate.demo import demo_exam

    # Another process is at work beside this one: of two cores each has one.
    x = examine(demo_exam(visit), step=step, workers=1)
    step("explaining")
    try:
        why = x.explain().regions.head(5).to_dict("records") if visit == "before" else []
    except MissingExtraError:  # without the networks there is no grade to explain
        why = []
    smile = movement_pictures(x.fitted.rest, {"open_smile": x.measures.movements["open_smile"]}, x.fitted.template)
    return Examined(write_examined(x, folder), why, smile[0])


def _rest(out: Path) -> tuple[Any, Any]:
    """What is done beside the first examination: the recorded smile, and the second visit."""
    from face3d.grading.recorded import kinematics
    from face3d.report.sequence_outputs import write_sequence
    from face3d.sequence.stored import stored_tracking
    from face3d.sequence.track import track
    from face3d.simulate.demo import demo_recording

    with tempfile.TemporaryDirectory() as parts:
        tracked = stored_tracking(Path(parts), track(demo_recording()), {})
        smile = write_sequence(kinematics(tracked), out / MOVEMENT, tracked)
    return smile, _examined(out / AFTER, "after")


def _truth() -> tuple[int, int]:
    """The House-Brackmann grades that the simulated patient really has."""
    from face3d.simulate.demo import demo_patient

    before, after = (demo_patient(visit).truth.house_brackmann for visit in ("before", "after"))
    return before, after


@contextmanager
def _beside(work: Callable[[Path], Any], out: Path) -> Iterator[Callable[[], Any]]:
    """Starts `work` in a process of its own; yields what waits for its answer, and raises what it raised."""
    # Spawned: a forked process would inherit locks of threads that it does not have.
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(work, out, there), daemon=True)
    process.start()
    there.close()

    def answer() -> Any:
        try:
            done, value = here.recv()
        except EOFError:
            raise RuntimeError(f"a process of the demo ended with {process.exitcode}, without an answer") from None
        if not done:
            raise value
        return value

    try:
        yield answer
    finally:
        process.terminate()
        process.join()


def _answer(work: Callable[[Path], Any], out: Path, to: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which ends this process
    try:
        to.send((True, work(out)))
    except Exception as error:
        to.send((False, error))
