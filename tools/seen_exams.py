"""Simulated exams, scanned, cleaned and with their landmarks found: all that fitting needs, with the truth beside it.

    python tools/seen_exams.py --out FOLDER --subjects 240 --seed 11

The slow half of measuring: what is changed in the fit, in measures or in grading is learned and tried again from here.
Every subject is drawn from a seed of their own, of the kinds of `training_people` in turn; grades I to VI in equal
parts. Scanners are drawn: half stereophotogrammetry, the others
structured light, depth camera and a tracker's fixed mesh. One npz an exam; a run that was stopped goes on where it was,
and several may run at a time, each with its own --part.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import RigidTransform

from face3d.errors import Face3DError
from face3d.exam import EXPRESSIONS
from face3d.geometry.elements import Surfels
from face3d.landmarking.detect import Detection
from face3d.scan import Floats
from face3d.simulate import Patient, treated
from face3d.simulate.scanners import SCANNERS, scan_face
from face3d.simulate.truth import truth_of
from face3d.template.exam_fit import SeenScan, see_scan
from training_people import EMBEDDED, KINDS, UNSEEN, missing, person

#: Without tight closure, closed smile and puff, which repeat what others say; enough to learn measuring from.
SHORT = ("rest", "brow_raise", "gentle_eye_closure", "open_smile", "snarl", "lip_pucker", "lower_lip_depression")


@dataclass(frozen=True, eq=False)
class SeenExam:
    """`scans` expression -> what fitting needs; `true` expression -> vertices of the fine head model, mm; `facts`: the
    truth table's row of the subject, with movement kind and scanner."""

    subject: int
    scan: int
    scans: Mapping[str, SeenScan]
    true: Mapping[str, Floats]
    facts: Mapping[str, Any]


