"""How fast faces are simulated: an exam as stereophotogrammetry meshes, frames of motion. One core.

python benchmarks/simulation.py
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from face3d.exam import EXPRESSIONS
from face3d.simulate.definition import Definition
from face3d.simulate.exam_writer import write_exam
from face3d.simulate.scanners import scan_face
from face3d.simulate.subjects import Subject
from shown import Shown, numbers

MOVEMENTS = [name for name in EXPRESSIONS if name != "rest"]


def timed(shown: Shown, name: str, work: Callable[[], str | None], aim: str) -> None:
    """Run `work` once; its processor time is what a quiet core would take, or more."""
    wall, cpu = time.perf_counter(), time.process_time()
    note = work() or ""
    shown.row(name, *numbers([time.perf_counter() - wall, time.process_time() - cpu]), note, aim)


def main() -> None:
    """Print the table."""
    definition = Definition(seed=1, subjects=3)
    first, second, third = (Subject(definition, n) for n in range(3))
    scan_face(first.model, first.vertices("rest"), first.stream("warm"))  # imports, the model's chart

    def scans() -> None:
        for name in MOVEMENTS:
            scan_face(second.model, second.vertices(name), second.stream(name))

    def files() -> None:
        with tempfile.TemporaryDirectory() as folder:
            write_exam(Path(folder), third)

    def frames(person: Subject, level: str) -> str:
        patient, model = person.patient, person.model if level == "fine" else person.patient.model
        motion = person.motion("open_smile", 60.0)
        for _ in motion.frames(model, patient.identity, patient.asymmetry):
            pass
        return f"{len(motion)} frames = {motion.time[-1]:.1f} s of motion"

    shown = Shown("Simulating", "what", "wall s", "CPU s", "that is", "aim")
    timed(shown, "nine expressions as meshes of 20k vertices", scans, "4 s")
    timed(shown, "a whole exam: ten scans, truth, files", files, "")
    timed(shown, "60 frames a second, 3,896 vertices", lambda: frames(second, "base"), "faster than the motion")
    timed(shown, "60 frames a second, 15,496 vertices", lambda: frames(second, "fine"), "faster than the motion")


if __name__ == "__main__":
    main()
