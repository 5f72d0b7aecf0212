"""Does grading abstain when it should? Swapped files, wrong units, truncated scans, things that are no faces.

    python benchmarks/abstention.py [--seen FOLDER] [--exams 4]

FOLDER: exams by tools/seen_exams.py of subjects that nothing was learned on; a few are made where none is given.
Right is to raise an error that says what is wrong, or a grade with `abstained`. Beside it how often exams with nothing
wrong are abstained on. Every exam is told when it is done, with how many of its kind were refused so far, and the kinds
take turns: a run that is cut off has said something of each.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from face3d.errors import Face3DError
from face3d.exam import Exam
from face3d.geometry.clean import crop
from face3d.grading.examination import grade
from face3d.grading.example import Example, example_of
from face3d.scan import FaceScan
from face3d.simulate.scanners import scan_face
from face3d.template.exam_fit import fit_seen
from seen_exams import SeenExam, load_one, make, patient_of
from shown import Shown, number

#: What each truncation keeps, of the head model's coordinates: half a face, its upper part, its lower part.
CUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "half a face": lambda v: v[:, 0] > 0.0,
    "no mouth": lambda v: v[:, 1] > np.median(v[:, 1]),
    "no brows": lambda v: v[:, 1] < np.median(v[:, 1]),
}
#: An exam short enough to be made many times: what House's rule needs.
SHORT = ("rest", "brow_raise", "open_smile")
ALIKE = ({"open_smile", "closed_smile"}, {"gentle_eye_closure", "tight_eye_closure"})


def refused(exam: Callable[[], Exam | Example]) -> str:
    """Why there is no grade to believe, "" if there is one."""
    try:
        g = grade(exam())
    except Face3DError as error:
        return f"refused: {error}"
    return f"abstained: {g.reason}" if g.abstained else ""


def fitted(exam: SeenExam, swap: tuple[str, str] | None = None) -> Example:
    a, b = swap or ("", "")
    scans = {**exam.scans, **({a: exam.scans[b], b: exam.scans[a]} if swap else {})}
    if swap and "rest" in swap:  # the head frame goes with what is called the rest scan
        scans["rest"] = replace(scans["rest"], head=scans["rest"].found.to_head)
    return example_of(fit_seen(tuple(scans), scans.__getitem__), facts={"age_years": exam.facts["age_years"]})


def swaps(rng: np.random.Generator, exam: SeenExam) -> tuple[str, str]:
    """Two expressions whose files change places; not two that differ by degree only."""
    while True:
        a, b = (str(e) for e in rng.choice(sorted(exam.scans), 2, replace=False))
        if {a, b} not in ALIKE:
            return a, b


def scanned(subject: int, seed: int, change: Callable[[FaceScan], FaceScan], only: str | None = None) -> Exam:
    patient, _ = patient_of(seed, subject)
    scans = {}
    for k, e in enumerate(SHORT):
        scan = scan_face(
            patient.model, patient.vertices(e), np.random.default_rng([seed, subject, k]), pose=False, points=15_000
        ).scan
        scans[e] = change(scan) if only in (None, e) else scan
    return Exam("test", scans)


def no_faces() -> Iterator[FaceScan]:
    """A ball, a torus, a box, a wavy sheet, the back of a head."""
    import open3d as o3d

    mesh_of = o3d.geometry.TriangleMesh
    for mesh in (
        mesh_of.create_sphere(90.0, 80),
        mesh_of.create_torus(70.0, 30.0, 80, 60),
        mesh_of.create_box(150.0, 200.0, 90.0),
    ):
        mesh = mesh.subdivide_midpoint(1 if len(mesh.triangles) > 100 else 6)
        yield FaceScan(np.asarray(mesh.vertices), np.asarray(mesh.triangles), name="no face")
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-80.0, 81, 2), np.arange(-100.0, 101, 2)))
    z = 12 * np.sin(x / 17) * np.cos(y / 23)
    n = 81
    quads = np.array([r * n + c for r in range(100) for c in range(80)])
    faces = np.concatenate(
        [np.stack([quads, quads + 1, quads + n], 1), np.stack([quads + 1, quads + n + 1, quads + n], 1)]
    )
    yield FaceScan(np.stack([x, y, z], 1), faces, name="sheet")
    patient, _ = patient_of(77, 0)
    v = patient.vertices("rest")
    whole = FaceScan(v, patient.model.faces, name="back of a head")
    yield crop(whole, v[:, 2] < np.quantile(v[:, 2], 0.4)).scan


def cases(files: Iterator[Path], seed: int) -> Iterator[tuple[str, Callable[[], Exam | Example]]]:
    """What is wrong, and an exam of which it is: the kinds in turn, one round for each of `files`."""
    rng, things = np.random.default_rng(5), no_faces()
    for k, file in enumerate(files):
        exam = load_one(file)
        pair = swaps(rng, exam)
        yield "nothing wrong", lambda exam=exam: fitted(exam)
        yield "two files swapped", lambda exam=exam, pair=pair: fitted(exam, pair)
        factor, where = (0.1, 10.0, 25.4, 0.001)[k % 4], list(CUTS.values())[k % 3]
        scaled = lambda scan, factor=factor: scan.replace(vertices=scan.vertices * factor)  # noqa: E731
        cut = lambda scan, where=where: crop(scan, where(scan.vertices)).scan  # noqa: E731
        yield "wrong unit", lambda k=k, scaled=scaled: scanned(k, seed, scaled)
        yield "truncated", lambda k=k, cut=cut: scanned(k, seed, cut, None if k % 2 else "open_smile")
        yield from map(_no_exam, islice(things, 1))
    yield from map(_no_exam, things)


def _no_exam(scan: FaceScan) -> tuple[str, Callable[[], Exam]]:
    return "no face", lambda: Exam("test", dict.fromkeys(SHORT, scan))


def report(files: Iterator[Path], seed: int) -> None:
    """Prints each case, then the table."""
    found: dict[str, list[bool]] = {}
    for kind, exam in cases(files, seed):
        reason = refused(exam)
        of_kind = found.setdefault(kind, [])
        of_kind.append(bool(reason))
        said = f"{kind:<20}{sum(of_kind):>3} of {len(of_kind):<3} {reason[:150] or 'graded'}"
        print(said, file=sys.stderr, flush=True)
    shown = Shown(f"Refused or abstained on, seed {seed}", "case", "n", "share")
    for kind, of_kind in found.items():
        shown.row(kind, len(of_kind), number(float(np.mean(of_kind))))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seen", type=Path)
    parser.add_argument("--exams", type=int, default=4)
    parser.add_argument("--seed", type=int, default=41)
    a = parser.parse_args()
    if a.seen is not None:
        report(islice(iter(sorted(a.seen.glob("*.npz"))), a.exams), a.seed)
        return
    with tempfile.TemporaryDirectory() as folder:
        report((make(Path(folder), a.seed, subject, 0) for subject in range(a.exams)), a.seed)


if __name__ == "__main__":
    main()