def patient_of(seed: int, subject: int, among: Sequence[str] = EMBEDDED) -> tuple[Patient, str]:
    """A subject, and of which kind they are: of those of `among` in turn."""
    kind = among[subject % len(among)]
    return person(np.random.default_rng([seed, subject]), kind, grade=1 + subject // len(among) % 6), kind


def make(
    out: Path,
    seed: int,
    subject: int,
    scan: int,
    expressions: Sequence[str] = tuple(EXPRESSIONS),
    scanner: str | None = None,
    points: int = 20_000,
    treatment: str | None = None,
    among: Sequence[str] = EMBEDDED,
) -> Path:
    """Draws, treats, scans, looks at and stores one exam of kinds `among`; a scan that cannot be used is left out and
    said in the facts."""
    file = out / f"{subject:04d}_{scan}.npz"
    if file.exists():
        return file
    patient, kind = patient_of(seed, subject, among)
    if treatment is not None:
        patient = treated(patient, treatment, np.random.default_rng([seed, subject, 0]))
    rng = np.random.default_rng([seed, subject, 1 + scan])
    drawn = str(rng.choice(SCANNERS, p=[0.5, 0.16, 0.17, 0.17])) if scanner is None else scanner
    options: dict[str, Any] = {}
    if drawn in ("stereophotogrammetry", "structured_light"):
        options["points"] = points
    if drawn == "fixed_mesh":
        options["bias_seed"] = int(rng.integers(2**31))
    truth = truth_of(patient)
    assert truth.scales.sunnybrook is not None
    facts: dict[str, Any] = {
        "kind": kind,
        "among": list(among),
        "scanner": drawn,
        "treatment": treatment,
        "side": truth.side,
        "state": truth.state,
        "age_years": patient.years,
        "male": patient.male,
        "house_brackmann": truth.house_brackmann,
        "severity": truth.severity,
        "region_function": dict(truth.region_function),
        "branches": dict(truth.branches),
        "sunnybrook": asdict(truth.scales.sunnybrook),
        "composite": truth.scales.sunnybrook.composite,
        "house_brackmann_descriptive": truth.scales.descriptive,
        "eface": asdict(truth.scales.eface),
        "synkinesis": asdict(patient.synkinesis),
        "left_out": {},
    }
    arrays: dict[str, Any] = {}
    for e in expressions:
        vertices = patient.vertices(e)
        scanned = scan_face(patient.model, vertices, rng, drawn, **options).scan
        try:
            seen = see_scan(scanned, at_rest=e == "rest")
        except Face3DError as error:
            facts["left_out"][e] = str(error)
            continue
        arrays |= {f"{e}.{name}": value for name, value in _packed(seen).items()}
        arrays[f"{e}.true"] = vertices.astype(np.float32)
    half = file.with_suffix(f".{os.getpid()}.half")
    with half.open("wb") as target:
        np.savez_compressed(target, facts=np.array(json.dumps(facts)), **arrays)
    half.replace(file)
    return file


def _packed(seen: SeenScan) -> dict[str, Any]:
    found = seen.found
    arrays = {
        "points": seen.surfels.points.astype(np.float32),
        "normals": seen.surfels.normals.astype(np.float16),
        "names": np.array(list(found.landmarks)),
        "marks": np.array(list(found.landmarks.values())),
        "trust": np.array([found.confidence[k] for k in found.landmarks]),
        "dense": found.dense,
        "dense_trust": found.dense_confidence,
        "to_head": found.to_head.as_matrix(),
        "views": np.array(found.views),
    }
    if seen.head is not None:
        arrays["head"] = seen.head.as_matrix()
    return arrays


def _unpacked(arrays: Mapping[str, Any], name: str) -> SeenScan:
    points, normals = arrays["points"].astype(np.float64), arrays["normals"].astype(np.float64)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    names = arrays["names"].tolist()
    found = Detection(
        dict(zip(names, arrays["marks"], strict=True)),
        dict(zip(names, arrays["trust"].tolist(), strict=True)),
        arrays["dense"],
        arrays["dense_trust"],
        RigidTransform.from_matrix(arrays["to_head"]),
        int(arrays["views"]),
    )
    head = RigidTransform.from_matrix(arrays["head"]) if "head" in arrays else None
    return SeenScan(Surfels(points, normals, KDTree(points), name), found, head)


def load_one(file: Path) -> SeenExam:
    """One stored exam."""
    subject, scan = file.stem.split("_")
    scans: dict[str, dict[str, Any]] = {}
    with np.load(file) as data:
        facts = json.loads(str(data["facts"]))
        for name in data.files:
            expression, _, part = name.partition(".")
            if part:
                scans.setdefault(expression, {})[part] = data[name]
    true = {e: arrays.pop("true").astype(np.float64) for e, arrays in scans.items()}
    seen = {e: _unpacked(arrays, f"{file.stem} {e}") for e, arrays in scans.items()}
    return SeenExam(int(subject), int(scan), seen, true, facts)


def load(out: Path) -> Iterator[SeenExam]:
    """All stored exams, in order."""
    return map(load_one, sorted(out.glob("*.npz")))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subjects", type=int, default=240)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--scans", type=int, default=1, help="times that each is scanned, anew in pose, noise and crop")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--scanner", choices=SCANNERS, help="the same for all")
    parser.add_argument("--short", action="store_true", help="seven expressions instead of ten")
    parser.add_argument("--kinds", nargs="+", default=EMBEDDED, choices=(*KINDS, UNSEEN))
    parser.add_argument("--part", default="0/1", help="k/n: every n-th subject from the k-th")
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    part, parts = (int(x) for x in a.part.split("/"))
    expressions = SHORT if a.short else tuple(EXPRESSIONS)
    for scan in range(a.scans):
        for subject in range(a.first + part, a.first + a.subjects, parts):
            if (file := missing(a.kinds[subject % len(a.kinds)])) is not None:
                print(f"{subject}: left out: {file} is not there", flush=True)
                continue
            made = make(a.out, a.seed, subject, scan, expressions, a.scanner, a.points, among=tuple(a.kinds))
            print(made.name, flush=True)


if __name__ == "__main__":
    main()
