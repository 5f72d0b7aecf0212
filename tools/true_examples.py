"""Simulated exams without scanning or fitting, as examples for the first stage of learning to grade.

    python tools/true_examples.py --out FOLDER --subjects 1500 --seed 21

A hundred times cheaper than a fitted exam. What the fit does to such movements (gain, noise) is added while training,
as it was seen between fitted and true examples (`face3d.learn.pretraining`). With --seen, instead, the truth of exams
that tools/seen_exams.py stored, one file for each of its. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from face3d.errors import RegistrationError
from face3d.exam import EXPRESSIONS
from face3d.geometry.mesh import vertex_normals
from face3d.grading.example import MOVEMENTS, POINTS, SCANS, Example, Labels
from face3d.grading.grid import MARKS, grid_of
from face3d.grading.points import farthest_points
from face3d.landmarking.pose import head_frame, refined_frame
from face3d.learn.example_files import labels_from_truth, write_example
from face3d.learn.point_networks.raw_scans import BACK_MM, REACH_MM
from face3d.scan import Floats, Ints
from face3d.simulate import HeadModel
from face3d.simulate.truth import truth_of
from face3d.template.movement import movement
from face3d.template.template import FaceTemplate
from seen_exams import load_one, patient_of
from training_people import EMBEDDED

#: Points that the even choice is made from: enough that it is even.
CANDIDATES = 3000
#: Vertices that look away from the front further than this (cosine) are not scanned.
TURNED = -0.2


@lru_cache(maxsize=1)
def carrier() -> tuple[FaceTemplate, HeadModel, Ints]:
    """The template, the fine head model, and its vertex nearest to each of the template's, alike on both sides."""
    template, head = FaceTemplate.load(), HeadModel.load("a", "fine")
    near = np.asarray(KDTree(head.vertices).query(template.vertices)[1], np.int64)
    right = template.vertices[:, 0] < 0
    near[right] = head.opposite[near[template.opposite[right]]]
    return template, head, near


def true_example(
    vertices: Mapping[str, Floats], labels: Labels, facts: Mapping[str, Any], rng: np.random.Generator
) -> Example:
    """An exam from the true vertices of each expression, its movements laid together as fitted ones are. No units and
    no measures: nothing was fitted."""
    template, head, near = carrier()
    grid = grid_of(template)
    e, u = len(MOVEMENTS), len(template.units)
    moves, mark_moves = np.full((e, len(grid.nodes), 3), np.nan), np.full((e, len(MARKS), 3), np.nan)
    quality, points = np.full((1 + e, 6), np.nan), np.full((1 + e, POINTS, 6), np.nan)
    # The head frame as landmarks define it; the model's own axes are pitched against it.
    at = head.landmark_points(vertices["rest"])
    frame = refined_frame(head_frame(at), at, (1.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    vertices = {name: frame.apply(v) for name, v in vertices.items()}
    rest = vertices["rest"][near]
    at_rest = _marks(head, vertices["rest"])
    outside = np.maximum(head.regions["mouth_inside_left"], head.regions["mouth_inside_right"]) > 0.5
    for k, name in enumerate(SCANS):
        if name not in vertices:
            continue
        quality[k] = 0.0
        laid = vertices[name]
        if k:
            try:
                moved = movement(name, rest, vertices[name][near], template)
            except RegistrationError:
                continue
            moves[k - 1] = grid.means(moved.displacement)
            laid = moved.to_rest.apply(vertices[name])
            mark_moves[k - 1] = _marks(head, laid) - at_rest
        points[k] = _points(head, laid, ~outside, rng)
    none = np.full((1 + e, u, 2), np.nan)
    normals = grid.means(vertex_normals(rest, template.faces))
    return Example(
        grid.means(rest), normals, moves, at_rest, mark_moves, none, none, quality, points, {}, labels, dict(facts)
    )


def _marks(head: HeadModel, vertices: Floats) -> Floats:
    at = head.landmark_points(vertices)
    return np.array([at[name] for name in MARKS])


def _points(head: HeadModel, vertices: Floats, usable: np.ndarray, rng: np.random.Generator) -> Floats:
    normals = vertex_normals(vertices, head.faces)
    near = ((vertices**2).sum(axis=1) < REACH_MM**2) & (vertices[:, 2] > BACK_MM)
    seen = np.flatnonzero(usable & near & (normals[:, 2] > TURNED))
    some = rng.permutation(seen)[:CANDIDATES]
    chosen = some[np.resize(farthest_points(vertices[some], POINTS, int(vertices[some, 2].argmax())), POINTS)]
    return np.concatenate([vertices[chosen], normals[chosen]], axis=1)


def make(out: Path, seed: int, subject: int) -> None:
    """One subject drawn anew."""
    file = out / f"{subject:05d}.npz"
    if file.exists():
        return
    patient, kind = patient_of(seed, subject)
    truth = truth_of(patient)
    assert truth.scales.sunnybrook is not None
    labels = labels_from_truth(
        {
            "house_brackmann": truth.house_brackmann,
            "side": truth.side,
            "severity": truth.severity,
            "region_function": truth.region_function,
            "sunnybrook": asdict(truth.scales.sunnybrook),
            "composite": truth.scales.sunnybrook.composite,
            "house_brackmann_descriptive": truth.scales.descriptive,
            "eface": asdict(truth.scales.eface),
        }
    )
    facts = {
        "subject": f"true-{seed}-{subject:05d}",
        "kind": kind,
        "scanner": "none",
        "state": truth.state,
        "age_years": patient.years,
        "male": patient.male,
        "branches": dict(truth.branches),
    }
    vertices = {name: patient.vertices(name) for name in EXPRESSIONS}
    write_example(file, true_example(vertices, labels, facts, np.random.default_rng([seed, subject, 1])))


def make_seen(out: Path, seen: Path) -> None:
    """The truth of one stored exam."""
    file = out / seen.name
    if file.exists():
        return
    exam = load_one(seen)
    if exam.facts["kind"] not in EMBEDDED or "rest" not in exam.true:
        return  # its vertices are another mesh's, or nothing of it was fitted
    rng = np.random.default_rng(exam.subject)
    facts = {"subject": seen.stem, "kind": exam.facts["kind"], "scanner": exam.facts["scanner"]}
    write_example(file, true_example(exam.true, labels_from_truth(exam.facts), facts, rng))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subjects", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--seen", type=Path, help="folder of tools/seen_exams.py")
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    if a.seen is not None:
        for seen in sorted(a.seen.glob("*.npz")):
            make_seen(a.out, seen)
        return
    for subject in range(a.subjects):
        make(a.out, a.seed, subject)


if __name__ == "__main__":
    main()
