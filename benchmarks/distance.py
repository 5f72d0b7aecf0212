"""Mirror, superimpose and distances alone, timed beside the peers doing the same, up to a million vertices.

    python benchmarks/distance.py [--sizes 10000,50000,200000,1000000] [--limit 120]

Each figure comes from a process of its own: best of three runs after one to warm up, and the peak of resident memory
over what the process holds before it starts (libraries and scan). All start from the same rough head frame, mirror the
scan, lay the mirror image over it, and measure from each vertex of the mirror image to the surface. Where a peer has no
distance to the surface of its own, the fastest there is (open3d, Embree) measures for it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.geometry.distance import mirror_distance
from face3d.geometry.superimpose import superimpose_mirror
from face3d.scan import FaceScan
from face3d.simulate import HeadModel, draw_patient
from face3d.simulate.scanners import scan_face
from memory import peak_mb
from plane import METHODS
from shown import Shown, number

NAMES = ("face3d", "open3d point to plane", "trimesh icp", "small_gicp")


def scan_of(size: int) -> FaceScan:
    """A palsied face of about `size` vertices: scanned at up to 60,000, split finer beyond that."""
    import trimesh

    rng, model = np.random.default_rng(11), HeadModel.load("b")
    splits = max(0, int(np.ceil(np.log(size / 60_000) / np.log(4))))
    shape = draw_patient(rng, model, 4).vertices("open_smile")
    scan = scan_face(model, shape, rng, points=size // 4**splits, pose=False).scan
    vertices, faces = scan.vertices, scan.faces
    for _ in range(splits):
        vertices, faces = trimesh.remesh.subdivide(vertices, faces)[:2]
    return FaceScan(vertices, faces)


def whole_job(name: str, scan: FaceScan, frame: RigidTransform) -> np.ndarray:
    """Distances (V,) mm of the mirror image's vertices to the scan's surface."""
    if name == "face3d":
        return mirror_distance(scan, superimpose_mirror(scan, frame).plane).distance_mm
    mirrored = METHODS[name](scan, frame).reflect(scan.vertices)
    if name.startswith("trimesh"):
        import trimesh

        return trimesh.proximity.closest_point(trimesh.Trimesh(scan.vertices, scan.faces, process=False), mirrored)[1]
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    tensor: Any = o3d.core.Tensor  # its stubs know no arrays
    scene.add_triangles(tensor(scan.vertices.astype(np.float32)), tensor(scan.faces.astype(np.uint32)))
    found = scene.compute_closest_points(tensor(mirrored.astype(np.float32)))["points"].numpy()
    return np.linalg.norm(mirrored - found, axis=1)


def measure(name: str, path: str) -> None:
    """In a process of its own: prints seconds and MB as JSON."""
    with np.load(path) as data:
        scan = FaceScan(data["vertices"], data["faces"])
    rough = RigidTransform.from_components([2.0, 1.0, 1.0], Rotation.from_rotvec([0.02, 0.04, 0.03]))
    before = peak_mb()
    started = time.perf_counter()
    whole_job(name, scan, rough)
    first, seconds = time.perf_counter() - started, []
    for _ in range(3 if first < 20 else 1):
        started = time.perf_counter()
        whole_job(name, scan, rough)
        seconds.append(time.perf_counter() - started)
    peak = peak_mb()
    print(json.dumps({"seconds": min(seconds), "peak": peak, "added": peak - before}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,50000,200000,1000000")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds that one peer may take for one size")
    parser.add_argument("--measure", nargs=2, metavar=("METHOD", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(*given.measure)
        return
    shown = Shown("Mirror, superimpose, distances", "vertices, method", "seconds", "times face3d", "peak MB")
    with tempfile.TemporaryDirectory() as folder:
        for size in (int(s) for s in given.sizes.split(",")):
            scan = scan_of(size)
            path = Path(folder) / f"{size}.npz"
            np.savez(path, vertices=scan.vertices, faces=scan.faces)
            ours = np.nan
            for name in NAMES:
                call = [sys.executable, __file__, "--measure", name, str(path)]
                try:
                    done = subprocess.run(call, capture_output=True, text=True, timeout=given.limit)
                except subprocess.TimeoutExpired:
                    shown.row(f"{len(scan.vertices)}, {name}", f"over the limit of {given.limit:g} s")
                    continue
                if done.returncode:
                    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                    shown.row(f"{len(scan.vertices)}, {name}", f"failed (exit {done.returncode}): {last}")
                    continue
                found = json.loads(done.stdout.strip().splitlines()[-1])
                ours = found["seconds"] if name == "face3d" else ours
                ratio = found["seconds"] / ours
                found = [number(found["seconds"], 3), number(ratio, 1), number(found["peak"], 0)]
                shown.row(f"{len(scan.vertices)}, {name}", *found)


if __name__ == "__main__":
    main()
