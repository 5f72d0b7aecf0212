"""Exams as raw point sets, without any fit, for the networks that look at these.

    python tools/raw_examples.py --seen FOLDER --seed 11 --out FOLDER
    python tools/raw_examples.py --true FOLDER --like FOLDER --truth FOLDER --out FOLDER

The first takes exams that tools/seen_exams.py stored; `--seed` is theirs. The second takes what tools/true_examples.py
simulated without scanning, and gives it a scanner's noise, gaps and crop, and landmarks where a detector would have
found them: `--like` is a folder of the first kind, `--truth` the truth of the same exams (tools/true_examples.py
--seen), and what the one differs from the other by is what detecting does. Part of a second an exam, instead of two
minutes for scanning and detecting. A run that was stopped goes on where it was; several may run, each with its --part.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.grading.example import MOVEMENTS, POINTS, SCANS, Example, Labels, mirrored
from face3d.grading.grid import MARKS, grid_of
from face3d.learn.example_files import labels_from_truth, read_example, write_example
from face3d.learn.point_networks.raw_scans import points_of
from face3d.scan import Floats
from face3d.simulate.scanners.noise import smooth_field
from face3d.template.template import FaceTemplate
from fitted_exams import truth
from seen_exams import load_one


def raw_example(scans: Mapping[str, Any], labels: Labels, facts: Mapping[str, Any]) -> Example:
    """`scans` as `face3d.learn.point_networks.raw_scans.points_of` takes them. No fit: no grid, units or measures."""
    template = FaceTemplate.load()
    n, u = len(grid_of(template).nodes), len(template.units)
    points, marks = points_of(scans, SCANS, POINTS)
    nothing, units = np.full((n, 3), np.nan), np.full((len(SCANS), u, 2), np.nan)
    quality = np.where(np.isfinite(points[:, 0, :1]), 0.0, np.nan) * np.ones(6)
    return Example(
        nothing,
        nothing,
        np.full((len(MOVEMENTS), n, 3), np.nan),
        marks[0],
        marks[1:] - marks[0],
        units,
        units,
        quality,
        points,
        {},
        labels,
        dict(facts),
    )


@dataclass(frozen=True, eq=False)
class Detector:
    """What detecting landmarks was seen to do to X exams, their mirror images included: `rest` (X, L, 3) mm off, `gain`
    (E, L) share of a movement that is followed, `moves` (X, E, L, 3) mm off beside that; `scanners` (X,)."""

    rest: Floats
    gain: Floats
    moves: Floats
    scanners: np.ndarray

    @classmethod
    def seen(cls, like: Path, truth: Path) -> Detector:
        grid = grid_of(FaceTemplate.load())
        both = [(read_example(f), read_example(truth / f.name)) for f in sorted(like.glob("*.npz"))]
        both += [(mirrored(a, grid), mirrored(b, grid)) for a, b in both]
        rest = np.array([a.marks - b.marks for a, b in both])
        found, true = np.array([a.mark_moves for a, _ in both]), np.array([b.mark_moves for _, b in both])
        here = np.isfinite(found + true)
        f, t = np.where(here, found, 0.0), np.where(here, true, 0.0)
        prior = here.sum(axis=(0, 3))  # a landmark that hardly moves follows fully
        gain = ((f * t).sum(axis=(0, 3)) + prior) / ((t * t).sum(axis=(0, 3)) + prior)
        off = np.where(here, found - gain[..., None] * true, 0.0)
        return cls(np.nan_to_num(rest), gain, off, np.array([str(a.facts["scanner"]) for a, _ in both]))

    def find(self, rest: Floats, moves: Floats, which: int, strength: float) -> Floats:
        """(1 + E, L, 3) where landmarks (L, 3) that move by (E, L, 3) would be found, erring like exam `which`."""
        first = rest + strength * self.rest[which]
        return np.concatenate([first[None], first + self.gain[..., None] * moves + strength * self.moves[which]])


def make_seen(seen: Path, out: Path, seed: int) -> None:
    """One stored exam."""
    file = out / seen.name
    if file.exists():
        return
    exam = load_one(seen)
    if "rest" not in exam.scans:
        print(f"{seen.name}: left out: no rest scan")
        return
    facts = {k: exam.facts[k] for k in ("kind", "scanner", "state", "age_years", "male")}
    facts["subject"] = f"{seed}-{exam.subject:04d}"
    write_example(file, raw_example(exam.scans, labels_from_truth(truth(seed, exam)), facts))


def make(true: Path, out: Path, detector: Detector) -> None:
    """One simulated exam."""
    file = out / true.name
    if file.exists():
        return
    example = read_example(true)
    rng = np.random.default_rng([int("".join(c for c in true.stem if c.isdigit())), 2])
    which = int(rng.integers(len(detector.rest)))
    scanner = str(detector.scanners[which])
    made = raw_example(scanned(example, detector, which, rng), example.labels, example.facts)
    write_example(file, replace(made, facts={**example.facts, "scanner": f"like {scanner}"}))


def scanned(example: Example, detector: Detector, which: int, rng: np.random.Generator) -> dict[str, SimpleNamespace]:
    """expression -> what `points_of` takes, from a true example."""
    found = detector.find(example.marks, np.nan_to_num(example.mark_moves), which, float(rng.uniform(0.8, 1.2)))
    scanner = str(detector.scanners[which])
    # SD (mm) of white noise and of waves, and how long these are.
    white, waves, length = {"depth_camera": (0.1, rng.uniform(0.2, 0.5), 3.0), "fixed_mesh": (0.1, 0.1, 15.0)}.get(
        scanner, (rng.uniform(0.05, 0.15), rng.uniform(0.05, 0.25), 10.0)
    )
    lasting = 0.8 if scanner == "fixed_mesh" else 0.0  # a tracker errs alike in all frames
    person, top = int(rng.integers(2**31)), rng.uniform(38, 75)
    about = RigidTransform.from_components(rng.normal(0, 0.3, 3), Rotation.from_rotvec(rng.normal(0, 0.007, 3)))
    out = {}
    for k, name in enumerate(SCANS):
        if not np.isfinite(example.points[k]).all():
            continue
        at, normals = example.points[k, :, :3], example.points[k, :, 3:]
        off = white * rng.normal(size=len(at)) + waves * smooth_field(at, length, rng)
        off += lasting * smooth_field(at, 20.0, np.random.default_rng(person))
        at = at + off[:, None] * normals
        keep = at[:, 1] < top + 3.0 * smooth_field(at, 15.0, rng)
        for _ in range(rng.integers(0, 3)):
            keep &= ((at - at[rng.integers(len(at))]) ** 2).sum(axis=1) > rng.uniform(4, 9) ** 2
        out[name] = SimpleNamespace(
            surfels=SimpleNamespace(points=at[keep], normals=normals[keep]),
            head=about,
            found=SimpleNamespace(landmarks=dict(zip(MARKS, found[k], strict=True)), confidence={}),
        )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seen", type=Path, help="folder of tools/seen_exams.py")
    parser.add_argument("--seed", type=int, help="of the subjects that were seen")
    parser.add_argument("--true", type=Path, help="folder of tools/true_examples.py")
    parser.add_argument("--like", type=Path, help="folder of examples made with --seen")
    parser.add_argument("--truth", type=Path, help="folder of the truth of the same exams")
    parser.add_argument("--most", type=int, help="no more than the first so many exams")
    parser.add_argument("--part", default="0/1", help="k/n: every n-th exam from the k-th")
    a = parser.parse_args()
    part, parts = (int(x) for x in a.part.split("/"))
    a.out.mkdir(parents=True, exist_ok=True)
    if a.seen is not None and a.seed is not None:
        for seen in sorted(a.seen.glob("*.npz"))[part : a.most : parts]:
            make_seen(seen, a.out, a.seed)
    elif a.true is not None and a.like is not None and a.truth is not None:
        detector = Detector.seen(a.like, a.truth)
        for true in sorted(a.true.glob("*.npz"))[part : a.most : parts]:
            make(true, a.out, detector)
    else:
        parser.error("give --seen and --seed, or --true, --like and --truth")


if __name__ == "__main__":
    main()
