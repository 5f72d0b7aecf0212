"""Does grading abstain when it should? Swapped files, wrong units, truncated scans, things that are no faces.

    python benchmarks/abstention.py [--seen FOLDER] [--exams 4]

FOLDER: exams by tools/seen_exams.py of subjects that nothing was learned on; a few are made where none is given.
Right is to raise an error that says what is wrong, or a grade with `abstained`. Beside it how often exams with nothing
wrong are abstained on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from face3d.clean import crop
from face3d.errors import Face3DError
from face3d.exam import Exam
from face3d.examine import fit_seen
from face3d.grading import grade
from face3d.learn.examples import example_of
from face3d.scan import FaceScan
from face3d.simulate.scanners import scan_face
from seen_exams import SeenExam, load, make, patient_of

#: What each truncation keeps, of the head model's coordinates: half a face, its upper part, its lower part.
CUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "half a face": lambda v: v[:, 0] > 0.0,
    "no mouth": lambda v: v[:, 1] > np.median(v[:, 1]),
    "no brows": lambda v: v[:, 1] < np.median(v[:, 1]),
}
#: An exam short enough to be made many times: what House's rule needs.
SHORT = ("rest", "brow_raise", "open_smile")
ALIKE = ({"open_smile", "closed_smile"}, {"gentle_eye_closure", "tight_eye_closure"})


def refused(exam: Callable[[], object]) -> str:
    """Why there is no grade to believe, "" if there is one."""
    try:
        g = grade(exam())  # type: ignore[arg-type]
    except Face3DError as error:
        return f"refused: {error}"
    return f"abstained: {g.reason}" if g.abstained else ""


def fitted(exam: SeenExam, swap: tuple[str, str] | None = None) -> object:
    a, b = swap or ("", "")
    scans = {**exam.scans, **({a: exam.scans[b], b: exam.scans[a]} if swap else {})}
    if swap and "rest" in swap:  # the head frame goes with what is called the rest scan
        scans["rest"] = replace(scans["rest"], head=scans["rest"].found.to_head)
    return example_of(
        fit_seen(tuple(scans), scans.__getitem__), facts={"age_years": exam.facts["age_years"]}, raw=False
    )


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
        scan = scan_face(patient.model, patient.vertices(e), np.random.default_rng([seed, subject, k]), pose=False,
                         points=15_000).scan  # fmt: skip
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seen", type=Path)
    parser.add_argument("--exams", type=int, default=4)
    parser.add_argument("--seed", type=int, default=41)
    a = parser.parse_args()
    if a.seen is not None:
        report(a.seen, a.exams, a.seed)
        return
    with tempfile.TemporaryDirectory() as folder:
        for subject in range(a.exams):
            make(Path(folder), a.seed, subject, 0)
        report(Path(folder), a.exams, a.seed)


def report(seen: Path, exams: int, seed: int) -> None:
    """Prints the table."""
    rng = np.random.default_rng(5)
    rows: dict[str, list[str]] = {}
    for k, exam in enumerate(load(seen)):
        if k >= exams:
            break
        rows.setdefault("nothing wrong", []).append(refused(lambda exam=exam: fitted(exam)))
        pair = swaps(rng, exam)
        rows.setdefault("two files swapped", []).append(refused(lambda exam=exam, pair=pair: fitted(exam, pair)))
    for subject in range(exams // 2):
        factor = (0.1, 10.0, 25.4, 0.001)[subject % 4]
        scaled = lambda scan, factor=factor: scan.replace(vertices=scan.vertices * factor)  # noqa: E731
        rows.setdefault("wrong unit", []).append(refused(lambda s=subject, f=scaled: scanned(s, seed, f)))
        name = list(CUTS)[subject % 3]
        cut = lambda scan, name=name: crop(scan, CUTS[name](scan.vertices)).scan  # noqa: E731
        only = None if subject % 2 else "open_smile"
        rows.setdefault("truncated", []).append(refused(lambda s=subject, f=cut, o=only: scanned(s, seed, f, o)))
    for scan in no_faces():
        rows.setdefault("no face", []).append(refused(lambda scan=scan: Exam("test", dict.fromkeys(SHORT, scan))))
    print(f"{'case':<22}{'n':>5}{'refused or abstained':>24}")
    for name, found in rows.items():
        print(f"{name:<22}{len(found):>5}{np.mean([bool(f) for f in found]):>24.2f}")
        for reason in found:
            print("   ", reason[:150] or "graded")


if __name__ == "__main__":
    main()
