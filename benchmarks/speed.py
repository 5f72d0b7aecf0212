"""What a scan, an exam and a refusal cost: wall clock, CPU seconds, peak memory; beside another version, or the peers.

    python benchmarks/speed.py [--points 11000 50000 200000 1800000] [--against PATH_TO_SRC] [--repeats 3]

Faces are simulated (`scan_face`, a patient of House-Brackmann IV); those of more than 200,000 points are subdivided
from fewer, with noise. Each case runs in a process of its own: once to warm up (but for scans of a million points),
then `--repeats` times, of which the median is printed. Wall clock depends on what else the machine does; CPU seconds on
one thread do less so, and least of all their ratio: `--against` runs each case by another checkout's `src` right
before and after. Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np

from memory import peak_mb
from shown import Shown, number, numbers

SEED = 52_017
MANY = 1_000_000  # points of which one run is enough
PARTS = ("clean", "landmarks", "superimpose", "fit", "map")
PEERS = ("open3d", "meshmonk")


def make(folder: Path, points: list[int]) -> None:
    """Writes the scans of all cases."""
    from face3d.exam import EXPRESSIONS
    from face3d.simulate import HeadModel, draw_patient, scan_face
    from face3d.simulate.subdivision import loop_subdivision

    model = HeadModel.load("b", "fine")
    who = draw_patient(np.random.default_rng(SEED), model, grade=4, side="left")

    def scanned(count: int, expression: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
        scan = scan_face(who.model, who.vertices(expression), np.random.default_rng(seed), points=count).scan
        return scan.vertices, scan.faces

    for count in points:
        halvings = 0
        while count / 4**halvings > 200_000:
            halvings += 1
        v, f = scanned(count // 4**halvings, "rest", SEED)
        for _ in range(halvings):
            finer = loop_subdivision(f, len(v), np.arange(len(v)))
            v, f = finer.apply(v), finer.faces
        if halvings:
            v = v + np.random.default_rng(SEED).normal(0.0, 0.01, v.shape)
        np.savez(folder / f"scan_{count}.npz", v=v, f=f)
    for k, expression in enumerate(EXPRESSIONS):
        v, f = scanned(50_000, expression, SEED + k)
        np.savez(folder / f"exam_{expression}.npz", v=v, f=f)


def load(file: Path) -> Any:
    """A scan that `make` wrote."""
    from face3d.scan import FaceScan

    with np.load(file) as stored:
        return FaceScan(stored["v"], stored["f"], name=file.stem)


def exam(folder: Path) -> Callable[[], object]:
    """Measuring ten scans of one person."""
    from face3d.exam import EXPRESSIONS, Exam
    from face3d.measuring.examination import measure

    scans = {expression: load(folder / f"exam_{expression}.npz") for expression in EXPRESSIONS}
    return lambda: measure(Exam("speed", scans))


def no_faces() -> dict[str, Any]:
    """What is no face: a ball, a box, and something like a chair."""
    import trimesh

    from face3d.scan import FaceScan

    seat, back = trimesh.creation.box((400, 40, 400)), trimesh.creation.box((400, 500, 40))
    back.apply_translation((0, 250, -200))
    legs = [trimesh.creation.box((40, 400, 40)) for _ in range(4)]
    for k, leg in enumerate(legs):
        leg.apply_translation((180 * (-1) ** k, -200, 180 * (-1) ** (k // 2)))
    meshes = {
        "sphere": (trimesh.creation.icosphere(5, 100.0), 20.0),
        "box": (trimesh.creation.box((150, 200, 180)), 6.0),
        "chair": (trimesh.util.concatenate([seat, back, *legs]), 20.0),
    }
    fine = {name: trimesh.remesh.subdivide_to_size(m.vertices, m.faces, size)[:2] for name, (m, size) in meshes.items()}
    return {name: FaceScan(np.asarray(v), np.asarray(f), name=name) for name, (v, f) in fine.items()}


def refusal(scan: Any) -> Callable[[], object]:
    """Finding that a scan is no face."""
    from face3d.errors import Face3DError
    from face3d.measuring.analysis import analyze

    def refused() -> None:
        try:
            analyze(scan)
        except Face3DError:
            return
        print(f"{scan.name} was measured as a face", file=sys.stderr)

    return refused


def parts(scan: Any) -> Mapping[str, Callable[[], object]]:
    """The steps of `analyze`, each from what the ones before it gave."""
    from face3d.geometry.clean import clean
    from face3d.geometry.distance import mirror_distance
    from face3d.landmarking.detect import detect_landmarks
    from face3d.landmarking.placing import placed
    from face3d.template.correspondence import correspond
    from face3d.template.fit import fit_template
    from face3d.template.quality import fit_quality

    at = placed(scan)
    laid = at.superimposed()
    assert laid.head is not None and laid.laid is not None
    plane, whole = laid.laid.plane, at.cleaned.scan
    few = at.cleaned.thin.scan if hasattr(at.cleaned, "thin") else whole
    fit = fit_template(few, at.found.landmarks, at.found.confidence, at.found.dense).in_frame(laid.head)

    def maps() -> None:
        mirror_distance(whole, plane)
        correspond(whole, fit, fit_quality(fit))

    return {
        "clean": lambda: clean(scan),
        "landmarks": lambda: detect_landmarks(few),
        "superimpose": at.superimposed,
        "fit": lambda: fit_template(few, at.found.landmarks, at.found.confidence, at.found.dense),
        "map": maps,
    }


def peer(name: str, scan: Any) -> Callable[[], object]:
    """A peer's share of the work: open3d lays the mirror image on the scan and measures to it, meshmonk fits its
    template."""
    if name == "open3d":
        import open3d as o3d

        def mirror() -> None:
            v = scan.vertices - scan.vertices.mean(axis=0)
            clouds = [o3d.geometry.PointCloud(o3d.utility.Vector3dVector(p)) for p in (v * (-1.0, 1.0, 1.0), v)]
            for cloud in clouds:
                cloud.estimate_normals()
            method = o3d.pipelines.registration.TransformationEstimationPointToPlane()
            o3d.pipelines.registration.registration_icp(clouds[0], clouds[1], 20.0, np.eye(4), method)
            scene, tensor = o3d.t.geometry.RaycastingScene(), cast(Any, o3d.core.Tensor)
            scene.add_triangles(tensor(v.astype(np.float32)), tensor(scan.faces.astype(np.uint32)))
            scene.compute_distance(tensor(np.asarray(clouds[0].points, np.float32)))

        return mirror
    import meshmonk  # noqa: F401  # pyright: ignore[reportMissingImports] a peer, of the extra `bench`

    from asymmetry import meshmonk as mirrored

    return lambda: mirrored(scan)


def measured(run: Callable[[], object], repeats: int) -> dict[str, float]:
    """Median wall and CPU seconds of `repeats` runs, and the process's peak so far in MB."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {"wall": float(np.median(walls)), "cpu": float(np.median(cpus)), "peak": peak_mb()}


