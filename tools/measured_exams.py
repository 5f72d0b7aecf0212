"""Simulated exams, scanned and measured as real ones are, with their truth: what rules and errors are learned from.

    python tools/measured_exams.py --out FOLDER --subjects 24 --seed 1 --scans 2

Every subject is drawn from a seed of their own; of three in a row one moves as author a, one as author b, one by
muscles of Waters' kind. Each exam is scanned `--scans` times, anew in pose, triangulation, noise and crop. One npz a
scanned exam: fitted vertices, true vertices, side. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face3d.errors import Face3DError
from face3d.exam import EXPRESSIONS, Exam
from face3d.examine import fit_exam
from face3d.scan import Floats
from face3d.simulate import HeadModel, Patient, draw_patient
from face3d.simulate.palsy_units import with_palsy_units
from face3d.simulate.scanners import scan_face
from face3d.simulate.waters import with_waters_muscles

KINDS = ("a", "b", "waters")
#: Without tight closure, closed smile and puff, which repeat what others say; enough to learn from in half the time.
SHORT = ("rest", "brow_raise", "gentle_eye_closure", "open_smile", "snarl", "lip_pucker", "lower_lip_depression")


@dataclass(frozen=True, eq=False)
class MeasuredExam:
    """`fitted` and `true` expression -> vertices mm, of the template (NaN unseen) and of the head model; `marks`
    expression -> landmark -> (3,) mm as detected, in the frame of the fit."""

    subject: int
    scan: int
    kind: str
    side: str
    fitted: dict[str, Floats]
    true: dict[str, Floats]
    marks: dict[str, dict[str, Floats]]


def patient_of(seed: int, subject: int) -> tuple[Patient, str]:
    """A subject, and whose movements they have."""
    rng = np.random.default_rng([seed, subject])
    kind = KINDS[subject % 3]
    model = HeadModel.load("a" if kind == "waters" else kind, "fine")
    if kind == "waters":
        model = with_waters_muscles(model, rng)
    return draw_patient(rng, with_palsy_units(model), grade=1 + subject // 3 % 6), kind


def scanned(patient: Patient, rng: np.random.Generator, points: int, expressions: Sequence[str]) -> Exam:
    """An exam of `patient` with scans in memory."""
    scans = {e: scan_face(patient.model, patient.vertices(e), rng, points=points).scan for e in expressions}
    return Exam("simulated", scans)


def make(out: Path, seed: int, subject: int, scan: int, points: int, expressions: Sequence[str]) -> None:
    """Draws, scans, fits and stores one exam."""
    file = out / f"{subject:04d}_{scan}.npz"
    if file.exists():
        return
    patient, kind = patient_of(seed, subject)
    exam = scanned(patient, np.random.default_rng([seed, subject, 1 + scan]), points, expressions)
    try:
        found = fit_exam(exam)
    except Face3DError as error:
        print(f"{file.name}: {error}")
        return
    fitted = {"rest": found.rest, **found.expressions}
    arrays = {f"fitted_{e}": v.astype(np.float32) for e, v in fitted.items()}
    arrays |= {f"true_{e}": patient.vertices(e).astype(np.float32) for e in fitted}
    for e in fitted:
        arrays[f"names_{e}"] = np.array(list(found.marks[e]))
        arrays[f"marks_{e}"] = np.array(list(found.marks[e].values()), np.float32)
    np.savez_compressed(file, **arrays, facts=np.array(json.dumps({"kind": kind, "side": patient.side})))


def load(out: Path) -> Iterator[MeasuredExam]:
    """All stored exams, in order."""
    for file in sorted(out.glob("*.npz")):
        subject, scan = file.stem.split("_")
        with np.load(file) as data:
            facts = json.loads(str(data["facts"]))
            parts: dict[str, dict[str, Floats]] = {"fitted": {}, "true": {}}
            for name in data.files:
                which, _, expression = name.partition("_")
                if which in parts:
                    parts[which][expression] = data[name].astype(np.float64)
            marks = {
                e: dict(zip(data[f"names_{e}"].tolist(), data[f"marks_{e}"].astype(np.float64), strict=True))
                for e in parts["fitted"]
            }
        yield MeasuredExam(int(subject), int(scan), facts["kind"], facts["side"], parts["fitted"], parts["true"], marks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subjects", type=int, default=24)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--scans", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--whole", action="store_true", help="all ten expressions")
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    for scan in range(a.scans):
        for subject in range(a.first, a.first + a.subjects):
            make(a.out, a.seed, subject, scan, a.points, tuple(EXPRESSIONS) if a.whole else SHORT)
            print(f"{subject:04d}_{scan}", flush=True)


if __name__ == "__main__":
    main()
