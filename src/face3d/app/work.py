"""What a job is, done in a process of its own: the same as `face3d exam` and `face3d compare` do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from face3d.batch.item import Measured, Outcome, Task, run


def work(task: Task) -> Outcome:
    """Measures or compares, and leaves the folder of it in the results; see `face3d.batch.item.run`."""
    return run(task, measured)


def measured(task: Task, path: Path, build: Path) -> Measured:
    """All that the command's --out writes, in `build`. Raises what reading and measuring raise."""
    return _compared(task, build) if task.item.kind == "comparison" else _examined(task, path, build)


def warm(_: Any) -> None:
    """Loads what an exam needs, which takes some seconds, before the first one comes."""
    from face3d.extras import require

    for module in ("open3d", "mediapipe", "torch"):
        with suppress(ImportError):
            require(module)
    with suppress(ImportError):
        import face3d.grading.grades
        import face3d.measuring.examination
        import face3d.report.movement_pictures
        import face3d.template.exam_fit  # noqa: F401


def step_file(work: Path, folder: str) -> Path:
    """Where a running task says how far it is: number, total and name of the step, between tabs. `work` the folder of
    the run, `folder` that of the result."""
    return work / f"{folder}.step"


def _saying(task: Task, total: int) -> Callable[[str], None]:
    """A function to call with each step's name as it begins."""
    file, begun = step_file(Path(task.work), task.item.folder), 0

    def say(name: str) -> None:
        nonlocal begun
        with suppress(OSError):  # nobody's exam fails for want of a progress bar
            written = file.with_suffix(".new")
            written.write_text(f"{begun}\t{total}\t{name}", encoding="utf-8")
            written.replace(file)
        begun += 1

    return say


def _examined(task: Task, path: Path, build: Path) -> Measured:
    from face3d.grading.examination import examine
    from face3d.io.exam import read_exam
    from face3d.report.exam_row import exam_row
    from face3d.report.outputs import write_examined

    exam = read_exam(path)
    say = _saying(task, len(exam.expressions) + 2 * len(exam.sequences) + 3)
    x = examine(exam, step=say)
    say("drawing the report")
    write_examined(x, build)
    return Measured(exam_row(x))


def _compared(task: Task, build: Path) -> Measured:
    from face3d.measuring.comparison import compare
    from face3d.report.outputs import write_comparison
    from face3d.report.reading import read_visit

    say = _saying(task, 2)
    say("reading both visits")
    root = Path(task.item.root)
    first, second = (read_visit(root / str(task.item.fact(which))) for which in ("before", "after"))
    c = compare(first.measured, second.measured)
    say("drawing the comparison")
    write_comparison(c, build, (first, second))
    return Measured({})