def case(name: str, folder: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Runs one case in this process."""
    kind, _, what = name.partition(":")
    if kind == "exam":
        runs: Mapping[str, Callable[[], object]] = {"exam of ten scans of 50,000": exam(folder)}
    elif kind == "refusal":
        runs = {f"refusal of a {what}": refusal(no_faces()[what])}
    else:
        scan = load(folder / f"scan_{what}.npz")
        if kind == "analyze":
            from face3d.measuring.analysis import analyze

            runs = {f"analyze {int(what):,}": lambda: analyze(scan)}
            if len(scan.vertices) > MANY:  # warm up on less
                analyze(load(min(folder.glob("scan_*.npz"), key=lambda f: f.stat().st_size)))
        elif kind == "parts":
            runs = {f"  {part} {int(what):,}": run for part, run in parts(scan).items()}
        else:
            runs = {f"{kind}'s share {int(what):,}": peer(kind, scan)}
        if len(scan.vertices) > MANY:
            return {label: measured(run, 1) for label, run in runs.items()}
    for run in runs.values():
        run()
    return {label: measured(run, repeats) for label, run in runs.items()}


def in_child(name: str, folder: Path, repeats: int, source: Path | None) -> dict[str, dict[str, float]]:
    """Runs one case in a process of its own, by this version or by the one in `source`."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    if source is not None:
        env["PYTHONPATH"] = str(source)
    own = [sys.executable, __file__, "--case", name, "--folder", str(folder), "--repeats", str(repeats)]
    done = subprocess.run(own, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: failed: {done.stderr.strip().splitlines()[-1:]}")
        return {}
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--points", type=int, nargs="+", default=[11_000, 50_000, 200_000, 1_800_000])
    parser.add_argument("--against", type=Path, help="the src folder of another checkout")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="cases, as `analyze:50000`, `parts:50000`, `exam`, `refusal:box`")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(case(args.case, args.folder, args.repeats)))
        return
    middle = min(args.points, key=lambda count: abs(count - 50_000))
    cases = [f"analyze:{count}" for count in args.points] + [f"parts:{middle}", "exam"]
    cases += [f"refusal:{what}" for what in ("sphere", "box", "chair")]
    for name in PEERS:
        if find_spec(name) is None:
            print(f"{name} is not installed here: its share is left out", file=sys.stderr)
        else:
            cases.append(f"{name}:{middle}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(folder, args.points)
        there_too = ("CPU s there", "ratio") if args.against else ()
        shown = Shown("What a scan, an exam, a refusal cost", "case", "wall s", "CPU s", "peak MB", *there_too)
        for name in args.only or cases:
            peers = name.partition(":")[0] in PEERS
            there = in_child(name, folder, args.repeats, args.against) if args.against and not peers else {}
            for label, here in in_child(name, folder, args.repeats, None).items():
                row = [*numbers([here["wall"], here["cpu"]]), number(here["peak"], 0)]
                if label in there:
                    row += numbers([there[label]["cpu"], there[label]["cpu"] / here["cpu"]])
                shown.row(label, *row)


if __name__ == "__main__":
    main()
